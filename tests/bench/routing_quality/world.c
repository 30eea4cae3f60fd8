/* The simulation behind world.h: events, engines and what is counted. */
#include "tests/bench/routing_quality/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/routing_quality/events.h"

#define BYTES_PER_TOKEN 200 /* of a streamed answer */
#define SECOND_US 1000000
#define DRAIN_US (UINT64_C(3600) * SECOND_US) /* after the last arrival; what runs then failed */

enum happening { ARRIVES, REACHES, TICKS, TELLS, ANSWERED, FAILED, GOES };

/* --- places */

uint64_t world_rtt_us(const struct world *w, uint32_t router, uint32_t member)
{
    const struct member_cfg *m = w->members[member].cfg;
    int region = (int)(router % (uint32_t)w->cell.fleet->regions);
    if (m->tier == POLICY_CLOUD)
        return 60000;
    if (m->region != region)
        return 45000;
    return m->tier == POLICY_EDGE ? 3000 : w->cell.fleet->regions > 1 ? 12000 : 1000;
}

double world_price(const struct member_cfg *m, uint32_t prompt, uint32_t output)
{
    return (m->price * output + m->price / 4 * prompt) / 1000;
}

static struct engine *engine_of(const struct member_cfg *m, const struct shape *shape)
{
    struct engine *e;
    struct engine_cfg cfg = {.profile = profile_find(bytes_from_str(m->profile)),
                             .models = {{"m", *shape}},
                             .model_count = 1,
                             .block_tokens = 16,
                             .sequences_max = m->slots,
                             .waiting_max = 1000000,
                             .chunk_tokens = WORLD_CHUNK_TOKENS,
                             .loaded_max = 1,
                             .answer_tokens = 129,
                             .speed = 1,
                             .seed = 1};
    if (!cfg.profile || engine_create(&cfg, 0, &e) != ERR_OK) {
        fprintf(stderr, "routing_quality: no engine %s\n", m->profile);
        exit(1);
    }
    return e;
}

/* --- what a fleet can do */

static void submit(struct engine *e, uint64_t now_us, const struct request *r, uint64_t id,
                   struct engine_effects *ret_effects)
{
    struct engine_event event = {.kind = ENGINE_SUBMIT,
                                 .now_us = now_us,
                                 .request = {.id = id,
                                             .tokens = work_tokens(r),
                                             .token_count = r->prompt,
                                             .output_max = r->output,
                                             .ignores_stop = true}};
    engine_step(e, &event, ret_effects);
}

/* Requests a second while twice as many as it has slots are always there. */
static double capacity_of(const struct member_cfg *m, const struct cell *cell,
                          const struct shape *shape)
{
    const uint32_t wanted = 12 * m->slots + 200;
    struct cell one = *cell;
    one.requests = cell->requests + wanted + 4 * m->slots;
    struct request *made = work_requests(&one), *all = made + cell->requests;
    one.requests -= cell->requests;
    for (uint32_t i = 0; i < one.requests; i++) /* no conversation goes on where it was before */
        all[i].talk = i + 1;
    struct engine *e = engine_of(m, shape);
    struct engine_effects effects;
    uint32_t sent = 0, done = 0;
    uint64_t now_us = 0, from_us = 0;
    for (; sent < 2 * m->slots; sent++)
        submit(e, 0, &all[sent], sent + 1, &effects);
    while (done < wanted) {
        struct engine_event tick = {.kind = ENGINE_TICK, .now_us = now_us = engine_deadline_us(e)};
        engine_step(e, &tick, &effects);
        uint32_t ended = 0;
        for (size_t i = 0; i < effects.count; i++)
            ended += effects.items[i].kind == ENGINE_DONE;
        if (done < 2 * m->slots && done + ended >= 2 * m->slots)
            from_us = now_us;
        done += ended;
        for (uint32_t i = 0; i < ended && sent < one.requests; i++, sent++)
            submit(e, now_us, &all[sent], sent + 1, &effects);
    }
    engine_destroy(e);
    free(made);
    return (double)(done - 2 * m->slots) / ((double)(now_us - from_us) / SECOND_US);
}

