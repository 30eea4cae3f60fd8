/* Since when something (a node, an engine, a path) is well: the picture by which verdicts are
 * made. */
#ifndef TESTS_SIM_MESH_CALM_H
#define TESTS_SIM_MESH_CALM_H

#include <stdbool.h>
#include <stdint.h>

/* Not while a fault holds it. */
struct calm {
    uint64_t since_us;
    unsigned faults;
};
static inline void calm_break(struct calm *c)
{
    c->faults++;
}
/* The fault is over; what it left behind is over at `at_us`. */
static inline void calm_mend(struct calm *c, uint64_t at_us)
{
    c->faults--;
    if (c->since_us < at_us)
        c->since_us = at_us;
}
static inline bool calm_is_since(const struct calm *c, uint64_t t_us)
{
    return c->faults == 0 && c->since_us <= t_us;
}

#endif
