/* Certificates: their shape, their signatures, and what a chain of them is worth at a given
 * time. The bytes are wire.c's. Called by token.c, identity.c, receipt.c, the link's handshake
 * and the CLI. */
#include "node/trust/cert.h"

#include "node/trust/wire.h"

#define CONTEXT "grapevine certificate 1" /* signed with its NUL, then the record */

/* --- one certificate --- */

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool cert_name_is_valid(struct bytes name)
{
    if (name.size < 1 || name.size > CERT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!is_name_byte(name.data[i]) && name.data[i] != '-')
            return false;
    return name.data[0] != '-' && name.data[name.size - 1] != '-';
}

static bool times_are_valid(const struct cert *cert)
{
    if (cert->not_before_ms >= cert->not_after_ms || cert->not_after_ms > CERT_TIME_MS_MAX)
        return false;
    if (cert->join_until_ms == 0)
        return true;
    return cert->kind == CERT_INVITATION && cert->join_until_ms > cert->not_before_ms &&
           cert->join_until_ms <= cert->not_after_ms;
}

static bool shape_is_valid(const struct cert *cert)
{
    bool is_invitation = cert->kind == CERT_INVITATION;
    if (cert->kind < CERT_ADMIN || cert->kind > CERT_NODE || (unsigned)cert->tier > TIER_CLOUD)
        return false;
    if (is_invitation ? cert->name[0] != '\0' : !cert_name_is_valid(bytes_from_str(cert->name)))
        return false;
    if (cert->region[0] && !cert_name_is_valid(bytes_from_str(cert->region)))
        return false;
    if (cert->kind == CERT_NODE && cert->tier == TIER_ANY)
        return false;
    return (cert->uses > 0) == is_invitation && times_are_valid(cert);
}

struct signed_message {
    uint8_t data[sizeof(CONTEXT) + CERT_RECORD_MAX];
    size_t size;
};

static struct bytes message_of(struct bytes record, struct signed_message *ret_message)
{
    CHECK(record.size <= CERT_RECORD_MAX);
    memcpy(ret_message->data, CONTEXT, sizeof(CONTEXT));
    memcpy(ret_message->data + sizeof(CONTEXT), record.data, record.size);
    ret_message->size = sizeof(CONTEXT) + record.size;
    return bytes_of(ret_message->data, ret_message->size);
}

enum err cert_issue(const struct cert *cert, const uint8_t issuer_secret[CRYPTO_SECRET_SIZE],
                    struct buf *chain)
{
    if (!shape_is_valid(cert))
        return ERR_INVALID;
    uint8_t space[CERT_RECORD_MAX];
    struct buf record;
    buf_init_fixed(&record, space, sizeof(space));
    TRY(trust_wire_cert_encode(cert, &record));

    struct signed_message message;
    struct trust_wire_link link = {.record = buf_bytes(&record)};
    struct bytes signed_bytes = message_of(link.record, &message);
    crypto_sign(issuer_secret, signed_bytes, link.signature);
    if (!crypto_verify(cert->issuer, signed_bytes, link.signature))
        return ERR_INVALID;
    return trust_wire_chain_append(&link, chain);
}

/* --- chains --- */

static enum err chain_read(struct bytes encoded, struct trust_wire_link links[CERT_CHAIN_MAX],
                           struct cert_chain *ret_chain)
{
    *ret_chain = (struct cert_chain){0};
    TRY(trust_wire_chain_decode(encoded, links, &ret_chain->count));
    for (size_t i = 0; i < ret_chain->count; i++) {
        TRY(trust_wire_cert_decode(links[i].record, &ret_chain->certs[i]));
        if (!shape_is_valid(&ret_chain->certs[i]))
            return ERR_INVALID;
    }
    return ERR_OK;
}

enum err cert_chain_decode(struct bytes encoded, struct cert_chain *ret_chain)
{
    struct trust_wire_link links[CERT_CHAIN_MAX];
    struct cert_chain chain;
    TRY(chain_read(encoded, links, &chain));
    *ret_chain = chain;
    return ERR_OK;
}

static enum err check_signature(const struct trust_wire_link *link, const struct cert *cert,
                                const uint8_t issuer[CRYPTO_PUBLIC_SIZE])
{
    struct signed_message message;
    struct bytes signed_bytes = message_of(link->record, &message);
    if (memcmp(cert->issuer, issuer, CRYPTO_PUBLIC_SIZE) != 0 ||
        !crypto_verify(issuer, signed_bytes, link->signature))
        return ERR_BAD_SIGNATURE;
    return ERR_OK;
}

/* Whether `above` may have signed `cert`: the next kind, or by an administrator another one;
 * nothing wider than its own scope. */
static bool is_within(const struct cert *cert, const struct cert *above)
{
    bool is_another = cert->kind == CERT_ADMIN && above->kind == CERT_ADMIN;
    if (!is_another && cert->kind != above->kind + 1)
        return false;
    if (above->tier != TIER_ANY && cert->tier != above->tier)
        return false;
    if (above->region[0] && strcmp(cert->region, above->region) != 0)
        return false;
    if (above->join_until_ms && cert->not_before_ms > above->join_until_ms)
        return false;
    return cert->not_before_ms >= above->not_before_ms && cert->not_after_ms <= above->not_after_ms;
}

static bool is_current(const struct cert *cert, uint64_t now_ms)
{
    return now_ms <= CERT_TIME_MS_MAX && cert->not_before_ms <= now_ms + CERT_SKEW_MS &&
           now_ms <= cert->not_after_ms + CERT_SKEW_MS;
}

static enum err check_link(const struct cert_chain *chain, size_t index,
                           const struct trust_wire_link *link, uint64_t now_ms)
{
    const struct cert *cert = &chain->certs[index];
    const struct cert *above = index > 0 ? &chain->certs[index - 1] : NULL;
    TRY(check_signature(link, cert, above ? above->subject : chain->root));
    if (above ? !is_within(cert, above) : cert->kind != CERT_ADMIN)
        return ERR_CERT_SCOPE;
    return is_current(cert, now_ms) ? ERR_OK : ERR_CERT_EXPIRED;
}

/* The mesh first: of another mesh's chain it says so rather than "bad signature". */
enum err cert_chain_verify(struct bytes encoded, const uint8_t root[CRYPTO_PUBLIC_SIZE],
                           uint64_t now_ms, struct cert_chain *ret_chain)
{
    struct trust_wire_link links[CERT_CHAIN_MAX];
    struct cert_chain chain;
    TRY(chain_read(encoded, links, &chain));
    memcpy(chain.root, root, CRYPTO_PUBLIC_SIZE);
    struct id mesh = id_of_public_key(root);
    for (size_t i = 0; i < chain.count; i++)
        if (!id_equal(&chain.certs[i].mesh, &mesh))
            return ERR_WRONG_MESH;
    for (size_t i = 0; i < chain.count; i++)
        TRY(check_link(&chain, i, &links[i], now_ms));
    *ret_chain = chain;
    return ERR_OK;
}
