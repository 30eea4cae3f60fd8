/* Streams on libuv: beginning, reading, ending; writing is in uv_write.c. Streams are made by
 * io_connect (here) or handed over by a listener (uv_listener.c). Storage comes from a free list,
 * so a short connection costs no malloc.
 *
 *   connecting ──> open ──> failed ──> closed
 *       │  └────────┴───> lingering ────┘     lingering: the user is gone; the queue is
 *       └────────> failed                     still sent, input discarded, until the peer ends
 *
 * Failure modes: a failure found inside a user's call waits in `broken` and is told by a task
 * before the loop sleeps. */
#include "node/io/uv_stream.h"

#include <stdlib.h>
#include <sys/socket.h>

static const struct state_row stream_rows[] = {
    [STREAM_CONNECTING] = {"connecting", STATE_BIT(STREAM_OPEN) | STATE_BIT(STREAM_FAILED) |
                                             STATE_BIT(STREAM_LINGERING) |
                                             STATE_BIT(STREAM_CLOSED)},
    [STREAM_OPEN] = {"open", STATE_BIT(STREAM_FAILED) | STATE_BIT(STREAM_LINGERING) |
                                 STATE_BIT(STREAM_CLOSED)},
    [STREAM_FAILED] = {"failed", STATE_BIT(STREAM_CLOSED)},
    [STREAM_LINGERING] = {"lingering", STATE_BIT(STREAM_CLOSED)},
    [STREAM_CLOSED] = {"closed", 0},
};
static const struct state_table stream_states = {"stream", stream_rows, STREAM_CLOSED + 1};

static const struct io_stream_ops no_ops = {0};

static struct io_stream *stream_new(struct io_loop *loop)
{
    struct list *node = list_pop_front(&loop->free_streams);
    if (node) {
        loop->free_stream_count--;
        return LIST_ENTRY(node, struct io_stream, free_node);
    }
    return malloc(sizeof(struct io_stream));
}

static void stream_release(struct io_stream *s)
{
    struct io_loop *loop = s->loop;
    buf_fini(&s->sending);
    buf_fini(&s->waiting);
    if (loop->free_stream_count >= IO_FREE_STREAMS_MAX) {
        free(s);
        return;
    }
    list_push_front(&loop->free_streams, &s->free_node); /* the warmest first */
    loop->free_stream_count++;
}

void io_free_streams_release(struct io_loop *loop)
{
    struct list *node;
    while ((node = list_pop_front(&loop->free_streams)))
        free(LIST_ENTRY(node, struct io_stream, free_node));
    loop->free_stream_count = 0;
}

/* --- ending */

static void on_uv_closed(uv_handle_t *handle)
{
    stream_release(handle->data);
}

void io_stream_end(struct io_stream *s)
{
    if (s->state == STREAM_LINGERING)
        s->loop->linger_count--;
    list_remove(&s->held_node);
    state_move(&stream_states, &s->state, STREAM_CLOSED);
    io_task_cancel(&s->fail_task);
    io_timer_stop(&s->timer);
    uv_close(&s->uv.handle, on_uv_closed);
}

void io_stream_fail(struct io_stream *s, enum err e)
{
    if (s->state == STREAM_LINGERING) {
        io_stream_end(s);
        return;
    }
    bool was_connecting = s->state == STREAM_CONNECTING;
    void (*on_fail)(void *, enum err) = was_connecting ? s->ops->on_open : s->ops->on_fail;
    state_move(&stream_states, &s->state, STREAM_FAILED);
    list_remove(&s->held_node);
    io_task_cancel(&s->fail_task);
    io_timer_stop(&s->timer);
    uv_read_stop(&s->uv.stream);
    if (on_fail)
        on_fail(s->owner, e);
}

static void on_fail_task(struct io_task *task)
{
    struct io_stream *s = LIST_ENTRY(task, struct io_stream, fail_task);
    io_stream_fail(s, s->broken);
}

void io_stream_fail_later(struct io_stream *s, enum err e)
{
    if (s->broken)
        return;
    s->broken = e;
    io_task_post(s->loop, &s->fail_task);
}

void io_stream_end_linger_when_done(struct io_stream *s)
{
    if (s->state == STREAM_LINGERING && s->fin_sent && s->got_eof)
        io_stream_end(s);
}

/* --- reading */

static void on_uv_eof(struct io_stream *s)
{
    s->got_eof = true;
    if (s->broken)
        io_stream_fail(s, s->broken);
    else if (s->state == STREAM_LINGERING)
        io_stream_end_linger_when_done(s);
    else if (s->ops->on_eof)
        s->ops->on_eof(s->owner);
}

static void on_uv_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buf)
{
    struct io_stream *s = handle->data;
    if (size > 0) {
        if (s->ops->on_read) /* not when lingering */
            s->ops->on_read(s->owner, bytes_of(buf->base, (size_t)size));
    } else if (size == UV_EOF) {
        on_uv_eof(s);
    } else if (size < 0) {
        io_stream_fail(s, s->broken ? s->broken : io_err_from_uv((int)size));
    }
}

void io_stream_read(struct io_stream *s)
{
    if (s->reading || (s->state != STREAM_OPEN && s->state != STREAM_CONNECTING))
        return;
    s->reading = true;
    if (s->connected && !s->got_eof)
        CHECK(uv_read_start(&s->uv.stream, io_lend_read_buffer, on_uv_read) == 0);
}

void io_stream_pause(struct io_stream *s)
{
    if (!s->reading)
        return;
    s->reading = false;
    uv_read_stop(&s->uv.stream);
}

