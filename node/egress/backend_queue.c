/* Who may go to a backend, who waits for it, and who has to go. Called by backend_call.c.
 *
 * Happy path: a place is free and nobody waits; else the call waits, and gets the place that
 * another gives back. Failure modes: the queue is full (the least important one is told when to
 * come again, and its exchange tries elsewhere), the client leaves or its deadline passes (out of
 * the queue), the backend goes down (backend_call.c fails all that wait). */
#include "node/egress/backend.h"

#include "base/buf.h"
#include "node/egress/calls.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/routing/asked.h"

#include <inttypes.h>
#include <stdio.h>

#define US_PER_MS 1000

const char *backend_shed_name(enum backend_shed reason)
{
    static const char *const names[BACKEND_SHEDS] = {"full", "displaced"};
    return names[reason];
}

static struct attempt *of_item(struct queue_item *item)
{
    return LIST_ENTRY(item, struct attempt, call.backend.waiting);
}

/* A hedge is wanted only if it is quick: everybody else goes before it. */
static uint32_t priority_of(const struct attempt *a)
{
    return queue_priority_of(a->is_hedge ? INT64_MIN : asked_priority(a->x));
}

static uint64_t tenant_of(const struct exchange *x)
{
    static const uint8_t key[16] = {0}; /* administrators name tenants, not clients */
    return crypto_siphash(key, x->terms.tenant);
}

/* --- no room */

/* At the end of the turn: what a failure makes its exchange do may come back here. */
static void tell_shed(struct io_task *task)
{
    struct backend *b = LIST_ENTRY(task, struct backend, shed_task);
    for (struct list *it; (it = list_pop_front(&b->shed));)
        backend_call_shed(LIST_ENTRY(it, struct attempt, call.backend.shed));
}

void backend_queue_init(struct backend *b)
{
    list_init(&b->shed);
    io_task_init(&b->shed_task, tell_shed);
}

static void shed(struct backend *b, struct attempt *a, enum backend_shed reason, uint64_t now_us)
{
    struct backend_call *call = &a->call.backend;
    uint32_t priority = priority_of(a);
    uint64_t wait_ms = queue_wait_us(&b->queue, priority, now_us) / US_PER_MS + 1;
    call->retry_after_ms = wait_ms < BACKEND_SHED_MAX_MS ? wait_ms : BACKEND_SHED_MAX_MS;
    b->waits[priority].shed[reason]++;
    LOG(b->lane->log, lane_level(b->lane, LANE_LINES_ATTEMPTS, LOG_INFO), "shed",
        LOG_STR("id", a->x->request_id), LOG_STR("backend", b->cfg.name),
        LOG_STR("reason", backend_shed_name(reason)),
        LOG_INT("priority", queue_priority_number(priority)),
        LOG_UINT("waited_ms", (now_us - a->started_us) / US_PER_MS), LOG_UINT("queued", b->queued),
        LOG_UINT("retry_after_ms", call->retry_after_ms));
    list_push_back(&b->shed, &call->shed);
    io_task_post(b->lane->loop, &b->shed_task);
}

/* --- waiting */

bool backend_try_enter(struct backend *b)
{
    if (b->inflight >= b->cfg.concurrency || b->queued > 0)
        return false;
    b->inflight++;
    return true;
}

void backend_wait(struct backend *b, struct attempt *a)
{
    struct queue_item *item = &a->call.backend.waiting;
    uint64_t now_us = io_now_us(b->lane->loop);
    list_init(&a->call.backend.shed);
    struct queue_item *out =
        queue_push(&b->queue, item, tenant_of(a->x), priority_of(a), asked_tokens(a->x), now_us);
    b->queued = b->queue.count;
    if (out)
        shed(b, of_item(out), out == item ? BACKEND_SHED_FULL : BACKEND_SHED_DISPLACED, now_us);
}

void backend_leave_queue(struct backend *b, struct attempt *a)
{
    struct backend_call *call = &a->call.backend;
    if (call->waiting.flow)
        queue_remove(&b->queue, &call->waiting);
    list_remove(&call->shed);
    b->queued = b->queue.count;
}

