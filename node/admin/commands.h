/* Commands and log entries as JSON, for whoever is asked to sign one or reads a log. Pure. */
#ifndef NODE_ADMIN_COMMANDS_H
#define NODE_ADMIN_COMMANDS_H

#include "raft/raft.h"
#include "registry/registry.h"

/* {"author","sequence","not_after_ms","cosignatures":N,"ops":[{"op","kind","document"}]}; secrets
 * are left out. */
MUST_CHECK enum err commands_json(const struct registry_signed *command, struct buf *out);
/* {"index","term","kind":"command","time_ms","commands":[...]}, "noop", or "config" with "voters".
 * INVALID, UNSUPPORTED: no entry that this program knows. */
MUST_CHECK enum err commands_entry_json(struct bytes record, struct buf *out);

#endif
