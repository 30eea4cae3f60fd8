/* Noise messages with a meaning: who the other side is and whether we speak to it. Called by
 * node/mesh/link with frames; the certificates' rules are node/trust/cert's. */
#include "node/mesh/handshake.h"

#include "node/mesh/record.h"
#include "node/trust/envelope.h"

#define LINK_LABEL                                                                                 \
    "grapevine link 1" /* signed and hashed with its NUL: names the protocol's version too */
#define REFUSAL_SIZE 1

enum role { ROLE_DIALLER = 1, ROLE_ACCEPTOR = 2 };

static enum role own_role(const struct handshake *h)
{
    return h->dialler ? ROLE_DIALLER : ROLE_ACCEPTOR;
}

void handshake_init(struct handshake *h, const struct handshake_cfg *cfg)
{
    uint8_t place[sizeof(LINK_LABEL) + ID_SIZE];
    memcpy(place, LINK_LABEL, sizeof(LINK_LABEL));
    memcpy(place + sizeof(LINK_LABEL), cfg->identity->mesh.bytes, ID_SIZE);
    *h = (struct handshake){.identity = cfg->identity, .dialler = cfg->dialler};
    noise_init(&h->noise, &(struct noise_cfg){
                              .initiator = cfg->dialler,
                              .prologue = bytes_of(place, sizeof(place)),
                              .static_secret = cfg->static_secret,
                              .test_ephemeral_secret = cfg->test_ephemeral_secret,
                          });
}

void handshake_fini(struct handshake *h)
{
    noise_fini(&h->noise);
    crypto_wipe(h, sizeof(*h));
}

enum err handshake_refuse(enum err reason, struct buf *out)
{
    uint8_t frame[RECORD_HEAD_SIZE + REFUSAL_SIZE] = {0, REFUSAL_SIZE,
                                                      record_reason_encode(reason)};
    return buf_append(out, bytes_of(frame, sizeof(frame)));
}

/* --- writing */

static enum err write_frame(struct handshake *h, struct bytes payload, struct buf *out)
{
    size_t at = out->size;
    TRY(buf_append_u16(out, 0));
    TRY(noise_write(&h->noise, payload, out));
    size_t size = out->size - at - RECORD_HEAD_SIZE;
    out->data[at] = (uint8_t)(size >> 8);
    out->data[at + 1] = (uint8_t)size;
    return ERR_OK;
}

enum err handshake_start(struct handshake *h, struct buf *out)
{
    return h->dialler ? write_frame(h, bytes_of(h->identity->mesh.bytes, ID_SIZE), out) : ERR_OK;
}

/* What the node's Ed25519 key signs to say: this X25519 key is mine, in this role. */
static void binding_of(const uint8_t static_public[CRYPTO_PUBLIC_SIZE], enum role role,
                       uint8_t ret_text[sizeof(LINK_LABEL) + CRYPTO_PUBLIC_SIZE + 1])
{
    memcpy(ret_text, LINK_LABEL, sizeof(LINK_LABEL));
    memcpy(ret_text + sizeof(LINK_LABEL), static_public, CRYPTO_PUBLIC_SIZE);
    ret_text[sizeof(LINK_LABEL) + CRYPTO_PUBLIC_SIZE] = (uint8_t)role;
}

static enum err write_hello(struct handshake *h, uint64_t wall_ms, struct buf *out)
{
    uint8_t binding[sizeof(LINK_LABEL) + CRYPTO_PUBLIC_SIZE + 1];
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    uint8_t place[HANDSHAKE_HELLO_HEAD + CERT_CHAIN_SIZE_MAX];
    struct buf hello;
    buf_init_fixed(&hello, place, sizeof(place));
    binding_of(h->noise.static_public, own_role(h), binding);
    crypto_sign(h->identity->secret, bytes_of(binding, sizeof(binding)), signature);
    TRY(buf_append_u64(&hello, wall_ms));
    TRY(buf_append(&hello, bytes_of(signature, sizeof(signature))));
    TRY(buf_append(&hello, bytes_of(h->identity->chain, h->identity->chain_size)));
    return write_frame(h, buf_bytes(&hello), out);
}

/* --- checking */

static enum err check_binding(struct handshake *h, const uint8_t *signature)
{
    uint8_t binding[sizeof(LINK_LABEL) + CRYPTO_PUBLIC_SIZE + 1];
    binding_of(h->noise.remote_static, h->dialler ? ROLE_ACCEPTOR : ROLE_DIALLER, binding);
    bool good = crypto_verify(h->cert.subject, bytes_of(binding, sizeof(binding)), signature);
    return good ? ERR_OK : ERR_BAD_SIGNATURE;
}

