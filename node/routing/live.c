/* See live.h. Called by policy_decide through choose.c. */
#include "node/routing/live.h"

#include "node/egress/backend.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"

#include <math.h>

#define SPOT_RECLAIM_PER_HOUR                                                                      \
    0.05 /* what providers say of busy pools; nobody says it of one node */

/* --- other regions */

static bool is_abroad(const struct lane *lane, const struct peer *p)
{
    return strcmp(p->region, lane->identity->cert.region) != 0;
}

/* Of its own region a node knows everybody, so an unknown origin is abroad. */
bool live_is_from_abroad(const struct lane *lane, const struct exchange *x)
{
    if (!x->from)
        return false;
    const struct peer *origin = mesh_peer_find(lane->mesh, &x->origin);
    return is_abroad(lane, x->from) || !origin || is_abroad(lane, origin);
}

/* Such a request is served within this region or not at all, lest it wander between two that each
 * believe the other to serve it. A gateway needs one more hop than a peer that serves itself. */
static bool is_out_of_bounds(const struct lane *lane, const struct exchange *x,
                             const struct candidate *c)
{
    uint32_t hops = c->is_gateway ? 2 : 1;
    return x->hop + hops > ENVELOPE_HOPS_MAX ||
           (x->hop > 0 && is_abroad(lane, c->peer) && live_is_from_abroad(lane, x));
}

/* What its region says of the model; false: it is the peer itself that has it. */
static bool region_load_of(const struct lane *lane, const struct candidate *c, struct bytes model,
                           struct summary_load *ret_load, uint64_t *ret_made_ms)
{
    const struct summary_region *r =
        c->is_gateway ? summary_region_find(mesh_abroad(lane->mesh), c->peer->region) : NULL;
    if (!r || !summary_load_of(r, model, ret_load))
        return false;
    *ret_made_ms = r->made_ms;
    return true;
}

/* --- whether it can be asked */

/* `again`: what broke off once on the way to a peer, or at one of its engines before a byte came
 * here, does not count; nor that it had not heard of our rules, which while voters elect may take
 * longer than it waited. */
static bool is_passing(enum err failure)
{
    return failure == ERR_LINK_LOST || failure == ERR_EPOCH_BEHIND;
}

static bool was_tried(const struct live_round *round, const struct candidate *c)
{
    const struct exchange *x = round->x;
    unsigned lost = 0;
    for (uint32_t i = 0; i < x->attempt_count; i++) {
        const struct candidate *tried = &x->attempts[i].choice.candidate;
        if (tried->backend != c->backend || tried->peer != c->peer)
            continue;
        if (!round->again || !c->peer || !is_passing(x->attempts[i].failure) || lost++ > 0)
            return true;
    }
    return false;
}

static bool was_passed(const struct exchange *x, const struct peer *p)
{
    for (uint32_t i = 0; i < x->hop; i++)
        if (strcmp(x->path[i], p->name) == 0)
            return true;
    return false;
}

/* A suspect one may take a while to fail, so it comes last; whether it takes a stream shows
 * then. */
static enum policy_verdict verdict_of_peer(const struct live_round *round,
                                           const struct candidate *c)
{
    const struct peer *p = c->peer;
    if (round->local_only || (c->is_gateway && !round->via) ||
        is_out_of_bounds(round->lane, round->x, c) || was_passed(round->x, p))
        return POLICY_UNREACHABLE;
    if (mesh_peer_is_usable(p))
        return POLICY_SPARE;
    bool is_doubtful = p->state == PEER_SUSPECT || (p->state == PEER_ALIVE && p->is_late);
    if (p->draining)
        return POLICY_DRAINING;
    return p->link && is_doubtful && round->doubtful ? POLICY_DOUBTFUL : POLICY_UNREACHABLE;
}

/* The rules come first: whatever else is wrong, who may not hold the data is never asked. The
 * version is one of the model that was asked for; in a cascade another may help out. */
