/* What the files that answer for the rules share: local_registry.c, local_watch.c. */
#ifndef NODE_INGRESS_LOCAL_RULES_H
#define NODE_INGRESS_LOCAL_RULES_H

#include "node/ingress/exchange.h"
#include "node/ingress/local.h"
#include "node/rules/rules.h"

#endif
