/* Choosers that others use, and the oracle. Each counts what its routers sent and adds it to what
 * the members told, where it looks at load at all. */
#include "tests/bench/routing_quality/world.h"

#include <math.h>
#include <stdlib.h>

struct rival {
    struct world *w;
    struct rng rng;
    uint32_t next[WORLD_ROUTERS_MAX]; /* round robin */
    uint32_t own[WORLD_ROUTERS_MAX][WORLD_MEMBERS_MAX];
};

static void *create(struct world *w)
{
    struct rival *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->w = w;
    rng_init(&s->rng, w->cell.seed + 2);
    for (size_t i = 0; i < WORLD_ROUTERS_MAX; i++)
        s->next[i] = (uint32_t)rng_below(&s->rng, w->count);
    return s;
}

static void ended(void *self, struct request *r, bool is_good)
{
    struct rival *s = self;
    (void)is_good;
    s->own[r->router][r->member]--;
}

static int take(struct rival *s, struct request *r, int member)
{
    if (member >= 0)
        s->own[r->router][member]++;
    return member;
}

static bool may(const struct request *r, uint32_t member)
{
    return !(r->tried >> member & 1);
}

static int choose_round_robin(void *self, struct request *r)
{
    struct rival *s = self;
    for (size_t i = 0; i < s->w->count; i++) {
        uint32_t member = s->next[r->router]++ % (uint32_t)s->w->count;
        if (may(r, member))
            return take(s, r, (int)member);
    }
    return -1;
}

static int draw(struct rival *s, const struct request *r)
{
    uint32_t left = 0, member = 0;
    for (uint32_t i = 0; i < s->w->count; i++)
        left += may(r, i);
    if (left == 0)
        return -1;
    for (uint64_t skip = rng_below(&s->rng, left);; member++)
        if (may(r, member) && skip-- == 0)
            return (int)member;
}

static int choose_random(void *self, struct request *r)
{
    return take(self, r, draw(self, r));
}

/* For each slot. */
static double load(const struct rival *s, uint32_t router, int member)
{
    const struct member *m = &s->w->members[member];
    return (double)(m->told.running + m->told.waiting + s->own[router][member]) / m->cfg->slots;
}

static int choose_least_loaded(void *self, struct request *r)
{
    struct rival *s = self;
    int best = -1, ties = 0;
    for (int i = 0; i < (int)s->w->count; i++) {
        if (!may(r, (uint32_t)i))
            continue;
        double l = load(s, r->router, i), least = best < 0 ? INFINITY : load(s, r->router, best);
        ties = l < least ? 1 : l > least ? ties : ties + 1;
        if (l < least || (l <= least && rng_below(&s->rng, (uint64_t)ties) == 0))
            best = i;
    }
    return take(s, r, best);
}

static int choose_two(void *self, struct request *r)
{
    struct rival *s = self;
    int one = draw(s, r), other = draw(s, r);
    if (one >= 0 && load(s, r->router, other) < load(s, r->router, one))
        one = other;
    return take(s, r, one);
}

const struct chooser choosers[] = {
    {"round-robin", create, free, choose_round_robin, ended},
    {"random", create, free, choose_random, ended},
    {"least-loaded", create, free, choose_least_loaded, ended},
    {"power-of-two", create, free, choose_two, ended},
};
const size_t chooser_count = sizeof choosers / sizeof choosers[0];
