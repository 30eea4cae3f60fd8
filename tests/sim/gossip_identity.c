/* Who is who in a swarm: keys, and a cryptography that costs next to nothing and that nobody in the
 * world can break, because signatures need the world's secret; and payloads, which can be made
 * again from their head, so that a forged or damaged one is known wherever it turns up. */
#include "tests/sim/gossip_world.h"

#include <stdlib.h>

struct payload_head { /* stays within one process, hence a struct as its own form */
    uint32_t kind, identity, count, region;
    uint64_t made_us, not_after_ms;
    struct gossip_addr addr;
    uint8_t only_dials, via_count;
    uint32_t via[GOSSIP_VIA_MAX];
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void fill(uint8_t *out, size_t size, uint64_t seed)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = mix(seed += UINT64_C(0x9e3779b97f4a7c15));
        memcpy(out + at, &word, size - at < 8 ? size - at : 8);
    }
}

static uint64_t keyed(const struct swarm *s, struct bytes data)
{
    uint8_t key[16] = {0};
    memcpy(key, &s->secret, sizeof s->secret);
    return crypto_siphash(key, data);
}

void swarm_identity_init(struct swarm *s, size_t number)
{
    struct swarm_identity *i = &s->identities[number];
    uint64_t n = number;
    fill(i->key, sizeof i->key, mix(n + 1) ^ UINT64_C(0x6772617065));
    memcpy(i->key, &n, sizeof n);
    i->id = id_of_public_key(i->key);
    i->region = number % s->region_count;
    i->not_after_ms = UINT64_MAX / 4;
    snprintf(i->name, sizeof i->name, "n%zu", number);
    CHECK(map_put(&s->by_id, bytes_of(i->id.bytes, ID_SIZE), i) == ERR_OK);
}

size_t swarm_identity_of(const struct swarm *s, const struct id *id)
{
    const struct swarm_identity *i = map_get(&s->by_id, bytes_of(id->bytes, ID_SIZE));
    return i ? (size_t)(i - s->identities) : SIZE_MAX;
}

/* --- addresses: 10.x.y.z is the place's number, the port how often its tenant has moved */

struct gossip_addr swarm_addr(const struct swarm_node *n)
{
    return (struct gossip_addr){
        .ip = {10, (uint8_t)(n->place >> 16), (uint8_t)(n->place >> 8), (uint8_t)n->place},
        .size = 4,
        .port = (uint16_t)(7300 + n->address_generation)};
}

size_t swarm_addr_node(const struct swarm *s, const struct gossip_addr *addr)
{
    size_t place = (size_t)addr->ip[1] << 16 | (size_t)addr->ip[2] << 8 | addr->ip[3];
    if (addr->size != 4 || addr->ip[0] != 10 || place >= s->node_count)
        return SIZE_MAX;
    size_t index = s->tenants[place];
    return addr->port == 7300 + s->nodes[index].address_generation ? index : SIZE_MAX;
}

/* --- payloads */

static size_t payload_size(const struct payload_head *h)
{
    static const size_t sizes[GOSSIP_KINDS] = {
        [GOSSIP_NODE] = 520, [GOSSIP_INVENTORY] = 700, [GOSSIP_LOAD] = 0, [GOSSIP_SUMMARY] = 240};
    size_t size = sizes[h->kind] + sizeof *h;
    if (h->kind == GOSSIP_INVENTORY) /* from what one datagram holds to much more */
        size += mix(h->identity * 77 + h->count) % 2400;
    return size;
}

static uint64_t payload_seed(const struct swarm *s, const struct payload_head *h)
{
    return keyed(s, bytes_of(h, sizeof *h));
}

struct bytes swarm_payload(struct swarm_node *n, enum gossip_kind kind,
                           uint8_t storage[SWARM_PAYLOAD_MAX])
{
    struct swarm *s = n->swarm;
    struct swarm_identity *i = &s->identities[n->identity];
    struct payload_head h;
    memset(&h, 0, sizeof h); /* the padding, too, is compared */
    h.kind = kind;
    h.identity = (uint32_t)n->identity;
    h.count = ++i->published[kind];
    h.region = (uint32_t)i->region + n->lies;
    h.made_us = s->now_us;
    h.not_after_ms = i->not_after_ms;
    h.only_dials = n->only_dials;
    h.via_count = (uint8_t)n->via_count;
    for (size_t v = 0; v < n->via_count; v++)
        h.via[v] = (uint32_t)n->via[v];
    if (!n->only_dials)
        h.addr = swarm_addr(n);
    size_t size = payload_size(&h);
    CHECK(size <= SWARM_PAYLOAD_MAX);
    memcpy(storage, &h, sizeof h);
    fill(storage + sizeof h, size - sizeof h, payload_seed(s, &h));
    return bytes_of(storage, size);
}

static bool read_head(const struct swarm *s, enum gossip_kind kind, struct bytes payload,
                      struct payload_head *ret_head)
{
    if (payload.size < sizeof *ret_head)
        return false;
    memcpy(ret_head, payload.data, sizeof *ret_head);
    return ret_head->kind == kind && ret_head->identity < s->identity_count &&
           ret_head->via_count <= GOSSIP_VIA_MAX && payload.size == payload_size(ret_head);
}

