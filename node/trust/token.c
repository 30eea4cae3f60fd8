/* Invitation tokens: their text, and the node certificate that their holder makes with them.
 * Called by `grapevine init`, `invite` and `join`. */
#include "node/trust/token.h"

#include "node/trust/text.h"
#include "node/trust/wire.h"

#define CHECKSUM_CONTEXT "grapevine token 1" /* hashed with its NUL, then the wire form */
#define CHECKSUM_SIZE 8

static void checksum_of(struct bytes wire, uint8_t ret_checksum[CHECKSUM_SIZE])
{
    const struct bytes parts[] = {bytes_of(CHECKSUM_CONTEXT, sizeof(CHECKSUM_CONTEXT)), wire};
    uint8_t hash[CRYPTO_HASH_SIZE];
    crypto_hash_parts(parts, 2, hash);
    memcpy(ret_checksum, hash, CHECKSUM_SIZE);
}

static bool peers_are_valid(const struct token *token)
{
    for (size_t i = 0; i < token->peer_count; i++)
        if (!trust_text_is_visible(bytes_from_str(token->peers[i])))
            return false;
    return true;
}

static enum err token_pack(const struct token *token, struct buf *wire, struct buf *out)
{
    uint8_t checksum[CHECKSUM_SIZE];
    TRY(trust_wire_token_encode(token, wire));
    checksum_of(buf_bytes(wire), checksum);
    TRY(buf_append(wire, bytes_of(checksum, sizeof(checksum))));

    size_t digits = (wire->size * 8 + 5) / 6;
    if (strlen(TOKEN_PREFIX) + digits > TOKEN_TEXT_MAX)
        return ERR_LIMIT;
    TRY(buf_reserve(out, strlen(TOKEN_PREFIX) + digits));
    TRY(buf_append_str(out, TOKEN_PREFIX));
    return crypto_base64_append(out, buf_bytes(wire));
}

