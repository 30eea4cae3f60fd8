/* The receipts of the requests that entered the mesh here: kept for RECEIPTS_AGE_MS and at most
 * RECEIPTS_MAX of them, in one ring of bytes. Nobody waits for the ingress's own signature, and few
 * receipts are ever asked for, so a record is encoded and signed when somebody does: a request pays
 * for copying what its receipt will say, no more. */
#ifndef NODE_TELEMETRY_RECEIPTS_H
#define NODE_TELEMETRY_RECEIPTS_H

#include "base/buf.h"
#include "node/io/loop.h"
#include "node/mesh/mesh.h"
#include "node/telemetry/ring.h"
#include "node/trust/receipt.h"

#define RECEIPTS_MAX 10000
#define RECEIPTS_AGE_MS (15 * 60 * 1000)
#define RECEIPTS_RING_BYTES                                                                        \
    (16 * 1024 * 1024) /* 10,000 with a hop below; untouched pages cost nothing */

struct receipts {
    struct io_loop *loop;
    const struct identity *identity;
    struct ring ring;
};

void receipts_init(struct receipts *r, struct io_loop *loop, const struct identity *identity);
void receipts_fini(struct receipts *r);
/* What this node will say, and the wire chain that came from the next hop (may be empty). Both are
 * copied. LIMIT: larger than any receipt may be. */
MUST_CHECK enum err receipts_add(struct receipts *r, const struct receipt *receipt,
                                 struct bytes below);
/* Appends the receipt's JSON, signed now; peers' certificates come from `mesh` where the chain has
 * none. NOT_FOUND: never seen, or too old. The newest wins when an id came twice. */
MUST_CHECK enum err receipts_json(struct receipts *r, struct bytes request_id,
                                  const struct mesh *mesh, struct buf *out);
/* Fills in the certificates that a wire chain left out because the next hop's peer knew them. */
void receipts_complete(struct receipt_entry *entries, size_t count, const struct mesh *mesh);

#endif
