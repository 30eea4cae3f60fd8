/* Founding a mesh with its first node, for `init` and `run --dev`. */
#ifndef NODE_CLI_LIFE_INIT_H
#define NODE_CLI_LIFE_INIT_H

#include "node/cli/dir/keyfile.h"
#include "node/config/config.h"

/* New root, administrator and node of this configuration, whole in `dir`, with the log of the rules
 * that says so (is_volatile: nothing of that is synced). Says what is wrong. */
MUST_CHECK enum cli_exit init_found(const char *dir, const struct config *config, bool is_volatile,
                                    struct keyfile *ret_node);

#endif
