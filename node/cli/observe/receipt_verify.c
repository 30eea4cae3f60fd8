/* Reads a receipt's JSON back into signed records, lets node/trust check them, and compares what
 * people can read with what was signed. Called by the `receipt verify` command. */
#include "node/cli/observe/receipt_verify.h"

#include "node/trust/receipt_json.h"

#include <cjson/cJSON.h>

struct parsed {
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t count;
    uint8_t root[CRYPTO_PUBLIC_SIZE]; /* as the file says */
    struct buf storage;               /* what entries point into; reserved once, never moves */
};

/* --- JSON to records --- */

static struct bytes string_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? bytes_from_str(text) : (struct bytes){0};
}

static enum err base64_exact(const cJSON *object, const char *key, uint8_t *ret_data, size_t size)
{
    uint8_t space[CRYPTO_SIGNATURE_SIZE];
    struct buf out;
    buf_init_fixed(&out, space, sizeof(space));
    if (crypto_base64_decode(string_of(object, key), &out) != ERR_OK || out.size != size)
        return ERR_INVALID;
    memcpy(ret_data, space, size);
    return ERR_OK;
}

static enum err base64_stored(const cJSON *object, const char *key, struct buf *storage,
                              struct bytes *ret_data)
{
    size_t start = storage->size;
    if (crypto_base64_decode(string_of(object, key), storage) != ERR_OK)
        return ERR_INVALID;
    *ret_data = bytes_of(storage->data + start, storage->size - start);
    return ERR_OK;
}

static enum err u32_of(const cJSON *object, const char *key, uint32_t *ret_value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= UINT32_MAX))
        return ERR_INVALID;
    *ret_value = (uint32_t)item->valuedouble;
    return ERR_OK;
}

static enum err parse_proof(const cJSON *object, struct batch_proof *ret_proof)
{
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(object, "path"), *node;
    TRY(u32_of(object, "index", &ret_proof->index));
    TRY(u32_of(object, "count", &ret_proof->count));
    TRY(base64_exact(object, "signature", ret_proof->signature, CRYPTO_SIGNATURE_SIZE));
    ret_proof->path_count = 0;
    cJSON_ArrayForEach(node, path)
    {
        const char *hex = cJSON_GetStringValue(node);
        if (!hex || ret_proof->path_count == BATCH_PATH_MAX)
            return ERR_INVALID;
        uint8_t *place = ret_proof->path[ret_proof->path_count++];
        TRY(crypto_hex_decode(bytes_from_str(hex), place, CRYPTO_HASH_SIZE));
    }
    return ERR_OK;
}

static enum err parse_hop(const cJSON *hop, struct buf *storage, struct receipt_entry *ret_entry)
{
    TRY(base64_stored(hop, "record", storage, &ret_entry->record));
    TRY(base64_stored(hop, "certificates", storage, &ret_entry->certificates));
    TRY(base64_exact(hop, "signer", ret_entry->signer, CRYPTO_PUBLIC_SIZE));
    return parse_proof(cJSON_GetObjectItemCaseSensitive(hop, "proof"), &ret_entry->proof);
}

static enum err parse_receipt(const cJSON *json, struct parsed *ret_parsed)
{
    const cJSON *hops = cJSON_GetObjectItemCaseSensitive(json, "hops"), *hop;
    TRY(base64_exact(json, "root", ret_parsed->root, CRYPTO_PUBLIC_SIZE));
    if (!cJSON_IsArray(hops))
        return ERR_INVALID;
    cJSON_ArrayForEach(hop, hops)
    {
        if (ret_parsed->count == RECEIPT_HOPS_MAX)
            return ERR_INVALID;
        TRY(parse_hop(hop, &ret_parsed->storage, &ret_parsed->entries[ret_parsed->count++]));
    }
    return ret_parsed->count > 0 ? ERR_OK : ERR_INVALID;
}

/* cJSON ends a string at an escaped NUL, so that what follows it would go unseen. */
static bool has_escaped_nul(struct bytes json)
{
    for (size_t i = 0; i + 1 < json.size; i++) {
        if (json.data[i] != '\\')
            continue;
        if (bytes_starts_with(bytes_skip(json, i), BYTES("\\u0000")))
            return true;
        i++;
    }
    return false;
}

/* The whole text as one value, nothing but blanks after it; NULL when malformed. */
static cJSON *parse_text(struct bytes json)
{
    const char *end = NULL;
    if (json.size == 0 || json.size > RECEIPT_JSON_MAX * 2 || has_escaped_nul(json))
        return NULL;
    cJSON *value = cJSON_ParseWithLengthOpts((const char *)json.data, json.size, &end, false);
    if (!value)
        return NULL;
    for (const uint8_t *p = (const uint8_t *)end; p < json.data + json.size; p++) {
        if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\n') {
            cJSON_Delete(value);
            return NULL;
        }
    }
    return value;
}

