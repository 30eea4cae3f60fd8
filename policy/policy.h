/* What others may include of policy/: where a request runs, and why. Facts in, plan out: no clock,
 * no I/O, no state but what the caller hands in.
 *
 *   cel.h       the language of expressions
 *   facts.h     what expressions may name
 *   document.h  RoutePolicy and Strategy: text to a checked set of rules
 *   decide.h    candidates and a request to an ordered plan
 *   breaker.h health.h estimate.h sketch.h budget.h   what was experienced, in numbers
 *   prefix.h    who was lately given which beginning of a prompt
 *   reach.h     whom a policy would leave without a candidate
 *   try.h       the tests that documents carry
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/breaker.h"
#include "policy/budget.h"
#include "policy/cel.h"
#include "policy/decide.h"
#include "policy/document.h"
#include "policy/estimate.h"
#include "policy/facts.h"
#include "policy/health.h"
#include "policy/prefix.h"
#include "policy/reach.h"
#include "policy/replay.h"
#include "policy/sketch.h"
#include "policy/try.h"

#endif
