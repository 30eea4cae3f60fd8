/* Byte streams: TCP and unix sockets, listening, connecting, reading, writing.
 *
 *   io_connect ──on_open(OK)──> open ──on_eof──> half-closed (still writable)
 *        └──────on_open(err)──> failed             io_stream_close ends it from anywhere
 *
 * Reading is push: on_read lends bytes for the call (at most IO_READ_SIZE), the user takes them all
 * or pauses and takes no more afterwards. Small writes may wait for the end of the loop's turn; a
 * large one copies nothing when the socket takes everything at once. What the socket does not take
 * is copied into the stream's queue. The user keeps the queue small: after a write, while
 * io_stream_queued() > 0 it produces no more until on_drain.
 *
 * A user never learns of an error from inside its own call: io_stream_write on a broken stream
 * succeeds, and on_fail comes later from the loop. on_fail comes at most once; then only close
 * is left. */
#ifndef NODE_IO_STREAM_H
#define NODE_IO_STREAM_H

#include "base/bytes.h"
#include "base/err.h"
#include "node/io/addr.h"
#include "node/io/loop.h"

#define IO_READ_SIZE (32 * 1024) /* one read buffer per loop; also the most one on_read lends */
/* A stream whose queue would exceed this fails with ERR_LIMIT: a guard against bugs. */
#define IO_QUEUE_MAX (9 * 1024 * 1024)

struct io_stream;
struct io_listener;

struct io_stream_ops {
    /* Result of io_connect; not called for accepted streams. */
    void (*on_open)(void *owner, enum err e);
    void (*on_read)(void *owner, struct bytes data); /* never empty */
    /* The peer finished sending. */
    void (*on_eof)(void *owner);
    /* The queue became empty after it was not (io_stream_queued is then 0). */
    void (*on_drain)(void *owner);
    /* RESET, TIMEOUT, UNREACHABLE, LIMIT, IO. */
    void (*on_fail)(void *owner, enum err e);
};

/* Listening. port 0 takes a free one: ask io_listener_addr. ADDRESS_IN_USE, ADDRESS_INVALID,
 * PERMISSION. A unix socket's stale file is replaced, its mode is 0600. Each accepted stream is
 * handed over (owned by the callee) not reading yet, with no ops set: call io_stream_set, then
 * io_stream_read. When the process is out of file descriptors, pending connections are dropped and
 * existing ones go on; io_listener_dropped counts them. */
MUST_CHECK enum err io_listen(struct io_loop *loop, const struct io_addr *addr,
                              void (*on_accept)(void *owner, struct io_stream *stream), void *owner,
                              struct io_listener **ret_listener);
void io_listener_addr(const struct io_listener *l, struct io_addr *ret_addr);
uint64_t io_listener_dropped(const struct io_listener *l);
void io_listener_close(struct io_listener *l);

/* Starts connecting; writes before on_open are queued. Fails at once only for NO_MEMORY and
 * FD_LIMIT. on_open gets REFUSED, TIMEOUT, UNREACHABLE, ADDRESS_INVALID, NOT_FOUND (no such unix
 * socket), FD_LIMIT. */
MUST_CHECK enum err io_connect(struct io_loop *loop, const struct io_addr *addr,
                               const struct io_stream_ops *ops, void *owner,
                               struct io_stream **ret_stream);

/* Changes who is called. */
void io_stream_set(struct io_stream *s, const struct io_stream_ops *ops, void *owner);
/* Starts or pauses reading; both idempotent. A paused stream still reports no eof and no data. */
void io_stream_read(struct io_stream *s);
void io_stream_pause(struct io_stream *s);

/* Writes the parts in order (at most IO_PARTS_MAX); they are borrowed for the call only. */
#define IO_PARTS_MAX 64
void io_stream_write(struct io_stream *s, const struct bytes *parts, size_t count);
/* Bytes copied and waiting for the socket. */
size_t io_stream_queued(const struct io_stream *s);
/* Sends FIN after the queue; later writes are ignored. Reading goes on. */
void io_stream_finish(struct io_stream *s);
/* Ends it now: queued bytes are dropped, no callback comes any more, storage is the loop's affair.
 * If unread or unsent data is pending the peer may see a reset; finish first for an orderly end.
 * NULL is fine. */
void io_stream_close(struct io_stream *s);
/* The same, and the peer is told by a reset (TCP; a unix socket just closes): what it has read so
 * far cannot pass for a whole. */
void io_stream_reset(struct io_stream *s);
/* Ends it after the queue was sent, at the latest after linger_ms; detaches from the user at once.
 * Reads and discards until the peer ends too, so that an early answer is not lost to a reset. */
void io_stream_close_gracefully(struct io_stream *s, uint64_t linger_ms);

/* Peer's address (IO_UNIX without path for unix sockets); valid after on_open or accept. */
void io_stream_peer(const struct io_stream *s, struct io_addr *ret_addr);

#endif
