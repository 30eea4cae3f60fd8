/* A simulated connection: two ends, each with the bytes it sends. Shared by the files that carry it
 * (packet.c, conn.c, connect.c), by its users' half (stream.c, listener.c) and by those that break
 * it.
 *
 * Positions count bytes from the start; a FIN is one position after the last byte. */
#ifndef TESTS_SIM_IO_CONN_H
#define TESTS_SIM_IO_CONN_H

#include "tests/sim/io/internal.h"

enum sim_end { SIM_END_NONE, SIM_END_CONNECTING, SIM_END_OPEN, SIM_END_GONE };
struct sim_pipe {
    uint8_t *data; /* positions read..total start at data[head] */
    size_t head;
    size_t capacity;
    uint64_t total; /* written by the user */
    uint64_t taken; /* of these taken by the kernel: the rest is io_stream_queued */
    uint64_t sent;  /* sender's view: on the wire, acknowledged, allowed */
    uint64_t acked;
    uint64_t credit;
    uint64_t arrived; /* receiver's view: arrived, read, and the credit last told */
    uint64_t read;
    uint64_t told;
    uint64_t last_arrival_us;
};
struct io_stream {
    struct sim_conn *conn;
    struct sim_host *host;
    struct io_loop *loop;        /* NULL: no user (not accepted yet, or closed) */
    struct io_listener *backlog; /* waits there to be accepted */
    struct list node;            /* in the loop's or the backlog */
    const struct io_stream_ops *ops;
    void *owner;
    struct sim_ready ready;
    struct io_addr peer;
    struct sim_pipe out;
    enum sim_end state;
    enum err fail;
    bool is_established, is_reading, is_finishing, is_lingering, is_orderly;
    bool open_due, drain_due, write_due, linger_due; /* to be done in the next turn */
    bool had_queue, has_noticed; /* the user has seen a queue; it tried to use a broken stream */
    bool eof_told, fail_told;
    struct sim_event retry;
    struct sim_event linger;
    uint64_t retry_mark; /* acked when the retry was armed */
    uint64_t give_up_us; /* 0: the peer answers */
    uint64_t orphan_until_us;
    unsigned retry_count;
    bool was_heard;
};
struct sim_conn {
    struct list node; /* world->conns */
    struct sim_world *world;
    struct io_addr target;
    uint64_t id;
    size_t ref_count;         /* open ends, users, packets under way, callers on the stack */
    struct io_stream ends[2]; /* 0 has connected to 1 */
};
enum sim_packet_kind { SIM_SYN, SIM_SYN_ACK, SIM_DATA, SIM_ACK, SIM_RST };
static inline struct io_stream *sim_end_peer(struct io_stream *s)
{
    return &s->conn->ends[s == &s->conn->ends[0]];
}
/* Nobody will read from it or write to it any more; the kernel finishes what it has. */
static inline bool sim_end_is_orphan(const struct io_stream *s)
{
    return (!s->loop || s->loop->is_dead) && !s->backlog;
}
/* Arrived and not read. */
static inline uint64_t sim_pipe_unread(const struct sim_pipe *p)
{
    return (p->arrived < p->total ? p->arrived : p->total) - p->read;
}
MUST_CHECK enum err sim_conn_create(struct sim_world *w, struct sim_conn **ret_conn);
void sim_conn_ref(struct sim_conn *c);
void sim_conn_unref(struct sim_conn *c);
MUST_CHECK enum err sim_pipe_append(struct sim_pipe *p, struct bytes data);
void sim_pipe_consume(struct sim_pipe *p, uint64_t size);
void sim_conn_send(struct io_stream *s, enum sim_packet_kind kind, uint64_t start, uint64_t end);
void sim_conn_take(struct io_stream *s);     /* queue -> kernel */
void sim_conn_transmit(struct io_stream *s); /* kernel -> wire */
void sim_conn_tell_window(struct io_stream *s, bool always);
void sim_conn_receive(struct io_stream *s, enum sim_packet_kind kind, uint64_t start, uint64_t end);
void sim_conn_on_retry(struct sim_world *w, struct sim_event *event);
void sim_conn_start(struct io_stream *s);
void sim_conn_on_open_packet(struct io_stream *s, enum sim_packet_kind kind);
void sim_conn_on_reset(struct io_stream *s); /* the peer says so */
void sim_conn_gone(struct io_stream *s);     /* the kernel forgets this end */
void sim_conn_fail(struct io_stream *s, enum err e);
void sim_conn_reset(struct io_stream *s);       /* gone, and the peer is told */
void sim_conn_close(struct io_stream *s);       /* the user has closed it */
void sim_conn_end_if_done(struct io_stream *s); /* an orphan that has nothing left to do goes */

/* --- the user's half: stream.c, listener.c */
void sim_stream_init(struct io_stream *s);
void sim_stream_attach(struct io_stream *s, struct io_loop *loop);
struct io_listener *sim_listener_find(struct io_loop *loop, const struct io_addr *to);
bool sim_listener_push(struct io_listener *l, struct io_stream *s); /* false: backlog full */
void sim_listener_forget(struct io_stream *s);

#endif
