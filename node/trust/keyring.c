/* Key rings: their shape, their signature, their order. The bytes are wire.c's. Called by the
 * CLI, which makes them, and by node/mesh/keys.c, which hands them on. */
#include "node/trust/keyring.h"

#include "node/trust/wire.h"

#define CONTEXT "grapevine key ring 1" /* signed with its NUL, then the record */

struct signed_message {
    uint8_t data[sizeof(CONTEXT) + KEYRING_RECORD_MAX];
    size_t size;
};

static struct bytes message_of(struct bytes record, struct signed_message *ret_message)
{
    CHECK(record.size <= KEYRING_RECORD_MAX);
    memcpy(ret_message->data, CONTEXT, sizeof(CONTEXT));
    memcpy(ret_message->data + sizeof(CONTEXT), record.data, record.size);
    ret_message->size = sizeof(CONTEXT) + record.size;
    return bytes_of(ret_message->data, ret_message->size);
}

static bool shape_is_valid(const struct keyring *ring)
{
    bool is_doubled =
        ring->key_count == 2 && crypto_equal(ring->keys[0], ring->keys[1], KEYRING_KEY_SIZE);
    return ring->version >= 1 && ring->version <= KEYRING_VERSION_MAX && ring->key_count >= 1 &&
           !is_doubled && ring->made_ms <= CERT_TIME_MS_MAX;
}

/* Who may rule over all of the mesh, not only a part of it. */
static enum err check_author(struct bytes chain, const uint8_t root[CRYPTO_PUBLIC_SIZE],
                             uint64_t now_ms, struct cert *ret_admin)
{
    struct cert_chain certs;
    TRY(cert_chain_verify(chain, root, now_ms, &certs));
    const struct cert *leaf = cert_leaf(&certs);
    if (leaf->kind != CERT_ADMIN || leaf->tier != TIER_ANY || leaf->region[0])
        return ERR_CERT_SCOPE;
    *ret_admin = *leaf;
    return ERR_OK;
}

/* --- reading --- */

static enum err read_ring(struct bytes encoded, struct trust_wire_signed *ret_signed,
                          struct keyring *ret_ring)
{
    TRY(trust_wire_signed_decode(encoded, ret_signed));
    TRY(trust_wire_keyring_decode(ret_signed->record, ret_ring));
    return shape_is_valid(ret_ring) ? ERR_OK : ERR_INVALID;
}

enum err keyring_decode(struct bytes encoded, struct keyring *ret_ring)
{
    struct trust_wire_signed s;
    struct keyring ring = {.version = 0};
    enum err e = read_ring(encoded, &s, &ring);
    if (e == ERR_OK)
        *ret_ring = ring;
    keyring_wipe(&ring);
    return e;
}

static enum err check_signature(const struct trust_wire_signed *s, const struct cert *admin)
{
    struct signed_message message;
    bool is_valid = crypto_verify(admin->subject, message_of(s->record, &message), s->signature);
    crypto_wipe(&message, sizeof(message));
    return is_valid ? ERR_OK : ERR_BAD_SIGNATURE;
}

static enum err verify(struct bytes encoded, const uint8_t root[CRYPTO_PUBLIC_SIZE],
                       uint64_t now_ms, struct keyring *ring)
{
    struct trust_wire_signed s;
    struct cert admin;
    struct id mesh = id_of_public_key(root);
    TRY(read_ring(encoded, &s, ring));
    if (!id_equal(&ring->mesh, &mesh))
        return ERR_WRONG_MESH;
    TRY(check_author(s.certificates, root, now_ms, &admin));
    return check_signature(&s, &admin);
}

enum err keyring_verify(struct bytes encoded, const uint8_t root[CRYPTO_PUBLIC_SIZE],
                        uint64_t now_ms, struct keyring *ret_ring)
{
    struct keyring ring = {.version = 0};
    enum err e = verify(encoded, root, now_ms, &ring);
    if (e == ERR_OK)
        *ret_ring = ring;
    keyring_wipe(&ring);
    return e;
}

/* --- making --- */

static enum err sign_ring(const struct keyring_author *author, const struct cert *admin,
                          struct bytes record, struct trust_wire_signed *ret_signed)
{
    uint8_t public_key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct signed_message message;
    crypto_sign_keypair_from_seed(author->seed, public_key, secret);
    *ret_signed = (struct trust_wire_signed){.record = record, .certificates = author->chain};
    crypto_sign(secret, message_of(record, &message), ret_signed->signature);
    bool is_admins = crypto_equal(public_key, admin->subject, sizeof(public_key));
    crypto_wipe(secret, sizeof(secret));
    crypto_wipe(&message, sizeof(message));
    return is_admins ? ERR_OK : ERR_BAD_SIGNATURE;
}

static enum err write_ring(const struct keyring_author *author, const struct keyring *ring,
                           const struct cert *admin, struct buf *out)
{
    uint8_t space[KEYRING_RECORD_MAX];
    struct trust_wire_signed s;
    struct buf record;
    buf_init_fixed(&record, space, sizeof(space));
    enum err e = trust_wire_keyring_encode(ring, &record);
    if (e == ERR_OK)
        e = sign_ring(author, admin, buf_bytes(&record), &s);
    if (e == ERR_OK)
        e = trust_wire_signed_encode(&s, out);
    crypto_wipe(space, sizeof(space));
    return e;
}

enum err keyring_make(const struct keyring_author *author, const struct keyring *previous,
                      uint64_t now_ms, struct buf *out)
{
    struct cert admin;
    TRY(check_author(author->chain, author->root, now_ms, &admin));
    if (previous && !id_equal(&previous->mesh, &admin.mesh))
        return ERR_WRONG_MESH;
    if (previous && previous->version >= KEYRING_VERSION_MAX)
        return ERR_LIMIT;
    struct keyring ring = {.mesh = admin.mesh,
                           .version = previous ? previous->version + 1 : 1,
                           .key_count = previous ? 2 : 1,
                           .made_ms = now_ms};
    crypto_random(ring.keys[0], KEYRING_KEY_SIZE);
    if (previous)
        memcpy(ring.keys[1], previous->keys[0], KEYRING_KEY_SIZE);
    enum err e = write_ring(author, &ring, &admin, out);
    keyring_wipe(&ring);
    return e;
}

/* --- order --- */

bool keyring_is_newer(const struct keyring *a, const struct keyring *b)
{
    if (a->version != b->version)
        return a->version > b->version;
    if (a->made_ms != b->made_ms)
        return a->made_ms > b->made_ms;
    return memcmp(a->keys[0], b->keys[0], KEYRING_KEY_SIZE) > 0;
}

void keyring_wipe(struct keyring *ring)
{
    crypto_wipe(ring, sizeof(*ring));
}
