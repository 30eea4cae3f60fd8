/* One HTTP/1.1 connection of the emulated engine: a request at a time, its answer whole or as a
 * stream, manners as the real server has them (keep-alive, Connection: close after errors).
 *
 *   idle ──bytes──> head, body ──> running (serve_dispatch) ──answer──> idle …
 *
 * A client that closes, even only its sending side, has gone: its work is cancelled. */
#ifndef TESTNET_ENGINE_SERVE_CONN_H
#define TESTNET_ENGINE_SERVE_CONN_H

#include "node/http/parser.h"
#include "node/io/stream.h"
#include "testnet/engine/serve/server.h"

#define CONN_REST_MAX (64 * 1024)        /* pipelined bytes kept */
#define CONN_QUEUE_MAX (4 * 1024 * 1024) /* of an answer that is not read: then the client is cut */
#define CONN_BODY_MAX (16 * 1024 * 1024)

struct job;

struct conn {
    struct list node;
    struct server *server;
    struct io_stream *stream;
    struct http_parser *parser;
    struct http_head head; /* of the present request; in the parser's storage */
    struct buf body;
    struct buf rest;
    struct buf out;
    struct job *job; /* answers it; NULL: none is under way */
    struct io_idle idle;
    struct io_task next;
    uint32_t request_count;
    bool is_answering; /* a whole request is here and not answered yet */
    bool keep_alive;
    bool is_chunked;
    bool is_feeding, is_doomed;
};

struct conn_answer {
    int status;
    const char *content_type; /* NULL: the server's usual one for JSON */
    const char *fields;       /* further ones, whole lines; NULL: none */
    struct bytes body;
    uint64_t missing; /* bytes announced and never sent */
};

void conn_on_accept(void *server, struct io_stream *stream);
/* A whole answer; the connection goes on or ends. */
void conn_answer(struct conn *c, const struct conn_answer *answer);
/* An answer piece by piece. False: the client did not read, the connection and its job are gone. */
bool conn_begin(struct conn *c, const struct conn_answer *head);
bool conn_piece(struct conn *c, struct bytes data);
void conn_end(struct conn *c);
/* Breaks off: by a reset, or as if the server had died after its last byte. Its job is gone. */
void conn_break(struct conn *c, bool by_reset);
/* All of a server's; running work is cancelled. */
void conn_close_all(struct server *s);

#endif
