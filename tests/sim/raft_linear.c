/* Linearizability of the operations on one register, by the search of Wing and Gong with Lowe's
 * memory of what was tried: calls and returns in the order of time; a call may take effect when no
 * return stands before it. Operations of unknown outcome return at the end of time. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

#define WORDS ((RAFT_OPS + 63) / 64)
#define STATES_MAX 2000000

struct event { /* a call or a return, in a list by time */
    struct event *next, *prev;
    struct event *match; /* of a call: its return; of a return: NULL */
    uint64_t at;
    size_t number;
    const struct raft_op *op;
};

struct tried {
    uint64_t done[WORDS];
    uint64_t value;
    bool is_used;
};

struct search {
    struct event *events, head;
    size_t event_count, op_count, words;
    uint64_t done[WORDS], value;
    struct tried *tried;
    size_t tried_count, tried_capacity;
    struct step {
        struct event *call;
        uint64_t value;
    } * stack;
    size_t depth;
};

/* What the register does; false: the result contradicts it. */
static bool take_effect(const struct raft_op *op, uint64_t value, uint64_t *ret_value)
{
    *ret_value = value;
    switch (op->type) {
    case RAFT_OP_READ: return op->result == value;
    case RAFT_OP_WRITE: *ret_value = op->value; return true;
    case RAFT_OP_CAS: break;
    }
    bool is_equal = op->expected == value;
    if (!op->is_unknown && op->result != is_equal)
        return false;
    if (is_equal)
        *ret_value = op->value;
    return true;
}

/* --- memory */

static size_t slot_of(const struct search *s, const uint64_t *done, uint64_t value)
{
    uint64_t hash = value * 0x9e3779b97f4a7c15ull;
    for (size_t i = 0; i < s->words; i++)
        hash = (hash ^ done[i]) * 0xff51afd7ed558ccdull ^ hash >> 29;
    return (size_t)(hash >> 17) & (s->tried_capacity - 1);
}

static bool remember(struct search *s, const uint64_t *done, uint64_t value);

static void grow(struct search *s)
{
    struct tried *old = s->tried;
    size_t capacity = s->tried_capacity;
    s->tried_capacity = capacity ? capacity * 4 : 256;
    s->tried = calloc(s->tried_capacity, sizeof(*s->tried));
    CHECK(s->tried);
    s->tried_count = 0;
    for (size_t i = 0; i < capacity; i++)
        if (old[i].is_used)
            (void)remember(s, old[i].done, old[i].value);
    free(old);
}

/* False: this was tried before. */
static bool remember(struct search *s, const uint64_t *done, uint64_t value)
{
    if (s->tried_count * 2 >= s->tried_capacity)
        grow(s);
    for (size_t at = slot_of(s, done, value);; at = (at + 1) & (s->tried_capacity - 1)) {
        struct tried *t = &s->tried[at];
        if (!t->is_used) {
            memcpy(t->done, done, s->words * sizeof(*done));
            t->value = value;
            t->is_used = true;
            s->tried_count++;
            return true;
        }
        if (t->value == value && memcmp(t->done, done, s->words * sizeof(*done)) == 0)
            return false;
    }
}

/* --- the list */

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static void lift(struct event *call)
{
    call->prev->next = call->next;
    call->next->prev = call->prev;
    struct event *end = call->match;
    end->prev->next = end->next;
    if (end->next)
        end->next->prev = end->prev;
}

static void unlift(struct event *call)
{
    struct event *end = call->match;
    end->prev->next = end;
    if (end->next)
        end->next->prev = end;
    call->prev->next = call;
    call->next->prev = call;
}

static void list_events(struct search *s, const struct raft_op *ops, size_t count, uint64_t key)
{
    size_t number = 0;
    for (size_t i = 0; i < count; i++) {
        const struct raft_op *op = &ops[i];
        bool matters = op->key == key && (op->returned || op->type != RAFT_OP_READ);
        if (!matters)
            continue;
        uint64_t end = op->returned ? op->returned : UINT64_MAX - RAFT_OPS + number;
        s->events[s->event_count++] = (struct event){.at = op->called, .number = number, .op = op};
        s->events[s->event_count++] = (struct event){.at = end, .number = number++};
    }
    s->op_count = number;
    s->words = number / 64 + 1;
    qsort(s->events, s->event_count, sizeof(*s->events), by_time);
    struct event **call_of = calloc(number + 1, sizeof(*call_of));
    struct event *last = &s->head;
    CHECK(call_of);
    for (size_t i = 0; i < s->event_count; i++) {
        struct event *e = &s->events[i];
        e->prev = last;
        last->next = e;
        last = e;
        if (e->op)
            call_of[e->number] = e;
        else
            call_of[e->number]->match = e;
    }
    free(call_of);
}

static bool search(struct search *s)
{
    struct event *e = s->head.next;
    while (s->head.next && s->tried_count < STATES_MAX) {
        uint64_t value;
        if (e->op) {
            uint64_t bit = 1ull << (e->number % 64);
            bool is_new = false;
            if (take_effect(e->op, s->value, &value)) {
                s->done[e->number / 64] |= bit;
                is_new = remember(s, s->done, value);
                if (!is_new)
                    s->done[e->number / 64] &= ~bit;
            }
            if (!is_new) {
                e = e->next;
                continue;
            }
            s->stack[s->depth++] = (struct step){e, s->value};
            s->value = value;
            lift(e);
            e = s->head.next;
            continue;
        }
        if (s->depth == 0)
            return false;
        struct step *last = &s->stack[--s->depth];
        s->value = last->value;
        s->done[last->call->number / 64] &= ~(1ull << (last->call->number % 64));
        unlift(last->call);
        e = last->call->next;
    }
    return !s->head.next;
}

bool linear_check(const struct raft_op *ops, size_t count, uint64_t key, uint64_t *ret_states)
{
    struct search s = {0};
    s.events = calloc(2 * count + 1, sizeof(*s.events));
    s.stack = calloc(count + 1, sizeof(*s.stack));
    CHECK(s.events && s.stack);
    list_events(&s, ops, count, key);
    bool is_linear = search(&s);
    *ret_states += s.tried_count;
    free(s.events);
    free(s.stack);
    free(s.tried);
    return is_linear;
}
