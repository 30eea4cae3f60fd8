/* The mesh as one node sees it: its links, and a peer for every node that gossip tells of. The only
 * header of node/mesh that other folders include (besides facts.h, summary.h, orders.h).
 *
 * A link is one TCP connection between two nodes, whoever dialled it:
 * Noise_XX_25519_ChaChaPoly_BLAKE2b, the certificates in the handshake payload, sealed records
 * inside, and in them one HTTP/2 session per direction.
 *
 *   wanted ──dial──> connecting ──> handshaking ──> up ──> draining ──> gone ──back-off──> dial …
 *
 * There is one link per pair of nodes; of two made at once both sides keep the one dialled by the
 * smaller id. A peer that does not answer pings within MESH_PING_TIMEOUT_MS is cut off and its
 * unfinished streams end with LINK_LOST. Who is alive is gossip's business (gossip/gossip.h), by
 * datagrams on the same port and by messages over links; who has no link may well be alive. */
#ifndef NODE_MESH_MESH_H
#define NODE_MESH_MESH_H

#include "base/log.h"
#include "base/rng.h"
#include "base/trace.h"
#include "gossip/gossip.h"
#include "node/http/h2.h"
#include "node/io/stream.h"
#include "node/mesh/facts.h"
#include "node/mesh/summary.h"
#include "node/trust/envelope.h"
#include "node/trust/keyring.h"

#define MESH_PEERS_MAX 4096 /* the down and the left among them */
#define MESH_CONTACTS_MAX 64
#define MESH_REMEMBERED_MAX 32   /* members' addresses kept for a start without contacts */
#define MESH_LINKS_WANTED_MAX 32 /* that this node keeps for requests */
#define MESH_LINKS_RARE_MAX 32   /* beside those, to whoever alone has a model */
#define MESH_LINKS_ABROAD_MAX 32 /* ... to gateways of regions that have what home has not */
#define MESH_FACTS_INTERVAL_MS 1000
#define MESH_PING_INTERVAL_MS 500 /* while a stream is open; measures RTT */
#define MESH_KEEPALIVE_MS 15000   /* while none is: below what NATs allow for */
#define MESH_SUSPECT_MS 1000      /* a ping unanswered: not chosen while others are there */
#define MESH_PING_TIMEOUT_MS 3000 /* a ping unanswered for this long: cut */
#define MESH_IDLE_MS 60000        /* without a stream, and not wanted: closed */
#define MESH_DIAL_TIMEOUT_MS 5000 /* connect and handshake together */
#define MESH_BACKOFF_MIN_MS 100   /* jittered, doubling */
#define MESH_BACKOFF_MAX_MS 10000

enum peer_state { PEER_DOWN, PEER_ALIVE, PEER_SUSPECT, PEER_LEFT };
const char *peer_state_name(enum peer_state s); /* contract.md: down alive suspect left */

struct link;
struct mesh;

/* The pointer stays valid as long as gossip knows the node, a link to it is up, a request runs
 * there, or one may have run in the last day. */
struct peer {
    struct id id;
    uint8_t key[CRYPTO_PUBLIC_SIZE]; /* Ed25519 */
    char name[CERT_NAME_MAX + 1];    /* by its certificate */
    enum tier tier;                  /* by its certificate */
    char region[CERT_NAME_MAX + 1];  /* by its certificate */
    uint8_t chain[CERT_CHAIN_SIZE_MAX];
    size_t chain_size;
    enum peer_state state;     /* gossip's; of a node without a record: whether a link is up */
    uint64_t incarnation;      /* 0: not known */
    struct link *link;         /* NULL: none is up */
    bool is_late;              /* the link's pings wait for their answers */
    bool draining;             /* it said so: no new requests */
    bool is_provisional;       /* the rules do not know it yet */
    uint64_t rtt_us;           /* smoothed (RFC 6298's alpha); 0 not known */
    uint64_t changed_ms;       /* when state last changed, io_now_ms */
    const struct facts *facts; /* newest; NULL until it was said who it is and what it serves */
    uint64_t facts_ms; /* as of then they were true, io_now_ms: silence of the living confirms */
    struct facts_load load; /* newest report, by gossip or by an answer */
    uint64_t load_ms;       /* likewise; 0: not known */
    uint32_t inflight;      /* requests that this node has running there: counted by the egress */
    /* envelopes */
    uint64_t next_sequence;        /* ours towards it; starts at 1 */
    struct envelope_window window; /* theirs towards us */
    struct batch_cache envelope_cache;
};

