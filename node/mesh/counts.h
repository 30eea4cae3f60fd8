/* What the mesh counts, for metrics. */
#ifndef NODE_MESH_COUNTS_H
#define NODE_MESH_COUNTS_H

#include "node/mesh/mesh.h"

struct mesh_counts {
    uint64_t links_up, links_failed, handshakes_refused, records_bad, bytes_in, bytes_out, rekeys,
        messages_dropped /* of gossip, that no link took in time */;
};
void mesh_counts(const struct mesh *m, struct mesh_counts *ret_counts);
void mesh_gossip_counts(const struct mesh *m, struct gossip_counts *ret_counts);
/* When each peer's newest load was made, io_now_ms; false: none came. */
bool mesh_peer_load_made_ms(const struct mesh *m, const struct peer *p, uint64_t *ret_ms);

#endif
