/* Types, and the inference over type variables that the checker needs: which type may stand where
 * another is expected, and what the variables must then be. After the algorithm of the language's
 * reference checker. Inside policy/cel_* only. */
#ifndef POLICY_CEL_TYPES_H
#define POLICY_CEL_TYPES_H

#include "base/arena.h"
#include "policy/cel.h"

/* Levels of a type: bounds every recursion over types. */
#define CEL_TYPE_DEPTH_MAX 256
#define CEL_TYPE_STEPS_MAX 200000 /* of one inference, against types that explode */

/* NULL when the arena is full. */
const struct cel_type *policy_cel_type_make(struct arena *arena, enum cel_type_kind kind,
                                            struct bytes name, const struct cel_type *const *params,
                                            size_t count);
const struct cel_type *policy_cel_type_list(struct arena *arena, const struct cel_type *element);
const struct cel_type *policy_cel_type_optional(struct arena *arena, const struct cel_type *value);
bool policy_cel_type_is_optional(const struct cel_type *type);
/* The type that a kind of values has; dyn for parameters of aggregates. */
const char *policy_cel_kind_name(enum cel_kind kind);

/* What is known of the type variables. */
struct cel_infer {
    struct arena *arena;
    const struct cel_type **known; /* by id; NULL: free */
    uint32_t count;
    uint32_t capacity;
    struct cel_undo *undo; /* for a guess that turned out wrong */
    uint32_t undo_count;
    uint32_t undo_capacity;
    uint32_t steps;
    bool is_exhausted; /* memory or steps: nothing is assignable any more */
};

const struct cel_type *policy_cel_infer_var(struct cel_infer *infer);
/* May `from` stand where `to` is expected? Binds variables when so, leaves them when not. */
bool policy_cel_infer_assign(struct cel_infer *infer, const struct cel_type *from,
                             const struct cel_type *to);
/* The same for `count` pairs, all or none. */
bool policy_cel_infer_assign_all(struct cel_infer *infer, const struct cel_type *const *from,
                                 const struct cel_type *const *to, size_t count);
/* The type with what is known put in; free variables become dyn when `close`. */
const struct cel_type *policy_cel_infer_resolve(struct cel_infer *infer,
                                                const struct cel_type *type, bool close);
/* The more general of two types of which one is assignable to the other. */
const struct cel_type *policy_cel_infer_general(struct cel_infer *infer, const struct cel_type *a,
                                                const struct cel_type *b);
bool policy_cel_infer_same(struct cel_infer *infer, const struct cel_type *a,
                           const struct cel_type *b);
/* A declaration's type with fresh variables for its parameters, the same ones for the same names;
 * `names` and `vars` (POLICY_CEL_TYPE_PARAMS_MAX each) carry them through one declaration. */
struct cel_fresh {
    struct bytes names[POLICY_CEL_TYPE_PARAMS_MAX];
    const struct cel_type *vars[POLICY_CEL_TYPE_PARAMS_MAX];
    size_t count;
};
const struct cel_type *policy_cel_infer_fresh(struct cel_infer *infer, struct cel_fresh *fresh,
                                              const struct cel_type *type);

#endif
