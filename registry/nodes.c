/* Rules of nodes: who is admitted, by whom, under which name. Called by op.c. Whether a node's
 * certificate says the same is for the link to check. */
#include "registry/turn.h"

static enum err check_name(struct registry_turn *t, const struct registry_node *node)
{
    struct registry_row other;
    enum err e = registry_find(registry_turn_reader(t), REGISTRY_NODE_BY_NAME, node->name, &other);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && id_equal(&other.doc.node.id, &node->id)))
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    return registry_refuse(t, ERR_EXISTS, "name",
                           "another node has this name: choose one, or revoke that node");
}

/* --- by an invitation --- */

static enum err check_scope(struct registry_turn *t, const struct registry_invitation *i,
                            const struct registry_node *node)
{
    if (i->tier != REGISTRY_TIER_ANY && i->tier != node->tier)
        return registry_refuse(t, ERR_CERT_SCOPE, "tier", "the invitation is for another tier");
    if (i->region.size && !bytes_equal(i->region, node->region))
        return registry_refuse(t, ERR_CERT_SCOPE, "region", "the invitation is for another region");
    if (node->not_after_ms > i->node_not_after_ms)
        return registry_refuse(t, ERR_CERT_SCOPE, "not_after_ms",
                               "it is later than the invitation allows");
    return ERR_OK;
}

static enum err check_open(struct registry_turn *t, const struct registry_invitation *i)
{
    if (i->state != REGISTRY_OPEN)
        return registry_refuse(t, ERR_REVOKED, NULL, "the invitation was closed: ask for another");
    if (registry_turn_now_ms(t) > i->not_after_ms)
        return registry_refuse(t, ERR_EXPIRED, NULL, "the invitation has expired: ask for another");
    if (i->used >= i->uses)
        return registry_refuse(t, ERR_EXPIRED, NULL, "the invitation is used up: ask for another");
    return ERR_OK;
}

static enum err use_invitation(struct registry_turn *t, const struct registry_row *old,
                               struct registry_node *node)
{
    struct registry_row row;
    TRY(registry_get(registry_turn_reader(t), REGISTRY_INVITATION,
                     bytes_of(t->author.bytes, ID_SIZE), (struct bytes){0}, &row));
    if (old)
        return registry_refuse(t, ERR_EXISTS, NULL,
                               "this node was admitted before, otherwise: join with a new key");
    TRY(check_open(t, &row.doc.invitation));
    TRY(check_scope(t, &row.doc.invitation, node));
    node->invitation = t->author;
    row.doc.invitation.used++;
    return registry_turn_put(t, &row);
}

static bool is_same_node(const struct registry_node *a, const struct registry_node *b)
{
    return bytes_equal(a->name, b->name) && a->tier == b->tier &&
           bytes_equal(a->region, b->region) && bytes_equal(a->zone, b->zone) &&
           a->not_after_ms == b->not_after_ms;
}

/* One node uses an invitation once, however often it asks, and is told so even when that has
 * expired meanwhile. */
enum err registry_nodes_check_repeat(struct registry_turn *t, bool *ret_is_repeat)
{
    struct registry_row row;
    const struct registry_op *op = t->s->command.op_count == 1 ? t->s->command.ops : NULL;
    *ret_is_repeat = false;
    if (!op || op->kind != REGISTRY_NODE || op->verb != REGISTRY_PUT)
        return ERR_OK;
    enum err e = registry_get(registry_turn_reader(t), REGISTRY_NODE,
                              bytes_of(op->doc.node.id.bytes, ID_SIZE), (struct bytes){0}, &row);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (!id_equal(&row.doc.node.invitation, &t->author) ||
        !is_same_node(&row.doc.node, &op->doc.node))
        return ERR_OK;
    if (row.doc.node.state == REGISTRY_NODE_REVOKED)
        return registry_refuse(t, ERR_REVOKED, NULL, "the node was revoked: join with a new key");
    t->result->is_repeat = true;
    t->result->epoch = row.rev;
    *ret_is_repeat = true;
    return ERR_OK;
}

enum err registry_nodes_put(struct registry_turn *t, const struct registry_row *old,
                            struct registry_row *next)
{
    struct registry_node *node = &next->doc.node;
    struct id id = id_of_public_key(node->key);
    if (!id_equal(&id, &node->id))
        return registry_refuse(t, ERR_INVALID, "id", "it is not the id of the key");
    if (node->tier == REGISTRY_TIER_ANY)
        return registry_refuse(t, ERR_INVALID, "tier", "name edge, regional or cloud");
    TRY(check_name(t, node));
    return t->is_invited ? use_invitation(t, old, node) : ERR_OK;
}

/* --- leaving --- */

/* A revoked node is no desired voter any more; the last one cannot be taken away like that. */
static enum err leave_voters(struct registry_turn *t, const struct id *id)
{
    struct registry_row row;
    struct registry_voters *voters = &row.doc.voters;
    size_t kept = 0;
    enum err e = registry_get(registry_turn_reader(t), REGISTRY_VOTERS, (struct bytes){0},
                              (struct bytes){0}, &row);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    for (size_t i = 0; i < voters->node_count; i++)
        if (!id_equal(&voters->nodes[i].id, id))
            voters->nodes[kept++] = voters->nodes[i];
    if (kept == voters->node_count)
        return ERR_OK;
    if (kept == 0)
        return registry_refuse(t, ERR_IN_USE, NULL, "it is the only voter: name others before");
    voters->node_count = kept;
    return registry_turn_put(t, &row);
}

enum err registry_nodes_move(struct registry_turn *t, const struct registry_row *old,
                             struct registry_row *next)
{
    if (next->doc.node.state != REGISTRY_NODE_REVOKED)
        return ERR_OK;
    return leave_voters(t, &old->doc.node.id);
}

enum err registry_nodes_remove(struct registry_turn *t, const struct registry_row *old,
                               struct registry_row *next)
{
    (void)next;
    if (old->doc.node.state == REGISTRY_NODE_REVOKED)
        return ERR_OK;
    return registry_refuse(t, ERR_IN_USE, NULL, "it is not revoked: revoke it before");
}
