/* Rules of what guards the mesh itself: desired voters, and the keys of gossip. Called by op.c. Who
 * votes in truth is in raft's own log; its leader brings the two together. */
#include "registry/turn.h"

static enum err check_voter(struct registry_turn *t, const struct registry_voters *voters,
                            size_t index)
{
    const struct id *id = &voters->nodes[index].id;
    struct registry_row node;
    enum err e = registry_get(registry_turn_reader(t), REGISTRY_NODE, bytes_of(id->bytes, ID_SIZE),
                              (struct bytes){0}, &node);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    if (e == ERR_NOT_FOUND || node.doc.node.state == REGISTRY_NODE_REVOKED)
        return registry_refuse(t, ERR_NOT_FOUND, "nodes",
                               "voter %zu is no admitted node: look at the nodes", index);
    for (size_t i = 0; i < index; i++)
        if (id_equal(&voters->nodes[i].id, id))
            return registry_refuse(t, ERR_INVALID, "nodes", "voter %zu is named twice", index);
    return ERR_OK;
}

enum err registry_voters_put(struct registry_turn *t, const struct registry_row *old,
                             struct registry_row *next)
{
    const struct registry_voters *voters = &next->doc.voters;
    (void)old;
    if ((voters->automatic > 0) == (voters->node_count > 0))
        return registry_refuse(t, ERR_INVALID, NULL, "give either a number or a list of nodes");
    if (voters->automatic > 0 && voters->automatic % 2 == 0)
        return registry_refuse(t, ERR_INVALID, "automatic", "give 1, 3, 5 or 7");
    for (size_t i = 0; i < voters->node_count; i++)
        TRY(check_voter(t, voters, i));
    return ERR_OK;
}

/* --- gossip's keys: the newest two, so that nodes that wait for the new one still hear --- */

struct newest {
    uint64_t number;
};

static bool on_key(void *ctx, const struct registry_row *row)
{
    ((struct newest *)ctx)->number = row->doc.gossip_key.number;
    return true;
}

static enum err drop_key(struct registry_turn *t, uint64_t number)
{
    struct registry_row row = {.kind = REGISTRY_GOSSIP_KEY, .doc.gossip_key.number = number};
    enum err e = registry_turn_remove(t, &row);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err registry_gossip_keys_put(struct registry_turn *t, const struct registry_row *old,
                                  struct registry_row *next)
{
    struct newest newest = {0};
    uint64_t number = next->doc.gossip_key.number;
    TRY(registry_scan(registry_turn_reader(t), REGISTRY_GOSSIP_KEY, (struct bytes){0}, on_key,
                      &newest));
    if (old)
        return registry_refuse(t, ERR_EXISTS, "number", "this one stands: give the next number");
    if (newest.number && number != newest.number + 1)
        return registry_refuse(t, ERR_CONFLICT, "number", "the next number is %llu",
                               (unsigned long long)newest.number + 1);
    return number > 2 ? drop_key(t, number - 2) : ERR_OK;
}
