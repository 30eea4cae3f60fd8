/* Receipts: their shape, and the offline check of a whole chain. The bytes are wire.c's, the
 * signatures batch.c's and cert.c's. The node makes them; `grapevine receipt verify` checks
 * them. */
#include "node/trust/receipt.h"

#include "node/trust/text.h"
#include "node/trust/wire.h"

#define STATUS_MAX 999

const char *receipt_role_name(enum receipt_role role)
{
    static const char *const names[] = {"?", "executor", "forwarder", "refuser"};
    return names[role];
}

static bool numbers_are_valid(const struct receipt *r)
{
    const uint64_t numbers[] = {r->epoch,       r->facts_age_ms,  r->started_ms,  r->first_byte_ms,
                                r->duration_ms, r->request_bytes, r->answer_bytes};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i] > RECEIPT_NUMBER_MAX)
            return false;
    return r->hop < RECEIPT_HOPS_MAX && r->status <= STATUS_MAX;
}

static bool shape_is_valid(const struct receipt *r)
{
    if (r->role < RECEIPT_EXECUTOR || r->role > RECEIPT_REFUSER)
        return false;
    return trust_text_is_visible(bytes_from_str(r->request_id)) &&
           cert_name_is_valid(bytes_from_str(r->name)) &&
           (!r->region[0] || cert_name_is_valid(bytes_from_str(r->region))) &&
           trust_text_is_plain(r->model) && trust_text_is_plain(r->backend) &&
           trust_text_is_plain(r->reason) && numbers_are_valid(r);
}

enum err receipt_encode(const struct receipt *r, struct buf *record)
{
    if (!shape_is_valid(r))
        return ERR_INVALID;
    return trust_wire_receipt_encode(r, record);
}

enum err receipt_decode(struct bytes record, struct receipt *ret_receipt)
{
    struct receipt receipt;
    TRY(trust_wire_receipt_decode(record, &receipt));
    if (!shape_is_valid(&receipt))
        return ERR_INVALID;
    *ret_receipt = receipt;
    return ERR_OK;
}

enum err receipt_chain_encode(const struct receipt_entry *entries, size_t count, struct buf *wire)
{
    if (count < 1 || count > RECEIPT_HOPS_MAX)
        return ERR_INVALID;
    return trust_wire_receipts_encode(entries, count, wire);
}

enum err receipt_chain_decode(struct bytes wire, struct receipt_entry *ret_entries,
                              size_t *ret_count)
{
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t count;
    TRY(trust_wire_receipts_decode(wire, entries, &count));
    memcpy(ret_entries, entries, count * sizeof(entries[0]));
    *ret_count = count;
    return ERR_OK;
}

/* --- the offline check --- */

static enum err fail(enum err e, const char *detail, const char **ret_detail)
{
    *ret_detail = detail;
    return e;
}

static enum err check_signer(const struct receipt_entry *entry, const struct receipt *r,
                             const uint8_t root[CRYPTO_PUBLIC_SIZE], const char **ret_detail)
{
    struct cert_chain chain;
    if (entry->certificates.size == 0)
        return fail(ERR_INVALID, "a hop carries no certificates", ret_detail);
    enum err e = cert_chain_verify(entry->certificates, root, r->started_ms, &chain);
    if (e != ERR_OK)
        return fail(e, "a hop's certificates do not verify under the root key", ret_detail);
    const struct cert *leaf = cert_leaf(&chain);
    if (leaf->kind != CERT_NODE)
        return fail(ERR_CERT_SCOPE, "a hop is signed by something that is no node", ret_detail);
    struct id node = id_of_public_key(leaf->subject);
    if (memcmp(leaf->subject, entry->signer, CRYPTO_PUBLIC_SIZE) != 0 || !id_equal(&node, &r->node))
        return fail(ERR_BAD_SIGNATURE, "a hop is signed by another node's key", ret_detail);
    if (strcmp(leaf->name, r->name) != 0 || strcmp(leaf->region, r->region) != 0)
        return fail(ERR_CERT_SCOPE, "a hop's name or region is not its certificate's", ret_detail);
    return ERR_OK;
}

static enum err check_entry(const struct receipt_entry *entry, const struct receipt *r,
                            const uint8_t root[CRYPTO_PUBLIC_SIZE], const char **ret_detail)
{
    struct id mesh = id_of_public_key(root);
    if (!id_equal(&r->mesh, &mesh))
        return fail(ERR_WRONG_MESH, "it belongs to another mesh than the root key", ret_detail);
    TRY(check_signer(entry, r, root, ret_detail));
    enum err e = batch_verify(entry->signer, BATCH_RECEIPT, entry->record, &entry->proof, NULL);
    if (e != ERR_OK)
        return fail(e, "a hop's signature does not verify", ret_detail);
    return ERR_OK;
}

/* That the receipt at `index` stands where it says, above the record `next` (NULL: it is the
 * last). */
static enum err check_place(const struct receipt *r, size_t index, const struct bytes *next,
                            const char **ret_detail)
{
    uint8_t leaf[CRYPTO_HASH_SIZE] = {0};
    if (next)
        batch_leaf(*next, leaf);
    if (r->hop != index)
        return fail(ERR_INVALID, "the hops are not numbered in order from 0", ret_detail);
    if ((r->role == RECEIPT_FORWARDER) != (next != NULL))
        return fail(ERR_INVALID, "the last hop, and only it, must be the executor or a refuser",
                    ret_detail);
    if (memcmp(r->previous, leaf, sizeof(leaf)) != 0)
        return fail(ERR_INVALID, "a hop does not name the next hop's receipt", ret_detail);
    return ERR_OK;
}

static enum err check_same_request(const struct receipt *first, const struct receipt *r,
                                   const char **ret_detail)
{
    if (strcmp(first->request_id, r->request_id) != 0)
        return fail(ERR_INVALID, "the hops are about different requests", ret_detail);
    if (memcmp(first->request_hash, r->request_hash, CRYPTO_HASH_SIZE) != 0)
        return fail(ERR_INVALID, "the request's body differs between hops", ret_detail);
    if (memcmp(first->answer_hash, r->answer_hash, CRYPTO_HASH_SIZE) != 0)
        return fail(ERR_INVALID, "the answer's body differs between hops", ret_detail);
    return ERR_OK;
}

enum err receipt_chain_verify(const struct receipt_entry *entries, size_t count,
                              const uint8_t root[CRYPTO_PUBLIC_SIZE], const char **ret_detail)
{
    struct receipt first, r;
    if (count < 1 || count > RECEIPT_HOPS_MAX)
        return fail(ERR_INVALID, "it has no hops or too many", ret_detail);
    for (size_t i = 0; i < count; i++) {
        enum err e = receipt_decode(entries[i].record, &r);
        if (e != ERR_OK)
            return fail(e, "a hop's record is malformed", ret_detail);
        if (i == 0)
            first = r;
        TRY(check_entry(&entries[i], &r, root, ret_detail));
        TRY(check_place(&r, i, i + 1 < count ? &entries[i + 1].record : NULL, ret_detail));
        TRY(check_same_request(&first, &r, ret_detail));
    }
    return ERR_OK;
}
