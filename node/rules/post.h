/* Raft's messages over links. Inside node/rules only. */
#ifndef NODE_RULES_POST_H
#define NODE_RULES_POST_H

#include "node/rules/ask.h"
#include "raft/raft.h"

struct rules_post {
    struct list waiting; /* messages that wait for the disk */
    size_t waiting_bytes;
    struct list lanes; /* by peer: what goes at the end of this turn */
    struct io_task flush;
    struct list asks;
    struct id unreachable[RAFT_MEMBERS_MAX];
    size_t unreachable_count;
    struct io_task tell;
};

void post_init(struct rules *r);
void post_send(struct rules *r, const struct raft_send *send);
void post_durable(struct rules *r); /* up to durable_token */
MUST_CHECK enum err post_accept(struct rules *r, struct rules_visit *visit);
void post_stop(struct rules *r);

#endif
