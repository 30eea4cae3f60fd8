/* One seed: a busy part full of faults, then all is mended, and the members have to find together
 * again in bounded time: a leader, an answer for every client, equal states. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

#define CALM_MS 15000 /* a hundred election time-outs */

static const struct {
    const char *name, *about;
} scenarios[] = {
    {"mixed", "everything, as the seed draws it"},
    {"elections", "many crashes"},
    {"members", "few voters, changed all the time"},
    {"disks", "rot, loss and failure of disks"},
    {"copies", "disks put back from old copies"},
    {"snapshots", "short logs"},
    {"reads", "leaders that are cut off and do not know it"},
    {"calm", "no faults at all"},
};

bool scenario_exists(const char *name)
{
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return true;
    return false;
}

void scenario_list(FILE *out)
{
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
        fprintf(out, "  %-12s %s\n", scenarios[i].name, scenarios[i].about);
}

static bool is_whole(struct raft_world *w)
{
    struct raft_node *leader = world_leader(w);
    if (!leader || !clients_are_idle(w) || !members_are_settled(w))
        return false;
    const struct raft_config *config = raft_config(leader->core);
    for (size_t i = 0; i < config->count; i++) {
        struct raft_node *n = world_node(w, &config->members[i].id);
        if (!n->core || n->machine.applied != leader->seen.last || n->seen.unreadable_first)
            return false;
    }
    return true;
}

static void be_busy(struct raft_world *w)
{
    for (size_t i = 0; i < RAFT_CLIENTS; i++) {
        w->clients[i].name = ++w->next_client;
        client_kick(w, i);
    }
    w->next_client++;
    members_run(w);
    for (uint64_t i = 0; i < w->options.steps && !w->broken; i++) {
        world_run_one(w, UINT64_MAX);
        faults_run(w);
    }
}

static void come_to_rest(struct raft_world *w)
{
    faults_end(w);
    for (size_t i = 0; i < RAFT_CLIENTS; i++)
        client_kick(w, i);
    uint64_t until_ms = w->now_ms + CALM_MS;
    while (!w->broken && world_run_one(w, until_ms))
        if (is_whole(w))
            return;
    struct raft_node *leader = world_leader(w);
    world_break(w, "heals_in_time", "leader %s, clients %s, members %s",
                leader ? leader->name : "none", clients_are_idle(w) ? "served" : "waiting",
                members_are_settled(w) ? "settled" : "in change");
}

/* Who was in what state when it broke: for whoever replays it. */
static void tell_node(const struct raft_node *n)
{
    const struct raft_status *s = &n->seen;
    typedef unsigned long long ull;
    fprintf(stderr,
            "  %-3s %-13s term %llu, log %llu..%llu, durable %llu, commit %llu, applied %llu%s%s%s",
            n->name, n->core ? raft_role_name(s->role) : "down", (ull)s->term, (ull)s->base,
            (ull)s->last, (ull)s->durable, (ull)s->commit, (ull)s->applied,
            s->is_full ? ", full" : "", s->is_installing ? ", installing" : "",
            s->is_fenced ? ", fenced" : "");
    if (s->unreadable_first)
        fprintf(stderr, ", unreadable %llu..%llu", (ull)s->unreadable_first,
                (ull)s->unreadable_last);
    const struct raft_config *config = n->core ? raft_config(n->core) : NULL;
    for (size_t i = 0; config && i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        fprintf(stderr, " s%u%s%s%s", m->id.bytes[0], m->is_voter ? "+" : "",
                m->was_voter ? "-" : "", m->is_voter || m->was_voter ? "" : "?");
    }
    fputc('\n', stderr);
}

bool scenario_run(const struct raft_options *options, struct raft_stats *ret_stats)
{
    struct raft_world *w = malloc(sizeof(*w));
    CHECK(w);
    world_init(w, options);
    be_busy(w);
    if (!w->broken)
        come_to_rest(w);
    if (!w->broken)
        check_end(w);
    w->stats.virtual_ms = w->now_ms;
    *ret_stats = w->stats;
    bool is_well = !w->broken;
    if (!is_well)
        fprintf(stderr, "raft_sim: seed %llu: %s: at %llu ms: %s: %s\n",
                (unsigned long long)options->seed, options->scenario, (unsigned long long)w->now_ms,
                w->broken, w->why);
    for (size_t i = 0; i < w->node_count && !is_well; i++)
        tell_node(&w->nodes[i]);
    world_fini(w);
    free(w);
    return is_well;
}
