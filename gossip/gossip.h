/* Gossip: who belongs to the mesh, who is alive, and what every node says about itself. Soft facts,
 * seconds old, each signed by its owner. SWIM (Das et al., DSN 2002) with Lifeguard (Dadgar et al.,
 * arXiv 1707.00788): a node can lie only about itself.
 *
 *   alive <──> suspect ──> down ──┐      up again: only by a record of a greater incarnation,
 *     │           │               │      signed by the member itself
 *     └───────────┴──> left ──────┴──> forgotten (remembered by id and incarnation)
 *
 * Two scopes: all members of our region; of others their gateways. One that is no gateway any more
 * is forgotten from any state, and not remembered.
 *
 * Deviations: evidence travels, verdicts do not (accusations are signed, every node judges for
 * itself once GOSSIP_ACCUSERS distinct ones stand); long records are announced and fetched; loads
 * go by two hops through a grid of the region, once each (README.md).
 *
 * Not here: sockets, clocks, links, what records mean, routing. Pure: the same state and event give
 * the same effects. Events' memory is the caller's for the call; effects point into the core until
 * the next step. The shell persists, then sends, then reads changes and news. After start-up a step
 * allocates only for what is new (a member, a longer record). */
#ifndef GOSSIP_GOSSIP_H
#define GOSSIP_GOSSIP_H

#include "base/crypto.h"
#include "base/err.h"
#include "base/id.h"

#define GOSSIP_DATAGRAM_MAX 1400 /* no fragments on any path of IPv6's minimum and a tunnel */
#define GOSSIP_MESSAGE_MAX 65536 /* over a link */
#define GOSSIP_PAYLOAD_MAX 49152 /* of one record */
#define GOSSIP_NAME_MAX 63       /* of a node or region, as in certificates */
#define GOSSIP_VIA_MAX 3         /* members through whom a node that only dials out is reached */
#define GOSSIP_ACCUSERS 3        /* distinct ones that make a member down */
#define GOSSIP_GATEWAYS 3        /* of each region: known to all others */
#define GOSSIP_KEYS_MAX 2        /* gossip keys: the newer one seals, both open */

enum gossip_state { GOSSIP_ALIVE, GOSSIP_SUSPECT, GOSSIP_DOWN, GOSSIP_LEFT };
const char *gossip_state_name(enum gossip_state s); /* "alive" "suspect" "down" "left" */

/* Records by kind; the numbers are on the wire. What payloads mean is the shell's business. */
enum gossip_kind {
    GOSSIP_NODE,      /* who it is: certificate, addresses */
    GOSSIP_INVENTORY, /* backends and models */
    GOSSIP_LOAD,      /* once a second at most; also carries a raised incarnation (refutation) */
    GOSSIP_SUMMARY,   /* of a region, by its gateways, for other regions */
    GOSSIP_LEAVE,     /* empty: it left, as of this incarnation */
    GOSSIP_KINDS,
};

struct gossip_addr {      /* of a UDP endpoint; size 0: none */
    uint8_t ip[16], size; /* 4 or 16 */
    uint16_t port;
};

/* What the shell finds in a NODE record's payload. */
struct gossip_owner {
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    char name[GOSSIP_NAME_MAX + 1], region[GOSSIP_NAME_MAX + 1];
    uint64_t not_after_ms; /* of its certificate, wall clock */
    bool only_dials;       /* no address: reached through `via` */
    size_t via_count;
    struct id via[GOSSIP_VIA_MAX];
};

/* What the core cannot know. All of them deterministic, none calls back into the core. */
struct gossip_ops {
    /* Judges a payload before it is believed or passed on: its form, and that it lies within what
     * the owner's certificate allows. NODE: fills in *ret_owner (from a chain that verifies now);
     * other kinds: `region` and `name` are the owner's, ret_owner is NULL. */
    enum err (*check)(void *ctx, enum gossip_kind kind, const char *name, const char *region,
                      struct bytes payload, uint64_t wall_ms, struct gossip_owner *ret_owner);
    void (*sign)(void *ctx, struct bytes message, uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE]);
    bool (*verify)(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], struct bytes message,
                   const uint8_t signature[CRYPTO_SIGNATURE_SIZE]);
    /* A secret that only the owner of `key` and this node know (X25519). INVALID. */
    enum err (*share)(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], uint8_t ret_secret[32]);
};

struct gossip_cfg {
    struct id mesh;
    uint8_t key[CRYPTO_PUBLIC_SIZE]; /* of this node */
    const char *name, *region;
    uint64_t seed;
    uint64_t incarnation;              /* the last one persisted; 0: none */
    uint64_t now_ms, wall_ms;          /* monotonic; since 1970, its later steps change nothing */
    size_t members_max;                /* rows, the down and the left among them */
    uint8_t keys[GOSSIP_KEYS_MAX][32]; /* of the mesh's gossip, the one to seal with first */
    size_t key_count;
    const struct gossip_ops *ops;
    void *ctx;
};

