/* What happens beside the loop and reports back to it: jobs on libuv's thread pool, name resolution
 * (there too), and signals. */
#include "node/io/uv_loop.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>

/* --- jobs */

struct job {
    struct list node; /* loop->jobs */
    uv_work_t req;
    uv_sem_t worked;
    struct io_loop *loop;
    bool is_revoked;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

static void job_free(struct job *job)
{
    uv_sem_destroy(&job->worked);
    free(job);
}

static void on_uv_work(uv_work_t *req)
{
    struct job *job = req->data;
    job->work(job->ctx);
    uv_sem_post(&job->worked);
}

static void on_uv_work_done(uv_work_t *req, int status)
{
    struct job *heap = req->data;
    struct job job = *heap;
    CHECK(status == 0 || job.is_revoked);
    list_remove(&heap->node);
    job_free(heap);
    job.loop->work_count--;
    if (!job.is_revoked)
        job.done(job.ctx);
}

enum err io_work(struct io_loop *loop, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx)
{
    if (loop->work_count >= IO_WORK_MAX)
        return ERR_LIMIT;
    struct job *job = malloc(sizeof *job);
    if (!job)
        return ERR_NO_MEMORY;
    *job = (struct job){.loop = loop, .work = work, .done = done, .ctx = ctx};
    job->req.data = job;
    if (uv_sem_init(&job->worked, 0) != 0) {
        free(job);
        return ERR_NO_MEMORY;
    }
    CHECK(uv_queue_work(&loop->uv, &job->req, on_uv_work, on_uv_work_done) == 0);
    list_push_back(&loop->jobs, &job->node);
    loop->work_count++;
    return ERR_OK;
}

void io_work_revoke(struct io_loop *loop, const void *ctx)
{
    LIST_EACH(it, &loop->jobs)
    {
        struct job *job = LIST_ENTRY(it, struct job, node);
        if (job->ctx != ctx || job->is_revoked)
            continue;
        job->is_revoked = true;
        if (uv_cancel((uv_req_t *)&job->req) != 0)
            uv_sem_wait(&job->worked);
    }
}

/* --- names. A look-up that its user no longer waits for cannot always be stopped: it is orphaned,
 * and its storage goes when the thread comes back. */

#define RESOLVE_TIMEOUT_MS 5000

struct io_resolve {
    uv_getaddrinfo_t req;
    struct io_loop *loop;
    struct io_task early_task; /* delivers what needed no look-up */
    enum err early_err;
    struct io_timer timeout;
    bool orphaned;
    struct io_addr addr;
    uint16_t port;
    void (*on_done)(void *owner, enum err e, const struct io_addr *addr);
    void *owner;
};

static void resolve_release(struct io_resolve *r)
{
    r->loop->resolve_count--;
    free(r);
}

/* The user is told once; from here on the look-up is nobody's. */
static void resolve_finish(struct io_resolve *r, enum err e)
{
    io_timer_stop(&r->timeout);
    r->orphaned = true;
    r->loop->object_count--;
    r->on_done(r->owner, e, e == ERR_OK ? &r->addr : NULL);
}

static void on_early(struct io_task *task)
{
    struct io_resolve *r = LIST_ENTRY(task, struct io_resolve, early_task);
    resolve_finish(r, r->early_err);
    resolve_release(r);
}

static void finish_early(struct io_resolve *r, enum err e)
{
    r->early_err = e;
    io_task_post(r->loop, &r->early_task);
}

static void on_resolve_timeout(struct io_timer *timer)
{
    struct io_resolve *r = LIST_ENTRY(timer, struct io_resolve, timeout);
    uv_cancel((uv_req_t *)&r->req);
    resolve_finish(r, ERR_TIMEOUT);
}

/* One address is asked for and no second is tried, so the family that works nearly everywhere is
 * preferred; otherwise the system's order counts. */
static enum err pick_address(const struct addrinfo *list, uint16_t port, struct io_addr *ret_addr)
{
    const struct addrinfo *best = NULL;
    for (const struct addrinfo *it = list; it; it = it->ai_next) {
        if (it->ai_family == AF_INET || (it->ai_family == AF_INET6 && !best))
            best = it;
        if (it->ai_family == AF_INET)
            break;
    }
    if (!best)
        return ERR_RESOLVE;
    io_addr_from_sockaddr(best->ai_addr, ret_addr);
    ret_addr->port = port;
    return ERR_OK;
}

static void on_uv_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct io_resolve *r = req->data;
    if (!r->orphaned)
        resolve_finish(r, status == 0 ? pick_address(list, r->port, &r->addr) : ERR_RESOLVE);
    uv_freeaddrinfo(list);
    resolve_release(r);
}