static enum err check_chain(struct handshake *h, struct bytes encoded, uint64_t wall_ms)
{
    struct cert_chain chain;
    if (encoded.size > sizeof(h->chain))
        return ERR_INVALID;
    TRY(cert_chain_verify(encoded, h->identity->root, wall_ms, &chain));
    if (cert_leaf(&chain)->kind != CERT_NODE)
        return ERR_CERT_SCOPE;
    if (!id_equal(&cert_leaf(&chain)->mesh, &h->identity->mesh))
        return ERR_WRONG_MESH;
    h->cert = *cert_leaf(&chain);
    h->peer = id_of_public_key(h->cert.subject);
    memcpy(h->chain, encoded.data, encoded.size);
    h->chain_size = encoded.size;
    return ERR_OK;
}

static enum err check_hello(struct handshake *h, struct bytes hello, uint64_t wall_ms)
{
    if (hello.size < HANDSHAKE_HELLO_HEAD)
        return ERR_INVALID;
    h->clock_ahead_ms = (int64_t)(bytes_big_endian(hello.data, 8) - wall_ms);
    h->clock_known = true;
    TRY(check_chain(h, bytes_skip(hello, HANDSHAKE_HELLO_HEAD), wall_ms));
    TRY(check_binding(h, hello.data + 8));
    if (id_equal(&h->peer, &h->identity->node))
        return ERR_SELF_LINK;
    bool near =
        h->clock_ahead_ms <= ENVELOPE_SKEW_MS && h->clock_ahead_ms >= -(int64_t)ENVELOPE_SKEW_MS;
    return near ? ERR_OK : ERR_CLOCK_SKEW;
}

static void take_keys(struct handshake *h)
{
    noise_split(&h->noise, &h->send, &h->receive);
    h->has_keys = true;
}

static enum err read_hello(struct handshake *h, struct bytes frame, uint64_t wall_ms)
{
    uint8_t
        place[HANDSHAKE_HELLO_HEAD + CERT_CHAIN_SIZE_MAX + 1]; /* + 1: noise_read's spare byte */
    struct buf hello;
    buf_init_fixed(&hello, place, sizeof(place));
    TRY(noise_read(&h->noise, frame, &hello));
    if (noise_is_done(&h->noise))
        take_keys(h);
    return check_hello(h, buf_bytes(&hello), wall_ms);
}

static enum err read_mesh(struct handshake *h, struct bytes frame)
{
    uint8_t place[ID_SIZE + 1];
    struct buf mesh;
    buf_init_fixed(&mesh, place, sizeof(place));
    enum err e = noise_read(&h->noise, frame, &mesh);
    if (e != ERR_OK || mesh.size != ID_SIZE)
        return e == ERR_OK || e == ERR_LIMIT ? ERR_PROTOCOL : e;
    return memcmp(place, h->identity->mesh.bytes, ID_SIZE) == 0 ? ERR_OK : ERR_WRONG_MESH;
}

/* --- the three messages */

static enum err dialler_read(struct handshake *h, struct bytes frame, uint64_t wall_ms,
                             struct buf *out)
{
    TRY(read_hello(h, frame, wall_ms));
    TRY(write_hello(h, wall_ms, out));
    take_keys(h);
    h->is_done = true;
    return ERR_OK;
}

static enum err acceptor_read(struct handshake *h, struct bytes frame, uint64_t wall_ms,
                              struct buf *out)
{
    if (h->noise.step == 0) {
        TRY(read_mesh(h, frame));
        return write_hello(h, wall_ms, out);
    }
    TRY(read_hello(h, frame, wall_ms));
    h->is_done = true;
    return ERR_OK;
}

enum err handshake_read(struct handshake *h, struct bytes frame, uint64_t wall_ms, struct buf *out)
{
    if (h->is_done)
        return ERR_PROTOCOL;
    if (frame.size == REFUSAL_SIZE && h->noise.step > 0) {
        h->refused_by_peer = true;
        return record_reason_decode(frame.data[0]);
    }
    size_t before = out->size;
    enum err e =
        h->dialler ? dialler_read(h, frame, wall_ms, out) : acceptor_read(h, frame, wall_ms, out);
    if (e == ERR_OK || h->has_keys)
        return e;
    out->size = before;
    return handshake_refuse(e, out) == ERR_OK ? e : ERR_LIMIT;
}
