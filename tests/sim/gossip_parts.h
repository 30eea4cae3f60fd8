/* What the files of a swarm offer each other; the rest of gossip_world.h, included by it alone. */
#ifndef TESTS_SIM_GOSSIP_PARTS_H
#define TESTS_SIM_GOSSIP_PARTS_H

#include "tests/sim/gossip_world.h"

/* --- gossip_world.c */
struct swarm *swarm_create(const struct swarm_options *options, size_t nodes, size_t regions);
void swarm_destroy(struct swarm *s);
void swarm_run_until(struct swarm *s, uint64_t until_us); /* or until the first failure */
struct swarm_event *swarm_event(struct swarm *s, uint64_t at_us, enum swarm_event_type type,
                                size_t node, struct bytes data);
void swarm_at(struct swarm *s, uint64_t at_us, swarm_call call, uint64_t argument);
/* An invariant was broken: says so on stderr. */
void swarm_fail(struct swarm *s, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- gossip_identity.c */
extern const struct gossip_ops swarm_honest_ops, swarm_liar_ops;
void swarm_identity_init(struct swarm *s, size_t number);
size_t swarm_identity_of(const struct swarm *s, const struct id *id); /* SIZE_MAX: nobody */
void swarm_sign(const struct swarm *s, const uint8_t key[32], struct bytes message,
                uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE]);
#define SWARM_PAYLOAD_MAX 4096
/* The next payload of this node; counted as published. */
struct bytes swarm_payload(struct swarm_node *n, enum gossip_kind kind,
                           uint8_t storage[SWARM_PAYLOAD_MAX]);
/* It was really published by that identity, and within its certificate; when. */
bool swarm_payload_is_true(const struct swarm *s, size_t identity, enum gossip_kind kind,
                           struct bytes payload, uint64_t *ret_made_us);
/* size 0: it only dials out, or that is no NODE payload. */
struct gossip_addr swarm_payload_addr(struct bytes payload);
uint64_t swarm_payload_not_after_ms(struct bytes payload); /* of a NODE record */
struct gossip_addr swarm_addr(const struct swarm_node *n);
size_t swarm_addr_node(const struct swarm *s, const struct gossip_addr *addr); /* SIZE_MAX */
/* What it opens datagrams with, the one that it seals with first. */
void swarm_gossip_keys(const struct swarm_node *n, bool seals_with_older,
                       uint8_t ret_keys[GOSSIP_KEYS_MAX][32]);

/* --- gossip_node.c */
void swarm_node_obey(struct swarm_node *n, struct swarm_event *e); /* an event for its process */
void swarm_node_step(struct swarm_node *n, struct gossip_event *event);
void swarm_node_begin(struct swarm_node *n); /* what a shell does first */
uint64_t swarm_node_clock_ms(const struct swarm_node *n);
uint64_t swarm_node_wall_ms(const struct swarm_node *n);
void swarm_node_publish(struct swarm_node *n, enum gossip_kind kind);
void swarm_node_take_key(struct swarm_node *n); /* the newest gossip key */
static inline bool swarm_node_runs(const struct swarm_node *n)
{
    return n->gossip && !n->is_paused;
}

/* --- gossip_life.c */
void swarm_node_start(struct swarm_node *n);
void swarm_node_kill(struct swarm_node *n, bool host_too);
void swarm_node_pause(struct swarm_node *n);
void swarm_node_continue(struct swarm_node *n);
void swarm_node_goodbye(struct swarm_node *n);
void swarm_node_move(struct swarm_node *n); /* to another address */

/* --- gossip_net.c */
void swarm_datagram(struct swarm_node *from, const struct gossip_addr *to, struct bytes data);
void swarm_datagram_arrives(struct swarm *s, struct swarm_event *e);
/* One way, as drawn by chance. */
uint64_t swarm_latency_us(struct swarm *s, size_t from, size_t to);
bool swarm_is_cut(const struct swarm *s, size_t from, size_t to);
void swarm_cut(struct swarm *s, size_t from, size_t to, int more); /* one way; 1 or -1 */
void swarm_udp_cut(struct swarm *s, size_t a, size_t b, int more); /* both ways */