struct mesh_stream; /* a request on a link, embedded in its user's object; callbacks as in h2.h */
struct mesh_stream_ops {
    void (*on_head)(struct mesh_stream *ms, const struct http_head *head,
                    bool ended); /* client side only */
    void (*on_data)(struct mesh_stream *ms, struct bytes data);
    void (*on_end)(struct mesh_stream *ms, const struct http_head *trailers);
    void (*on_want)(struct mesh_stream *ms);
    /* The stream is gone; ms->h2 is NULL. OK, RESET, CANCELLED, REFUSED (never processed),
     * LINK_LOST, ... */
    void (*on_closed)(struct mesh_stream *ms, enum err reason);
};
struct mesh_stream {
    const struct mesh_stream_ops *ops;
    struct peer *peer;
    struct h2_stream *h2; /* use h2_respond, h2_send, h2_end, h2_consume on it */
};

struct mesh_ops {
    /* A peer's request (any path but those of gossip and its keys). The callee sets *ret_stream to
     * its own mesh_stream (ops, peer and h2 are filled in by the mesh before the first callback) or
     * returns an err to refuse it. head is borrowed. */
    enum err (*on_request)(void *owner, struct peer *peer, struct h2_stream *s,
                           const struct http_head *head, bool ended,
                           struct mesh_stream **ret_stream);
    /* Our own facts, now; borrowed until the next call. mesh_addr and rules are filled in by
     * the mesh. */
    const struct facts *(*facts)(void *owner);
    /* A peer's state changed, or what it offers; its load is read when needed. May be NULL. */
    void (*on_peer)(void *owner, struct peer *peer);
    /* What a peer says of the rules changed. Called from within a step, as on_identity_taken. */
    void (*on_rules)(void *owner, struct peer *peer);
    /* Our incarnation will be this, or less: it must be on disk on return. An error: nothing is
     * sent under it. NULL: nothing is kept (tests). */
    enum err (*persist_incarnation)(void *owner, uint64_t incarnation);
    /* A newer key ring came: to be given to mesh_open at the next start. NULL: nothing is kept. */
    enum err (*persist_keyring)(void *owner, struct bytes ring);
    /* Members' addresses changed: lines "host:port" for mesh_open's next start. NULL: none. */
    enum err (*persist_remembered)(void *owner, struct bytes text);
    /* A process of the same identity runs since before this one: this one should end, and not say
     * goodbye. Called once, from within a step: nothing of the mesh may be called. May be NULL. */
    void (*on_identity_taken)(void *owner);
    /* What other regions are believed to serve changed, or by whom. May be NULL. */
    void (*on_abroad)(void *owner);
    /* These deployments failed the peer, as of `ms` (io_now_ms). May be NULL. */
    void (*on_accused)(void *owner, struct peer *, const uint64_t *hashes, size_t, uint64_t ms);
    /* Whether a node with good certificates may be here. OK; REVOKED; NOT_ADMITTED: a link to it is
     * provisional, it may bring its admission (mesh_cfg.admission) alone. NULL: all may. */
    enum err (*admit)(void *owner, const struct id *node);
    /* Whether the rules have this key of gossip under this number. NOT_FOUND: not yet; NOT_ALLOWED:
     * never. NULL: whoever signs a ring may. */
    enum err (*check_key)(void *owner, uint64_t number, const uint8_t key[KEYRING_KEY_SIZE]);
};

