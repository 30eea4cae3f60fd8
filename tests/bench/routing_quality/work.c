/* Requests: when they come and how long they are. Lengths are lognormal through the medians that
 * Splitwise (Patel et al., ISCA 2024) gives of Azure's traces: conversation 1,020 tokens in and 129
 * out, coding 1,500 in and 13 out. Bursts: two seconds in three, as fast again (BurstGPT, Wang et
 * al., 2024, sees such). Turns: a conversation's prompt is all that was said before, and begins as
 * everybody's does; a conversation goes on at the router where it began. */
#include "tests/bench/routing_quality/world.h"

#include <math.h>
#include <stdlib.h>

#include "testnet/load/core/plan.h"

#define PROMPT_MAX 6000
#define OUTPUT_MAX 1000
#define SHARED 400    /* tokens with which every conversation begins */
#define TURN_NEW 120  /* tokens that a turn adds, beside the answer before it */
#define TURN_MEAN 4.0 /* turns of a conversation */
#define THINK_US 4e6
#define TALKS_OPEN_MAX 256

const struct work works[] = {
    {"chat", false, false, false},
    {"bursts", true, false, false},
    {"turns", false, true, false},
    {"long+short", false, false, true},
};
const size_t work_count = sizeof works / sizeof works[0];

static uint32_t lognormal(struct rng *rng, double median, double sigma, uint32_t max)
{
    const double two_pi = 6.283185307179586;
    double normal = sqrt(-2 * log(1 - rng_unit(rng))) * cos(two_pi * rng_unit(rng));
    double value = median * exp(sigma * normal);
    return value < 1 ? 1 : value > max ? max : (uint32_t)value;
}

struct talk { /* that goes on */
    uint64_t id, ready_us;
    uint32_t router, said;
};

struct making {
    struct rng rng;
    const struct cell *cell;
    struct talk open[TALKS_OPEN_MAX];
    size_t open_count;
    uint64_t talks;
};

/* Any whose user is done thinking; NULL: there is none, or this request begins one. */
static struct talk *next_turn(struct making *m, uint64_t at_us)
{
    struct talk *t = NULL;
    uint64_t ready = 0;
    bool begins = rng_chance(&m->rng, 1 / TURN_MEAN);
    for (size_t i = 0; !begins && i < m->open_count; i++)
        if (m->open[i].ready_us <= at_us && rng_below(&m->rng, ++ready) == 0)
            t = &m->open[i];
    return t;
}

static void make_turn(struct making *m, struct request *r)
{
    struct talk *t = next_turn(m, r->at_us);
    r->output = lognormal(&m->rng, 129, 0.8, OUTPUT_MAX);
    if (!t) {
        size_t at =
            m->open_count < TALKS_OPEN_MAX ? m->open_count++ : rng_below(&m->rng, TALKS_OPEN_MAX);
        t = &m->open[at];
        *t = (struct talk){.id = ++m->talks, .router = r->router, .said = SHARED};
    }
    t->said += TURN_NEW;
    r->talk = t->id;
    r->shared = SHARED;
    r->router = t->router;
    r->prompt = t->said;
    t->said += r->output;
    t->ready_us = r->at_us + (uint64_t)(THINK_US * (1 - log(1 - rng_unit(&m->rng))));
    if (t->said > PROMPT_MAX - OUTPUT_MAX - TURN_NEW || rng_chance(&m->rng, 1 / TURN_MEAN))
        *t = m->open[--m->open_count];
}

static void make_one(struct making *m, struct request *r)
{
    const struct work *work = m->cell->work;
    r->router = (uint32_t)rng_below(&m->rng, m->cell->routers);
    if (work->in_turns) {
        make_turn(m, r);
        return;
    }
    bool is_code = work->has_long && rng_chance(&m->rng, 0.5);
    r->talk = ++m->talks;
    r->prompt = lognormal(&m->rng, is_code ? 1500 : 1020, 0.7, PROMPT_MAX);
    r->output = lognormal(&m->rng, is_code ? 13 : 129, 0.8, OUTPUT_MAX);
}

struct request *work_requests(const struct cell *cell)
{
    struct making *m = calloc(1, sizeof *m);
    struct request *all = calloc(cell->requests, sizeof *all);
    struct plan plan;
    struct plan_arrival arrival;
    if (!m || !all)
        abort();
    m->cell = cell;
    rng_init(&m->rng, cell->seed);
    plan_init(&plan, &(struct plan_cfg){.kind = cell->work->in_bursts ? PLAN_BURSTS : PLAN_POISSON,
                                        .rate = cell->rate,
                                        .duration_us = UINT64_MAX / 4,
                                        .on_us = 2000000,
                                        .off_us = 1000000,
                                        .seed = cell->seed});
    for (uint32_t i = 0; i < cell->requests && plan_next(&plan, &arrival); i++) {
        all[i].at_us = arrival.at_us + 1;
        make_one(m, &all[i]);
    }
    plan_fini(&plan);
    free(m);
    return all;
}

const uint32_t *work_tokens(const struct request *r)
{
    static uint32_t tokens[PROMPT_MAX];
    for (uint32_t i = 0; i < r->prompt; i++) {
        uint64_t talk = i < r->shared ? 0 : r->talk;
        uint64_t x = (talk * UINT64_C(0x9e3779b97f4a7c15) + i + 1) * UINT64_C(0xbf58476d1ce4e5b9);
        tokens[i] = (uint32_t)(x >> 40);
    }
    return tokens;
}
