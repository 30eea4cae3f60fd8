/* The bytes of facts: structs in, protobuf out, and back. The only door to protobuf-c in this
 * folder; facts.c calls it and judges what the values mean. */
#ifndef NODE_MESH_WIRE_H
#define NODE_MESH_WIRE_H

#include "node/mesh/facts.h"

/* Appends. LIMIT, NO_MEMORY. At most FACTS_BACKENDS_MAX backends and FACTS_MODELS_MAX models. */
MUST_CHECK enum err mesh_wire_facts_encode(const struct facts *f, struct buf *wire);
/* Copies into the arena. INVALID: not such a message, or more backends or models than the
 * limits. */
MUST_CHECK enum err mesh_wire_facts_decode(struct bytes wire, struct arena *arena,
                                           struct facts *ret_facts);

#endif
