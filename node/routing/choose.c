/* The choice behind choose.h. Called by the pipeline's route stage and again for every retry. */
#include "node/routing/choose.h"

#include "node/egress/backend.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"

#define SAMPLES 6        /* random picks before falling back to a look at all */
#define NEAR 0.1         /* loads this close are the same: chance decides, nobody is herded */
#define AGE_HALF_MS 5000 /* a report this old counts half, an assumption of half load the rest */

enum grade { GRADE_OUT, GRADE_SUSPECT, GRADE_GOOD };

/* `again`: what broke off once on the way to a peer, or at one of its engines before a byte came
 * here, does not count. */
static bool was_tried(const struct exchange *x, const struct candidate *c, bool again)
{
    unsigned lost = 0;
    for (uint32_t i = 0; i < x->attempt_count; i++) {
        const struct candidate *tried = &x->attempts[i].choice.candidate;
        if (tried->backend != c->backend || tried->peer != c->peer)
            continue;
        if (!again || !c->peer || x->attempts[i].failure != ERR_LINK_LOST || lost++ > 0)
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

/* --- other regions */

static bool is_abroad(const struct lane *lane, const struct peer *p)
{
    return strcmp(p->region, lane->identity->cert.region) != 0;
}

/* It has crossed a border: from a gateway's neighbour abroad, or handed on within this region. Of
 * its own region a node knows everybody, so an unknown origin is abroad. */
static bool is_from_abroad(const struct lane *lane, const struct exchange *x)
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
           (x->hop > 0 && is_abroad(lane, c->peer) && is_from_abroad(lane, x));
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

/* --- who can be used */

/* A suspect one may take a while to fail, so it comes last; whether it takes a stream shows then.
 */
static enum grade grade_of_peer(const struct peer *p)
{
    if (mesh_peer_is_usable(p))
        return GRADE_GOOD;
    bool is_doubtful = p->state == PEER_SUSPECT || (p->state == PEER_ALIVE && p->is_late);
    return p->link && is_doubtful && !p->draining ? GRADE_SUSPECT : GRADE_OUT;
}

static bool may_hold(const struct lane *lane, const struct exchange *x, const struct candidate *c)
{
    const char *region = c->backend ? lane->identity->cert.region : c->peer->region;
    return terms_allow_region(&x->terms, bytes_from_str(region));
}

static bool is_meant(const struct exchange *x, const struct candidate *c)
{
    return x->terms.version.size == 0 || bytes_equal(c->version, x->terms.version);
}

/* The rules, first of all: whatever else is wrong, none of these is ever asked. */
static bool is_allowed(const struct lane *lane, const struct exchange *x, const struct candidate *c)
{
    return c->barred == ERR_OK && is_meant(x, c) && may_hold(lane, x, c);
}

static enum grade grade_of(const struct lane *lane, const struct exchange *x,
                           const struct candidate *c, bool again)
{
    if (!c->is_up || !is_allowed(lane, x, c) || was_tried(x, c, again))
        return GRADE_OUT;
    if (c->backend)
        return !backend_is_usable(c->backend)                      ? GRADE_OUT
               : c->backend->busy_until_ms > io_now_ms(lane->loop) ? GRADE_SUSPECT
                                                                   : GRADE_GOOD;
    if (is_out_of_bounds(lane, x, c) || was_passed(x, c->peer))
        return GRADE_OUT;
    return grade_of_peer(c->peer);
}

/* Expected utilisation after taking this request. Old reports fade towards half load, never towards
 * idle. */
static double load_of(const struct lane *lane, const struct candidate *c, struct bytes model)
{
    if (c->backend)
        return (double)(c->backend->inflight + c->backend->queued + 1) /
               c->backend->cfg.concurrency;
    const struct peer *p = c->peer;
    struct summary_load load = {p->load.capacity, p->load.inflight, p->load.queued};
    uint64_t made_ms = p->load_ms;
    region_load_of(lane, c, model, &load, &made_ms);
    double capacity = load.capacity ? load.capacity : 1;
    double age_ms = (double)(io_now_ms(lane->loop) - made_ms);
    double trust = AGE_HALF_MS / (AGE_HALF_MS + age_ms);
    double reported = (double)load.inflight + load.queued;
    /* A report may or may not include what we sent meanwhile; the larger of the two is never too
     * low. */
    double current = reported > p->inflight ? reported : p->inflight;
    return (trust * current + (1 - trust) * capacity / 2 + 1) / capacity;
}

/* The less loaded of the two; where that makes no difference an own backend, which saves the hop,
 * else either. */
static const struct candidate *better(struct lane *lane, const struct candidate *a,
                                      const struct candidate *b, struct bytes model)
{
    double difference = load_of(lane, a, model) - load_of(lane, b, model);
    if (difference > NEAR || difference < -NEAR)
        return difference > 0 ? b : a;
    if (!a->backend != !b->backend)
        return a->backend ? a : b;
    return rng_below(&lane->rng, 2) ? a : b;
}

struct round {
    enum grade least;
    bool local_only; /* for requests that came over a hop */
    bool via;        /* also gateways that only lead to who has the model */
    bool again;      /* also a peer whose first answer got lost */
};

static bool takes(const struct lane *lane, const struct exchange *x, const struct round *round,
                  const struct candidate *c)
{
    bool is_asked = c->backend || (!round->local_only && (!c->is_gateway || round->via));
    return is_asked && grade_of(lane, x, c, round->again) >= round->least;
}

/* Up to two distinct candidates that the round takes. */
static size_t sample(struct lane *lane, const struct exchange *x, const struct candidate_set *set,
                     const struct round *round, const struct candidate *ret_two[2])
{
    size_t found = 0;
    for (int i = 0; i < SAMPLES && found < 2 && set->count > SAMPLES; i++) {
        const struct candidate *c = &set->items[rng_below(&lane->rng, set->count)];
        if (!takes(lane, x, round, c) || (found && ret_two[0] == c))
            continue;
        ret_two[found++] = c;
    }
    if (found == 2)
        return found;
    /* Few candidates, or few that can be used: one look at all from a random start (reservoir of
     * two). */
    size_t start = (size_t)rng_below(&lane->rng, set->count);
    size_t seen = 0;
    found = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct candidate *c = &set->items[(start + i) % set->count];
        if (!takes(lane, x, round, c))
            continue;
        seen++;
        if (found < 2)
            ret_two[found++] = c;
        else if (rng_below(&lane->rng, seen) < 2)
            ret_two[rng_below(&lane->rng, 2)] = c;
    }
    return found;
}

static const struct candidate *pick(struct lane *lane, const struct exchange *x,
                                    const struct candidate_set *set, const char **ret_reason)
{
    static const struct round rounds[] = {{GRADE_GOOD, true, false, false},
                                          {GRADE_GOOD, false, false, false},
                                          {GRADE_GOOD, false, true, false},
                                          {GRADE_SUSPECT, false, true, false},
                                          {GRADE_GOOD, false, true, true}};
    for (size_t r = x->hop > 0 ? 0 : 1; r < sizeof rounds / sizeof rounds[0]; r++) {
        const struct candidate *two[2];
        size_t found = sample(lane, x, set, &rounds[r], two);
        if (found == 0)
            continue;
        const struct candidate *best =
            found == 2 ? better(lane, two[0], two[1], set->model) : two[0];
        *ret_reason = rounds[r].again                    ? "again"
                      : rounds[r].least == GRADE_SUSPECT ? "suspect"
                      : best->is_gateway                 ? "other_region"
                      : found == 1                       ? "only_candidate"
                      : best->backend                    ? "local"
                                                         : "least_loaded";
        return best;
    }
    return NULL;
}

/* Only one more hop could serve it, and there were enough. */
static bool needs_hop(const struct lane *lane, const struct exchange *x,
                      const struct candidate_set *set)
{
    for (size_t i = 0; x->hop >= ENVELOPE_HOPS_MAX && i < set->count; i++) {
        const struct candidate *c = &set->items[i];
        if (c->peer && c->is_up && is_allowed(lane, x, c) && grade_of_peer(c->peer) != GRADE_OUT &&
            !was_passed(x, c->peer) && !(is_abroad(lane, c->peer) && is_from_abroad(lane, x)))
            return true;
    }
    return false;
}

/* Why nobody can be asked: the rules, if they alone are against it. */
static enum err reason_for_none(const struct lane *lane, const struct exchange *x,
                                const struct candidate_set *set)
{
    bool is_residency = false;
    if (needs_hop(lane, x, set))
        return ERR_HOP_LIMIT;
    for (size_t i = 0; i < set->count; i++) {
        const struct candidate *c = &set->items[i];
        if (!is_meant(x, c))
            continue;
        if (c->barred == ERR_OK && may_hold(lane, x, c))
            return ERR_NO_CANDIDATE;
        is_residency |=
            c->barred == ERR_RESIDENCY || (c->barred == ERR_OK && !may_hold(lane, x, c));
    }
    return is_residency ? ERR_RESIDENCY : ERR_NO_CANDIDATE;
}

static uint64_t made_ms_of(const struct lane *lane, const struct candidate *c, struct bytes model)
{
    struct summary_load load;
    uint64_t made_ms = c->peer->load_ms;
    region_load_of(lane, c, model, &load, &made_ms);
    return made_ms;
}

enum err choose(struct lane *lane, const struct exchange *x, struct choice *ret_choice)
{
    const struct candidate_set *set = candidates_find(lane, exchange_model(x));
    if (!set || set->count == 0)
        return ERR_MODEL_NOT_FOUND;
    const char *reason = NULL;
    const struct candidate *c = pick(lane, x, set, &reason);
    if (!c)
        return reason_for_none(lane, x, set);
    ret_choice->candidate = *c;
    ret_choice->reason = reason;
    ret_choice->facts_age_ms =
        c->peer ? io_now_ms(lane->loop) - made_ms_of(lane, c, set->model) : 0;
    ret_choice->hedge_after_ms = x->hop == 0 ? lane->hedge_after_ms : 0;
    return ERR_OK;
}

bool choose_has_other(struct lane *lane, const struct exchange *x)
{
    const struct candidate_set *set = candidates_find(lane, exchange_model(x));
    for (size_t i = 0; set && i < set->count; i++)
        if (grade_of(lane, x, &set->items[i], false) != GRADE_OUT ||
            grade_of(lane, x, &set->items[i], true) == GRADE_GOOD)
            return true;
    return false;
}
