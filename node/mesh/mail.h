/* Gossip's messages over links: POST /mesh/v1/gossip, answered with 204. A message for a peer
 * without a link waits while it is dialled; whatever is too many is dropped, the oldest first, as a
 * network would. Inside node/mesh only. */
#ifndef NODE_MESH_MAIL_H
#define NODE_MESH_MAIL_H

#include "node/mesh/mesh.h"

#define MAIL_TARGET "/mesh/v1/gossip"
#define MAIL_STREAMS_MAX 4 /* at a time, per link and direction */
#define MAIL_WAITING_MAX 8 /* per peer */
#define MAIL_BYTES_MAX (128 * 1024)

struct mailbox { /* of a peer */
    struct list waiting;
    size_t count;
    size_t bytes;
};

struct mail_in {
    struct mesh_stream stream;
    struct buf body;
    bool is_too_long;
};

struct mail_link {                            /* of a link */
    struct mesh_stream out[MAIL_STREAMS_MAX]; /* h2 is NULL: free */
    struct mail_in in[MAIL_STREAMS_MAX];      /* likewise */
};

void mail_link_init(struct mail_link *ml);
void mail_link_fini(struct mail_link *ml);
/* The peer begins to send a message. LIMIT: it sends as many as it may already; PROTOCOL. */
MUST_CHECK enum err mail_accept(struct link *l, const struct http_head *head, bool ended,
                                struct mesh_stream **ret_stream);
void mail_init(struct mailbox *box);
/* Sends it now or as soon as a link takes it. Copied. */
void mail_send(struct peer *p, struct bytes message);
/* There is a link, or room on it: sends what waits. */
void mail_flush(struct peer *p);
/* Nothing waits any more; counted. */
void mail_drop(struct peer *p);

#endif
