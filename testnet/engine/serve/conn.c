/* Bytes in, answers out; see conn.h. What a request means is routes.c's and job.c's.
 *
 * Happy path: head, body, end -> routes_dispatch -> conn_answer, or conn_begin, pieces, conn_end.
 * Failure modes: malformed requests (400 and the end), bodies beyond CONN_BODY_MAX (413), clients
 * that go away or do not read, pipelined requests (kept, one after the other). */
#include "testnet/engine/serve/conn.h"

#include "testnet/engine/serve/job.h"
#include "testnet/engine/serve/routes.h"

#include <stdlib.h>

#define LINGER_MS 2000
#define KEEP_ALIVE_MAX 100 /* requests on a connection, by llama.cpp */

/* --- beginning and ending */

enum ending { END_NOW, END_GRACEFULLY, END_BY_RESET };

static void destroy(struct conn *c, enum ending how)
{
    struct io_stream *stream = c->stream;
    c->stream = NULL;
    if (c->job)
        job_abandon(c->job);
    c->job = NULL;
    if (stream && how == END_GRACEFULLY)
        io_stream_close_gracefully(stream, LINGER_MS);
    else if (stream && how == END_BY_RESET)
        io_stream_reset(stream);
    else
        io_stream_close(stream);
    io_idle_stop(&c->idle);
    io_task_cancel(&c->next);
    c->is_doomed = true;
    if (c->is_feeding)
        return;
    list_remove(&c->node);
    http_parser_destroy(c->parser);
    buf_fini(&c->body);
    buf_fini(&c->rest);
    buf_fini(&c->out);
    free(c);
}

void conn_break(struct conn *c, bool by_reset)
{
    destroy(c, by_reset ? END_BY_RESET : END_GRACEFULLY);
}

void conn_close_all(struct server *s)
{
    while (!list_is_empty(&s->conns))
        destroy(LIST_ENTRY(s->conns.next, struct conn, node), END_NOW);
}

static void on_idle(struct io_idle *idle)
{
    destroy(LIST_ENTRY(idle, struct conn, idle), END_GRACEFULLY);
}

/* --- requests */

static enum err on_head(void *owner, const struct http_head *head)
{
    struct conn *c = owner;
    c->head = *head;
    c->keep_alive = head->keep_alive;
    c->request_count++;
    buf_clear(&c->body);
    if (head->expect_continue) {
        struct bytes go_on = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
        io_stream_write(c->stream, &go_on, 1);
    }
    return ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct conn *c = owner;
    return buf_append(&c->body, data) == ERR_OK ? ERR_OK : ERR_BODY_TOO_LARGE;
}

