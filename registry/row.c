/* Encodes and decodes rows by their schema; see row.h. Called by rows.c, read.c and load.c. */
#include "registry/row.h"

#include "registry/fields.h"

#define ROW_VERSION 1
#define HEAD_SIZE (1 + 8 + 8 + ID_SIZE)

/* --- keys --- */

enum err registry_row_key(uint8_t kind, struct bytes first, struct bytes second, unsigned parts,
                          struct registry_key_bytes *ret_key)
{
    struct buf key;
    buf_init_fixed(&key, ret_key->data, sizeof(ret_key->data));
    enum err e = buf_append_byte(&key, kind);
    if (e == ERR_OK)
        e = buf_append(&key, first);
    if (e == ERR_OK && parts > 1)
        e = buf_append_byte(&key, 0);
    if (e == ERR_OK)
        e = buf_append(&key, second);
    ret_key->size = key.size;
    return e == ERR_OK ? ERR_OK : ERR_INVALID;
}

/* A field's bytes as part of a key; numbers are written to `space`. */
static struct bytes key_part(const struct registry_field *f, const void *document, uint8_t space[8])
{
    const void *value = registry_field_of(f, document);
    struct buf number;
    if (registry_field_is_text(f))
        return *(const struct bytes *)value;
    if (f->type != REGISTRY_TYPE_NUMBER)
        return bytes_of(value, registry_field_fixed_size(f));
    buf_init_fixed(&number, space, 8);
    CHECK(buf_append_u64(&number, *(const uint64_t *)value) == ERR_OK);
    return buf_bytes(&number);
}

unsigned registry_row_key_parts(enum registry_kind kind)
{
    const struct registry_group *group = &registry_schema(kind)->group;
    unsigned parts = 0;
    for (size_t i = 0; i < group->field_count; i++)
        parts += (group->fields[i].flags & REGISTRY_IN_KEY) != 0;
    return parts;
}

enum err registry_row_key_of(enum registry_kind kind, const union registry_document *doc,
                             struct registry_key_bytes *ret_key)
{
    const struct registry_group *group = &registry_schema(kind)->group;
    struct bytes parts[2] = {{0}, {0}};
    uint8_t spaces[2][8];
    unsigned count = 0;
    for (size_t i = 0; i < group->field_count && count < 2; i++)
        if (group->fields[i].flags & REGISTRY_IN_KEY) {
            parts[count] = key_part(&group->fields[i], doc, spaces[count]);
            count++;
        }
    return registry_row_key((uint8_t)kind, parts[0], parts[1], count, ret_key);
}

static enum err append_part_text(const struct registry_field *f, const void *document,
                                 struct buf *out)
{
    const void *value = registry_field_of(f, document);
    if (registry_field_is_text(f))
        return buf_append(out, *(const struct bytes *)value);
    if (f->type == REGISTRY_TYPE_NUMBER)
        return buf_append_decimal(out, *(const uint64_t *)value);
    return crypto_hex_append(out, bytes_of(value, registry_field_fixed_size(f)));
}

void registry_row_name(enum registry_kind kind, const union registry_document *doc, struct buf *out)
{
    const struct registry_group *group = &registry_schema(kind)->group;
    bool is_first = true;
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        if (!(f->flags & REGISTRY_IN_KEY) || registry_field_is_empty(f, doc))
            continue;
        if ((!is_first && buf_append_byte(out, '/') != ERR_OK) ||
            append_part_text(f, doc, out) != ERR_OK)
            return;
        is_first = false;
    }
}

/* --- encoding --- */

static enum err encode_group(const struct registry_group *group, const void *document,
                             struct buf *out);

static enum err encode_text(struct bytes text, struct buf *out)
{
    TRY(buf_append_u32(out, (uint32_t)text.size));
    return buf_append(out, text);
}

static enum err encode_list(const struct registry_field *f, const void *document, struct buf *out)
{
    const uint8_t *items = registry_field_of(f, document);
    size_t count = registry_field_count(f, document);
    TRY(buf_append_byte(out, (uint8_t)count));
    for (size_t i = 0; i < count; i++) {
        if (f->type == REGISTRY_TYPE_GROUPS)
            TRY(encode_group(f->group, items + i * f->group->size, out));
        else
            TRY(encode_text(((const struct bytes *)(const void *)items)[i], out));
    }
    return ERR_OK;
}

