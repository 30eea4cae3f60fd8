/* Policies: documents whose meaning is not known here. Each change makes a version, and the last
 * REGISTRY_POLICY_VERSIONS_MAX of each name are kept beside it. Called by op.c. */
#include "registry/turn.h"

static enum err keep_version(struct registry_turn *t, const struct registry_row *policy)
{
    struct registry_row version = *policy;
    version.kind = REGISTRY_POLICY_VERSION;
    return registry_turn_put(t, &version);
}

static enum err drop_version(struct registry_turn *t, const struct registry_policy *policy)
{
    struct registry_row row = {.kind = REGISTRY_POLICY_VERSION, .doc.policy = *policy};
    if (policy->version <= REGISTRY_POLICY_VERSIONS_MAX)
        return ERR_OK;
    row.doc.policy.version -= REGISTRY_POLICY_VERSIONS_MAX;
    enum err e = registry_turn_remove(t, &row);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err registry_policies_put(struct registry_turn *t, const struct registry_row *old,
                               struct registry_row *next)
{
    struct registry_policy *policy = &next->doc.policy;
    if (old && bytes_equal(old->doc.policy.document, policy->document))
        return ERR_OK;
    policy->version = (old ? old->doc.policy.version : 0) + 1;
    TRY(keep_version(t, next));
    return drop_version(t, policy);
}

enum err registry_policies_remove(struct registry_turn *t, const struct registry_row *old,
                                  struct registry_row *next)
{
    (void)next;
    return registry_turn_remove_all(t, REGISTRY_POLICY_VERSION, old->doc.policy.name);
}
