/* Asking the running node: one GET over its control socket. */
#ifndef NODE_CLI_CONTROL_H
#define NODE_CLI_CONTROL_H

#include "node/cli/command.h"

#define CONTROL_TIMEOUT_MS 5000
#define CONTROL_BODY_MAX (32 * 1024 * 1024) /* a full mesh's `ls nodes` */

/* Finds the node's directory by the flags, asks, and appends the body of a 200 to `body`. Says what
 * is wrong: UNREACHABLE when nobody answers in time; FAILED for another status, with `missing` for
 * a 404 (where it is not NULL), else with the node's own words. */
MUST_CHECK enum cli_exit control_get(const struct cli *cli, const char *target, const char *missing,
                                     struct buf *body);

#endif
