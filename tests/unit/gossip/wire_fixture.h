/* What the tests of gossip/wire share: numbers and bins written by hand, so that hostile bytes do
 * not come from the encoder under test, and a walk over all of a message. */
#ifndef TESTS_UNIT_GOSSIP_WIRE_FIXTURE_H
#define TESTS_UNIT_GOSSIP_WIRE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gossip/wire.h"

static const struct gossip_ref ref_a = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
static const struct gossip_ref ref_b = {
    {0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8, 0xf7, 0xf6}};
static const uint8_t signature[CRYPTO_SIGNATURE_SIZE] = {9, 8, 7, [63] = 6};
static const struct gossip_coordinate coordinate = {
    .position = {0.25, -0.5}, .height = 0.001, .adjustment = -0.002, .error = 1.5};

static inline void raw_byte(struct buf *b, unsigned byte)
{
    assert_int_equal(buf_append_byte(b, (uint8_t)byte), ERR_OK);
}

static inline void raw_u64(struct buf *b, uint64_t value)
{
    raw_byte(b, 0xcf);
    assert_int_equal(buf_append_u64(b, value), ERR_OK);
}

/* The shortest form up to 65535. */
static inline void raw_uint(struct buf *b, unsigned value)
{
    if (value > 255)
        raw_byte(b, 0xcd), raw_byte(b, value >> 8);
    else if (value > 127)
        raw_byte(b, 0xcc);
    raw_byte(b, value & 255);
}

static inline void raw_bin(struct buf *b, struct bytes body)
{
    raw_byte(b, body.size > 255 ? 0xc5 : 0xc4);
    if (body.size > 255)
        raw_byte(b, (unsigned)(body.size >> 8));
    raw_byte(b, body.size & 255);
    assert_int_equal(buf_append(b, body), ERR_OK);
}

static inline void raw_ref(struct buf *b)
{
    raw_bin(b, bytes_of(ref_a.bytes, GOSSIP_REF_SIZE));
}

/* Reads the first part and all of its items. */
static inline enum err read_whole(struct bytes *message)
{
    struct gossip_part part;
    TRY(gossip_wire_next(message, &part));
    while (part.count) {
        struct gossip_entry entry;
        uint32_t index;
        uint64_t hash;
        if (part.type == GOSSIP_PART_DIGEST)
            TRY(gossip_wire_bucket(message, &part, &index, &hash));
        else
            TRY(gossip_wire_entry(message, &part, &entry));
    }
    return ERR_OK;
}

static inline enum err put_sample_record(struct buf *b)
{
    uint8_t storage[64];
    struct buf signed_bytes;
    struct gossip_signed s = {GOSSIP_LOAD, 300, 70000, 1795000000, BYTES("payload")};
    buf_init_fixed(&signed_bytes, storage, sizeof storage);
    TRY(gossip_wire_put_signed(&signed_bytes, &s));
    return gossip_wire_put_record(b, ref_a, 1, 1234, buf_bytes(&signed_bytes), signature);
}

static inline enum err put_sample_digest(struct buf *b)
{
    TRY(gossip_wire_put_digest(b, 8, 2));
    TRY(gossip_wire_put_bucket(b, 3, UINT64_MAX));
    return gossip_wire_put_bucket(b, 255, 0);
}

static inline enum err put_sample_versions(struct buf *b)
{
    const struct gossip_entry none = {.ref = ref_b, .incarnation = 1};
    const struct gossip_entry some = {
        .ref = ref_a,
        .flags = GOSSIP_ENTRY_DOWN,
        .kinds = 1u << GOSSIP_NODE | 1u << GOSSIP_LEAVE,
        .incarnation = 1000,
        .versions = {[GOSSIP_NODE] = {0, 5}, [GOSSIP_LEAVE] = {1000, UINT64_MAX}}};
    TRY(gossip_wire_put_versions(b, 2));
    TRY(gossip_wire_put_entry(b, &some));
    return gossip_wire_put_entry(b, &none);
}

static inline enum err put_sample_want(struct buf *b)
{
    TRY(gossip_wire_put_want(b, 2));
    TRY(gossip_wire_put_wanted(b, ref_a, 1u << GOSSIP_NODE));
    return gossip_wire_put_wanted(b, ref_b, (1u << GOSSIP_KINDS) - 1);
}

/* One part of each type, chosen by it. */
static inline enum err put_sample(struct buf *b, enum gossip_part_type type)
{
    switch (type) {
    case GOSSIP_PART_PING: return gossip_wire_put_probe(b, type, 127);
    case GOSSIP_PART_NACK: return gossip_wire_put_probe(b, type, UINT64_MAX);
    case GOSSIP_PART_ACK: return gossip_wire_put_ack(b, 128, &coordinate);
    case GOSSIP_PART_PING_REQ: return gossip_wire_put_ping_req(b, 65536, ref_b);
    case GOSSIP_PART_RECORD: return put_sample_record(b);
    case GOSSIP_PART_ACCUSATION:
        return gossip_wire_put_accusation(b, ref_a, UINT64_MAX, ref_b, signature);
    case GOSSIP_PART_DIGEST: return put_sample_digest(b);
    case GOSSIP_PART_VERSIONS: return put_sample_versions(b);
    case GOSSIP_PART_WANT: return put_sample_want(b);
    }
    return ERR_INVALID;
}

#endif
