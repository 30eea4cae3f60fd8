/* A member that attacks: it holds a real node's key and link, and hears everything that passes
 * (worse than any one liar could). It replays, cuts, alters and makes up: datagrams under borrowed
 * addresses, messages over its own links; accuses everybody under its own name and others'; lies
 * about its region; floods made-up records. The forms are those of gossip/wire.h, written again
 * here, so that what the core cannot say can be said. */
#include "tests/sim/gossip_world.h"

#include <stdlib.h>

#define CAPTURED_MAX 4096
#define ACTS_PER_SECOND 40
#define REF_SIZE 10

enum { PART_RECORD = 5, PART_ACCUSATION = 6 };

struct captured {
    struct list list;
    enum swarm_event_type type;
    size_t from;
    uint64_t at_us;
    size_t size;
    uint8_t data[];
};

void swarm_liar_hears(struct swarm *s, const struct swarm_event *e)
{
    if (s->liar == SIZE_MAX || e->size == 0)
        return;
    struct captured *c;
    if (s->captured_count == CAPTURED_MAX) { /* a share of the old stays, for late replays */
        struct list *old = list_pop_front(&s->captured);
        c = LIST_ENTRY(old, struct captured, list);
        if (s->order % 8 == 0) {
            list_push_back(&s->captured, old);
            return;
        }
        free(c);
        s->captured_count--;
    }
    c = malloc(sizeof *c + e->size);
    CHECK(c);
    *c = (struct captured){.type = e->type, .from = e->other, .at_us = s->now_us, .size = e->size};
    memcpy(c->data, e->data, e->size);
    list_push_back(&s->captured, &c->list);
    s->captured_count++;
}

void swarm_liar_fini(struct swarm *s)
{
    for (struct list *it; (it = list_pop_front(&s->captured));)
        free(LIST_ENTRY(it, struct captured, list));
}

/* --- ways in */

static size_t choose_target(struct swarm *s)
{
    size_t target = rng_below(&s->rng, s->identity_count);
    return target == s->liar ? (target + 1) % s->identity_count : target;
}

static void inject(struct swarm *s, size_t from, struct bytes data)
{
    size_t to = choose_target(s);
    struct swarm_event *e = swarm_event(s, s->now_us + 500, SWARM_DATAGRAM, to, data);
    e->other = from;
    e->addr = swarm_addr(&s->nodes[to]);
}

static void say(struct swarm *s, struct bytes data)
{
    struct swarm_node *liar = &s->nodes[s->liar];
    if (liar->gossip && data.size && data.size <= GOSSIP_MESSAGE_MAX)
        swarm_link_send(liar, choose_target(s), data);
}

/* --- what was heard, again: whole, cut or altered */

static void replay(struct swarm *s)
{
    if (s->captured_count == 0)
        return;
    struct list *it = s->captured.next;
    for (uint64_t skip = rng_below(&s->rng, s->captured_count); skip > 0; skip--)
        it = it->next;
    const struct captured *c = LIST_ENTRY(it, struct captured, list);
    uint8_t copy[GOSSIP_MESSAGE_MAX];
    size_t size = c->size;
    memcpy(copy, c->data, size);
    uint64_t how = rng_below(&s->rng, 4);
    if (how == 1)
        size = 1 + rng_below(&s->rng, size);
    for (uint64_t flips = how == 2 ? 1 + rng_below(&s->rng, 8) : 0; flips > 0; flips--)
        copy[rng_below(&s->rng, size)] ^= (uint8_t)(1u << rng_below(&s->rng, 8));
    if (c->type == SWARM_DATAGRAM)
        inject(s, how == 3 ? s->liar : c->from, bytes_of(copy, size));
    else
        say(s, bytes_of(copy, size));
}

static void babble(struct swarm *s)
{
    uint8_t noise[GOSSIP_MESSAGE_MAX];
    bool is_datagram = rng_chance(&s->rng, 0.7);
    size_t size = 1 + rng_below(&s->rng, is_datagram ? GOSSIP_DATAGRAM_MAX : sizeof noise);
    for (size_t i = 0; i < size; i++)
        noise[i] = (uint8_t)rng_next(&s->rng);
    if (is_datagram)
        inject(s, choose_target(s), bytes_of(noise, size));
    else
        say(s, bytes_of(noise, size));
}

/* --- made up: msgpack by hand */