static double fleet_capacity(const struct cell *cell)
{
    const struct shape *shape = shape_find(bytes_from_str(cell->fleet->shape));
    double sum = 0, last = 0;
    for (size_t i = 0; i < cell->fleet->count; i++) {
        const struct member_cfg *m = &cell->fleet->members[i];
        bool is_like_last = i > 0 && strcmp(m[-1].profile, m->profile) == 0;
        last = is_like_last ? last : capacity_of(m, cell, shape);
        sum += m->flaw == MEMBER_FAILS || m->flaw == MEMBER_GOES ? 0
               : m->flaw == MEMBER_LIES                          ? last / WORLD_LIES_SLOWNESS
                                                                 : last;
    }
    return sum;
}

/* How long conversations get depends on how fast they go on, so the rate depends on itself. */
double world_rate(const struct cell *cell)
{
    struct cell c = *cell;
    c.rate = 10;
    for (int i = 0; i < (c.work->in_turns ? 3 : 1); i++)
        c.rate = c.load * fleet_capacity(&c);
    return c.rate;
}

/* --- engines */

static void heed(struct world *w, uint32_t member)
{
    uint64_t at_us = engine_deadline_us(w->members[member].engine);
    if (at_us != UINT64_MAX)
        events_put(w->events, at_us, TICKS, member);
}

static void take_effects(struct world *w, uint32_t member, const struct engine_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct engine_effect *e = &effects->items[i];
        uint32_t of = (uint32_t)e->id - 1;
        struct request *r = &w->requests[of];
        uint64_t at_us = w->now_us + world_rtt_us(w, r->router, member) / 2;
        if (e->kind == ENGINE_TOKEN) {
            r->first_us = r->tokens++ == 0 ? at_us : r->first_us;
        } else if (e->kind == ENGINE_DONE) {
            events_put(w->events, at_us, ANSWERED, of);
        } else if (e->kind == ENGINE_FAILED) {
            events_put(w->events, at_us, FAILED, of);
        }
    }
}

static void step(struct world *w, uint32_t member, struct engine_event *event)
{
    struct engine_effects effects;
    event->now_us = w->now_us;
    engine_step(w->members[member].engine, event, &effects);
    take_effects(w, member, &effects);
    heed(w, member);
}

static void reach(struct world *w, uint32_t of)
{
    struct request *r = &w->requests[of];
    struct member *m = &w->members[r->member];
    if (m->cfg->flaw == MEMBER_FAILS || w->now_us < m->gone_until_us) {
        events_put(w->events, w->now_us + world_rtt_us(w, r->router, r->member) / 2, FAILED, of);
        return;
    }
    struct engine_effects effects;
    submit(m->engine, w->now_us, r, of + 1, &effects);
    take_effects(w, r->member, &effects);
    heed(w, r->member);
}

static void tell(struct world *w, uint32_t member)
{
    struct member *m = &w->members[member];
    struct engine_model_view view;
    engine_model(m->engine, 0, &view);
    bool lies = m->cfg->flaw == MEMBER_LIES;
    if (w->now_us >= m->gone_until_us)
        m->told = (struct facts){w->now_us, lies ? 0 : view.running, lies ? 0 : view.waiting};
    if (w->now_us < w->end_us)
        events_put(w->events, w->now_us + w->cell.age_us, TELLS, member);
}

static void go(struct world *w, uint32_t member)
{
    struct engine_event crash = {.kind = ENGINE_CRASH};
    w->members[member].gone_until_us = w->now_us + w->end_us / 3;
    step(w, member, &crash);
}

/* --- requests */

static void attempt(struct world *w, uint32_t of)
{
    struct request *r = &w->requests[of];
    int chosen = r->attempts < WORLD_ATTEMPTS_MAX && r->tokens == 0
                     ? w->chooser->choose(w->choosing, r)
                     : -1;
    if (chosen < 0) {
        r->is_failed = true;
        r->done_us = w->now_us;
        return;
    }
    r->member = (uint32_t)chosen;
    r->tried |= 1u << r->member;
    r->attempts++;
    r->sent_us = w->now_us;
    w->members[chosen].sent++;
    events_put(w->events, w->now_us + world_rtt_us(w, r->router, r->member) / 2, REACHES, of);
}

