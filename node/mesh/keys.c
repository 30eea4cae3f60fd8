/* Happy path: a ring comes (at the start, from an operator, over a link), is newer and verifies ->
 * stored, given to gossip, told to all who are linked, then to those who are dialled. Failure
 * modes: it is not newer (204, nothing to do), it does not verify (403, and said), it cannot be
 * stored (said; it is used all the same and comes again after a restart), a peer that does not take
 * it (told again later). */
#include "node/mesh/keys.h"

#include "node/mesh/core.h"
#include "node/mesh/orders.h"

#include <stdlib.h>

struct post {
    struct list node;
    struct mesh_stream stream;
    bool is_theirs;
    uint64_t generation; /* of ours */
    bool is_too_long;    /* of theirs, and what came of it: */
    size_t size;
    uint8_t body[KEYRING_SIZE_MAX];
};

static void on_timer(struct io_timer *timer);

static struct mesh *mesh_of(const struct mesh_stream *ms)
{
    return peer_slot_of(ms->peer)->mesh;
}

static struct post *post_of(struct mesh_stream *ms)
{
    return LIST_ENTRY(ms, struct post, stream);
}

static void post_destroy(struct post *post)
{
    list_remove(&post->node);
    crypto_wipe(post, sizeof(*post));
    free(post);
}

static void on_closed(struct mesh_stream *ms, enum err reason)
{
    (void)reason;
    post_destroy(post_of(ms));
}

static void ignore_want(struct mesh_stream *ms)
{
    (void)ms;
}

static bool is_under_way(const struct peer *p, bool theirs, size_t max)
{
    size_t count = 0;
    LIST_EACH(it, &peer_slot_of((struct peer *)p)->mesh->keys.posts)
    {
        const struct post *post = LIST_ENTRY(it, struct post, node);
        count += post->is_theirs == theirs && post->stream.peer == p;
    }
    return count >= max;
}

/* --- ours */

static void out_on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    struct mesh *m = mesh_of(ms);
    struct keys_peer *kp = &peer_slot_of(ms->peer)->keys;
    (void)ended;
    if (head->status != 204)
        LOG(m->cfg.log, LOG_DEBUG, "key_ring_not_taken", LOG_STR("peer", ms->peer->name),
            LOG_INT("status", head->status));
    else if (post_of(ms)->generation == m->keys.generation)
        kp->has_ring = true;
    kp->is_due = kp->is_due && !kp->has_ring;
}

static void out_on_data(struct mesh_stream *ms, struct bytes data)
{
    h2_consume(ms->h2, data.size);
}

static void out_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    (void)ms;
    (void)trailers;
}

static const struct mesh_stream_ops out_ops = {
    .on_head = out_on_head,
    .on_data = out_on_data,
    .on_end = out_on_end,
    .on_want = ignore_want,
    .on_closed = on_closed,
};

static enum err send_ring(struct peer *p, struct mesh_stream *ms, struct bytes ring)
{
    struct http_field type = {.id = HTTP_CONTENT_TYPE,
                              .name = BYTES("content-type"),
                              .value = BYTES("application/x-protobuf")};
    struct http_head head = {.method = HTTP_POST,
                             .target = BYTES(KEYS_TARGET),
                             .host = bytes_from_str(p->name),
                             .content_length = -1,
                             .fields = &type,
                             .field_count = 1};
    TRY(mesh_stream_open(p, &head, false, ms));
    TRY(h2_send(ms->h2, ring));
    return h2_end(ms->h2, NULL);
}

static struct post *post_create(struct mesh *m, const struct mesh_stream_ops *ops)
{
    struct post *post = calloc(1, sizeof(*post));
    if (!post)
        return NULL;
    post->stream.ops = ops;
    list_push_back(&m->keys.posts, &post->node);
    return post;
}

