/* Cases of expressions: declarations and bindings from JSON, and the answer as JSON; see
 * cel_case.h. */
#include "node/cli/policy/cel_case.h"

#define ARENA_BYTES_MAX (16u << 20)
#define VM_BYTES (1u << 20)
#define FACTS_DEPTH_MAX 16

enum err cel_case_init(struct cel_case *k)
{
    k->doc = (struct cel_json){.arena = &k->arena};
    k->program = NULL;
    arena_init(&k->arena, ARENA_BYTES_MAX);
    zoneinfo_init(&k->zones);
    return policy_cel_vm_create(VM_BYTES, &k->vm);
}

static void clear(struct cel_case *k)
{
    policy_cel_program_destroy(k->program);
    k->program = NULL;
    cel_json_free(&k->doc);
    arena_reset(&k->arena);
    k->env = (struct cel_env){
        .facts = k->facts, .functions = k->functions, .zone = zoneinfo_find, .zone_ctx = &k->zones};
    k->check_only = false;
}

void cel_case_fini(struct cel_case *k)
{
    clear(k);
    policy_cel_vm_destroy(k->vm);
    zoneinfo_fini(&k->zones);
    arena_fini(&k->arena);
}

/* The fact of that name, made where it is new; NULL: there are too many. */
static struct cel_fact *fact_of(struct cel_case *k, const char *name)
{
    for (size_t i = 0; i < k->env.fact_count; i++)
        if (strcmp(k->facts[i].name, name) == 0)
            return &k->facts[i];
    if (k->env.fact_count == CEL_CASE_FACTS_MAX)
        return NULL;
    struct cel_fact *fact = &k->facts[k->env.fact_count];
    *fact = (struct cel_fact){
        .name = name, .type = policy_cel_type(CEL_T_DYN), .slot = (uint16_t)k->env.fact_count};
    k->values[k->env.fact_count++] = (struct cel_value){.kind = CEL_ABSENT};
    return fact;
}

/* --- declarations of a line */

static const cJSON *member(const cJSON *json, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(json, key);
}

static enum err read_overload(struct cel_case *k, const char *name, const cJSON *json)
{
    const cJSON *params = member(json, "params"), *is_member = member(json, "is_instance_function");
    const cJSON *result = member(json, "result_type");
    if (k->env.function_count == CEL_CASE_FUNCTIONS_MAX)
        return ERR_LIMIT;
    struct cel_function *f = &k->functions[k->env.function_count];
    *f = (struct cel_function){.name = name, .result = policy_cel_type(CEL_T_DYN)};
    f->is_member = cJSON_IsTrue(is_member) ||
                   (cJSON_IsString(is_member) && strcmp(is_member->valuestring, "true") == 0);
    for (const cJSON *at = cel_json_first(params); at; at = cel_json_next(params, at)) {
        if (f->param_count == POLICY_CEL_TYPE_PARAMS_MAX)
            return ERR_LIMIT;
        TRY(cel_json_type(at, &k->arena, &f->params[f->param_count++]));
    }
    if (result)
        TRY(cel_json_type(result, &k->arena, &f->result));
    k->env.function_count++;
    return ERR_OK;
}

static enum err read_declaration(struct cel_case *k, const cJSON *json)
{
    const cJSON *name = member(json, "name"), *ident = member(json, "ident");
    const cJSON *overloads = member(member(json, "function"), "overloads");
    if (!cJSON_IsString(name))
        return ERR_INVALID;
    for (const cJSON *at = cel_json_first(overloads); at; at = cel_json_next(overloads, at))
        TRY(read_overload(k, name->valuestring, at));
    if (!ident)
        return ERR_OK;
    struct cel_fact *fact = fact_of(k, name->valuestring);
    return fact ? cel_json_type(member(ident, "type"), &k->arena, &fact->type) : ERR_LIMIT;
}

