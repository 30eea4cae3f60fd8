/* Counts over the last while: a ring of slots of equal length, the oldest forgotten slot by slot.
 * Used by the breaker and the retry budget; the sketch turns its ring by the same rule. Inside
 * policy/, but for the structs that embed it.
 *
 * Time that goes back counts into the newest slot. Counts stop at UINT32_MAX. */
#ifndef POLICY_WINDOW_H
#define POLICY_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define POLICY_WINDOW_SLOTS 10
#define POLICY_WINDOW_KINDS 3

struct policy_window {
    uint64_t newest; /* number of the newest slot: its start divided by the slot's length */
    uint32_t counts[POLICY_WINDOW_SLOTS][POLICY_WINDOW_KINDS];
};

struct policy_window_sums {
    uint64_t kinds[POLICY_WINDOW_KINDS];
};

void policy_window_init(struct policy_window *w);
/* slot_ms: at least 1, and the same in every call for this window. kind < POLICY_WINDOW_KINDS. */
void policy_window_add(struct policy_window *w, uint32_t slot_ms, size_t kind, uint64_t now_ms);
struct policy_window_sums policy_window_sum(const struct policy_window *w, uint32_t slot_ms,
                                            uint64_t now_ms);

/* Of a ring of `slots` whose newest slot is number `newest`: how many of the oldest are over once
 * `number` is the newest. */
size_t policy_window_over(uint64_t newest, uint64_t number, size_t slots);

#endif
