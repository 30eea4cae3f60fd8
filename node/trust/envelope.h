/* The signed envelope of one forward: what the sender asks the receiver to do, for whom, until
 * when. Each hop makes its own, addressed to the next node. The receiver refuses what is
 * altered, replayed, meant for another node, late, from a clock too far away, or has come too
 * far.
 *
 * Replays: each sender numbers its envelopes per receiver within its boot (boot = wall ms at
 * start, rising); the receiver keeps a sliding window of ENVELOPE_WINDOW numbers per sender (RFC
 * 4303 section 3.4.3). */
#ifndef NODE_TRUST_ENVELOPE_H
#define NODE_TRUST_ENVELOPE_H

#include "node/trust/batch.h"
#include "node/trust/cert.h"

#define ENVELOPE_HOPS_MAX 3
#define ENVELOPE_WINDOW 1024
#define ENVELOPE_SKEW_MS (5 * 60 * 1000)
#define ENVELOPE_RECORD_MAX 1024 /* encoded record */
#define ENVELOPE_WIRE_MAX 2048   /* record and proof */
#define REQUEST_ID_MAX 128

struct envelope {
    char request_id[REQUEST_ID_MAX + 1];
    struct id mesh;
    struct id origin;   /* ingress node */
    struct id sender;   /* who signs */
    struct id receiver; /* who is asked */
    uint64_t boot_ms;
    uint64_t sequence;
    uint64_t issued_ms;   /* sender's wall clock */
    uint64_t deadline_ms; /* what remains, in ms, when issued */
    uint32_t hop;         /* 1 for the first forward; never 0 */
    uint64_t epoch;
    /* Names of the nodes passed, ingress first; envelope_path_count of them. */
    char path[ENVELOPE_HOPS_MAX][CERT_NAME_MAX + 1];
    struct bytes target;            /* request target; borrowed */
    struct bytes model;             /* as it stands in the body; borrowed */
    struct bytes version;           /* of it; empty: any that may serve; borrowed */
    struct bytes tenant;            /* may be empty; borrowed */
    struct bytes asked_model;       /* as the client named it; empty: the same; borrowed */
    char region[CERT_NAME_MAX + 1]; /* of the origin */
    uint64_t cost_left; /* micro-USD for this attempt and all after it, plus one; 0: no bound */
    uint8_t body_hash[CRYPTO_HASH_SIZE]; /* SHA-256 of the whole request body */
};

/* `hop` of them, but at most ENVELOPE_HOPS_MAX (an envelope that came too far is refused by
 * envelope_check). */
static inline uint32_t envelope_path_count(const struct envelope *e)
{
    return e->hop < ENVELOPE_HOPS_MAX ? e->hop : ENVELOPE_HOPS_MAX;
}

/* The record that is signed (deterministic protobuf). Appends. LIMIT beyond ENVELOPE_RECORD_MAX;
 * INVALID: a request id that is not 1 to 128 visible characters, a bad name in the path, control
 * characters in target, model or tenant, no target, hop or sequence 0. */
MUST_CHECK enum err envelope_encode(const struct envelope *e, struct buf *record);
/* Wire form: record and proof together. Appends. */
MUST_CHECK enum err envelope_seal(struct bytes record, const struct batch_proof *proof,
                                  struct buf *wire);
/* Decodes wire bytes and verifies the signature of `signer` (the link's peer). Borrowed fields
 * point into `wire`. INVALID, BAD_SIGNATURE. */
MUST_CHECK enum err envelope_open(struct bytes wire, const uint8_t signer[CRYPTO_PUBLIC_SIZE],
                                  struct batch_cache *cache, struct envelope *ret_envelope);

struct envelope_window {
    uint64_t boot_ms;
    uint64_t highest; /* 0: nothing seen */
    uint64_t bits[ENVELOPE_WINDOW / 64];
};
void envelope_window_init(struct envelope_window *w);
/* Marks as seen. REPLAYED: seen, or too old to tell, or from an older boot. */
MUST_CHECK enum err envelope_window_accept(struct envelope_window *w, uint64_t boot_ms,
                                           uint64_t sequence);

struct envelope_expect {
    struct id mesh;
    struct id self;
    struct id peer; /* who must have sent it */
    uint64_t wall_ms;
};
/* Everything but the signature and the body: WRONG_MESH, WRONG_AUDIENCE, BAD_SIGNATURE (it
 * claims another sender than the peer), CLOCK_SKEW, HOP_LIMIT, DEADLINE (none left), then the
 * window (REPLAYED): only what passes is marked. */
MUST_CHECK enum err envelope_check(const struct envelope *e, const struct envelope_expect *expect,
                                   struct envelope_window *window);

#endif
