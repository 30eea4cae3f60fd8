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
    for (uint32_t i = 0; i < x->attempts; i++) {
        if (x->tried[i].backend != c->backend || x->tried[i].peer != c->peer)
            continue;
        if (!again || !c->peer || x->failed[i] != ERR_LINK_LOST || lost++ > 0)
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

/* A suspect one may take a while to fail, so it comes last; whether it takes a stream shows then.
 */
static enum grade grade_of_peer(const struct peer *p)
{
    if (mesh_peer_is_usable(p))
        return GRADE_GOOD;
    bool is_doubtful = p->state == PEER_SUSPECT || (p->state == PEER_ALIVE && p->is_late);
    return p->link && is_doubtful && !p->draining ? GRADE_SUSPECT : GRADE_OUT;
}

static enum grade grade_of(const struct lane *lane, const struct exchange *x,
                           const struct candidate *c, bool again)
{
    if (!c->is_up || was_tried(x, c, again))
        return GRADE_OUT;
    if (c->backend)
        return !backend_is_usable(c->backend)                      ? GRADE_OUT
               : c->backend->busy_until_ms > io_now_ms(lane->loop) ? GRADE_SUSPECT
                                                                   : GRADE_GOOD;
    if (x->hop >= ENVELOPE_HOPS_MAX || was_passed(x, c->peer))
        return GRADE_OUT;
    return grade_of_peer(c->peer);
}

/* Expected utilisation after taking this request. Old reports fade towards half load, never towards
 * idle. */
static double load_of(const struct lane *lane, const struct candidate *c)
{
    if (c->backend)
        return (double)(c->backend->inflight + c->backend->queued + 1) /
               c->backend->cfg.concurrency;
    const struct peer *p = c->peer;
    double capacity = p->load.capacity ? p->load.capacity : 1;
    double age_ms = (double)(io_now_ms(lane->loop) - p->load_ms);
    double trust = AGE_HALF_MS / (AGE_HALF_MS + age_ms);
    double reported = (double)p->load.inflight + p->load.queued;
    /* A report may or may not include what we sent meanwhile; the larger of the two is never too
     * low. */
    double current = reported > p->inflight ? reported : p->inflight;
    return (trust * current + (1 - trust) * capacity / 2 + 1) / capacity;
}

/* The less loaded of the two; where that makes no difference an own backend, which saves the hop,
 * else either. */
static const struct candidate *better(struct lane *lane, const struct candidate *a,
                                      const struct candidate *b)
{
    double difference = load_of(lane, a) - load_of(lane, b);
    if (difference > NEAR || difference < -NEAR)
        return difference > 0 ? b : a;
    if (!a->backend != !b->backend)
        return a->backend ? a : b;
    return rng_below(&lane->rng, 2) ? a : b;
}

struct round {
    enum grade least;
    bool local_only; /* for requests that came over a hop */
    bool again;      /* also a peer whose first answer got lost */
};

static bool takes(const struct lane *lane, const struct exchange *x, const struct round *round,
                  const struct candidate *c)
{
    return (c->backend || !round->local_only) && grade_of(lane, x, c, round->again) >= round->least;
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
    static const struct round rounds[] = {{GRADE_GOOD, true, false},
                                          {GRADE_GOOD, false, false},
                                          {GRADE_SUSPECT, false, false},
                                          {GRADE_GOOD, false, true}};
    for (size_t r = x->hop > 0 ? 0 : 1; r < sizeof rounds / sizeof rounds[0]; r++) {
        const struct candidate *two[2];
        size_t found = sample(lane, x, set, &rounds[r], two);
        if (found == 0)
            continue;
        const struct candidate *best = found == 2 ? better(lane, two[0], two[1]) : two[0];
        *ret_reason = rounds[r].again                    ? "again"
                      : rounds[r].least == GRADE_SUSPECT ? "suspect"
                      : found == 1                       ? "only_candidate"
                      : best->backend                    ? "local"
                                                         : "least_loaded";
        return best;
    }
    return NULL;
}

/* Only one more hop could serve it, and there were enough. */
static bool needs_hop(const struct exchange *x, const struct candidate_set *set)
{
    for (size_t i = 0; x->hop >= ENVELOPE_HOPS_MAX && i < set->count; i++) {
        const struct candidate *c = &set->items[i];
        if (c->peer && c->is_up && grade_of_peer(c->peer) != GRADE_OUT && !was_passed(x, c->peer))
            return true;
    }
    return false;
}

enum err choose(struct lane *lane, const struct exchange *x, struct choice *ret_choice)
{
    const struct candidate_set *set = candidates_find(lane, exchange_model(x));
    if (!set || set->count == 0)
        return ERR_MODEL_NOT_FOUND;
    const char *reason = NULL;
    const struct candidate *c = pick(lane, x, set, &reason);
    if (!c)
        return needs_hop(x, set) ? ERR_HOP_LIMIT : ERR_NO_CANDIDATE;
    ret_choice->candidate = *c;
    ret_choice->reason = reason;
    ret_choice->facts_age_ms = c->peer ? io_now_ms(lane->loop) - c->peer->load_ms : 0;
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
