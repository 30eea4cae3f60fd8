/* CEL's types from JSON and to JSON; see cel_json.h. */
#include "node/cli/policy/cel_json.h"

#define DEPTH_MAX 64

static enum err read_type(const cJSON *json, struct arena *arena, unsigned depth,
                          const struct cel_type **ret);

static const struct {
    const char *key;
    const char *word;
    enum cel_type_kind kind;
} words[] = {
    {"primitive", "BOOL", CEL_T_BOOL},
    {"primitive", "INT64", CEL_T_INT},
    {"primitive", "UINT64", CEL_T_UINT},
    {"primitive", "DOUBLE", CEL_T_DOUBLE},
    {"primitive", "STRING", CEL_T_STRING},
    {"primitive", "BYTES", CEL_T_BYTES},
    {"well_known", "TIMESTAMP", CEL_T_TIMESTAMP},
    {"well_known", "DURATION", CEL_T_DURATION},
    {"well_known", "ANY", CEL_T_DYN},
    {"message_type", "google.protobuf.Timestamp", CEL_T_TIMESTAMP},
    {"message_type", "google.protobuf.Duration", CEL_T_DURATION},
    {"message_type", "google.protobuf.Any", CEL_T_DYN},
    {"message_type", "google.protobuf.Value", CEL_T_DYN},
};

static enum err make(struct arena *arena, enum cel_type_kind kind, struct bytes name,
                     const struct cel_type *const *params, size_t count,
                     const struct cel_type **ret)
{
    struct cel_type *type = arena_calloc(arena, sizeof(*type));
    if (!type)
        return ERR_NO_MEMORY;
    type->kind = kind;
    type->name = name;
    type->param_count = count;
    for (size_t i = 0; i < count; i++)
        type->params[i] = params[i];
    *ret = type;
    return ERR_OK;
}

static enum err read_word(const cJSON *json, const char *key, const struct cel_type **ret)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].key, key) == 0 && cJSON_IsString(json) &&
            strcmp(words[i].word, json->valuestring) == 0) {
            *ret = policy_cel_type(words[i].kind);
            return ERR_OK;
        }
    return ERR_UNSUPPORTED;
}

static enum err read_member(const cJSON *json, const char *key, struct arena *arena, unsigned depth,
                            const struct cel_type **ret)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, key);
    *ret = policy_cel_type(CEL_T_DYN);
    return member ? read_type(member, arena, depth + 1, ret) : ERR_OK;
}

static enum err read_abstract(const cJSON *json, struct arena *arena, unsigned depth,
                              const struct cel_type **ret)
{
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "parameter_types");
    size_t count = 0;
    if (!cJSON_IsString(name))
        return ERR_INVALID;
    for (const cJSON *at = cel_json_first(list); at; at = cel_json_next(list, at)) {
        if (count == POLICY_CEL_TYPE_PARAMS_MAX)
            return ERR_LIMIT;
        TRY(read_type(at, arena, depth + 1, &params[count++]));
    }
    return make(arena, CEL_T_ABSTRACT, bytes_from_str(name->valuestring), params, count, ret);
}

