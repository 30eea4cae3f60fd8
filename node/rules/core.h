/* Raft's core and what is around it: its steps (core.c), its disk (persist.c, room.c), being a
 * member at all (member.c), the registry's files (clean.c), what gossip says (compare.c). Inside
 * node/rules only. */
#ifndef NODE_RULES_CORE_H
#define NODE_RULES_CORE_H

#include "raft/raft.h"

/* Bits of the tags that raft gives back; the others tell who asked. */
#define CORE_TAG_CHANGE (UINT64_C(1) << 63)
#define CORE_TAG_HAND_OVER (UINT64_C(1) << 62)
#define CORE_TAG_PULLER (UINT64_C(1) << 61)

struct peer;
struct rules;
struct rules_visit;

/* Makes raft's core from the store. The errors of raft_create. */
MUST_CHECK enum err core_create(struct rules *r);
void core_step(struct rules *r, struct raft_event *event);
void core_message(struct rules *r, const struct raft_message *message);
/* Nothing more is applied, or (is_fatal) this process must end. Logged once. */
void core_stop(struct rules *r, enum err reason, bool is_fatal, const char *what);
void core_await(struct rules *r);
/* The store refused a commit for want of room: it is opened anew, and with it the core, once a
 * second until it takes one. */
void core_restart(struct rules *r);
void core_init(struct rules *r);
void core_fini(struct rules *r);

/* --- persist.c */
void persist_write(struct rules *r, const struct raft_write *write);
/* A commit was begun in the store: carries it out. */
void persist_run(struct rules *r);
void persist_stop(struct rules *r); /* none is under way afterwards */

/* --- room.c */
/* Whether the disk lacks room for either; then this node only follows. */
bool room_is_full(const struct rules *r);
void room_of_log(struct rules *r, bool is_full);
void room_of_registry(struct rules *r, bool is_full);
/* Once a second: is there room again? */
void room_look(struct rules *r);

/* --- member.c */
/* Whether this node is one, by the log or by what it applied. There is a core. */
bool member_is_one(const struct rules *r);
void member_look(struct rules *r);
MUST_CHECK enum err member_accept(struct rules *r, struct rules_visit *visit);

/* --- clean.c */
/* Before the registry is opened: what may be torn goes. */
MUST_CHECK enum err clean_open(struct rules *r);
void clean_close(struct rules *r);

/* --- compare.c */
void compare_note(struct rules *r);
void compare_look(struct rules *r);
bool compare_names_voter(const struct raft_config *config, const struct id *id);
/* A voter by the applied log is alive. */
bool compare_knows_voter(const struct rules *r);
/* The peer that leads, as gossip says; NULL: not known. */
struct peer *compare_leader(const struct rules *r);
void compare_say(struct rules *r);

#endif
