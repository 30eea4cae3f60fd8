/* Programs as they run, and what functions of the library may ask of the vm that runs them: memory,
 * time (a budget), failures. Inside policy/cel_* only.
 *
 * Errors are values on the stack like others, so that && and || can drop them; only those that end
 * an evaluation at once (BUDGET, MEMORY) make the loop return. */
#ifndef POLICY_CEL_VM_H
#define POLICY_CEL_VM_H

#include "policy/cel_library.h"
#include "policy/cel_regex.h"

enum cel_code_op {
    CEL_I_RETURN,
    CEL_I_CONST,    /* c: constant */
    CEL_I_FACT,     /* b: fact, packed */
    CEL_I_HAS_FACT, /* b */
    CEL_I_TEST,     /* fact `b`, compared (a: enum cel_op) with constant c */
    CEL_I_LOCAL,    /* c: local */
    CEL_I_STORE,    /* c: local */
    CEL_I_JUMP,     /* c: target, as in all below that have one */
    CEL_I_SKIP,     /* a: the bool that decides; if it is on top, jump and keep it */
    CEL_I_LOGIC,    /* a: as in SKIP; joins the two on top */
    CEL_I_COND,     /* c: else; the instruction before it jumps to the end */
    CEL_I_CALL,     /* a: arguments; c: function */
    CEL_I_MATCH,    /* c: regex */
    CEL_I_SELECT,   /* c: constant, the field; a: 1 when optional */
    CEL_I_HAS,      /* c */
    CEL_I_INDEX,    /* a: 1 when optional */
    CEL_I_LIST,     /* an empty list */
    CEL_I_APPEND,   /* a: 1 when optional */
    CEL_I_MAP,      /* an empty map */
    CEL_I_PUT,      /* a: 1 when optional */
    CEL_I_ITER,     /* a: macro; b: its first local; c: behind it, when there is nothing to loop */
    CEL_I_NEXT,     /* a: variables; b; c: when there is no more */
    CEL_I_FILTER,   /* b; c: NEXT */
    CEL_I_FOLD,     /* a: macro; b; c: NEXT */
    CEL_I_RESULT,   /* a: macro; b */
    CEL_I_ENTER,    /* b: local for what the optional on top holds; c: when it holds nothing */
    CEL_I_WRAP,     /* a: macro; makes the top an optional, or checks that it is one */
    CEL_I_OR_ELSE,  /* a: 1 for the value itself; c: when the optional on top has one */
};

struct cel_code {
    uint8_t op;
    uint8_t a;
    uint16_t b;
    uint32_t c;
};

/* Where a fact lies, in 16 bits. */
#define CEL_SLOT_BITS 14
#define CEL_PACK(group, slot) ((uint16_t)((group) << CEL_SLOT_BITS | (slot)))

/* A run of code for the whole or one part of the expression. */
struct cel_part {
    uint32_t start;
    uint32_t size;
    uint64_t reads[POLICY_CEL_FACTS_MAX / 64];
};

/* A fact that the program reads, for the failure that it is absent. */
struct cel_used {
    uint16_t packed;
    const char *name;
};

struct cel_program {
    struct arena arena; /* holds this too */
    struct bytes source;
    const struct cel_env *env;
    const struct cel_type *type;
    struct cel_code *code;
    uint32_t *offsets; /* into the source, per instruction */
    uint32_t code_size;
    struct cel_value *constants;
    cel_impl *calls; /* NULL: a function that there is not */
    struct policy_cel_regex **regexes;
    uint32_t regex_count;
    uint32_t local_count;
    struct cel_used *used;
    uint32_t used_count;
    struct cel_part *parts; /* [0] the whole, then its parts if there are several */
    uint32_t part_count;
};

struct cel_vm {
    uint8_t *memory;
    size_t memory_size;
    size_t memory_used;
    uint64_t budget;
    uint64_t left;
    const struct cel_program *program; /* the one that runs */
    struct policy_cel_matcher *matcher;
    struct cel_value stack[POLICY_CEL_STACK_MAX];
};

/* --- failures. `text` is a literal; the vm adds the place. */