/* --- beginning */

static enum err stream_open(struct io_loop *loop, enum io_family family,
                            struct io_stream **ret_stream)
{
    struct io_stream *s = stream_new(loop);
    if (!s)
        return ERR_NO_MEMORY;
    memset(s, 0, sizeof *s);
    int r = family == IO_UNIX ? uv_pipe_init(&loop->uv, &s->uv.pipe, 0)
                              : uv_tcp_init(&loop->uv, &s->uv.tcp);
    CHECK(r == 0); /* fails only for arguments it does not know */
    s->uv.handle.data = s;
    s->loop = loop;
    s->ops = &no_ops;
    s->state = STREAM_CONNECTING;
    list_init(&s->free_node);
    list_init(&s->held_node);
    io_task_init(&s->fail_task, on_fail_task);
    loop->object_count++;
    *ret_stream = s;
    return ERR_OK;
}

enum err io_stream_adopt(struct io_loop *loop, int fd, const struct io_addr *peer,
                         struct io_stream **ret_stream)
{
    struct io_stream *s;
    TRY(stream_open(loop, peer->family, &s));
    int r = peer->family == IO_UNIX ? uv_pipe_open(&s->uv.pipe, fd) : uv_tcp_open(&s->uv.tcp, fd);
    if (r < 0) {
        io_stream_close(s);
        return io_err_from_uv(r);
    }
    s->connected = true;
    s->peer = *peer;
    state_move(&stream_states, &s->state, STREAM_OPEN);
    *ret_stream = s;
    return ERR_OK;
}

static void on_uv_connected(uv_connect_t *req, int status)
{
    struct io_stream *s = req->handle->data;
    if (s->state == STREAM_CLOSED || s->state == STREAM_FAILED || s->broken)
        return;
    if (status < 0) {
        io_stream_fail(s, io_err_from_uv(status));
        return;
    }
    s->connected = true;
    if (s->state == STREAM_CONNECTING)
        state_move(&stream_states, &s->state, STREAM_OPEN);
    if (s->reading)
        CHECK(uv_read_start(&s->uv.stream, io_lend_read_buffer, on_uv_read) == 0);
    if (s->waiting.size)
        io_stream_send_waiting(s);
    else if (s->finish)
        io_stream_send_fin(s);
    if (s->state == STREAM_OPEN && s->ops->on_open)
        s->ops->on_open(s->owner, ERR_OK);
}

static int start_connecting(struct io_stream *s, const struct io_addr *addr)
{
    if (addr->family == IO_UNIX) {
        uv_pipe_connect(&s->req.connect, &s->uv.pipe, addr->path, on_uv_connected);
        return 0;
    }
    struct sockaddr_storage sa;
    if (io_addr_to_sockaddr(addr, &sa) == 0)
        return UV_EADDRNOTAVAIL;
    uv_tcp_nodelay(&s->uv.tcp, 1);
    return uv_tcp_connect(&s->req.connect, &s->uv.tcp, (const struct sockaddr *)&sa,
                          on_uv_connected);
}

enum err io_connect(struct io_loop *loop, const struct io_addr *addr,
                    const struct io_stream_ops *ops, void *owner, struct io_stream **ret_stream)
{
    struct io_stream *s;
    TRY(stream_open(loop, addr->family, &s));
    io_stream_set(s, ops, owner);
    s->peer = *addr;
    memset(s->peer.path, 0, sizeof s->peer.path);
    enum err e = io_err_from_uv(start_connecting(s, addr));
    if (e == ERR_NO_MEMORY || e == ERR_FD_LIMIT) {
        io_stream_close(s);
        return e;
    }
    if (e != ERR_OK)
        io_stream_fail_later(s, e);
    *ret_stream = s;
    return ERR_OK;
}

void io_stream_set(struct io_stream *s, const struct io_stream_ops *ops, void *owner)
{
    s->ops = ops ? ops : &no_ops;
    s->owner = owner;
}

void io_stream_peer(const struct io_stream *s, struct io_addr *ret_addr)
{
    *ret_addr = s->peer;
}

/* --- closing by the user */

void io_stream_close(struct io_stream *s)
{
    if (!s)
        return;
    CHECK(s->state != STREAM_LINGERING && s->state != STREAM_CLOSED);
    s->loop->object_count--;
    io_stream_send_held(s);
    io_stream_end(s);
}

void io_stream_reset(struct io_stream *s)
{
    uv_os_fd_t fd;
    struct linger at_once = {.l_onoff = 1};
    if (s && s->connected && s->peer.family != IO_UNIX && uv_fileno(&s->uv.handle, &fd) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    io_stream_close(s);
}

static void on_linger_end(struct io_timer *timer)
{
    io_stream_end(LIST_ENTRY(timer, struct io_stream, timer));
}

void io_stream_close_gracefully(struct io_stream *s, uint64_t linger_ms)
{
    io_stream_send_held(s);
    bool is_sent = s->connected && !s->in_flight;
    if (s->state == STREAM_FAILED || s->broken || (is_sent && s->got_eof)) {
        io_stream_close(s);
        return;
    }
    io_stream_read(s); /* what still comes is discarded */
    if (is_sent)
        io_stream_send_fin(s);
    state_move(&stream_states, &s->state, STREAM_LINGERING);
    s->finish = true;
    s->ops = &no_ops;
    s->owner = NULL;
    s->loop->object_count--;
    s->loop->linger_count++;
    io_timer_start(s->loop, &s->timer, linger_ms, on_linger_end);
}
