/* Inside the registry: the bytes of commands and proposals (wire.proto). The only door to protobuf;
 * commands.c and apply.c call it and judge what the values mean. */
#ifndef REGISTRY_WIRE_H
#define REGISTRY_WIRE_H

#include "registry/command.h"

/* Encoders append: LIMIT, NO_MEMORY. What they need in between comes from the arena. */
MUST_CHECK enum err registry_wire_command_encode(const struct registry_command *command,
                                                 struct arena *arena, struct buf *out);
MUST_CHECK enum err registry_wire_signed_encode(const struct registry_signed *s,
                                                struct arena *arena, struct buf *out);
MUST_CHECK enum err registry_wire_proposal_encode(uint64_t time_ms, const struct bytes *commands,
                                                  size_t count, struct arena *arena,
                                                  struct buf *out);

/* INVALID; NO_MEMORY only where memory is short, not where the arena's bound is reached. With
 * UNSUPPORTED the record, signatures, mesh, author, sequence and time are filled in, and no
 * operation: *ret_signed then holds all that is known of it. */
MUST_CHECK enum err registry_wire_signed_decode(struct bytes wire, struct arena *arena,
                                                struct registry_signed *ret_signed);
MUST_CHECK enum err registry_wire_proposal_decode(struct bytes payload, struct arena *arena,
                                                  struct registry_proposal *ret_proposal);

#endif
