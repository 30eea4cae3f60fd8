/* What the tests of the mesh share, over either io: a node that has nothing but a mesh, a log that
 * can be asked, and facts. */
#ifndef TESTS_UNIT_NODE_MESH_FIXTURE_H
#define TESTS_UNIT_NODE_MESH_FIXTURE_H

#include "node/mesh/counts.h"
#include "tests/unit/node/mesh_call.h"

static inline uint64_t node_wall_ms(void *ctx)
{
    return io_wall_ms(((struct node *)ctx)->loop);
}

static inline void node_log(void *ctx, struct bytes line)
{
    struct node *n = ctx;
    if (getenv("MESH_LOG"))
        fprintf(stderr, "%s: %.*s", n->identity.cert.name, (int)line.size, (const char *)line.data);
    assert_int_equal(buf_append(&n->log_text, line), ERR_OK);
}

static inline size_t node_logged(const struct node *n, const char *text)
{
    size_t count = 0, size = strlen(text);
    for (size_t i = 0; i + size <= n->log_text.size; i++)
        count += memcmp(n->log_text.data + i, text, size) == 0;
    return count;
}

static inline const struct facts *node_facts(void *owner)
{
    return &((struct node *)owner)->facts;
}

static inline void node_on_peer(void *owner, struct peer *peer)
{
    ((struct node *)owner)->peer_changes++;
}

static const struct mesh_ops node_ops = {
    .on_request = node_on_request, .facts = node_facts, .on_peer = node_on_peer};

/* Certificates that hold for ten years from 2026, so that the real clock will do. */
static inline void node_identity(uint8_t mesh, uint8_t number, const char *name,
                                 struct identity *ret_identity)
{
    struct fixture f;
    fixture_init(&f, mesh);
    f.invitation_cert.not_after_ms = f.node_cert.not_after_ms = f.admin_cert.not_after_ms;
    fixture_identity(&f, number, name, TIER_EDGE, "eu-west", ret_identity);
}

static inline void node_init(struct node *n, struct io_loop *loop, uint8_t mesh, uint8_t number,
                             const char *name)
{
    *n = (struct node){.loop = loop};
    node_identity(mesh, number, name, &n->identity);
    list_init(&n->served);
    buf_init(&n->log_text, 4 << 20);
    n->log = (struct log){.level = LOG_DEBUG,
                          .format = LOG_TEXT,
                          .wall_ms = node_wall_ms,
                          .sink = node_log,
                          .ctx = n};
    n->facts = (struct facts){.name = bytes_from_str(n->identity.cert.name),
                              .region = BYTES("eu-west"),
                              .tier = TIER_EDGE,
                              .version = BYTES("0.1.0"),
                              .boot_ms = io_wall_ms(loop),
                              .load = {1, 2, number}};
    n->cfg = (struct mesh_cfg){.loop = loop,
                               .identity = &n->identity,
                               .log = &n->log,
                               .seed = number,
                               .contacts = n->contacts,
                               .streams_max = 32,
                               .stream_window = STREAM_WINDOW,
                               .request_window = STREAM_WINDOW};
}

static inline void node_listen(struct node *n, const char *addr)
{
    assert_int_equal(io_addr_parse(bytes_from_str(addr), &n->cfg.listen), ERR_OK);
}

static inline void node_contact(struct node *n, const char *text)
{
    char *copy = n->contact_text[n->cfg.contact_count];
    bytes_to_str(bytes_from_str(text), copy, sizeof(n->contact_text[0]));
    n->contacts[n->cfg.contact_count++] = copy;
}

static inline void node_open(struct node *n)
{
    assert_int_equal(mesh_open(&n->cfg, &node_ops, n, &n->mesh), ERR_OK);
}

static inline void node_stop(struct node *n)
{
    mesh_close(n->mesh);
    n->mesh = NULL;
    assert_true(list_is_empty(&n->served));
}

static inline void node_fini(struct node *n)
{
    node_stop(n);
    buf_fini(&n->log_text);
}

static inline struct peer *node_peer(const struct node *n, const struct node *other)
{
    return n->mesh ? mesh_peer_find(n->mesh, &other->identity.node) : NULL;
}

static inline bool node_sees(const struct node *n, const struct node *other, enum peer_state state)
{
    struct peer *p = node_peer(n, other);
    return p && p->state == state;
}

/* It can send requests there and has its facts. */
static inline bool node_knows(const struct node *n, const struct node *other)
{
    struct peer *p = node_peer(n, other);
    return p && mesh_peer_is_usable(p) && p->facts;
}

static inline struct mesh_counts node_counts(const struct node *n)
{
    struct mesh_counts counts;
    mesh_counts(n->mesh, &counts);
    return counts;
}

#endif