bool swarm_payload_is_true(const struct swarm *s, size_t identity, enum gossip_kind kind,
                           struct bytes payload, uint64_t *ret_made_us)
{
    if (kind == GOSSIP_LEAVE || (kind == GOSSIP_LOAD && payload.size == 0))
        return payload.size == 0; /* a refutation may come before the first load */
    struct payload_head h;
    if (!read_head(s, kind, payload, &h) || h.identity != identity ||
        h.count > s->identities[identity].published[kind] ||
        h.region != s->identities[identity].region)
        return false;
    uint8_t wanted[SWARM_PAYLOAD_MAX];
    fill(wanted, payload.size - sizeof h, payload_seed(s, &h));
    *ret_made_us = h.made_us;
    return memcmp(wanted, payload.data + sizeof h, payload.size - sizeof h) == 0;
}

struct gossip_addr swarm_payload_addr(struct bytes payload)
{
    struct payload_head h = {0};
    if (payload.size >= sizeof h)
        memcpy(&h, payload.data, sizeof h);
    return h.addr;
}

uint64_t swarm_payload_not_after_ms(struct bytes payload)
{
    struct payload_head h = {0};
    if (payload.size >= sizeof h)
        memcpy(&h, payload.data, sizeof h);
    return h.not_after_ms;
}

void swarm_gossip_keys(const struct swarm_node *n, bool seals_with_older,
                       uint8_t ret_keys[GOSSIP_KEYS_MAX][32])
{
    unsigned older = n->key_number > 0 ? n->key_number - 1 : 0;
    ret_keys[0][0] = (uint8_t)(42 + (seals_with_older ? older : n->key_number));
    ret_keys[1][0] = (uint8_t)(42 + (seals_with_older ? n->key_number : older));
}

/* --- what the core asks for */

static void fill_owner(const struct swarm *s, const struct payload_head *h,
                       struct gossip_owner *ret_owner)
{
    const struct swarm_identity *i = &s->identities[h->identity];
    *ret_owner = (struct gossip_owner){
        .not_after_ms = h->not_after_ms, .only_dials = h->only_dials, .via_count = h->via_count};
    memcpy(ret_owner->key, i->key, sizeof i->key);
    memcpy(ret_owner->name, i->name, sizeof i->name);
    snprintf(ret_owner->region, sizeof ret_owner->region, "r%u", (unsigned)h->region);
    for (size_t v = 0; v < h->via_count; v++)
        ret_owner->via[v] = s->identities[h->via[v] % s->identity_count].id;
}

static enum err check(void *ctx, enum gossip_kind kind, const char *name, const char *region,
                      struct bytes payload, uint64_t wall_ms, struct gossip_owner *ret_owner)
{
    const struct swarm *s = ((struct swarm_node *)ctx)->swarm;
    struct payload_head h;
    (void)region;
    if (kind == GOSSIP_LEAVE || (kind == GOSSIP_LOAD && payload.size == 0))
        return payload.size == 0 ? ERR_OK : ERR_INVALID;
    if (!read_head(s, kind, payload, &h))
        return ERR_INVALID;
    if (h.region != s->identities[h.identity].region) /* as certified */
        return ERR_CERT_SCOPE;
    if (kind == GOSSIP_NODE && wall_ms > h.not_after_ms + SWARM_SKEW_MS)
        return ERR_CERT_EXPIRED;
    if (kind == GOSSIP_NODE)
        fill_owner(s, &h, ret_owner);
    else if (strcmp(name, s->identities[h.identity].name) != 0)
        return ERR_INVALID;
    return ERR_OK;
}

/* A liar's core takes even what its own certificate forbids. */
static enum err check_nothing(void *ctx, enum gossip_kind kind, const char *name,
                              const char *region, struct bytes payload, uint64_t wall_ms,
                              struct gossip_owner *ret_owner)
{
    enum err e = check(ctx, kind, name, region, payload, wall_ms, ret_owner);
    struct payload_head h;
    const struct swarm *s = ((struct swarm_node *)ctx)->swarm;
    if (e != ERR_CERT_SCOPE || !read_head(s, kind, payload, &h))
        return e;
    if (kind == GOSSIP_NODE)
        fill_owner(s, &h, ret_owner);
    return ERR_OK;
}

void swarm_sign(const struct swarm *s, const uint8_t key[32], struct bytes message,
                uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE])
{
    uint64_t parts[2] = {keyed(s, bytes_of(key, 32)), keyed(s, message)};
    fill(ret_signature, CRYPTO_SIGNATURE_SIZE, keyed(s, bytes_of(parts, sizeof parts)));
}

static void sign(void *ctx, struct bytes message, uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE])
{
    const struct swarm_node *n = ctx;
    swarm_sign(n->swarm, n->swarm->identities[n->identity].key, message, ret_signature);
}

static bool verify(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], struct bytes message,
                   const uint8_t signature[CRYPTO_SIGNATURE_SIZE])
{
    uint8_t wanted[CRYPTO_SIGNATURE_SIZE];
    swarm_sign(((struct swarm_node *)ctx)->swarm, key, message, wanted);
    return memcmp(wanted, signature, sizeof wanted) == 0;
}

static enum err share(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], uint8_t ret_secret[32])
{
    const struct swarm_node *n = ctx;
    const uint8_t *own = n->swarm->identities[n->identity].key;
    bool own_first = memcmp(own, key, CRYPTO_PUBLIC_SIZE) < 0;
    uint8_t both[2 * CRYPTO_PUBLIC_SIZE];
    memcpy(both, own_first ? own : key, CRYPTO_PUBLIC_SIZE);
    memcpy(both + CRYPTO_PUBLIC_SIZE, own_first ? key : own, CRYPTO_PUBLIC_SIZE);
    fill(ret_secret, 32, keyed(n->swarm, bytes_of(both, sizeof both)));
    return ERR_OK;
}

const struct gossip_ops swarm_honest_ops = {check, sign, verify, share};
const struct gossip_ops swarm_liar_ops = {check_nothing, sign, verify, share};
