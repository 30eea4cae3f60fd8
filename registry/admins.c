/* Rules of administrators and invitations. That an operator stays is checked at the end of a
 * command (apply.c). Called by op.c. */
#include "registry/turn.h"

static enum err check_name(struct registry_turn *t, const struct registry_admin *admin)
{
    struct registry_row other;
    enum err e =
        registry_find(registry_turn_reader(t), REGISTRY_ADMIN_BY_NAME, admin->name, &other);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && id_equal(&other.doc.admin.id, &admin->id)))
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    return registry_refuse(t, ERR_EXISTS, "name", "another administrator has it: choose one");
}

/* One key has one purpose, so that nobody's commands are somebody else's. */
static enum err check_key(struct registry_turn *t, const struct id *id,
                          const uint8_t key[CRYPTO_PUBLIC_SIZE], enum registry_kind other_kind)
{
    struct registry_row other;
    struct id own = id_of_public_key(key);
    if (!id_equal(&own, id))
        return registry_refuse(t, ERR_INVALID, "id", "it is not the id of the key");
    if (id_equal(id, &t->r->root_id))
        return registry_refuse(t, ERR_INVALID, "key", "it is the mesh root's: make another one");
    enum err e = registry_get(registry_turn_reader(t), other_kind, bytes_of(id->bytes, ID_SIZE),
                              (struct bytes){0}, &other);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    return registry_refuse(t, ERR_EXISTS, "key", "it serves another purpose: make another one");
}

enum err registry_admins_put(struct registry_turn *t, const struct registry_row *old,
                             struct registry_row *next)
{
    (void)old;
    TRY(check_key(t, &next->doc.admin.id, next->doc.admin.key, REGISTRY_INVITATION));
    return check_name(t, &next->doc.admin);
}

static bool names_signer(const struct registry_cosign *rule, const struct id *id)
{
    for (size_t i = 0; i < rule->signer_count; i++)
        if (id_equal(&rule->signers[i].id, id))
            return true;
    return false;
}

struct signer {
    const struct id *id;
    bool is_needed;
};

static bool on_rule(void *ctx, const struct registry_row *row)
{
    struct signer *signer = ctx;
    const struct registry_cosign *rule = &row->doc.cosign;
    signer->is_needed = names_signer(rule, signer->id);
    return !signer->is_needed;
}

/* An administrator whom a rule of cosignatures names is taken out of it first: else nobody might be
 * able to satisfy it one day. */
enum err registry_admins_move(struct registry_turn *t, const struct registry_row *old,
                              struct registry_row *next)
{
    struct signer signer = {.id = &old->doc.admin.id};
    (void)next;
    if (t->is_root)
        return ERR_OK;
    TRY(registry_scan(registry_turn_reader(t), REGISTRY_COSIGN, (struct bytes){0}, on_rule,
                      &signer));
    if (!signer.is_needed)
        return ERR_OK;
    return registry_refuse(t, ERR_IN_USE, NULL,
                           "a cosignature rule names it: change that rule before");
}

enum err registry_invitations_put(struct registry_turn *t, const struct registry_row *old,
                                  struct registry_row *next)
{
    const struct registry_invitation *invitation = &next->doc.invitation;
    if (old)
        return registry_refuse(t, ERR_EXISTS, NULL, "there is one with this key: make another");
    TRY(check_key(t, &invitation->id, invitation->key, REGISTRY_ADMIN));
    if (invitation->not_after_ms < registry_turn_now_ms(t))
        return registry_refuse(t, ERR_EXPIRED, "not_after_ms", "it has passed: give a later one");
    return ERR_OK;
}
