/* Writing to streams on libuv: straight to the socket when it takes everything, else a queue.
 *
 * Happy path: one writev, nothing copied, no callback. What the socket does not take is copied into
 * `waiting`; one uv_write at a time sends `sending`, and the two are swapped between, so bytes
 * never move while libuv may read them. Both are freed when empty.
 *
 * Failure modes: when a write fails but the user still reads, the failure is held back until the
 * reading side has ended too, so that an answer the peer sent before it hung up is delivered first.
 */
#include "node/io/uv_stream.h"

#include <sys/socket.h>

/* A dead connection ends its reading side at once; this bounds the wait for those that do not (a
 * unix peer that only stopped reading). */
#define BROKEN_READ_MS 1000

static void on_broken_read_end(struct io_timer *timer)
{
    struct io_stream *s = LIST_ENTRY(timer, struct io_stream, timer);
    io_stream_fail(s, s->broken);
}

static void on_write_error(struct io_stream *s, enum err e)
{
    if (s->state != STREAM_OPEN || !s->reading || s->got_eof) {
        io_stream_fail_later(s, e);
    } else if (!s->broken) {
        s->broken = e;
        io_timer_start(s->loop, &s->timer, BROKEN_READ_MS, on_broken_read_end);
    }
}

void io_stream_send_fin(struct io_stream *s)
{
    /* Straight to the socket: the queue is empty, so uv_shutdown's detour over a poll adds nothing.
     */
    uv_os_fd_t fd;
    if (!s->fin_sent && uv_fileno(&s->uv.handle, &fd) == 0)
        shutdown(fd, SHUT_WR);
    s->fin_sent = true;
}

static void on_queue_empty(struct io_stream *s)
{
    buf_fini(&s->sending);
    buf_fini(&s->waiting);
    if (s->finish)
        io_stream_send_fin(s);
    if (s->state == STREAM_OPEN && s->ops->on_drain)
        s->ops->on_drain(s->owner);
    else
        io_stream_end_linger_when_done(s);
}

static void on_uv_written(uv_write_t *req, int status)
{
    struct io_stream *s = req->handle->data;
    s->in_flight = false;
    if (s->state == STREAM_CLOSED || s->state == STREAM_FAILED || s->broken)
        return;
    buf_clear(&s->sending);
    if (status < 0)
        on_write_error(s, io_err_from_uv(status));
    else if (s->waiting.size)
        io_stream_send_waiting(s);
    else
        on_queue_empty(s);
}

void io_stream_send_waiting(struct io_stream *s)
{
    struct buf empty = s->sending;
    s->sending = s->waiting;
    s->waiting = empty;
    uv_buf_t part = uv_buf_init((char *)s->sending.data, (unsigned)s->sending.size);
    int r = uv_write(&s->req.write, &s->uv.stream, &part, 1, on_uv_written);
    if (r < 0)
        on_write_error(s, io_err_from_uv(r));
    else
        s->in_flight = true;
}

/* Copies what the socket did not take: all parts without their first `sent` bytes. */
static void queue_rest(struct io_stream *s, const struct bytes *parts, size_t count, size_t sent,
                       size_t rest_size)
{
    if (rest_size > IO_QUEUE_MAX || io_stream_queued(s) > IO_QUEUE_MAX - rest_size) {
        io_stream_fail_later(s, ERR_LIMIT);
        return;
    }
    s->waiting.size_max = IO_QUEUE_MAX;
    enum err e = buf_reserve(&s->waiting, rest_size);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        struct bytes rest = bytes_skip(parts[i], sent);
        sent -= parts[i].size - rest.size;
        e = buf_append(&s->waiting, rest);
    }
    if (e != ERR_OK)
        io_stream_fail_later(s, e);
    else if (s->connected && !s->in_flight)
        io_stream_send_waiting(s);
}

static bool can_write(const struct io_stream *s)
{
    return (s->state == STREAM_OPEN || s->state == STREAM_CONNECTING) && !s->broken && !s->finish;
}

void io_stream_write(struct io_stream *s, const struct bytes *parts, size_t count)
{
    CHECK(count <= IO_PARTS_MAX);
    if (!can_write(s))
        return;
    uv_buf_t bufs[IO_PARTS_MAX];
    unsigned buf_count = 0;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size == 0)
            continue;
        bufs[buf_count].base = (char *)(uintptr_t)parts[i].data; /* uv_buf_t knows no const */
        bufs[buf_count++].len = parts[i].size;
        total += parts[i].size;
    }
    if (total == 0)
        return;
    size_t sent = 0;
    if (s->connected && !s->in_flight) {
        int r = uv_try_write(&s->uv.stream, bufs, buf_count);
        if (r < 0 && r != UV_EAGAIN) {
            on_write_error(s, io_err_from_uv(r));
            return;
        }
        sent = r > 0 ? (size_t)r : 0;
    }
    if (sent < total)
        queue_rest(s, parts, count, sent, total - sent);
}

size_t io_stream_queued(const struct io_stream *s)
{
    if (!s->in_flight)
        return s->waiting.size;
    size_t unsent = uv_stream_get_write_queue_size(&s->uv.stream);
    /* All taken by the kernel already, but on_drain is still to come: not empty to the user yet. */
    return s->waiting.size + (unsent ? unsent : 1);
}

void io_stream_finish(struct io_stream *s)
{
    if (!can_write(s))
        return;
    s->finish = true;
    if (s->connected && !s->in_flight)
        io_stream_send_fin(s);
}