static void put_uint(struct buf *b, uint64_t value)
{
    enum err e = ERR_OK;
    if (value < 128) {
        e = buf_append_byte(b, (uint8_t)value);
    } else if (value < 256) {
        e = buf_append_byte(b, 0xcc);
        e = e ? e : buf_append_byte(b, (uint8_t)value);
    } else if (value < 65536) {
        e = buf_append_byte(b, 0xcd);
        e = e ? e : buf_append_u16(b, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        e = buf_append_byte(b, 0xce);
        e = e ? e : buf_append_u32(b, (uint32_t)value);
    } else {
        e = buf_append_byte(b, 0xcf);
        e = e ? e : buf_append_u64(b, value);
    }
    CHECK(e == ERR_OK);
}

static void put_bin(struct buf *b, const void *data, size_t size)
{
    enum err e = buf_append_byte(b, size < 256 ? 0xc4 : 0xc5);
    if (e == ERR_OK)
        e = size < 256 ? buf_append_byte(b, (uint8_t)size) : buf_append_u16(b, (uint16_t)size);
    CHECK(e == ERR_OK && buf_append(b, bytes_of(data, size)) == ERR_OK);
}

static void put_to_sign(struct buf *b, struct bytes label)
{
    struct id mesh = {{7}};
    CHECK(buf_append(b, label) == ERR_OK && buf_append_byte(b, 0) == ERR_OK &&
          buf_append(b, bytes_of(mesh.bytes, ID_SIZE)) == ERR_OK);
}

/* Everybody, as of their present incarnation; half of them in another accuser's name. */
static void accuse(struct swarm *s)
{
    struct buf message, signs;
    buf_init(&message, GOSSIP_MESSAGE_MAX);
    buf_init(&signs, 256);
    for (size_t i = 0; i < s->identity_count && i < 200; i++) {
        size_t accuser = i % 2 ? s->liar : choose_target(s);
        const struct swarm_identity *subject = &s->identities[i], *by = &s->identities[accuser];
        const struct gossip_member *m =
            s->nodes[s->liar].gossip ? gossip_find(s->nodes[s->liar].gossip, &subject->id) : NULL;
        if (!m || i == s->liar)
            continue;
        uint8_t signature[CRYPTO_SIGNATURE_SIZE];
        buf_clear(&signs);
        put_to_sign(&signs, BYTES("grapevine accusation 1"));
        CHECK(buf_append(&signs, bytes_of(subject->id.bytes, ID_SIZE)) == ERR_OK &&
              buf_append_u64(&signs, m->incarnation) == ERR_OK &&
              buf_append(&signs, bytes_of(by->id.bytes, ID_SIZE)) == ERR_OK);
        swarm_sign(s, s->identities[s->liar].key, buf_bytes(&signs), signature);
        put_uint(&message, PART_ACCUSATION);
        put_bin(&message, subject->id.bytes, REF_SIZE);
        put_uint(&message, m->incarnation);
        put_bin(&message, by->id.bytes, REF_SIZE);
        put_bin(&message, signature, sizeof signature);
    }
    say(s, buf_bytes(&message));
    buf_fini(&message);
    buf_fini(&signs);
}

/* Records of others, of nobody and of its own, with numbers of its choice. */
static void invent(struct swarm *s)
{
    static const uint64_t numbers[] = {0, 1, 17, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX};
    struct buf message, body, signs;
    buf_init(&message, GOSSIP_MESSAGE_MAX);
    buf_init(&body, GOSSIP_MESSAGE_MAX);
    buf_init(&signs, GOSSIP_MESSAGE_MAX);
    for (unsigned i = 0; i < 40; i++) {
        uint8_t payload[64], signature[CRYPTO_SIGNATURE_SIZE];
        struct id owner = s->identities[choose_target(s)].id;
        bool is_nobody = rng_chance(&s->rng, 0.3);
        for (size_t j = 0; j < sizeof payload; j++)
            payload[j] = (uint8_t)rng_next(&s->rng);
        if (is_nobody)
            memcpy(owner.bytes, payload, ID_SIZE);
        else if (rng_chance(&s->rng, 0.3))
            owner = s->identities[s->liar].id;
        buf_clear(&body);
        put_uint(&body, rng_below(&s->rng, GOSSIP_KINDS + 1));
        put_uint(&body, numbers[rng_below(&s->rng, 6)]);
        put_uint(&body, numbers[rng_below(&s->rng, 6)]);
        put_uint(&body, (SWARM_WALL_MS + s->now_us / 1000) / 1000);
        put_bin(&body, payload, rng_below(&s->rng, sizeof payload));
        buf_clear(&signs);
        put_to_sign(&signs, BYTES("grapevine gossip 1"));
        CHECK(buf_append(&signs, bytes_of(owner.bytes, ID_SIZE)) == ERR_OK &&
              buf_append(&signs, buf_bytes(&body)) == ERR_OK);
        swarm_sign(s, s->identities[s->liar].key, buf_bytes(&signs), signature);
        put_uint(&message, PART_RECORD);
        put_bin(&message, owner.bytes, REF_SIZE);
        put_uint(&message, rng_below(&s->rng, 2));
        put_uint(&message, numbers[rng_below(&s->rng, 4)]);
        put_bin(&message, body.data, body.size);
        put_bin(&message, signature, sizeof signature);
    }
    say(s, buf_bytes(&message));
    buf_fini(&message);
    buf_fini(&body);
    buf_fini(&signs);
}

/* --- */

static void act(struct swarm *s, uint64_t until_us)
{
    struct swarm_node *liar = &s->nodes[s->liar];
    uint64_t what = rng_below(&s->rng, 100);
    if (s->now_us >= until_us || !liar->gossip)
        return;
    if (what < 60)
        replay(s);
    else if (what < 85)
        babble(s);
    else if (what < 92)
        accuse(s);
    else if (what < 99)
        invent(s);
    else {
        liar->lies = !liar->lies;
        swarm_node_publish(liar, GOSSIP_NODE);
    }
    swarm_at(s, s->now_us + SWARM_SECOND / ACTS_PER_SECOND, act, until_us);
}

void swarm_liar_begin(struct swarm *s, uint64_t until_us)
{
    struct swarm_identity *i = &s->identities[s->liar];
    i->incarnation_max = i->left_incarnation = UINT64_MAX; /* of itself it may say anything */
    swarm_at(s, s->now_us, act, until_us);
}
