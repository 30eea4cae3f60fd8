/* What others may include of policy/: the language of its expressions. Documents, constraints,
 * scores and choice follow it here, each with its contract. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/cel.h"

#endif
