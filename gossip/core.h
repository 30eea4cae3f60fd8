/* struct gossip and what it is made of. The files of this folder share it through inner.h; nobody
 * else includes it. */
#ifndef GOSSIP_CORE_H
#define GOSSIP_CORE_H

#include "base/buf.h"
#include "base/rng.h"
#include "base/state.h"
#include "gossip/row.h"

struct gossip_rumour {
    struct gossip_row *row;
    uint8_t what;   /* an enum gossip_kind, or GOSSIP_KINDS + index of an accusation */
    uint8_t round;  /* eager rounds done */
    uint16_t told;  /* times sent */
    uint32_t stamp; /* of the message that it was put into last */
};

struct gossip_probe { /* free when row is NULL */
    struct gossip_row *row;
    uint64_t cookie;
    uint64_t sent_us;     /* when the ping went */
    uint64_t indirect_ms; /* when others are asked; UINT64_MAX: done */
    uint64_t end_ms;
    uint32_t nacks_wanted;
    uint32_t nacks;
    bool is_regular;
};

struct gossip_relay { /* a probe for another; free when target is NULL */
    struct gossip_row *target;
    struct gossip_row *asker;
    bool over_link;  /* it asked so, and is answered so */
    uint64_t cookie; /* ours */
    uint64_t asker_cookie;
    uint64_t nack_ms;
    uint64_t end_ms;
};

struct gossip_onward {
    struct gossip_row *row;
    enum gossip_kind kind;
    bool is_for_column; /* else for our guests alone */
};

struct gossip_wanted { /* asked for a moment ago */
    struct gossip_ref ref;
    uint32_t kinds;
    uint32_t asked; /* members */
    uint64_t until_ms;
};

struct gossip_forgotten {
    struct id id; /* zero: free */
    uint64_t incarnation;
    uint64_t gone_s; /* wall clock: when it was found to be down, or left */
};

struct gossip {
    struct gossip_cfg cfg; /* name, region and ctx are the caller's only until create returns */
    char region[GOSSIP_NAME_MAX + 1];
    struct rng rng;
    uint64_t now_ms;
    uint64_t now_us;
    uint64_t wall_ms;        /* what our records say: the clock at the start, and the time since */
    uint64_t latest_wall_ms; /* or the clock now, if that is later: what others' may say */
    uint64_t deadline_ms;
    uint64_t quiet_until_ms; /* we accuse nobody before */
    bool has_left;
    unsigned health;
    struct gossip_counts counts;

    struct gossip_row **rows; /* by id */
    size_t row_count;
    struct gossip_row *self;
    uint64_t buckets[GOSSIP_BUCKETS];
    struct gossip_row **ring; /* the live of our region with us among them */
    size_t ring_count;
    size_t grid_count; /* of the ring's first, that can be dialled: they hand loads on */
    struct gossip_row *guests[GOSSIP_GUESTS_MAX]; /* who only dial, and hear all through us */
    size_t guest_count, home_gateways;
    struct gossip_row **order; /* the live but us, shuffled: whom to probe */
    size_t order_count, order_next;
    bool ring_stale;
    struct gossip_row *abroad[GOSSIP_ABROAD_MAX]; /* gateways of other regions */
    size_t abroad_count, abroad_next;
    bool is_new_gateway;  /* we are one since a moment ago: to be told abroad */
    size_t versions_next; /* the row from where on versions are shown abroad */
    struct gossip_forgotten *forgotten;
    size_t forgotten_next;

    uint64_t incarnation_ceiling; /* persisted */
    uint64_t persist;             /* to be, by this step */
    uint64_t first_incarnation;   /* of this process: sequences count from it */
    uint64_t uptime_ms;
    uint64_t sequence;                  /* of datagrams */
    uint32_t answers_left;              /* messages that the one being read may still cause */
    uint64_t refuted_ms, refute_due_ms; /* our last refutation, and one that must wait a moment */
    uint64_t ashamed_ms;                /* when a refutation last cost us health */
    uint64_t keys_made;
    /* Our incarnation is not raised over our own key's before; then we say again who we are. */
    uint64_t jump_after_ms, settle_ms;
    struct gossip_coordinate_self coordinate;

    struct gossip_probe probes[GOSSIP_PROBES_MAX];
    struct gossip_relay relays[GOSSIP_RELAYS_MAX];
    uint64_t probe_due_ms; /* the next regular one */
    uint64_t probe_number;
    uint64_t announce_due_ms;
    uint64_t suspicion_due_ms;
    uint64_t reap_due_ms;

    struct gossip_rumour rumours[GOSSIP_RUMOURS_MAX];
    size_t rumour_count;
    uint64_t rumours_due_ms; /* the next eager round */
    uint32_t put_stamp;
    struct gossip_wanted wanted[GOSSIP_WANTED_MAX];
    uint32_t giving[GOSSIP_GIVEN_MAX]; /* tags of what is in the answer being built */
    size_t giving_count;
    uint32_t digest_next; /* the bucket that the next ping or ack shows */

    struct buf load; /* our payload that is still to be published */
    bool has_load, wants_load;
    uint64_t load_due_ms;
    uint64_t load_published_ms;
    uint64_t load_moment_ms;      /* when it last was due */
    uint64_t load_asked_until_ms; /* a payload that comes before goes out at once */
    struct gossip_onward onward[GOSSIP_ONWARD_MAX]; /* what we hand on to our column */
    size_t onward_count;
    uint64_t relay_due_ms;

    struct buf message; /* being built */
    struct buf out;     /* built and sealed */
    uint8_t plain[GOSSIP_DATAGRAM_MAX];
    uint8_t *to_verify; /* GOSSIP_TO_SIGN_HEAD + GOSSIP_SIGNED_MAX bytes */
    struct gossip_send sends[GOSSIP_SENDS_MAX];
    size_t send_count;
    struct gossip_change changes[GOSSIP_CHANGES_MAX];
    size_t change_count;
    struct gossip_news news[GOSSIP_NEWS_MAX];
    size_t news_count;
    struct gossip_refusal refusals[GOSSIP_REFUSALS_MAX];
    size_t refusal_count;
    struct buf twin;
    bool identity_conflict, overflow;
};

#endif
