/* See remote.h. Called by http_conn when a request for a control path came in by the client
 * listener. Two generations of nonces, each a table of digests: a signature's time is near for ten
 * minutes, so what is in neither was not seen. */
#include "node/ingress/remote.h"

#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/trust/http_signature.h"

#include <stdlib.h>

#define SLOTS (2 * REMOTE_NONCES_MAX)
#define GENERATION_MS (2 * HTTP_SIGNATURE_SKEW_MS)
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "slots are found by a mask");

struct remote_set {
    struct id slots[SLOTS]; /* zero: free */
    size_t count;
};

void remote_fini(struct remote *r)
{
    free(r->now);
    free(r->before);
}

/* --- nonces */

static struct id *slot_of(struct remote_set *set, const struct id *digest)
{
    size_t i = (size_t)digest->bytes[0] | (size_t)digest->bytes[1] << 8;
    while (!id_is_zero(&set->slots[i & (SLOTS - 1)]) &&
           !id_equal(&set->slots[i & (SLOTS - 1)], digest))
        i++;
    return &set->slots[i & (SLOTS - 1)];
}

static enum err turn_over(struct remote *r, uint64_t now_ms)
{
    if (r->now && now_ms - r->since_ms < GENERATION_MS)
        return ERR_OK;
    struct remote_set *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return ERR_NO_MEMORY;
    free(r->before);
    r->before = r->now;
    r->now = fresh;
    r->since_ms = now_ms;
    return ERR_OK;
}

static enum err take_nonce(struct remote *r, const struct http_signature *s, uint64_t now_ms)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct id digest;
    crypto_hash_parts((struct bytes[]){s->keyid, BYTES("\""), s->nonce}, 3, hash);
    memcpy(digest.bytes, hash, sizeof digest.bytes);
    TRY(turn_over(r, now_ms));
    struct id *slot = slot_of(r->now, &digest);
    if (!id_is_zero(slot) || (r->before && !id_is_zero(slot_of(r->before, &digest))))
        return ERR_REPLAYED;
    if (r->now->count == REMOTE_NONCES_MAX)
        return ERR_OVERLOADED;
    *slot = digest;
    r->now->count++;
    return ERR_OK;
}

/* --- who */

static enum err find_key(const struct lane *lane, const struct http_signature *s,
                         uint8_t ret_key[CRYPTO_PUBLIC_SIZE], const char **ret_why)
{
    const struct registry_reader *reader = rules_reader(lane->rules);
    struct registry_row row;
    struct id id;
    *ret_why = "this node has no rules yet";
    if (!reader)
        return ERR_STARTING;
    *ret_why = "keyid is no administrator's id";
    if (id_from_text(s->keyid, &id) != ERR_OK ||
        registry_get(reader, REGISTRY_ADMIN, bytes_of(id.bytes, ID_SIZE), bytes_of(NULL, 0),
                     &row) != ERR_OK)
        return ERR_INVALID_API_KEY;
    *ret_why = "this administrator was revoked";
    if (row.doc.admin.state != REGISTRY_ACTIVE)
        return ERR_REVOKED;
    *ret_why = "this administrator's time is over";
    if (row.doc.admin.not_after_ms && io_wall_ms(lane->loop) > row.doc.admin.not_after_ms)
        return ERR_EXPIRED;
    memcpy(ret_key, row.doc.admin.key, CRYPTO_PUBLIC_SIZE);
    return ERR_OK;
}

/* --- what */

static struct bytes field_of(void *ctx, struct bytes name)
{
    const struct exchange *x = ctx;
    struct bytes value = bytes_of(NULL, 0);
    size_t found = 0;
    for (size_t i = 0; i < x->head.field_count; i++)
        if (bytes_equal_nocase(x->head.fields[i].name, name)) {
            value = x->head.fields[i].value;
            found++;
        }
    if (found == 1 && value.size == 0)
        return BYTES("");
    return found == 1 ? value : bytes_of(NULL, 0);
}

static enum err check_body(struct exchange *x, const char **ret_why)
{
    struct bytes digest = field_of(x, BYTES("content-digest"));
    *ret_why = "content-digest is not that of the body (sha-256)";
    if (x->body.size == 0 && !digest.data)
        return ERR_OK;
    return http_signature_digest_is(digest, exchange_body_hash(x)) ? ERR_OK : ERR_BAD_SIGNATURE;
}

static enum err check_signature(struct exchange *x, const struct http_signature *s,
                                const char **ret_why)
{
    struct lane *lane = x->lane;
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    struct http_signature_request request = {.method = http_method_text(x->head.method),
                                             .target = x->head.target,
                                             .authority = x->head.host,
                                             .field = field_of,
                                             .ctx = x,
                                             .has_body = x->body.size > 0};
    TRY(find_key(lane, s, key, ret_why));
    TRY(http_signature_verify(s, &request, key, io_wall_ms(lane->loop), ret_why));
    TRY(check_body(x, ret_why));
    *ret_why = "this signature was used before: sign anew";
    return take_nonce(&lane->remote, s, io_now_ms(lane->loop));
}

enum err remote_admit(struct exchange *x, const char **ret_why)
{
    struct http_signature s;
    const char *why = "sign the request (RFC 9421, ed25519) with an administrator's key, or use "
                      "the node's control socket";
    struct bytes input = field_of(x, BYTES("signature-input"));
    struct bytes signature = field_of(x, BYTES("signature"));
    enum err e = input.data && signature.data ? http_signature_parse(input, signature, &s, &why)
                                              : ERR_INVALID_API_KEY;
    if (e == ERR_OK)
        e = check_signature(x, &s, &why);
    if (e == ERR_OK)
        return ERR_OK;
    x->lane->remote.refused++;
    *ret_why = why;
    return e == ERR_INVALID || e == ERR_UNSUPPORTED ? ERR_INVALID_REQUEST : e;
}
