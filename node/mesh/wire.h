/* The bytes of facts: structs in, protobuf out, and back. The only door to protobuf-c in this
 * folder; facts.c calls it and judges what the values mean. */
#ifndef NODE_MESH_WIRE_H
#define NODE_MESH_WIRE_H

#include "node/mesh/facts.h"
#include "node/mesh/summary.h"

/* Append. LIMIT, NO_MEMORY. At most FACTS_BACKENDS_MAX backends and FACTS_MODELS_MAX models. */
MUST_CHECK enum err mesh_wire_node_encode(const struct facts_node *n, struct buf *wire);
MUST_CHECK enum err mesh_wire_inventory_encode(const struct facts *f, struct buf *wire);
MUST_CHECK enum err mesh_wire_report_encode(const struct facts *f, struct buf *wire);
/* Copy into the arena. INVALID: not such a message, or more of something than the limits. */
MUST_CHECK enum err mesh_wire_node_decode(struct bytes wire, struct arena *arena,
                                          struct facts_node *ret_node);
MUST_CHECK enum err mesh_wire_inventory_decode(struct bytes wire, struct arena *arena,
                                               struct facts_inventory *ret_inventory);
MUST_CHECK enum err mesh_wire_report_decode(struct bytes wire, struct facts_report *ret_report);

/* What it adds to the bytes of a summary. */
size_t mesh_wire_summary_model_size(const struct summary_model *m);
MUST_CHECK enum err mesh_wire_summary_encode(const struct summary *s, struct buf *wire);
MUST_CHECK enum err mesh_wire_summary_decode(struct bytes wire, struct arena *arena,
                                             struct summary *ret_summary);

#endif
