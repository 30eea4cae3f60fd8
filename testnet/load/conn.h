/* Connections of the load generator to its targets: kept alive, taken and given back, one request
 * at a time on each, nothing ever sent twice. */
#ifndef TESTNET_LOAD_CONN_H
#define TESTNET_LOAD_CONN_H

#include "node/http/parser.h"
#include "node/io/stream.h"
#include "testnet/load/core/sse.h"

#define CONN_IDLE_MS 3000 /* below the 5 s of uvicorn and llama.cpp */
#define CONN_TEXT_MAX (16 * 1024 * 1024)

struct load_target {
    struct io_loop *loop;
    struct io_addr addr;
    char host[IO_ADDR_TEXT_SIZE];
    char prefix[256]; /* of all paths */
    struct list idle; /* most recently used first */
    struct list busy;
    struct list waiting; /* calls, for want of a connection; longest first */
    uint32_t open_max;   /* connections at once; 0: as many as there are calls */
    uint32_t open_count;
    struct io_idle_list idle_timeouts;
    struct io_idle_list timeouts; /* of requests */
    uint64_t connection_count;
};

struct load_call;
struct load_conn;

struct load_call_ops {
    void (*on_head)(struct load_call *call, const struct http_head *head);
    void (*on_data)(struct load_call *call, struct bytes data);
    /* The answer is whole; the call is over. */
    void (*on_end)(struct load_call *call);
    /* REFUSED, RESET, EOF, TIMEOUT, PROTOCOL…; the call is over. */
    void (*on_fail)(struct load_call *call, enum err e, bool has_begun);
};

/* Embedded in its user's object. */
struct load_call {
    const struct load_call_ops *ops;
    struct load_target *target;
    struct load_conn *conn; /* NULL: not under way, or waiting */
    struct list node;       /* waiting; list_init before the start */
    struct bytes head;      /* with the empty line; borrowed while the call lasts, like body */
    struct bytes body;
};

/* timeout_ms: of a request, from its sending. */
void load_target_init(struct load_target *t, struct io_loop *loop, const struct io_addr *addr,
                      uint64_t timeout_ms, uint32_t open_max);
/* Ends idle connections; no call may be under way. */
void load_target_fini(struct load_target *t);
/* FD_LIMIT, NO_MEMORY at once; all else by on_fail. */
MUST_CHECK enum err load_call_start(struct load_target *t, struct load_call *call);
/* The connection ends; no callback comes. */
void load_call_cancel(struct load_call *call);

#endif