#define CEL_OFFSET_UNKNOWN UINT32_MAX
static inline struct cel_value policy_cel_error(enum cel_error error, const char *text)
{
    return (struct cel_value){
        .kind = CEL_ERROR, .error = (uint8_t)error, .size = CEL_OFFSET_UNKNOWN, .text = text};
}
static inline bool policy_cel_failed(struct cel_value v)
{
    return v.kind >= CEL_ERROR;
}
/* Ends the evaluation. */
static inline bool policy_cel_is_final(struct cel_value v)
{
    return v.kind == CEL_ERROR && v.error >= CEL_E_BUDGET;
}
struct cel_value policy_cel_no_overload(void);
struct cel_value policy_cel_no_memory(void);
struct cel_value policy_cel_no_budget(void);

static inline struct cel_value policy_cel_bool(bool b)
{
    return (struct cel_value){.kind = CEL_BOOL, .boolean = b};
}
static inline struct cel_value policy_cel_int(int64_t i)
{
    return (struct cel_value){.kind = CEL_INT, .integer = i};
}
static inline struct cel_value policy_cel_uint(uint64_t u)
{
    return (struct cel_value){.kind = CEL_UINT, .uinteger = u};
}
static inline struct cel_value policy_cel_double(double d)
{
    return (struct cel_value){.kind = CEL_DOUBLE, .real = d};
}

/* --- what functions use */

/* Pays for `units` of work; false: the budget is spent, return policy_cel_no_budget(). */
static inline bool policy_cel_pay(struct cel_vm *vm, uint64_t units)
{
    bool fits = units <= vm->left;
    vm->left = fits ? vm->left - units : 0;
    return fits;
}
/* Pays for touching so many bytes. */
static inline bool policy_cel_pay_bytes(struct cel_vm *vm, size_t bytes)
{
    return policy_cel_pay(vm, bytes / 16 + 1);
}
/* 16-byte aligned; NULL: return policy_cel_no_memory(). */
void *policy_cel_alloc(struct cel_vm *vm, size_t size);
/* A text being made in the vm's free memory; only one at a time, and nothing else allocated. */
void policy_cel_text_begin(struct cel_vm *vm, struct buf *ret_buf);
struct cel_value policy_cel_text_end(struct cel_vm *vm, const struct buf *buf);
/* What an append that failed means for the evaluation. */
struct cel_value policy_cel_of_err(enum err e);

struct cel_value policy_cel_some(struct cel_vm *vm, struct cel_value v);
static inline struct cel_value policy_cel_none(void)
{
    return (struct cel_value){.kind = CEL_OPTIONAL};
}
/* Adds to a list (or map) that was made empty by the caller and is nobody else's. False: memory. */
bool policy_cel_append(struct cel_vm *vm, struct cel_value *list, struct cel_value item);
/* An error when the key is there or may not be one; else v.kind is CEL_NULL. */
struct cel_value policy_cel_put(struct cel_vm *vm, struct cel_value *map, struct cel_value key,
                                struct cel_value value);

/* Bounded equality: a bool, or no_budget. */
struct cel_value policy_cel_equals(struct cel_vm *vm, struct cel_value a, struct cel_value b);
/* Ordering of a and b by `op` (LT LE GT GE): a bool, or no_overload. */
struct cel_value policy_cel_compare(enum cel_op op, struct cel_value a, struct cel_value b);
/* NULL: not there. Charges; *ret_spent when that failed. */
const struct cel_value *policy_cel_map_find(struct cel_vm *vm, struct cel_value map,
                                            struct cel_value key, bool *ret_spent);
/* Does the pattern match in the text? A bool, or no_budget. */
struct cel_value policy_cel_match(struct cel_vm *vm, const struct policy_cel_regex *regex,
                                  struct bytes text);
/* operand[index] and operand.field, through optionals. */
struct cel_value policy_cel_get(struct cel_vm *vm, struct cel_value operand, struct cel_value key,
                                bool is_field, bool optional);
struct cel_value policy_cel_has(struct cel_vm *vm, struct cel_value operand, struct cel_value key);

#endif