static enum err encode_group(const struct registry_group *group, const void *document,
                             struct buf *out)
{
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        const void *value = registry_field_of(f, document);
        if (registry_field_is_list(f))
            TRY(encode_list(f, document, out));
        else if (registry_field_is_text(f))
            TRY(encode_text(*(const struct bytes *)value, out));
        else if (f->type == REGISTRY_TYPE_NUMBER)
            TRY(buf_append_u64(out, *(const uint64_t *)value));
        else if (f->type == REGISTRY_TYPE_WORD)
            TRY(buf_append_byte(out, (uint8_t) * (const uint32_t *)value));
        else
            TRY(buf_append(out, bytes_of(value, registry_field_fixed_size(f))));
    }
    return ERR_OK;
}

enum err registry_row_encode(const struct registry_row *row, struct buf *out)
{
    TRY(buf_append_byte(out, ROW_VERSION));
    TRY(buf_append_u64(out, row->rev));
    TRY(buf_append_u64(out, row->time_ms));
    TRY(buf_append(out, bytes_of(row->author.bytes, ID_SIZE)));
    return encode_group(&registry_schema(row->kind)->group, &row->doc, out);
}

bool registry_row_same_fields(struct bytes a, struct bytes b)
{
    return bytes_equal(bytes_skip(a, HEAD_SIZE), bytes_skip(b, HEAD_SIZE));
}

/* --- decoding: false where bytes are missing or a value is impossible --- */

static bool decode_group(const struct registry_group *group, struct bytes *rest, void *document);

static bool take_bytes(struct bytes *rest, size_t size, struct bytes *ret_part)
{
    if (rest->size < size)
        return false;
    *ret_part = bytes_of(rest->data, size);
    *rest = bytes_skip(*rest, size);
    return true;
}

static bool take_number(struct bytes *rest, size_t size, uint64_t *ret_value)
{
    struct bytes part;
    if (!take_bytes(rest, size, &part))
        return false;
    *ret_value = 0;
    for (size_t i = 0; i < size; i++)
        *ret_value = *ret_value << 8 | part.data[i];
    return true;
}

static bool take_text(struct bytes *rest, struct bytes *ret_text)
{
    uint64_t size;
    return take_number(rest, 4, &size) && take_bytes(rest, (size_t)size, ret_text);
}

static bool decode_list(const struct registry_field *f, struct bytes *rest, void *document)
{
    uint8_t *items = registry_field_in(f, document);
    uint64_t count;
    if (!take_number(rest, 1, &count) || count > f->max)
        return false;
    registry_field_set_count(f, document, (size_t)count);
    for (size_t i = 0; i < count; i++) {
        bool is_fine = f->type == REGISTRY_TYPE_GROUPS
                           ? decode_group(f->group, rest, items + i * f->group->size)
                           : take_text(rest, &((struct bytes *)(void *)items)[i]);
        if (!is_fine)
            return false;
    }
    return true;
}

static bool decode_field(const struct registry_field *f, struct bytes *rest, void *document)
{
    void *value = registry_field_in(f, document);
    uint64_t number;
    struct bytes part;
    if (registry_field_is_list(f))
        return decode_list(f, rest, document);
    if (registry_field_is_text(f))
        return take_text(rest, value);
    if (f->type == REGISTRY_TYPE_NUMBER)
        return take_number(rest, 8, value);
    if (f->type == REGISTRY_TYPE_WORD) {
        bool is_fine = take_number(rest, 1, &number) && number <= f->max;
        *(uint32_t *)value = is_fine ? (uint32_t)number : 0;
        return is_fine;
    }
    if (!take_bytes(rest, registry_field_fixed_size(f), &part))
        return false;
    memcpy(value, part.data, part.size);
    return true;
}

static bool decode_group(const struct registry_group *group, struct bytes *rest, void *document)
{
    for (size_t i = 0; i < group->field_count; i++)
        if (!decode_field(&group->fields[i], rest, document))
            return false;
    return true;
}

enum err registry_row_decode(enum registry_kind kind, struct bytes value,
                             struct registry_row *ret_row)
{
    const struct registry_schema *schema = registry_schema(kind);
    uint64_t version;
    struct bytes author, rest = value;
    if (!schema || value.size < HEAD_SIZE + REGISTRY_ROW_HASH_SIZE)
        return ERR_CORRUPT;
    rest.size -= REGISTRY_ROW_HASH_SIZE;
    ret_row->kind = kind;
    if (!take_number(&rest, 1, &version) || version != ROW_VERSION ||
        !take_number(&rest, 8, &ret_row->rev) || !take_number(&rest, 8, &ret_row->time_ms) ||
        !take_bytes(&rest, ID_SIZE, &author))
        return ERR_CORRUPT;
    memcpy(ret_row->author.bytes, author.data, ID_SIZE);
    memset(&ret_row->doc, 0, schema->group.size);
    return decode_group(&schema->group, &rest, &ret_row->doc) && rest.size == 0 ? ERR_OK
                                                                                : ERR_CORRUPT;
}
