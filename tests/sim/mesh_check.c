/* What must hold at the end, when everything is well and nobody asks for anything: gauges are at
 * rest, engines idle, receipts verify. And, all the time, that no stream's queue grows. */
#include "tests/sim/mesh_town.h"

#include "node/cli/observe/receipt_verify.h"
#include "tests/sim/io/conn.h"

#include <stdlib.h>

#define RECEIPTS_SAMPLE 6
#define GET_WAIT_US (10 * TOWN_SECOND)
/* A link writes at most 128 KiB and one record of each kind at once, an upload 128 KiB, an answer a
 * window and a read. */
#define QUEUE_MAX (256u * 1024)

/* --- queues */

void town_sample_queues(struct town *t)
{
    for (size_t i = 0; i < t->node_count; i++) {
        struct io_loop *loop = t->nodes[i].loop;
        if (!loop || loop->is_dead)
            continue;
        LIST_EACH(it, &loop->streams)
        {
            size_t queued = io_stream_queued(LIST_ENTRY(it, struct io_stream, node));
            if (queued > t->stats.queued_max)
                t->stats.queued_max = queued;
            if (queued > QUEUE_MAX)
                town_fail(t, "queues_are_bounded", "%zu bytes queued on one stream of %s", queued,
                          t->nodes[i].name);
        }
    }
}

bool town_is_lingering(const struct io_loop *loop)
{
    return !list_is_empty(&loop->lingering);
}

/* --- gauges */

static struct user_get *get(struct town *t, struct io_loop *loop, const struct io_addr *addr,
                            const char *path)
{
    struct user_get *g = user_get(loop, addr, path);
    uint64_t until_us = town_now_us(t) + GET_WAIT_US;
    while (!user_get_is_done(g) && town_now_us(t) < until_us)
        town_run(t, TOWN_MS);
    return g;
}

/* Sums every line of a metric, whatever its labels; false: there is none. */
static bool metric(struct bytes text, const char *name, uint64_t *ret_sum)
{
    struct bytes want = bytes_from_str(name);
    bool found = false;
    *ret_sum = 0;
    while (text.size > 0) {
        struct bytes line = bytes_of(text.data, bytes_find(text, '\n'));
        text = bytes_skip(text, line.size + 1);
        uint64_t value = 0;
        size_t space = line.size;
        if (!bytes_starts_with(line, want) ||
            (line.data[want.size] != ' ' && line.data[want.size] != '{'))
            continue;
        while (space > 0 && line.data[space - 1] != ' ')
            space--;
        if (bytes_to_u64(bytes_skip(line, space), &value)) {
            *ret_sum += value;
            found = true;
        }
    }
    return found;
}

static void check_gauge(struct town_node *n, struct bytes text, const char *name, uint64_t want,
                        bool must_exist)
{
    uint64_t value = 0;
    bool found = metric(text, name, &value);
    if ((must_exist && !found) || value != want)
        town_fail(n->town, "gauges_come_to_rest", "%s: %s is %llu, not %llu%s", n->name, name,
                  (unsigned long long)value, (unsigned long long)want, found ? "" : " (not there)");
}

static void count_hedges(struct town *t, struct bytes text)
{
    static const char *const lines[] = {"grapevine_hedges_total{outcome=\"won\"}",
                                        "grapevine_hedges_total{outcome=\"lost\"}",
                                        "grapevine_hedges_total{outcome=\"failed\"}"};
    for (size_t i = 0; i < 3; i++) {
        uint64_t count = 0;
        if (!metric(text, lines[i], &count))
            town_fail(t, "metrics_are_served", "no %s", lines[i]);
        t->stats.hedges[i] += count;
    }
}

void town_check_metrics(struct town *t)
{
    for (size_t i = 0; i < t->node_count; i++) {
        struct town_node *n = &t->nodes[i];
        struct io_addr addr;
        sim_host_ip(t->world, n->name, &addr);
        addr.port = 7380;
        struct user_get *g = get(t, t->user_loops[0], &addr, "/metrics");
        struct bytes text = user_get_body(g);
        if (user_get_status(g) != 200)
            town_fail(t, "metrics_are_served", "%s: status %d", n->name, user_get_status(g));
        check_gauge(n, text, "grapevine_requests_inflight", 0, true);
        check_gauge(n, text, "grapevine_backend_inflight", 0, n->config.backend_count > 0);
        check_gauge(n, text, "grapevine_backend_queued", 0, n->config.backend_count > 0);
        check_gauge(n, text, "grapevine_body_buffer_bytes", 0, true);
        check_gauge(n, text, "grapevine_client_connections", 1, true);
        count_hedges(t, text);
        user_get_free(g);
    }
}

/* --- receipts */

static size_t count_of(struct bytes text, const char *what)
{
    size_t count = 0;
    size_t size = strlen(what);
    const uint8_t *at = text.data;
    size_t left = text.size;
    for (const uint8_t *hit; left >= size && (hit = memmem(at, left, what, size)); count++) {
        left -= (size_t)(hit - at) + size;
        at = hit + size;
    }
    return count;
}

static void check_receipt(struct town *t, const struct job *j, int status, struct bytes text)
{
    struct buf report;
    buf_init(&report, RECEIPT_VERIFY_REPORT_MAX);
    size_t hops = 1 + count_of(bytes_from_str(j->trail), ",");
    char id[JOB_ID_SIZE + 20];
    snprintf(id, sizeof id, "\"request_id\":\"%s\"", j->id);
    enum err e = status == 200 ? receipt_verify_json(text, t->nodes[0].identity.root, &report)
                               : ERR_NOT_FOUND;
    if (e != ERR_OK)
        town_fail(t, "receipts_verify", "%s at %s: status %d, %s, %.*s", j->id,
                  t->nodes[j->ingress].name, status, err_word(e), (int)report.size,
                  report.size ? (const char *)report.data : "");
    else if (count_of(text, id) != 1 || count_of(text, "\"role\":") != hops)
        town_fail(t, "receipts_verify", "%s: %zu hops in the receipt, %zu on the trail %s", j->id,
                  count_of(text, "\"role\":"), hops, j->trail);
    t->stats.receipts_checked++;
    buf_fini(&report);
}

void town_check_receipts(struct town *t)
{
    struct io_addr addr;
    char path[64 + JOB_ID_SIZE];
    CHECK(io_addr_unix("/control.sock", &addr) == ERR_OK);
    size_t step = t->job_count / RECEIPTS_SAMPLE + 1;
    for (size_t i = rng_below(&t->rng, step); i < t->job_count; i += step) {
        const struct job *j = t->jobs[i];
        struct town_node *n = &t->nodes[j->ingress];
        if (j->outcome != JOB_OK || j->ingress_start != n->start_order || !n->node)
            continue;
        snprintf(path, sizeof path, "/mesh/v1/receipts/%s", j->id);
        struct user_get *g = get(t, n->loop, &addr, path);
        check_receipt(t, j, user_get_status(g), user_get_body(g));
        user_get_free(g);
    }
}

/* --- engines */

void town_check_engines(struct town *t)
{
    for (size_t i = 0; i < t->engine_count; i++) {
        LIST_EACH(it, &t->engines[i].conns)
        {
            const struct engine_conn *c = LIST_ENTRY(it, struct engine_conn, node);
            if (c->job &&
                c->is_answering) /* a half-open end still waits for the rest of a request */
                town_fail(t, "cancel_reaches_engines", "%s still works on %s, which ended %s",
                          t->engines[i].name, c->job->id, job_outcome_name(c->job->outcome));
        }
    }
}
