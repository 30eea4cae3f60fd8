/* A replica's side of the log: what it fetches (pull.c) and from whom (source.c), and what others
 * fetch from it and from voters (serve.c). Inside node/rules only. */
#ifndef NODE_RULES_PULL_H
#define NODE_RULES_PULL_H

#include "node/rules/ask.h"
#include "node/rules/checkpoint.h"
#include "raft/raft.h"

#define PULL_AVOIDED_MAX 16

struct rules_avoided {
    struct id id;
    uint64_t until_ms;
};

struct rules_pull {
    bool is_on;
    struct rules_ask ask;
    struct id source; /* who was chosen last; zero: nobody */
    /* since when somebody is known to have what the source does not give; 0: nobody is */
    uint64_t late_ms;
    size_t got;          /* bytes of its answer by then */
    struct id told;      /* who judged by newer rules than ours, ... */
    uint64_t told_epoch; /* ... by these */
    struct io_timer timer;
    struct rules_avoided avoided[PULL_AVOIDED_MAX];
    size_t avoided_next;
    /* records after the stored ones that no checkpoint covers yet */
    struct buf pending;
    uint64_t pending_count;
    struct raft_base tip;       /* after them */
    struct checkpoint expected; /* of the newest checkpoint: the state after its index */
    /* the store's writes while there is no core */
    uint64_t token, awaited; /* given last; waited for, 0: none */
    uint64_t stored_to;      /* what is stored when that one is durable */
    /* a snapshot on its way */
    bool has_snapshot;
    struct raft_snapshot snapshot;
    uint64_t offset;
    struct raft_base saved;             /* of the newest own snapshot */
    uint64_t ranges, bytes, lies, left; /* left: sources that gave nothing */
};

void pull_init(struct rules *r);
void pull_start(struct rules *r);
void pull_stop(struct rules *r);
void pull_look(struct rules *r);
void pull_again(struct rules *r, uint64_t delay_ms); /* looks then */
void pull_on_stored(struct rules *r, uint64_t token);
void pull_on_applied(struct rules *r);
void pull_on_installed(struct rules *r, enum err e);
/* A snapshot was made; the event that a core would be told. */
void pull_on_saved(struct rules *r, const struct raft_event *made);
/* Raft's messages come to us: this node is to be a member. */
void pull_on_called(struct rules *r, const struct raft_message *message);

/* --- source.c */

/* The best one but `but` (NULL: of all). NULL: nobody has what is wanted, or those who have are
 * avoided. */
struct peer *source_choose(const struct rules *r, const struct id *but);
void source_avoid(struct rules *r, const struct id *id, uint64_t for_ms);
/* The question was just put to it. */
void source_asked(struct rules *r, const struct peer *peer);
/* The peer said something new, perhaps that it is ahead. O(1). */
void source_hear(struct rules *r, const struct peer *peer);
/* While a question is open: true if the source is to be given up for another. */
bool source_is_late(struct rules *r);

/* --- serve.c */

#define RULES_PULLERS_MAX 16

struct rules_puller {
    struct rules_visit *visit;
    uint64_t from, until_ms;
};

struct rules_serve {
    struct rules_puller waiting[RULES_PULLERS_MAX]; /* for something new */
    size_t waiting_count;
    uint64_t refused;
    struct checkpoint_signed newest; /* a voter's; what a replica hands on */
    struct rules_visit *chunk_visit; /* a part of a snapshot is read for it */
    struct raft_snapshot chunk_snapshot;
    uint64_t chunk_offset;
};

MUST_CHECK enum err serve_accept(struct rules *r, struct rules_visit *visit, struct bytes query);
MUST_CHECK enum err serve_accept_snapshot(struct rules *r, struct rules_visit *visit);
void serve_on_applied(struct rules *r);
void serve_on_chunk(struct rules *r, struct bytes data);
void serve_look(struct rules *r);
/* There will be nothing new here for a while: whoever waits for it asks another. */
void serve_on_full(struct rules *r);
void serve_stop(struct rules *r);

#endif
