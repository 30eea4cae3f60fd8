/* What members say to each other. The core takes and gives the struct; the bytes (protobuf, wire.c)
 * are for links. Members authenticate each other below this: `from` is who the link says it is. */
#ifndef RAFT_MESSAGE_H
#define RAFT_MESSAGE_H

#include "raft/entry.h"

#define RAFT_CHUNK_MAX (1u << 20) /* of a snapshot, in one message */
#define RAFT_MESSAGE_MAX (RAFT_RECORD_MAX + (1u << 16))

/* The numbers are on the wire. */
enum raft_message_type {
    RAFT_PREVOTE = 1,   /* would you vote for me in `next_term`? index, log_term: my last entry */
    RAFT_PREVOTE_REPLY, /* ok; commit */
    RAFT_VOTE,          /* the same in earnest; is_forced: the leader itself hands over */
    RAFT_VOTE_REPLY,
    RAFT_APPEND,       /* records after (index, log_term); none: a heartbeat. commit, context */
    RAFT_APPEND_REPLY, /* ok: index matches, durably. Else index was refused; hint, hint_term */
    RAFT_OFFER,        /* what you lack is in no log: get a snapshot of >= index from `source` */
    RAFT_GET,          /* from `offset` on of the newest snapshot, or of (index, content) */
    RAFT_CHUNK,        /* of `snapshot`: data at offset; no snapshot: have none */
    RAFT_READ,         /* which index must be applied for a read begun now? context: the asker's */
    RAFT_READ_REPLY,   /* ok: index; context */
    RAFT_TIMEOUT_NOW,  /* campaign at once: the leader hands over */
    RAFT_FETCH,        /* records index to hint: mine are unreadable, or I hear no leader */
    RAFT_FETCHED,      /* records from index on; none: cannot. commit; a leader: hint, last + 1 */
    RAFT_LOST,         /* your disk is older than one that I have seen you with */
    RAFT_MESSAGE_TYPES,
};

struct raft_message {
    enum raft_message_type type;
    struct id from, to;
    uint64_t store, boot; /* of the sender */
    uint64_t known_boot;  /* newest start of the receiver, on known_store, that it heard of */
    uint64_t known_store;
    uint32_t draws[RAFT_STARTS_KEPT]; /* of start `boot`, the one before it ...; the first not 0 */
    uint32_t known_draw;              /* of known_boot; 0: not known */
    uint64_t term;                    /* the sender's */
    uint64_t next_term;               /* PREVOTE and its reply: the term in question */
    uint64_t index, log_term;         /* as the type says */
    uint64_t commit;
    uint64_t context;         /* echoed in the reply */
    uint64_t hint, hint_term; /* refusals: try here next, the last index of a term <= hint_term */
    uint64_t have;            /* replies: the newest snapshot of the sender; 0: none */
    uint64_t offset;
    bool ok, is_forced, is_full; /* is_full: refused for want of disk */
    struct bytes records;        /* count of them, one after another */
    uint64_t count;
    struct bytes data;
    uint8_t content[CRYPTO_HASH_SIZE];
    struct id source;
    const struct raft_snapshot *snapshot; /* NULL: none */
};

const char *raft_message_name(enum raft_message_type type); /* "append_reply" */
/* Appends the bytes of a message (without `from` and `to`, which are the link's). */
MUST_CHECK enum err raft_message_encode(const struct raft_message *m, struct buf *out);
/* `data` is borrowed by the result, *ret_snapshot is filled if there is one. INVALID: malformed,
 * not canonical, too long; UNSUPPORTED: a type of a later version. Records are not looked into. */
MUST_CHECK enum err raft_message_decode(struct bytes data, struct raft_message *ret_message,
                                        struct raft_snapshot *ret_snapshot);

#endif