/* --- checks --- */

static enum err fail(enum err e, const char *detail, const char **ret_detail)
{
    *ret_detail = detail;
    return e;
}

/* The same records written out again must give the same JSON. */
static enum err check_readable(const cJSON *json, const struct parsed *p, const uint8_t *root,
                               const char **ret_detail)
{
    struct id mesh = id_of_public_key(root);
    struct buf text;
    buf_init(&text, RECEIPT_JSON_MAX);
    enum err e = receipt_json_append(p->entries, p->count, root, &mesh, &text);
    cJSON *again = NULL;
    if (e == ERR_OK)
        again = cJSON_ParseWithLength((const char *)text.data, text.size);
    if (!again || !cJSON_Compare(json, again, true))
        e = fail(ERR_INVALID, "its readable fields are not what was signed", ret_detail);
    cJSON_Delete(again);
    buf_fini(&text);
    return e;
}

static enum err check(const cJSON *json, const struct parsed *p, const uint8_t *root,
                      const char **ret_detail)
{
    if (memcmp(p->root, root, CRYPTO_PUBLIC_SIZE) != 0)
        return fail(ERR_WRONG_MESH, "it names another root key than the one given", ret_detail);
    TRY(receipt_chain_verify(p->entries, p->count, root, ret_detail));
    return check_readable(json, p, root, ret_detail);
}

/* --- report --- */

static enum err report_hop(struct buf *report, const struct receipt *r)
{
    TRY(buf_printf(report, "  hop %u  %s", r->hop, r->name));
    if (r->region[0])
        TRY(buf_printf(report, " (%s)", r->region));
    TRY(buf_printf(report, "  %s", receipt_role_name(r->role)));
    if (r->backend.size) {
        TRY(buf_append_str(report, " by "));
        TRY(buf_append(report, r->backend));
    }
    TRY(buf_printf(report, "  status %u  %llu ms  reason ", r->status,
                   (unsigned long long)r->duration_ms));
    TRY(buf_append(report, r->reason));
    return buf_append_byte(report, '\n');
}

static enum err report_valid(struct buf *report, const struct parsed *p, bool root_is_given)
{
    TRY(buf_append_str(report, "valid\n"));
    for (size_t i = 0; i < p->count; i++) {
        struct receipt r;
        TRY(receipt_decode(p->entries[i].record, &r));
        if (i == 0) {
            TRY(buf_printf(report, "request %s  model ", r.request_id));
            TRY(buf_append(report, r.model));
            TRY(buf_append_byte(report, '\n'));
        }
        TRY(report_hop(report, &r));
    }
    TRY(buf_append_str(report, "root "));
    TRY(crypto_base64_append(report, bytes_of(p->root, CRYPTO_PUBLIC_SIZE)));
    if (root_is_given)
        return buf_append_str(report, " as given\n");
    return buf_append_str(report, " taken from the file itself: compare it with your mesh's, or"
                                  " give --root\n");
}

static enum err report_failure(struct buf *report, enum err e, const char *detail)
{
    return buf_printf(report, "not valid: %s (%s)\n", detail, err_text(e));
}

static enum err verify(const cJSON *json, const uint8_t *root_or_null, struct parsed *p,
                       const char **ret_detail)
{
    if (!json || parse_receipt(json, p) != ERR_OK)
        return fail(ERR_INVALID, "it is not a receipt in JSON", ret_detail);
    return check(json, p, root_or_null ? root_or_null : p->root, ret_detail);
}

enum err receipt_verify_json(struct bytes json, const uint8_t root_or_null[CRYPTO_PUBLIC_SIZE],
                             struct buf *report)
{
    struct parsed p = {0};
    const char *detail = "out of memory";
    buf_init(&p.storage, RECEIPT_CHAIN_WIRE_MAX);
    cJSON *value = parse_text(json);
    enum err e = buf_reserve(&p.storage, RECEIPT_CHAIN_WIRE_MAX);
    if (e == ERR_OK)
        e = verify(value, root_or_null, &p, &detail);
    enum err reported = e == ERR_OK ? report_valid(report, &p, root_or_null != NULL)
                                    : report_failure(report, e, detail);
    cJSON_Delete(value);
    buf_fini(&p.storage);
    return e == ERR_OK ? reported : e;
}
