/* Keys for whoever speaks to a registry, made from numbers so that every run is the same, and
 * short ways to write operations. */
#ifndef TESTS_REGISTRY_OPS_H
#define TESTS_REGISTRY_OPS_H

#include "registry/registry.h"

#define NOW_MS 1800000000000ull
#define HOUR_MS 3600000ull
#define NO_BYTES ((struct bytes){0})
#define TEXT(str) bytes_from_str(str)
#define ID_BYTES(id) bytes_of((id).bytes, ID_SIZE)

struct person {
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct id id;
    uint64_t sequence; /* of the last command */
};

enum { ROOT, ALICE, BOB, CAROL, DAVE, ERIN, PEOPLE };

static inline void person_init(struct person *p, uint8_t number)
{
    uint8_t seed[CRYPTO_SEED_SIZE] = {number, 7};
    crypto_sign_keypair_from_seed(seed, p->key, p->secret);
    p->id = id_of_public_key(p->key);
    p->sequence = 0;
}

static inline struct registry_op op_admin(const struct person *p, const char *name,
                                          enum registry_role role)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN};
    op.doc.admin = (struct registry_admin){.id = p->id, .name = TEXT(name), .role = role};
    memcpy(op.doc.admin.key, p->key, CRYPTO_PUBLIC_SIZE);
    return op;
}

static inline struct registry_op op_node(const struct person *p, const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_NODE};
    op.doc.node = (struct registry_node){.id = p->id,
                                         .name = TEXT(name),
                                         .tier = REGISTRY_TIER_EDGE,
                                         .region = TEXT("eu-west"),
                                         .not_after_ms = NOW_MS + 1000 * HOUR_MS};
    memcpy(op.doc.node.key, p->key, CRYPTO_PUBLIC_SIZE);
    return op;
}

static inline struct registry_op op_invitation(const struct person *p, uint64_t uses)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_INVITATION};
    op.doc.invitation = (struct registry_invitation){.id = p->id,
                                                     .uses = uses,
                                                     .not_after_ms = NOW_MS + 24 * HOUR_MS,
                                                     .node_not_after_ms = NOW_MS + 2000 * HOUR_MS};
    memcpy(op.doc.invitation.key, p->key, CRYPTO_PUBLIC_SIZE);
    return op;
}

static inline struct registry_op op_model(const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_MODEL};
    op.doc.model = (struct registry_model){.name = TEXT(name), .task = TEXT("chat")};
    return op;
}

static inline struct registry_op op_version(const char *model, const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VERSION};
    op.doc.version = (struct registry_version){
        .model = TEXT(model), .name = TEXT(name), .stage = REGISTRY_PRODUCTION};
    return op;
}

/* One target, or two of one model. */
static inline struct registry_op op_alias(const char *name, const char *model, const char *first,
                                          uint64_t weight, const char *second,
                                          uint64_t second_weight)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_ALIAS};
    op.doc.alias = (struct registry_alias){.name = TEXT(name), .target_count = second ? 2 : 1};
    op.doc.alias.targets[0] = (struct registry_target){TEXT(model), TEXT(first), weight};
    if (second)
        op.doc.alias.targets[1] =
            (struct registry_target){TEXT(model), TEXT(second), second_weight};
    return op;
}

static inline struct registry_op op_tenant(const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_TENANT};
    op.doc.tenant = (struct registry_tenant){.name = TEXT(name)};
    return op;
}

static inline struct registry_op op_key(const char *tenant, const char *text)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_KEY};
    op.doc.key = (struct registry_key){.tenant = TEXT(tenant)};
    registry_api_key_hash(TEXT(text), op.doc.key.hash);
    memcpy(op.doc.key.id.bytes, op.doc.key.hash, ID_SIZE);
    return op;
}

static inline struct registry_op op_setting(const char *key, const char *value)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    op.doc.setting = (struct registry_setting){TEXT(key), TEXT(value)};
    return op;
}

static inline struct registry_op op_policy(const char *name, const char *document)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_POLICY};
    op.doc.policy = (struct registry_policy){.name = TEXT(name), .document = TEXT(document)};
    return op;
}

static inline struct registry_op op_voters(uint64_t automatic, const struct id *ids, size_t count)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    op.doc.voters = (struct registry_voters){.automatic = automatic, .node_count = count};
    for (size_t i = 0; i < count; i++)
        op.doc.voters.nodes[i].id = ids[i];
    return op;
}

static inline struct registry_op op_cosign(const char *operation, uint64_t count,
                                           const struct id *ids, size_t signers)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_COSIGN};
    op.doc.cosign = (struct registry_cosign){
        .operation = TEXT(operation), .count = count, .signer_count = signers};
    for (size_t i = 0; i < signers; i++)
        op.doc.cosign.signers[i].id = ids[i];
    return op;
}

static inline struct registry_op op_gossip_key(uint64_t number)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_GOSSIP_KEY};
    op.doc.gossip_key = (struct registry_gossip_key){.number = number, .key = {(uint8_t)number, 1}};
    return op;
}

/* The same row removed or moved: only what names it stays. */
static inline struct registry_op op_verb(struct registry_op put, enum registry_verb verb,
                                         uint32_t state)
{
    const struct registry_group *group = &registry_schema(put.kind)->group;
    struct registry_op op = {.verb = verb, .kind = put.kind, .state = state};
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        size_t size = f->type <= REGISTRY_TYPE_DOCUMENT ? sizeof(struct bytes)
                      : f->type == REGISTRY_TYPE_ID     ? ID_SIZE
                                                        : sizeof(uint64_t);
        if (f->flags & REGISTRY_IN_KEY)
            memcpy((uint8_t *)&op.doc + f->offset, (const uint8_t *)&put.doc + f->offset, size);
    }
    return op;
}

static inline struct registry_op op_remove(struct registry_op put)
{
    return op_verb(put, REGISTRY_REMOVE, 0);
}

static inline struct registry_op op_move(struct registry_op put, uint32_t state)
{
    return op_verb(put, REGISTRY_MOVE, state);
}

#endif
