/* What the files of the real loop (uv_*.c) share, and no one else: the loop's insides and the
 * door's conversions. Only these files include <uv.h>. */
#ifndef NODE_IO_UV_LOOP_H
#define NODE_IO_UV_LOOP_H

#include "node/io/addr.h"
#include "node/io/loop.h"
#include "node/io/stream.h"
#include "node/io/timers.h"

#include <uv.h>

struct io_batch;

#define IO_TASKS_PER_TURN_MAX 4096 /* a task that posts itself for ever must not stop the loop */
#define IO_HOLD_SIZE (128 * 1024)  /* small writes that wait for the end of the turn */
#define IO_HELD_MAX (8 * 1024)     /* of one stream; more goes out at once */
#define IO_FREE_STREAMS_MAX 256    /* about 1 KiB each; keeps connection churn away from malloc */
#define IO_WORK_MAX 64             /* jobs queued or running */
#define IO_RESOLVE_MAX 64          /* look-ups queued or running, cancelled ones included */

struct io_loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* runs just before the loop sleeps: tasks, then arming `alarm` */
    uv_timer_t alarm;     /* the one libuv timer, drives the whole heap */
    uint64_t armed_ms;    /* when the alarm goes off; may be earlier than any timer needs */
    struct io_timers timers;
    struct list tasks;
    struct list last_tasks;
    size_t object_count; /* objects their users have not ended yet */
    size_t linger_count; /* streams detached from their users, still sending */
    struct list jobs;
    size_t work_count;
    size_t resolve_count;
    struct io_batch *batch; /* NULL: every write goes out at once */
    struct list held;       /* streams with bytes in `hold`, in their order there */
    size_t hold_size;
    int reserve_fd; /* given up for a moment to drop connections when no descriptor is left */
    struct list free_streams;
    size_t free_stream_count;
    uint8_t read_buffer[IO_READ_SIZE];
    uint8_t hold[IO_HOLD_SIZE]; /* small writes of this turn */
};

/* uv_addr.c: the only place where foreign error codes and sockaddrs are read. */
enum err io_err_from_uv(int uv_error);
void io_addr_from_sockaddr(const struct sockaddr *sa, struct io_addr *ret_addr);
/* For IPv4 and IPv6; returns the size, 0 for other families. */
socklen_t io_addr_to_sockaddr(const struct io_addr *a, struct sockaddr_storage *ret_sa);
socklen_t io_addr_to_sockaddr_un(const struct io_addr *a, struct sockaddr_storage *ret_sa);

/* uv_loop.c: lends the loop's read buffer; data of the handle is not looked at. */
void io_lend_read_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *ret_buf);

/* uv_stream.c: takes over a connected, non-blocking socket. On error fd stays the caller's. */
MUST_CHECK enum err io_stream_adopt(struct io_loop *loop, int fd, const struct io_addr *peer,
                                    struct io_stream **ret_stream);
void io_free_streams_release(struct io_loop *loop);

/* uv_write.c: sends what this turn's small writes left behind. */
void io_send_held(struct io_loop *loop);

#endif