static enum err read_binding(struct cel_case *k, const cJSON *json)
{
    const cJSON *key = member(json, "key"), *value = member(json, "value");
    const cJSON *inner = member(value, "value");
    if (!cJSON_IsString(key) || !value)
        return ERR_INVALID;
    struct cel_fact *fact = fact_of(k, key->valuestring);
    return fact ? cel_json_value(&k->doc, inner ? inner : value, &k->values[fact->slot])
                : ERR_LIMIT;
}

static bool is_set(const cJSON *json, const char *key)
{
    const cJSON *flag = member(json, key);
    return cJSON_IsTrue(flag) || (cJSON_IsString(flag) && strcmp(flag->valuestring, "true") == 0);
}

static enum err read_case(struct cel_case *k)
{
    const cJSON *types = member(k->doc.root, "type_env"),
                *bindings = member(k->doc.root, "bindings");
    const cJSON *container = member(k->doc.root, "container");
    for (const cJSON *at = cel_json_first(types); at; at = cel_json_next(types, at))
        TRY(read_declaration(k, at));
    for (const cJSON *at = cel_json_first(bindings); at; at = cel_json_next(bindings, at))
        TRY(read_binding(k, at));
    if (cJSON_IsString(container))
        k->env.container = container->valuestring;
    k->env.disable_check = is_set(k->doc.root, "disable_check");
    k->env.disable_macros = is_set(k->doc.root, "disable_macros");
    k->check_only = is_set(k->doc.root, "check_only");
    return ERR_OK;
}

/* --- answers */

static void put_problem(struct buf *out, const struct cel_problem *problem)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_str(&j, "error", problem->text);
    json_put_str(&j, "phase", policy_cel_phase_name(problem->phase));
    json_put_uint(&j, "line", problem->line);
    json_put_uint(&j, "column", problem->column);
    json_close(&j, '}');
    if (json_end(&j) != ERR_OK)
        buf_clear(out);
}

void cel_case_refuse(struct buf *out, const char *why)
{
    struct cel_problem problem = {.phase = CEL_PARSE, .line = 1, .column = 1};
    bytes_to_str(bytes_from_str(why), problem.text, sizeof(problem.text));
    put_problem(out, &problem);
}

static void put_outcome(struct cel_case *k, struct buf *out)
{
    const struct cel_type *type = policy_cel_program_type(k->program);
    struct json j;
    uint8_t storage[4096];
    struct buf text;
    buf_init_fixed(&text, storage, sizeof(storage));
    json_begin(&j, out);
    json_open(&j, '{');
    if (!k->check_only) {
        json_key(&j, "value");
        cel_json_put_value(&j, k->value);
    }
    if (!k->env.disable_check && policy_cel_type_show(type, &text) == ERR_OK) {
        json_put_text(&j, "type", buf_bytes(&text));
        json_key(&j, "deduced_type");
        cel_json_put_type(&j, type);
    }
    json_close(&j, '}');
    if (json_end(&j) != ERR_OK)
        cel_case_refuse(out, "the value is too large to be shown");
}

bool cel_case_run(struct cel_case *k, struct bytes expression, struct cel_problem *ret_problem)
{
    const struct cel_value *groups[] = {k->values, NULL, NULL, NULL};
    enum err e = policy_cel_compile(&k->env, expression, &k->program, ret_problem);
    if (e != ERR_OK && e != ERR_INVALID) {
        *ret_problem = (struct cel_problem){.phase = CEL_CHECK, .line = 1, .column = 1};
        bytes_to_str(bytes_from_str(err_text(e)), ret_problem->text, sizeof(ret_problem->text));
    }
    if (e != ERR_OK || k->check_only)
        return e == ERR_OK;
    k->value = policy_cel_eval(k->vm, k->program, POLICY_CEL_WHOLE, groups);
    if (k->value.kind < CEL_ERROR)
        return true;
    policy_cel_locate(k->program, k->value, ret_problem);
    return false;
}

