/* What the registry holds: kinds of rows and their C structs. A kind's struct is both the document
 * that a command puts and the row that readers get; schema.h says the same as data (types, limits,
 * which fields are the key), for whoever reads YAML, prints JSON or checks input.
 *
 * Texts and lists of texts are borrowed: in commands from the caller, in rows from the reader. */
#ifndef REGISTRY_TYPES_H
#define REGISTRY_TYPES_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/id.h"

#define REGISTRY_NAME_MAX 63             /* nodes, regions, zones, tenants: labels as in DNS */
#define REGISTRY_MODEL_MAX 128           /* models, versions, aliases, prices, policies, settings */
#define REGISTRY_TEXT_MAX 256            /* a line for people */
#define REGISTRY_DOCUMENT_MAX (64 << 10) /* a licence, a policy */
#define REGISTRY_VALUE_MAX 1024          /* of a setting */
#define REGISTRY_REGIONS_MAX 32          /* in one list */
#define REGISTRY_WORDS_MAX 8             /* formats, accelerators */
#define REGISTRY_ALLOWED_MAX 64          /* models of a tenant */
#define REGISTRY_TARGETS_MAX 16          /* of an alias */
#define REGISTRY_VOTERS_MAX 7            /* raft's */
#define REGISTRY_PER_TENANT_MAX 256      /* keys of a tenant; quotas */
#define REGISTRY_POLICY_VERSIONS_MAX 64  /* kept of each policy */
#define REGISTRY_SIGNERS_MAX 16          /* of a cosignature rule; signatures on one command */
#define REGISTRY_NUMBER_MAX ((1ull << 53) - 1) /* of any number: JSON stays exact */

/* The numbers are on the wire and in rows: never another meaning. Kinds up to SETTING and after it
 * are put by commands, POLICY_VERSION (history) by the registry itself. */
enum registry_kind {
    REGISTRY_NODE = 1,
    REGISTRY_ADMIN = 2,
    REGISTRY_INVITATION = 3,
    REGISTRY_MODEL = 4,
    REGISTRY_VERSION = 5,
    REGISTRY_ALIAS = 6,
    REGISTRY_TENANT = 7,
    REGISTRY_KEY = 8, /* an API key of a tenant */
    REGISTRY_QUOTA = 9,
    REGISTRY_PRICE = 10,
    REGISTRY_POLICY = 11,
    REGISTRY_POLICY_VERSION = 12,
    REGISTRY_SETTING = 13,
    REGISTRY_GOSSIP_KEY = 14,
    REGISTRY_VOTERS = 15,
    REGISTRY_COSIGN = 16,
    REGISTRY_KINDS, /* one more than the last */
};

enum registry_tier { /* as in certificates */
                     REGISTRY_TIER_ANY,
                     REGISTRY_TIER_EDGE,
                     REGISTRY_TIER_REGIONAL,
                     REGISTRY_TIER_CLOUD,
};
enum registry_role { /* a greater one may all that a lesser one may */
                     REGISTRY_ROLE_NONE,
                     REGISTRY_VIEWER,
                     REGISTRY_ENROLLER,
                     REGISTRY_REGISTRAR,
                     REGISTRY_OPERATOR,
};

/* States by kind; 0 is where a row begins. A revoked node, administrator or version stays so. */
enum registry_node_state { REGISTRY_ADMITTED, REGISTRY_DRAINED, REGISTRY_NODE_REVOKED };
enum registry_key_state { REGISTRY_ACTIVE, REGISTRY_REVOKED }; /* administrators, API keys */
enum registry_invitation_state { REGISTRY_OPEN, REGISTRY_CLOSED };
enum registry_tenant_state { REGISTRY_TENANT_ACTIVE, REGISTRY_SUSPENDED };
enum registry_stage {
    REGISTRY_STAGING,
    REGISTRY_PRODUCTION,
    REGISTRY_ARCHIVED,        /* kept, not routed to */
    REGISTRY_VERSION_REVOKED, /* not routed to, for good */
};

struct registry_accelerator {
    struct bytes kind; /* "cuda", "rocm", "metal": a label */
    uint64_t count, memory_bytes;
};

