/* One operation, whatever its kind: its form, the row it is about, the rule of the kind, the write
 * and its change for watchers. Called by apply.c. */
#include "registry/fields.h"
#include "registry/form.h"
#include "registry/turn.h"

struct rules {
    registry_rule *put, *move, *remove;
};

static const struct rules rules_by_kind[REGISTRY_KINDS] = {
    [REGISTRY_NODE] = {registry_nodes_put, registry_nodes_move, registry_nodes_remove},
    [REGISTRY_ADMIN] = {.put = registry_admins_put, .move = registry_admins_move},
    [REGISTRY_INVITATION] = {.put = registry_invitations_put},
    [REGISTRY_MODEL] = {.put = registry_models_put, .remove = registry_models_remove},
    [REGISTRY_VERSION] = {registry_versions_put, registry_versions_move, registry_versions_remove},
    [REGISTRY_ALIAS] = {.put = registry_aliases_put},
    [REGISTRY_TENANT] = {.remove = registry_tenants_remove},
    [REGISTRY_KEY] = {.put = registry_keys_put},
    [REGISTRY_QUOTA] = {.put = registry_quotas_put},
    [REGISTRY_POLICY] = {.put = registry_policies_put, .remove = registry_policies_remove},
    [REGISTRY_SETTING] = {.put = registry_settings_put, .remove = registry_settings_remove},
    [REGISTRY_GOSSIP_KEY] = {.put = registry_gossip_keys_put},
    [REGISTRY_VOTERS] = {.put = registry_voters_put},
    [REGISTRY_COSIGN] = {.put = registry_cosign_put},
};

/* --- writing, also beside the operation's own row --- */

/* A row's texts may lie in pages that the write gives up: its name is taken before. */
struct name {
    uint8_t data[REGISTRY_CHANGE_NAME_MAX];
    struct buf text;
};

static struct bytes name_of(const struct registry_row *row, struct name *name)
{
    buf_init_fixed(&name->text, name->data, sizeof(name->data));
    registry_row_name(row->kind, &row->doc, &name->text);
    return buf_bytes(&name->text);
}

enum err registry_turn_put(struct registry_turn *t, struct registry_row *row)
{
    bool has_changed;
    struct name space;
    struct bytes name = name_of(row, &space);
    row->rev = t->epoch;
    row->time_ms = registry_turn_now_ms(t);
    row->author = t->author;
    TRY(registry_rows_put(t->r, row, &has_changed));
    if (!has_changed)
        return ERR_OK;
    if (t->r->current.head.rows[row->kind] > registry_schema(row->kind)->rows_max)
        return registry_refuse(t, ERR_LIMIT, NULL, "there are %u of this kind, no more fit",
                               (unsigned)registry_schema(row->kind)->rows_max);
    t->result->changed |= 1u << row->kind;
    return registry_change_add(t, REGISTRY_PUT, row->kind, name);
}

enum err registry_turn_remove(struct registry_turn *t, const struct registry_row *row)
{
    struct registry_key_bytes key;
    struct name space;
    struct bytes name = name_of(row, &space);
    enum registry_kind kind = row->kind;
    TRY(registry_row_key_of(kind, &row->doc, &key));
    TRY(registry_rows_remove(t->r, kind, registry_key_view(&key)));
    t->result->changed |= 1u << kind;
    return registry_change_add(t, REGISTRY_REMOVE, kind, name);
}

#define ROWS_AT_ONCE 32
struct some_keys {
    struct registry_key_bytes keys[ROWS_AT_ONCE];
    size_t count;
};

static bool take_key(void *ctx, const struct registry_row *row)
{
    struct some_keys *some = ctx;
    if (registry_row_key_of(row->kind, &row->doc, &some->keys[some->count]) == ERR_OK)
        some->count++;
    return some->count < ROWS_AT_ONCE;
}

enum err registry_turn_remove_all(struct registry_turn *t, enum registry_kind kind,
                                  struct bytes first)
{
    struct some_keys some;
    struct registry_row row;
    do {
        some.count = 0;
        TRY(registry_scan(registry_turn_reader(t), kind, first, take_key, &some));
        for (size_t i = 0; i < some.count; i++) {
            TRY(registry_read(registry_turn_reader(t), kind, registry_key_view(&some.keys[i]),
                              &row));
            TRY(registry_turn_remove(t, &row));
        }
    } while (some.count > 0);
    return ERR_OK;
}

/* --- what every kind has in common --- */

