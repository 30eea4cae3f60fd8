/* The ring behind window.h. */
#include "policy/window.h"

#include "base/err.h"

#include <string.h>

void policy_window_init(struct policy_window *w)
{
    memset(w, 0, sizeof *w);
}

size_t policy_window_over(uint64_t newest, uint64_t number, size_t slots)
{
    if (number <= newest)
        return 0;
    return number - newest < slots ? (size_t)(number - newest) : slots;
}

/* The place of the slot that is the `age`th oldest of a full ring. */
static size_t place(const struct policy_window *w, size_t age)
{
    return (size_t)(w->newest % POLICY_WINDOW_SLOTS + 1 + age) % POLICY_WINDOW_SLOTS;
}

void policy_window_add(struct policy_window *w, uint32_t slot_ms, size_t kind, uint64_t now_ms)
{
    CHECK(slot_ms > 0 && kind < POLICY_WINDOW_KINDS);
    uint64_t number = now_ms / slot_ms;
    size_t over = policy_window_over(w->newest, number, POLICY_WINDOW_SLOTS);
    for (size_t i = 0; i < over; i++)
        memset(w->counts[place(w, i)], 0, sizeof w->counts[0]);
    if (over > 0)
        w->newest = number;
    uint32_t *count = &w->counts[w->newest % POLICY_WINDOW_SLOTS][kind];
    *count += *count < UINT32_MAX;
}

struct policy_window_sums policy_window_sum(const struct policy_window *w, uint32_t slot_ms,
                                            uint64_t now_ms)
{
    CHECK(slot_ms > 0);
    struct policy_window_sums sums = {{0}};
    size_t over = policy_window_over(w->newest, now_ms / slot_ms, POLICY_WINDOW_SLOTS);
    for (size_t i = over; i < POLICY_WINDOW_SLOTS; i++)
        for (size_t kind = 0; kind < POLICY_WINDOW_KINDS; kind++)
            sums.kinds[kind] += w->counts[place(w, i)][kind];
    return sums;
}
