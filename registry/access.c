/* Who may do what: the table of operations, and the author of a command. Roles are ordered, see
 * types.h; what the mesh root and invitations may is marked. Called by apply.c; the words also name
 * operations in cosignature rules and to whoever prints a log. */
#include "registry/turn.h"

#define ANY_STATE UINT32_MAX
#define ROOT 1    /* also the mesh root, after genesis: the last resort */
#define INVITED 2 /* also an invitation's key */

struct operation {
    enum registry_kind kind;
    enum registry_verb verb;
    uint32_t state; /* of MOVE */
    enum registry_role role;
    unsigned marks;
    const char *word;
};

/* The first that fits. What is not here nobody may do. */
static const struct operation operations[] = {
    {REGISTRY_NODE, REGISTRY_PUT, 0, REGISTRY_ENROLLER, INVITED, "node.put"},
    {REGISTRY_NODE, REGISTRY_MOVE, REGISTRY_ADMITTED, REGISTRY_ENROLLER, 0, "node.undrain"},
    {REGISTRY_NODE, REGISTRY_MOVE, REGISTRY_DRAINED, REGISTRY_ENROLLER, 0, "node.drain"},
    {REGISTRY_NODE, REGISTRY_MOVE, ANY_STATE, REGISTRY_OPERATOR, ROOT, "node.revoke"},
    {REGISTRY_NODE, REGISTRY_REMOVE, 0, REGISTRY_OPERATOR, 0, "node.rm"},
    {REGISTRY_ADMIN, REGISTRY_PUT, 0, REGISTRY_OPERATOR, ROOT, "admin.put"},
    {REGISTRY_ADMIN, REGISTRY_MOVE, ANY_STATE, REGISTRY_OPERATOR, ROOT, "admin.revoke"},
    {REGISTRY_INVITATION, REGISTRY_PUT, 0, REGISTRY_ENROLLER, 0, "invitation.put"},
    {REGISTRY_INVITATION, REGISTRY_MOVE, ANY_STATE, REGISTRY_ENROLLER, 0, "invitation.close"},
    {REGISTRY_INVITATION, REGISTRY_REMOVE, 0, REGISTRY_ENROLLER, 0, "invitation.rm"},
    {REGISTRY_MODEL, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "model.put"},
    {REGISTRY_MODEL, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "model.rm"},
    {REGISTRY_VERSION, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "version.put"},
    {REGISTRY_VERSION, REGISTRY_MOVE, REGISTRY_VERSION_REVOKED, REGISTRY_REGISTRAR, 0,
     "version.revoke"},
    {REGISTRY_VERSION, REGISTRY_MOVE, ANY_STATE, REGISTRY_REGISTRAR, 0, "version.promote"},
    {REGISTRY_VERSION, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "version.rm"},
    {REGISTRY_ALIAS, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "alias.put"},
    {REGISTRY_ALIAS, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "alias.rm"},
    {REGISTRY_TENANT, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "tenant.put"},
    {REGISTRY_TENANT, REGISTRY_MOVE, REGISTRY_TENANT_ACTIVE, REGISTRY_REGISTRAR, 0,
     "tenant.resume"},
    {REGISTRY_TENANT, REGISTRY_MOVE, ANY_STATE, REGISTRY_REGISTRAR, 0, "tenant.suspend"},
    {REGISTRY_TENANT, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "tenant.rm"},
    {REGISTRY_KEY, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "key.put"},
    {REGISTRY_KEY, REGISTRY_MOVE, ANY_STATE, REGISTRY_REGISTRAR, 0, "key.revoke"},
    {REGISTRY_KEY, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "key.rm"},
    {REGISTRY_QUOTA, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "quota.put"},
    {REGISTRY_QUOTA, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "quota.rm"},
    {REGISTRY_PRICE, REGISTRY_PUT, 0, REGISTRY_REGISTRAR, 0, "price.put"},
    {REGISTRY_PRICE, REGISTRY_REMOVE, 0, REGISTRY_REGISTRAR, 0, "price.rm"},
    {REGISTRY_POLICY, REGISTRY_PUT, 0, REGISTRY_OPERATOR, 0, "policy.put"},
    {REGISTRY_POLICY, REGISTRY_REMOVE, 0, REGISTRY_OPERATOR, 0, "policy.rm"},
    {REGISTRY_SETTING, REGISTRY_PUT, 0, REGISTRY_OPERATOR, 0, "setting.put"},
    {REGISTRY_SETTING, REGISTRY_REMOVE, 0, REGISTRY_OPERATOR, 0, "setting.rm"},
    {REGISTRY_GOSSIP_KEY, REGISTRY_PUT, 0, REGISTRY_OPERATOR, 0, "gossip_key.put"},
    {REGISTRY_VOTERS, REGISTRY_PUT, 0, REGISTRY_OPERATOR, 0, "voters.put"},
    {REGISTRY_COSIGN, REGISTRY_PUT, 0, REGISTRY_OPERATOR, 0, "cosign.put"},
    {REGISTRY_COSIGN, REGISTRY_REMOVE, 0, REGISTRY_OPERATOR, ROOT, "cosign.rm"},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static const struct operation *operation_of(const struct registry_op *op)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        const struct operation *o = &operations[i];
        bool fits_state = o->state == ANY_STATE || o->state == op->state;
        if (o->kind == op->kind && o->verb == op->verb && fits_state)
            return o;
    }
    return NULL;
}

