/* CEL's values to JSON; see cel_json.h. Integers and doubles are written as strings, so that no
 * reader rounds them. */
#include "node/cli/policy/cel_json.h"

#include <math.h>
#include <stdio.h>

#include "base/utf8.h"

static void put_bytes(struct json *j, const char *key, struct bytes text)
{
    static const char digits[] = "0123456789abcdef";
    if (utf8_is_valid(text)) {
        json_put_text(j, key, text);
        return;
    }
    struct buf hex;
    buf_init(&hex, 2 * text.size);
    for (size_t i = 0; i < text.size && j->error == ERR_OK; i++) {
        char pair[2] = {digits[text.data[i] >> 4], digits[text.data[i] & 15]};
        j->error = buf_append(&hex, bytes_of(pair, 2));
    }
    json_key(j, key);
    json_open(j, '{');
    json_put_text(j, "$bytes_hex", buf_bytes(&hex));
    json_close(j, '}');
    buf_fini(&hex);
}

static void put_double(struct json *j, struct cel_value v)
{
    uint8_t storage[40];
    struct buf text;
    buf_init_fixed(&text, storage, sizeof(storage));
    if (isfinite(v.real) && policy_cel_show(v, &text) == ERR_OK)
        json_put_text(j, "double_value", buf_bytes(&text));
    else
        json_put_str(j, "double_value", isnan(v.real) ? "nan" : v.real < 0 ? "-inf" : "inf");
}

static void put_number(struct json *j, const char *key, struct cel_value v)
{
    char text[32];
    if (v.kind == CEL_INT)
        snprintf(text, sizeof(text), "%lld", (long long)v.integer);
    else
        snprintf(text, sizeof(text), "%llu", (unsigned long long)v.uinteger);
    json_put_str(j, key, text);
}

/* The text inside duration("…") or timestamp("…"). */
static void put_time(struct json *j, const char *key, struct cel_value v)
{
    uint8_t storage[80];
    struct buf text;
    buf_init_fixed(&text, storage, sizeof(storage));
    if (policy_cel_show(v, &text) != ERR_OK) {
        j->error = ERR_LIMIT;
        return;
    }
    size_t start = bytes_find(buf_bytes(&text), '"') + 1;
    json_put_text(j, key, bytes_of(text.data + start, text.size - start - 2));
}

static void put_list(struct json *j, struct cel_value v)
{
    json_key(j, "list_value");
    json_open(j, '{');
    if (v.size) {
        json_key(j, "values");
        json_open(j, '[');
        for (uint32_t i = 0; i < v.size && j->error == ERR_OK; i++)
            cel_json_put_value(j, v.items[i]);
        json_close(j, ']');
    }
    json_close(j, '}');
}

static void put_map(struct json *j, struct cel_value v)
{
    json_key(j, "map_value");
    json_open(j, '{');
    if (v.size) {
        json_key(j, "entries");
        json_open(j, '[');
        for (uint32_t i = 0; i < v.size && j->error == ERR_OK; i++) {
            json_open(j, '{');
            json_key(j, "key");
            cel_json_put_value(j, v.items[2 * i]);
            json_key(j, "value");
            cel_json_put_value(j, v.items[2 * i + 1]);
            json_close(j, '}');
        }
        json_close(j, ']');
    }
    json_close(j, '}');
}

void cel_json_put_value(struct json *j, struct cel_value v)
{
    if (v.kind == CEL_OPTIONAL && v.size) {
        cel_json_put_value(j, v.items[0]);
        return;
    }
    json_open(j, '{');
    switch (v.kind) {
    case CEL_BOOL: json_put_bool(j, "bool_value", v.boolean); break;
    case CEL_INT: put_number(j, "int64_value", v); break;
    case CEL_UINT: put_number(j, "uint64_value", v); break;
    case CEL_DOUBLE: put_double(j, v); break;
    case CEL_STRING: put_bytes(j, "string_value", policy_cel_bytes(v)); break;
    case CEL_BYTES: put_bytes(j, "bytes_value", policy_cel_bytes(v)); break;
    case CEL_TYPE: put_bytes(j, "type_value", policy_cel_bytes(v)); break;
    case CEL_DURATION: put_time(j, "duration_value", v); break;
    case CEL_TIMESTAMP: put_time(j, "timestamp_value", v); break;
    case CEL_LIST: put_list(j, v); break;
    case CEL_MAP: put_map(j, v); break;
    case CEL_OPTIONAL:
        json_key(j, "optional_none");
        json_open(j, '{');
        json_close(j, '}');
        break;
    default: json_put_str(j, "null_value", "NULL_VALUE"); break;
    }
    json_close(j, '}');
}
