/* See auth.h. Called by http_conn for each request; a key costs two reads in LMDB's map. */
#include "node/ingress/auth.h"

#include "node/ingress/exchange.h"
#include "node/lane.h"

#define KEY_PREFIX BYTES("gvk_")

static struct bytes key_in(const struct http_field *f)
{
    struct bytes value = f->value;
    if (f->id == HTTP_AUTHORIZATION) {
        struct bytes scheme = bytes_of(value.data, value.size < 7 ? value.size : 7);
        if (!bytes_equal_nocase(scheme, BYTES("Bearer ")))
            return bytes_of(NULL, 0);
        value = bytes_trim(bytes_skip(value, scheme.size));
    } else if (f->id != HTTP_X_API_KEY) {
        return bytes_of(NULL, 0);
    }
    return bytes_starts_with(value, KEY_PREFIX) ? value : bytes_of(NULL, 0);
}

/* Of two different ones nobody could say which counts. */
static enum err take_key(struct http_head *head, struct bytes *ret_key)
{
    struct bytes key = bytes_of(NULL, 0);
    size_t kept = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        struct bytes one = key_in(&head->fields[i]);
        if (!one.data) {
            head->fields[kept++] = head->fields[i];
            continue;
        }
        if (key.data && !bytes_equal(key, one))
            return ERR_INVALID_API_KEY;
        key = one;
    }
    head->field_count = kept;
    *ret_key = key;
    return ERR_OK;
}

/* What is wrong with it (unknown, revoked, over, its tenant suspended) is nobody's business. */
static enum err find_tenant(struct exchange *x, const struct registry_reader *reader,
                            struct bytes key)
{
    struct registry_row row;
    enum err e = registry_authenticate(reader, key, io_wall_ms(x->lane->loop), &row);
    if (e == ERR_NOT_FOUND || e == ERR_REVOKED || e == ERR_EXPIRED)
        return ERR_INVALID_API_KEY;
    TRY(e);
    x->terms.tenant = arena_copy(&x->arena, row.doc.tenant.name);
    return x->terms.tenant.data ? ERR_OK : ERR_NO_MEMORY;
}

void auth_load(struct lane *lane)
{
    const struct registry_reader *reader = lane->rules ? rules_reader(lane->rules) : NULL;
    uint64_t required = 0;
    lane->needs_key =
        lane->is_public ||
        (reader && registry_setting_number(reader, "clients.require_key", &required) == ERR_OK &&
         required);
}

enum err auth_client(struct exchange *x)
{
    struct lane *lane = x->lane;
    const struct registry_reader *reader = lane->rules ? rules_reader(lane->rules) : NULL;
    struct bytes key;
    TRY(take_key(&x->head, &key));
    if (!key.data)
        return lane->needs_key ? ERR_INVALID_API_KEY : ERR_OK;
    return reader ? find_tenant(x, reader, key) : ERR_STARTING;
}