static const struct registry_field *state_field(enum registry_kind kind)
{
    const struct registry_group *group = &registry_schema(kind)->group;
    for (size_t i = 0; i < group->field_count; i++)
        if (group->fields[i].flags & REGISTRY_STATE)
            return &group->fields[i];
    return NULL;
}

/* Nothing comes back from "revoked". */
static bool is_revoked(const struct registry_row *row)
{
    const struct registry_field *f = state_field(row->kind);
    if (!f)
        return false;
    uint32_t state = *(const uint32_t *)registry_field_of(f, &row->doc);
    return strcmp(f->words[state], "revoked") == 0;
}

/* A row that is replaced keeps what the registry had set in it. */
static void keep_answered(const struct registry_row *old, struct registry_row *next)
{
    const struct registry_group *group = &registry_schema(old->kind)->group;
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        size_t size = f->type == REGISTRY_TYPE_NUMBER ? sizeof(uint64_t)
                      : f->type == REGISTRY_TYPE_WORD ? sizeof(uint32_t)
                                                      : registry_field_fixed_size(f);
        if (f->flags & REGISTRY_ANSWERED)
            memcpy(registry_field_in(f, &next->doc), registry_field_of(f, &old->doc), size);
    }
}

static enum err check_rev(struct registry_turn *t, const struct registry_op *op,
                          const struct registry_row *old)
{
    uint64_t rev = old ? old->rev : 0;
    if (!op->has_if_rev || op->if_rev == rev)
        return ERR_OK;
    return registry_refuse(t, ERR_CONFLICT, NULL, "its rev is %llu, not %llu: look at it again",
                           (unsigned long long)rev, (unsigned long long)op->if_rev);
}

static enum err put(struct registry_turn *t, const struct registry_op *op,
                    const struct registry_row *old)
{
    struct registry_row next = {.kind = op->kind, .doc = op->doc};
    registry_rule *rule = rules_by_kind[op->kind].put;
    if (old && is_revoked(old))
        return registry_refuse(t, ERR_REVOKED, NULL, "it was revoked, for good: make another one");
    if (old)
        keep_answered(old, &next);
    if (rule)
        TRY(rule(t, old, &next));
    return registry_turn_put(t, &next);
}

static enum err move(struct registry_turn *t, const struct registry_op *op,
                     const struct registry_row *old)
{
    struct registry_row next = *old;
    registry_rule *rule = rules_by_kind[op->kind].move;
    uint32_t *state = registry_field_in(state_field(op->kind), &next.doc);
    if (*state == op->state)
        return ERR_OK;
    if (is_revoked(old))
        return registry_refuse(t, ERR_REVOKED, NULL, "it was revoked, for good: make another one");
    *state = op->state;
    if (rule)
        TRY(rule(t, old, &next));
    return registry_turn_put(t, &next);
}

static enum err run(struct registry_turn *t, const struct registry_op *op,
                    const struct registry_row *old)
{
    registry_rule *rule = rules_by_kind[op->kind].remove;
    TRY(check_rev(t, op, old));
    if (op->verb == REGISTRY_PUT)
        return put(t, op, old);
    if (!old)
        return registry_refuse(t, ERR_NOT_FOUND, NULL, "there is no such %s: look at the list",
                               registry_kind_name(op->kind));
    if (op->verb == REGISTRY_MOVE)
        return move(t, op, old);
    if (rule)
        TRY(rule(t, old, NULL));
    return registry_turn_remove(t, old);
}

enum err registry_op_apply(struct registry_turn *t, const struct registry_op *op)
{
    struct registry_fault fault;
    struct registry_key_bytes key;
    struct registry_row old;
    struct bytes value;
    struct registry_row_hash hash;
    enum err e = registry_form_check(op, t->op_index, &fault);
    if (e != ERR_OK) {
        registry_refuse(t, e, NULL, "%s", fault.what);
        t->result->fault = fault;
        return e;
    }
    TRY(registry_row_key_of(op->kind, &op->doc, &key));
    e = registry_rows_get(registry_turn_reader(t), registry_key_view(&key), &value);
    if (e == ERR_NOT_FOUND)
        return run(t, op, NULL);
    if (e != ERR_OK)
        return e;
    TRY(registry_rows_verify(registry_key_view(&key), value, &hash));
    buf_clear(&t->r->old); /* a copy: rules write before they are done with it */
    TRY(buf_append(&t->r->old, value));
    TRY(registry_row_decode(op->kind, buf_bytes(&t->r->old), &old));
    return run(t, op, &old);
}