struct mesh_cfg {
    struct io_loop *loop;
    const struct identity *identity; /* borrowed, lives longer */
    const struct log *log;
    const struct trace *trace; /* may be NULL */
    uint64_t seed;             /* jitter */
    struct io_addr listen;
    const char *advertise; /* "host:port", or NULL: the listen address if definite, or "none" */
    const char *const *contacts; /* "host:port"; names are resolved at each dial */
    size_t contact_count;
    uint32_t streams_max;    /* per peer and direction */
    uint32_t stream_window;  /* bytes of an answer in flight to us, per stream */
    uint32_t request_window; /* bytes of a request's body in flight to us, per stream */
    uint64_t rekey_bytes;    /* 0: 1 GiB */
    uint64_t rekey_ms;       /* 0: 1 h */
    struct bytes keyring;    /* encoded, borrowed for the call; empty: it comes over a link */
    uint8_t gossip_key[32];  /* until there is a ring */
    struct bytes remembered; /* as persisted last, borrowed for the call; may be damaged */
    uint64_t incarnation;    /* the last one persisted; 0: none */
    const char *admission;   /* the one path (its beginning) of provisional links; outlives it */
};

/* Listens (TCP and UDP, one port) and begins to dial. The errors of io_listen. */
MUST_CHECK enum err mesh_open(const struct mesh_cfg *cfg, const struct mesh_ops *ops, void *owner,
                              struct mesh **ret_mesh);
/* Cuts all links; every stream gets on_closed(LINK_LOST). A node that drained says goodbye. */
void mesh_close(struct mesh *m);
/* GOAWAY to all: peers send no new requests; running ones go on. No new links are made. */
void mesh_drain(struct mesh *m);
void mesh_leave(struct mesh *m);        /* tells all; gossip ends, links go on: drain, then close */
void mesh_review_clock(struct mesh *m); /* has it stepped? For those who judge by it */
void mesh_listen_addr(const struct mesh *m, struct io_addr *ret_addr);
const char *mesh_advertised(const struct mesh *m); /* what peers dial; "": it only dials out */

bool mesh_has_conflict(const struct mesh *m);    /* another process spoke as us, lately */
uint64_t mesh_incarnation(const struct mesh *m); /* our own */

size_t mesh_peer_count(const struct mesh *m);
struct peer *mesh_peer(const struct mesh *m, size_t index);             /* by id */
struct peer *mesh_peer_find(const struct mesh *m, const struct id *id); /* or NULL */
/* A member by gossip, or linked now. Other rows are kept for their envelopes alone. */
bool mesh_peer_is_listed(const struct peer *p);
bool mesh_peer_is_usable(const struct peer *p); /* a new request can be opened to it now */
/* Other regions as their gateways sum them up; changes between turns of the loop. */
const struct summary_view *mesh_abroad(const struct mesh *m);
/* A load report that came with an answer. */
void mesh_peer_load(struct mesh *m, struct peer *p, const struct facts_load *load);
/* The rules changed: links to who may not be here any more end, provisional ones become whole. */
void mesh_review_admission(struct mesh *m);
/* They have another key of gossip: a ring that came before they said so is taken over. */
void mesh_review_keys(struct mesh *m);
/* Links to these nodes are wanted, until the next call. */
void mesh_want_links(struct mesh *m, const struct id *nodes, size_t count);
uint64_t mesh_distance_us(const struct mesh *m, const struct peer *p); /* 0: not known */
/* What this node tells others of the replicated rules and its part in them, from now on: known (it
 * was not, before the first call). Peers' are in their facts. */
void mesh_set_rules(struct mesh *m, const struct facts_rules *rules);
const struct facts_rules *mesh_rules(const struct mesh *m); /* what was set */
/* Our facts changed: what is new of them is published now, at most every 100 ms. */
void mesh_facts_changed(struct mesh *m);

/* A request to a peer: ms->ops is the caller's; ms->peer and ms->h2 are filled in. Errors of
 * h2_request; LINK_LOST when no link is up. */
MUST_CHECK enum err mesh_stream_open(struct peer *p, const struct http_head *head, bool ended,
                                     struct mesh_stream *ms);
/* Gives it up; no callback comes any more. Harmless when it is gone. */
void mesh_stream_cancel(struct mesh_stream *ms);

#endif
