/* The commands with which a mesh and its nodes begin: the root's first one, and the one by which a
 * node that was invited is admitted. D/admission keeps the latter until the mesh has taken it. */
#ifndef NODE_CLI_DIR_FOUNDING_H
#define NODE_CLI_DIR_FOUNDING_H

#include "node/cli/dir/keyfile.h"
#include "node/config/config.h"
#include "node/trust/keyring.h"
#include "node/trust/token.h"

#define FOUNDING_COMMAND_MAX 4096
#define FOUNDING_TEXT_MAX (FOUNDING_COMMAND_MAX * 4 / 3 + 64)

/* Signed by the root: the first administrator an operator, the first node admitted and the one
 * voter, the key of gossip. Appended. */
MUST_CHECK enum err founding_genesis(const struct keyfile *root, const struct keyfile *admin,
                                     const struct keyfile *node, const struct config *config,
                                     const struct keyring *ring, uint64_t now_ms, struct buf *out);
/* Signed by the invitation's one-time key. */
MUST_CHECK enum err founding_admission(const struct token *token, const struct keyfile *node,
                                       const struct config *config, struct buf *out);

/* The file: "grapevine admission 1" and a line of base64url. INVALID. */
MUST_CHECK enum err founding_encode(struct bytes command, struct buf *text);
MUST_CHECK enum err founding_decode(struct bytes text, struct buf *command);

#endif
