/* Time for the nodes of core_nodes.h, and what they see. */
#ifndef TESTS_UNIT_GOSSIP_CORE_WORLD_H
#define TESTS_UNIT_GOSSIP_CORE_WORLD_H

#include "core_nodes.h"

/* --- time */

static inline bool world_passes(const struct world *w, const struct world_mail *m)
{
    bool is_too_long = w->datagram_max && m->size > w->datagram_max;
    bool is_lost = !m->over_link && (w->cut_datagrams[m->from][m->to] || is_too_long);
    return !w->cut[m->from][m->to] && !is_lost;
}

static inline void world_receive(struct world *w, size_t from, size_t to, bool over_link,
                                 struct bytes data)
{
    world_step(w, to,
               (struct gossip_event){.type = over_link ? GOSSIP_LINK_MESSAGE : GOSSIP_DATAGRAM,
                                     .id = w->nodes[from].id,
                                     .addr = {.ip = {(uint8_t)from}, .size = 4},
                                     .data = data});
}

static inline void world_deliver(struct world *w)
{
    while (w->head < w->tail && w->queue[w->head % WORLD_QUEUE].at_ms <= w->now_ms) {
        struct world_mail m = w->queue[w->head++ % WORLD_QUEUE];
        struct world_node *to = &w->nodes[m.to];
        if (to->g && !to->is_paused && world_passes(w, &m))
            world_receive(w, m.from, m.to, m.over_link, bytes_of(m.data, m.size));
        if (m.over_link) {
            free(m.data);
            continue;
        }
        free(w->last.data);
        w->last = m;
    }
}

static inline void world_run(struct world *w, uint64_t ms)
{
    for (uint64_t end_ms = w->now_ms + ms; w->now_ms < end_ms;) {
        w->now_ms++;
        world_deliver(w);
        for (size_t i = 0; i < w->count; i++) {
            struct world_node *n = &w->nodes[i];
            if (n->g && !n->is_paused && gossip_deadline_ms(n->g) <= w->now_ms)
                world_step(w, i, (struct gossip_event){.type = GOSSIP_TICK});
        }
    }
}

/* --- looking */

static inline const struct gossip_member *world_view(const struct world *w, size_t at, size_t of)
{
    return gossip_find(w->nodes[at].g, &w->nodes[of].id);
}

static inline bool world_sees(const struct world *w, size_t at, size_t of, enum gossip_state state)
{
    const struct gossip_member *m = world_view(w, at, of);
    return m && m->state == state;
}

/* Everybody that runs sees `of` in this state. */
static inline bool world_all_see(const struct world *w, size_t of, enum gossip_state state)
{
    for (size_t i = 0; i < w->count; i++)
        if (i != of && w->nodes[i].g && !world_sees(w, i, of, state))
            return false;
    return true;
}

/* Runs until all see it, for at most `ms`; how long it took, or fails. */
static inline uint64_t world_until(struct world *w, size_t of, enum gossip_state state, uint64_t ms)
{
    uint64_t start_ms = w->now_ms;
    while (!world_all_see(w, of, state)) {
        if (w->now_ms - start_ms >= ms)
            fail_msg("not all see n%zu as %s", of, gossip_state_name(state));
        world_run(w, 10);
    }
    return w->now_ms - start_ms;
}

/* A mesh that has met: everybody linked with node 0 once. */
static inline struct world *world_meet(size_t count)
{
    struct world *w = world_make(count);
    for (size_t i = 1; i < count; i++)
        world_link(w, i, 0);
    for (size_t i = 0; i < count; i++)
        (void)world_until(w, i, GOSSIP_ALIVE, 3000);
    return w;
}

#endif