struct registry_node {
    struct id id; /* of its key */
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    struct bytes name; /* unique among the nodes that are not revoked */
    uint32_t tier;
    struct bytes region, zone;
    uint64_t not_after_ms; /* of its certificate */
    uint64_t memory_bytes; /* declared; 0: not known */
    struct registry_accelerator accelerators[REGISTRY_WORDS_MAX];
    size_t accelerator_count;
    uint32_t state;
    struct id invitation; /* by which it came; zero: by an administrator */
};
struct registry_admin {
    struct id id;
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    struct bytes name; /* unique among the active */
    uint32_t role;
    uint64_t not_after_ms; /* 0: never */
    uint32_t state;
};
struct registry_invitation {
    struct id id;
    uint8_t key[CRYPTO_PUBLIC_SIZE]; /* the one-time key */
    uint32_t tier;                   /* what it may admit: ANY, "": all */
    struct bytes region;
    uint64_t uses, used;
    uint64_t not_after_ms;      /* to join */
    uint64_t node_not_after_ms; /* bound of the certificates of its nodes */
    uint32_t state;
};

struct registry_model {
    struct bytes name, task, family;
    uint64_t parameters; /* weights; 0: not known */
    uint64_t context;    /* tokens; 0: not known */
    struct bytes licence;
};
struct registry_version {
    struct bytes model, name;
    uint8_t digest[32]; /* SHA-256 of the artifact */
    struct bytes formats[REGISTRY_WORDS_MAX];
    size_t format_count;
    struct bytes accelerators[REGISTRY_WORDS_MAX]; /* any of them; none: no accelerator needed */
    size_t accelerator_count;
    uint64_t memory_bytes;                      /* of one accelerator, or of the machine; 0: any */
    struct bytes regions[REGISTRY_REGIONS_MAX]; /* where it may live; none: anywhere */
    size_t region_count;
    uint32_t stage;
};
struct registry_target {
    struct bytes model, version;
    uint64_t weight; /* 1 to 1,000,000 */
};
struct registry_alias {
    struct bytes name; /* no model's */
    struct registry_target targets[REGISTRY_TARGETS_MAX];
    size_t target_count;
};

struct registry_tenant {
    struct bytes name, title;
    struct bytes regions[REGISTRY_REGIONS_MAX]; /* where its requests may run; none: anywhere */
    size_t region_count;
    struct bytes models[REGISTRY_ALLOWED_MAX]; /* models and aliases it may name; none: all */
    size_t model_count;
    uint32_t state;
};
struct registry_key {
    struct bytes tenant;
    struct id id;                   /* the first half of the hash */
    uint8_t hash[CRYPTO_HASH_SIZE]; /* registry_api_key_hash */
    struct bytes title;
    uint64_t not_after_ms; /* 0: never */
    uint64_t created_ms;
    uint32_t state;
};
struct registry_quota {         /* declared; 0: no bound */
    struct bytes tenant, model; /* model "": all together */
    uint64_t requests_per_minute, tokens_per_minute, tokens_per_day, concurrent;
    uint64_t micro_usd_per_request, micro_usd_per_day;
};

struct registry_price { /* micro-USD; the sheet that names most of node, model, region, tier wins */
    struct bytes name;
    struct bytes node, model, region; /* "": any */
    uint32_t tier;
    uint64_t per_1k_input_tokens, per_1k_output_tokens, per_request, per_gib_egress;
};
struct registry_policy { /* also POLICY_VERSION, whose key is name and version */
    struct bytes name;
    uint64_t version; /* 1, 2, … of this name */
    struct bytes document;
};
struct registry_setting {
    struct bytes key, value;
};
struct registry_gossip_key { /* the newest two are kept */
    uint64_t number;         /* 1, 2, … */
    uint8_t key[CRYPTO_AEAD_KEY_SIZE];
};

struct registry_member {
    struct id id;
};
struct registry_voters { /* one row */
    uint64_t automatic;  /* 1, 3, 5, 7: so many, chosen by rule; 0: the list */
    struct registry_member nodes[REGISTRY_VOTERS_MAX];
    size_t node_count;
};

struct registry_cosign { /* operations by word ("voters.put"), see access.c; "residency": any that
                             * changes the regions of a version or tenant */
    struct bytes operation;
    uint64_t count; /* so many of the signers, the author among them */
    struct registry_member signers[REGISTRY_SIGNERS_MAX]; /* administrators */
    size_t signer_count;
};

#endif
