/* One seed: the mesh comes up, a busy phase with faults, everything heals, every node must serve
 * every model that it can reach, everything comes to rest and is taken down. */
#include "tests/sim/mesh_town.h"

#include <stdlib.h>

#define COME_UP_US (30 * TOWN_SECOND) /* dials back off up to 10 s */
#define HEAL_US (90 * TOWN_SECOND)    /* drains wait for slow readers, restarts for ports */
#define FINISH_US (60 * TOWN_SECOND)  /* users give up after 40 s */
#define REST_US (8 * TOWN_SECOND)     /* probes, facts, keep-alive */
#define SAMPLE_US (20 * TOWN_MS)

/* --- jobs */

static void choose_user_side(struct job *j, struct rng *rng)
{
    bool big = j->body.size > 20000;
    j->is_chunked = rng_chance(rng, 0.2);
    j->expects = rng_chance(rng, 0.1);
    if (rng_chance(rng, big ? 0.3 : 0.05) && j->body.size < 1u << 20)
        j->upload_pause_us = rng_between(rng, 1, 20) * TOWN_MS;
    if (j->must_succeed)
        return;
    switch (rng_below(rng, 14)) {
    case 0: j->quit_upload_at = (size_t)rng_below(rng, j->body.size); break;
    case 1: j->quit_after_us = rng_between(rng, 1, 300) * TOWN_MS; break;
    case 2: j->quit_answer_at = (size_t)rng_between(rng, 1, j->answer.size + 1); break;
    default: break;
    }
}

static void choose_engine_side(struct job *j, struct rng *rng)
{
    const struct town *t = j->town;
    j->framing = (enum job_framing)rng_below(rng, 3);
    j->think_us = rng_below(rng, 5000);
    if (rng_chance(rng, 0.4))
        j->think_us = rng_below(rng, rng_chance(rng, 0.25) ? 3000 : 400) * TOWN_MS;
    if (j->think_us > t->deadline_ms * TOWN_MS / 8)
        j->think_us = 0;
    if (j->kind == JOB_STREAM)
        j->piece_gap_us = rng_chance(rng, 0.5) ? rng_between(rng, 1, 60) * TOWN_MS : 0;
    if (j->must_succeed && t->deadline_ms < TOWN_DEADLINE_MS)
        j->piece_gap_us /= 10;
    if (j->kind == JOB_BULK)
        j->read_pause_us = rng_between(rng, 5, 40) * TOWN_MS;
}

static struct job *make_job(struct town *t, enum job_kind kind, size_t ingress, const char *model,
                            bool must_succeed)
{
    struct rng *rng = &t->rng;
    size_t body = (size_t)rng_between(rng, 10, 3000);
    size_t answer = (size_t)rng_between(rng, 10, 6000);
    if (rng_chance(rng, 0.06))
        body = (size_t)rng_between(rng, 20000, 200000);
    if (rng_chance(rng, 0.01) && t->sim.window_bytes >= 16384)
        body = (size_t)rng_between(rng, 1u << 20, 3u << 20); /* wider than a request's window */
    if (kind == JOB_WHOLE && rng_chance(rng, 0.06))
        answer = (size_t)rng_between(rng, 20000, 300000);
    if (t->deadline_ms < TOWN_DEADLINE_MS) /* narrow windows take seconds for more */
        body = body < 3000 ? body : 3000, answer = answer < 6000 ? answer : 6000;
    if (kind == JOB_BULK)
        answer = t->sim.window_bytes < 16384 ? 1u << 20 : 3u << 20;
    struct job *j = town_job(t, kind, ingress, model, body, answer);
    j->must_succeed = must_succeed;
    if (kind == JOB_STREAM && rng_chance(rng, 0.2))
        j->path = "/v1/completions";
    choose_user_side(j, rng);
    choose_engine_side(j, rng);
    return j;
}

static enum job_kind choose_kind(struct town *t, size_t number)
{
    unsigned roll = (unsigned)rng_below(&t->rng, 100);
    if (number == 7 && t->seed % 4 == 1 && t->deadline_ms == TOWN_DEADLINE_MS)
        return JOB_BULK;
    return roll < 48   ? JOB_WHOLE
           : roll < 92 ? JOB_STREAM
           : roll < 96 ? JOB_UNKNOWN_MODEL
                       : JOB_BAD_JSON;
}

static bool is_served(const struct town *t, const char *model)
{
    for (size_t i = 0; i < t->engine_count; i++) {
        const struct engine *e = &t->engines[i];
        if (engine_has_model(e, model))
            return true;
    }
    return false;
}

static void on_send(void *ctx)
{
    struct job *j = ctx;
    user_send(j->town, j);
}

static void plan_jobs(struct town *t, uint64_t from_us, uint64_t until_us)
{
    static const char *const models[] = {"common", "common", "rare", "twin"};
    for (size_t i = 0; i < t->options.steps; i++) {
        enum job_kind kind = choose_kind(t, i);
        size_t ingress = (size_t)rng_below(&t->rng, t->node_count);
        const char *model = models[rng_below(&t->rng, 4)];
        if (!is_served(t, model))
            model = is_served(t, "common") ? "common" : model;
        if (!is_served(t, model) || kind == JOB_UNKNOWN_MODEL)
            kind = JOB_UNKNOWN_MODEL, model = "comon";
        sim_world_at(t->world, rng_between(&t->rng, from_us, until_us), on_send,
                     make_job(t, kind, ingress, model, false));
    }
}

/* --- phases */