/* --- gossip_link.c */
enum swarm_link_state { SWARM_LINK_CLOSED, SWARM_LINK_DIALING, SWARM_LINK_UP };
struct swarm_link {
    size_t ends[2]; /* nodes; 0 is the smaller */
    uint64_t lives[2];
    enum swarm_link_state state;
    unsigned dialer;
    bool is_kept;    /* not closed for want of use */
    uint64_t serial; /* events of an older one are void */
    uint64_t dialed_us, used_us;
    struct list queues[2]; /* messages of each end */
};
/* Sends over the link to that node, dials if there is none; size 0: only dials. */
void swarm_link_send(struct swarm_node *from, size_t to, struct bytes data);
void swarm_link_handle(struct swarm *s, struct swarm_event *e); /* SWARM_LINK_* */
bool swarm_link_is_open(const struct swarm *s, size_t a, size_t b);
/* Breaks it: both shells have evidence, where they run and the path is open. */
void swarm_link_break(struct swarm *s, size_t a, size_t b, enum err reason);
/* The node's process ended. */
void swarm_links_of_dead(struct swarm *s, size_t node);
void swarm_links_sweep(struct swarm *s);
void swarm_links_fini(struct swarm *s);

/* --- gossip_liar.c */
void swarm_liar_begin(struct swarm *s, uint64_t until_us); /* it is s->liar */
/* Keeps a copy of what passes, for replays. */
void swarm_liar_hears(struct swarm *s, const struct swarm_event *e);
void swarm_liar_fini(struct swarm *s);

/* --- gossip_check.c */
void swarm_check_step(struct swarm_node *n, const struct gossip_effects *effects);
void swarm_check_send(struct swarm_node *n, const struct gossip_send *send);

/* --- gossip_truth.c */
/* Who runs, is paused or cut off has changed. */
void swarm_truth_changed(struct swarm *s);
/* It was not disturbed for so long: it ran and could talk to most of its region. */
bool swarm_is_well_for(const struct swarm *s, const struct swarm_node *n, uint64_t for_us);
/* No process of that identity runs, since when. */
bool swarm_identity_is_dead(const struct swarm *s, size_t identity, uint64_t *ret_since_us);
void swarm_check_bounds(struct swarm *s); /* now and then: completeness, tables */
/* All running nodes see the same; else why not (when ret_why). */
bool swarm_is_equal(struct swarm *s, char *ret_why, size_t why_size);
/* Nobody abroad is alive to anybody who sees no gateway in it. */
bool swarm_strangers_are_forgotten(const struct swarm *s, char *ret_why, size_t why_size);

/* --- gossip_faults.c */
enum swarm_fault_type {
    SWARM_FAULT_KILL,
    SWARM_FAULT_POWER,
    SWARM_FAULT_RESTART,
    SWARM_FAULT_FORGET,  /* restart without the persisted incarnation */
    SWARM_FAULT_PERSIST, /* crash between persist and send */
    SWARM_FAULT_PAUSE,
    SWARM_FAULT_CUT_ONE,
    SWARM_FAULT_CUT_GROUP,
    SWARM_FAULT_CUT_REGION,
    SWARM_FAULT_CUT_ONE_WAY,
    SWARM_FAULT_UDP,
    SWARM_FAULT_FLAP,
    SWARM_FAULT_CLOCK,
    SWARM_FAULT_MOVE,
    SWARM_FAULT_LEAVE,
    SWARM_FAULT_TWIN,
    SWARM_FAULT_EXPIRE, /* its certificate ends, and it gets another */
    SWARM_FAULT_REKEY,  /* the gossip key is rotated, from the victim on */
    SWARM_FAULT_REUSE,  /* another node takes a dead one's address, which comes back at another */
    SWARM_FAULTS,
};
/* The fault begins now and heals after about for_us. */
void swarm_fault(struct swarm *s, enum swarm_fault_type type, uint64_t for_us);
/* What faults left is mended: all run, nobody is paused, no cut. The dead stay dead. */
void swarm_heal(struct swarm *s);

/* --- gossip_scenario.c: one seed; the number of broken invariants */
unsigned swarm_live(const struct swarm_options *options, struct swarm_stats *ret_stats);
bool swarm_scenario_exists(const char *name);

#endif
