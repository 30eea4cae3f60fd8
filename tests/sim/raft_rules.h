/* The properties that every Raft has to keep, over plain facts: what a server says of itself after
 * each step, what it stores, changes and applies. Nothing here knows whose Raft it is: raft_check.c
 * tells it of our core, opponent/libraft.c of Debian's. What some server once held for committed is
 * the truth: all others have to agree with it for ever. */
#ifndef TESTS_SIM_RAFT_RULES_H
#define TESTS_SIM_RAFT_RULES_H

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>

#define RULES_TERMS 4096

struct rules_entry {
    uint64_t index, term;
    uint64_t digest; /* of the entry and, by its chain, of all before it */
    bool is_config;
};

struct rules_server {
    const char *name;
    size_t number;
    uint64_t term, commit, applied, last, base /* before the first entry */;
    struct id vote; /* in this term; zero: none */
    bool is_leader, is_installing;
    bool has_lost; /* its disk lost entries, and it may not be able to read what it had */
    /* False: not there, or unreadable. */
    bool (*entry)(const struct rules_server *s, uint64_t index, struct rules_entry *ret_entry);
    void *ctx; /* for entry() */
};

struct rules_truth { /* what some server once held for committed */
    uint64_t term, digest;
    uint64_t leader_term;  /* of who committed it first */
    uint64_t config_index; /* of the configuration in force there */
};

/* `why` lives for the call. */
typedef void (*rules_broken_fn)(void *ctx, const char *invariant, const char *why);

struct rules {
    rules_broken_fn broken;
    void *ctx;
    struct rules_truth *truth; /* by index - 1 */
    size_t truth_count, truth_capacity;
    struct rules_seen {
        uint64_t index, term, digest;
    } * seen; /* open addressing by index and term */
    size_t seen_count, seen_capacity;
    uint64_t leaders[RULES_TERMS]; /* number + 1 of the leader of a term */
};

void rules_init(struct rules *r, rules_broken_fn broken, void *ctx);
void rules_fini(struct rules *r);

/* A server has made a step; `before`: what it said after the one before, NULL: it has started. */
void rules_step(struct rules *r, const struct rules_server *before, const struct rules_server *now);
/* `name` stores an entry. */
void rules_store(struct rules *r, const char *name, const struct rules_entry *e);
/* A server adds a configuration to its log; `s` as it is now. */
void rules_change(struct rules *r, const struct rules_server *s, const struct rules_entry *e);
/* `name`, which has applied all up to `applied`, applies an entry. */
void rules_apply(struct rules *r, const char *name, uint64_t applied, const struct rules_entry *e);

#endif
