/* HTTP/1.1 client towards one server: pooled keep-alive connections, one exchange at a time on
 * each. No retry of its own except one: a reused connection that dies before a byte of the answer
 * came is replaced by a fresh one, because the server may have closed it while it idled (RFC 9112
 * section 9.3.1). Once a byte has come nothing is repeated. */
#ifndef NODE_EGRESS_CLIENT_H
#define NODE_EGRESS_CLIENT_H

#include "node/http/parser.h"
#include "node/ingress/body.h"
#include "node/io/stream.h"

#define CLIENT_IDLE_MAX 256         /* pooled connections per server */
#define CLIENT_IDLE_TIMEOUT_MS 4000 /* below llama.cpp's 5 s */
#define CLIENT_CONNECT_TIMEOUT_MS 3000
#define CLIENT_ANSWER_HEAD_MAX (64 * 1024)

struct client_conn;
struct client_call;

struct client_ops {
    /* The answer's head (1xx are skipped); borrowed while the call lasts. */
    void (*on_head)(struct client_call *call, const struct http_head *head);
    void (*on_data)(struct client_call *call, struct bytes data);
    /* The answer is complete; the call is over. */
    void (*on_end)(struct client_call *call);
    /* It failed; the call is over. begun: bytes of the answer had come. REFUSED, RESET, EOF,
     * TIMEOUT, PROTOCOL... */
    void (*on_fail)(struct client_call *call, enum err e, bool begun);
};

struct client {
    struct io_loop *loop;
    struct io_addr addr;
    struct list idle; /* most recently used first */
    uint32_t idle_count;
    struct list busy;
    struct io_idle_list idle_timeouts;
    struct io_idle_list connect_timeouts;
};

/* Embedded in its user's object. Everything it points to is borrowed while the call lasts. */
struct client_call {
    const struct client_ops *ops;
    struct client *client;
    struct client_conn *conn; /* NULL: not running */
    struct bytes head;        /* request line and fields with the empty line, finished */
    const struct body *body;  /* NULL: none */
    bool is_head;             /* method HEAD */
    const char *detail;       /* on_fail: what was wrong with the answer, in English; or NULL */
};

void client_init(struct client *c, struct io_loop *loop, const struct io_addr *addr);
/* Ends idle connections; no call may be running. */
void client_fini(struct client *c);
/* Starts. FD_LIMIT, NO_MEMORY at once, everything else by on_fail. */
MUST_CHECK enum err client_start(struct client *c, struct client_call *call);
/* No callback comes any more; the connection is closed, which is how engines learn that work is not
 * wanted. */
void client_cancel(struct client_call *call);
/* Back-pressure: after pause only what was read already still comes (at most IO_READ_SIZE). */
void client_pause(struct client_call *call);
void client_resume(struct client_call *call);

#endif
