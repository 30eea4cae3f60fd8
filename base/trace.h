/* Deterministic trace: what a world did, one JSON line per event, for simulators and replay.
 * A NULL trace is allowed everywhere and costs a compare. Fields are the log's. */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/log.h"

struct trace {
    uint64_t (*now_us)(void *ctx);
    void (*sink)(void *ctx, struct bytes line); /* with its newline */
    void *ctx;
};

/* {"t_us":123,"node":"edge-1","event":"link_state","from":"dialing",...}; node may be NULL.
 * At most 2 KiB, cut as the log's lines are; never allocates. */
void trace_write(const struct trace *trace, const char *node, const char *event,
                 const struct log_field *fields, size_t count);

#define TRACE(trace, node, event, ...)                                                             \
    ((trace)                                                                                       \
         ? trace_write((trace), (node), (event), (const struct log_field[]){__VA_ARGS__},          \
                       sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)) \
         : (void)0)

#endif
