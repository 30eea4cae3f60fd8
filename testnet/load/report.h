/* The summary of a run, as JSON or for people. Pure. */
#ifndef TESTNET_LOAD_REPORT_H
#define TESTNET_LOAD_REPORT_H

#include "base/buf.h"
#include "testnet/load/core/tally.h"

struct report {
    const struct tally *tally;
    uint64_t seed;
    double planned_rate; /* 0: a trace */
    uint64_t connections;
    uint64_t cpu_us; /* of this process, over the run */
    size_t target_count, tenant_count;
    const char *const *targets; /* as they were given */
};

MUST_CHECK enum err report_json(const struct report *r, struct buf *out);
MUST_CHECK enum err report_text(const struct report *r, struct buf *out);
/* One line of a history. */
MUST_CHECK enum err report_result(const struct tally_result *r, const char *mark,
                                  const char *request_id, const char *node, struct buf *out);

#endif
