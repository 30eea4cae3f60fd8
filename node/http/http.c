/* What is known about HTTP without parsing: names of fields and methods, the meaning of statuses,
 * which fields end at this hop, and how a head is written. The parser (parser.c), HTTP/2 (h2.c) and
 * everybody who builds or forwards a head call it. */
#include "node/http/http.h"

static const struct bytes name_texts[HTTP_NAME_COUNT] = {
#define NAME_TEXT(constant, text) {(const uint8_t *)(text), sizeof(text) - 1},
    HTTP_NAME_TABLE(NAME_TEXT)
#undef NAME_TEXT
};

struct bytes http_name_text(enum http_name name)
{
    return (unsigned)name < HTTP_NAME_COUNT ? name_texts[name] : name_texts[HTTP_OTHER];
}

/* Names that share their length are told apart by one letter. */
static enum http_name name_of_14(const uint8_t *name)
{
    if ((name[0] | 0x20) == 'c')
        return HTTP_CONTENT_LENGTH;
    switch (name[10] | 0x20) {
    case 'l': return HTTP_GRAPEVINE_LOAD;
    case 'n': return HTTP_GRAPEVINE_NODE;
    default: return HTTP_GRAPEVINE_PATH;
    }
}

static enum http_name name_of_18(const uint8_t *name)
{
    if ((name[0] | 0x20) == 'p')
        return HTTP_PROXY_AUTHENTICATE;
    return (name[10] | 0x20) == 'e' ? HTTP_GRAPEVINE_ENVELOPE : HTTP_GRAPEVINE_RECEIPTS;
}

static enum http_name pick(uint8_t byte, uint8_t first, enum http_name name, enum http_name other)
{
    return (byte | 0x20) == first ? name : other;
}

/* The only name of ours that can be this one. */
static enum http_name name_candidate(struct bytes name)
{
    const uint8_t *n = name.data;
    switch (name.size) {
    case 2: return HTTP_TE;
    case 3: return HTTP_VIA;
    case 4: return HTTP_HOST;
    case 5: return HTTP_ALLOW;
    case 6: return pick(n[0], 'e', HTTP_EXPECT, HTTP_SERVER);
    case 7: return pick(n[0], 't', HTTP_TRAILER, HTTP_UPGRADE);
    case 9: return HTTP_X_API_KEY;
    case 10: return pick(n[0], 'c', HTTP_CONNECTION, HTTP_KEEP_ALIVE);
    case 11: return HTTP_RETRY_AFTER;
    case 12: return pick(n[0], 'c', HTTP_CONTENT_TYPE, HTTP_X_REQUEST_ID);
    case 13: return HTTP_AUTHORIZATION;
    case 14: return name_of_14(n);
    case 15: return pick(n[10], 'e', HTTP_GRAPEVINE_EPOCH, HTTP_GRAPEVINE_MODEL);
    case 16: return pick(n[0], 'p', HTTP_PROXY_CONNECTION, HTTP_GRAPEVINE_REASON);
    case 17: return HTTP_TRANSFER_ENCODING;
    case 18: return name_of_18(n);
    case 19: return HTTP_PROXY_AUTHORIZATION;
    default: return HTTP_OTHER;
    }
}

/* Eight bytes of a name against eight of ours, which have no capitals. Only a letter (0x40 set) may
 * have its 0x20 changed. */
static bool word_matches(const uint8_t *name, const uint8_t *ours)
{
    uint64_t a, b;
    memcpy(&a, name, sizeof a);
    memcpy(&b, ours, sizeof b);
    return (a | (b & UINT64_C(0x4040404040404040)) >> 1) == b;
}

static bool half_word_matches(const uint8_t *name, const uint8_t *ours)
{
    uint32_t a, b;
    memcpy(&a, name, sizeof a);
    memcpy(&b, ours, sizeof b);
    return (a | (b & UINT32_C(0x40404040)) >> 1) == b;
}

/* Both are `size` bytes long. Runs for every field of every message, hence not
 * bytes_equal_nocase. */
