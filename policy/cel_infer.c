/* Inference over type variables; see cel_types.h. A variable is a PARAM without a name and with an
 * id. Guesses are undone by a log, so that trying an overload costs what it touches. */
#include "policy/cel_types.h"

#define VARS_MAX 65536

struct cel_undo {
    uint32_t id;
    const struct cel_type *known;
};

static bool is_var(const struct cel_type *t)
{
    return t->kind == CEL_T_PARAM;
}

/* Doubles an array of the arena; false when it is full. */
static bool grow(struct cel_infer *infer, void **array, uint32_t *capacity, size_t item_size)
{
    uint32_t more = *capacity ? *capacity * 2 : 64;
    void *copy = more <= VARS_MAX ? arena_calloc(infer->arena, more * item_size) : NULL;
    if (!copy) {
        infer->is_exhausted = true;
        return false;
    }
    if (*capacity)
        memcpy(copy, *array, *capacity * item_size);
    *array = copy;
    *capacity = more;
    return true;
}

const struct cel_type *policy_cel_infer_var(struct cel_infer *infer)
{
    struct cel_type *var = arena_calloc(infer->arena, sizeof(*var));
    if (!var || (infer->count == infer->capacity &&
                 !grow(infer, (void **)&infer->known, &infer->capacity, sizeof(*infer->known)))) {
        infer->is_exhausted = true;
        return policy_cel_type(CEL_T_DYN);
    }
    var->kind = CEL_T_PARAM;
    var->id = infer->count++;
    return var;
}

static const struct cel_type *find(const struct cel_infer *infer, const struct cel_type *var)
{
    return var->name.size ? NULL : infer->known[var->id];
}

static bool bind(struct cel_infer *infer, const struct cel_type *var, const struct cel_type *type)
{
    if (infer->undo_count == infer->undo_capacity &&
        !grow(infer, (void **)&infer->undo, &infer->undo_capacity, sizeof(*infer->undo)))
        return false;
    infer->undo[infer->undo_count++] = (struct cel_undo){var->id, infer->known[var->id]};
    infer->known[var->id] = type;
    return true;
}

/* One step of a bounded number; also where recursion over types is cut. */
static bool step(struct cel_infer *infer, unsigned depth)
{
    if (depth > CEL_TYPE_DEPTH_MAX || ++infer->steps > CEL_TYPE_STEPS_MAX)
        infer->is_exhausted = true;
    return !infer->is_exhausted;
}

/* Binding a variable to a type that holds it would make a type without an end. */
static bool occurs(struct cel_infer *infer, const struct cel_type *var, const struct cel_type *type,
                   unsigned depth)
{
    if (!step(infer, depth))
        return true;
    if (is_var(type)) {
        const struct cel_type *known = find(infer, type);
        return type->id == var->id || (known && occurs(infer, var, known, depth + 1));
    }
    for (size_t i = 0; i < type->param_count; i++)
        if (occurs(infer, var, type->params[i], depth + 1))
            return true;
    return false;
}

