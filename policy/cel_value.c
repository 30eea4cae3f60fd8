/* What values are to each other: equal, ordered, a key. Numbers compare by value whatever their
 * type; other values of unlike kinds are unequal and have no order. */
#include "policy/cel_vm.h"

#include <math.h>

/* Values nest no deeper than expressions and facts do; beyond that they are called unequal. */
#define NESTING_MAX 1024

struct cel_value policy_cel_string(struct bytes text)
{
    return (struct cel_value){.kind = CEL_STRING, .size = (uint32_t)text.size, .data = text.data};
}

struct bytes policy_cel_bytes(struct cel_value v)
{
    return bytes_of(v.data, v.size);
}

struct cel_value policy_cel_no_overload(void)
{
    return policy_cel_error(CEL_E_OVERLOAD, "no such overload");
}

struct cel_value policy_cel_no_memory(void)
{
    return policy_cel_error(CEL_E_MEMORY, "the memory for one evaluation is used up");
}

struct cel_value policy_cel_no_budget(void)
{
    return policy_cel_error(CEL_E_BUDGET, "the cost bound of one evaluation is reached");
}

static bool is_number(struct cel_value v)
{
    return v.kind >= CEL_INT && v.kind <= CEL_DOUBLE;
}

static double as_double(struct cel_value v)
{
    return v.kind == CEL_DOUBLE ? v.real
           : v.kind == CEL_INT  ? (double)v.integer
                                : (double)v.uinteger;
}

enum order { LESS = -1, SAME, MORE, UNORDERED };

static enum order order_of(bool less, bool more)
{
    return less ? LESS : more ? MORE : SAME;
}

/* Integers and doubles meet as doubles, as in the reference implementation. */
static enum order order_numbers(struct cel_value a, struct cel_value b)
{
    if (a.kind == CEL_DOUBLE || b.kind == CEL_DOUBLE) {
        double x = as_double(a), y = as_double(b);
        return isnan(x) || isnan(y) ? UNORDERED : order_of(x<y, x> y);
    }
    if (a.kind == CEL_INT && b.kind == CEL_INT)
        return order_of(a.integer<b.integer, a.integer> b.integer);
    if (a.kind == CEL_INT && a.integer < 0)
        return LESS;
    if (b.kind == CEL_INT && b.integer < 0)
        return MORE;
    return order_of(a.uinteger<b.uinteger, a.uinteger> b.uinteger);
}

static enum order order_bytes(struct cel_value a, struct cel_value b)
{
    int difference = bytes_compare(policy_cel_bytes(a), policy_cel_bytes(b));
    return order_of(difference<0, difference> 0);
}

/* False: these have no order. */
static bool order_values(struct cel_value a, struct cel_value b, enum order *ret_order)
{
    if (is_number(a) && is_number(b)) {
        *ret_order = order_numbers(a, b);
        return true;
    }
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case CEL_BOOL: *ret_order = order_of(a.boolean<b.boolean, a.boolean> b.boolean); return true;
    case CEL_STRING: /* UTF-8 sorts as its code points do */
    case CEL_BYTES: *ret_order = order_bytes(a, b); return true;
    case CEL_DURATION:
        *ret_order = order_of(a.integer<b.integer, a.integer> b.integer);
        return true;
    case CEL_TIMESTAMP:
        *ret_order = order_of(a.integer < b.integer || (a.integer == b.integer && a.size < b.size),
                              a.integer > b.integer || (a.integer == b.integer && a.size > b.size));
        return true;
    default: return false;
    }
}

struct cel_value policy_cel_compare(enum cel_op op, struct cel_value a, struct cel_value b)
{
    enum order order;
    if (!order_values(a, b, &order))
        return policy_cel_no_overload();
    switch (op) {
    case CEL_OP_LT: return policy_cel_bool(order == LESS);
    case CEL_OP_LE: return policy_cel_bool(order == LESS || order == SAME);
    case CEL_OP_GT: return policy_cel_bool(order == MORE);
    default: return policy_cel_bool(order == MORE || order == SAME);
    }
}

/* --- equality; `left` counts down what it may cost, NULL: no bound */

static bool equal(struct cel_value a, struct cel_value b, unsigned depth, uint64_t *left);

static bool spend(uint64_t *left, uint64_t units)
{
    if (left && *left < units) {
        *left = 0;
        return false;
    }
    if (left)
        *left -= units;
    return true;
}

static bool equal_lists(struct cel_value a, struct cel_value b, unsigned depth, uint64_t *left)
{
    for (uint32_t i = 0; i < a.size; i++)
        if (!equal(a.items[i], b.items[i], depth + 1, left))
            return false;
    return true;
}

static const struct cel_value *find(struct cel_value map, struct cel_value key, uint64_t *left)
{
    for (uint32_t i = 0; i < map.size; i++)
        if (equal(map.items[2 * i], key, 0, left))
            return &map.items[2 * i + 1];
    return NULL;
}

static bool equal_maps(struct cel_value a, struct cel_value b, unsigned depth, uint64_t *left)
{
    for (uint32_t i = 0; i < a.size; i++) {
        const struct cel_value *other = find(b, a.items[2 * i], left);
        if (!other || !equal(a.items[2 * i + 1], *other, depth + 1, left))
            return false;
    }
    return true;
}

static bool equal(struct cel_value a, struct cel_value b, unsigned depth, uint64_t *left)
{
    if (is_number(a) && is_number(b))
        return spend(left, 1) && order_numbers(a, b) == SAME;
    if (a.kind != b.kind || depth > NESTING_MAX)
        return false;
    switch (a.kind) {
    case CEL_NULL: return true;
    case CEL_BOOL: return a.boolean == b.boolean;
    case CEL_STRING:
    case CEL_BYTES:
    case CEL_TYPE:
        return a.size == b.size && spend(left, a.size / 16 + 1) &&
               (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
    case CEL_DURATION: return a.integer == b.integer;
    case CEL_TIMESTAMP: return a.integer == b.integer && a.size == b.size;
    case CEL_LIST: return a.size == b.size && spend(left, 1) && equal_lists(a, b, depth, left);
    case CEL_MAP: return a.size == b.size && spend(left, 1) && equal_maps(a, b, depth, left);
    case CEL_OPTIONAL:
        return a.size == b.size && spend(left, 1) &&
               (!a.size || equal(a.items[0], b.items[0], depth + 1, left));
    default: return false;
    }
}

bool policy_cel_equal(struct cel_value a, struct cel_value b)
{
    return equal(a, b, 0, NULL);
}

struct cel_value policy_cel_equals(struct cel_vm *vm, struct cel_value a, struct cel_value b)
{
    bool same = equal(a, b, 0, &vm->left);
    return !same && !vm->left ? policy_cel_no_budget() : policy_cel_bool(same);
}

const struct cel_value *policy_cel_map_find(struct cel_vm *vm, struct cel_value map,
                                            struct cel_value key, bool *ret_spent)
{
    const struct cel_value *found = policy_cel_pay(vm, map.size) ? find(map, key, &vm->left) : NULL;
    *ret_spent = !found && !vm->left;
    return found;
}
