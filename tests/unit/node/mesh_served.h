/* The tests' node as a server: it echoes ("/echo"), swallows ("/sink") or pours out ("/pour")
 * bytes, with back-pressure. Part of mesh_fixture.h. */
#ifndef TESTS_UNIT_NODE_MESH_SERVED_H
#define TESTS_UNIT_NODE_MESH_SERVED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/mesh/mesh.h"
#include "tests/support/trust_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define STREAM_WINDOW (64 * 1024)

struct node {
    struct identity identity;
    struct io_loop *loop;
    struct mesh *mesh;
    struct log log;
    struct buf log_text;
    struct facts facts;
    char contact_text[4][64];
    const char *contacts[4];
    struct mesh_cfg cfg;
    struct list served;
    size_t served_count; /* requests taken */
    size_t served_bytes; /* of their bodies */
    size_t peer_changes;
    bool holds;       /* "/sink": takes bytes, gives no credit back */
    size_t pour_size; /* "/pour" */
    enum err refuses; /* instead of serving */
};

/* A request that a node serves. */
struct served {
    struct mesh_stream ms;
    struct list list;
    struct node *node;
    bool echoes;
    bool holds;
    size_t held;
    size_t to_pour;
    size_t poured;
    bool is_ended; /* the peer's half */
    struct buf unsent;
};

static inline uint8_t pattern_at(uint8_t tag, size_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) + tag);
}

static inline void served_free(struct served *v)
{
    list_remove(&v->list);
    buf_fini(&v->unsent);
    free(v);
}

static inline void served_finish(struct served *v)
{
    struct http_field field = {
        .id = HTTP_GRAPEVINE_LOAD, .name = BYTES("grapevine-load"), .value = BYTES("1/2/3")};
    struct http_head trailers = {.fields = &field, .field_count = 1};
    assert_int_equal(h2_end(v->ms.h2, &trailers), ERR_OK);
}

static inline void served_go_on(struct served *v)
{
    uint8_t piece[8192];
    while (v->poured < v->to_pour && h2_send_queued(v->ms.h2) == 0) {
        size_t n = v->to_pour - v->poured < sizeof(piece) ? v->to_pour - v->poured : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern_at(0, v->poured + i);
        assert_int_equal(h2_send(v->ms.h2, bytes_of(piece, n)), ERR_OK);
        v->poured += n;
    }
    while (v->unsent.size && h2_send_queued(v->ms.h2) == 0) {
        size_t n = v->unsent.size < sizeof(piece) ? v->unsent.size : sizeof(piece);
        assert_int_equal(h2_send(v->ms.h2, bytes_of(v->unsent.data, n)), ERR_OK);
        h2_consume(v->ms.h2, n);
        buf_consume(&v->unsent, n);
    }
    if (v->is_ended && v->poured == v->to_pour && v->unsent.size == 0) {
        v->is_ended = false;
        served_finish(v);
    }
}

static inline void served_on_data(struct mesh_stream *ms, struct bytes data)
{
    struct served *v = (struct served *)ms;
    v->node->served_bytes += data.size;
    if (v->echoes) {
        assert_int_equal(buf_append(&v->unsent, data), ERR_OK); /* bounded by the stream's window */
        served_go_on(v);
    } else if (v->holds) {
        v->held += data.size;
    } else {
        h2_consume(ms->h2, data.size);
    }
}

static inline void served_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct served *v = (struct served *)ms;
    v->is_ended = true;
    served_go_on(v);
}

static inline void served_on_want(struct mesh_stream *ms)
{
    served_go_on((struct served *)ms);
}

static inline void served_on_closed(struct mesh_stream *ms, enum err reason)
{
    assert_null(ms->h2);
    served_free((struct served *)ms);
}

static const struct mesh_stream_ops served_ops = {.on_data = served_on_data,
                                                  .on_end = served_on_end,
                                                  .on_want = served_on_want,
                                                  .on_closed = served_on_closed};

static inline enum err node_on_request(void *owner, struct peer *peer, struct h2_stream *s,
                                       const struct http_head *head, bool ended,
                                       struct mesh_stream **ret_stream)
{
    struct node *n = owner;
    if (n->refuses != ERR_OK)
        return n->refuses;
    struct served *v = calloc(1, sizeof(*v));
    assert_non_null(v);
    assert_non_null(peer);
    v->ms.ops = &served_ops;
    v->node = n;
    v->echoes = bytes_equal(head->target, BYTES("/echo"));
    v->holds = bytes_equal(head->target, BYTES("/sink")) && n->holds;
    v->to_pour = bytes_equal(head->target, BYTES("/pour")) ? n->pour_size : 0;
    buf_init(&v->unsent, 2 * STREAM_WINDOW);
    list_push_back(&n->served, &v->list);
    n->served_count++;
    *ret_stream = &v->ms;
    v->ms.h2 = s;
    struct http_head answer = {.status = 200, .content_length = -1};
    assert_int_equal(h2_respond(s, &answer, false), ERR_OK);
    v->is_ended = ended;
    served_go_on(v);
    return ERR_OK;
}

/* Gives the credit of all held bytes back and holds no more. */
static inline void node_release(struct node *n)
{
    n->holds = false;
    LIST_EACH(it, &n->served)
    {
        struct served *v = LIST_ENTRY(it, struct served, list);
        v->holds = false;
        h2_consume(v->ms.h2, v->held);
        v->held = 0;
    }
}

#endif
