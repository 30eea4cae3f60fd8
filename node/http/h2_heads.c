/* Header blocks both ways. Received ones are gathered line by line in the session's h2_block and
 * shown as a struct http_head; sent ones are arrays of nghttp2_nv that point into the caller's head
 * (nghttp2 copies them and makes names lower case). */
#include "node/http/h2_impl.h"

void h2_block_begin(struct h2 *h)
{
    struct h2_block *b = &h->block;
    buf_clear(&b->text);
    b->head = (struct http_head){.minor_version = 1, .keep_alive = true, .content_length = -1};
    b->too_large = buf_reserve(&b->text, h->cfg.head_max) != ERR_OK;
}

static struct bytes keep(struct h2_block *b, struct bytes data)
{
    struct bytes kept = bytes_of(b->text.data + b->text.size, data.size);
    if (data.size)
        memcpy(b->text.data + b->text.size, data.data, data.size);
    b->text.size += data.size;
    return kept;
}

/* nghttp2 has checked that status is three digits and that pseudo-fields are known and come
 * once. */
static void add_pseudo(struct h2_block *b, struct bytes name, struct bytes value)
{
    if (bytes_equal(name, BYTES(":method")))
        b->head.method = http_method_of(value);
    else if (bytes_equal(name, BYTES(":path")))
        b->head.target = keep(b, value);
    else if (bytes_equal(name, BYTES(":authority")))
        b->head.host = keep(b, value);
    else if (bytes_equal(name, BYTES(":status")))
        b->head.status =
            (value.data[0] - '0') * 100 + (value.data[1] - '0') * 10 + (value.data[2] - '0');
}

static void note_field(struct http_head *head, const struct http_field *field)
{
    uint64_t length = 0;
    if (field->id == HTTP_CONTENT_LENGTH && bytes_to_u64(field->value, &length) &&
        length <= INT64_MAX)
        head->content_length = (int64_t)length;
    else if (field->id == HTTP_EXPECT)
        head->expect_continue = bytes_equal_nocase(field->value, BYTES("100-continue"));
    else if (field->id == HTTP_HOST && head->host.size == 0)
        head->host = field->value;
}

bool h2_block_add(struct h2 *h, struct bytes name, struct bytes value)
{
    struct h2_block *b = &h->block;
    size_t room = h->cfg.head_max - b->text.size;
    if (b->too_large || name.size > room || value.size > room - name.size)
        return false;
    if (name.size && name.data[0] == ':') {
        add_pseudo(b, name, value);
        return true;
    }
    if (b->head.field_count == HTTP_FIELDS_MAX)
        return false;
    struct http_field *field = &b->fields[b->head.field_count++];
    field->id = http_name_of(name);
    field->name = keep(b, name);
    field->value = bytes_trim(keep(b, value));
    note_field(&b->head, field);
    return true;
}

const struct http_head *h2_block_head(struct h2 *h)
{
    h->block.head.fields = h->block.fields;
    return &h->block.head;
}

static void add_line(struct h2_lines *l, struct bytes name, struct bytes value, uint8_t flags)
{
    l->lines[l->count++] = (nghttp2_nv){
        .name = (uint8_t *)name.data, /* nghttp2 only reads it */
        .value = (uint8_t *)value.data,
        .namelen = name.size,
        .valuelen = value.size,
        .flags = flags,
    };
}

static bool has_no_place(enum http_name id)
{
    return id == HTTP_CONNECTION || id == HTTP_HOST || id == HTTP_KEEP_ALIVE ||
           id == HTTP_PROXY_CONNECTION || id == HTTP_TE || id == HTTP_TRANSFER_ENCODING ||
           id == HTTP_UPGRADE;
}

/* Secrets, and values that never come twice and would only push others out of the table. */
static uint8_t index_flags(enum http_name id)
{
    bool skip = id == HTTP_AUTHORIZATION || id == HTTP_GRAPEVINE_ENVELOPE ||
                id == HTTP_GRAPEVINE_RECEIPTS || id == HTTP_GRAPEVINE_LOAD ||
                id == HTTP_X_REQUEST_ID;
    return skip ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

/* nghttp2 reserves so much for each line before it sends a block, and gives up silently where that
 * is too much. */
#define LINE_OVERHEAD 12

static bool fits_in_block(const struct h2_lines *l)
{
    size_t size = LINE_OVERHEAD;
    for (size_t i = 0; i < l->count; i++)
        size += l->lines[i].namelen + l->lines[i].valuelen + LINE_OVERHEAD;
    return size <= H2_BLOCK_MAX;
}

static enum err add_fields(struct h2_lines *l, const struct http_head *head)
{
    if (head->field_count > HTTP_FIELDS_MAX)
        return ERR_HEADER_TOO_LARGE;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *f = &head->fields[i];
        if (!has_no_place(f->id))
            add_line(l, f->name, f->value, index_flags(f->id));
    }
    return fits_in_block(l) ? ERR_OK : ERR_HEADER_TOO_LARGE;
}

enum err h2_lines_of_request(struct h2_lines *l, const struct http_head *head)
{
    struct bytes method = http_method_text(head->method);
    if (method.size == 0 || head->target.size == 0)
        return ERR_INVALID;
    l->count = 0;
    add_line(l, BYTES(":method"), method, NGHTTP2_NV_FLAG_NONE);
    add_line(l, BYTES(":scheme"), BYTES("http"), NGHTTP2_NV_FLAG_NONE);
    if (head->host.size)
        add_line(l, BYTES(":authority"), head->host, NGHTTP2_NV_FLAG_NONE);
    add_line(l, BYTES(":path"), head->target, NGHTTP2_NV_FLAG_NONE);
    return add_fields(l, head);
}

enum err h2_lines_of_answer(struct h2_lines *l, const struct http_head *head)
{
    if (head->status < 200 || head->status > 599)
        return ERR_INVALID;
    l->count = 0;
    l->status[0] = (uint8_t)('0' + head->status / 100);
    l->status[1] = (uint8_t)('0' + head->status / 10 % 10);
    l->status[2] = (uint8_t)('0' + head->status % 10);
    add_line(l, BYTES(":status"), bytes_of(l->status, 3), NGHTTP2_NV_FLAG_NONE);
    return add_fields(l, head);
}

/* Each as two sizes, the name, the value. */
enum err h2_pack_trailers(struct h2_stream *s, const struct http_head *trailers)
{
    if (trailers->field_count > HTTP_FIELDS_MAX)
        return ERR_HEADER_TOO_LARGE;
    for (size_t i = 0; i < trailers->field_count; i++) {
        const struct http_field *f = &trailers->fields[i];
        TRY(buf_append_u32(&s->trailers, (uint32_t)f->name.size));
        TRY(buf_append_u32(&s->trailers, (uint32_t)f->value.size));
        TRY(buf_append(&s->trailers, f->name));
        TRY(buf_append(&s->trailers, f->value));
    }
    s->trailer_count = trailers->field_count;
    return ERR_OK;
}

static size_t read_size(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

void h2_lines_of_trailers(struct h2_lines *l, const struct h2_stream *s)
{
    const uint8_t *p = s->trailers.data;
    l->count = 0;
    for (size_t i = 0; i < s->trailer_count; i++) {
        size_t name_size = read_size(p);
        size_t value_size = read_size(p + 4);
        p += 8;
        struct bytes name = bytes_of(p, name_size);
        add_line(l, name, bytes_of(p + name_size, value_size), index_flags(http_name_of(name)));
        p += name_size + value_size;
    }
}
