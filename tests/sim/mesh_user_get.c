/* A checker's own request: one GET on one connection. */
#include "tests/sim/mesh_user.h"

#include "node/http/parser.h"
#include "node/io/stream.h"

#include <stdio.h>
#include <stdlib.h>

struct user_get {
    struct io_stream *stream;
    struct http_parser *parser;
    struct buf body;
    int head_status;
    int status;
};

static enum err on_head(void *owner, const struct http_head *head)
{
    ((struct user_get *)owner)->head_status = head->status;
    return ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    return buf_append(&((struct user_get *)owner)->body, data);
}

static enum err on_end(void *owner)
{
    struct user_get *g = owner;
    g->status = g->head_status;
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

static void fail(struct user_get *g)
{
    if (g->status == 0)
        g->status = -1;
}

static void on_open(void *owner, enum err e)
{
    struct user_get *g = owner;
    if (e == ERR_OK)
        io_stream_read(g->stream);
    else
        fail(g);
}

static void on_read(void *owner, struct bytes data)
{
    struct user_get *g = owner;
    size_t used;
    if (g->status == 0 && http_parser_feed(g->parser, data, &used) != ERR_OK)
        fail(g);
}

static void on_eof(void *owner)
{
    fail(owner);
}

static void on_stream_fail(void *owner, enum err e)
{
    (void)e;
    fail(owner);
}

static const struct io_stream_ops stream_ops = {on_open, on_read, on_eof, NULL, on_stream_fail};

struct user_get *user_get(struct io_loop *loop, const struct io_addr *addr, const char *path)
{
    struct user_get *g = calloc(1, sizeof *g);
    struct http_parser_cfg cfg = {HTTP_PARSE_RESPONSE, 65536, 0};
    char text[512];
    CHECK(g && http_parser_create(&cfg, &parser_ops, g, &g->parser) == ERR_OK);
    http_parser_reset(g->parser, false);
    buf_init(&g->body, 4u << 20);
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", path);
    struct bytes request = bytes_of(text, (size_t)size);
    CHECK(io_connect(loop, addr, &stream_ops, g, &g->stream) == ERR_OK);
    io_stream_write(g->stream, &request, 1);
    return g;
}

bool user_get_is_done(const struct user_get *g)
{
    return g->status != 0;
}

int user_get_status(const struct user_get *g)
{
    return g->status;
}

struct bytes user_get_body(const struct user_get *g)
{
    return buf_bytes(&g->body);
}

void user_get_free(struct user_get *g)
{
    io_stream_close(g->stream);
    http_parser_destroy(g->parser);
    buf_fini(&g->body);
    free(g);
}
