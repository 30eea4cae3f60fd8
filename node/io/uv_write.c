/* Writing to streams on libuv: held until the turn ends when it is little, else straight to the
 * socket, and what that does not take to a queue.
 *
 * Happy path: small writes are copied to the loop's `hold` and sent with those of other streams, a
 * large one goes by one writev, uncopied; no callback. What the socket does not take is copied into
 * `waiting`; one uv_write at a time sends `sending`, and the two are swapped between, so bytes
 * never move while libuv may read them. Both are freed when empty.
 *
 * Failure modes: when a write fails but the user still reads, the failure is held back until the
 * reading side has ended too, so that an answer the peer sent before it hung up is delivered first.
 */
#include "node/io/uv_batch.h"
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
    list_remove(&s->held_node);
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

/* Straight to the socket, then to the queue. */
static void send_now(struct io_stream *s, const struct bytes *parts, size_t count)
{
    uv_buf_t bufs[IO_PARTS_MAX];
    size_t total = 0, sent = 0;
    for (size_t i = 0; i < count; i++) {
        bufs[i].base = (char *)(uintptr_t)parts[i].data; /* uv_buf_t knows no const */
        bufs[i].len = parts[i].size;
        total += parts[i].size;
    }
    if (s->connected && !s->in_flight) {
        int r = uv_try_write(&s->uv.stream, bufs, (unsigned)count);
        if (r < 0 && r != UV_EAGAIN) {
            on_write_error(s, io_err_from_uv(r));
            return;
        }
        sent = r > 0 ? (size_t)r : 0;
    }
    if (sent < total)
        queue_rest(s, parts, count, sent, total - sent);
}

/* --- small writes wait for the end of the turn, and go together */

void io_stream_send_held(struct io_stream *s)
{
    if (!list_is_linked(&s->held_node))
        return;
    struct bytes held = bytes_of(s->loop->hold + s->held_at, s->held_size);
    list_remove(&s->held_node);
    send_now(s, &held, 1);
}

static void on_held_sent(struct io_stream *s, struct bytes held, int result)
{
    list_remove(&s->held_node);
    if (result < 0 && result != UV_EAGAIN)
        on_write_error(s, io_err_from_uv(result));
    else if (result < 0 || (size_t)result < held.size)
        queue_rest(s, &held, 1, result > 0 ? (size_t)result : 0,
                   held.size - (result > 0 ? (size_t)result : 0));
}

static unsigned gather_held(struct io_loop *loop, struct io_batch_send sends[IO_BATCH_MAX])
{
    unsigned count = 0;
    LIST_EACH(it, &loop->held)
    {
        struct io_stream *s = LIST_ENTRY(it, struct io_stream, held_node);
        uv_os_fd_t fd;
        if (count == IO_BATCH_MAX)
            break;
        CHECK(uv_fileno(&s->uv.handle, &fd) == 0);
        sends[count++] = (struct io_batch_send){
            .fd = fd, .data = bytes_of(loop->hold + s->held_at, s->held_size)};
    }
    return count;
}

static void send_held_together(struct io_loop *loop)
{
    struct io_batch_send sends[IO_BATCH_MAX];
    unsigned count = gather_held(loop, sends);
    bool is_fine = io_batch_send(loop->batch, sends, count);
    for (unsigned i = 0; i < count; i++)
        on_held_sent(LIST_ENTRY(loop->held.next, struct io_stream, held_node), sends[i].data,
                     sends[i].result);
    if (is_fine)
        return;
    io_batch_destroy(loop->batch);
    loop->batch = NULL;
}

void io_send_held(struct io_loop *loop)
{
    while (!list_is_empty(&loop->held)) {
        struct list *first = loop->held.next;
        if (first->next == &loop->held || !loop->batch) /* alone */
            io_stream_send_held(LIST_ENTRY(first, struct io_stream, held_node));
        else
            send_held_together(loop);
    }
    loop->hold_size = 0;
}

/* False: it has to go at once. */
static bool hold(struct io_stream *s, const struct bytes *parts, size_t count, size_t total)
{
    struct io_loop *loop = s->loop;
    bool is_held = list_is_linked(&s->held_node);
    bool is_at_end = is_held && s->held_at + s->held_size == loop->hold_size;
    if (!loop->batch || !s->connected || s->in_flight || (is_held && !is_at_end) ||
        (is_held ? s->held_size : 0) + total > IO_HELD_MAX ||
        total > IO_HOLD_SIZE - loop->hold_size)
        return false;
    if (!is_held) {
        list_push_back(&loop->held, &s->held_node);
        s->held_at = loop->hold_size;
        s->held_size = 0;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(loop->hold + loop->hold_size, parts[i].data, parts[i].size);
        loop->hold_size += parts[i].size;
    }
    s->held_size += total;
    return true;
}

static bool can_write(const struct io_stream *s)
{
    return (s->state == STREAM_OPEN || s->state == STREAM_CONNECTING) && !s->broken && !s->finish;
}

void io_stream_write(struct io_stream *s, const struct bytes *parts, size_t count)
{
    CHECK(count <= IO_PARTS_MAX);
    struct bytes filled[IO_PARTS_MAX];
    size_t filled_count = 0, total = 0;
    if (!can_write(s))
        return;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size == 0)
            continue;
        filled[filled_count++] = parts[i];
        total += parts[i].size;
    }
    if (total == 0 || hold(s, filled, filled_count, total))
        return;
    io_stream_send_held(s); /* which may break it */
    if (can_write(s))
        send_now(s, filled, filled_count);
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
    io_stream_send_held(s);
    s->finish = true;
    if (s->connected && !s->in_flight)
        io_stream_send_fin(s);
}