static bool admit_next(struct backend *b)
{
    uint64_t now_us = io_now_us(b->lane->loop);
    struct queue_item *item =
        b->inflight < b->cfg.concurrency ? queue_pop(&b->queue, now_us) : NULL;
    if (!item)
        return false;
    struct attempt *a = of_item(item);
    struct backend_waits *waits = &b->waits[priority_of(a)];
    waits->admitted++;
    waits->waited_us += now_us - a->started_us;
    b->queued = b->queue.count;
    b->inflight++;
    backend_call_begin(a);
    return true;
}

void backend_leave(struct backend *b)
{
    b->inflight--;
    if (b->is_admitting)
        return; /* a call that failed at once: the loop below goes on, however long the queue */
    b->is_admitting = true;
    while (admit_next(b)) {
    }
    b->is_admitting = false;
}

/* --- the metrics' page */

/* One line for each backend and priority that ever had somebody wait; `which` gives its value. */
static enum err put(const struct lane *lane, struct buf *out, const char *name, const char *kind,
                    const char *help,
                    enum err (*which)(const struct backend *b, uint32_t priority,
                                      const char *labels, struct buf *out))
{
    char labels[CERT_NAME_MAX + 64];
    TRY(metrics_put_head(out, name, kind, help));
    for (size_t i = 0; i < lane->backend_count; i++)
        for (uint32_t p = 0; p < QUEUE_PRIORITIES; p++) {
            const struct backend *b = lane->backends[i];
            const struct backend_waits *w = &b->waits[p];
            if (w->admitted + w->shed[BACKEND_SHED_FULL] + w->shed[BACKEND_SHED_DISPLACED] +
                    b->queue.priorities[p].count ==
                0)
                continue;
            snprintf(labels, sizeof labels, "backend=\"%s\",priority=\"%d\"", b->cfg.name,
                     queue_priority_number(p));
            TRY(which(b, p, labels, out));
        }
    return ERR_OK;
}

static enum err put_waiting(const struct backend *b, uint32_t priority, const char *labels,
                            struct buf *out)
{
    return buf_printf(out, "grapevine_queue_waiting{%s} %" PRIu32 "\n", labels,
                      b->queue.priorities[priority].count);
}

static enum err put_admitted(const struct backend *b, uint32_t priority, const char *labels,
                             struct buf *out)
{
    return buf_printf(out, "grapevine_queue_admitted_total{%s} %" PRIu64 "\n", labels,
                      b->waits[priority].admitted);
}

static enum err put_waited(const struct backend *b, uint32_t priority, const char *labels,
                           struct buf *out)
{
    uint64_t us = b->waits[priority].waited_us;
    return buf_printf(out, "grapevine_queue_wait_seconds_total{%s} %" PRIu64 ".%06" PRIu64 "\n",
                      labels, us / 1000000, us % 1000000);
}

static enum err put_shed(const struct backend *b, uint32_t priority, const char *labels,
                         struct buf *out)
{
    for (int r = 0; r < BACKEND_SHEDS; r++)
        TRY(buf_printf(out, "grapevine_queue_shed_total{%s,reason=\"%s\"} %" PRIu64 "\n", labels,
                       backend_shed_name((enum backend_shed)r), b->waits[priority].shed[r]));
    return ERR_OK;
}

enum err backend_queue_metrics(const struct lane *lane, struct buf *out)
{
    TRY(put(lane, out, "queue_waiting", "gauge", "Requests waiting for a backend, by priority.",
            put_waiting));
    TRY(put(lane, out, "queue_admitted_total", "counter", "Requests that waited and got a place.",
            put_admitted));
    TRY(put(lane, out, "queue_wait_seconds_total", "counter", "How long these waited, together.",
            put_waited));
    return put(lane, out, "queue_shed_total", "counter",
               "Requests that a full queue had no room for: newcomers (full), or waiting ones that "
               "gave way to a more important one (displaced).",
               put_shed);
}