static enum err on_end(void *owner)
{
    ((struct conn *)owner)->is_answering = true;
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

static void refuse(struct conn *c, enum err e)
{
    c->keep_alive = false;
    c->is_answering = true;
    routes_refuse(c, &(struct say_error){.status = e == ERR_BODY_TOO_LARGE ? 413 : 400,
                                         .text = http_parser_detail(c->parser)});
}

/* Returns what was not used; empty when the connection is gone. */
static struct bytes feed_one(struct conn *c, struct bytes data)
{
    size_t used = 0;
    io_idle_stop(&c->idle);
    enum err e = http_parser_feed(c->parser, data, &used);
    if (e != ERR_OK)
        refuse(c, e);
    else if (c->is_answering)
        routes_dispatch(c);
    else
        io_idle_touch(&c->server->idle, &c->idle, on_idle);
    return c->is_doomed || e != ERR_OK ? bytes_of(NULL, 0) : bytes_skip(data, used);
}

static void feed(struct conn *c, struct bytes data)
{
    c->is_feeding = true;
    while (data.size > 0 && !c->is_doomed && !c->is_answering)
        data = feed_one(c, data);
    if (!c->is_doomed && data.size > 0 && buf_append(&c->rest, data) != ERR_OK)
        destroy(c, END_BY_RESET);
    c->is_feeding = false;
    if (c->is_doomed)
        destroy(c, END_NOW);
}

static void on_next(struct io_task *task)
{
    struct conn *c = LIST_ENTRY(task, struct conn, next);
    struct buf rest = c->rest;
    buf_init(&c->rest, rest.size_max);
    feed(c, buf_bytes(&rest)); /* may be the end of c */
    buf_fini(&rest);
}

static void on_read(void *owner, struct bytes data)
{
    struct conn *c = owner;
    if (!c->is_answering && c->rest.size == 0)
        feed(c, data);
    else if (buf_append(&c->rest, data) != ERR_OK)
        destroy(c, END_BY_RESET);
}

static void on_eof(void *owner)
{
    destroy(owner, END_GRACEFULLY);
}

static void on_fail(void *owner, enum err e)
{
    (void)e;
    destroy(owner, END_NOW);
}

static const struct io_stream_ops stream_ops = {NULL, on_read, on_eof, NULL, on_fail};

void conn_on_accept(void *owner, struct io_stream *stream)
{
    struct server *s = owner;
    struct conn *c = calloc(1, sizeof *c);
    struct http_parser_cfg cfg = {
        .kind = HTTP_PARSE_REQUEST, .head_max = 64 * 1024, .target_max = 8192};
    if (!c || http_parser_create(&cfg, &parser_ops, c, &c->parser) != ERR_OK) {
        free(c);
        io_stream_close(stream);
        return;
    }
    http_parser_reset(c->parser, false);
    c->server = s;
    c->stream = stream;
    buf_init(&c->body, CONN_BODY_MAX);
    buf_init(&c->rest, CONN_REST_MAX + IO_READ_SIZE);
    buf_init(&c->out, CONN_BODY_MAX);
    io_task_init(&c->next, on_next);
    list_push_back(&s->conns, &c->node);
    io_stream_set(stream, &stream_ops, c);
    io_idle_touch(&s->idle, &c->idle, on_idle);
    io_stream_read(stream);
}

/* --- answers */

static bool stays_open(const struct conn *c, int status)
{
    bool is_llamacpp = c->server->cfg.like == SAY_LLAMACPP;
    return c->keep_alive && !(is_llamacpp && (status >= 400 || c->request_count >= KEEP_ALIVE_MAX));
}

/* Fields that the real server sends with everything. */
static enum err write_manners(struct conn *c, const struct conn_answer *a)
{
    struct buf *out = &c->out;
    const char *type = a->content_type;
    switch (c->server->cfg.like) {
    case SAY_LLAMACPP:
        TRY(buf_append_str(out, "Server: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n"));
        type = type ? type : "application/json; charset=utf-8";
        break;
    case SAY_VLLM: TRY(buf_append_str(out, "server: uvicorn\r\n")); break;
    case SAY_KSERVE: break;
    }
    TRY(http_write_field(out, BYTES("Content-Type"),
                         bytes_from_str(type ? type : "application/json")));
    if (a->fields)
        TRY(buf_append_str(out, a->fields));
    if (!c->keep_alive)
        return buf_append_str(out, "Connection: close\r\n");
    if (c->server->cfg.like == SAY_LLAMACPP)
        return buf_append_str(out, "Keep-Alive: timeout=5, max=100\r\n");
    return ERR_OK;
}

static enum err write_head(struct conn *c, const struct conn_answer *a, bool is_stream)
{
    buf_clear(&c->out);
    c->keep_alive = stays_open(c, a->status) && a->missing == 0;
    c->is_chunked = is_stream && c->head.minor_version > 0;
    if (is_stream && !c->is_chunked)
        c->keep_alive = false;
    TRY(http_write_status_line(&c->out, a->status));
    TRY(write_manners(c, a));
    if (c->is_chunked)
        TRY(buf_append_str(&c->out, "Transfer-Encoding: chunked\r\n"));
    else if (!is_stream)
        TRY(http_write_field_decimal(&c->out, BYTES("Content-Length"), a->body.size + a->missing));
    return buf_append_str(&c->out, "\r\n");
}

/* The request is answered: on with the next one, or the end. */
static void answered(struct conn *c)
{
    c->is_answering = false;
    c->job = NULL;
    if (!c->keep_alive) {
        destroy(c, END_GRACEFULLY);
        return;
    }
    http_parser_reset(c->parser, false);
    io_idle_touch(&c->server->idle, &c->idle, on_idle);
    if (c->rest.size > 0)
        io_task_post(c->server->loop, &c->next);
}

void conn_answer(struct conn *c, const struct conn_answer *a)
{
    if (write_head(c, a, false) != ERR_OK) {
        destroy(c, END_NOW);
        return;
    }
    struct bytes parts[] = {buf_bytes(&c->out), a->body};
    bool is_head = c->head.method == HTTP_HEAD;
    io_stream_write(c->stream, parts, is_head || a->body.size == 0 ? 1 : 2);
    answered(c);
}

bool conn_begin(struct conn *c, const struct conn_answer *head)
{
    if (write_head(c, head, true) != ERR_OK) {
        destroy(c, END_NOW);
        return false;
    }
    struct bytes part = buf_bytes(&c->out);
    io_stream_write(c->stream, &part, 1);
    return true;
}

bool conn_piece(struct conn *c, struct bytes data)
{
    char size[HTTP_CHUNK_HEAD_MAX];
    if (data.size == 0)
        return true;
    struct bytes parts[] = {bytes_of(size, http_chunk_head(data.size, size)), data, BYTES("\r\n")};
    if (io_stream_queued(c->stream) + data.size > CONN_QUEUE_MAX) {
        destroy(c, END_BY_RESET);
        return false;
    }
    if (c->is_chunked)
        io_stream_write(c->stream, parts, 3);
    else
        io_stream_write(c->stream, &data, 1);
    return true;
}

void conn_end(struct conn *c)
{
    struct bytes end = HTTP_CHUNK_END;
    if (c->is_chunked)
        io_stream_write(c->stream, &end, 1);
    answered(c);
}