static bool is_barred(const struct live_round *round, const struct candidate *c)
{
    bool is_asked_for = bytes_equal(c->set->model, exchange_model(round->x));
    const char *region = c->backend ? round->lane->identity->cert.region : c->peer->region;
    return c->barred != ERR_OK ||
           (is_asked_for && round->version.size > 0 && !bytes_equal(c->version, round->version)) ||
           !terms_allow_region(&round->x->terms, bytes_from_str(region));
}

/* It said so, to us. */
static bool is_busy(const struct candidate *c, uint64_t now_ms)
{
    return (c->backend && c->backend->busy_until_ms > now_ms) ||
           (c->deployment && c->deployment->breaker.busy_until_ms > now_ms);
}

static enum policy_verdict verdict_of(const struct live_round *round, const struct candidate *c)
{
    uint64_t now_ms = io_now_ms(round->lane->loop);
    if (is_barred(round, c))
        return POLICY_BARRED;
    if (!c->is_up)
        return POLICY_UNREACHABLE;
    if (was_tried(round, c))
        return POLICY_TRIED;
    if (!round->busy && is_busy(c, now_ms))
        return POLICY_BUSY;
    enum policy_verdict v = c->peer                         ? verdict_of_peer(round, c)
                            : backend_is_usable(c->backend) ? POLICY_SPARE
                                                            : POLICY_UNREACHABLE;
    bool is_open = c->deployment && !policy_breaker_admits(&c->deployment->breaker, now_ms);
    if (v == POLICY_SPARE && is_open)
        return round->doubtful ? POLICY_DOUBTFUL : POLICY_BREAKER;
    return v;
}

bool live_is_within_reach(const struct lane *lane, const struct exchange *x,
                          const struct candidate *c)
{
    const struct peer *p = c->peer;
    bool is_there = mesh_peer_is_usable(p) || (p->link && p->state == PEER_SUSPECT && !p->draining);
    return is_there && c->is_up && c->barred == ERR_OK && !was_passed(x, p) &&
           terms_allow_region(&x->terms, bytes_from_str(p->region)) &&
           !(is_abroad(lane, p) && live_is_from_abroad(lane, x));
}

/* --- numbers */

static const struct facts_backend *best_of(const struct peer *p, const struct candidate *c,
                                           struct bytes model)
{
    const struct facts_backend *best = NULL;
    for (size_t i = 0; p->facts && !c->is_gateway && i < p->facts->backend_count; i++) {
        const struct facts_backend *b = &p->facts->backends[i];
        if (b->state != FACTS_BACKEND_UP || !facts_backend_model(b, model))
            continue;
        if (!best || (uint64_t)(b->inflight + b->queued) * best->concurrency <
                         (uint64_t)(best->inflight + best->queued) * b->concurrency)
            best = b;
    }
    return best;
}

enum facts_hardware live_hardware(const struct candidate *c, struct bytes model)
{
    if (c->backend)
        return (enum facts_hardware)c->backend->cfg.hardware;
    const struct facts_backend *b = best_of(c->peer, c, model);
    return b ? b->hardware : FACTS_HARDWARE_UNKNOWN;
}

/* NAN where it is not known. */
static double figure_of(const struct figures *f, enum figure which, double unit)
{
    uint32_t value;
    return f && figures_get(f, which, &value) ? value * unit : NAN;
}

