/* Listening for clients and for the CLI (declared in http_conn.h): what is accepted becomes an
 * http_conn; what had to be dropped, for want of file descriptors, is counted and said. */
#include "node/ingress/http_conn_impl.h"
#include "node/lane.h"

#define WATCH_MS 1000 /* one line in so long, however many are dropped */

static void on_watch(struct io_timer *timer)
{
    struct listener *l = LIST_ENTRY(timer, struct listener, watch);
    uint64_t dropped = io_listener_dropped(l->io);
    if (dropped != l->dropped)
        LOG(l->lane->log, LOG_ERROR, "connections_dropped", LOG_UINT("count", dropped - l->dropped),
            LOG_ERR(ERR_FD_LIMIT), LOG_STR("detail", "raise the limit of open files"));
    l->lane->metrics.connections_dropped += dropped - l->dropped;
    l->dropped = dropped;
    io_timer_start(l->lane->loop, timer, WATCH_MS, on_watch);
}

enum err http_conn_listen(struct lane *lane, const struct io_addr *addr, enum api_face face,
                          struct listener *ret_listener)
{
    ret_listener->lane = lane;
    ret_listener->face = face;
    ret_listener->dropped = 0;
    TRY(io_listen(lane->loop, addr, http_conn_on_accept, ret_listener, &ret_listener->io));
    io_timer_start(lane->loop, &ret_listener->watch, WATCH_MS, on_watch);
    return ERR_OK;
}

void http_conn_unlisten(struct listener *l)
{
    if (!l->io)
        return;
    io_timer_stop(&l->watch);
    io_listener_close(l->io);
    l->io = NULL;
}