enum gossip_event_type {
    GOSSIP_TICK,         /* the deadline has come */
    GOSSIP_DATAGRAM,     /* from addr: data */
    GOSSIP_LINK_MESSAGE, /* from id, whom a link authenticated: data */
    GOSSIP_LINK_UP,      /* with id: begins a repair over it */
    GOSSIP_EVIDENCE,     /* the data path to id failed: it is probed at once, no verdict */
    GOSSIP_MEASURED,     /* round trip to id by the data path: rtt_us */
    GOSSIP_ADDRESS,      /* id's UDP endpoint, as its NODE record says: addr */
    GOSSIP_PUBLISH, /* this node's payload of `kind`: data; is_urgent: a sharp change of load */
    GOSSIP_REKEY,   /* data: one or two keys of 32 bytes, the one to seal with first */
    GOSSIP_GOODBYE, /* this node leaves: tells it, and falls silent */
};

struct gossip_event {
    uint64_t now_ms, now_us; /* one clock; round trips are measured by the latter */
    uint64_t wall_ms;
    enum gossip_event_type type;
    struct id id; /* from here on: what the type says */
    struct gossip_addr addr;
    struct bytes data;
    enum gossip_kind kind;
    uint64_t rtt_us;
    bool is_urgent;
};

struct gossip_send {
    struct id to;
    bool over_link; /* dialled if need be; else a datagram to `addr` */
    struct gossip_addr addr;
    struct bytes data;
};

struct gossip_change {
    struct id id;
    char name[GOSSIP_NAME_MAX + 1];
    enum gossip_state from, to;
    bool is_new, is_forgotten; /* new: `from` means nothing */
    uint64_t incarnation;
    enum err reason; /* OK: it says so itself; TIMEOUT: accused; CERT_EXPIRED; LIMIT: no room */
    size_t accuser_count;
    struct id accusers[GOSSIP_ACCUSERS];
};

struct gossip_news { /* a record of another member was taken */
    struct id owner;
    enum gossip_kind kind;
};

struct gossip_refusal { /* for a log line; counted, too */
    struct id from;     /* owner, accuser or sender; may be zero */
    enum err reason;
};

struct gossip_effects {
    uint64_t persist_incarnation; /* not 0: must be on disk before anything is sent */
    const struct gossip_send *sends;
    const struct gossip_change *changes;
    const struct gossip_news *news;
    const struct gossip_refusal *refusals;
    size_t send_count, change_count, news_count, refusal_count;
    bool wants_load;        /* the moment for LOAD, if it changed: in the next event */
    bool identity_conflict; /* another process speaks under this node's key */
    struct bytes twin;      /* its NODE payload, or an earlier one of ours; empty: none was heard */
    bool overflow;          /* more changes or news than fit: look at all members */
};

struct gossip_record {    /* the newest of its kind; payload.data is NULL where there is none */
    struct bytes payload; /* valid until the owner's next one of this kind */
    uint64_t incarnation, version;
    uint64_t made_ms; /* by now_ms's clock: what hops said of its age is taken off */
};

struct gossip_member {
    struct id id;
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    char name[GOSSIP_NAME_MAX + 1], region[GOSSIP_NAME_MAX + 1];
    enum gossip_state state;
    uint64_t since_ms, incarnation; /* in this state; the greatest it spoke under */
    bool is_self, is_gateway;
    uint64_t heard_ms; /* its last message to us; 0: never */
    uint64_t rtt_us;   /* measured, smoothed; 0: not known */
    struct gossip_record records[GOSSIP_KINDS];
};

struct gossip_counts {
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out, link_messages_in, link_messages_out,
        link_bytes_in, link_bytes_out, probes, probes_failed, suspicions, refutations /* of ours */,
        false_alarms /* suspects that refuted */, records_new, records_known, records_refused,
        accusations_refused, datagrams_refused, stalls, syncs;
    uint64_t refused[ERR_COUNT]; /* by reason */
    size_t members[4];           /* by state, this node among them */
    unsigned rumours, health;    /* waiting to be told; Lifeguard's: 0 is good, 8 the worst */
};

struct gossip;
/* NO_MEMORY, INVALID. The first NODE record is published by the caller. */
MUST_CHECK enum err gossip_create(const struct gossip_cfg *cfg, struct gossip **ret_gossip);
void gossip_destroy(struct gossip *g);
void gossip_step(struct gossip *g, const struct gossip_event *event,
                 struct gossip_effects *ret_effects);
uint64_t gossip_deadline_ms(const struct gossip *g);
size_t gossip_member_count(const struct gossip *g); /* this node is one of them */
const struct gossip_member *gossip_member(const struct gossip *g, size_t index);      /* by id */
const struct gossip_member *gossip_find(const struct gossip *g, const struct id *id); /* or NULL */
/* The round trip to it: measured, else by coordinates; 0: not known. */
uint64_t gossip_distance_us(const struct gossip *g, const struct gossip_member *m);
void gossip_counts(const struct gossip *g, struct gossip_counts *ret_counts);

#endif