static bool parse_numeric(const char *host, uint16_t port, struct io_addr *ret_addr)
{
    struct io_addr a = {.port = port};
    if (inet_pton(AF_INET, host, a.ip) == 1)
        a.family = IO_IPV4;
    else if (inet_pton(AF_INET6, host, a.ip) == 1)
        a.family = IO_IPV6;
    else
        return false;
    *ret_addr = a;
    return true;
}

static enum err resolve_begin(struct io_resolve *r, const char *host)
{
    io_task_init(&r->early_task, on_early);
    if (parse_numeric(host, r->port, &r->addr)) {
        finish_early(r, ERR_OK);
        return ERR_OK;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int e = uv_getaddrinfo(&r->loop->uv, &r->req, on_uv_resolved, host, NULL, &hints);
    if (e == UV_ENOMEM)
        return ERR_NO_MEMORY;
    if (e != 0) /* not a host name at all */
        finish_early(r, ERR_RESOLVE);
    else
        io_timer_start(r->loop, &r->timeout, RESOLVE_TIMEOUT_MS, on_resolve_timeout);
    return ERR_OK;
}

enum err io_resolve_start(struct io_loop *loop, const char *host, uint16_t port,
                          void (*on_done)(void *owner, enum err e, const struct io_addr *addr),
                          void *owner, struct io_resolve **ret_resolve)
{
    if (loop->resolve_count >= IO_RESOLVE_MAX)
        return ERR_LIMIT;
    struct io_resolve *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    r->req.data = r;
    r->loop = loop;
    r->port = port;
    r->on_done = on_done;
    r->owner = owner;
    enum err e = resolve_begin(r, host);
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    loop->resolve_count++;
    loop->object_count++;
    *ret_resolve = r;
    return ERR_OK;
}

void io_resolve_cancel(struct io_resolve *r)
{
    if (r->orphaned) /* called from its own on_done */
        return;
    r->orphaned = true;
    r->loop->object_count--;
    io_timer_stop(&r->timeout);
    if (list_is_linked(&r->early_task.node)) {
        io_task_cancel(&r->early_task);
        resolve_release(r);
    } else {
        uv_cancel((uv_req_t *)&r->req);
    }
}

/* --- signals */

static const int watched_signals[] = {SIGTERM, SIGINT, SIGHUP};
#define SIGNAL_COUNT (sizeof watched_signals / sizeof watched_signals[0])

struct io_signals {
    uv_signal_t handles[SIGNAL_COUNT];
    struct io_loop *loop;
    size_t open_count;
    void (*on_signal)(void *owner, int signal_number);
    void *owner;
};

static void on_uv_signal(uv_signal_t *handle, int signal_number)
{
    struct io_signals *s = handle->data;
    s->on_signal(s->owner, signal_number);
}

static void on_uv_signal_closed(uv_handle_t *handle)
{
    struct io_signals *s = handle->data;
    if (--s->open_count == 0)
        free(s);
}

static void close_handles(struct io_signals *s)
{
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&s->handles[i], on_uv_signal_closed);
}

enum err io_signals_open(struct io_loop *loop, void (*on_signal)(void *owner, int signal_number),
                         void *owner, struct io_signals **ret_signals)
{
    struct io_signals *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NO_MEMORY;
    *s = (struct io_signals){.loop = loop, .on_signal = on_signal, .owner = owner};
    int e = 0;
    for (size_t i = 0; i < SIGNAL_COUNT && e == 0; i++) {
        s->handles[i].data = s;
        e = uv_signal_init(&loop->uv, &s->handles[i]);
        s->open_count += e == 0;
    }
    CHECK(e == 0); /* the loop's signal pipe exists since its creation */
    for (size_t i = 0; i < SIGNAL_COUNT && e == 0; i++)
        e = uv_signal_start(&s->handles[i], on_uv_signal, watched_signals[i]);
    if (e != 0) {
        close_handles(s);
        return io_err_from_uv(e);
    }
    loop->object_count++;
    *ret_signals = s;
    return ERR_OK;
}

void io_signals_close(struct io_signals *signals)
{
    signals->loop->object_count--;
    close_handles(signals);
}
