/* Time zones of this machine as TZif data, by name, each read once and kept: what CEL's functions
 * of time ask for. Used by `policy eval`. */
#ifndef NODE_CLI_POLICY_ZONEINFO_H
#define NODE_CLI_POLICY_ZONEINFO_H

#include "base/buf.h"

#define ZONEINFO_KEPT_MAX 64
#define ZONEINFO_SIZE_MAX 65536

struct zoneinfo {
    struct zoneinfo_entry *kept[ZONEINFO_KEPT_MAX];
    size_t count;
};

void zoneinfo_init(struct zoneinfo *z);
void zoneinfo_fini(struct zoneinfo *z);
/* As cel_env.zone; `ctx` is the struct zoneinfo. */
struct bytes zoneinfo_find(void *ctx, struct bytes name);

#endif
