/* What one datagram costs a gossip core, by the records in it and by the members of the mesh: one
 * core that knows N members is given datagrams of 1 to 8 load records, each new, really sealed and
 * really signed, so that what a datagram costs should be a sum over its records and hardly depend
 * on N. Ends with one JSON object. Usage: gossip_step [DATAGRAMS per row, 400] */
#include "base/crypto.h"
#include "gossip/gossip.h"
#include "gossip/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WALL_MS UINT64_C(1800000000000)
#define RECORDS_MAX 8
#define MEMBERS_MAX 1000
#define SENDER 0 /* whose datagrams they are */

struct member {
    uint8_t public_key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct id id;
    uint64_t version;
};

static struct member members[MEMBERS_MAX], self;
static const struct id mesh = {{7}};
static const uint8_t gossip_key[32] = {42};

/* --- the shell's part */

static enum err check(void *ctx, enum gossip_kind kind, const char *name, const char *region,
                      struct bytes payload, uint64_t wall_ms, struct gossip_owner *ret_owner)
{
    (void)ctx, (void)name, (void)region, (void)wall_ms;
    if (kind != GOSSIP_NODE)
        return ERR_OK;
    if (payload.size < CRYPTO_PUBLIC_SIZE)
        return ERR_INVALID;
    *ret_owner = (struct gossip_owner){.not_after_ms = UINT64_MAX / 4, .region = "here"};
    memcpy(ret_owner->key, payload.data, CRYPTO_PUBLIC_SIZE);
    snprintf(ret_owner->name, sizeof ret_owner->name, "n%02x%02x%02x", payload.data[0],
             payload.data[1], payload.data[2]);
    return ERR_OK;
}

static void sign(void *ctx, struct bytes message, uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE])
{
    crypto_sign(((struct member *)ctx)->secret, message, ret_signature);
}

static bool verify(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], struct bytes message,
                   const uint8_t signature[CRYPTO_SIGNATURE_SIZE])
{
    (void)ctx;
    return crypto_verify(key, message, signature);
}

static enum err share(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], uint8_t ret_secret[32])
{
    (void)ctx, (void)key;
    memset(ret_secret, 9, 32);
    return ERR_OK;
}

static const struct gossip_ops ops = {check, sign, verify, share};

/* --- messages */

static void put_record(struct buf *b, struct member *m, enum gossip_kind kind, struct bytes payload)
{
    uint8_t place[1024], signature[CRYPTO_SIGNATURE_SIZE], whole[1280];
    struct buf said, to_sign;
    struct gossip_signed record = {.kind = kind,
                                   .incarnation = 5,
                                   .version = ++m->version,
                                   .issued_s = WALL_MS / 1000,
                                   .payload = payload};
    buf_init_fixed(&said, place, sizeof place);
    CHECK(gossip_wire_put_signed(&said, &record) == ERR_OK);
    buf_init_fixed(&to_sign, whole, sizeof whole);
    CHECK(buf_append(&to_sign, bytes_of("grapevine gossip 1", 19)) == ERR_OK);
    CHECK(buf_append(&to_sign, bytes_of(mesh.bytes, ID_SIZE)) == ERR_OK);
    CHECK(buf_append(&to_sign, bytes_of(m->id.bytes, ID_SIZE)) == ERR_OK);
    CHECK(buf_append(&to_sign, buf_bytes(&said)) == ERR_OK);
    crypto_sign(m->secret, buf_bytes(&to_sign), signature);
    struct gossip_ref ref;
    memcpy(ref.bytes, m->id.bytes, sizeof ref.bytes);
    CHECK(gossip_wire_put_record(b, ref, 0, 0, buf_bytes(&said), signature) == ERR_OK);
}

static void make_member(struct member *m)
{
    crypto_sign_keypair(m->public_key, m->secret);
    m->id = id_of_public_key(m->public_key);
}

