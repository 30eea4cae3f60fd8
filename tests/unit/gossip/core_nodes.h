/* A few gossip cores on one table: a clock, a network of 1 ms that can be cut, links that always
 * work unless they are cut, too. For tests of single behaviours; the simulator has the faults. Keys
 * and signatures are make-believe: a signature is a hash of key and message. */
#ifndef TESTS_UNIT_GOSSIP_CORE_NODES_H
#define TESTS_UNIT_GOSSIP_CORE_NODES_H

#include "core_keys.h"

#define WORLD_MAX 12
#define WORLD_QUEUE 65536

struct world_mail {
    uint64_t at_ms;
    size_t from;
    size_t to;
    bool over_link;
    size_t size;
    uint8_t *data;
};

struct world {
    uint64_t now_ms;
    struct world_node nodes[WORLD_MAX];
    size_t count;
    bool cut[WORLD_MAX][WORLD_MAX];           /* nothing passes */
    bool cut_datagrams[WORLD_MAX][WORLD_MAX]; /* from, to */
    size_t datagram_max;                      /* longer ones are lost; 0: none */
    struct world_mail queue[WORLD_QUEUE];     /* a ring */
    size_t head;
    size_t tail;
    /* the last datagram that was sent, to be altered or replayed */
    struct world_mail last;
};

/* --- nodes */

static inline size_t world_index(const struct world *w, const struct id *id)
{
    for (size_t i = 0; i < w->count; i++)
        if (id_equal(&w->nodes[i].id, id))
            return i;
    fail_msg("a node that does not exist");
    return 0;
}

static inline void world_post(struct world *w, size_t from, size_t to, bool over_link,
                              struct bytes data)
{
    struct world_mail *m = &w->queue[w->tail++ % WORLD_QUEUE];
    assert_true(w->tail - w->head < WORLD_QUEUE);
    *m = (struct world_mail){w->now_ms + 1, from, to, over_link, data.size, malloc(data.size)};
    memcpy(m->data, data.data, data.size);
}

static inline void world_step(struct world *w, size_t i, struct gossip_event event);

static inline void world_obey(struct world *w, size_t i, const struct gossip_effects *effects)
{
    struct world_node *n = &w->nodes[i];
    struct id fresh[64];
    size_t fresh_count = 0;
    if (effects->persist_incarnation)
        n->persisted = effects->persist_incarnation;
    for (size_t s = 0; s < effects->send_count; s++) {
        const struct gossip_send *send = &effects->sends[s];
        assert_true(send->data.size <=
                    (send->over_link ? GOSSIP_MESSAGE_MAX : GOSSIP_DATAGRAM_MAX));
        world_post(w, i, world_index(w, &send->to), send->over_link, send->data);
    }
    for (size_t c = 0; c < effects->change_count; c++)
        n->changes[effects->changes[c].to]++;
    n->refusals += effects->refusal_count;
    n->conflict |= effects->identity_conflict;
    for (size_t k = 0; k < effects->news_count && fresh_count < 64; k++)
        if (effects->news[k].kind == GOSSIP_NODE)
            fresh[fresh_count++] = effects->news[k].owner;
    for (size_t k = 0; k < fresh_count; k++) /* its endpoint: the number of the node */
        world_step(
            w, i,
            (struct gossip_event){.type = GOSSIP_ADDRESS,
                                  .id = fresh[k],
                                  .addr = {.ip = {(uint8_t)world_index(w, &fresh[k])}, .size = 4}});
}

static inline void world_step(struct world *w, size_t i, struct gossip_event event)
{
    struct gossip_effects effects;
    event.now_ms = w->now_ms;
    event.now_us = w->now_ms * 1000;
    event.wall_ms = WORLD_WALL_MS + w->now_ms;
    gossip_step(w->nodes[i].g, &event, &effects);
    world_obey(w, i, &effects);
}

static inline void world_publish(struct world *w, size_t i, enum gossip_kind kind, const char *text)
{
    world_step(
        w, i,
        (struct gossip_event){.type = GOSSIP_PUBLISH, .kind = kind, .data = bytes_from_str(text)});
}

static inline void world_start(struct world *w, size_t i)
{
    struct world_node *n = &w->nodes[i];
    struct gossip_cfg cfg = {.mesh = {{7}},
                             .name = n->name,
                             .region = world_region(n->name),
                             .seed = i + 1,
                             .incarnation = n->persisted,
                             .now_ms = w->now_ms,
                             .wall_ms = WORLD_WALL_MS + w->now_ms,
                             .members_max = 64,
                             .keys = {{1}},
                             .key_count = 1,
                             .ops = &world_ops,
                             .ctx = n};
    uint8_t payload[48];
    size_t size = strlen(n->name);
    memcpy(cfg.key, n->key, 32);
    assert_int_equal(gossip_create(&cfg, &n->g), ERR_OK);
    memcpy(payload, n->key, 32);
    memcpy(payload + 32, n->name, size);
    world_step(w, i,
               (struct gossip_event){.type = GOSSIP_PUBLISH,
                                     .kind = GOSSIP_NODE,
                                     .data = bytes_of(payload, 32 + size)});
}

static inline void world_stop(struct world *w, size_t i)
{
    gossip_destroy(w->nodes[i].g);
    w->nodes[i].g = NULL;
}

static inline void world_link(struct world *w, size_t a, size_t b)
{
    world_step(w, a, (struct gossip_event){.type = GOSSIP_LINK_UP, .id = w->nodes[b].id});
    world_step(w, b, (struct gossip_event){.type = GOSSIP_LINK_UP, .id = w->nodes[a].id});
}

static inline struct world *world_make(size_t count)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_int_equal(crypto_init(), ERR_OK);
    w->count = count;
    w->now_ms = 1000;
    for (size_t i = 0; i < count; i++) {
        struct world_node *n = &w->nodes[i];
        n->key[0] = (uint8_t)(i + 1);
        n->id = id_of_public_key(n->key);
        snprintf(n->name, sizeof(n->name), "n%zu", i);
        world_start(w, i);
    }
    return w;
}

static inline void world_free(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        world_stop(w, i);
    for (; w->head < w->tail; w->head++)
        free(w->queue[w->head % WORLD_QUEUE].data);
    free(w->last.data);
    free(w);
}

#endif
