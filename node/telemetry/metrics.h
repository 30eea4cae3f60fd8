/* Counters of one lane and their Prometheus text form (exposition format 0.0.4). Label sets are
 * bounded by tables of the program: endpoints, statuses, reasons, backends, peers. One writer, so
 * plain integers. */
#ifndef NODE_TELEMETRY_METRICS_H
#define NODE_TELEMETRY_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "node/ingress/api.h"

#define METRICS_BUCKETS 16

/* Upper bounds in microseconds; the last bucket is +Inf. */
struct metrics_histogram {
    uint64_t counts[METRICS_BUCKETS];
    uint64_t sum_us;
    uint64_t count;
};
void metrics_observe(struct metrics_histogram *h, uint64_t us);

#define METRICS_STATUSES 28

/* What became of an attempt that was started beside another one. */
enum metrics_hedge {
    METRICS_HEDGE_WON,
    METRICS_HEDGE_LOST, /* cancelled: the other one answered first, or the request ended */
    METRICS_HEDGE_FAILED,
    METRICS_HEDGES
};
const char *metrics_hedge_name(enum metrics_hedge outcome);

struct metrics {
    uint64_t requests[API_COUNT + 1][METRICS_STATUSES]; /* last row: no such path */
    uint64_t failures[ERR_COUNT];        /* error answers and broken streams, by reason */
    struct metrics_histogram duration;   /* inference requests, whole */
    struct metrics_histogram first_byte; /* inference requests, until the answer began */
    uint64_t prompt_tokens;              /* of attempts, estimated */
    uint64_t prompt_tokens_held;         /* ... that the chosen one supposedly had already */
    uint64_t retries;
    uint64_t hedges[METRICS_HEDGES];
    uint64_t hops_in;  /* requests received from peers */
    uint64_t hops_out; /* requests sent to peers */
    uint64_t body_bytes_in;
    uint64_t body_bytes_out;
    uint64_t connections;
    uint64_t connections_refused;
    uint64_t connections_dropped; /* unheard, for want of file descriptors */
    uint64_t trails_refused;      /* grapevine-node and -path of peers that were not passed on */
    uint64_t receipts;
};

void metrics_request(struct metrics *m, const struct api_endpoint *e, int status);

struct lane;
/* The whole page. LIMIT when it does not fit `out`. */
MUST_CHECK enum err metrics_write(const struct lane *lane, struct buf *out);
/* The part about the rules; nothing where there are none. */
struct metrics_row { /* a figure without labels */
    const char *name, *kind, *help;
    uint64_t value;
};
/* HELP and TYPE of a family; grapevine_ is put before its name. */
MUST_CHECK enum err metrics_put_head(struct buf *out, const char *name, const char *type,
                                     const char *help);
MUST_CHECK enum err metrics_put_rows(struct buf *out, const struct metrics_row *rows, size_t count);
/* What is measured of the backends, and the GPUs that they use. */
MUST_CHECK enum err metrics_figures_write(const struct lane *lane, struct buf *out);
MUST_CHECK enum err metrics_routing_write(const struct lane *lane, struct buf *out);
MUST_CHECK enum err metrics_rules_write(const struct lane *lane, struct buf *out);

#endif