/* A core that knows the first `count` members. */
static struct gossip *make_core(size_t count)
{
    struct gossip *g;
    struct gossip_effects effects;
    struct gossip_cfg cfg = {.mesh = mesh,
                             .name = "self",
                             .region = "here",
                             .seed = 1,
                             .now_ms = 1000,
                             .wall_ms = WALL_MS,
                             .members_max = MEMBERS_MAX + 8,
                             .key_count = 1,
                             .ops = &ops,
                             .ctx = &self};
    memcpy(cfg.key, self.public_key, sizeof cfg.key);
    memcpy(cfg.keys[0], gossip_key, sizeof gossip_key);
    CHECK(gossip_create(&cfg, &g) == ERR_OK);
    for (size_t i = 0; i < count; i++) {
        uint8_t place[4096];
        struct buf b;
        buf_init_fixed(&b, place, sizeof place);
        put_record(&b, &members[i], GOSSIP_NODE, bytes_of(members[i].public_key, 32));
        struct gossip_event e = {.now_ms = 1000,
                                 .now_us = 1000000,
                                 .wall_ms = WALL_MS,
                                 .type = GOSSIP_LINK_MESSAGE,
                                 .id = members[i].id,
                                 .data = buf_bytes(&b)};
        gossip_step(g, &e, &effects);
    }
    CHECK(gossip_member_count(g) == count + 1);
    return g;
}

/* --- measuring */

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* So that no owner says too much, and nothing else is due in the step that is measured. */
static struct gossip_event pass_a_second(struct gossip *g)
{
    struct gossip_effects effects;
    uint64_t until_ms = gossip_deadline_ms(g) + 1000;
    struct gossip_event tick = {.wall_ms = WALL_MS};
    while (gossip_deadline_ms(g) <= until_ms) {
        tick.now_ms = gossip_deadline_ms(g);
        tick.now_us = tick.now_ms * 1000;
        gossip_step(g, &tick, &effects);
    }
    return tick;
}

/* The median cost of one datagram with so many new records; owners take turns. */
static double measure(struct gossip *g, size_t count, size_t records, size_t datagrams,
                      uint64_t *sequence)
{
    static double costs[100000];
    static size_t owner;
    uint8_t key[32], shared[32], plain[4096], sealed[2048];
    memset(shared, 9, sizeof shared);
    gossip_seal_key(gossip_key, shared, &mesh, key);
    for (size_t i = 0; i < datagrams; i++) {
        struct buf b, out;
        struct gossip_effects effects;
        buf_init_fixed(&b, plain, sizeof plain);
        for (size_t r = 0; r < records; r++)
            put_record(&b, &members[owner++ % count], GOSSIP_LOAD, bytes_of("load of 12 b", 12));
        buf_init_fixed(&out, sealed, sizeof sealed);
        uint64_t at = (WALL_MS / 1000 << 20) + ++*sequence;
        CHECK(gossip_seal(key, &mesh, &members[SENDER].id, at, buf_bytes(&b), &out) == ERR_OK);
        struct gossip_event e = pass_a_second(g);
        e.type = GOSSIP_DATAGRAM;
        e.addr = (struct gossip_addr){.ip = {127, 0, 0, 1}, .size = 4, .port = 1};
        e.data = buf_bytes(&out);
        double began = now_us();
        gossip_step(g, &e, &effects);
        costs[i] = now_us() - began;
        CHECK(effects.news_count == records);
    }
    qsort(costs, datagrams, sizeof costs[0], compare);
    return costs[datagrams / 2];
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {10, 100, MEMBERS_MAX}, records[] = {1, 2, 4, RECORDS_MAX};
    size_t datagrams = argc > 1 ? strtoul(argv[1], NULL, 10) : 400;
    uint64_t sequence = 0;
    if (crypto_init() != ERR_OK || datagrams == 0 || datagrams > 100000)
        return 2;
    make_member(&self);
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        make_member(&members[i]);
    printf("microseconds a datagram, by new records in it\n members");
    for (size_t r = 0; r < sizeof records / sizeof *records; r++)
        printf("%8zu", records[r]);
    double costs[3][4];
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        struct gossip *g = make_core(sizes[n]);
        printf("\n%8zu", sizes[n]);
        for (size_t r = 0; r < sizeof records / sizeof *records; r++)
            printf("%8.1f", costs[n][r] = measure(g, sizes[n], records[r], datagrams, &sequence));
        gossip_destroy(g);
    }
    printf(
        "\n{\"bench\":\"gossip_step\",\"us_per_record\":{\"10\":%.2f,\"100\":%.2f,\"1000\":%.2f},"
        "\"datagrams\":%zu}\n",
        (costs[0][3] - costs[0][0]) / 7, (costs[1][3] - costs[1][0]) / 7,
        (costs[2][3] - costs[2][0]) / 7, datagrams);
    return 0;
}
