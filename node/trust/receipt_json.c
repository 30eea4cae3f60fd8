/* Writes a receipt chain as JSON (receipt_json.h). Deterministic: the same chain gives the same
 * text. Called by the ingress that keeps the chain and by `grapevine receipt verify`. */
#include "node/trust/receipt_json.h"

/* --- members; every one but an object's first begins with its comma --- */

static enum err append_key(struct buf *out, const char *key)
{
    if (out->size && out->data[out->size - 1] != '{')
        TRY(buf_append_byte(out, ','));
    TRY(buf_append_byte(out, '"'));
    TRY(buf_append_str(out, key));
    return buf_append(out, BYTES("\":"));
}

static enum err append_text(struct buf *out, const char *key, struct bytes text)
{
    TRY(append_key(out, key));
    TRY(buf_append_byte(out, '"'));
    TRY(buf_append_json_escaped(out, text));
    return buf_append_byte(out, '"');
}

static enum err append_number(struct buf *out, const char *key, uint64_t number)
{
    TRY(append_key(out, key));
    return buf_append_decimal(out, number);
}

static enum err append_hex(struct buf *out, const char *key, const uint8_t *data, size_t size)
{
    TRY(append_key(out, key));
    TRY(buf_append_byte(out, '"'));
    TRY(crypto_hex_append(out, bytes_of(data, size)));
    return buf_append_byte(out, '"');
}

static enum err append_base64(struct buf *out, const char *key, struct bytes data)
{
    TRY(append_key(out, key));
    TRY(buf_append_byte(out, '"'));
    TRY(crypto_base64_append(out, data));
    return buf_append_byte(out, '"');
}

/* --- hops --- */

static enum err append_names(struct buf *out, const struct receipt *r)
{
    TRY(append_hex(out, "node", r->node.bytes, ID_SIZE));
    TRY(append_text(out, "name", bytes_from_str(r->name)));
    TRY(append_text(out, "role", bytes_from_str(receipt_role_name(r->role))));
    TRY(append_text(out, "region", bytes_from_str(r->region)));
    TRY(append_number(out, "hop", r->hop));
    TRY(append_text(out, "model", r->model));
    TRY(append_text(out, "backend", r->backend));
    return append_text(out, "reason", r->reason);
}

static enum err append_numbers(struct buf *out, const struct receipt *r)
{
    TRY(append_number(out, "attempts", r->attempts));
    TRY(append_number(out, "status", r->status));
    TRY(append_number(out, "facts_age_ms", r->facts_age_ms));
    TRY(append_number(out, "started_ms", r->started_ms));
    TRY(append_number(out, "first_byte_ms", r->first_byte_ms));
    TRY(append_number(out, "duration_ms", r->duration_ms));
    TRY(append_number(out, "request_bytes", r->request_bytes));
    TRY(append_number(out, "answer_bytes", r->answer_bytes));
    TRY(append_hex(out, "request_hash", r->request_hash, CRYPTO_HASH_SIZE));
    TRY(append_hex(out, "answer_hash", r->answer_hash, CRYPTO_HASH_SIZE));
    return append_number(out, "epoch", r->epoch);
}

static enum err append_proof(struct buf *out, const struct batch_proof *proof)
{
    TRY(append_key(out, "proof"));
    TRY(buf_append_byte(out, '{'));
    TRY(append_number(out, "index", proof->index));
    TRY(append_number(out, "count", proof->count));
    TRY(append_key(out, "path"));
    TRY(buf_append_byte(out, '['));
    for (uint32_t i = 0; i < proof->path_count; i++) {
        TRY(buf_append_str(out, i ? ",\"" : "\""));
        TRY(crypto_hex_append(out, bytes_of(proof->path[i], CRYPTO_HASH_SIZE)));
        TRY(buf_append_byte(out, '"'));
    }
    TRY(buf_append_byte(out, ']'));
    TRY(append_base64(out, "signature", bytes_of(proof->signature, CRYPTO_SIGNATURE_SIZE)));
    return buf_append_byte(out, '}');
}

static enum err append_hop(struct buf *out, const struct receipt_entry *entry)
{
    struct receipt r;
    TRY(receipt_decode(entry->record, &r));
    TRY(buf_append_byte(out, '{'));
    TRY(append_names(out, &r));
    TRY(append_numbers(out, &r));
    TRY(append_base64(out, "record", entry->record));
    TRY(append_base64(out, "signer", bytes_of(entry->signer, CRYPTO_PUBLIC_SIZE)));
    TRY(append_base64(out, "certificates", entry->certificates));
    TRY(append_proof(out, &entry->proof));
    return buf_append_byte(out, '}');
}

static enum err append_chain(struct buf *out, const struct receipt_entry *entries, size_t count,
                             const uint8_t root[CRYPTO_PUBLIC_SIZE], const struct id *mesh)
{
    struct receipt first;
    TRY(receipt_decode(entries[0].record, &first));
    TRY(buf_append_byte(out, '{'));
    TRY(append_text(out, "request_id", bytes_from_str(first.request_id)));
    TRY(append_hex(out, "mesh", mesh->bytes, ID_SIZE));
    TRY(append_base64(out, "root", bytes_of(root, CRYPTO_PUBLIC_SIZE)));
    TRY(append_key(out, "hops"));
    TRY(buf_append_byte(out, '['));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ','));
        TRY(append_hop(out, &entries[i]));
    }
    return buf_append(out, BYTES("]}"));
}

enum err receipt_json_append(const struct receipt_entry *entries, size_t count,
                             const uint8_t root[CRYPTO_PUBLIC_SIZE], const struct id *mesh,
                             struct buf *out)
{
    if (count < 1)
        return ERR_INVALID;
    size_t size_before = out->size;
    enum err e = append_chain(out, entries, count, root, mesh);
    if (e != ERR_OK)
        out->size = size_before;
    return e;
}
