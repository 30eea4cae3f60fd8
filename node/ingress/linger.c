/* See linger.h. Called by http_conn, whose object is gone by then: what waits here is small.
 *
 * Happy path: the queue drains, FIN goes out, the client's FIN comes, closed. Failure modes: a
 * client that neither reads nor ends (closed after LINGER_MS), a reset, no memory to wait with (the
 * loop then waits uncounted). */
#include "node/ingress/linger.h"

#include "node/lane.h"

#include <stdlib.h>

struct lingering {
    struct list node; /* lane's lingering ones */
    struct lane *lane;
    struct io_stream *stream;
    struct io_idle idle;
    bool has_ended;
};

static void release(struct lingering *l)
{
    list_remove(&l->node);
    io_idle_stop(&l->idle);
    l->lane->connection_count--;
    free(l);
}

static void end(struct lingering *l)
{
    io_stream_close(l->stream);
    release(l);
}

static void on_idle(struct io_idle *idle)
{
    end(LIST_ENTRY(idle, struct lingering, idle));
}

static void on_read(void *owner, struct bytes data)
{
    (void)owner;
    (void)data; /* nobody waits for it any more */
}

static void end_if_done(struct lingering *l)
{
    if (l->has_ended && io_stream_queued(l->stream) == 0)
        end(l);
}

static void on_eof(void *owner)
{
    struct lingering *l = owner;
    l->has_ended = true;
    end_if_done(l);
}

static void on_drain(void *owner)
{
    end_if_done(owner);
}

static void on_fail(void *owner, enum err e)
{
    (void)e;
    end(owner);
}

static const struct io_stream_ops ops = {NULL, on_read, on_eof, on_drain, on_fail};

void linger(struct lane *lane, struct io_stream *stream, bool has_ended)
{
    struct lingering *l = calloc(1, sizeof *l);
    if (!l) {
        lane->connection_count--;
        io_stream_close_gracefully(stream, LINGER_MS);
        return;
    }
    l->lane = lane;
    l->stream = stream;
    l->has_ended = has_ended;
    list_push_back(&lane->lingering, &l->node);
    io_idle_touch(&lane->linger_timeouts, &l->idle, on_idle);
    io_stream_set(stream, &ops, l);
    io_stream_finish(stream);
    io_stream_read(stream);
    end_if_done(l);
}

void linger_close_all(struct lane *lane)
{
    LIST_EACH_SAFE(it, tmp, &lane->lingering)
    {
        struct lingering *l = LIST_ENTRY(it, struct lingering, node);
        io_stream_close_gracefully(l->stream, LINGER_MS);
        release(l);
    }
}