static enum err read_type(const cJSON *json, struct arena *arena, unsigned depth,
                          const struct cel_type **ret)
{
    const struct cel_type *params[2];
    const cJSON *t = cJSON_IsObject(json) ? json->child : NULL;
    if (!t || depth > DEPTH_MAX)
        return ERR_INVALID;
    if (cel_json_is(t, "dyn") || cel_json_is(t, "null")) {
        *ret = policy_cel_type(cel_json_is(t, "dyn") ? CEL_T_DYN : CEL_T_NULL);
        return ERR_OK;
    }
    if (cel_json_is(t, "list_type")) {
        TRY(read_member(t, "elem_type", arena, depth, &params[0]));
        return make(arena, CEL_T_LIST, (struct bytes){0}, params, 1, ret);
    }
    if (cel_json_is(t, "map_type")) {
        TRY(read_member(t, "key_type", arena, depth, &params[0]));
        TRY(read_member(t, "value_type", arena, depth, &params[1]));
        return make(arena, CEL_T_MAP, (struct bytes){0}, params, 2, ret);
    }
    if (cel_json_is(t, "abstract_type"))
        return read_abstract(t, arena, depth, ret);
    if (cel_json_is(t, "type_param") && cJSON_IsString(t) && *t->valuestring)
        return make(arena, CEL_T_PARAM, bytes_from_str(t->valuestring), NULL, 0, ret);
    if (cel_json_is(t, "type")) {
        *ret = policy_cel_type(CEL_T_TYPE);
        if (!cJSON_IsObject(t) || !t->child)
            return ERR_OK;
        TRY(read_type(t, arena, depth + 1, &params[0]));
        return make(arena, CEL_T_TYPE, (struct bytes){0}, params, 1, ret);
    }
    if (cel_json_is(t, "wrapper")) {
        TRY(read_word(t, "primitive", &params[0]));
        return make(arena, CEL_T_WRAPPER, (struct bytes){0}, params, 1, ret);
    }
    return read_word(t, t->string, ret);
}

enum err cel_json_type(const cJSON *json, struct arena *arena, const struct cel_type **ret_type)
{
    return read_type(json, arena, 0, ret_type);
}

/* --- writing */

static const char *word_of(const struct cel_type *type)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].kind == type->kind)
            return words[i].word;
    return "";
}

static void put_param(struct json *j, const char *key, const struct cel_type *type)
{
    json_key(j, key);
    cel_json_put_type(j, type);
}

static void put_aggregate(struct json *j, const struct cel_type *type)
{
    bool is_list = type->kind == CEL_T_LIST;
    json_key(j, is_list ? "list_type" : "map_type");
    json_open(j, '{');
    put_param(j, is_list ? "elem_type" : "key_type", type->params[0]);
    if (!is_list)
        put_param(j, "value_type", type->params[1]);
    json_close(j, '}');
}

static void put_abstract(struct json *j, const struct cel_type *type)
{
    json_key(j, "abstract_type");
    json_open(j, '{');
    json_put_text(j, "name", type->name);
    if (type->param_count == 1) /* as protobuf's text has it: one needs no list */
        put_param(j, "parameter_types", type->params[0]);
    if (type->param_count > 1) {
        json_key(j, "parameter_types");
        json_open(j, '[');
        for (size_t i = 0; i < type->param_count; i++)
            cel_json_put_type(j, type->params[i]);
        json_close(j, ']');
    }
    json_close(j, '}');
}

/* "dyn": {} */
static void put_empty(struct json *j, const char *key)
{
    json_key(j, key);
    json_open(j, '{');
    json_close(j, '}');
}

void cel_json_put_type(struct json *j, const struct cel_type *type)
{
    json_open(j, '{');
    switch (type->kind) {
    case CEL_T_DYN: put_empty(j, "dyn"); break;
    case CEL_T_NULL: json_put_str(j, "null", "NULL_VALUE"); break;
    case CEL_T_DURATION:
    case CEL_T_TIMESTAMP: json_put_str(j, "well_known", word_of(type)); break;
    case CEL_T_LIST:
    case CEL_T_MAP: put_aggregate(j, type); break;
    case CEL_T_ABSTRACT: put_abstract(j, type); break;
    case CEL_T_WRAPPER: json_put_str(j, "wrapper", word_of(type->params[0])); break;
    case CEL_T_PARAM: json_put_text(j, "type_param", type->name); break;
    case CEL_T_TYPE:
        if (type->param_count)
            put_param(j, "type", type->params[0]);
        else
            put_empty(j, "type");
        break;
    default: json_put_str(j, "primitive", word_of(type)); break;
    }
    json_close(j, '}');
}
