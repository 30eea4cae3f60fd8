/* Inside the registry: one command at its turn, as the rules of each kind see it. */
#ifndef REGISTRY_TURN_H
#define REGISTRY_TURN_H

#include "registry/impl.h"

struct registry_turn {
    struct registry *r;
    const struct registry_signed *s;
    struct registry_result *result;
    struct id author;
    enum registry_role role; /* NONE: the root or an invitation */
    bool is_root, is_genesis, is_invited;
    bool is_check;   /* nothing of it will stay */
    bool is_refused; /* whatever err comes with it is the author's, not ours */
    const struct registry_op *op;
    size_t op_index;
    uint64_t epoch; /* of the rows it writes */
    uint64_t change_count;
};

static inline const struct registry_reader *registry_turn_reader(const struct registry_turn *t)
{
    return &t->r->writer;
}
static inline uint64_t registry_turn_now_ms(const struct registry_turn *t)
{
    return t->r->current.head.time_ms;
}

/* Notes why, at the field of the present operation's document (NULL: of the command as a whole),
 * and returns e. */
enum err registry_refuse(struct registry_turn *t, enum err e, const char *field, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));
/* Writes or removes a row of any kind beside the operation's own, with its change for watchers. */
MUST_CHECK enum err registry_turn_put(struct registry_turn *t, struct registry_row *row);
MUST_CHECK enum err registry_turn_remove(struct registry_turn *t, const struct registry_row *row);
/* All rows of a kind with two parts whose first part is this. */
MUST_CHECK enum err registry_turn_remove_all(struct registry_turn *t, enum registry_kind kind,
                                             struct bytes first);
#define REGISTRY_CHANGE_NAME_MAX 272
MUST_CHECK enum err registry_change_add(struct registry_turn *t, enum registry_verb verb,
                                        enum registry_kind kind, struct bytes name);

/* A kind's rule for one verb: refuses, fills in what the registry answers, writes what goes with
 * it. `old`: NULL for a new row; `next`: the row to write, NULL when it is removed. */
typedef enum err registry_rule(struct registry_turn *t, const struct registry_row *old,
                               struct registry_row *next);
#define REGISTRY_RULE(name)                                                                        \
    enum err registry_##name(struct registry_turn *t, const struct registry_row *old,              \
                             struct registry_row *next)
REGISTRY_RULE(nodes_put);
REGISTRY_RULE(nodes_move);
REGISTRY_RULE(nodes_remove);
REGISTRY_RULE(admins_put);
REGISTRY_RULE(admins_move);
REGISTRY_RULE(invitations_put);
REGISTRY_RULE(models_put);
REGISTRY_RULE(models_remove);
REGISTRY_RULE(versions_put);
REGISTRY_RULE(versions_move);
REGISTRY_RULE(versions_remove);
REGISTRY_RULE(aliases_put);
REGISTRY_RULE(tenants_remove);
REGISTRY_RULE(keys_put);
REGISTRY_RULE(quotas_put);
REGISTRY_RULE(policies_put);
REGISTRY_RULE(policies_remove);
REGISTRY_RULE(settings_put);
REGISTRY_RULE(settings_remove);
REGISTRY_RULE(gossip_keys_put);
REGISTRY_RULE(voters_put);
REGISTRY_RULE(cosign_put);

/* Whether the node that an invitation's command admits was admitted by it. */
MUST_CHECK enum err registry_nodes_check_repeat(struct registry_turn *t, bool *ret_is_repeat);

/* One operation: its form, the row it is about, the kind's rule, the write. */
MUST_CHECK enum err registry_op_apply(struct registry_turn *t, const struct registry_op *op);

/* --- access.c: who is the author and may he; cosign.c: who else has to sign */
MUST_CHECK enum err registry_access_author(struct registry_turn *t);
MUST_CHECK enum err registry_access_ops(struct registry_turn *t);
MUST_CHECK enum err registry_cosign_check(struct registry_turn *t);
bool registry_op_is_word(struct bytes word); /* of any operation */

/* --- authors.c: sequences and the last results. *ret_is_repeat: result was given before. */
MUST_CHECK enum err registry_authors_check(struct registry_turn *t, bool *ret_is_repeat);
MUST_CHECK enum err registry_authors_note(struct registry_turn *t);

#endif
