/* The tables of schema.h: every kind's fields in the order of wire.proto and of the rows. A field
 * is only ever added, at the end, under a new feature level. Used by row.c, form.c, wire.c, json.c
 * and by the node where it reads documents. */
#include "registry/schema.h"

#define NEEDED REGISTRY_NEEDED
#define IN_KEY (REGISTRY_IN_KEY | REGISTRY_NEEDED)
#define ANSWERED REGISTRY_ANSWERED
#define STATE REGISTRY_STATE

#define FIELD(T, member, kind, flag_bits, size_max)                                                \
    {                                                                                              \
        .name = #member, .type = REGISTRY_TYPE_##kind, .flags = (flag_bits),                       \
        .offset = offsetof(struct registry_##T, member), .max = (size_max)                         \
    }
#define LABEL(T, member, flag_bits) FIELD(T, member, LABEL, flag_bits, REGISTRY_NAME_MAX)
#define NAME(T, member, flag_bits) FIELD(T, member, NAME, flag_bits, REGISTRY_MODEL_MAX)
#define TEXT(T, member) FIELD(T, member, TEXT, 0, REGISTRY_TEXT_MAX)
#define ID(T, member, flag_bits) FIELD(T, member, ID, flag_bits, ID_SIZE)
#define KEY(T, member, flag_bits) FIELD(T, member, KEY, (flag_bits) | NEEDED, 32)
#define NUMBER(T, member, flag_bits) FIELD(T, member, NUMBER, flag_bits, REGISTRY_NUMBER_MAX)
#define WORD(T, member, flag_bits, texts)                                                          \
    {                                                                                              \
        .name = #member, .type = REGISTRY_TYPE_WORD, .flags = (flag_bits),                         \
        .offset = offsetof(struct registry_##T, member),                                           \
        .max = sizeof(texts) / sizeof((texts)[0]) - 2, .words = (texts)                            \
    }
#define LIST(T, member, counter, kind, size_max, size_max_of_item)                                 \
    {                                                                                              \
        .name = #member, .type = REGISTRY_TYPE_##kind,                                             \
        .offset = offsetof(struct registry_##T, member),                                           \
        .count_offset = offsetof(struct registry_##T, counter), .max = (size_max),                 \
        .item_max = (size_max_of_item)                                                             \
    }
#define GROUPS(T, member, counter, flag_bits, size_max, described_by)                              \
    {                                                                                              \
        .name = #member, .type = REGISTRY_TYPE_GROUPS, .flags = (flag_bits),                       \
        .offset = offsetof(struct registry_##T, member),                                           \
        .count_offset = offsetof(struct registry_##T, counter), .max = (size_max),                 \
        .group = &(described_by)                                                                   \
    }
#define GROUP(text, T, table)                                                                      \
    {                                                                                              \
        .name = (text), .size = sizeof(struct registry_##T), .fields = (table),                    \
        .field_count = sizeof(table) / sizeof((table)[0])                                          \
    }

static const char *const tiers[] = {"any", "edge", "regional", "cloud", NULL};
static const char *const roles[] = {"", "viewer", "enroller", "registrar", "operator", NULL};
static const char *const node_states[] = {"admitted", "drained", "revoked", NULL};
static const char *const key_states[] = {"active", "revoked", NULL};
static const char *const invitation_states[] = {"open", "closed", NULL};
static const char *const tenant_states[] = {"active", "suspended", NULL};
static const char *const stages[] = {"staging", "production", "archived", "revoked", NULL};

static const struct registry_field accelerator_fields[] = {
    LABEL(accelerator, kind, NEEDED),
    NUMBER(accelerator, count, NEEDED),
    NUMBER(accelerator, memory_bytes, 0),
};
static const struct registry_group accelerator_group =
    GROUP("accelerator", accelerator, accelerator_fields);

static const struct registry_field member_fields[] = {ID(member, id, NEEDED)};
static const struct registry_group member_group = GROUP("member", member, member_fields);

static const struct registry_field target_fields[] = {
    NAME(target, model, NEEDED),
    NAME(target, version, NEEDED),
    FIELD(target, weight, NUMBER, NEEDED, 1000000),
};
static const struct registry_group target_group = GROUP("target", target, target_fields);

static const struct registry_field node_fields[] = {
    ID(node, id, IN_KEY),
    KEY(node, key, 0),
    LABEL(node, name, NEEDED),
    WORD(node, tier, NEEDED, tiers),
    LABEL(node, region, NEEDED),
    LABEL(node, zone, 0),
    NUMBER(node, not_after_ms, NEEDED),
    NUMBER(node, memory_bytes, 0),
    GROUPS(node, accelerators, accelerator_count, 0, REGISTRY_WORDS_MAX, accelerator_group),
    WORD(node, state, ANSWERED | STATE, node_states),
    ID(node, invitation, ANSWERED),
};
static const struct registry_field admin_fields[] = {
    ID(admin, id, IN_KEY),          KEY(admin, key, 0),
    LABEL(admin, name, NEEDED),     WORD(admin, role, NEEDED, roles),
    NUMBER(admin, not_after_ms, 0), WORD(admin, state, ANSWERED | STATE, key_states),
};
static const struct registry_field invitation_fields[] = {
    ID(invitation, id, IN_KEY),
    KEY(invitation, key, 0),
    WORD(invitation, tier, 0, tiers),
    LABEL(invitation, region, 0),
    FIELD(invitation, uses, NUMBER, NEEDED, 1000000),
    NUMBER(invitation, used, ANSWERED),
    NUMBER(invitation, not_after_ms, NEEDED),
    NUMBER(invitation, node_not_after_ms, NEEDED),
    WORD(invitation, state, ANSWERED | STATE, invitation_states),
};
static const struct registry_field model_fields[] = {
    NAME(model, name, IN_KEY), LABEL(model, task, 0),
    NAME(model, family, 0),    NUMBER(model, parameters, 0),
    NUMBER(model, context, 0), FIELD(model, licence, DOCUMENT, 0, REGISTRY_DOCUMENT_MAX),
};
static const struct registry_field version_fields[] = {
    NAME(version, model, IN_KEY),
    NAME(version, name, IN_KEY),
    FIELD(version, digest, DIGEST, 0, 32),
    LIST(version, formats, format_count, LABELS, REGISTRY_WORDS_MAX, REGISTRY_NAME_MAX),
    LIST(version, accelerators, accelerator_count, LABELS, REGISTRY_WORDS_MAX, REGISTRY_NAME_MAX),
    NUMBER(version, memory_bytes, 0),
    LIST(version, regions, region_count, LABELS, REGISTRY_REGIONS_MAX, REGISTRY_NAME_MAX),
    WORD(version, stage, STATE, stages),
};
static const struct registry_field alias_fields[] = {
    NAME(alias, name, IN_KEY),
    GROUPS(alias, targets, target_count, NEEDED, REGISTRY_TARGETS_MAX, target_group),
};
static const struct registry_field tenant_fields[] = {
    LABEL(tenant, name, IN_KEY),
    TEXT(tenant, title),
    LIST(tenant, regions, region_count, LABELS, REGISTRY_REGIONS_MAX, REGISTRY_NAME_MAX),
    LIST(tenant, models, model_count, NAMES, REGISTRY_ALLOWED_MAX, REGISTRY_MODEL_MAX),
    WORD(tenant, state, STATE, tenant_states),
};
static const struct registry_field key_fields[] = {
    LABEL(key, tenant, IN_KEY),
    ID(key, id, IN_KEY),
    KEY(key, hash, 0),
    TEXT(key, title),
    NUMBER(key, not_after_ms, 0),
    NUMBER(key, created_ms, ANSWERED),
    WORD(key, state, ANSWERED | STATE, key_states),
};
static const struct registry_field quota_fields[] = {
    LABEL(quota, tenant, IN_KEY),
    NAME(quota, model, REGISTRY_IN_KEY),
    NUMBER(quota, requests_per_minute, 0),
    NUMBER(quota, tokens_per_minute, 0),
    NUMBER(quota, tokens_per_day, 0),
    NUMBER(quota, concurrent, 0),
    NUMBER(quota, micro_usd_per_request, 0),
    NUMBER(quota, micro_usd_per_day, 0),
};
static const struct registry_field price_fields[] = {
    NAME(price, name, IN_KEY),
    LABEL(price, node, 0),
    NAME(price, model, 0),
    LABEL(price, region, 0),
    WORD(price, tier, 0, tiers),
    NUMBER(price, per_1k_input_tokens, 0),
    NUMBER(price, per_1k_output_tokens, 0),
    NUMBER(price, per_request, 0),
    NUMBER(price, per_gib_egress, 0),
};
static const struct registry_field policy_fields[] = {
    NAME(policy, name, IN_KEY),
    NUMBER(policy, version, ANSWERED),
    FIELD(policy, document, DOCUMENT, NEEDED, REGISTRY_DOCUMENT_MAX),
};
static const struct registry_field policy_version_fields[] = {
    NAME(policy, name, IN_KEY),
    NUMBER(policy, version, IN_KEY),
    FIELD(policy, document, DOCUMENT, NEEDED, REGISTRY_DOCUMENT_MAX),
};
static const struct registry_field setting_fields[] = {
    NAME(setting, key, IN_KEY),
    FIELD(setting, value, DOCUMENT, 0, REGISTRY_VALUE_MAX),
};
static const struct registry_field gossip_key_fields[] = {
    NUMBER(gossip_key, number, IN_KEY),
    KEY(gossip_key, key, REGISTRY_SECRET),
};
static const struct registry_field voters_fields[] = {
    FIELD(voters, automatic, NUMBER, 0, REGISTRY_VOTERS_MAX),
    GROUPS(voters, nodes, node_count, 0, REGISTRY_VOTERS_MAX, member_group),
};
static const struct registry_field cosign_fields[] = {
    NAME(cosign, operation, IN_KEY),
    FIELD(cosign, count, NUMBER, NEEDED, REGISTRY_SIGNERS_MAX),
    GROUPS(cosign, signers, signer_count, NEEDED, REGISTRY_SIGNERS_MAX, member_group),
};

static const struct registry_schema schemas[REGISTRY_KINDS] = {
    [REGISTRY_NODE] = {GROUP("node", node, node_fields), 16384},
    [REGISTRY_ADMIN] = {GROUP("admin", admin, admin_fields), 4096},
    [REGISTRY_INVITATION] = {GROUP("invitation", invitation, invitation_fields), 16384},
    [REGISTRY_MODEL] = {GROUP("model", model, model_fields), 4096},
    [REGISTRY_VERSION] = {GROUP("version", version, version_fields), 32768},
    [REGISTRY_ALIAS] = {GROUP("alias", alias, alias_fields), 4096},
    [REGISTRY_TENANT] = {GROUP("tenant", tenant, tenant_fields), 16384},
    [REGISTRY_KEY] = {GROUP("key", key, key_fields), 131072},
    [REGISTRY_QUOTA] = {GROUP("quota", quota, quota_fields), 65536},
    [REGISTRY_PRICE] = {GROUP("price", price, price_fields), 1024},
    [REGISTRY_POLICY] = {GROUP("policy", policy, policy_fields), 1024},
    [REGISTRY_POLICY_VERSION] = {GROUP("policy_version", policy, policy_version_fields), 65536},
    [REGISTRY_SETTING] = {GROUP("setting", setting, setting_fields), 4096},
    [REGISTRY_GOSSIP_KEY] = {GROUP("gossip_key", gossip_key, gossip_key_fields), 3},
    [REGISTRY_VOTERS] = {GROUP("voters", voters, voters_fields), 1},
    [REGISTRY_COSIGN] = {GROUP("cosign", cosign, cosign_fields), 64},
};

const struct registry_schema *registry_schema(enum registry_kind kind)
{
    bool is_any = (unsigned)kind < REGISTRY_KINDS && schemas[kind].group.name;
    return is_any ? &schemas[kind] : NULL;
}

enum registry_kind registry_kind_of(struct bytes name)
{
    for (int kind = 1; kind < REGISTRY_KINDS; kind++)
        if (bytes_equal(name, bytes_from_str(schemas[kind].group.name)))
            return (enum registry_kind)kind;
    return (enum registry_kind)0;
}

const char *registry_kind_name(enum registry_kind kind)
{
    const struct registry_schema *s = registry_schema(kind);
    return s ? s->group.name : "?";
}
