/* An administrator's command on its way: signed here with the administrator's key, given to a node
 * (this directory's over its socket, any other by --node URL with signed HTTP), and what became of
 * it told to people or programs.
 *
 *   operations ──sign──> committed | refused | outcome unknown ──the same again──> ...
 *
 * A command is sent again as it is while its outcome is not known: repeating it is harmless. */
#ifndef NODE_CLI_RULES_ORDER_H
#define NODE_CLI_RULES_ORDER_H

#include "node/cli/command.h"
#include "registry/registry.h"

#define ORDER_VALID_MS (10 * 60 * 1000ull) /* not-after: a command that is found later is void */
#define ORDER_ATTEMPTS 5

/* Signs and sends the operations as one command and says what became of it: `done` in words where
 * that is not for programs; NULL: nothing when it was done. --out FILE: only writes the signed
 * command, for others to cosign. */
MUST_CHECK enum cli_exit order_send(const struct cli *cli, const struct registry_op *ops,
                                    size_t count, const char *done);
/* The same for a command that was signed before. */
MUST_CHECK enum cli_exit order_send_signed(const struct cli *cli, struct bytes command,
                                           const char *done);

/* The target that asks a node for rows of a kind, or one of them by its key ("model/v1"; nodes and
 * administrators also by name). */
#define ORDER_TARGET_MAX 1024
void order_row_target(const char *kind, const char *key, char *target, size_t size);
/* Such a row as JSON, for what must be looked up before it can be changed. NULL: said what was
 * wrong, with *ret_code. The caller deletes it. */
struct cJSON;
struct cJSON *order_get_row(const struct cli *cli, const char *kind, const char *key,
                            enum cli_exit *ret_code);

#endif