/* Over its link. Whatever fails is tried again with the next link, or by the timer. */
static void tell(struct peer *p)
{
    struct mesh *m = peer_slot_of(p)->mesh;
    if (m->keys.size == 0 || is_under_way(p, false, 1))
        return;
    peer_slot_of(p)->keys.told_ms = mesh_now_ms(m);
    struct post *post = post_create(m, &out_ops);
    if (!post)
        return;
    post->generation = m->keys.generation;
    enum err e = send_ring(p, &post->stream, bytes_of(m->keys.wire, m->keys.size));
    if (e == ERR_OK)
        return;
    mesh_stream_cancel(&post->stream);
    post_destroy(post);
}

static void wake(struct mesh *m)
{
    if (!io_timer_is_running(&m->keys.timer) && !m->draining && !m->closing)
        io_timer_start(m->cfg.loop, &m->keys.timer, KEYS_INTERVAL_MS, on_timer);
}

void keys_link_up(struct peer *p)
{
    peer_slot_of(p)->keys.has_ring = false;
    tell(p);
    if (peer_slot_of(p)->mesh->keys.size > 0)
        wake(peer_slot_of(p)->mesh);
}

/* --- a new ring */

/* The key to seal with first. */
static void give_to_gossip(struct mesh *m, size_t first)
{
    const struct keyring *ring = &m->keys.ring;
    uint8_t both[KEYRING_KEYS_MAX * KEYRING_KEY_SIZE];
    for (size_t i = 0; i < ring->key_count; i++)
        memcpy(both + i * KEYRING_KEY_SIZE, ring->keys[(first + i) % ring->key_count],
               KEYRING_KEY_SIZE);
    gossip_driver_rekey(m, bytes_of(both, ring->key_count * KEYRING_KEY_SIZE));
    crypto_wipe(both, sizeof(both));
}

static void on_settled(struct io_timer *timer)
{
    give_to_gossip(LIST_ENTRY(timer, struct mesh, keys.settle), 0);
}

static void store(struct mesh *m)
{
    struct bytes wire = bytes_of(m->keys.wire, m->keys.size);
    enum err e = m->ops->persist_keyring ? m->ops->persist_keyring(m->owner, wire) : ERR_OK;
    if (e != ERR_OK)
        LOG(m->cfg.log, LOG_ERROR, "key_ring_not_persisted",
            LOG_UINT("version", m->keys.ring.version), LOG_ERR(e));
}

static void hold(struct keys *k, const struct keyring *ring, struct bytes wire)
{
    CHECK(wire.size <= sizeof(k->wire));
    k->ring = *ring;
    memcpy(k->wire, wire.data, wire.size);
    k->size = wire.size;
    k->generation++;
}

/* Whether the others seal with its second key, and we did. */
static bool continues(const struct keyring *ring, const struct keyring *present)
{
    return present->version > 0 && ring->key_count == 2 &&
           crypto_equal(ring->keys[1], present->keys[0], KEYRING_KEY_SIZE);
}

static void adopt(struct mesh *m, const struct keyring *ring, struct bytes wire, size_t dials)
{
    struct keys *k = &m->keys;
    bool is_next = continues(ring, &k->ring);
    hold(k, ring, wire);
    store(m);
    LOG(m->cfg.log, LOG_INFO, "key_ring", LOG_UINT("version", ring->version));
    io_timer_stop(&k->settle);
    give_to_gossip(m, is_next ? 1 : 0);
    if (is_next)
        io_timer_start(m->cfg.loop, &k->settle, KEYS_SETTLE_MS, on_settled);
    k->dials_left = dials;
    k->cursor = m->peer_count > 0 ? rng_next(&m->rng) % m->peer_count : 0;
    for (size_t i = 0; i < m->peer_count; i++) {
        m->peers[i]->keys = (struct keys_peer){.has_ring = false};
        if (m->peers[i]->peer.link)
            tell(&m->peers[i]->peer);
    }
    wake(m);
}

/* REPLAYED: ours is the newer one, or the same. */
static enum err check(const struct mesh *m, struct bytes wire, struct keyring *ret_ring)
{
    TRY(keyring_decode(wire, ret_ring));
    if (m->keys.size > 0 && !keyring_is_newer(ret_ring, &m->keys.ring))
        return ERR_REPLAYED;
    return keyring_verify(wire, m->cfg.identity->root, io_wall_ms(m->cfg.loop), ret_ring);
}

