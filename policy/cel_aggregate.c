/* Lists, maps, optionals and texts in the vm's memory: making them, and taking things out of them.
 * Everything made lives until the vm's next evaluation. */
#include "policy/cel_vm.h"

#include <math.h>

void *policy_cel_alloc(struct cel_vm *vm, size_t size)
{
    size_t needed = (size + 15) & ~(size_t)15;
    if (needed < size || needed > vm->memory_size - vm->memory_used)
        return NULL;
    void *made = vm->memory + vm->memory_used;
    vm->memory_used += needed;
    return made;
}

void policy_cel_text_begin(struct cel_vm *vm, struct buf *ret_buf)
{
    buf_init_fixed(ret_buf, vm->memory + vm->memory_used, vm->memory_size - vm->memory_used);
}

struct cel_value policy_cel_text_end(struct cel_vm *vm, const struct buf *buf)
{
    void *made = policy_cel_alloc(vm, buf->size);
    if (!made)
        return policy_cel_no_memory();
    if (!policy_cel_pay_bytes(vm, buf->size))
        return policy_cel_no_budget();
    return policy_cel_string(bytes_of(made, buf->size));
}

struct cel_value policy_cel_of_err(enum err e)
{
    return e == ERR_UNSUPPORTED ? policy_cel_no_overload() : policy_cel_no_memory();
}

struct cel_value policy_cel_some(struct cel_vm *vm, struct cel_value v)
{
    struct cel_value *held = policy_cel_alloc(vm, sizeof(*held));
    if (!held)
        return policy_cel_no_memory();
    *held = v;
    return (struct cel_value){.kind = CEL_OPTIONAL, .size = 1, .items = held};
}

/* Room for one more item of `width` values. It doubles at powers of two, so that the capacity need
 * not be kept. */
static struct cel_value *extend(struct cel_vm *vm, struct cel_value *v, size_t width)
{
    uint32_t count = v->size;
    if (count == UINT32_MAX)
        return NULL;
    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0)) {
        size_t capacity = count ? (size_t)count * 2 : 4;
        struct cel_value *items = policy_cel_alloc(vm, capacity * width * sizeof(*items));
        if (!items)
            return NULL;
        if (count)
            memcpy(items, v->items, (size_t)count * width * sizeof(*items));
        v->items = items;
    }
    v->size++;
    return (struct cel_value *)&v->items[count * width];
}

bool policy_cel_append(struct cel_vm *vm, struct cel_value *list, struct cel_value item)
{
    struct cel_value *place = extend(vm, list, 1);
    if (place)
        *place = item;
    return place;
}

struct cel_value policy_cel_put(struct cel_vm *vm, struct cel_value *map, struct cel_value key,
                                struct cel_value value)
{
    bool spent;
    bool fits = key.kind == CEL_BOOL || key.kind == CEL_INT || key.kind == CEL_UINT ||
                key.kind == CEL_STRING;
    if (!fits)
        return policy_cel_error(CEL_E_OVERLOAD, "a value that cannot be the key of a map");
    if (policy_cel_map_find(vm, *map, key, &spent))
        return policy_cel_error(CEL_E_ARGUMENT, "a key given twice");
    if (spent)
        return policy_cel_no_budget();
    struct cel_value *place = extend(vm, map, 2);
    if (!place)
        return policy_cel_no_memory();
    place[0] = key;
    place[1] = value;
    return (struct cel_value){.kind = CEL_NULL};
}

/* --- taking out */

/* The index that a number is; false when it is none. */
static bool as_index(struct cel_value v, uint64_t *ret_index)
{
    if (v.kind == CEL_DOUBLE && v.real >= 0 && v.real < 4294967296.0 && v.real == floor(v.real))
        *ret_index = (uint64_t)v.real;
    else if (v.kind == CEL_UINT || (v.kind == CEL_INT && v.integer >= 0))
        *ret_index = v.uinteger;
    else
        return false;
    return true;
}

/* What lies under the key; an error with CEL_E_KEY when nothing does. */
static struct cel_value take(struct cel_vm *vm, struct cel_value from, struct cel_value key,
                             bool is_field)
{
    uint64_t index;
    bool spent;
    if (from.kind == CEL_MAP) {
        const struct cel_value *found = policy_cel_map_find(vm, from, key, &spent);
        if (found)
            return *found;
        return spent ? policy_cel_no_budget() : policy_cel_error(CEL_E_KEY, "no such key");
    }
    if (from.kind != CEL_LIST || is_field)
        return policy_cel_no_overload();
    if (key.kind < CEL_INT || key.kind > CEL_DOUBLE)
        return policy_cel_error(CEL_E_OVERLOAD, "a list is indexed by a number");
    if (!as_index(key, &index) || index >= from.size)
        return policy_cel_error(CEL_E_KEY, "index out of range");
    return from.items[index];
}

struct cel_value policy_cel_get(struct cel_vm *vm, struct cel_value operand, struct cel_value key,
                                bool is_field, bool optional)
{
    bool chained = operand.kind == CEL_OPTIONAL;
    if (policy_cel_failed(operand))
        return operand;
    if (policy_cel_failed(key))
        return key;
    if (chained && !operand.size)
        return policy_cel_none();
    struct cel_value found = take(vm, chained ? operand.items[0] : operand, key, is_field);
    if (!chained && !optional)
        return found;
    if (found.kind == CEL_ERROR)
        return found.error == CEL_E_KEY ? policy_cel_none() : found;
    return policy_cel_some(vm, found);
}

struct cel_value policy_cel_has(struct cel_vm *vm, struct cel_value operand, struct cel_value key)
{
    if (operand.kind == CEL_ABSENT)
        return policy_cel_bool(false);
    if (policy_cel_failed(operand))
        return operand;
    if (operand.kind == CEL_OPTIONAL) {
        if (!operand.size)
            return policy_cel_bool(false);
        operand = operand.items[0];
    }
    if (operand.kind != CEL_MAP)
        return policy_cel_no_overload();
    struct cel_value found = take(vm, operand, key, true);
    if (policy_cel_is_final(found))
        return found;
    return policy_cel_bool(found.kind != CEL_ERROR);
}
