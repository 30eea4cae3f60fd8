/* Records and accusations made by hand, told to the nodes of core_world.h by peers that speak the
 * core's language well. */
#ifndef TESTS_UNIT_GOSSIP_CORE_TELL_H
#define TESTS_UNIT_GOSSIP_CORE_TELL_H

#include "core_world.h"

#include "gossip/wire.h"

static inline struct gossip_ref ref_of(const struct id *id)
{
    struct gossip_ref ref;
    memcpy(ref.bytes, id->bytes, sizeof ref.bytes);
    return ref;
}

static inline void put_to_sign(struct buf *b, const char *label, const struct id *owner)
{
    struct id mesh = {{7}};
    assert_int_equal(buf_append(b, bytes_of(label, strlen(label) + 1)), ERR_OK);
    assert_int_equal(buf_append(b, bytes_of(mesh.bytes, sizeof mesh.bytes)), ERR_OK);
    assert_int_equal(buf_append(b, bytes_of(owner->bytes, sizeof owner->bytes)), ERR_OK);
}

/* A record of the owner of `key`, signed with `signing_key`. */
static inline void put_record(struct buf *b, const uint8_t *key, const uint8_t *signing_key,
                              struct gossip_signed said)
{
    struct id owner = id_of_public_key(key);
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    struct buf body, signs;
    buf_init(&body, 4096);
    buf_init(&signs, 4096);
    assert_int_equal(gossip_wire_put_signed(&body, &said), ERR_OK);
    put_to_sign(&signs, "grapevine gossip 1", &owner);
    assert_int_equal(buf_append(&signs, buf_bytes(&body)), ERR_OK);
    world_hash(signing_key, buf_bytes(&signs), signature);
    assert_int_equal(gossip_wire_put_record(b, ref_of(&owner), 0, 0, buf_bytes(&body), signature),
                     ERR_OK);
    buf_fini(&body);
    buf_fini(&signs);
}

static inline void tell_record(struct world *w, size_t from, size_t to, const uint8_t *key,
                               const uint8_t *signing_key, struct gossip_signed said)
{
    struct buf message;
    buf_init(&message, 4096);
    put_record(&message, key, signing_key, said);
    world_receive(w, from, to, true, buf_bytes(&message));
    buf_fini(&message);
}

/* `from` tells `to` that `accuser` accuses `subject` as `to` knows it. */
static inline void tell_accusation(struct world *w, size_t from, size_t to, size_t accuser,
                                   size_t subject, const uint8_t *signing_key)
{
    const struct id *whom = &w->nodes[subject].id, *who = &w->nodes[accuser].id;
    uint64_t incarnation = world_view(w, to, subject)->incarnation;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    struct buf signs, message;
    buf_init(&signs, 256);
    buf_init(&message, 256);
    put_to_sign(&signs, "grapevine accusation 1", whom);
    assert_int_equal(buf_append_u64(&signs, incarnation), ERR_OK);
    assert_int_equal(buf_append(&signs, bytes_of(who->bytes, sizeof who->bytes)), ERR_OK);
    world_hash(signing_key, buf_bytes(&signs), signature);
    assert_int_equal(
        gossip_wire_put_accusation(&message, ref_of(whom), incarnation, ref_of(who), signature),
        ERR_OK);
    world_receive(w, from, to, true, buf_bytes(&message));
    buf_fini(&signs);
    buf_fini(&message);
}

#endif
