/* What came of the requests: counts, percentiles, goodput. Pure; written as text by report.c. */
#ifndef TESTNET_LOAD_CORE_TALLY_H
#define TESTNET_LOAD_CORE_TALLY_H

#include "base/bytes.h"
#include "base/err.h"
#include "testnet/load/core/histogram.h"

#define TALLY_TARGETS_MAX 64
#define TALLY_TENANTS_MAX 64
#define TALLY_SECONDS_MAX 7200 /* of the timeline */

/* Each request ends as one of these. X(constant, word, is it a failure) */
#define TALLY_OUTCOMES(X)                                                                          \
    X(OK, "ok", false)                                                                             \
    X(ABANDONED, "abandoned", false) /* its client left on purpose */                              \
    X(BUSY, "busy", true)            /* 429 */                                                     \
    X(REJECTED, "rejected", true)    /* another 4xx */                                             \
    X(SERVER_ERROR, "server_error", true)                                                          \
    X(REFUSED, "refused", true) /* no connection */                                                \
    X(RESET, "reset", true)     /* a connection broke */                                           \
    X(CUT, "cut", true)         /* ended in order, but too early */                                \
    X(TIMEOUT, "timeout", true)                                                                    \
    X(MALFORMED, "malformed", true)     /* no HTTP, or no JSON, of the kind expected */            \
    X(ERROR_EVENT, "error_event", true) /* in the stream */                                        \
    X(MIXED_UP, "mixed_up", true)       /* another request's answer */                             \
    X(NOT_SENT, "not_sent", true)       /* too many were open already */

enum tally_outcome {
#define TALLY_ENUM(constant, word, failure) TALLY_##constant,
    TALLY_OUTCOMES(TALLY_ENUM)
#undef TALLY_ENUM
        TALLY_OUTCOME_COUNT
};
const char *tally_word(enum tally_outcome outcome);

/* One request. Times in microseconds from the start of the run. */
struct tally_result {
    uint64_t number;
    uint64_t intended_us, sent_us, first_us, done_us; /* first_us 0: no token came */
    uint32_t tokens; /* of the answer, as its usage says, else its pieces */
    uint32_t target, tenant;
    int status;
    enum tally_outcome outcome;
    bool has_begun; /* a byte of the answer came */
};

struct tally_slo {
    uint64_t first_us, per_token_us, whole_us; /* 0: none */
};

struct tally_cfg {
    uint64_t warm_up_us; /* requests that were meant to start before are not counted */
    struct tally_slo slo;
};

struct tally {
    struct tally_cfg cfg;
    struct histogram latency;   /* from the intended start to the end; of answers that are ok */
    struct histogram first;     /* … to the first token */
    struct histogram per_token; /* between tokens of one answer: each gap */
    struct histogram service;   /* from the sending to the end */
    struct histogram lag;       /* from the intended start to the sending, of all */
    uint64_t outcomes[TALLY_OUTCOME_COUNT];
    uint64_t failed;
    uint64_t failed_unbegun; /* before a byte of an answer */
    uint64_t count, warm_up_count, tokens, good;
    uint64_t first_intended_us, last_done_us;
    uint64_t targets[TALLY_TARGETS_MAX][2]; /* ok, failed */
    uint64_t tenants[TALLY_TENANTS_MAX][2];
    uint32_t seconds[TALLY_SECONDS_MAX][2]; /* by intended start */
    uint32_t second_count;
};

void tally_init(struct tally *t, const struct tally_cfg *cfg);
void tally_add(struct tally *t, const struct tally_result *r);
/* A gap between two tokens of a request that was meant to start then. */
void tally_gap(struct tally *t, uint64_t intended_us, uint64_t gap_us);

#endif
