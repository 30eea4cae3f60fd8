/* What nodes say to each other, as bytes: a message is a run of parts, a part a run of msgpack
 * scalars (unsigned integers and bins, in their shortest form; no arrays, maps or strings), its
 * type first. The same message goes into a datagram (sealed, gossip/seal.h) or over a link. The
 * only door to msgpack. Inside gossip/ only. Nothing here allocates.
 *
 *   PING        1 cookie                                   ACK   2 cookie coordinate
 *   PING_REQ    3 cookie ref                               NACK  4 cookie
 *   RECORD      5 ref hop age_ms signed signature
 *   ACCUSATION  6 ref(subject) incarnation ref(accuser) signature
 *   DIGEST      7 exponent count { index hash }
 *   VERSIONS    8 count { ref flags incarnation kinds { incarnation - own, version } }
 *   WANT        9 count { ref kinds }
 *
 * A ref is the first GOSSIP_REF_SIZE bytes of a node's id, as many as keep anybody from finding a
 * key whose id begins like a member's (2^80 tries, 2^68 where any of 4,096 will do): two members of
 * one ref are to all others as if neither were known. `kinds` is a bit set of enum
 * gossip_kind; VERSIONS has two numbers for each of its bits, lowest first. What a record's owner
 * signs: "grapevine gossip 1\0", the mesh's id, the owner's id, then `signed`:
 * kind, incarnation, version, issued_s, payload. What an accuser signs: "grapevine accusation 1\0",
 * the mesh's id, the subject's id, its incarnation (u64, big-endian), the accuser's id. */
#ifndef GOSSIP_WIRE_H
#define GOSSIP_WIRE_H

#include "base/buf.h"
#include "gossip/coordinate.h"
#include "gossip/gossip.h"

#define GOSSIP_REF_SIZE 10
#define GOSSIP_HOP_MAX 2
#define GOSSIP_DIGEST_MAX 256  /* buckets in one DIGEST */
#define GOSSIP_ENTRIES_MAX 512 /* entries in one VERSIONS or WANT */
#define GOSSIP_SIGNED_MAX (GOSSIP_PAYLOAD_MAX + 64)
#define GOSSIP_TO_SIGN_HEAD 80 /* the most that stands before what is signed */

enum gossip_part_type {
    GOSSIP_PART_PING = 1,
    GOSSIP_PART_ACK,
    GOSSIP_PART_PING_REQ,
    GOSSIP_PART_NACK,
    GOSSIP_PART_RECORD,
    GOSSIP_PART_ACCUSATION,
    GOSSIP_PART_DIGEST,
    GOSSIP_PART_VERSIONS,
    GOSSIP_PART_WANT,
};

struct gossip_ref {
    uint8_t bytes[GOSSIP_REF_SIZE];
};

struct gossip_signed { /* what `signed` says */
    enum gossip_kind kind;
    uint64_t incarnation;
    uint64_t version;
    uint64_t issued_s; /* wall clock of its owner */
    struct bytes payload;
};

struct gossip_wire_version {
    uint64_t incarnation;
    uint64_t version;
};

#define GOSSIP_ENTRY_DOWN 1u /* flag: the sender holds it for down or left */

struct gossip_entry { /* of VERSIONS; of WANT: ref and kinds */
    struct gossip_ref ref;
    uint32_t flags;
    uint32_t kinds;
    uint64_t incarnation;
    struct gossip_wire_version versions[GOSSIP_KINDS]; /* of the kinds set */
};

/* A part as it was read. Borrows from the message. Lists are read with gossip_wire_bucket and
 * gossip_wire_entry, before the next part. */
struct gossip_part {
    enum gossip_part_type type;
    uint64_t cookie; /* PING ACK PING_REQ NACK */
    struct gossip_coordinate coordinate;
    struct gossip_ref ref; /* PING_REQ: whom; RECORD: owner; ACCUSATION: subject */
    struct gossip_ref accuser;
    uint32_t hop;    /* RECORD: 2: from another region; 1: to a relay; 0: not to be handed on */
    uint64_t age_ms; /* RECORD: since it was signed, as far as the sender knows */
    uint64_t incarnation;
    struct bytes signed_bytes;
    struct gossip_signed record; /* what they say */
    const uint8_t *signature;    /* CRYPTO_SIGNATURE_SIZE bytes */
    uint32_t exponent;           /* DIGEST: of 2^exponent buckets, at most 8 */
    uint32_t count;              /* items that are left to be read */
};