static void happen(struct world *w, const struct event *e)
{
    struct engine_event tick = {.kind = ENGINE_TICK};
    switch ((enum happening)e->kind) {
    case ARRIVES: attempt(w, e->of); break;
    case REACHES: reach(w, e->of); break;
    case TELLS: tell(w, e->of); break;
    case GOES: go(w, e->of); break;
    case TICKS:
        if (engine_deadline_us(w->members[e->of].engine) <= w->now_us)
            step(w, e->of, &tick);
        break;
    case ANSWERED:
        w->requests[e->of].done_us = w->now_us;
        w->chooser->ended(w->choosing, &w->requests[e->of], true);
        break;
    case FAILED:
        w->chooser->ended(w->choosing, &w->requests[e->of], false);
        attempt(w, e->of);
        break;
    }
}

/* --- what came out */

static void count_one(const struct world *w, const struct request *r, struct outcome *out)
{
    if (r->is_failed || r->done_us == 0) {
        out->failed++;
        return;
    }
    uint64_t first_us = r->first_us - r->at_us, whole_us = r->done_us - r->at_us;
    uint64_t decode_us = r->done_us - r->first_us;
    histogram_add(&out->first, first_us);
    histogram_add(&out->whole, whole_us);
    out->answered++;
    out->good += first_us <= WORLD_SLO_FIRST_US &&
                 decode_us <= (uint64_t)WORLD_SLO_TOKEN_US * (r->output - 1);
    out->cost_usd += world_price(w->members[r->member].cfg, r->prompt, r->output);
    if (w->members[r->member].cfg->region != (int)(r->router % (uint32_t)w->cell.fleet->regions))
        out->egress_mib += r->output * (double)BYTES_PER_TOKEN / 1048576;
}

static void count(const struct world *w, struct outcome *out)
{
    uint64_t sent = 0, flawed = 0;
    bool any_flawed = false;
    for (size_t i = 0; i < w->count; i++) {
        enum member_flaw flaw = w->members[i].cfg->flaw;
        bool is_flawed = flaw == MEMBER_FAILS || flaw == MEMBER_LIES;
        sent += w->members[i].sent;
        flawed += is_flawed ? w->members[i].sent : 0;
        any_flawed |= is_flawed;
    }
    out->flawed = any_flawed ? (double)flawed / (double)sent : NAN;
    for (uint32_t i = w->cell.requests / 10; i < w->cell.requests; i++)
        count_one(w, &w->requests[i], out);
}

/* --- a run */

static void begin(struct world *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        struct member *m = &w->members[i];
        m->cfg = &w->cell.fleet->members[i];
        m->engine = engine_of(m->cfg, w->shape);
        events_put(w->events, rng_below(&w->rng, w->cell.age_us), TELLS, i);
        if (m->cfg->flaw == MEMBER_LIES) {
            w->now_us = 0;
            struct engine_event slow = {.kind = ENGINE_CONDITION,
                                        .condition = {.slowness = WORLD_LIES_SLOWNESS}};
            step(w, i, &slow);
        }
        if (m->cfg->flaw == MEMBER_GOES)
            events_put(w->events, w->end_us / 3, GOES, i);
    }
    for (uint32_t i = 0; i < w->cell.requests; i++)
        events_put(w->events, w->requests[i].at_us, ARRIVES, i);
}

void world_run(const struct cell *cell, const struct chooser *chooser, struct outcome *ret_out)
{
    struct world *w = calloc(1, sizeof *w);
    struct event event;
    if (!w)
        abort();
    w->cell = *cell;
    w->shape = shape_find(bytes_from_str(cell->fleet->shape));
    w->count = cell->fleet->count;
    w->events = events_create();
    w->requests = work_requests(cell);
    w->end_us = w->requests[cell->requests - 1].at_us;
    rng_init(&w->rng, cell->seed + 1);
    begin(w);
    w->chooser = chooser;
    w->choosing = chooser->create(w);
    while (events_take(w->events, &event) && event.at_us < w->end_us + DRAIN_US) {
        w->now_us = event.at_us;
        happen(w, &event);
    }
    memset(ret_out, 0, sizeof *ret_out);
    count(w, ret_out);
    chooser->destroy(w->choosing);
    for (size_t i = 0; i < w->count; i++)
        engine_destroy(w->members[i].engine);
    events_destroy(w->events);
    free(w->requests);
    free(w);
}
