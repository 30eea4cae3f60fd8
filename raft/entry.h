/* What the log is made of: records, who the members are, what a snapshot is called. A record is one
 * sequence of bytes in the log, on the wire and for replicas that pull:
 *
 *   crc32c u32 | payload size u32 | version u8 | kind u8 | zero u16 | term u64 | index u64
 *   | hash of the record before, 32 | payload            (big-endian; 60 bytes before the payload)
 *
 * The checksum covers all that follows it; the hash of a record is BLAKE2b-256 of all its bytes,
 * before index 1 it is zero. Records stand one after another without anything between.
 *
 * Not here: what a COMMAND says (the registry's), where records are kept (store.h). */
#ifndef RAFT_ENTRY_H
#define RAFT_ENTRY_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/id.h"

#define RAFT_VOTERS_MAX 7   /* of one configuration; more cost latency and buy no safety */
#define RAFT_MEMBERS_MAX 16 /* rows of a configuration: voters old and new, and learners */
#define RAFT_RECORD_HEAD 60
#define RAFT_PAYLOAD_MAX (1u << 20)
#define RAFT_RECORD_MAX (RAFT_RECORD_HEAD + RAFT_PAYLOAD_MAX)
#define RAFT_ENTRY_VERSION 1
#define RAFT_CONFIG_SIZE_MAX (2 + RAFT_MEMBERS_MAX * 33)

enum raft_kind {
    RAFT_NOOP = 1,    /* begins a term; empty */
    RAFT_CONFIG = 2,  /* payload: raft_config_encode */
    RAFT_COMMAND = 3, /* payload: the state machine's */
};

struct raft_entry {
    enum raft_kind kind;
    uint64_t term, index;
    uint8_t prev[CRYPTO_HASH_SIZE];
    struct bytes payload; /* inside the record */
    struct bytes record;  /* all of it */
};

/* Appends the record of these fields (`record` is not read). LIMIT: the payload is too long. */
MUST_CHECK enum err raft_entry_append(struct buf *out, const struct raft_entry *entry);
/* Reads the record at the head of *rest and moves *rest behind it. INVALID: cut short or malformed;
 * CORRUPT: the checksum; UNSUPPORTED: a version or kind that this program does not know: whoever
 * reads on would diverge. */
MUST_CHECK enum err raft_entry_read(struct bytes *rest, struct raft_entry *ret_entry);
void raft_entry_hash(struct bytes record, uint8_t ret_hash[CRYPTO_HASH_SIZE]);
/* CRC32C (Castagnoli); `seed` is 0, or the result for what is before. */
uint32_t raft_crc32c(uint32_t seed, struct bytes data);

/* --- members */

/* A voter is a node *and its disk*: `store` is drawn when a disk is first used. So a node that lost
 * its disk, or came back with an old one, is another member than the voter of its name, whose vote
 * is gone until a configuration names the new store. */
struct raft_member {
    struct id id;
    uint64_t store; /* of learners: 0, any */
    uint64_t boot;  /* votes and acknowledgements of earlier starts of this store do not count */
    bool is_voter;  /* in the configuration that is being entered, or the only one */
    bool was_voter; /* in the one that is being left: joint, majorities of both are needed */
};

/* Starts of a node on a disk are counted, and a number is drawn at each: two lives of a disk that
 * was copied may count alike, but draw differently. So many are kept, with the one that runs. */
#define RAFT_STARTS_KEPT 16

struct raft_config {
    size_t count; /* rows strictly rising by (id, store); an id is twice there as it changes */
    struct raft_member members[RAFT_MEMBERS_MAX];
};

bool raft_config_is_joint(const struct raft_config *config); /* any row was_voter */
/* The payload of a CONFIG entry. INVALID: no voter, too many, out of order, a store of 0. */
MUST_CHECK enum err raft_config_encode(const struct raft_config *config, struct buf *out);
MUST_CHECK enum err raft_config_decode(struct bytes payload, struct raft_config *ret_config);

/* A place in the log and all that must be known about what is before it. */
struct raft_base {
    uint64_t index, term;
    uint8_t hash[CRYPTO_HASH_SIZE]; /* of the record at index */
    struct raft_config config;      /* in force at index */
    uint64_t config_index;          /* of its entry; 0: none yet */
};

struct raft_snapshot {
    struct raft_base base;
    uint64_t size;                     /* bytes of the dump */
    uint8_t content[CRYPTO_HASH_SIZE]; /* BLAKE2b-256 of them */
};

#endif
