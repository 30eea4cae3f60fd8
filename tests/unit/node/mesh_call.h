/* The tests' node as a client: a call that checks what comes back. Part of mesh_fixture.h. */
#ifndef TESTS_UNIT_NODE_MESH_CALL_H
#define TESTS_UNIT_NODE_MESH_CALL_H

#include "tests/unit/node/mesh_served.h"

/* A request that a node makes, with `size` bytes of a pattern of its own. */
struct call {
    struct mesh_stream ms;
    uint8_t tag;
    size_t size, sent;
    bool holds; /* gives no credit back */
    size_t held;
    size_t got;
    bool mismatch; /* an echo was not what was sent */
    int status, heads, ends, closes;
    size_t trailers;
    enum err reason;
};

static inline void call_go_on(struct call *c)
{
    uint8_t piece[8192];
    while (c->sent < c->size && h2_send_queued(c->ms.h2) == 0) {
        size_t n = c->size - c->sent < sizeof(piece) ? c->size - c->sent : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern_at(c->tag, c->sent + i);
        assert_int_equal(h2_send(c->ms.h2, bytes_of(piece, n)), ERR_OK);
        c->sent += n;
        if (c->sent == c->size)
            assert_int_equal(h2_end(c->ms.h2, NULL), ERR_OK);
    }
}

static inline void call_on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    struct call *c = (struct call *)ms;
    c->heads++;
    c->status = head->status;
}

static inline void call_on_data(struct mesh_stream *ms, struct bytes data)
{
    struct call *c = (struct call *)ms;
    for (size_t i = 0; i < data.size; i++)
        c->mismatch = c->mismatch || data.data[i] != pattern_at(c->tag, c->got + i);
    c->got += data.size;
    if (c->holds)
        c->held += data.size;
    else
        h2_consume(ms->h2, data.size);
}

static inline void call_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct call *c = (struct call *)ms;
    c->ends++;
    c->trailers = trailers ? trailers->field_count : 0;
}

static inline void call_on_want(struct mesh_stream *ms)
{
    call_go_on((struct call *)ms);
}

static inline void call_on_closed(struct mesh_stream *ms, enum err reason)
{
    struct call *c = (struct call *)ms;
    assert_null(ms->h2);
    c->closes++;
    c->reason = reason;
}

static const struct mesh_stream_ops call_ops = {.on_head = call_on_head,
                                                .on_data = call_on_data,
                                                .on_end = call_on_end,
                                                .on_want = call_on_want,
                                                .on_closed = call_on_closed};

static inline enum err call_start(struct call *c, struct peer *to, const char *target, size_t size)
{
    struct http_head head = {.method = size ? HTTP_POST : HTTP_GET,
                             .target = bytes_from_str(target),
                             .host = BYTES("peer"),
                             .content_length = -1};
    uint8_t tag = c->tag;
    bool holds = c->holds;
    *c = (struct call){.ms.ops = &call_ops, .tag = tag, .size = size, .holds = holds};
    TRY(mesh_stream_open(to, &head, size == 0, &c->ms));
    if (size)
        call_go_on(c);
    return ERR_OK;
}

static inline void call_release(struct call *c)
{
    c->holds = false;
    h2_consume(c->ms.h2, c->held);
    c->held = 0;
}

/* It was echoed in full. */
static inline bool call_is_good(const struct call *c)
{
    return c->closes == 1 && c->reason == ERR_OK && c->status == 200 && c->ends == 1 &&
           c->trailers == 1 && c->got == c->size && !c->mismatch;
}

#endif
