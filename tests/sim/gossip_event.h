/* What waits to happen in a swarm (gossip_world.h): the events of its clock. */
#ifndef TESTS_SIM_GOSSIP_EVENT_H
#define TESTS_SIM_GOSSIP_EVENT_H

#include "base/list.h"
#include "gossip/gossip.h"

struct swarm;
struct swarm_link;
typedef void (*swarm_call)(struct swarm *s, uint64_t argument);

enum swarm_event_type {
    SWARM_TICK,
    SWARM_SHELL,       /* the shell's second */
    SWARM_LOAD,        /* the core wants the load */
    SWARM_DATAGRAM,    /* addr, data */
    SWARM_MESSAGE,     /* over a link, from node `other` */
    SWARM_EVIDENCE,    /* about node `other` */
    SWARM_UP,          /* a link with node `other` */
    SWARM_LINK_DIAL,   /* a dial reaches its host (link, side) */
    SWARM_LINK_OPEN,   /* ... and its answer the dialler */
    SWARM_LINK_PUMP,   /* the first message in the queue of `side` is due */
    SWARM_LINK_SILENT, /* `side` has waited long for a sign of life */
    SWARM_CALL,        /* of the scenario */
};

struct swarm_event {
    uint64_t at_us;
    uint64_t order; /* equal times: as they were made */
    enum swarm_event_type type;
    size_t node;
    size_t other;
    uint64_t life; /* of the process or the link that it is meant for */
    struct gossip_addr addr;
    struct swarm_link *link;
    unsigned side;
    swarm_call call;
    uint64_t argument;
    struct list wait; /* in a paused node's list */
    size_t size;
    uint8_t data[];
};

struct swarm_place { /* in the heap: the times stand together */
    uint64_t at_us, order;
    struct swarm_event *event;
};

#endif