const char *registry_op_word(const struct registry_op *op)
{
    const struct operation *o = operation_of(op);
    return o ? o->word : "?";
}

enum registry_role registry_op_role(const struct registry_op *op)
{
    const struct operation *o = operation_of(op);
    return o ? o->role : REGISTRY_ROLE_NONE;
}

bool registry_op_is_word(struct bytes word)
{
    for (size_t i = 0; i < OPERATIONS; i++)
        if (bytes_equal(word, bytes_from_str(operations[i].word)))
            return true;
    return false;
}

/* --- the author --- */

static enum err check_admin(struct registry_turn *t, const struct registry_admin *admin)
{
    if (admin->state != REGISTRY_ACTIVE)
        return registry_refuse(t, ERR_REVOKED, NULL, "the administrator %.*s was revoked",
                               (int)admin->name.size, (const char *)admin->name.data);
    if (admin->not_after_ms && registry_turn_now_ms(t) > admin->not_after_ms)
        return registry_refuse(t, ERR_EXPIRED, NULL, "the time of the administrator %.*s is over",
                               (int)admin->name.size, (const char *)admin->name.data);
    t->role = (enum registry_role)admin->role;
    return ERR_OK;
}

enum err registry_access_author(struct registry_turn *t)
{
    struct registry_row row;
    struct bytes id = bytes_of(t->author.bytes, ID_SIZE);
    t->is_root = id_equal(&t->author, &t->r->root_id);
    t->is_genesis = t->r->current.head.epoch == 0;
    if (t->is_root)
        return ERR_OK;
    enum err e = registry_get(registry_turn_reader(t), REGISTRY_ADMIN, id, (struct bytes){0}, &row);
    if (e == ERR_OK)
        return check_admin(t, &row.doc.admin);
    if (e != ERR_NOT_FOUND)
        return e;
    e = registry_get(registry_turn_reader(t), REGISTRY_INVITATION, id, (struct bytes){0}, &row);
    t->is_invited = e == ERR_OK;
    if (e != ERR_NOT_FOUND)
        return e;
    return registry_refuse(t, ERR_NOT_ALLOWED, NULL,
                           "its key is no administrator's of this mesh: use another key");
}

/* --- what he may --- */

static bool may(const struct registry_turn *t, const struct operation *o)
{
    if (t->is_root)
        return t->is_genesis || (o->marks & ROOT);
    if (t->is_invited)
        return (o->marks & INVITED) && t->s->command.op_count == 1;
    return t->role >= o->role;
}

enum err registry_access_ops(struct registry_turn *t)
{
    for (t->op_index = 0; t->op_index < t->s->command.op_count; t->op_index++) {
        t->op = &t->s->command.ops[t->op_index];
        const struct operation *o = operation_of(t->op);
        if (!o)
            return registry_refuse(t, ERR_NOT_ALLOWED, NULL, "nobody may do this");
        if (!may(t, o))
            return registry_refuse(t, ERR_NOT_ALLOWED, NULL, "%s needs the role %s", o->word,
                                   o->role == REGISTRY_OPERATOR    ? "operator"
                                   : o->role == REGISTRY_REGISTRAR ? "registrar"
                                                                   : "enroller");
    }
    return ERR_OK;
}
