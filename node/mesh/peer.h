/* The table of peers: a row for every member that gossip tells of and for every node that was
 * linked; by which link it is reached, what it said of itself. Inside node/mesh only. Two files:
 * peer.c (rows, links, states), peer_facts.c (what gossip brings).
 *
 * States are gossip's. A node that no record tells of yet has the state of its links:
 *
 *   down ──link──> alive ──no link──> down, or left if it said goodbye */
#ifndef NODE_MESH_PEER_H
#define NODE_MESH_PEER_H

#include "base/arena.h"
#include "node/mesh/contact.h"
#include "node/mesh/handshake.h"
#include "node/mesh/keys.h"
#include "node/mesh/mail.h"
#include "node/mesh/mesh.h"

#define PEER_FACTS_SIZE_MAX (512 * 1024) /* decoded */
/* No request lasts longer than a day: by then nobody holds a pointer to the row. */
#define PEER_KEEP_MS (25 * 3600 * 1000ull)
#define PEER_SILENCE_MS 1000 /* a load that changed would have come by then */

struct peer_slot {
    struct peer peer; /* first: what others see */
    struct mesh *mesh;
    bool is_member;       /* gossip knows it */
    bool was_member;      /* it did */
    struct list parted;   /* in mesh->parted */
    uint64_t unlinked_ms; /* when its last link ended; 0: it never had one */
    struct arena arena;   /* what `facts` borrows */
    struct facts facts;
    struct facts_backend *backends; /* facts.backends */
    struct facts_load reported;     /* by gossip, not by answers */
    bool has_report;
    uint64_t rules_life; /* the boot_ms of the process that said facts.rules */
    struct contact contact;
    struct mailbox mail;
    struct keys_peer keys;
    bool wants_link; /* upkeep: it executes, and is near enough */
    bool is_via;     /* upkeep: we are reached through it */
    bool is_ruled;   /* the rules want a link to it */
    bool is_revoked; /* whatever gossip says, it has left */
    bool is_tried; /* upkeep: it is down, and dialled once in case it does not know whom to dial */
    bool is_reached; /* linked and alive, as traced last */
    uint64_t far;    /* upkeep's order */
    /* gossip_driver: what it will be told of this node */
    struct list telling;
    unsigned tells;
    struct gossip_addr endpoint;
    uint64_t rtt_us;
};

static inline struct peer_slot *peer_slot_of(struct peer *p)
{
    return (struct peer_slot *)p;
}

/* The row of this id, made if need be. LIMIT, NO_MEMORY, BAD_SIGNATURE (it is another key's). */
MUST_CHECK enum err peer_row(struct mesh *m, const struct id *id,
                             const uint8_t key[CRYPTO_PUBLIC_SIZE], struct peer **ret_peer);
/* The peer of a finished handshake, made or brought up to date; errors of peer_row. */
MUST_CHECK enum err peer_meet(struct mesh *m, const struct handshake *h, struct peer **ret_peer);
/* What its certificate says. */
void peer_take_identity(struct peer *p, const struct cert *cert, struct bytes chain);
void peer_destroy(struct peer_slot *slot);
/* Frees the rows that nobody needs or holds any more. */
void peer_reap(struct mesh *m);
void peer_move(struct peer *p, enum peer_state next, enum err reason);
/* l->peer is set and l is up. Decides which of several links is kept. */
void peer_link_up(struct link *l);
void peer_link_goaway(struct link *l);
/* After l is off the mesh's list. */
void peer_link_ended(struct link *l, enum err reason);
/* Works out whether it draws its answers to pings out. */
void peer_refresh(struct peer *p);
/* Works out whether it drains. */
void peer_review_draining(struct peer *p);
void peer_changed(struct peer *p); /* calls on_peer */
/* What the rules say of it now: links end, become whole, or its state is `left`. */
void peer_review_admission(struct peer *p);

/* --- peer_facts.c */
/* Gossip's effects. */
void peer_on_change(struct mesh *m, const struct gossip_change *change);
void peer_on_news(struct mesh *m, const struct gossip_news *news);
/* Some were left out: every row is compared with gossip. */
void peer_review_all(struct mesh *m);
/* Once a second: a living peer that says nothing has nothing new to say. */
void peer_confirm_all(struct mesh *m);

#endif