static enum err check_rules(const struct mesh *m, const struct keyring *ring)
{
    return m->ops->check_key ? m->ops->check_key(m->owner, ring->version, ring->keys[0]) : ERR_OK;
}

static void keep_early(struct mesh *m, struct bytes wire, size_t dials)
{
    CHECK(wire.size <= sizeof(m->keys.early));
    memmove(m->keys.early, wire.data, wire.size);
    m->keys.early_size = wire.size;
    m->keys.early_dials = dials;
}

static enum err take(struct mesh *m, struct bytes wire, size_t dials)
{
    struct keyring ring;
    enum err e = check(m, wire, &ring);
    if (e == ERR_OK)
        e = check_rules(m, &ring);
    if (e == ERR_OK)
        adopt(m, &ring, wire, dials);
    else if (e == ERR_NOT_FOUND)
        keep_early(m, wire, dials);
    keyring_wipe(&ring);
    return e;
}

void mesh_review_keys(struct mesh *m)
{
    uint8_t copy[KEYRING_SIZE_MAX];
    size_t size = m->keys.early_size;
    if (size == 0 || m->closing)
        return;
    memcpy(copy, m->keys.early, size);
    m->keys.early_size = 0;
    enum err e = take(m, bytes_of(copy, size), m->keys.early_dials);
    crypto_wipe(copy, sizeof(copy));
    if (e == ERR_NOT_ALLOWED)
        LOG(m->cfg.log, LOG_WARN, "key_ring_refused", LOG_STR("from", "before"), LOG_ERR(e));
}

enum err mesh_keys_take(struct mesh *m, struct bytes wire)
{
    enum err e = take(m, wire, SIZE_MAX);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* --- theirs */

static void in_on_data(struct mesh_stream *ms, struct bytes data)
{
    struct post *post = post_of(ms);
    h2_consume(ms->h2, data.size);
    post->is_too_long |= data.size > sizeof(post->body) - post->size;
    if (post->is_too_long)
        return;
    memcpy(post->body + post->size, data.data, data.size);
    post->size += data.size;
}

static int answer_to(struct peer *p, struct bytes wire)
{
    struct mesh *m = peer_slot_of(p)->mesh;
    enum err e = take(m, wire, KEYS_DIALS);
    if (bytes_equal(wire, bytes_of(m->keys.wire, m->keys.size)))
        peer_slot_of(p)->keys.has_ring = true;
    if (e == ERR_OK || e == ERR_REPLAYED || e == ERR_NOT_FOUND) /* it waits for the rules */
        return 204;
    LOG(m->cfg.log, mesh_level(m, MESH_LINES_REFUSALS, LOG_WARN), "key_ring_refused",
        LOG_STR("from", p->name), LOG_ERR(e));
    return e == ERR_INVALID ? 400 : 403;
}

static void in_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct post *post = post_of(ms);
    struct http_head head = {.content_length = -1};
    (void)trailers;
    head.status = post->is_too_long ? 413 : answer_to(ms->peer, bytes_of(post->body, post->size));
    if (h2_respond(ms->h2, &head, true) == ERR_OK)
        return;
    mesh_stream_cancel(ms);
    post_destroy(post);
}

static const struct mesh_stream_ops in_ops = {
    .on_data = in_on_data,
    .on_end = in_on_end,
    .on_want = ignore_want,
    .on_closed = on_closed,
};

enum err keys_accept(struct link *l, const struct http_head *head, bool ended,
                     struct mesh_stream **ret_stream)
{
    if (head->method != HTTP_POST || ended)
        return ERR_PROTOCOL;
    if (is_under_way(l->peer, true, KEYS_POSTS_MAX))
        return ERR_LIMIT;
    struct post *post = post_create(l->mesh, &in_ops);
    if (!post)
        return ERR_NO_MEMORY;
    post->is_theirs = true;
    post->stream.peer = l->peer;
    *ret_stream = &post->stream;
    return ERR_OK;
}

