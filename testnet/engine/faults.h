/* What goes wrong on command: a table of faults that are in force, each bounded by a count or by
 * time. Pure and seeded. Orders come as JSON, by POST /faults or --fault:
 *
 *   {"fault":"slow","factor":5,"for_ms":10000}      {"fault":"error","status":500,"count":3}
 *
 *   of requests (`count`, or all of them `for_ms`; `chance` of each):
 *     hang     no answer at all                      error    `status` (500)
 *     busy     429, `retry_after_s` (1)              reset    after `after` tokens, by TCP
 *     cut      the end missing after `after` tokens  length   announces more than it sends
 *     garbage  events that are no JSON
 *   of the accelerator (`for_ms`):
 *     slow     `factor` (2) times slower             freeze   nothing goes on
 *     heat     up to `celsius` (95)                  memory   out of it: all fail, then load anew
 *   of what it tells (`for_ms`):
 *     lie      metrics and slots show `shows`: "idle" or "full"
 *     reclaim  a spot reclaim notice, and the end of the process when the time is up */
#ifndef TESTNET_ENGINE_FAULTS_H
#define TESTNET_ENGINE_FAULTS_H

#include "base/buf.h"
#include "base/rng.h"

#define FAULTS_MAX 16
#define FAULTS_COUNT_MAX 1000000
#define FAULTS_FOR_MS_MAX 86400000
#define FAULTS_TABLE(X)                                                                            \
    X(HANG, "hang")                                                                                \
    X(ERROR, "error")                                                                              \
    X(BUSY, "busy")                                                                                \
    X(RESET, "reset")                                                                              \
    X(CUT, "cut")                                                                                  \
    X(LENGTH, "length")                                                                            \
    X(GARBAGE, "garbage")                                                                          \
    X(SLOW, "slow")                                                                                \
    X(FREEZE, "freeze")                                                                            \
    X(HEAT, "heat")                                                                                \
    X(MEMORY, "memory")                                                                            \
    X(LIE, "lie")                                                                                  \
    X(RECLAIM, "reclaim")

enum fault_kind {
#define FAULT_ENUM(constant, word) FAULT_##constant,
    FAULTS_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_NONE
};

struct fault {
    enum fault_kind kind;
    uint32_t count;  /* requests left; 0: not counted */
    uint64_t for_us; /* 0: not timed */
    uint64_t until_us;
    double chance; /* of a request to be hit */
    double factor, celsius;
    int status;
    uint32_t retry_after_s;
    uint32_t after; /* tokens */
    bool shows_full;
};

struct faults {
    struct fault items[FAULTS_MAX]; /* in order of arrival */
    size_t count;
    struct rng rng;
};

void faults_init(struct faults *f, uint64_t seed);
const char *faults_word(enum fault_kind kind);
bool faults_is_of_requests(enum fault_kind kind);
/* LIMIT: so many are in force already. */
MUST_CHECK enum err faults_add(struct faults *f, const struct fault *fault, uint64_t now_us);
/* Takes those whose time is up out; returns true when one was. *ret_reclaimed: a notice ended. */
bool faults_expire(struct faults *f, uint64_t now_us, bool *ret_reclaimed);
/* The end of the first that is timed; UINT64_MAX. */
uint64_t faults_deadline_us(const struct faults *f);
/* What happens to a request that comes now; kind NONE: nothing. Counts it. */
struct fault faults_of_request(struct faults *f);
/* The newest of this kind in force, or NULL. */
const struct fault *faults_find(const struct faults *f, enum fault_kind kind);
void faults_clear(struct faults *f);

/* One order from its JSON. INVALID, and `message` says what was wrong. */
MUST_CHECK enum err faults_read(struct bytes json, struct fault *ret_fault, struct buf *message);
/* [{"fault","count"?,"left_ms"?}] of those in force. */
MUST_CHECK enum err faults_write(const struct faults *f, uint64_t now_us, struct buf *out);

#endif
