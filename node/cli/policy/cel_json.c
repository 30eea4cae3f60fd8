/* Reading CEL's values from JSON; see cel_json.h. Nesting is bounded by cJSON's parser and again
 * here. */
#include "node/cli/policy/cel_json.h"

#include <math.h>
#include <stdlib.h>

#define DEPTH_MAX 200

static enum err read_value(const struct cel_json *doc, const cJSON *json, unsigned depth,
                           struct cel_value *ret);

const cJSON *cel_json_first(const cJSON *json)
{
    return cJSON_IsArray(json) ? json->child : json;
}

const cJSON *cel_json_next(const cJSON *json, const cJSON *item)
{
    return cJSON_IsArray(json) ? item->next : NULL;
}

bool cel_json_is(const cJSON *json, const char *key)
{
    return json->string && strcmp(json->string, key) == 0;
}

static size_t count_of(const cJSON *json)
{
    size_t count = 0;
    for (const cJSON *item = cel_json_first(json); item; item = cel_json_next(json, item))
        count++;
    return count;
}

/* --- numbers and texts */

static enum err read_int(const cJSON *json, struct cel_value *ret)
{
    char *end;
    *ret = (struct cel_value){.kind = CEL_INT};
    if (cJSON_IsNumber(json) && fabs(json->valuedouble) < 0x1p53)
        ret->integer = (int64_t)json->valuedouble;
    else if (cJSON_IsString(json))
        ret->integer = strtoll(json->valuestring, &end, 10);
    else
        return ERR_INVALID;
    return cJSON_IsString(json) && (*end || !*json->valuestring) ? ERR_INVALID : ERR_OK;
}

static enum err read_uint(const cJSON *json, struct cel_value *ret)
{
    char *end;
    *ret = (struct cel_value){.kind = CEL_UINT};
    if (cJSON_IsNumber(json) && json->valuedouble >= 0 && json->valuedouble < 0x1p53)
        ret->uinteger = (uint64_t)json->valuedouble;
    else if (cJSON_IsString(json))
        ret->uinteger = strtoull(json->valuestring, &end, 10);
    else
        return ERR_INVALID;
    return cJSON_IsString(json) && (*end || !*json->valuestring) ? ERR_INVALID : ERR_OK;
}

static enum err read_double(const cJSON *json, struct cel_value *ret)
{
    char *end;
    *ret = (struct cel_value){.kind = CEL_DOUBLE};
    if (cJSON_IsNumber(json))
        ret->real = json->valuedouble;
    else if (cJSON_IsString(json)) /* "inf" and "nan" too */
        ret->real = strtod(json->valuestring, &end);
    else
        return ERR_INVALID;
    return cJSON_IsString(json) && (*end || !*json->valuestring) ? ERR_INVALID : ERR_OK;
}

static enum err read_bool(const cJSON *json, struct cel_value *ret)
{
    bool is_true =
        cJSON_IsTrue(json) || (cJSON_IsString(json) && !strcmp(json->valuestring, "true"));
    bool is_false =
        cJSON_IsFalse(json) || (cJSON_IsString(json) && !strcmp(json->valuestring, "false"));
    *ret = (struct cel_value){.kind = CEL_BOOL, .boolean = is_true};
    return is_true || is_false ? ERR_OK : ERR_INVALID;
}

static enum err read_hex(const char *hex, struct arena *arena, struct bytes *ret)
{
    size_t size = strlen(hex);
    uint8_t *data = arena_alloc(arena, size / 2 + 1);
    if (!data)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < size; i += 2) {
        char digits[3] = {hex[i], hex[i + 1]};
        char *end;
        data[i / 2] = (uint8_t)strtoul(digits, &end, 16);
        if (*end || size % 2)
            return ERR_INVALID;
    }
    *ret = bytes_of(data, size / 2);
    return ERR_OK;
}

/* Text, or {"$bytes_hex": "ff00"}. */
static enum err read_text(const struct cel_json *doc, const cJSON *json, enum cel_kind kind,
                          struct cel_value *ret)
{
    const cJSON *hex = cJSON_IsObject(json) ? json->child : NULL;
    struct bytes text;
    if (cJSON_IsString(json))
        text = cel_json_text(doc, json);
    else if (hex && cel_json_is(hex, "$bytes_hex") && cJSON_IsString(hex))
        TRY(read_hex(hex->valuestring, doc->arena, &text));
    else
        return ERR_INVALID;
    if (text.size && !text.data)
        return ERR_NO_MEMORY;
    *ret = policy_cel_string(text);
    ret->kind = (uint8_t)kind;
    return ERR_OK;
}

/* --- aggregates */

static enum err read_list(const struct cel_json *doc, const cJSON *json, unsigned depth,
                          struct cel_value *ret)
{
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(json, "values");
    size_t count = count_of(values), i = 0;
    struct cel_value *items = arena_calloc(doc->arena, (count + 1) * sizeof(*items));
    if (!items)
        return ERR_NO_MEMORY;
    for (const cJSON *at = cel_json_first(values); at; at = cel_json_next(values, at))
        TRY(read_value(doc, at, depth + 1, &items[i++]));
    *ret = (struct cel_value){.kind = CEL_LIST, .size = (uint32_t)count, .items = items};
    return ERR_OK;
}

