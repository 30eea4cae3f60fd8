/* Which overload of a function or operator fits the types of its arguments. Several may, where some
 * type is dyn; the result is then what they agree on, else dyn. */
#include "policy/cel_check.h"

#include <stdio.h>

const char *policy_cel_check_show(struct cel_checker *c, const struct cel_type *type,
                                  char ret_text[CEL_TYPE_TEXT_MAX])
{
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)ret_text, CEL_TYPE_TEXT_MAX - 4);
    enum err e = policy_cel_type_show(policy_cel_infer_resolve(&c->infer, type, false), &out);
    memcpy(ret_text + out.size, e == ERR_OK ? "\0" : "...", e == ERR_OK ? 1 : 4);
    return ret_text;
}

/* --- signatures as types */

static enum cel_type_kind kind_of_letter(char letter)
{
    static const struct {
        char letter;
        uint8_t kind;
    } letters[] = {{'b', CEL_T_BOOL},      {'i', CEL_T_INT},      {'u', CEL_T_UINT},
                   {'d', CEL_T_DOUBLE},    {'s', CEL_T_STRING},   {'y', CEL_T_BYTES},
                   {'t', CEL_T_TIMESTAMP}, {'D', CEL_T_DURATION}, {'n', CEL_T_NULL},
                   {'L', CEL_T_LIST},      {'M', CEL_T_MAP},      {'O', CEL_T_ABSTRACT},
                   {'T', CEL_T_TYPE},      {'*', CEL_T_DYN}};
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (letters[i].letter == letter)
            return letters[i].kind;
    return CEL_T_PARAM;
}

/* Reads one type off *at; nesting is as deep as the table's rows. */
static const struct cel_type *read_type(struct cel_checker *c, struct cel_fresh *fresh,
                                        const char **at)
{
    struct arena *arena = c->infer.arena;
    const struct cel_type *params[2];
    const struct cel_type *made = NULL;
    char letter = *(*at)++;
    enum cel_type_kind kind = kind_of_letter(letter);
    if (kind == CEL_T_PARAM) {
        struct cel_type named = {.kind = CEL_T_PARAM, .name = bytes_of(*at - 1, 1)};
        return policy_cel_infer_fresh(&c->infer, fresh, &named);
    }
    size_t count = kind == CEL_T_MAP ? 2 : kind == CEL_T_LIST || kind >= CEL_T_TYPE;
    if (!count)
        return policy_cel_type(kind);
    for (size_t i = 0; i < count; i++)
        params[i] = read_type(c, fresh, at);
    struct bytes name = kind == CEL_T_ABSTRACT ? BYTES("optional_type") : (struct bytes){0};
    made = policy_cel_type_make(arena, kind, name, params, count);
    c->infer.is_exhausted |= !made;
    return made ? made : policy_cel_type(CEL_T_DYN);
}

struct overload {
    const struct cel_type *result;
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    size_t count;
};

/* Takes the first overload off *signatures, which becomes NULL after the last. */
static void read_signature(struct cel_checker *c, const char **signatures, struct overload *o)
{
    struct cel_fresh fresh = {.count = 0};
    const char *at = *signatures;
    o->count = 0;
    o->result = read_type(c, &fresh, &at);
    for (at++; *at && *at != ' ';)
        o->params[o->count++] = read_type(c, &fresh, &at);
    *signatures = *at ? at + 1 : NULL;
}

static void read_declared(struct cel_checker *c, const struct cel_function *f, struct overload *o)
{
    struct cel_fresh fresh = {.count = 0};
    for (o->count = 0; o->count < f->param_count; o->count++)
        o->params[o->count] = policy_cel_infer_fresh(&c->infer, &fresh, f->params[o->count]);
    o->result = policy_cel_infer_fresh(&c->infer, &fresh, f->result);
}

/* --- trying them */

struct overloads {
    const char *signatures;
    const struct cel_function *declared;
    bool is_declared;
    struct bytes name;
    bool is_member;
    size_t arity;
};

static bool next_overload(struct cel_checker *c, struct overloads *all, struct overload *ret)
{
    if (all->is_declared) {
        all->declared =
            policy_cel_declared(c->job->env, all->declared, all->name, all->is_member, all->arity);
        if (all->declared)
            read_declared(c, all->declared, ret);
        return all->declared;
    }
    if (!all->signatures)
        return false;
    read_signature(c, &all->signatures, ret);
    return true;
}

static void show_row(struct cel_checker *c, const struct cel_type *const *types, size_t count,
                     struct buf *out)
{
    char text[CEL_TYPE_TEXT_MAX];
    size_t start = out->size;
    enum err e = buf_append_str(out, "(");
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        e = buf_printf(out, "%s%s", i ? ", " : "", policy_cel_check_show(c, types[i], text));
    if (e != ERR_OK || buf_append_str(out, ")") != ERR_OK)
        out->size = start;
}

static enum err no_overload(struct cel_checker *c, const struct cel_node *n,
                            const struct cel_type *const *types, struct overloads all,
                            struct bytes text)
{
    uint8_t storage[2][200];
    struct buf given, takes;
    struct overload o;
    buf_init_fixed(&given, storage[0], 110);
    buf_init_fixed(&takes, storage[1], 110);
    show_row(c, types, n->arg_count, &given);
    while (next_overload(c, &all, &o)) {
        size_t size = takes.size;
        if (size && buf_append_str(&takes, ", ") != ERR_OK)
            break;
        show_row(c, o.params, o.count, &takes);
        if (takes.size <= size + 2) {
            takes.size = size;
            break;
        }
    }
    return policy_cel_fail(c->job, CEL_CHECK, n->offset, "'%.*s' does not take %.*s%s%.*s",
                           text.size < 60 ? (int)text.size : 60, (const char *)text.data,
                           (int)given.size, (const char *)given.data,
                           takes.size ? "; expected " : "", (int)takes.size,
                           (const char *)takes.data);
}

enum err policy_cel_check_overloads(struct cel_checker *c, struct cel_node *n,
                                    const char *signatures, struct bytes text)
{
    const struct cel_type *types[POLICY_CEL_TYPE_PARAMS_MAX];
    struct overloads all = {.signatures = signatures,
                            .is_declared = !signatures,
                            .name = n->name,
                            .is_member = n->has_target,
                            .arity = n->arg_count};
    const struct overloads first = all;
    struct overload o;
    n->type = NULL;
    CHECK(n->arg_count <= POLICY_CEL_TYPE_PARAMS_MAX);
    for (size_t i = 0; i < n->arg_count; i++)
        types[i] = n->args[i]->type;
    while (next_overload(c, &all, &o)) {
        if (!policy_cel_infer_assign_all(&c->infer, types, o.params, n->arg_count))
            continue;
        const struct cel_type *result = policy_cel_infer_resolve(&c->infer, o.result, false);
        if (!n->type)
            n->type = result;
        else if (n->type->kind != CEL_T_DYN && !policy_cel_infer_same(&c->infer, result, n->type))
            n->type = policy_cel_type(CEL_T_DYN);
    }
    return n->type ? ERR_OK : no_overload(c, n, types, first, text);
}
