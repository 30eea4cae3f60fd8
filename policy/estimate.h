/* What a deployment is expected to take for a request, learned from answers.
 *
 *     first byte = slowness x (base + prefill x uncached tokens) + service x requests ahead / slots
 *     answer     = first byte + slowness x decode x output tokens
 *     slowness   = 1 + the share of the slots that are taken: a batch slows all in it
 *
 * Each coefficient starts at the prior of the deployment's class and moves by what was observed:
 * slowly within the usual noise and down, at once up a peak (peak EWMA, as in Finagle and linkerd).
 * The difference is shared among the parts by the square of their share of what was expected
 * (normalised least mean squares). What was learned long ago fades back to the prior; it never
 * fades to idle. A call that failed fast teaches nothing; one that failed after more time than
 * expected is a slow one.
 *
 * Not: RTT and own in-flight that others do not see; the caller adds them. Any input is fine:
 * results are finite, never negative, and at most POLICY_ESTIMATE_MAX_US. */
#ifndef POLICY_ESTIMATE_H
#define POLICY_ESTIMATE_H

#include "policy/facts.h"

#include <stdbool.h>
#include <stdint.h>

#define POLICY_ESTIMATE_MAX_US UINT64_C(86400000000) /* a day */
#define POLICY_OUTPUT_UNKNOWN 256     /* tokens of an answer, where nobody says and none was seen */
#define POLICY_ESTIMATE_HALF_MS 60000 /* after this without a word, half of it is the prior again */

enum policy_class { POLICY_CPU, POLICY_NPU, POLICY_GPU, POLICY_CLASSES };

/* What is assumed of a deployment before it has answered. What is negative or no number becomes the
 * slowest class's, what is absurd is cut to limits. */
struct policy_prior {
    double base_us;    /* to the first byte of an empty prompt */
    double prefill_us; /* for each uncached token of the prompt */
    double service_us; /* for which a request holds its slot */
    double decode_us;  /* for each token of the answer */
};
/* Of a mid-sized model on such hardware. Out of range: the slowest. */
struct policy_prior policy_prior_of(enum policy_class hardware, enum policy_tier tier);

struct policy_learned {
    double value;
    double samples; /* that it rests on, up to a limit */
    uint64_t at_ms; /* of the newest */
};

struct policy_estimate { /* the caller's storage */
    struct policy_prior prior;
    struct policy_learned base, prefill, service, decode;
};

/* Load as it was when the request was sent, or as it is now; without that request itself. */
struct policy_load {
    uint32_t inflight; /* that run there */
    uint32_t queued;   /* that wait there */
    uint32_t slots;    /* 0: not known, then only those that wait are ahead */
};

/* 1 where nothing else runs, 2 where every slot is taken; `taken`: requests for each slot. */
double policy_estimate_slowness(double taken);

struct policy_observation {
    struct policy_load load;
    uint32_t prompt_tokens_uncached;
    uint32_t output_tokens; /* 0: not known, or none came */
    uint64_t first_byte_us; /* from sending, 0: not known; of a failed one, until it failed */
    uint64_t decode_us;     /* from the first byte to the last */
    bool is_failed;
};

void policy_estimate_init(struct policy_estimate *e, struct policy_prior prior);
void policy_estimate_observe(struct policy_estimate *e, const struct policy_observation *o,
                             uint64_t now_ms);
uint64_t policy_estimate_first_byte_us(const struct policy_estimate *e,
                                       uint32_t prompt_tokens_uncached, struct policy_load load,
                                       uint64_t now_ms);
/* Never less for more tokens, requests that run or requests that wait. */
uint64_t policy_estimate_answer_us(const struct policy_estimate *e, uint32_t prompt_tokens_uncached,
                                   uint32_t output_tokens, struct policy_load load,
                                   uint64_t now_ms);
/* How far it rests on what was observed, not on the prior: 0..1. */
double policy_estimate_confidence(const struct policy_estimate *e, uint64_t now_ms);

#endif
