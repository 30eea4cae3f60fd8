/* One link: a TCP stream, the handshake on it, then sealed records that carry two HTTP/2 sessions,
 * pings and an end. Inside node/mesh only. Four files: link.c (life), link_in.c (bytes that came),
 * link_out.c (bytes that go), link_ping.c (is it alive).
 *
 *   connecting ──> handshaking ──> up ──> draining ──> gone     (any of them straight to gone, too)
 *
 * Happy path: link_dial or link_accept; handshake; peer_link_up; records; link_end. Failure modes:
 * every one of them is a reason and ends in link_end: refused or garbled handshakes, the deadline,
 * a record that does not open, a broken stream, a ping unanswered. A link that ended is off all
 * lists at once; its memory and its streams' on_closed follow at the end of the loop's turn, so it
 * may be ended from anywhere. */
#ifndef NODE_MESH_LINK_H
#define NODE_MESH_LINK_H

#include "node/mesh/handshake.h"
#include "node/mesh/mail.h"
#include "node/mesh/mesh.h"
#include "node/mesh/record.h"

#define LINK_UNFINISHED_MAX 64    /* inbound handshakes at a time; one more drops the oldest */
#define LINK_PER_PEER_MAX 4       /* two dials that cross, twice; one more ends the oldest */
#define LINK_OUT_MAX (128 * 1024) /* sealed into one write */
#define LINK_DRAIN_MS 30000       /* what a link that lost to another may still take */
#define LINK_LINGER_MS 1000       /* for a last record to be read */
#define LINK_HEAD_MAX                                                                              \
    (64 * 1024) /* one header block: a client's header and an envelope, or receipts */

enum link_state { LINK_CONNECTING, LINK_HANDSHAKING, LINK_UP, LINK_DRAINING, LINK_GONE };

struct contact;

#define LINK_PINGS_KEPT 8 /* whose answers can still be measured */

struct link_ping {
    struct io_timer timer;
    uint64_t due_ms;   /* when the timer is to fire: much later than that, we were stalled */
    uint64_t asked_ms; /* the oldest unanswered one; judged by */
    uint64_t last_ms;  /* when one was asked last */
    uint64_t next_id;  /* of the next one to be written */
    uint64_t first_id; /* the oldest unanswered one */
    struct {
        uint64_t us; /* to measure by */
        uint64_t ms;
    } sent[LINK_PINGS_KEPT]; /* by id */
    bool is_unanswered;
    bool is_due;      /* one is to be written */
    bool pong_is_due; /* pong is to be written */
    uint8_t pong[RECORD_PING_SIZE];
};

struct link {
    struct mesh *mesh;
    struct list node;        /* in mesh->links, or once gone in mesh->gone_links */
    int state;               /* enum link_state */
    bool dialled;            /* by us */
    bool is_mute;            /* nothing can be written any more */
    bool goaway;             /* the peer takes no new requests here */
    bool is_provisional;     /* its node is not admitted yet: it may only bring its admission */
    struct contact *contact; /* whose address was dialled; NULL for inbound ones */
    struct io_addr addr;     /* the other end, for the log */
    struct io_stream *stream;
    struct io_timer deadline; /* of the handshake, then of draining */
    struct io_task flush;
    struct record_frames frames;
    struct handshake *handshake; /* NULL once it is up */
    struct peer *peer;           /* NULL before */
    struct record_writer writer;
    struct noise_cipher receive;
    struct h2 *client;                      /* our requests */
    struct h2 *server;                      /* theirs */
    bool server_first;                      /* whose turn it is to be pulled */
    uint8_t static_key[CRYPTO_PUBLIC_SIZE]; /* the peer's process */
    uint64_t not_after_ms;                  /* of the peer's certificate */
    uint64_t up_ms;
    uint64_t up_order; /* counts links that came up */
    uint64_t read_ms;  /* when bytes came last */
    uint64_t used_ms;  /* when a stream was there last, roughly */
    struct link_ping ping;
    struct mail_link mail;
};

/* Dials; the link is on mesh->links. NO_MEMORY, FD_LIMIT. */
MUST_CHECK enum err link_dial(struct mesh *m, const struct io_addr *addr, struct contact *contact,
                              struct link **ret_link);
/* Takes an accepted stream over. */
void link_accept(struct mesh *m, struct io_stream *stream);
/* Ends it now. The peer is told the reason if it can be. Harmless on a link that is gone. */
void link_end(struct link *l, enum err reason);
/* Another link to the peer is kept: running streams may finish, then it ends with
 * DUPLICATE_LINK. */
void link_drain(struct link *l);
/* Frees what link_end left; streams get on_closed. Not from within a callback of the mesh. */
void link_reap(struct mesh *m);
static inline bool link_is_open(const struct link *l)
{
    return l->state == LINK_UP || l->state == LINK_DRAINING;
}

/* --- between the four files */
extern const struct io_stream_ops link_stream_ops;
void link_on_read(void *owner, struct bytes data);
/* The handshake is done and confirmed. */
MUST_CHECK enum err link_up(struct link *l);
/* Something is to be written: does so at the end of the loop's turn. */
void link_output(struct link *l);
void link_out_run(struct io_task *task);
/* Writes handshake bytes or a last record: what mesh->out holds. */
void link_out_write(struct link *l);
/* Tells the peer why, as far as the link's state allows. */
void link_out_goodbye(struct link *l, enum err reason);
void link_ping_start(struct link *l);
void link_ping_stop(struct link *l);
void link_ping_notice_stall(struct link *l);
/* A stream opens: the peer must prove that it is there. */
void link_ping_wake(struct link *l);
/* Numbers the ping that is written now. */
uint64_t link_ping_take(struct link *l);
void link_ping_on_pong(struct link *l, struct bytes body);
/* A ping waits for its answer for longer than MESH_SUSPECT_MS. */
bool link_ping_is_late(const struct link *l);

#endif
