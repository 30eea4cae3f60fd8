/* A row of the table of members: what is kept of one of them. Part of core.h; nobody else includes
 * it. */
#ifndef GOSSIP_ROW_H
#define GOSSIP_ROW_H

#include "gossip/limits.h"
#include "gossip/seal.h"

struct gossip_stored { /* a record as it travels */
    uint8_t *data;     /* signed bytes, then the signature */
    size_t signed_size;
    size_t capacity;
};

struct gossip_accusation {
    struct id accuser;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

struct gossip_given {
    uint32_t tag;   /* of a record's version; 0: free */
    uint32_t at_ms; /* the lower half */
};

struct gossip_row {
    struct gossip_member member; /* first: what others see */
    struct gossip_stored stored[GOSSIP_KINDS];
    uint64_t not_after_ms;
    bool only_dials;
    struct id via[GOSSIP_VIA_MAX];
    size_t via_count;
    struct gossip_addr addr;
    bool has_shared;
    uint8_t shared[32];
    uint8_t keys[GOSSIP_KEYS_MAX][32]; /* derived from it; good while keys_made == g->keys_made */
    uint64_t keys_made;
    struct gossip_window window;
    uint64_t rank;                 /* in its region: the lowest are gateways */
    bool is_abroad;                /* of another region than ours */
    bool has_spoken;               /* to us, since it is known */
    uint64_t linked_ms;            /* when it was last heard over a link; 0: never, or that broke */
    uint64_t doubted_ms;           /* when it was last probed because others hold it for down */
    uint64_t told_ms, answered_ms; /* what is held against it, and us: not in every message */
    uint64_t digest;               /* its share of its bucket's hash */
    struct gossip_given given[GOSSIP_GIVEN_MAX]; /* to it, by long datagrams: a ring (repair.c) */
    uint32_t given_next;
    uint64_t narrow_until_ms; /* only short ones seem to reach it */
    /* accusations against `incarnation` */
    struct gossip_accusation accusations[GOSSIP_ACCUSERS];
    size_t accusation_count;
    uint64_t suspect_ms; /* since when */
    bool is_accused_by_us;
    /* probing */
    uint32_t datagram_misses; /* in a row, while it answered by other ways */
    uint32_t link_probes;     /* over a link, because datagrams fail */
    uint32_t ring_position;   /* among the live of our region, where it is one of them */
    struct gossip_rtt_filter filter;
    struct gossip_coordinate coordinate;
    bool has_coordinate;
    /* what it may still cost us */
    uint64_t blame_since_ms; /* a window of a minute (gossip_blame_roll) */
    uint64_t taken_since_ms; /* a window of a second: its records that were looked into */
    uint32_t taken;
    uint32_t refused;      /* parts of its that were refused */
    uint32_t accused;      /* accusations by it that were taken */
    uint32_t false_alarms; /* of those, refuted; halves with each window */
};

#endif