static bool name_matches(const uint8_t *name, const uint8_t *ours, size_t size)
{
    if (size < 4)
        return bytes_equal_nocase(bytes_of(name, size), bytes_of(ours, size));
    if (size < 8)
        return half_word_matches(name, ours) && half_word_matches(name + size - 4, ours + size - 4);
    for (size_t i = 0; i + 8 < size; i += 8)
        if (!word_matches(name + i, ours + i))
            return false;
    return word_matches(name + size - 8, ours + size - 8);
}

enum http_name http_name_of(struct bytes name)
{
    enum http_name candidate = name_candidate(name);
    if (candidate == HTTP_OTHER)
        return HTTP_OTHER;
    return name_matches(name.data, name_texts[candidate].data, name.size) ? candidate : HTTP_OTHER;
}

static const struct bytes method_texts[] = {
    [HTTP_METHOD_OTHER] = {(const uint8_t *)"", 0},
    [HTTP_GET] = {(const uint8_t *)"GET", 3},
    [HTTP_HEAD] = {(const uint8_t *)"HEAD", 4},
    [HTTP_POST] = {(const uint8_t *)"POST", 4},
    [HTTP_PUT] = {(const uint8_t *)"PUT", 3},
    [HTTP_DELETE] = {(const uint8_t *)"DELETE", 6},
    [HTTP_OPTIONS] = {(const uint8_t *)"OPTIONS", 7},
};

#define METHOD_COUNT (sizeof method_texts / sizeof method_texts[0])

struct bytes http_method_text(enum http_method m)
{
    return (unsigned)m < METHOD_COUNT ? method_texts[m] : method_texts[HTTP_METHOD_OTHER];
}

enum http_method http_method_of(struct bytes text)
{
    for (unsigned m = HTTP_GET; m < METHOD_COUNT; m++)
        if (bytes_equal(text, method_texts[m]))
            return (enum http_method)m;
    return HTTP_METHOD_OTHER;
}

const struct http_field *http_find(const struct http_head *head, enum http_name id)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == id)
            return &head->fields[i];
    return NULL;
}

/* True when the comma-separated list names `name`. */
static bool list_names(struct bytes list, struct bytes name)
{
    while (list.size) {
        size_t comma = bytes_find(list, ',');
        struct bytes item = bytes_trim(bytes_of(list.data, comma));
        if (item.size == name.size && bytes_equal_nocase(item, name))
            return true;
        list = bytes_skip(list, comma + 1);
    }
    return false;
}

bool http_connection_names(const struct http_head *head, struct bytes option)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *f = &head->fields[i];
        if (f->id == HTTP_CONNECTION && list_names(f->value, option))
            return true;
    }
    return false;
}

bool http_is_hop_by_hop(const struct http_head *head, const struct http_field *field)
{
    switch (field->id) {
    case HTTP_CONNECTION:
    case HTTP_KEEP_ALIVE:
    case HTTP_PROXY_AUTHENTICATE:
    case HTTP_PROXY_AUTHORIZATION:
    case HTTP_PROXY_CONNECTION:
    case HTTP_TE:
    case HTTP_TRAILER:
    case HTTP_TRANSFER_ENCODING:
    case HTTP_UPGRADE: return true;
    case HTTP_CONTENT_LENGTH:
    case HTTP_EXPECT:
    case HTTP_HOST:
    case HTTP_GRAPEVINE_ENVELOPE:
    case HTTP_GRAPEVINE_EPOCH:
    case HTTP_GRAPEVINE_LOAD:
    case HTTP_GRAPEVINE_NODE:
    case HTTP_GRAPEVINE_PATH:
    case HTTP_GRAPEVINE_REASON:
    case HTTP_GRAPEVINE_RECEIPTS:
        /* A client could otherwise make this node drop what the next one must see. */
        return false;
    default: return http_connection_names(head, field->name);
    }
}

bool http_status_has_no_body(int status)
{
    return (status >= 100 && status < 200) || status == 204 || status == 304;
}
