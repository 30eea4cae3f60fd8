/* Documents as JSON, along the schema: listings, watchers' details, printed logs. Called by the
 * node's control interface and the CLI. */
#include "registry/fields.h"

static enum err append_group(const struct registry_group *group, const void *document,
                             struct buf *out);

static enum err append_text(struct bytes text, struct buf *out)
{
    TRY(buf_append_byte(out, '"'));
    TRY(buf_append_json_escaped(out, text));
    return buf_append_byte(out, '"');
}

static enum err append_fixed(const struct registry_field *f, const void *value, struct buf *out)
{
    struct bytes data = bytes_of(value, registry_field_fixed_size(f));
    TRY(buf_append_byte(out, '"'));
    TRY(f->type == REGISTRY_TYPE_KEY ? crypto_base64_append(out, data)
                                     : crypto_hex_append(out, data));
    return buf_append_byte(out, '"');
}

static enum err append_list(const struct registry_field *f, const void *document, struct buf *out)
{
    const uint8_t *items = registry_field_of(f, document);
    size_t count = registry_field_count(f, document);
    TRY(buf_append_byte(out, '['));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ','));
        if (f->type == REGISTRY_TYPE_GROUPS)
            TRY(append_group(f->group, items + i * f->group->size, out));
        else
            TRY(append_text(((const struct bytes *)(const void *)items)[i], out));
    }
    return buf_append_byte(out, ']');
}

static enum err append_value(const struct registry_field *f, const void *document, struct buf *out)
{
    const void *value = registry_field_of(f, document);
    if (registry_field_is_list(f))
        return append_list(f, document, out);
    if (registry_field_is_text(f))
        return append_text(*(const struct bytes *)value, out);
    if (f->type == REGISTRY_TYPE_NUMBER)
        return buf_append_decimal(out, *(const uint64_t *)value);
    if (f->type == REGISTRY_TYPE_WORD)
        return append_text(bytes_from_str(f->words[*(const uint32_t *)value]), out);
    if (registry_field_is_empty(f, document))
        return buf_append_str(out, "null");
    return append_fixed(f, value, out);
}

static enum err append_group(const struct registry_group *group, const void *document,
                             struct buf *out)
{
    bool is_first = true;
    TRY(buf_append_byte(out, '{'));
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        if (f->flags & REGISTRY_SECRET)
            continue;
        TRY(buf_append_str(out, is_first ? "\"" : ",\""));
        TRY(buf_append_str(out, f->name));
        TRY(buf_append_str(out, "\":"));
        TRY(append_value(f, document, out));
        is_first = false;
    }
    return buf_append_byte(out, '}');
}

enum err registry_json_append(const struct registry_group *group, const void *document,
                              struct buf *out)
{
    size_t size_before = out->size;
    enum err e = append_group(group, document, out);
    if (e != ERR_OK)
        out->size = size_before;
    return e;
}
