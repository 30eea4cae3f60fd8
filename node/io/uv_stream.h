/* The insides of a stream, shared by uv_stream.c (beginning, reading, ending) and uv_write.c (the
 * queue). No one else includes it. */
#ifndef NODE_IO_UV_STREAM_H
#define NODE_IO_UV_STREAM_H

#include "base/state.h"
#include "node/io/uv_loop.h"

enum io_stream_state {
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_FAILED,
    STREAM_LINGERING,
    STREAM_CLOSED
};

struct io_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    union { /* never both at once */
        uv_connect_t connect;
        uv_write_t write;
    } req;
    struct io_loop *loop;
    const struct io_stream_ops *ops;
    void *owner;
    int state; /* enum io_stream_state */
    bool connected;
    bool reading; /* wanted by the user; libuv reads when connected too */
    bool got_eof;
    bool in_flight; /* a uv_write holds `sending` */
    bool finish;    /* FIN once the queue is empty */
    bool fin_sent;
    enum err broken;       /* why writing is no longer possible; on_fail is still to come */
    struct list held_node; /* loop's held: `held_size` bytes of its hold */
    size_t held_at;
    size_t held_size;
    struct buf sending;
    struct buf waiting;
    struct io_task fail_task;
    struct io_timer timer; /* linger, or BROKEN_READ_MS */
    struct io_addr peer;
    struct list free_node;
};

/* uv_stream.c. fail tells the user now and is called from the loop only; fail_later may be called
 * from anywhere. end gives the stream back; the user must have let go of it. */
void io_stream_fail(struct io_stream *s, enum err e);
void io_stream_fail_later(struct io_stream *s, enum err e);
void io_stream_end(struct io_stream *s);
void io_stream_end_linger_when_done(struct io_stream *s);

/* uv_write.c. The socket must be connected and nothing in flight. */
void io_stream_send_held(struct io_stream *s); /* nothing may be held: fine */
void io_stream_send_waiting(struct io_stream *s);
void io_stream_send_fin(struct io_stream *s);

#endif