/* --- rounds: those who do not have it yet */

static bool is_missing(const struct peer_slot *slot)
{
    const struct peer *p = &slot->peer;
    bool is_there = p->link || p->state == PEER_ALIVE || p->state == PEER_SUSPECT;
    return is_there && !slot->keys.has_ring;
}

static bool is_rested(const struct mesh *m, const struct keys_peer *kp)
{
    return kp->told_ms == 0 || mesh_now_ms(m) - kp->told_ms >= KEYS_RETRY_MS;
}

/* True when it was dialled. */
static bool approach(struct mesh *m, struct peer_slot *slot)
{
    struct keys_peer *kp = &slot->keys;
    if (slot->peer.link) {
        tell(&slot->peer);
        return false;
    }
    kp->is_due = slot->contact.port != 0 && m->keys.dials_left > 0;
    if (!kp->is_due)
        return false;
    kp->told_ms = mesh_now_ms(m);
    m->keys.dials_left--;
    upkeep_dial(&slot->peer);
    return true;
}

/* One is dialled at most, and the next round goes on behind it. True: some are missing that can be
 * told. */
static bool round_of(struct mesh *m)
{
    bool is_unfinished = false, has_dialled = false;
    size_t start = m->keys.cursor;
    for (size_t n = 0; n < m->peer_count; n++) {
        size_t at = (start + n) % m->peer_count;
        struct peer_slot *slot = m->peers[at];
        bool is_missed = is_missing(slot);
        slot->keys.is_due = slot->keys.is_due && is_missed && !is_rested(m, &slot->keys);
        if (!is_missed)
            continue;
        is_unfinished |= slot->peer.link || slot->keys.is_due ||
                         (slot->contact.port != 0 && m->keys.dials_left > 0);
        if (has_dialled || !is_rested(m, &slot->keys))
            continue;
        has_dialled = approach(m, slot);
        m->keys.cursor = at + 1;
    }
    return is_unfinished;
}

static void on_timer(struct io_timer *timer)
{
    struct mesh *m = LIST_ENTRY(timer, struct mesh, keys.timer);
    if (round_of(m))
        wake(m);
}

/* --- life */

void keys_init(struct mesh *m)
{
    list_init(&m->keys.posts);
}

void keys_start(struct mesh *m)
{
    struct keyring ring;
    struct bytes wire = m->cfg.keyring;
    m->cfg.keyring = bytes_of(NULL, 0);
    if (wire.size == 0)
        return;
    enum err e = check(m, wire, &ring);
    if (e == ERR_OK) {
        hold(&m->keys, &ring, wire);
        give_to_gossip(m, 0);
    } else {
        LOG(m->cfg.log, LOG_WARN, "key_ring_not_valid", LOG_ERR(e));
    }
    keyring_wipe(&ring);
}

void keys_stop(struct mesh *m)
{
    io_timer_stop(&m->keys.timer);
    io_timer_stop(&m->keys.settle);
}

void keys_fini(struct mesh *m)
{
    CHECK(list_is_empty(&m->keys.posts));
    crypto_wipe(&m->keys, sizeof(m->keys));
}

/* --- questions */

struct bytes mesh_keys(const struct mesh *m)
{
    return bytes_of(m->keys.wire, m->keys.size);
}

void mesh_keys_state(const struct mesh *m, struct mesh_keys_state *ret_state)
{
    *ret_state = (struct mesh_keys_state){.version = m->keys.ring.version,
                                          .made_ms = m->keys.ring.made_ms,
                                          .key_count = m->keys.ring.key_count,
                                          .members = 1,
                                          .having = m->keys.size > 0};
    for (size_t i = 0; i < m->peer_count; i++) {
        const struct peer_slot *slot = m->peers[i];
        bool is_there = slot->peer.state == PEER_ALIVE || slot->peer.state == PEER_SUSPECT;
        ret_state->members += is_there;
        ret_state->having += is_there && slot->keys.has_ring && m->keys.size > 0;
    }
}
