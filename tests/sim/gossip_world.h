/* A swarm: many gossip cores in one simulated world, each behind a small model of the node that
 * will hold it (its shell), and the truth about all of them, by which verdicts are made.
 *
 *   gossip_sim.c       options, seeds, summary     gossip_scenario.c  one seed from start to end
 *   gossip_world.c     clock, events, life of s.   gossip_faults.c    faults and their healing
 *   gossip_identity.c  keys, payloads, fake crypto gossip_liar.c      a member that attacks
 *   gossip_node.c      a process: shell, effects   gossip_check.c     verdicts on every step
 *   gossip_life.c      its starts and ends         gossip_truth.c     who is well; bounds; healing
 *   gossip_net.c       datagrams and cuts          gossip_stats.c     figures
 *   gossip_link.c      links                       gossip_parts.h     what these offer each other
 *
 * A node is a place where a process runs; an identity is a key. They have the same numbers, but for
 * twins: nodes after the last identity, which run under somebody else's key. */
#ifndef TESTS_SIM_GOSSIP_WORLD_H
#define TESTS_SIM_GOSSIP_WORLD_H

#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/trace.h"
#include "gossip/gossip.h"
#include "tests/sim/gossip_event.h"
#include "tests/sim/gossip_stats.h"

#include <stdio.h>

#define SWARM_MS UINT64_C(1000)
#define SWARM_SECOND UINT64_C(1000000)
#define SWARM_NODES_MAX 2000 /* tables of all pairs */
#define SWARM_REGIONS_MAX 32
#define SWARM_NEVER UINT64_MAX
#define SWARM_CONTACTS 3               /* the first nodes: everybody's configured peers */
#define SWARM_SKEW_MS UINT64_C(300000) /* clocks may differ so much, by the core's rule */
#define SWARM_WALL_MS UINT64_C(1800000000000)

struct swarm_identity {
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    struct id id;
    char name[GOSSIP_NAME_MAX + 1];
    size_t region;
    uint64_t incarnation_max; /* the greatest that it ever used */
    uint32_t published[GOSSIP_KINDS];
    uint64_t left_incarnation; /* it said goodbye as of this one; 0: never */
    bool may_conflict;         /* it had a twin, or lost what it had persisted */
    uint64_t twin_until_us;    /* verdicts about it count from here on */
    uint64_t not_after_ms;     /* of its certificate */
    uint64_t expired_us;       /* since when nobody may take it for alive; 0: it has not ended */
};

/* What an observer said of an identity so far: it must go on from there. */
struct swarm_view {
    enum gossip_state state;
    bool is_known;
    uint64_t incarnation;
    uint64_t down_incarnation; /* the greatest at which it was down or left here */
    struct {
        uint64_t incarnation, version;
    } records[GOSSIP_KINDS];
};

struct swarm_node {
    struct swarm *swarm;
    size_t index;
    size_t identity;
    struct gossip *gossip;      /* NULL: does not run */
    uint64_t life;              /* how often it was started */
    uint64_t first_incarnation; /* of this life */
    bool host_is_up;
    bool is_paused;
    bool is_liar;
    bool only_dials;
    bool crashes_at_persist;
    bool is_silent; /* it said goodbye */
    bool lies;      /* about its region, from its next NODE record on */
    bool load_changes;
    uint64_t persisted;
    unsigned key_number;   /* the newest gossip key it has, */
    uint64_t key_us;       /* since when; */
    bool seals_with_older; /* it still seals with the one before */
    uint64_t clock_us;     /* its monotonic clock is ahead by so much */
    int64_t wall_ms;       /* and its wall clock */
    int64_t start_wall_ms; /* that, when it was started: the core goes by it */
    size_t place;          /* whose address it has */
    unsigned address_generation;
    uint64_t tick_us; /* the event that is on its way; SWARM_NEVER: none */
    unsigned spins;   /* ticks at one moment */
    uint64_t seconds; /* of the shell */
    uint64_t dial_us; /* next attempt at a contact */
    unsigned dial_failures;
    size_t via[GOSSIP_VIA_MAX]; /* with whom it keeps links, if it only dials out */
    size_t via_count;
    bool redials;        /* one of those is lost, and dialled in a moment */
    unsigned met;        /* bits of the contacts that it had a link with */
    struct list waiting; /* events, while paused */
    size_t waiting_datagrams;
    uint64_t rate_us; /* since when rate_sends are counted */
    unsigned rate_sends;
    uint64_t own_incarnation; /* as last seen, and */
    unsigned raises;          /* how often it has risen, in this life */
    uint64_t started_us;
    uint64_t dead_us; /* since when it does not run, or is paused */
    size_t death;     /* of stats.deaths, from 1; 0: it lives */
    bool is_well;
    uint64_t well_us;         /* since when */
    struct swarm_view *views; /* by identity, of this life */
};

struct swarm_options {
    uint64_t seed, steps, seconds, nodes, regions; /* 0: the scenario says */
    double loss;                                   /* below 0: the scenario says */
    const char *scenario;
    bool is_idle; /* loads do not change */
    bool traces_packets;
    FILE *trace_file; /* NULL: none */
};

#define SWARM_TROUBLES_MAX 64
struct swarm_trouble { /* what a fault did and healing undoes */
    bool is_active;
    unsigned type; /* enum swarm_fault_type */
    size_t node;
    uint64_t seed; /* of who is part of it */
};

struct swarm {
    struct swarm_options options;
    const char *scenario;
    struct rng rng;
    uint64_t now_us;
    uint64_t order;
    struct swarm_place *heap;
    size_t heap_count, heap_capacity;
    struct trace trace;
    struct swarm_node *nodes;
    size_t node_count, identity_count, region_count;
    struct swarm_identity *identities;
    struct map by_id;
    uint64_t secret;
    /* network */
    double loss, duplicate, tail; /* tail: chance of a delay up to tail_us */
    uint64_t tail_us;
    size_t mtu;          /* longer datagrams are lost; 0: none is too long */
    size_t *tenants;     /* by place: which node has its address */
    bool has_reused;     /* addresses: what was for one reached another */
    unsigned key_number; /* the newest gossip key that anybody has, */
    uint64_t rotated_us; /* since when */
    uint16_t *cuts;      /* [from][to]: how many partitions lie between */
    uint8_t *udp_cuts;   /* the same for datagrams alone */
    uint64_t *clear_us;  /* [from][to]: when a cut was last taken away */
    uint64_t *holes;     /* [only dials][peer]: when it last sent a datagram there */
    struct swarm_link **links;
    size_t links_open;
    size_t cut_count;
    struct swarm_trouble troubles[SWARM_TROUBLES_MAX];
    size_t starts_pending; /* processes that are to start again */
    size_t liar;           /* SIZE_MAX: none */
    /* truth */
    uint64_t cut_us;       /* the last change of cuts */
    uint64_t flapped_us;   /* the last time that links were broken */
    uint64_t disturbed_us; /* the last change of cuts, pauses, addresses */
    bool checks_bounds;    /* completeness is due */
    bool loses_nothing;    /* in this scenario every message comes within a region */
    bool is_measuring;     /* bytes and ages count */
    bool is_over;
    struct buf newcomers; /* ids whose NODE record came with the last step */
    struct list captured; /* by the liar */
    size_t captured_count;
    uint64_t digest; /* of everything that was sent */
    struct swarm_stats stats;
    unsigned failures;
};

#include "tests/sim/gossip_parts.h"
#endif
