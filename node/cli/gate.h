/* What stands before every command that puts policies: a policy that does not check, whose tests
 * fail, that breaks one that is in force, or that would leave a model of the mesh without any
 * candidate is not sent. Used by `apply`, `policy apply` and `policy revert`. */
#ifndef NODE_CLI_GATE_H
#define NODE_CLI_GATE_H

#include "node/cli/command.h"
#include "registry/registry.h"

/* Judges the policies among the operations; `file` is what their documents point into (or any other
 * bytes), `path` what it is called. Asks the node for the policies in force, for models and nodes,
 * but not with --out, which signs without a mesh. --force NAME lets that policy leave models
 * without a candidate. DONE: nothing stands against it; else it has been said. */
MUST_CHECK enum cli_exit gate_policies(const struct cli *cli, const struct registry_op *ops,
                                       size_t count, struct bytes file, const char *path);

#endif
