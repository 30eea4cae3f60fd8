/* The learning behind estimate.h. First bytes are a linear model of three parts, learned by
 * normalised least mean squares in units of each part; decoding is a model of one part. */
#include "policy/estimate.h"

#include <math.h>

#define PEAK 0.5         /* above what was expected: no longer the usual noise */
#define PEAK_STEP 0.3    /* of the way up a peak, at least */
#define STEP_MAX 0.5     /* of the way to a single observation after a pause, at most */
#define PAUSE_MS 10000.0 /* without an observation: STEP_MAX, and it begins to fade */
#define FADE_MS (POLICY_ESTIMATE_HALF_MS - PAUSE_MS)
#define SAMPLES_MAX 48.0 /* so that the newest always counts for 1 in 50 */
#define SAMPLES_SURE 4.0 /* half confident */
#define OUTLIER 10.0     /* no observation counts as more than this times what was expected */
#define SHARE_MIN 0.05   /* a part that matters less learns nothing */
#define HOUR_US 3600000000.0
#define SECOND_US 1000000.0

struct limits {
    double min, max;
};
static const struct limits base_limits = {1, HOUR_US};
static const struct limits prefill_limits = {0.001, SECOND_US};
static const struct limits service_limits = {1, HOUR_US};
static const struct limits decode_limits = {0.1, HOUR_US};

/* For 7 to 13 billion parameters in 4 to 16 bits: orders of magnitude, corrected by the first
 * answers. */
static const struct policy_prior priors[POLICY_CLASSES][POLICY_TIERS] = {
    [POLICY_CPU] = {[POLICY_EDGE] = {400000, 20000, 60000000, 200000},
                    [POLICY_REGIONAL] = {200000, 8000, 30000000, 100000},
                    [POLICY_CLOUD] = {200000, 6000, 30000000, 100000}},
    [POLICY_NPU] = {[POLICY_EDGE] = {150000, 2500, 20000000, 70000},
                    [POLICY_REGIONAL] = {100000, 1000, 12000000, 40000},
                    [POLICY_CLOUD] = {80000, 500, 8000000, 30000}},
    [POLICY_GPU] = {[POLICY_EDGE] = {60000, 500, 8000000, 30000},
                    [POLICY_REGIONAL] = {40000, 150, 5000000, 20000},
                    [POLICY_CLOUD] = {40000, 80, 4000000, 15000}},
};

struct policy_prior policy_prior_of(enum policy_class hardware, enum policy_tier tier)
{
    bool is_known =
        (unsigned)hardware < POLICY_CLASSES && tier > POLICY_TIER_UNKNOWN && tier < POLICY_TIERS;
    return is_known ? priors[hardware][tier] : priors[POLICY_CPU][POLICY_EDGE];
}

static double cut(double value, struct limits limits)
{
    return fmin(fmax(value, limits.min), limits.max);
}

/* What says nothing is no reason to prefer it. */
static double prior_or(double value, double slowest, struct limits limits)
{
    return cut(value >= 0 ? value : slowest, limits);
}

void policy_estimate_init(struct policy_estimate *e, struct policy_prior prior)
{
    struct policy_prior slowest = priors[POLICY_CPU][POLICY_EDGE];
    e->prior = (struct policy_prior){
        .base_us = prior_or(prior.base_us, slowest.base_us, base_limits),
        .prefill_us = prior_or(prior.prefill_us, slowest.prefill_us, prefill_limits),
        .service_us = prior_or(prior.service_us, slowest.service_us, service_limits),
        .decode_us = prior_or(prior.decode_us, slowest.decode_us, decode_limits),
    };
    e->base = (struct policy_learned){e->prior.base_us, 0, 0};
    e->prefill = (struct policy_learned){e->prior.prefill_us, 0, 0};
    e->service = (struct policy_learned){e->prior.service_us, 0, 0};
    e->decode = (struct policy_learned){e->prior.decode_us, 0, 0};
}

/* --- what is expected */

static double age_ms(const struct policy_learned *l, uint64_t now_ms)
{
    return now_ms > l->at_ms ? (double)(now_ms - l->at_ms) : 0;
}

/* Nothing fades while answers come, or what is learned would lean to the prior for ever. */
static double trust(const struct policy_learned *l, uint64_t now_ms)
{
    double fading_ms = fmax(age_ms(l, now_ms) - PAUSE_MS, 0);
    return FADE_MS / (FADE_MS + fading_ms);
}

static double value_of(const struct policy_learned *l, double prior, uint64_t now_ms)
{
    return prior + (l->value - prior) * trust(l, now_ms);
}

/* Requests ahead of the next one, for each slot. */
static double ahead_of(struct policy_load load)
{
    double waiting = load.queued;
    if (load.slots > 0 && load.inflight >= load.slots)
        waiting += (double)(load.inflight - load.slots) + 1;
    return load.slots > 0 ? waiting / load.slots : waiting;
}

