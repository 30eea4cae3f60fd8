/* Who belongs: the members of raft's group as the leader keeps them (voters.c), and this node's own
 * admission to the mesh (admission.c). Inside node/rules only. */
#ifndef NODE_RULES_VOTERS_H
#define NODE_RULES_VOTERS_H

#include "node/rules/rules.h"

struct rules_lost { /* a member that is not there */
    struct id id;
    uint64_t since_ms;
};

struct rules_voters {
    bool is_changing;
    uint64_t again_ms;
    struct rules_lost lost[RAFT_MEMBERS_MAX];
    size_t lost_count;
};

void voters_look(struct rules *r);
void voters_on_outcome(struct rules *r, const struct raft_outcome *outcome);

/* --- admission.c */

struct rules_admission {
    struct rules_call call;
    bool is_handed_in; /* and committed; the log that says so may not have come yet */
    uint64_t again_ms;
    enum err refusal; /* the newest; OK: none */
    struct registry_fault fault;
};

void admission_look(struct rules *r);
void admission_stop(struct rules *r);

#endif
