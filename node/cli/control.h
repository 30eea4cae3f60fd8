/* Asking the running node over its control socket, or with --node URL one elsewhere: one request,
 * one answer. */
#ifndef NODE_CLI_CONTROL_H
#define NODE_CLI_CONTROL_H

#include "node/cli/command.h"

#define CONTROL_TIMEOUT_MS 5000
#define CONTROL_ORDER_TIMEOUT_MS 15000      /* longer than a node waits for the leader */
#define CONTROL_BODY_MAX (32 * 1024 * 1024) /* a full mesh's `ls nodes` */

/* Finds the node's directory by the flags, asks, and appends the body of a 200 to `body`. Says what
 * is wrong: UNREACHABLE when nobody answers in time; FAILED for another status, with `missing` for
 * a 404 (where it is not NULL), else with the node's own words. */
MUST_CHECK enum cli_exit control_get(const struct cli *cli, const char *target, const char *missing,
                                     struct buf *body);
/* The same for a POST of `content`; REFUSED for 401 and 403. */
MUST_CHECK enum cli_exit control_post(const struct cli *cli, const char *target,
                                      struct bytes content, struct buf *body);
/* A GET whose answer goes on: on_data is given its pieces, without a limit of time
 * once it has begun. Ends when the node ends it: DONE, or in the middle, as a node that
 * stops does: UNREACHABLE. on_data returns false to end it: DONE. */
MUST_CHECK enum cli_exit control_follow(const struct cli *cli, const char *target,
                                        bool (*on_data)(void *owner, struct bytes data),
                                        void *owner);
/* Waits until no node answers in the directory any more. */
MUST_CHECK enum cli_exit control_await_end(const struct cli *cli);

#endif
