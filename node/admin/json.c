/* The writer of json.h: a comma goes before whatever follows a finished value. */
#include "node/admin/json.h"

void json_begin(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out, .start = out->size};
}

enum err json_end(struct json *j)
{
    if (j->error != ERR_OK)
        j->out->size = j->start;
    return j->error;
}

static void append(struct json *j, struct bytes text)
{
    if (j->error == ERR_OK)
        j->error = buf_append(j->out, text);
}

static void before_value(struct json *j)
{
    if (j->needs_comma)
        append(j, BYTES(","));
    j->needs_comma = true;
}

void json_open(struct json *j, char bracket)
{
    before_value(j);
    append(j, bytes_of(&bracket, 1));
    j->needs_comma = false;
}

void json_close(struct json *j, char bracket)
{
    append(j, bytes_of(&bracket, 1));
    j->needs_comma = true;
}

void json_key(struct json *j, const char *key)
{
    json_key_text(j, bytes_from_str(key));
}

void json_key_text(struct json *j, struct bytes key)
{
    json_text(j, key);
    append(j, BYTES(":"));
    j->needs_comma = false;
}

void json_null(struct json *j)
{
    before_value(j);
    append(j, BYTES("null"));
}

void json_bool(struct json *j, bool value)
{
    before_value(j);
    append(j, value ? BYTES("true") : BYTES("false"));
}

void json_uint(struct json *j, uint64_t value)
{
    before_value(j);
    if (j->error == ERR_OK)
        j->error = buf_append_decimal(j->out, value);
}

void json_number(struct json *j, const char *text)
{
    before_value(j);
    append(j, bytes_from_str(text));
}

void json_text(struct json *j, struct bytes text)
{
    before_value(j);
    append(j, BYTES("\""));
    if (j->error == ERR_OK)
        j->error = buf_append_json_escaped(j->out, text);
    append(j, BYTES("\""));
}

void json_milli(struct json *j, uint64_t thousandths)
{
    before_value(j);
    if (j->error == ERR_OK)
        j->error = buf_printf(j->out, "%llu.%03u", (unsigned long long)(thousandths / 1000),
                              (unsigned)(thousandths % 1000));
}

void json_put_text(struct json *j, const char *key, struct bytes text)
{
    json_key(j, key);
    json_text(j, text);
}

void json_put_str(struct json *j, const char *key, const char *text)
{
    json_put_text(j, key, bytes_from_str(text));
}

void json_put_text_or_null(struct json *j, const char *key, struct bytes text)
{
    if (text.size)
        json_put_text(j, key, text);
    else
        json_put_null(j, key);
}

void json_put_uint(struct json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_uint(j, value);
}

void json_put_count_or_null(struct json *j, const char *key, int64_t value)
{
    if (value >= 0)
        json_put_uint(j, key, (uint64_t)value);
    else
        json_put_null(j, key);
}

void json_put_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}

void json_put_null(struct json *j, const char *key)
{
    json_key(j, key);
    json_null(j);
}
