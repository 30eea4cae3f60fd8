/* Commands: what administrators (the mesh root, an invitation's key) sign and the log carries. Pure
 * functions for clients, leaders and whoever prints a log; wire.proto is the form.
 *
 * A command is a list of operations that take effect together or not at all. Signed is "grapevine
 * command 1\0" + record; a cosignature is over "grapevine cosignature 1\0" + record. */
#ifndef REGISTRY_COMMAND_H
#define REGISTRY_COMMAND_H

#include "registry/schema.h"

#include "base/arena.h"

#define REGISTRY_OPS_MAX 1000           /* in one command */
#define REGISTRY_COMMAND_MAX (1 << 20)  /* encoded, with signatures */
#define REGISTRY_COMMANDS_MAX 256       /* in one proposal */
#define REGISTRY_PROPOSAL_MAX (2 << 20) /* encoded */
#define REGISTRY_ARENA_MAX (16 << 20)   /* what any of these needs when decoded */

enum registry_verb {
    REGISTRY_PUT = 1,    /* makes the row or replaces it */
    REGISTRY_MOVE = 2,   /* sets its state: drain, revoke, promote; the document has the key only */
    REGISTRY_REMOVE = 3, /* the document has the key only */
};

union registry_document { /* by kind */
    struct registry_node node;
    struct registry_admin admin;
    struct registry_invitation invitation;
    struct registry_model model;
    struct registry_version version;
    struct registry_alias alias;
    struct registry_tenant tenant;
    struct registry_key key;
    struct registry_quota quota;
    struct registry_price price;
    struct registry_policy policy;
    struct registry_setting setting;
    struct registry_gossip_key gossip_key;
    struct registry_voters voters;
    struct registry_cosign cosign;
};

struct registry_op {
    enum registry_verb verb;
    enum registry_kind kind;
    bool has_if_rev; /* only if the row's rev is if_rev; an absent row's is 0 */
    uint64_t if_rev;
    uint32_t state; /* MOVE */
    union registry_document doc;
};

struct registry_command {
    struct id mesh;
    uint8_t author[CRYPTO_PUBLIC_SIZE]; /* key */
    uint64_t sequence;                  /* 1 or more, above the author's last; invitations: 0 */
    uint64_t not_after_ms;              /* wall clock */
    const struct registry_op *ops;
    size_t op_count;
};

struct registry_cosignature {
    uint8_t key[CRYPTO_PUBLIC_SIZE], signature[CRYPTO_SIGNATURE_SIZE];
};
struct registry_signed {
    struct bytes record; /* what is signed: a Command */
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    struct registry_cosignature cosignatures[REGISTRY_SIGNERS_MAX];
    size_t cosignature_count;
    struct registry_command command; /* the record decoded */
};

/* Checks the form of every operation as apply will (INVALID; *ret_field names what is wrong, such
 * as "ops[3].version.regions[0]"; `what` says it in English), signs, appends the signed command.
 * LIMIT, NO_MEMORY. The author is `secret`'s public key, whatever the command says. */
struct registry_fault {
    char field[96];
    char what[160]; /* what is wrong, and what to do */
};
MUST_CHECK enum err registry_command_sign(const struct registry_command *command,
                                          const uint8_t secret[CRYPTO_SECRET_SIZE],
                                          struct registry_fault *ret_fault, struct buf *out);
/* Appends `wire`, a signed command, with one more signature. INVALID, LIMIT; EXISTS: signed it. */
MUST_CHECK enum err registry_command_cosign(struct bytes wire,
                                            const uint8_t secret[CRYPTO_SECRET_SIZE],
                                            struct buf *out);
/* Everything points into `wire` and the arena (REGISTRY_ARENA_MAX). Verifies nothing. INVALID: not
 * the canonical form of any command; UNSUPPORTED: has parts that this version does not know. */
MUST_CHECK enum err registry_command_decode(struct bytes wire, struct arena *arena,
                                            struct registry_signed *ret_signed);
/* BAD_SIGNATURE, also when a cosignature's fails. Some 48 us each. */
MUST_CHECK enum err registry_command_verify(const struct registry_signed *s);

/* What the log's COMMAND entries carry: the leader's clock and signed commands. */
MUST_CHECK enum err registry_proposal_encode(uint64_t time_ms, const struct bytes *commands,
                                             size_t count, struct buf *out);
struct registry_proposal {
    uint64_t time_ms;
    const struct bytes *commands; /* in the arena */
    size_t count;
};
/* INVALID, UNSUPPORTED. */
MUST_CHECK enum err registry_proposal_decode(struct bytes payload, struct arena *arena,
                                             struct registry_proposal *ret_proposal);

/* "version.put", "node.drain", "admin.revoke": the word for cosignature rules and for printing. */
const char *registry_op_word(const struct registry_op *op);
/* Which role may do it: NONE where only the registry itself does (then no author may). */
enum registry_role registry_op_role(const struct registry_op *op);

/* API keys: "gvk_" + base64url of 32 random bytes (47 characters and a NUL), and what is stored. */
#define REGISTRY_API_KEY_SIZE 48
void registry_api_key_text(const uint8_t random[32], char ret_text[REGISTRY_API_KEY_SIZE]);
void registry_api_key_hash(struct bytes text, uint8_t ret_hash[CRYPTO_HASH_SIZE]);

#endif
