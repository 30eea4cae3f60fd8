/* The connection object, shared by http_conn.c (bytes in), http_sink.c (answers out), listener.c
 * and nobody else. */
#ifndef NODE_INGRESS_HTTP_CONN_IMPL_H
#define NODE_INGRESS_HTTP_CONN_IMPL_H

#include "node/http/parser.h"
#include "node/ingress/exchange.h"
#include "node/ingress/http_conn.h"

#define HTTP_CONN_REST_MAX (16 * 1024) /* pipelined bytes kept before reading stops */

struct http_conn {
    struct list node; /* lane's connections */
    struct lane *lane;
    struct io_stream *stream;
    struct http_parser *parser; /* made when the first byte comes */
    struct exchange *x;         /* the one that is arriving or running */
    struct io_idle idle;
    struct io_task flush; /* writes a head that no data followed in this turn */
    struct io_task next;  /* goes on with pipelined bytes */
    struct buf rest;
    struct buf out; /* answer's head, until it is written */
    size_t arrived; /* body bytes since the time-out was last looked at */
    enum api_face face;
    bool keep_alive;
    bool is_complete; /* the whole request is there */
    bool is_head;     /* method HEAD: no answer body */
    bool is_old;      /* HTTP/1.0 */
    bool is_chunked;  /* the answer */
    bool is_sse;
    bool has_answer; /* bytes of the present answer were written or wait in out */
    bool is_feeding; /* inside the parser: destroy later */
    bool is_doomed;
    bool has_ended;  /* the client's half */
    bool is_ended;   /* the last event of an SSE answer went out */
    uint8_t tail[2]; /* last bytes of an SSE answer */
    int64_t owed;    /* body bytes of the answer still to come; -1: not announced */
};

extern const struct sink_ops http_sink_ops;

/* owner: the listener. */
void http_conn_on_accept(void *owner, struct io_stream *stream);

/* After the answer: on with the next request, or the end. */
void http_conn_answered(struct http_conn *conn);
void http_conn_destroy(struct http_conn *conn);
/* Sends what is queued, then closes. The object is gone. */
void http_conn_destroy_gracefully(struct http_conn *conn);
void http_sink_flush(struct io_task *task);
/* The client has the whole answer, as far as it can tell: many close at the last byte. */
bool http_sink_is_complete(const struct http_conn *conn);

#endif
