/* The choice behind choose.h. Called by the pipeline's route stage and again for every attempt. */
#include "node/routing/choose.h"

#include "node/egress/backend.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/routing/asked.h"
#include "node/routing/live.h"

#include <math.h>

/* --- one decision */

struct decision {
    struct policy_request request;
    struct policy_pair headers[POLICY_PAIRS_MAX];
    const struct policy_rule *rule;
    struct live_round round; /* that found somebody */
    struct policy_plan plan;
};

static struct policy_candidates *find(void *ctx, struct bytes model)
{
    const struct live_round *round = ctx;
    struct candidate_set *set = candidates_find(round->lane, model);
    return set && set->count > 0 ? &set->policy : NULL;
}

static const struct policy_ops ops = {.find = find, .refresh = live_refresh};

/* A rule that is another than for the attempt before begins at its first step. */
static size_t first_step(const struct exchange *x, const struct policy_rule *rule)
{
    bool is_same = x->attempt_count > 0 && x->terms.rule_version == rule->version &&
                   bytes_equal(x->terms.rule, rule->name);
    return is_same ? x->terms.step : 0;
}

static enum err try_round(struct lane *lane, const struct exchange *x, struct rng *rng,
                          bool is_beside, struct decision *d)
{
    struct policy_ask ask = {.rule = d->rule,
                             .request = &d->request,
                             .model = exchange_model(x),
                             .cost_left_usd =
                                 fmin(d->rule->limits.cost_max_usd, x->terms.cost_max_usd) -
                                 x->terms.spent_usd,
                             .first_step = first_step(x, d->rule),
                             .keep_model = x->hop > 0 || is_beside,
                             .vm = lane->policies.vm,
                             .rng = rng,
                             .ops = &ops,
                             .ctx = &d->round};
    return policy_decide(&ask, &d->plan);
}

/* Trouble at engines is met by the node where the request came in, or came into this region: if
 * each hop tried as often again, it would be multiplied. Here only own ones are left to try. */
static bool is_met_elsewhere(const struct lane *lane, const struct exchange *x)
{
    if (x->hop == 0 || live_is_from_abroad(lane, x))
        return false;
    for (uint32_t i = 0; i < x->attempt_count; i++)
        if (attempt_failure_costs(x->attempts[i].failure))
            return true;
    return false;
}

/* After a hop an own backend comes first, however loaded. A gateway is asked when nobody who has
 * the model himself can be, but where somebody wrote a policy: that says who is better.
 * `is_beside`: another attempt runs and goes on. */
static enum err decide(struct lane *lane, const struct exchange *x, struct rng *rng, bool is_beside,
                       struct decision *ret_d)
{
    static const struct {
        bool local_only, via, doubtful, again, busy;
    } rounds[] = {{true, false, false, false, false}, {false, false, false, false, false},
                  {false, true, false, false, false}, {false, true, true, false, false},
                  {false, true, false, true, false},  {false, true, true, false, true}};
    struct decision *d = ret_d;
    asked_fill(x, &d->request, d->headers);
    d->rule = policy_set_match(lane->policies.set, lane->policies.vm, &d->request);
    size_t first = x->hop > 0 ? 0 : d->rule == policy_rule_default() ? 1 : 2;
    struct bytes version = x->terms.version;
    if (version.size == 0 && x->hop == 0)
        version = policy_split(d->rule, lane->policies.vm, &d->request);
    size_t end = is_met_elsewhere(lane, x) ? first + 1 : sizeof rounds / sizeof rounds[0];
    for (size_t r = first; r < end; r++) {
        d->round = (struct live_round){.x = x,
                                       .lane = lane,
                                       .version = version,
                                       .local_only = rounds[r].local_only,
                                       .via = rounds[r].via,
                                       .doubtful = rounds[r].doubtful,
                                       .again = rounds[r].again,
                                       .busy = rounds[r].busy};
        enum err e = try_round(lane, x, rng, is_beside, d);
        if (e != ERR_OK)
            return e == ERR_NOT_FOUND ? ERR_MODEL_NOT_FOUND : e;
        if (d->plan.good > 0)
            return ERR_OK;
    }
    return ERR_NO_CANDIDATE;
}

/* --- why nobody can be asked */

static bool is_meant(const struct exchange *x, const struct candidate *c)
{
    return x->terms.version.size == 0 || bytes_equal(c->version, x->terms.version);
}

static bool may_hold(const struct lane *lane, const struct exchange *x, const struct candidate *c)
{
    const char *region = c->backend ? lane->identity->cert.region : c->peer->region;
    return terms_allow_region(&x->terms, bytes_from_str(region));
}