static void on_sample(void *ctx)
{
    struct town *t = ctx;
    if (t->is_over)
        return;
    town_sample_queues(t);
    sim_world_at(t->world, town_now_us(t) + SAMPLE_US, on_sample, t);
}

static void on_start(void *ctx)
{
    town_node_start(ctx);
}

static void start_all(struct town *t)
{
    for (size_t i = 0; i < t->engine_count; i++)
        engine_start(&t->engines[i]);
    for (size_t i = 0; i < t->node_count; i++)
        sim_world_at(t->world, rng_below(&t->rng, 500) * TOWN_MS, on_start, &t->nodes[i]);
    sim_world_at(t->world, 0, on_sample, t);
}

static bool run_until_well(struct town *t, uint64_t for_us, uint64_t limit_us)
{
    uint64_t until_us = town_now_us(t) + limit_us;
    while (town_now_us(t) < until_us) {
        if (town_is_well(t, for_us))
            return true;
        town_run(t, 20 * TOWN_MS);
    }
    return false;
}

bool town_run_until_answered(struct town *t, uint64_t limit_us)
{
    uint64_t until_us = town_now_us(t) + limit_us;
    while (t->jobs_pending > 0 && town_now_us(t) < until_us)
        town_run(t, 20 * TOWN_MS);
    return t->jobs_pending == 0;
}

static void tell_what_is_not_well(struct town *t)
{
    for (size_t i = 0; i < t->node_count; i++) {
        const struct town_node *n = &t->nodes[i];
        if (!n->node || n->up.faults || n->stays.faults || n->runs.faults)
            fprintf(stderr, "  %s: runs %d, up %d, stays %d\n", n->name, n->node != NULL,
                    !n->up.faults, !n->stays.faults);
        for (size_t k = 0; k < t->node_count; k++)
            if (i != k && t->peer[i][k].faults)
                fprintf(stderr, "  %s does not reach %s\n", n->name, t->nodes[k].name);
    }
}

void town_begin(struct town *t)
{
    start_all(t);
    if (run_until_well(t, 5 * TOWN_SECOND / 2, COME_UP_US))
        return;
    town_fail(t, "the_mesh_comes_up", "not within %llu s",
              (unsigned long long)(COME_UP_US / TOWN_SECOND));
    tell_what_is_not_well(t);
}

static void be_busy(struct town *t)
{
    uint64_t from_us = town_now_us(t) + 2 * TOWN_SECOND;
    uint64_t until_us = from_us + t->options.steps * rng_between(&t->rng, 20, 200) * TOWN_MS;
    plan_jobs(t, from_us, until_us);
    town_plan_faults(t, from_us, until_us);
    town_rules_begin(t);
    sim_world_run_until(t->world, until_us);
}

static void tell_pending(struct town *t)
{
    for (size_t i = 0; i < t->job_count; i++)
        if (t->jobs[i]->outcome == JOB_PENDING)
            town_fail(t, "every_request_ends", "%s at %s", t->jobs[i]->id,
                      t->nodes[t->jobs[i]->ingress].name);
}

static void heal(struct town *t)
{
    if (!town_run_until_answered(t, FINISH_US))
        tell_pending(t);
    if (run_until_well(t, REST_US, HEAL_US))
        return;
    town_fail(t, "the_mesh_heals", "not within %llu s",
              (unsigned long long)(HEAL_US / TOWN_SECOND));
    tell_what_is_not_well(t);
}

/* Every node serves every model that it or a peer has. */
static void serve_everything(struct town *t)
{
    static const char *const models[] = {"common", "rare", "twin"};
    for (size_t i = 0; i < t->node_count; i++)
        for (size_t m = 0; m < 3; m++)
            if (is_served(t, models[m]))
                user_send(t, make_job(t, (i + m) % 2 ? JOB_STREAM : JOB_WHOLE, i, models[m], true));
    if (!town_run_until_answered(t, FINISH_US))
        tell_pending(t);
}

static void rest(struct town *t)
{
    user_close_idle(t);
    town_run(t, 3 * TOWN_SECOND);
    town_check_engines(t);
    town_check_metrics(t);
    town_check_receipts(t);
    town_check_rules(t);
}

static void take_down(struct town *t)
{
    user_close_idle(t);
    t->is_over = true;
    for (size_t i = 0; i < t->node_count; i++) {
        t->nodes[i].restarts = false;
        if (t->nodes[i].node)
            town_node_stop(&t->nodes[i]);
    }
    for (size_t i = 0; i < t->engine_count; i++)
        engine_stop(&t->engines[i]);
    town_run(t, 4 * TOWN_SECOND); /* what lingers */
    if (!list_is_empty(&t->users))
        town_fail(t, "nothing_leaks", "users' connections are left");
    if (sim_world_leaks(t->world, true) > 0)
        town_fail(t, "nothing_leaks", "simulated objects are left");
}

void town_end(struct town *t)
{
    if (t->failures == 0)
        rest(t);
    if (t->failures == 0)
        take_down(t);
}

unsigned town_live(uint64_t seed, const struct town_options *options, struct town_stats *ret_stats)
{
    struct town *t;
    CHECK(town_create(seed, options, &t) == ERR_OK);
    town_begin(t);
    if (t->failures == 0) {
        be_busy(t);
        heal(t);
    }
    if (t->failures == 0)
        serve_everything(t);
    town_end(t);
    unsigned failures = t->failures;
    *ret_stats = t->stats;
    if (failures == 0)
        town_destroy(t); /* else it is left as it is: the process is about to end */
    return failures;
}