double policy_estimate_slowness(double taken)
{
    return 1 + fmin(taken, 1);
}

static double slowness_of(struct policy_load load)
{
    return policy_estimate_slowness(load.slots > 0 ? (double)load.inflight / load.slots : 0);
}

#define PARTS 3
struct first_byte {
    double coefficient[PARTS], amount[PARTS];
    double expected_us;
};

static struct first_byte first_byte_of(const struct policy_estimate *e, uint32_t tokens,
                                       struct policy_load load, uint64_t now_ms)
{
    double slowness = slowness_of(load);
    struct first_byte f = {
        .coefficient = {value_of(&e->base, e->prior.base_us, now_ms),
                        value_of(&e->prefill, e->prior.prefill_us, now_ms),
                        value_of(&e->service, e->prior.service_us, now_ms)},
        .amount = {slowness, slowness * tokens, ahead_of(load)},
    };
    for (int i = 0; i < PARTS; i++)
        f.expected_us += f.coefficient[i] * f.amount[i];
    return f;
}

static uint64_t whole(double us)
{
    return us < (double)POLICY_ESTIMATE_MAX_US ? (uint64_t)us : POLICY_ESTIMATE_MAX_US;
}

uint64_t policy_estimate_first_byte_us(const struct policy_estimate *e,
                                       uint32_t prompt_tokens_uncached, struct policy_load load,
                                       uint64_t now_ms)
{
    return whole(first_byte_of(e, prompt_tokens_uncached, load, now_ms).expected_us);
}

uint64_t policy_estimate_answer_us(const struct policy_estimate *e, uint32_t prompt_tokens_uncached,
                                   uint32_t output_tokens, struct policy_load load, uint64_t now_ms)
{
    double decode_us =
        value_of(&e->decode, e->prior.decode_us, now_ms) * slowness_of(load) * output_tokens;
    return whole(first_byte_of(e, prompt_tokens_uncached, load, now_ms).expected_us + decode_us);
}

double policy_estimate_confidence(const struct policy_estimate *e, uint64_t now_ms)
{
    return e->base.samples / (e->base.samples + SAMPLES_SURE) * trust(&e->base, now_ms);
}

/* --- learning */

/* Of the way to what was observed. `change`: how far that is off what was expected, relative to it.
 */
static double step_of(const struct policy_learned *l, double change, uint64_t now_ms)
{
    double since_ms = age_ms(l, now_ms);
    double step = fmax(1 / (l->samples + 2), fmin(since_ms / (since_ms + PAUSE_MS), STEP_MAX));
    return change > PEAK ? fmax(step, PEAK_STEP) : step;
}

static void set(struct policy_learned *l, double value, double samples, uint64_t now_ms)
{
    l->value = value;
    l->samples = fmin(l->samples + samples, SAMPLES_MAX);
    l->at_ms = now_ms > l->at_ms ? now_ms : l->at_ms;
}

static double change_of(double observed, double expected)
{
    return fmin(observed / expected, OUTLIER) - 1;
}

static void learn_first_byte(struct policy_estimate *e, const struct first_byte *f,
                             uint64_t observed_us, uint64_t now_ms)
{
    struct policy_learned *const parts[PARTS] = {&e->base, &e->prefill, &e->service};
    const struct limits limits[PARTS] = {base_limits, prefill_limits, service_limits};
    double shares[PARTS];
    double squares = 0;
    for (int i = 0; i < PARTS; i++) {
        shares[i] = f->coefficient[i] * f->amount[i] / f->expected_us;
        squares += shares[i] * shares[i];
    }
    double change = change_of((double)observed_us, f->expected_us);
    for (int i = 0; i < PARTS; i++)
        if (shares[i] >= SHARE_MIN) {
            double step = step_of(parts[i], change, now_ms) * shares[i] / squares;
            set(parts[i], cut(f->coefficient[i] * (1 + step * change), limits[i]), shares[i],
                now_ms);
        }
}

static void learn_decode(struct policy_estimate *e, const struct policy_observation *o,
                         uint64_t now_ms)
{
    double current = value_of(&e->decode, e->prior.decode_us, now_ms);
    double slowness = slowness_of(o->load);
    double change = change_of((double)o->decode_us / slowness / (o->output_tokens - 1), current);
    double step = step_of(&e->decode, change, now_ms);
    set(&e->decode, cut(current * (1 + step * change), decode_limits), 1, now_ms);
}

void policy_estimate_observe(struct policy_estimate *e, const struct policy_observation *o,
                             uint64_t now_ms)
{
    struct first_byte f = first_byte_of(e, o->prompt_tokens_uncached, o->load, now_ms);
    bool is_telling =
        o->is_failed ? (double)o->first_byte_us > f.expected_us : o->first_byte_us > 0;
    if (is_telling)
        learn_first_byte(e, &f, o->first_byte_us, now_ms);
    if (!o->is_failed && o->output_tokens >= 2 && o->decode_us > 0)
        learn_decode(e, o, now_ms);
}