static enum err read_map(const struct cel_json *doc, const cJSON *json, unsigned depth,
                         struct cel_value *ret)
{
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(json, "entries");
    size_t count = count_of(entries), i = 0;
    struct cel_value *items = arena_calloc(doc->arena, (2 * count + 1) * sizeof(*items));
    if (!items)
        return ERR_NO_MEMORY;
    for (const cJSON *at = cel_json_first(entries); at; at = cel_json_next(entries, at)) {
        const cJSON *key = cJSON_GetObjectItemCaseSensitive(at, "key");
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(at, "value");
        if (!key || !value)
            return ERR_INVALID;
        TRY(read_value(doc, key, depth + 1, &items[i++]));
        TRY(read_value(doc, value, depth + 1, &items[i++]));
    }
    *ret = (struct cel_value){.kind = CEL_MAP, .size = (uint32_t)count, .items = items};
    return ERR_OK;
}

/* A duration or a timestamp, by CEL's own reading of its text. */
static enum err read_time(const cJSON *json, enum cel_kind kind, struct cel_value *ret)
{
    if (!cJSON_IsString(json))
        return ERR_INVALID;
    return policy_cel_parse_time(kind, bytes_from_str(json->valuestring), ret);
}

static enum err read_value(const struct cel_json *doc, const cJSON *json, unsigned depth,
                           struct cel_value *ret)
{
    const cJSON *v = cJSON_IsObject(json) ? json->child : NULL;
    if (!v || depth > DEPTH_MAX)
        return ERR_INVALID;
    if (cel_json_is(v, "int64_value"))
        return read_int(v, ret);
    if (cel_json_is(v, "uint64_value"))
        return read_uint(v, ret);
    if (cel_json_is(v, "double_value"))
        return read_double(v, ret);
    if (cel_json_is(v, "bool_value"))
        return read_bool(v, ret);
    if (cel_json_is(v, "string_value"))
        return read_text(doc, v, CEL_STRING, ret);
    if (cel_json_is(v, "bytes_value"))
        return read_text(doc, v, CEL_BYTES, ret);
    if (cel_json_is(v, "type_value"))
        return read_text(doc, v, CEL_TYPE, ret);
    if (cel_json_is(v, "duration_value") || cel_json_is(v, "timestamp_value"))
        return read_time(v, cel_json_is(v, "duration_value") ? CEL_DURATION : CEL_TIMESTAMP, ret);
    if (cel_json_is(v, "list_value"))
        return read_list(doc, v, depth, ret);
    if (cel_json_is(v, "map_value"))
        return read_map(doc, v, depth, ret);
    *ret = (struct cel_value){.kind = cel_json_is(v, "optional_none") ? CEL_OPTIONAL : CEL_NULL};
    if (ret->kind == CEL_OPTIONAL || cel_json_is(v, "null_value"))
        return ERR_OK;
    return cel_json_is(v, "object_value") ? ERR_UNSUPPORTED : ERR_INVALID;
}

enum err cel_json_value(const struct cel_json *doc, const cJSON *json, struct cel_value *ret_value)
{
    return read_value(doc, json, 0, ret_value);
}

/* --- plain JSON */

static enum err read_plain(const struct cel_json *doc, const cJSON *json, unsigned depth,
                           struct cel_value *ret)
{
    bool is_map = cJSON_IsObject(json);
    if (depth > DEPTH_MAX)
        return ERR_INVALID;
    if (is_map && json->child && !json->child->next && read_value(doc, json, depth, ret) == ERR_OK)
        return ERR_OK;
    *ret = (struct cel_value){.kind = CEL_NULL};
    if (cJSON_IsBool(json))
        return read_bool(json, ret);
    if (cJSON_IsNumber(json))
        return json->valuedouble == floor(json->valuedouble) && fabs(json->valuedouble) < 0x1p53
                   ? read_int(json, ret)
                   : read_double(json, ret);
    if (cJSON_IsString(json))
        return read_text(doc, json, CEL_STRING, ret);
    if (cJSON_IsNull(json))
        return ERR_OK;
    size_t count = (size_t)cJSON_GetArraySize(json), i = 0;
    struct cel_value *items = arena_calloc(doc->arena, (2 * count + 1) * sizeof(*items));
    if (!items)
        return ERR_NO_MEMORY;
    for (const cJSON *at = json->child; at; at = at->next) {
        if (is_map)
            items[i++] = policy_cel_string(bytes_from_str(at->string));
        TRY(read_plain(doc, at, depth + 1, &items[i++]));
    }
    *ret = (struct cel_value){
        .kind = is_map ? CEL_MAP : CEL_LIST, .size = (uint32_t)count, .items = items};
    return ERR_OK;
}

enum err cel_json_plain(const struct cel_json *doc, const cJSON *json, struct cel_value *ret_value)
{
    return read_plain(doc, json, 0, ret_value);
}
