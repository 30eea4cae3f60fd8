/* What happened to the members and to rollouts, newest last: the last EVENTS_KEPT of it, numbered
 * since the start of this process, and readers who follow. A reader keeps a number and nothing
 * else, so that a slow one costs no memory: it learns that it missed some. Filled by whoever obeys
 * gossip's effects and by routing, read by node/ingress/local_events.c for `grapevine events`. */
#ifndef NODE_MESH_EVENTS_H
#define NODE_MESH_EVENTS_H

#include "base/list.h"
#include "gossip/gossip.h"

#define EVENTS_KEPT 256
#define EVENTS_POLICY_MAX 128    /* of a policy's name */
#define EVENTS_CONFLICT_MS 10000 /* one that goes on is told as seldom */

enum event_kind {
    EVENT_JOINED,
    EVENT_SUSPECT,
    EVENT_DOWN,
    EVENT_BACK,
    EVENT_LEFT,
    EVENT_FORGOTTEN,
    EVENT_CONFLICT,         /* another process speaks under this node's key */
    EVENT_POLICY_WITHDRAWN, /* this node gave up a rollout */
};
const char *events_kind_name(enum event_kind kind); /* "joined" "suspect" ... */

struct event {
    uint64_t time_ms; /* wall clock */
    enum event_kind kind;
    char node[GOSSIP_NAME_MAX + 1];
    struct id id;
    uint64_t incarnation;
    enum err reason; /* OK: the node said so itself */
    char accusers[GOSSIP_ACCUSERS][GOSSIP_NAME_MAX + 1];
    size_t accuser_count;
    char policy[EVENTS_POLICY_MAX + 1]; /* of POLICY_WITHDRAWN; the fields above but kind and time
                                           mean nothing then */
    uint64_t version;
    const char *guard; /* that it broke, a word that lives as long as the program */
};

struct events {
    struct event kept[EVENTS_KEPT];
    uint64_t count; /* since the start */
    struct list readers;
};

struct events_reader {
    struct list node;
    uint64_t next; /* number of the one to be read next */
    /* There is one more. May unsubscribe this reader, and no other. */
    void (*on_event)(struct events_reader *reader);
};

void events_init(struct events *ev);
void events_add(struct events *ev, const struct event *e);
/* A change among the members; false: it is none that is told (nothing is added). `names` are the
 * accusers', accuser_count of them. */
bool events_add_change(struct events *ev, uint64_t wall_ms, const struct gossip_change *c,
                       const char *const names[]);
void events_add_conflict(struct events *ev, uint64_t wall_ms, const struct id *id,
                         const char *name);
void events_add_policy(struct events *ev, uint64_t wall_ms, const char *policy, uint64_t version,
                       const char *guard);

/* Begins with the `last` newest ones that are kept. */
void events_subscribe(struct events *ev, struct events_reader *reader, size_t last);
void events_unsubscribe(struct events_reader *reader); /* once more is harmless */
/* How many went out of the ring before this reader came for them. */
uint64_t events_missed(const struct events *ev, const struct events_reader *reader);
/* The next one that is kept, until the next one is added; NULL: it has had them all. */
const struct event *events_read(const struct events *ev, struct events_reader *reader);

#endif
