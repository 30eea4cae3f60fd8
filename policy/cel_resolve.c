/* What names mean: variables of macros first, then, inside the container and outward, the longest
 * prefix of a dotted name that is a fact or a type. Runs before the checker, and without it too. */
#include "policy/cel_library.h"

#define NAME_MAX 256

struct scope {
    const struct scope *outer;
    struct bytes name;
    uint32_t local;
};

struct resolver {
    struct cel_job *job;
    uint32_t local_count;
};

static enum err resolve(struct resolver *r, const struct scope *scope, struct cel_node *n);

static const char *const type_names[] = {"bool",
                                         "int",
                                         "uint",
                                         "double",
                                         "string",
                                         "bytes",
                                         "list",
                                         "map",
                                         "null_type",
                                         "type",
                                         "optional_type",
                                         "google.protobuf.Timestamp",
                                         "google.protobuf.Duration"};

static const struct scope *find_local(const struct scope *scope, struct bytes name)
{
    while (scope && !bytes_equal(scope->name, name))
        scope = scope->outer;
    return scope;
}

/* Without a look at all of `known`: this is asked for each name and each fact. */
static bool is_named(const char *known, struct bytes name)
{
    return strncmp(known, (const char *)name.data, name.size) == 0 && !known[name.size];
}

static bool bind_global(struct resolver *r, struct cel_node *n, struct bytes name)
{
    const struct cel_env *env = r->job->env;
    for (size_t i = 0; i < env->fact_count; i++) {
        if (is_named(env->facts[i].name, name)) {
            n->ref = CEL_REF_FACT;
            n->ref_index = (uint32_t)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
        if (is_named(type_names[i], name)) {
            n->ref = CEL_REF_TYPE;
            n->value = policy_cel_string(bytes_from_str(type_names[i]));
            n->value.kind = CEL_TYPE;
            return true;
        }
    }
    return false;
}

typedef bool (*try_name)(struct resolver *r, struct cel_node *n, struct bytes name);

/* Tries "a.b.name", "a.name" and "name" in container a.b; only the last where absolute. */
static bool in_container(struct resolver *r, struct cel_node *n, struct bytes name,
                         bool is_absolute, try_name try)
{
    const char *container = r->job->env->container;
    size_t size = container && !is_absolute ? strlen(container) : 0;
    char full[NAME_MAX];
    while (size) {
        if (size + 1 + name.size <= sizeof(full)) {
            memcpy(full, container, size);
            full[size] = '.';
            memcpy(full + size + 1, name.data, name.size);
            if (try(r, n, bytes_of(full, size + 1 + name.size)))
                return true;
        }
        while (size && container[size - 1] != '.')
            size--;
        size -= size > 0;
    }
    return try(r, n, name);
}

/* The dotted name that a chain of selections is, in `text`; empty when it is none. *ret_root: the
 * identifier at its beginning. */
static struct bytes dotted(const struct cel_node *n, uint8_t text[NAME_MAX],
                           const struct cel_node **ret_root)
{
    size_t at = NAME_MAX;
    while (n->kind == CEL_N_SELECT && !n->is_optional && !n->is_quoted) {
        if (n->name.size + 1 > at || n->args[0]->is_grouped)
            return (struct bytes){0};
        at -= n->name.size;
        memcpy(text + at, n->name.data, n->name.size);
        text[--at] = '.';
        n = n->args[0];
    }
    if (n->kind != CEL_N_IDENT || n->name.size > at)
        return (struct bytes){0};
    at -= n->name.size;
    memcpy(text + at, n->name.data, n->name.size);
    *ret_root = n;
    return bytes_of(text + at, NAME_MAX - at);
}

/* The best of the candidates seen so far. */
struct near {
    struct bytes wanted;
    const char *name;
    unsigned distance;
};

static void consider(struct near *near, const char *name)
{
    unsigned distance = bytes_distance(near->wanted, bytes_from_str(name));
    if (distance <= 1 + near->wanted.size / 5 && distance < near->distance &&
        distance < near->wanted.size) {
        near->distance = distance;
        near->name = name;
    }
}

static enum err unknown_name(struct resolver *r, struct bytes name, uint32_t offset)
{
    const struct cel_env *env = r->job->env;
    struct near near = {.wanted = name, .distance = 99};
    const char *below = NULL;
    for (size_t i = 0; i < env->fact_count; i++) {
        struct bytes fact = bytes_from_str(env->facts[i].name);
        consider(&near, env->facts[i].name);
        if (!below && bytes_starts_with(fact, name) && fact.data[name.size] == '.')
            below = env->facts[i].name;
    }
    int size = name.size < 120 ? (int)name.size : 120;
    if (below)
        return policy_cel_fail(r->job, CEL_CHECK, offset,
                               "'%.*s' is no fact of its own; '%s' is one of those below it", size,
                               (const char *)name.data, below);
    return policy_cel_fail(r->job, CEL_CHECK, offset, "unknown name '%.*s'%s%s%s", size,
                           (const char *)name.data, near.name ? "; did you mean '" : "",
                           near.name ? near.name : "", near.name ? "'?" : "");
}

/* Binds a chain of selections, or one of its prefixes. *ret_bound: nothing is left to do. */
static enum err resolve_chain(struct resolver *r, const struct scope *scope, struct cel_node *n,
                              bool *ret_bound)
{
    uint8_t text[NAME_MAX];
    const struct cel_node *root;
    struct bytes name = dotted(n, text, &root);
    *ret_bound = false;
    if (!name.size)
        return ERR_OK;
    if (!root->is_absolute && find_local(scope, root->name))
        return ERR_OK;
    struct cel_node *at = n;
    struct bytes prefix = name;
    for (;;) {
        if (in_container(r, at, prefix, root->is_absolute, bind_global)) {
            *ret_bound = true;
            return ERR_OK;
        }
        if (at == root)
            break;
        prefix.size -= at->name.size + 1;
        at = at->args[0];
    }
    return r->job->env->disable_check ? ERR_OK : unknown_name(r, name, root->offset);
}

static enum err resolve_ident(struct resolver *r, const struct scope *scope, struct cel_node *n)
{
    const struct scope *local = n->is_absolute ? NULL : find_local(scope, n->name);
    if (local) {
        n->ref = CEL_REF_LOCAL;
        n->ref_index = local->local;
        return ERR_OK;
    }
    if (in_container(r, n, n->name, n->is_absolute, bind_global) || r->job->env->disable_check)
        return ERR_OK;
    return unknown_name(r, n->name, n->offset);
}

/* --- functions */

static bool declares(const struct cel_env *env, struct bytes name, bool is_member)
{
    for (size_t i = 0; i < env->function_count; i++)
        if (env->functions[i].is_member == is_member &&
            bytes_equal(bytes_from_str(env->functions[i].name), name))
            return true;
    return policy_cel_builtin_named(name, is_member);
}

/* Makes the call one of the global function `name`, if there is one. */
static bool bind_function(struct resolver *r, struct cel_node *n, struct bytes name)
{
    if (!declares(r->job->env, name, false))
        return false;
    uint8_t *copy = arena_alloc(r->job->arena, name.size + 1);
    if (!copy)
        return false;
    memcpy(copy, name.data, name.size);
    n->name = bytes_of(copy, name.size);
    if (n->has_target) {
        n->args++;
        n->arg_count--;
        n->has_target = false;
    }
    return true;
}

/* Does a global function's name begin with this and a dot ("math")? */
static bool is_namespace(struct bytes name)
{
    const struct cel_builtin *builtin;
    for (size_t i = 0; (builtin = policy_cel_builtin_at(i)); i++) {
        struct bytes other = bytes_from_str(builtin->name);
        if (bytes_starts_with(other, name) && other.data[name.size] == '.')
            return true;
    }
    return false;
}

static enum err unknown_function(struct resolver *r, const struct cel_node *n, struct bytes name)
{
    const struct cel_builtin *builtin;
    const struct cel_env *env = r->job->env;
    struct near near = {.wanted = name, .distance = 99};
    bool is_member = n->has_target && bytes_equal(name, n->name);
    for (size_t i = 0; (builtin = policy_cel_builtin_at(i)); i++)
        if (builtin->is_member == is_member)
            consider(&near, builtin->name);
    for (size_t i = 0; i < env->function_count; i++)
        consider(&near, env->functions[i].name);
    const char *styled = declares(env, name, !is_member)
                             ? is_member ? ": it is called as f(x), not as x.f()"
                                         : ": it is called as x.f(), not as f(x)"
                             : "";
    return policy_cel_fail(r->job, CEL_CHECK, n->offset, "unknown function '%.*s'%s%s%s%s",
                           name.size < 80 ? (int)name.size : 80, (const char *)name.data, styled,
                           near.name && !*styled ? "; did you mean '" : "",
                           near.name && !*styled ? near.name : "",
                           near.name && !*styled ? "'?" : "");
}

static enum err resolve_call(struct resolver *r, const struct scope *scope, struct cel_node *n)
{
    uint8_t text[NAME_MAX];
    const struct cel_node *root = NULL;
    struct bytes name = n->name;
    bool is_known = false;
    if (n->has_target && !n->args[0]->is_grouped) {
        struct cel_node whole = {.kind = CEL_N_SELECT, .name = n->name, .args = n->args};
        name = dotted(&whole, text, &root);
    }
    if (!n->has_target || (name.size && root && !find_local(scope, root->name)))
        is_known = in_container(r, n, name, n->has_target ? root->is_absolute : n->is_absolute,
                                bind_function);
    if (!is_known && n->has_target && root && is_namespace(root->name) &&
        !r->job->env->disable_check)
        return unknown_function(r, n, name);
    if (!is_known && n->has_target)
        is_known = declares(r->job->env, n->name, true);
    const char *usage = is_known ? NULL : policy_cel_macro_usage(n->name);
    if (usage && !r->job->env->disable_check && !r->job->env->disable_macros)
        return policy_cel_fail(r->job, CEL_CHECK, n->offset, "'%.*s' is used as in %s",
                               (int)n->name.size, (const char *)n->name.data, usage);
    for (uint32_t i = 0; i < n->arg_count; i++)
        TRY(resolve(r, scope, n->args[i]));
    return is_known || r->job->env->disable_check ? ERR_OK : unknown_function(r, n, n->name);
}

/* --- macros */

static enum err resolve_macro(struct resolver *r, const struct scope *scope, struct cel_node *n)
{
    struct scope scopes[2];
    bool is_loop = n->op >= CEL_M_ALL, bound = false;
    uint32_t first = r->local_count, count = is_loop ? CEL_L_COUNT : 1;
    if (n->op == CEL_M_HAS) {
        TRY(resolve_chain(r, scope, n->args[0], &bound));
        return bound ? ERR_OK : resolve(r, scope, n->args[0]->args[0]);
    }
    TRY(resolve(r, scope, n->args[0]));
    n->ref_index = first;
    for (uint32_t i = 0; i < n->var_count; i++) {
        scopes[i] = (struct scope){scope, n->vars[i], first + i};
        scope = &scopes[i];
    }
    r->local_count += count;
    if (r->local_count > r->job->local_count)
        r->job->local_count = r->local_count;
    for (uint32_t i = 1; i < n->arg_count; i++)
        TRY(resolve(r, scope, n->args[i]));
    r->local_count -= count;
    return ERR_OK;
}

static enum err resolve(struct resolver *r, const struct scope *scope, struct cel_node *n)
{
    bool bound;
    switch (n->kind) {
    case CEL_N_IDENT: return resolve_ident(r, scope, n);
    case CEL_N_SELECT:
        TRY(resolve_chain(r, scope, n, &bound));
        return bound ? ERR_OK : resolve(r, scope, n->args[0]);
    case CEL_N_MACRO: return resolve_macro(r, scope, n);
    case CEL_N_CALL:
        if (!n->op)
            return resolve_call(r, scope, n);
        break;
    default: break;
    }
    for (uint32_t i = 0; i < n->arg_count; i++)
        TRY(resolve(r, scope, n->args[i]));
    return ERR_OK;
}

enum err policy_cel_resolve(struct cel_job *job, struct cel_node *root)
{
    struct resolver r = {.job = job};
    return resolve(&r, NULL, root);
}
