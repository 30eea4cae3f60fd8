/* A peer's request under rules that this node does not have yet: news of them is under way, and
 * usually a few milliseconds behind; where not, that peer is asked for them. The request waits for
 * a moment; then the pipeline goes on where it stood, and refuses if they have still not come.
 * Where none will be applied, for want of room or at all, nobody waits: others can answer
 * meanwhile. */
#include "node/ingress/exchange.h"
#include "node/lane.h"

#define PATIENCE_MS 1000

struct patience {
    struct rules_watcher watcher;
    struct io_timer timer;
    struct exchange *x;
};

static void end(struct patience *p)
{
    rules_unwatch(&p->watcher);
    io_timer_stop(&p->timer);
}

static void go_on(struct patience *p)
{
    struct exchange *x = p->x;
    end(p);
    x->call_ops = NULL;
    exchange_resume(x);
}

static void on_epoch(struct rules_watcher *watcher)
{
    struct patience *p = LIST_ENTRY(watcher, struct patience, watcher);
    if (p->x->lane->epoch >= p->x->epoch)
        go_on(p);
}

static void on_timer(struct io_timer *timer)
{
    go_on(LIST_ENTRY(timer, struct patience, timer));
}

static void cancel(struct exchange *x)
{
    end(x->call.patience);
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static const struct call_ops ops = {cancel, ignore, ignore};

static bool is_news_coming(const struct rules *rules)
{
    struct rules_status status;
    if (!rules)
        return false;
    rules_status(rules, &status);
    return status.stopped == ERR_OK && !status.is_disk_full;
}

bool exchange_await_epoch(struct exchange *x)
{
    if (x->has_waited || !is_news_coming(x->lane->rules))
        return false;
    struct patience *p = arena_calloc(&x->arena, sizeof *p);
    if (!p)
        return false;
    x->has_waited = true;
    p->x = x;
    p->watcher.on_epoch = on_epoch;
    list_init(&p->watcher.node);
    rules_watch(x->lane->rules, &p->watcher);
    rules_hear_epoch(x->lane->rules, x->from, x->epoch);
    io_timer_start(x->lane->loop, &p->timer, PATIENCE_MS, on_timer);
    x->call.patience = p;
    x->call_ops = &ops;
    return true;
}