static bool same(struct cel_infer *infer, const struct cel_type *a, const struct cel_type *b,
                 unsigned depth)
{
    if (a == b)
        return true;
    if (!step(infer, depth) || a->kind != b->kind || a->id != b->id ||
        a->param_count != b->param_count || !bytes_equal(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->param_count; i++)
        if (!same(infer, a->params[i], b->params[i], depth + 1))
            return false;
    return true;
}

bool policy_cel_infer_same(struct cel_infer *infer, const struct cel_type *a,
                           const struct cel_type *b)
{
    return same(infer, a, b, 0);
}

static bool is_less_specific(struct cel_infer *infer, const struct cel_type *a,
                             const struct cel_type *b, unsigned depth)
{
    if (!step(infer, depth))
        return true;
    if (a->kind == CEL_T_DYN || is_var(a))
        return true;
    if (b->kind == CEL_T_DYN || is_var(b))
        return false;
    if (a->kind == CEL_T_WRAPPER && b->kind != CEL_T_WRAPPER)
        return b->kind == CEL_T_NULL || same(infer, a->params[0], b, depth + 1);
    if (a->kind != b->kind)
        return b->kind == CEL_T_NULL;
    if (a->kind == CEL_T_TYPE)
        return true;
    if (a->param_count != b->param_count || !bytes_equal(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->param_count; i++)
        if (!is_less_specific(infer, a->params[i], b->params[i], depth + 1))
            return false;
    return true;
}

const struct cel_type *policy_cel_infer_general(struct cel_infer *infer, const struct cel_type *a,
                                                const struct cel_type *b)
{
    return is_less_specific(infer, a, b, 0) ? a : b;
}

static bool assign(struct cel_infer *infer, const struct cel_type *from, const struct cel_type *to,
                   unsigned depth);

/* Is `type` a fit for the variable? *ret_is_bound: the variable was bound before. */
static bool substitutes(struct cel_infer *infer, const struct cel_type *type,
                        const struct cel_type *var, bool *ret_is_bound, unsigned depth)
{
    *ret_is_bound = true;
    if (is_var(type) && type->id == var->id)
        return true;
    const struct cel_type *known = find(infer, var);
    if (known) {
        if (same(infer, type, known, depth + 1))
            return true;
        if (!assign(infer, type, known, depth + 1))
            return false;
        const struct cel_type *general = policy_cel_infer_general(infer, type, known);
        return general == known || occurs(infer, var, general, depth + 1) ||
               bind(infer, var, general);
    }
    *ret_is_bound = false;
    return !occurs(infer, var, type, depth + 1) && bind(infer, var, type);
}

static bool is_nullable(const struct cel_type *t)
{
    return t->kind == CEL_T_NULL || t->kind == CEL_T_DURATION || t->kind == CEL_T_TIMESTAMP ||
           t->kind == CEL_T_ABSTRACT || t->kind == CEL_T_WRAPPER;
}

static bool assign_params(struct cel_infer *infer, const struct cel_type *from,
                          const struct cel_type *to, unsigned depth)
{
    if (from->param_count != to->param_count || !bytes_equal(from->name, to->name))
        return false;
    for (size_t i = 0; i < from->param_count; i++)
        if (!assign(infer, from->params[i], to->params[i], depth + 1))
            return false;
    return true;
}

static bool assign(struct cel_infer *infer, const struct cel_type *from, const struct cel_type *to,
                   unsigned depth)
{
    bool is_bound;
    if (!step(infer, depth))
        return false;
    if (is_var(to)) {
        if (substitutes(infer, from, to, &is_bound, depth))
            return true;
        if (is_bound)
            return false;
    }
    if (is_var(from))
        return substitutes(infer, to, from, &is_bound, depth);
    if (from->kind == CEL_T_DYN || to->kind == CEL_T_DYN)
        return true;
    if (from->kind == CEL_T_NULL)
        return is_nullable(to);
    if (to->kind == CEL_T_NULL)
        return is_nullable(from);
    if (from->kind != CEL_T_WRAPPER && to->kind == CEL_T_WRAPPER)
        return assign(infer, from, to->params[0], depth + 1);
    if (from->kind == CEL_T_WRAPPER && to->kind != CEL_T_WRAPPER)
        return assign(infer, from->params[0], to, depth + 1);
    if (from->kind != to->kind)
        return false;
    return from->kind == CEL_T_TYPE || assign_params(infer, from, to, depth);
}

static void undo_to(struct cel_infer *infer, uint32_t mark)
{
    while (infer->undo_count > mark) {
        const struct cel_undo *u = &infer->undo[--infer->undo_count];
        infer->known[u->id] = u->known;
    }
}

bool policy_cel_infer_assign_all(struct cel_infer *infer, const struct cel_type *const *from,
                                 const struct cel_type *const *to, size_t count)
{
    uint32_t mark = infer->undo_count;
    for (size_t i = 0; i < count; i++) {
        if (!assign(infer, from[i], to[i], 0)) {
            undo_to(infer, mark);
            return false;
        }
    }
    return true;
}

bool policy_cel_infer_assign(struct cel_infer *infer, const struct cel_type *from,
                             const struct cel_type *to)
{
    return policy_cel_infer_assign_all(infer, &from, &to, 1);
}

/* A copy of `type` with other parameters; itself where they are the same. */
static const struct cel_type *with_params(struct cel_infer *infer, const struct cel_type *type,
                                          const struct cel_type *const *params)
{
    if (memcmp(params, type->params, type->param_count * sizeof(params[0])) == 0)
        return type;
    const struct cel_type *made =
        policy_cel_type_make(infer->arena, type->kind, type->name, params, type->param_count);
    infer->is_exhausted |= !made;
    return made ? made : policy_cel_type(CEL_T_DYN);
}

static const struct cel_type *resolve(struct cel_infer *infer, const struct cel_type *type,
                                      bool close, unsigned depth)
{
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    if (!step(infer, depth))
        return policy_cel_type(CEL_T_DYN);
    if (is_var(type)) {
        const struct cel_type *known = find(infer, type);
        if (known)
            return resolve(infer, known, close, depth + 1);
        return close ? policy_cel_type(CEL_T_DYN) : type;
    }
    for (size_t i = 0; i < type->param_count; i++)
        params[i] = resolve(infer, type->params[i], close, depth + 1);
    return with_params(infer, type, params);
}

const struct cel_type *policy_cel_infer_resolve(struct cel_infer *infer,
                                                const struct cel_type *type, bool close)
{
    return resolve(infer, type, close, 0);
}

const struct cel_type *policy_cel_infer_fresh(struct cel_infer *infer, struct cel_fresh *fresh,
                                              const struct cel_type *type)
{
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    if (is_var(type)) {
        for (size_t i = 0; i < fresh->count; i++)
            if (bytes_equal(fresh->names[i], type->name))
                return fresh->vars[i];
        if (fresh->count == POLICY_CEL_TYPE_PARAMS_MAX)
            return policy_cel_type(CEL_T_DYN);
        fresh->names[fresh->count] = type->name;
        return fresh->vars[fresh->count++] = policy_cel_infer_var(infer);
    }
    for (size_t i = 0; i < type->param_count; i++)
        params[i] = policy_cel_infer_fresh(infer, fresh, type->params[i]);
    return with_params(infer, type, params);
}
