/* Cosignatures: for which operations a rule asks for m of n administrators, and whether they
 * signed. The rule of an operation guards itself too. The mesh root is asked nothing: it is the
 * last resort. Called by apply.c after the signatures were verified. */
#include "registry/turn.h"

#define RESIDENCY BYTES("residency")

/* --- the rule of a word --- */

static enum err is_active_admin(const struct registry_turn *t, const struct id *id, bool *ret_is)
{
    struct registry_row row;
    const struct registry_admin *admin = &row.doc.admin;
    enum err e = registry_get(registry_turn_reader(t), REGISTRY_ADMIN, bytes_of(id->bytes, ID_SIZE),
                              (struct bytes){0}, &row);
    *ret_is = e == ERR_OK && admin->state == REGISTRY_ACTIVE &&
              (!admin->not_after_ms || registry_turn_now_ms(t) <= admin->not_after_ms);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static bool has_signed(const struct registry_turn *t, const struct id *id)
{
    if (id_equal(id, &t->author))
        return true;
    for (size_t i = 0; i < t->s->cosignature_count; i++) {
        struct id cosigner = id_of_public_key(t->s->cosignatures[i].key);
        if (id_equal(id, &cosigner))
            return true;
    }
    return false;
}

static enum err check_rule(struct registry_turn *t, struct bytes word)
{
    struct registry_row row;
    const struct registry_cosign *rule = &row.doc.cosign;
    uint64_t count = 0;
    enum err e =
        registry_get(registry_turn_reader(t), REGISTRY_COSIGN, word, (struct bytes){0}, &row);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < rule->signer_count; i++) {
        bool is_active;
        TRY(is_active_admin(t, &rule->signers[i].id, &is_active));
        count += is_active && has_signed(t, &rule->signers[i].id);
    }
    if (count >= rule->count)
        return ERR_OK;
    return registry_refuse(t, ERR_COSIGNATURE, NULL,
                           "%.*s needs %llu of %zu signers and has %llu: let others sign it",
                           (int)word.size, (const char *)word.data, (unsigned long long)rule->count,
                           rule->signer_count, (unsigned long long)count);
}

/* --- residency: what changes the regions of a version or tenant that stands --- */

static bool same_texts(const struct bytes *a, size_t a_count, const struct bytes *b, size_t b_count)
{
    for (size_t i = 0; a_count == b_count && i < a_count; i++)
        if (!bytes_equal(a[i], b[i]))
            return false;
    return a_count == b_count;
}

static bool changes_regions(const struct registry_op *op, const struct registry_row *old)
{
    const struct registry_version *v = &op->doc.version, *old_v = &old->doc.version;
    const struct registry_tenant *n = &op->doc.tenant, *old_n = &old->doc.tenant;
    if (op->verb == REGISTRY_MOVE)
        return false;
    if (op->kind == REGISTRY_VERSION)
        return !same_texts(v->regions, v->region_count, old_v->regions, old_v->region_count);
    return !same_texts(n->regions, n->region_count, old_n->regions, old_n->region_count);
}

static enum err check_residency(struct registry_turn *t)
{
    struct registry_key_bytes key;
    struct registry_row old;
    if (t->op->kind != REGISTRY_VERSION && t->op->kind != REGISTRY_TENANT)
        return ERR_OK;
    if (registry_row_key_of(t->op->kind, &t->op->doc, &key) != ERR_OK)
        return ERR_OK; /* its form will be refused */
    enum err e = registry_read(registry_turn_reader(t), t->op->kind, registry_key_view(&key), &old);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    return changes_regions(t->op, &old) ? check_rule(t, RESIDENCY) : ERR_OK;
}

enum err registry_cosign_check(struct registry_turn *t)
{
    if (t->is_root || t->r->current.head.rows[REGISTRY_COSIGN] == 0)
        return ERR_OK;
    for (t->op_index = 0; t->op_index < t->s->command.op_count; t->op_index++) {
        t->op = &t->s->command.ops[t->op_index];
        TRY(check_rule(t, bytes_from_str(registry_op_word(t->op))));
        TRY(check_residency(t));
        if (t->op->kind == REGISTRY_COSIGN)
            TRY(check_rule(t, t->op->doc.cosign.operation));
    }
    return ERR_OK;
}

/* --- making a rule --- */

enum err registry_cosign_put(struct registry_turn *t, const struct registry_row *old,
                             struct registry_row *next)
{
    const struct registry_cosign *rule = &next->doc.cosign;
    (void)old;
    if (!registry_op_is_word(rule->operation) && !bytes_equal(rule->operation, RESIDENCY))
        return registry_refuse(t, ERR_INVALID, "operation",
                               "no such operation: such as admin.revoke, voters.put, residency");
    if (rule->count > rule->signer_count)
        return registry_refuse(t, ERR_INVALID, "count", "more than there are signers");
    for (size_t i = 0; i < rule->signer_count; i++) {
        bool is_active;
        TRY(is_active_admin(t, &rule->signers[i].id, &is_active));
        if (!is_active)
            return registry_refuse(t, ERR_NOT_FOUND, "signers",
                                   "signer %zu is no active administrator", i);
        for (size_t k = 0; k < i; k++)
            if (id_equal(&rule->signers[k].id, &rule->signers[i].id))
                return registry_refuse(t, ERR_INVALID, "signers", "signer %zu is named twice", i);
    }
    return ERR_OK;
}