static void fill_figures(const struct candidate *c, struct bytes model, struct policy_live *live)
{
    const struct facts_backend *b = c->peer ? best_of(c->peer, c, model) : NULL;
    const struct figures *f = c->backend ? &c->backend->figures : b ? &b->figures : NULL;
    const double percent = 0.01, per_mille = 0.001, us_per_ms = 1000;
    live->kv = figure_of(f, FIGURE_KV, percent);
    live->gpu_load = figure_of(f, FIGURE_GPU_LOAD, percent);
    live->gpu_memory = figure_of(f, FIGURE_GPU_MEMORY, percent);
    live->gpu_temperature = figure_of(f, FIGURE_GPU_CELSIUS, 1);
    live->ttft_p50_us = figure_of(f, FIGURE_TTFT_P50, us_per_ms);
    live->ttft_p99_us = figure_of(f, FIGURE_TTFT_P99, us_per_ms);
    live->latency_p50_us = figure_of(f, FIGURE_LATENCY_P50, us_per_ms);
    live->latency_p99_us = figure_of(f, FIGURE_LATENCY_P99, us_per_ms);
    live->error_rate = figure_of(f, FIGURE_ERRORS, per_mille);
}

struct policy_load live_load(const struct lane *lane, const struct candidate *c, struct bytes model)
{
    struct summary_load region;
    uint64_t made_ms;
    if (c->backend)
        return (struct policy_load){c->backend->inflight, c->backend->queued,
                                    c->backend->cfg.concurrency};
    if (region_load_of(lane, c, model, &region, &made_ms))
        return (struct policy_load){region.inflight, region.queued, region.capacity};
    const struct peer *p = c->peer;
    return (struct policy_load){p->load.inflight, p->load.queued, p->load.capacity};
}

uint64_t live_age_ms(const struct lane *lane, const struct candidate *c, struct bytes model)
{
    struct summary_load load;
    uint64_t made_ms;
    if (c->backend)
        return 0;
    made_ms = c->peer->load_ms;
    region_load_of(lane, c, model, &load, &made_ms);
    return io_now_ms(lane->loop) - made_ms;
}

static int64_t warmth_of(const struct candidate *c, struct bytes model)
{
    const struct facts_backend *b = c->peer ? best_of(c->peer, c, model) : NULL;
    const struct facts_model *m = b ? facts_backend_model(b, model) : NULL;
    for (size_t i = 0; c->backend && i < c->backend->model_count; i++)
        if (bytes_equal(c->backend->models[i].name, model))
            m = &c->backend->models[i];
    return m ? m->loaded : -1;
}

static double rtt_us_of(const struct live_round *round, const struct candidate *c)
{
    if (c->backend)
        return 0;
    uint64_t rtt_us =
        c->peer->rtt_us ? c->peer->rtt_us : mesh_distance_us(round->lane->mesh, c->peer);
    return rtt_us ? (double)rtt_us : NAN;
}

enum policy_verdict live_refresh(void *ctx, struct policy_candidate *candidate)
{
    const struct live_round *round = ctx;
    const struct candidate *c = candidate->owner;
    struct bytes model = candidate->facts.model;
    struct policy_load load = live_load(round->lane, c, model);
    candidate->live = (struct policy_live){
        .age_ms = (int64_t)live_age_ms(round->lane, c, model),
        .health = NAN,
        .inflight = load.inflight,
        .queued = load.queued,
        .slots = load.slots ? (int64_t)load.slots : -1,
        .own_inflight = c->backend ? (int64_t)(c->backend->inflight + c->backend->queued)
                                   : (int64_t)c->peer->inflight,
        .warm = warmth_of(c, model),
        .rtt_us = rtt_us_of(round, c),
        .loss = c->backend ? 0 : NAN,
        .prefill_us = NAN,
        .decode_us = NAN,
        .first_us = NAN,
        .weight = 1,
        .output_tokens = NAN,
        .turn = NAN,
    };
    fill_figures(c, model, &candidate->live);
    candidate->live.cached_tokens = prefix_cached_tokens(round->lane, round->x, c);
    if (candidate->facts.spot)
        candidate->live.reclaim_per_hour = SPOT_RECLAIM_PER_HOUR;
    if (c->deployment)
        deployments_fill(c->deployment, io_now_ms(round->lane->loop), &candidate->live);
    return verdict_of(round, c);
}
