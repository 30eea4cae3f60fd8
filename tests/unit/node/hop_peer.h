/* A scripted peer beside the nodes of hop_world.h: it is of the mesh, and has nothing but a link.
 * It asks in its own time, and answers as its test says. */
#ifndef TESTS_UNIT_NODE_HOP_PEER_H
#define TESTS_UNIT_NODE_HOP_PEER_H

#include "node/http/octets.h"
#include "node/mesh/mesh.h"
#include "tests/unit/node/hop_world.h"

#define HOP_ASKS_MAX 8
#define HOP_MODEL "p" /* that it alone offers */

struct hop_peer;

/* A stream of either direction. */
struct hop_stream {
    struct mesh_stream ms;
    struct hop_peer *peer;
    int status; /* of the answer to what it asked */
    char reason[64];
    bool is_whole;  /* the other half came to its end */
    bool is_closed; /* by the other side */
};

struct hop_peer {
    struct world *w;
    struct io_loop *loop;
    struct identity identity;
    struct log log;
    struct facts facts;
    struct facts_backend backend;
    struct facts_model model;
    struct mesh *mesh;
    struct hop_stream asks[HOP_ASKS_MAX];  /* its own */
    struct hop_stream asked[HOP_ASKS_MAX]; /* the nodes' */
    int asked_count;
    void (*on_asked)(struct hop_stream *s); /* NULL: says nothing */
};

static inline void hop_on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    struct hop_stream *s = (struct hop_stream *)ms;
    const struct http_field *reason = http_find(head, HTTP_GRAPEVINE_REASON);
    s->status = head->status;
    s->is_whole = ended;
    if (reason)
        bytes_to_str(reason->value, s->reason, sizeof s->reason);
}

static inline void hop_on_data(struct mesh_stream *ms, struct bytes data)
{
    h2_consume(ms->h2, data.size);
}

static inline void hop_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct hop_stream *s = (struct hop_stream *)ms;
    s->is_whole = true;
    if (s->peer->on_asked && s >= s->peer->asked && s < s->peer->asked + HOP_ASKS_MAX)
        s->peer->on_asked(s);
}

static inline void hop_on_want(struct mesh_stream *ms)
{
    (void)ms;
}

static inline void hop_on_closed(struct mesh_stream *ms, enum err reason)
{
    ((struct hop_stream *)ms)->is_closed = true;
}

static const struct mesh_stream_ops hop_stream_ops = {hop_on_head, hop_on_data, hop_on_end,
                                                      hop_on_want, hop_on_closed};

static inline enum err hop_on_request(void *owner, struct peer *peer, struct h2_stream *h2,
                                      const struct http_head *head, bool ended,
                                      struct mesh_stream **ret_stream)
{
    struct hop_peer *p = owner;
    assert_true(p->asked_count < HOP_ASKS_MAX);
    struct hop_stream *s = &p->asked[p->asked_count++];
    *s = (struct hop_stream){.ms = {.ops = &hop_stream_ops, .h2 = h2}, .peer = p};
    *ret_stream = &s->ms;
    return ERR_OK;
}

static inline const struct facts *hop_facts(void *owner)
{
    return &((struct hop_peer *)owner)->facts;
}

static const struct mesh_ops hop_mesh_ops = {.on_request = hop_on_request, .facts = hop_facts};

static inline uint64_t hop_wall_ms(void *ctx)
{
    return io_wall_ms(((struct hop_peer *)ctx)->loop);
}

static inline struct peer *hop_peer_of(struct hop_peer *p, const struct side *s)
{
    return mesh_peer_find(p->mesh, &s->identity.node);
}

static inline bool hop_is_linked(struct hop_peer *p, const struct side *s)
{
    struct peer *other = hop_peer_of(p, s);
    return other && mesh_peer_is_usable(other) && other->facts;
}

/* Dials this node, and is taken for alive by it. */
static inline void hop_peer_open(struct hop_peer *p, struct world *w, const struct side *s)
{
    struct fixture f;
    char contact[80];
    const char *contacts[] = {contact};
    *p = (struct hop_peer){.w = w};
    fixture_init(&f, 1);
    fixture_identity(&f, 60, "peer", TIER_CLOUD, "eu-west", &p->identity);
    assert_int_equal(sim_host_create(w->sim, "peer", NULL, &p->loop), ERR_OK);
    p->log = (struct log){.level = LOG_ERROR, .wall_ms = hop_wall_ms, .sink = no_log, .ctx = p};
    p->model = (struct facts_model){.name = BYTES(HOP_MODEL), .context = -1, .slots = -1};
    p->backend = (struct facts_backend){.name = BYTES("b"),
                                        .kind = BYTES("openai"),
                                        .state = FACTS_BACKEND_UP,
                                        .concurrency = 4,
                                        .models = &p->model,
                                        .model_count = 1};
    p->facts = (struct facts){.name = BYTES("peer"),
                              .region = BYTES("eu-west"),
                              .tier = TIER_CLOUD,
                              .version = BYTES("0.1.0"),
                              .load = {0, 0, 4},
                              .backends = &p->backend,
                              .backend_count = 1};
    snprintf(contact, sizeof contact, "%s:7300", s->config.name);
    struct mesh_cfg cfg = {.loop = p->loop,
                           .identity = &p->identity,
                           .log = &p->log,
                           .seed = 60,
                           .contacts = contacts,
                           .contact_count = 1,
                           .streams_max = 32,
                           .stream_window = 65536,
                           .request_window = 65536};
    assert_int_equal(io_addr_parse(BYTES("0.0.0.0:7300"), &cfg.listen), ERR_OK);
    assert_int_equal(mesh_open(&cfg, &hop_mesh_ops, p, &p->mesh), ERR_OK);
    UNTIL(w, hop_is_linked(p, s));
    run_for(w, 2 * SECOND); /* the node has its facts, too */
}

static inline void hop_peer_close(struct hop_peer *p)
{
    mesh_close(p->mesh);
}

#endif
