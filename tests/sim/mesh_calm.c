/* The picture of what is well: paths, and what nodes think of each other, which is read from their
 * trace. */
#include "tests/sim/mesh_calm.h"

#include "tests/sim/mesh_town.h"

struct calm *town_path(struct town *t, size_t host_a, size_t host_b)
{
    return host_a < host_b ? &t->path[host_a][host_b] : &t->path[host_b][host_a];
}

/* The value of a string member of a trace line; "" when it is not there. */
static void member(struct bytes line, const char *key, char *ret_value, size_t size)
{
    char mark[40];
    struct bytes want = bytes_of(mark, (size_t)snprintf(mark, sizeof mark, "\"%s\":\"", key));
    *ret_value = '\0';
    for (size_t i = 0; i + want.size < line.size; i++) {
        struct bytes rest = bytes_skip(line, i);
        if (rest.data[0] != '"' || !bytes_starts_with(rest, want))
            continue;
        rest = bytes_skip(rest, want.size);
        rest.size = bytes_find(rest, '"');
        bytes_to_str(rest, ret_value, size);
        return;
    }
}

static struct town_node *node_named(struct town *t, const char *name)
{
    for (size_t i = 0; i < t->node_count; i++)
        if (strcmp(t->nodes[i].name, name) == 0)
            return &t->nodes[i];
    return NULL;
}

void town_watch_trace(struct town *t, struct bytes line)
{
    char event[32], name[64], peer[64], to[16];
    member(line, "event", event, sizeof event);
    if (strcmp(event, "peer_reach") != 0)
        return;
    member(line, "node", name, sizeof name);
    member(line, "peer", peer, sizeof peer);
    member(line, "to", to, sizeof to);
    struct town_node *a = node_named(t, name);
    struct town_node *b = node_named(t, peer);
    CHECK(a && b);
    struct calm *c = &t->peer[a->index][b->index];
    bool alive = strcmp(to, "near") == 0;
    if (alive && c->faults)
        calm_mend(c, town_now_us(t));
    else if (!alive && !c->faults)
        calm_break(c);
}

static bool nodes_are_well(struct town *t, uint64_t since_us)
{
    for (size_t i = 0; i < t->node_count; i++) {
        struct town_node *n = &t->nodes[i];
        if (!calm_is_since(&n->up, since_us) || !calm_is_since(&n->runs, since_us) ||
            !calm_is_since(&n->stays, since_us) || !calm_is_since(&n->opens, since_us))
            return false;
    }
    for (size_t i = 0; i < t->engine_count; i++)
        if (!calm_is_since(&t->engines[i].well, since_us))
            return false;
    return true;
}

static bool paths_are_well(struct town *t, uint64_t since_us)
{
    for (size_t i = 0; i < TOWN_HOSTS_MAX; i++)
        for (size_t k = i + 1; k < TOWN_HOSTS_MAX; k++)
            if (!calm_is_since(&t->path[i][k], since_us))
                return false;
    return true;
}

bool town_is_calm_since(struct town *t, uint64_t t_us)
{
    if (!nodes_are_well(t, t_us) || !paths_are_well(t, t_us))
        return false;
    for (size_t i = 0; i < t->node_count; i++)
        for (size_t k = 0; k < t->node_count; k++)
            if (i != k && !calm_is_since(&t->peer[i][k], t_us))
                return false;
    return true;
}

bool town_is_well(struct town *t, uint64_t for_us)
{
    uint64_t now_us = town_now_us(t);
    return now_us >= for_us && town_is_calm_since(t, now_us - for_us);
}