/* Takes the next part off the front of *message. INVALID: nothing of the rest can be used. An
 * unknown type is INVALID too: parts have no length of their own. */
MUST_CHECK enum err gossip_wire_next(struct bytes *message, struct gossip_part *ret_part);
/* The next item of a list; part->count > 0. INVALID: kinds beyond GOSSIP_KINDS, unknown flags, an
 * index outside 2^exponent, a number that wraps. */
MUST_CHECK enum err gossip_wire_bucket(struct bytes *message, struct gossip_part *part,
                                       uint32_t *ret_index, uint64_t *ret_hash);
MUST_CHECK enum err gossip_wire_entry(struct bytes *message, struct gossip_part *part,
                                      struct gossip_entry *ret_entry);

/* Each appends one part, or nothing: LIMIT, NO_MEMORY. A list's head is followed by exactly `count`
 * items. What gossip_wire_next would refuse (a count, kind, flag, hop or index out of range, an
 * entry below a version's incarnation, an invalid coordinate) is a programmer error. */
MUST_CHECK enum err gossip_wire_put_probe(struct buf *b, enum gossip_part_type type,
                                          uint64_t cookie); /* PING, NACK */
MUST_CHECK enum err gossip_wire_put_ack(struct buf *b, uint64_t cookie,
                                        const struct gossip_coordinate *c);
MUST_CHECK enum err gossip_wire_put_ping_req(struct buf *b, uint64_t cookie, struct gossip_ref ref);
MUST_CHECK enum err gossip_wire_put_record(struct buf *b, struct gossip_ref owner, uint32_t hop,
                                           uint64_t age_ms, struct bytes signed_bytes,
                                           const uint8_t *signature);
MUST_CHECK enum err gossip_wire_put_accusation(struct buf *b, struct gossip_ref subject,
                                               uint64_t incarnation, struct gossip_ref accuser,
                                               const uint8_t *signature);
MUST_CHECK enum err gossip_wire_put_digest(struct buf *b, uint32_t exponent, uint32_t count);
MUST_CHECK enum err gossip_wire_put_bucket(struct buf *b, uint32_t index, uint64_t hash);
MUST_CHECK enum err gossip_wire_put_versions(struct buf *b, uint32_t count);
MUST_CHECK enum err gossip_wire_put_entry(struct buf *b, const struct gossip_entry *e);
MUST_CHECK enum err gossip_wire_put_want(struct buf *b, uint32_t count);
MUST_CHECK enum err gossip_wire_put_wanted(struct buf *b, struct gossip_ref ref, uint32_t kinds);
#define GOSSIP_REF_WIRE_SIZE (2 + GOSSIP_REF_SIZE)
/* The most bytes that an entry, a wanted item or a bucket takes. */
#define GOSSIP_ENTRY_SIZE_MAX (GOSSIP_REF_WIRE_SIZE + 1 + 9 + 1 + GOSSIP_KINDS * 18)
#define GOSSIP_WANTED_SIZE_MAX (GOSSIP_REF_WIRE_SIZE + 1)
#define GOSSIP_BUCKET_SIZE_MAX 12
#define GOSSIP_LIST_HEAD_MAX 8
#define GOSSIP_ACCUSATION_SIZE_MAX (1 + 2 * GOSSIP_REF_WIRE_SIZE + 9 + 66)
/* Beside `signed` itself. */
#define GOSSIP_RECORD_OVERHEAD (1 + GOSSIP_REF_WIRE_SIZE + 1 + 9 + 5 + 66)

/* A record's signed bytes. LIMIT: the payload is too long. */
MUST_CHECK enum err gossip_wire_put_signed(struct buf *b, const struct gossip_signed *s);
/* Canonical or INVALID. Also called by gossip_wire_next. */
MUST_CHECK enum err gossip_wire_read_signed(struct bytes signed_bytes,
                                            struct gossip_signed *ret_signed);

#endif
