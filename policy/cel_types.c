/* Making types and showing them; see cel_types.h. */
#include "policy/cel_types.h"

static const struct cel_type basics[] = {
    [CEL_T_DYN] = {.kind = CEL_T_DYN},           [CEL_T_NULL] = {.kind = CEL_T_NULL},
    [CEL_T_BOOL] = {.kind = CEL_T_BOOL},         [CEL_T_INT] = {.kind = CEL_T_INT},
    [CEL_T_UINT] = {.kind = CEL_T_UINT},         [CEL_T_DOUBLE] = {.kind = CEL_T_DOUBLE},
    [CEL_T_STRING] = {.kind = CEL_T_STRING},     [CEL_T_BYTES] = {.kind = CEL_T_BYTES},
    [CEL_T_DURATION] = {.kind = CEL_T_DURATION}, [CEL_T_TIMESTAMP] = {.kind = CEL_T_TIMESTAMP},
    [CEL_T_TYPE] = {.kind = CEL_T_TYPE},
};

static const char *const names[] = {
    [CEL_T_DYN] = "dyn",
    [CEL_T_NULL] = "null_type",
    [CEL_T_BOOL] = "bool",
    [CEL_T_INT] = "int",
    [CEL_T_UINT] = "uint",
    [CEL_T_DOUBLE] = "double",
    [CEL_T_STRING] = "string",
    [CEL_T_BYTES] = "bytes",
    [CEL_T_DURATION] = "google.protobuf.Duration",
    [CEL_T_TIMESTAMP] = "google.protobuf.Timestamp",
    [CEL_T_TYPE] = "type",
    [CEL_T_LIST] = "list",
    [CEL_T_MAP] = "map",
    [CEL_T_ABSTRACT] = "",
    [CEL_T_WRAPPER] = "wrapper",
    [CEL_T_PARAM] = "",
};

const struct cel_type *policy_cel_type(enum cel_type_kind kind)
{
    CHECK((size_t)kind < sizeof(basics) / sizeof(basics[0]));
    return &basics[kind];
}

const char *policy_cel_kind_name(enum cel_kind kind)
{
    static const uint8_t types[] = {
        [CEL_NULL] = CEL_T_NULL,
        [CEL_BOOL] = CEL_T_BOOL,
        [CEL_INT] = CEL_T_INT,
        [CEL_UINT] = CEL_T_UINT,
        [CEL_DOUBLE] = CEL_T_DOUBLE,
        [CEL_STRING] = CEL_T_STRING,
        [CEL_BYTES] = CEL_T_BYTES,
        [CEL_DURATION] = CEL_T_DURATION,
        [CEL_TIMESTAMP] = CEL_T_TIMESTAMP,
        [CEL_TYPE] = CEL_T_TYPE,
        [CEL_LIST] = CEL_T_LIST,
        [CEL_MAP] = CEL_T_MAP,
    };
    if (kind == CEL_OPTIONAL)
        return "optional_type";
    return (size_t)kind < sizeof(types) ? names[types[kind]] : "error";
}

const struct cel_type *policy_cel_type_make(struct arena *arena, enum cel_type_kind kind,
                                            struct bytes name, const struct cel_type *const *params,
                                            size_t count)
{
    struct cel_type *type = arena_calloc(arena, sizeof(*type));
    if (!type || count > POLICY_CEL_TYPE_PARAMS_MAX)
        return NULL;
    type->kind = kind;
    type->name = name;
    type->param_count = count;
    for (size_t i = 0; i < count; i++)
        type->params[i] = params[i];
    return type;
}

const struct cel_type *policy_cel_type_list(struct arena *arena, const struct cel_type *element)
{
    return policy_cel_type_make(arena, CEL_T_LIST, (struct bytes){0}, &element, 1);
}

const struct cel_type *policy_cel_type_optional(struct arena *arena, const struct cel_type *value)
{
    return policy_cel_type_make(arena, CEL_T_ABSTRACT, BYTES("optional_type"), &value, 1);
}

bool policy_cel_type_is_optional(const struct cel_type *type)
{
    return type->kind == CEL_T_ABSTRACT && bytes_equal(type->name, BYTES("optional_type"));
}

static enum err show(const struct cel_type *type, unsigned depth, struct buf *out)
{
    if (depth > CEL_TYPE_DEPTH_MAX)
        return ERR_LIMIT;
    if (type->kind == CEL_T_PARAM && !type->name.size)
        return buf_append_str(out, "dyn");
    if (type->kind == CEL_T_DURATION || type->kind == CEL_T_TIMESTAMP) /* as the functions say it */
        return buf_append_str(out, type->kind == CEL_T_DURATION ? "duration" : "timestamp");
    TRY(buf_append_str(out, names[type->kind]));
    TRY(buf_append(out, type->name));
    for (size_t i = 0; i < type->param_count; i++) {
        TRY(buf_append_str(out, i ? ", " : "("));
        TRY(show(type->params[i], depth + 1, out));
    }
    return buf_append_str(out, type->param_count ? ")" : "");
}

enum err policy_cel_type_show(const struct cel_type *type, struct buf *out)
{
    return show(type, 0, out);
}
