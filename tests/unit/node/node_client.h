/* Raw clients before a whole node under test. */
#ifndef TESTS_UNIT_NODE_NODE_CLIENT_H
#define TESTS_UNIT_NODE_NODE_CLIENT_H

#include "node_engine.h"

static inline void client_on_open(void *owner, enum err e)
{
    ((struct client *)owner)->saw_fail |= e != ERR_OK;
}

static inline void client_on_read(void *owner, struct bytes data)
{
    struct client *c = owner;
    assert_int_equal(buf_append(&c->in, data), ERR_OK);
}

static inline void client_on_eof(void *owner)
{
    ((struct client *)owner)->saw_eof = true;
}

static inline void client_on_fail(void *owner, enum err e)
{
    (void)e;
    ((struct client *)owner)->saw_fail = true;
}

static const struct io_stream_ops client_ops = {client_on_open, client_on_read, client_on_eof, NULL,
                                                client_on_fail};

static inline struct client *connect_client(struct world *w, int index)
{
    struct client *c = &w->clients[index];
    io_stream_close(c->stream);
    buf_fini(&c->in);
    *c = (struct client){.w = w};
    buf_init(&c->in, 64 << 20);
    assert_int_equal(io_connect(w->loop, &w->http, &client_ops, c, &c->stream), ERR_OK);
    io_stream_read(c->stream);
    return c;
}

static inline void send_text(struct client *c, const char *text)
{
    struct bytes part = bytes_from_str(text);
    io_stream_write(c->stream, &part, 1);
}

static inline void send_bytes(struct client *c, const void *data, size_t size)
{
    struct bytes part = bytes_of(data, size);
    io_stream_write(c->stream, &part, 1);
}

static inline void hang_up(struct client *c)
{
    io_stream_close(c->stream);
    c->stream = NULL;
}

/* How often `text` stands in what the client got. */
static inline int times(const struct client *c, const char *text)
{
    size_t size = strlen(text);
    int n = 0;
    for (size_t i = 0; c->in.size >= size && i + size <= c->in.size; i++)
        if (memcmp(c->in.data + i, text, size) == 0) {
            n++;
            i += size - 1;
        }
    return n;
}

static inline bool got(const struct client *c, const char *text)
{
    return times(c, text) > 0;
}

static inline bool is_over(const struct client *c)
{
    return c->saw_eof || c->saw_fail;
}

#define WAIT_FOR(c, text) RUN_UNTIL((c)->w->loop, got((c), (text)))
#define WAIT_OVER(c) RUN_UNTIL((c)->w->loop, is_over(c))

static inline void forget(struct client *c)
{
    buf_clear(&c->in);
}

/* Sends on a connection of its own and waits for the whole answer, which must begin with `status`
 * and hold `text`. */
static inline struct client *ask(struct world *w, int index, const char *request,
                                 const char *status, const char *text)
{
    struct client *c = connect_client(w, index);
    send_text(c, request);
    WAIT_FOR(c, "\r\n\r\n");
    if (text)
        WAIT_FOR(c, text);
    assert_true(bytes_starts_with(buf_bytes(&c->in), bytes_from_str(status)));
    return c;
}

#endif
