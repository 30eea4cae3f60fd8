/* What the two files of the breaker share. */
#ifndef POLICY_BREAKER_IMPL_H
#define POLICY_BREAKER_IMPL_H

#include "base/state.h"
#include "policy/breaker.h"

/* Closed, but not long enough since it last tripped for its full weight. */
bool policy_breaker_is_ramping(const struct policy_breaker *b, uint64_t now_ms);
/* Opens it; it is closed or half open. */
void policy_breaker_trip(struct policy_breaker *b, enum policy_trip why, uint64_t now_ms,
                         struct rng *rng);

#endif
