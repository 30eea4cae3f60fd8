/* What a node remembers between its starts: the number of its boot, and that it runs only once. */
#ifndef NODE_CLI_BOOT_H
#define NODE_CLI_BOOT_H

#include "base/kv.h"
#include "node/cli/say.h"

struct boot {
    struct kv *kv;    /* held open: its lock keeps a second process out */
    uint64_t boot_ms; /* max(wall clock, the last one + 1): rises even where the clock went back */
};

/* Opens D/data and stores the new number durably. Says what is wrong. */
MUST_CHECK enum cli_exit boot_open(const char *dir, struct boot *ret_boot);
void boot_close(struct boot *boot);

#endif
