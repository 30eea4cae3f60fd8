/* Commands that change the rules: signed here with an administrator's key, handed to the running
 * node, which brings them to the mesh; what came of it, in words. */
#ifndef NODE_CLI_RULES_SUBMIT_H
#define NODE_CLI_RULES_SUBMIT_H

#include "node/cli/command.h"
#include "node/cli/dir/keyfile.h"
#include "registry/registry.h"

/* Takes effect as one. The sequence number is the time: rising, and known without asking; where it
 * was used before, the one after the last. Says what
 * is wrong: REFUSED with the mesh's reason; FAILED where nobody knows whether it happened. */
MUST_CHECK enum cli_exit submit_ops(const struct cli *cli, const struct keyfile *admin,
                                    const struct registry_op *ops, size_t count);

#endif