void cel_case_answer(struct cel_case *k, struct bytes line, struct buf *out)
{
    struct cel_problem problem;
    clear(k);
    enum err e = cel_json_parse(&k->doc, line);
    const cJSON *expr = member(k->doc.root, "expr");
    if (e != ERR_OK || !cJSON_IsString(expr)) {
        cel_case_refuse(out, e == ERR_OK ? "no \"expr\" in this line" : "this line is not JSON");
        return;
    }
    e = read_case(k);
    if (e != ERR_OK) {
        cel_case_refuse(out, e == ERR_UNSUPPORTED ? "a type or value of protobuf messages"
                             : e == ERR_LIMIT     ? "too many declarations"
                                                  : "malformed type_env or bindings");
        return;
    }
    struct bytes expression = cel_json_text(&k->doc, expr);
    if (expression.size && !expression.data)
        cel_case_refuse(out, err_text(ERR_NO_MEMORY));
    else if (cel_case_run(k, expression, &problem))
        put_outcome(k, out);
    else
        put_problem(out, &problem);
}

/* --- an operator's facts */

static const struct cel_type *type_of(struct cel_value v)
{
    static const uint8_t kinds[] = {[CEL_NULL] = CEL_T_DYN,
                                    [CEL_BOOL] = CEL_T_BOOL,
                                    [CEL_INT] = CEL_T_INT,
                                    [CEL_UINT] = CEL_T_UINT,
                                    [CEL_DOUBLE] = CEL_T_DOUBLE,
                                    [CEL_STRING] = CEL_T_STRING,
                                    [CEL_BYTES] = CEL_T_BYTES,
                                    [CEL_DURATION] = CEL_T_DURATION,
                                    [CEL_TIMESTAMP] = CEL_T_TIMESTAMP,
                                    [CEL_TYPE] = CEL_T_TYPE};
    return policy_cel_type(v.kind < CEL_LIST ? kinds[v.kind] : CEL_T_DYN);
}

static bool holds_objects(const cJSON *json)
{
    for (const cJSON *at = json->child; at; at = at->next)
        if (cJSON_IsObject(at))
            return true;
    return false;
}

/* One member as the fact `name`; null is a fact that is absent. */
static const char *add_fact(struct cel_case *k, const cJSON *json, const char *name)
{
    struct cel_fact *fact = fact_of(k, name);
    if (!fact)
        return "too many facts";
    if (cJSON_IsNull(json))
        return NULL;
    if (cel_json_plain(&k->doc, json, &k->values[fact->slot]) != ERR_OK)
        return "malformed facts";
    fact->type = type_of(k->values[fact->slot]);
    return NULL;
}

/* Every member as a fact "prefix.name". Objects are names' beginnings; below the first level those
 * without objects in them are facts too, as labels and headers are. */
static const char *add_facts(struct cel_case *k, const cJSON *json, const char *prefix,
                             unsigned depth)
{
    for (const cJSON *at = json->child; at; at = at->next) {
        size_t before = strlen(prefix), size = before + strlen(at->string) + 2;
        char *name = arena_alloc(&k->arena, size);
        if (!name || depth > FACTS_DEPTH_MAX)
            return "too many facts";
        memcpy(name, prefix, before);
        name[before] = '.';
        memcpy(name + before + (before > 0), at->string, size - before - 1);
        struct cel_value v;
        bool is_typed = cJSON_IsObject(at) && cel_json_value(&k->doc, at, &v) == ERR_OK;
        bool is_space = cJSON_IsObject(at) && !is_typed && (!depth || holds_objects(at));
        const char *why = is_space ? NULL : add_fact(k, at, name);
        if (!why && cJSON_IsObject(at) && !is_typed)
            why = add_facts(k, at, name, depth + 1);
        if (why)
            return why;
    }
    return NULL;
}

const char *cel_case_set_facts(struct cel_case *k, struct bytes text)
{
    clear(k);
    if (cel_json_parse(&k->doc, text) != ERR_OK || !cJSON_IsObject(k->doc.root))
        return "the facts are not a JSON object";
    return add_facts(k, k->doc.root, "", 0);
}
