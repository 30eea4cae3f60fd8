/* Users' requests: which connection a job goes over, and its bytes, at once or slowly, to the end
 * or not. */
#include "tests/sim/mesh_town.h"
#include "tests/sim/mesh_user_conn.h"

#define IDLE_REUSE_US (5 * TOWN_SECOND) /* far below the nodes' idle time-out */
#define UPLOAD_PIECE 2048

static void write_request(struct user_conn *c, const struct job *j)
{
    struct buf *out = &c->upload;
    buf_clear(out);
    CHECK(buf_printf(out,
                     "POST %s HTTP/1.1\r\nHost: node\r\nX-Request-Id: %s\r\n"
                     "Content-Type: application/json\r\n%s",
                     j->path, j->id, j->expects ? "Expect: 100-continue\r\n" : "") == ERR_OK);
    if (j->is_chunked)
        CHECK(buf_printf(out, "Transfer-Encoding: chunked\r\n\r\n") == ERR_OK);
    else
        CHECK(buf_printf(out, "Content-Length: %zu\r\n\r\n", j->body.size) == ERR_OK);
    c->head_size = out->size;
    for (size_t at = 0; j->is_chunked && at < j->body.size;) {
        char head[HTTP_CHUNK_HEAD_MAX];
        size_t n = 1 + (j->index * 7919 + at) % 3000;
        n = n < j->body.size - at ? n : j->body.size - at;
        CHECK(buf_append(out, bytes_of(head, http_chunk_head(n, head))) == ERR_OK);
        CHECK(buf_append(out, bytes_of(j->body.data + at, n)) == ERR_OK);
        CHECK(buf_append_str(out, "\r\n") == ERR_OK);
        at += n;
    }
    CHECK(buf_append(out, j->is_chunked ? HTTP_CHUNK_END : buf_bytes(&j->body)) == ERR_OK);
}

static void on_upload_timer(struct io_timer *timer);

void user_conn_upload(struct user_conn *c)
{
    while (c->uploading && io_stream_queued(c->stream) == 0) {
        struct job *j = c->uploading;
        size_t n = c->upload.size - c->upload_at;
        if (j->upload_pause_us && n > UPLOAD_PIECE)
            n = UPLOAD_PIECE;
        if (c->upload_at + n > c->head_size && c->upload_at + n - c->head_size > j->quit_upload_at)
            n = c->head_size + j->quit_upload_at - c->upload_at;
        struct bytes piece = bytes_of(c->upload.data + c->upload_at, n);
        io_stream_write(c->stream, &piece, 1);
        c->upload_at += n;
        if (c->upload_at >= c->head_size && c->upload_at - c->head_size == j->quit_upload_at) {
            io_timer_start(c->loop, &c->upload_timer, 5, on_upload_timer); /* let it arrive */
            return;
        }
        if (c->upload_at == c->upload.size) {
            j->sent_us = town_now_us(c->town);
            c->uploading = NULL;
            return;
        }
        if (j->upload_pause_us) {
            io_timer_start(c->loop, &c->upload_timer, j->upload_pause_us / 1000, on_upload_timer);
            return;
        }
    }
}

static void on_upload_timer(struct io_timer *timer)
{
    struct user_conn *c = LIST_ENTRY(timer, struct user_conn, upload_timer);
    struct job *j = c->uploading;
    if (!j)
        return;
    if (c->upload_at >= c->head_size && c->upload_at - c->head_size == j->quit_upload_at)
        user_conn_quit(c, j);
    else
        user_conn_upload(c);
}

static void conn_send(struct user_conn *c, struct job *j)
{
    struct town *t = c->town;
    uint64_t stay_us = j->quit_after_us != UINT64_MAX ? j->quit_after_us : USER_GIVE_UP_US;
    j->started_us = town_now_us(t);
    j->conn_opened_us = c->opened_us;
    const struct town_node *n = &t->nodes[c->ingress];
    j->ingress_start = n->start_order;
    j->arrives_at_once = n->node && !n->up.faults && !n->runs.faults && c->job_count == 0;
    c->jobs[c->job_count++] = j;
    TRACE(&t->trace, "users", "user_sends", LOG_STR("id", j->id), LOG_STR("model", j->model),
          LOG_UINT("kind", j->kind), LOG_STR("to", t->nodes[c->ingress].name),
          LOG_UINT("body", j->body.size), LOG_UINT("behind", c->job_count - 1));
    io_timer_start(c->loop, &c->quit_timer, stay_us / 1000, user_conn_on_timer);
    write_request(c, j);
    c->uploading = j;
    c->upload_at = 0;
    user_conn_upload(c);
}

/* --- which connection */

static bool is_simple(const struct job *j)
{
    return j->quit_upload_at == SIZE_MAX && j->quit_after_us == UINT64_MAX &&
           j->quit_answer_at == SIZE_MAX && j->kind != JOB_BULK && !j->upload_pause_us &&
           j->kind != JOB_BAD_JSON;
}

static struct user_conn *find_conn(struct town *t, const struct job *j, size_t user)
{
    bool may_pipeline = rng_chance(&t->rng, 0.15) && is_simple(j) && !j->must_succeed;
    bool may_reuse = rng_chance(&t->rng, 0.7);
    LIST_EACH(it, &t->users)
    {
        struct user_conn *c = LIST_ENTRY(it, struct user_conn, node);
        if (c->user != user || c->ingress != j->ingress || c->uploading || c->server_closes ||
            c->node_start != t->nodes[j->ingress].start_order)
            continue;
        bool is_fresh = town_now_us(t) - c->idle_since_us < IDLE_REUSE_US;
        if (c->job_count == 0 && may_reuse && is_fresh)
            return c;
        if (c->job_count > 0 && c->job_count < USER_PIPELINE_MAX && may_pipeline &&
            is_simple(c->jobs[c->job_count - 1]) && is_simple(c->jobs[0]))
            return c;
    }
    return NULL;
}

void user_send(struct town *t, struct job *j)
{
    size_t user = (size_t)rng_below(&t->rng, t->user_count);
    struct user_conn *c = find_conn(t, j, user);
    conn_send(c ? c : user_conn_open(t, user, j->ingress), j);
}
