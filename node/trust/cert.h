/* Certificates: who may be a node, an administrator, an inviter. One chain, each link signed by
 * the one before:
 *
 *   mesh root ──> admin (──> admin) ──> invitation (a one-time key, inside the token) ──> node
 *
 * A certificate is a protobuf record (deterministic bytes: fields in order, no unknown fields)
 * and an Ed25519 signature over "grapevine certificate 1\0" + record by the issuer's key. The
 * mesh's id is the id of its root key. Scope can only narrow along a chain: tier, region and
 * validity of a node lie within its invitation's, the invitation's within its admin's; a node's
 * validity begins before its invitation's join_until_ms. A chain may end at any kind: who needs
 * a node asks cert_leaf(chain)->kind. Pure: time and keys come from the caller; no files here.
 *
 * Whether an administrator, an invitation or a node was revoked, and how often an invitation was
 * used, is the registry's to say. */
#ifndef NODE_TRUST_CERT_H
#define NODE_TRUST_CERT_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/id.h"

/* Node, region, zone names: DNS-label-like, [a-z0-9]([a-z0-9-]*[a-z0-9])? */
#define CERT_NAME_MAX 63
#define CERT_CHAIN_MAX 4             /* admin, one more admin at most, invitation, node */
#define CERT_CHAIN_SIZE_MAX 4096     /* encoded */
#define CERT_SKEW_MS (5 * 60 * 1000) /* tolerated before not_before and after not_after */
#define CERT_RECORD_MAX 512          /* one encoded certificate without its signature */
/* Later times are malformed: sums never wrap, JSON stays exact. */
#define CERT_TIME_MS_MAX ((1ull << 52) - 1)

enum tier { TIER_ANY, TIER_EDGE, TIER_REGIONAL, TIER_CLOUD };
const char *tier_name(enum tier t); /* "any" "edge" "regional" "cloud" */
MUST_CHECK enum err tier_parse(struct bytes text, enum tier *ret_tier);
bool cert_name_is_valid(struct bytes name);

enum cert_kind { CERT_ADMIN = 1, CERT_INVITATION = 2, CERT_NODE = 3 };

struct cert {
    enum cert_kind kind;
    struct id mesh;
    uint8_t subject[CRYPTO_PUBLIC_SIZE]; /* Ed25519 key this certificate is about */
    uint8_t issuer[CRYPTO_PUBLIC_SIZE];  /* key that signed it */
    char name[CERT_NAME_MAX + 1];        /* node or admin name; "" for invitations */
    enum tier tier;                      /* invitation, admin: TIER_ANY allows all; node: its own */
    char region[CERT_NAME_MAX + 1];      /* likewise, "" allows all */
    uint64_t not_before_ms;              /* wall clock, since 1970 */
    uint64_t not_after_ms;
    /* Invitations: how long nodes may join with it; 0: until not_after_ms, which bounds the life
     * of the nodes' certificates. Others: 0. */
    uint64_t join_until_ms;
    uint32_t uses;    /* invitations: how many nodes may join with it, >= 1; others 0 */
    struct id serial; /* random; revocation will name it */
};

struct cert_chain {
    struct cert certs[CERT_CHAIN_MAX]; /* admin first, leaf last */
    size_t count;
    uint8_t root[CRYPTO_PUBLIC_SIZE];
};

/* Appends the signed form of one certificate to `chain` (an encoded chain: what it is appended
 * to, may be empty). INVALID: names or times out of shape, or the secret is not that of
 * cert->issuer. LIMIT. */
MUST_CHECK enum err cert_issue(const struct cert *cert,
                               const uint8_t issuer_secret[CRYPTO_SECRET_SIZE], struct buf *chain);
/* Decodes an encoded chain (root key not included; it starts below the root): INVALID for
 * anything but canonical bytes. Checks no signature. */
MUST_CHECK enum err cert_chain_decode(struct bytes encoded, struct cert_chain *ret_chain);
/* Verifies a decoded chain's bytes against the root: every signature, kinds in order, scopes
 * narrowing, all valid at now_ms. Errors: BAD_SIGNATURE (also: signed by another key than the
 * one above), WRONG_MESH, CERT_EXPIRED, CERT_SCOPE (also: kinds out of order), INVALID. On
 * success *ret_chain is the decoded chain. */
MUST_CHECK enum err cert_chain_verify(struct bytes encoded, const uint8_t root[CRYPTO_PUBLIC_SIZE],
                                      uint64_t now_ms, struct cert_chain *ret_chain);
static inline const struct cert *cert_leaf(const struct cert_chain *c)
{
    return &c->certs[c->count - 1];
}

/* --- a node's identity in memory: what `join` made and `run` uses */
struct identity {
    uint8_t root[CRYPTO_PUBLIC_SIZE];
    struct id mesh;
    struct id node; /* id of the node's public key */
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[CRYPTO_SECRET_SIZE];
    uint8_t chain[CERT_CHAIN_SIZE_MAX];
    size_t chain_size;
    struct cert cert; /* the leaf */
};
/* Builds one from key seed, root and encoded chain; verifies that they belong together and are
 * valid now: the errors of cert_chain_verify, CERT_SCOPE when the leaf is no node's, INVALID
 * when it is about another key. */
MUST_CHECK enum err identity_init(struct identity *ret_identity,
                                  const uint8_t seed[CRYPTO_SEED_SIZE],
                                  const uint8_t root[CRYPTO_PUBLIC_SIZE], struct bytes chain,
                                  uint64_t now_ms);
void identity_wipe(struct identity *identity);

#endif