enum err token_encode(const struct token *token, struct buf *out)
{
    if (token->peer_count > TOKEN_PEERS_MAX || !peers_are_valid(token))
        return ERR_INVALID;
    size_t size_before = out->size;
    uint8_t space[TOKEN_TEXT_MAX];
    struct buf wire;
    buf_init_fixed(&wire, space, sizeof(space));
    enum err e = token_pack(token, &wire, out);
    if (e != ERR_OK)
        out->size = size_before;
    crypto_wipe(space, sizeof(space));
    return e;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes without_blanks_around(struct bytes text)
{
    while (text.size && is_blank(text.data[0]))
        text = bytes_skip(text, 1);
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static enum err token_unpack(struct bytes digits, struct buf *wire, struct token *ret_token)
{
    uint8_t checksum[CHECKSUM_SIZE];
    TRY(crypto_base64_decode(digits, wire));
    if (wire->size < CHECKSUM_SIZE)
        return ERR_INVALID;
    struct bytes content = bytes_of(wire->data, wire->size - CHECKSUM_SIZE);
    checksum_of(content, checksum);
    if (memcmp(wire->data + content.size, checksum, CHECKSUM_SIZE) != 0)
        return ERR_INVALID;
    return trust_wire_token_decode(content, ret_token);
}

enum err token_decode(struct bytes text, struct token *ret_token)
{
    text = without_blanks_around(text);
    if (text.size > TOKEN_TEXT_MAX || !bytes_starts_with(text, BYTES(TOKEN_PREFIX)) ||
        !trust_text_is_visible(text)) /* libsodium 1.0.18 reads any byte above 0x7f as a digit */
        return ERR_INVALID;
    uint8_t space[TOKEN_TEXT_MAX];
    struct buf wire;
    buf_init_fixed(&wire, space, sizeof(space));
    struct token token;
    enum err e = token_unpack(bytes_skip(text, strlen(TOKEN_PREFIX)), &wire, &token);
    if (e == ERR_OK && !peers_are_valid(&token))
        e = ERR_INVALID;
    if (e == ERR_OK)
        *ret_token = token;
    crypto_wipe(space, sizeof(space));
    token_wipe(&token);
    return e;
}

void token_wipe(struct token *token)
{
    crypto_wipe(token, sizeof(*token));
}

/* --- joining --- */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum err set_scope(struct cert *cert, const struct cert *invitation,
                          const struct token_request *request)
{
    const char *region = invitation->region;
    if (request->region && request->region[0])
        region = request->region;
    if (!cert_name_is_valid(bytes_from_str(request->name)) ||
        (region[0] && !cert_name_is_valid(bytes_from_str(region))))
        return ERR_INVALID;
    bytes_to_str(bytes_from_str(request->name), cert->name, sizeof(cert->name));
    bytes_to_str(bytes_from_str(region), cert->region, sizeof(cert->region));
    cert->tier = request->tier != TIER_ANY ? request->tier : invitation->tier;

    bool tier_is_allowed = invitation->tier == TIER_ANY || invitation->tier == cert->tier;
    bool region_is_allowed = !invitation->region[0] || strcmp(invitation->region, region) == 0;
    return tier_is_allowed && region_is_allowed ? ERR_OK : ERR_CERT_SCOPE;
}

/* Clamped into the invitation's times, which the clock may miss by the tolerated skew. */
static enum err set_times(struct cert *cert, const struct cert *invitation,
                          const struct token_request *request)
{
    uint64_t join_until = invitation->join_until_ms;
    if (!join_until)
        join_until = invitation->not_after_ms;
    if (request->now_ms > join_until + CERT_SKEW_MS)
        return ERR_CERT_EXPIRED;
    cert->not_before_ms = min_u64(request->now_ms, join_until);
    if (cert->not_before_ms < invitation->not_before_ms)
        cert->not_before_ms = invitation->not_before_ms;
    uint64_t valid_ms = min_u64(request->valid_ms, CERT_TIME_MS_MAX);
    cert->not_after_ms = min_u64(cert->not_before_ms + valid_ms, invitation->not_after_ms);
    return cert->not_after_ms > cert->not_before_ms ? ERR_OK : ERR_CERT_EXPIRED;
}

static enum err issue_after(const struct token *token, const struct cert *cert,
                            const uint8_t secret[CRYPTO_SECRET_SIZE], struct buf *ret_chain)
{
    uint8_t space[CERT_CHAIN_SIZE_MAX];
    struct buf chain;
    buf_init_fixed(&chain, space, sizeof(space));
    TRY(buf_append(&chain, bytes_of(token->chain, token->chain_size)));
    TRY(cert_issue(cert, secret, &chain));
    return buf_append(ret_chain, buf_bytes(&chain));
}

enum err token_issue_node(const struct token *token, const struct token_request *request,
                          const uint8_t node_key[CRYPTO_PUBLIC_SIZE], struct buf *ret_chain)
{
    struct cert_chain chain;
    TRY(cert_chain_verify(bytes_of(token->chain, token->chain_size), token->root, request->now_ms,
                          &chain));
    const struct cert *invitation = cert_leaf(&chain);
    if (invitation->kind != CERT_INVITATION)
        return ERR_CERT_SCOPE;

    struct cert cert = {.kind = CERT_NODE, .mesh = invitation->mesh, .serial = id_random()};
    memcpy(cert.subject, node_key, CRYPTO_PUBLIC_SIZE);
    memcpy(cert.issuer, invitation->subject, CRYPTO_PUBLIC_SIZE);
    TRY(set_scope(&cert, invitation, request));
    TRY(set_times(&cert, invitation, request));

    uint8_t public_key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    crypto_sign_keypair_from_seed(token->seed, public_key, secret);
    enum err e = issue_after(token, &cert, secret, ret_chain);
    crypto_wipe(secret, sizeof(secret));
    return e;
}