/* Only one more hop could serve it, and there were enough. */
static bool needs_hop(const struct lane *lane, const struct exchange *x,
                      const struct candidate_set *set)
{
    for (size_t i = 0; x->hop >= ENVELOPE_HOPS_MAX && i < set->count; i++) {
        const struct candidate *c = &set->items[i];
        if (c->peer && live_is_within_reach(lane, x, c))
            return true;
    }
    return false;
}

/* The rules, if they alone are against it. */
static enum err reason_for_none(const struct lane *lane, const struct exchange *x,
                                const struct decision *d, const struct candidate_set *set)
{
    bool is_residency = false;
    if (needs_hop(lane, x, set))
        return ERR_HOP_LIMIT;
    for (size_t i = 0; i < set->count; i++) {
        const struct candidate *c = &set->items[i];
        if (!is_meant(x, c))
            continue;
        if (c->barred == ERR_OK && may_hold(lane, x, c))
            return d->plan.none == POLICY_REQUIRE_FAILED ? ERR_NOT_ALLOWED
                   : d->plan.none == POLICY_TOO_DEAR     ? ERR_PRICE_CEILING
                                                         : ERR_NO_CANDIDATE;
        is_residency |=
            c->barred == ERR_RESIDENCY || (c->barred == ERR_OK && !may_hold(lane, x, c));
    }
    return is_residency ? ERR_RESIDENCY : ERR_NO_CANDIDATE;
}

/* --- */

static const char *word_of(const struct decision *d, const struct candidate *c)
{
    return d->round.again      ? "again"
           : d->round.doubtful ? "suspect"
           : c->is_gateway     ? "other_region"
           : d->plan.good == 1 ? "only_candidate"
           : c->backend        ? "local"
                               : "best";
}

static void fill(struct lane *lane, const struct decision *d, struct choice *ret_choice)
{
    const struct policy_look *look = &d->plan.looks[0];
    const struct candidate *c = look->candidate->owner;
    const double max_ms = 3600e3;
    *ret_choice = (struct choice){
        .candidate = *c,
        .reason = word_of(d, c),
        .facts_age_ms = live_age_ms(lane, c, look->candidate->facts.model),
        .model = d->plan.model,
        .version = d->round.version,
        .rule = d->rule,
        .step = look->step,
        .cost_usd = look->cost_usd,
        .cached_tokens = look->candidate->live.cached_tokens,
        .load = live_load(lane, c, look->candidate->facts.model),
    };
    if (c->deployment)
        deployments_took(c->deployment, look->share);
    if (d->round.x->hop > 0)
        return;
    ret_choice->hedge_after_ms = lane->hedge_after_ms;
    if (d->plan.hedge_after_us >= 0) /* false where there is none */
        ret_choice->hedge_after_ms = 1 + (uint64_t)fmin(d->plan.hedge_after_us / 1000, max_ms);
}

static void note(struct lane *lane, const struct exchange *x, const struct decision *d,
                 const char *reason)
{
    const struct decision_note n = {.request_id = bytes_from_str(x->request_id),
                                    .attempt = x->attempt_count + 1,
                                    .hop = x->hop,
                                    .epoch = lane->epoch,
                                    .reason = bytes_from_str(reason),
                                    .request = &d->request,
                                    .plan = &d->plan};
    decisions_add(&lane->decisions, &n);
}

enum err choose(struct lane *lane, const struct exchange *x, struct choice *ret_choice)
{
    struct decision d;
    const struct candidate_set *set = candidates_find(lane, exchange_model(x));
    ret_choice->rule = NULL;
    if (!lane->policies.set)
        return ERR_NO_CANDIDATE;
    enum err e = decide(lane, x, &lane->rng, attempt_any_runs(x), &d);
    if (e == ERR_OK)
        fill(lane, &d, ret_choice);
    else if (e == ERR_NO_CANDIDATE && set)
        e = reason_for_none(lane, x, &d, set);
    if (e == ERR_MODEL_NOT_FOUND)
        return e;
    ret_choice->rule = d.rule;
    note(lane, x, &d, e == ERR_OK ? ret_choice->reason : err_word(e));
    return e;
}

/* Instead of the attempt that runs, not beside it. Draws from a copy, so that asking does not
 * change what will be chosen. */
bool choose_has_other(struct lane *lane, const struct exchange *x)
{
    struct decision d;
    struct rng rng = lane->rng;
    return lane->policies.set && decide(lane, x, &rng, false, &d) == ERR_OK;
}
