/* How a swarm's processes start, stand still and end: what an operator, a kernel or a power cut
 * does to them. gossip_faults.c decides when. */
#include "tests/sim/gossip_world.h"

#include <stdlib.h>

static void forget_waiting(struct swarm_node *n)
{
    for (struct list *it; (it = list_pop_front(&n->waiting));)
        free(LIST_ENTRY(it, struct swarm_event, wait));
    n->waiting_datagrams = 0;
}

static void death_begins(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    struct swarm_stats *stats = &s->stats;
    if (!swarm_is_well_for(s, n, 5 * SWARM_SECOND) || stats->death_count == STATS_DEATHS_MAX)
        return;
    stats->deaths[stats->death_count++] =
        (struct swarm_death){.node = n->index, .life = n->life, .at_us = s->now_us};
    n->death = stats->death_count;
}

void swarm_node_start(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    struct swarm_identity *i = &s->identities[n->identity];
    char region[GOSSIP_NAME_MAX + 1];
    CHECK(!n->gossip);
    snprintf(region, sizeof region, "r%zu", i->region);
    struct gossip_cfg cfg = {.mesh = {{7}},
                             .name = i->name,
                             .region = region,
                             .seed = rng_next(&s->rng),
                             .incarnation = n->persisted,
                             .now_ms = swarm_node_clock_ms(n),
                             .wall_ms = swarm_node_wall_ms(n),
                             .members_max = s->identity_count + 8,
                             .key_count = GOSSIP_KEYS_MAX,
                             .ops = n->is_liar ? &swarm_liar_ops : &swarm_honest_ops,
                             .ctx = n};
    memcpy(cfg.key, i->key, sizeof cfg.key);
    swarm_gossip_keys(n, n->seals_with_older, cfg.keys);
    CHECK(gossip_create(&cfg, &n->gossip) == ERR_OK);
    n->host_is_up = true;
    n->is_silent = false;
    n->life++;
    n->start_wall_ms = n->wall_ms;
    n->death = 0;
    n->own_incarnation = 0;
    n->raises = 0;
    n->started_us = s->now_us;
    n->views = calloc(s->identity_count, sizeof *n->views);
    CHECK(n->views);
    TRACE(&s->trace, i->name, "start", LOG_UINT("life", n->life), LOG_UINT("had", cfg.incarnation),
          LOG_BOOL("only_dials", n->only_dials), LOG_BOOL("twin", n->index != n->identity));
    swarm_node_begin(n);
    swarm_truth_changed(s);
}

void swarm_node_kill(struct swarm_node *n, bool host_too)
{
    struct swarm *s = n->swarm;
    CHECK(n->gossip);
    TRACE(&s->trace, s->identities[n->identity].name, host_too ? "power" : "kill",
          LOG_UINT("life", n->life));
    if (n->death == 0 && !n->is_silent)
        death_begins(n);
    gossip_destroy(n->gossip);
    n->gossip = NULL;
    n->host_is_up = !host_too;
    n->is_paused = false;
    n->dead_us = s->now_us;
    free(n->views);
    n->views = NULL;
    forget_waiting(n);
    swarm_links_of_dead(s, n->index);
    swarm_truth_changed(s);
}

void swarm_node_pause(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    TRACE(&s->trace, s->identities[n->identity].name, "pause", LOG_UINT("life", n->life));
    death_begins(n);
    n->is_paused = true;
    n->dead_us = s->now_us;
    s->disturbed_us = s->now_us;
    swarm_truth_changed(s);
}

/* As a loop does that wakes up: its timers first, by the new clock, then what came in. */
void swarm_node_continue(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    TRACE(&s->trace, s->identities[n->identity].name, "continue", LOG_UINT("life", n->life));
    n->is_paused = false;
    n->death = 0;
    n->waiting_datagrams = 0;
    s->disturbed_us = s->now_us;
    swarm_truth_changed(s);
    struct list waiting;
    list_init(&waiting);
    for (unsigned pass = 0; pass < 2; pass++) {
        LIST_EACH_SAFE(it, tmp, &n->waiting)
        {
            struct swarm_event *e = LIST_ENTRY(it, struct swarm_event, wait);
            bool is_timer = e->type <= SWARM_LOAD;
            if (is_timer != (pass == 0))
                continue;
            list_remove(it);
            list_push_back(&waiting, it);
        }
    }
    for (struct list *it; (it = list_pop_front(&waiting));)
        swarm_node_obey(n, LIST_ENTRY(it, struct swarm_event, wait));
}

static void falls(struct swarm *s, uint64_t argument)
{
    struct swarm_node *n = &s->nodes[argument];
    if (n->gossip && n->is_silent)
        swarm_node_kill(n, false);
}

void swarm_node_goodbye(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    struct swarm_identity *i = &s->identities[n->identity];
    struct gossip_event goodbye = {.type = GOSSIP_GOODBYE};
    TRACE(&s->trace, i->name, "goodbye", LOG_UINT("life", n->life));
    i->left_incarnation = i->incarnation_max;
    n->is_silent = true;
    swarm_node_step(n, &goodbye);
    if (n->gossip)
        i->left_incarnation = i->incarnation_max;
    swarm_truth_changed(s);
    swarm_at(s, s->now_us + 500 * SWARM_MS, falls, n->index);
}

void swarm_node_move(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    n->address_generation++;
    s->disturbed_us = s->now_us;
    TRACE(&s->trace, s->identities[n->identity].name, "move",
          LOG_UINT("port", 7300 + n->address_generation));
    swarm_node_publish(n, GOSSIP_NODE);
}
