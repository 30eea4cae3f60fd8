/* Users' connections. One job at a time is being answered, those behind it are pipelined; when the
 * connection ends, every job that waits on it ends with it, and mesh_verdict.c says whether that
 * was allowed. Requests are sent by mesh_user_send.c. */
#include "tests/sim/mesh_user.h"

#include "tests/sim/mesh_town.h"
#include "tests/sim/mesh_user_conn.h"

#include <stdlib.h>

#define READ_PIECE (32 * 1024) /* of slow readers, between pauses */

static void read_slowly(struct user_conn *c, size_t size);

/* --- ending */

void user_conn_free(struct user_conn *c)
{
    if (c->stream)
        io_stream_close(c->stream);
    c->stream = NULL;
    io_timer_stop(&c->upload_timer);
    io_timer_stop(&c->read_timer);
    io_timer_stop(&c->quit_timer);
    c->is_doomed = true;
    if (c->is_feeding)
        return;
    list_remove(&c->node);
    http_parser_destroy(c->parser);
    buf_fini(&c->upload);
    free(c);
}

static void job_done(struct job *j, enum job_outcome outcome)
{
    j->outcome = outcome;
    j->ended_us = town_now_us(j->town);
    j->town->jobs_pending--;
    town_judge(j);
}

/* The connection is over: what waits on it has its outcome. */
void user_conn_end(struct user_conn *c, bool refused)
{
    for (size_t i = 0; i < c->job_count; i++) {
        struct job *j = c->jobs[i];
        j->was_refused = refused;
        j->is_behind_close = i > 0 || c->server_closes;
        bool begun = i == 0 && c->has_head;
        job_done(j, begun ? JOB_BROKEN : JOB_LOST);
    }
    c->job_count = 0;
    user_conn_free(c);
}

void user_conn_quit(struct user_conn *c, struct job *j)
{
    TRACE(&c->town->trace, "users", "user_quits", LOG_STR("id", j->id),
          LOG_UINT("received", j->received));
    for (size_t i = 0; i < c->job_count; i++)
        job_done(c->jobs[i], JOB_QUIT);
    c->job_count = 0;
    user_conn_free(c);
}

/* --- the answer */

/* Engines name themselves in their answers. */
static void note_engine(struct job *j, const struct http_head *head)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (bytes_equal_nocase(head->fields[i].name, BYTES("x-engine")))
            for (size_t e = 0; e < j->town->engine_count; e++)
                if (bytes_equal(head->fields[i].value, bytes_from_str(j->town->engines[e].name)))
                    j->engine = (int)e;
}

static enum err on_head(void *owner, const struct http_head *head)
{
    struct user_conn *c = owner;
    struct job *j = c->jobs[0];
    const struct http_field *id = http_find(head, HTTP_X_REQUEST_ID);
    const struct http_field *node = http_find(head, HTTP_GRAPEVINE_NODE);
    const struct http_field *trail = http_find(head, HTTP_GRAPEVINE_PATH);
    if (!c->has_head)
        j->status = head->status;
    c->has_head = true;
    c->server_closes = !head->keep_alive;
    if (j->first_byte_us == 0)
        j->first_byte_us = town_now_us(c->town);
    if (id && !bytes_equal(id->value, bytes_from_str(j->id)))
        town_fail(c->town, "no_cross_talk", "%s got the answer of %.*s", j->id, (int)id->value.size,
                  (const char *)id->value.data);
    note_engine(j, head);
    if (node)
        bytes_to_str(node->value, j->node, sizeof j->node);
    if (trail)
        bytes_to_str(trail->value, j->trail, sizeof j->trail);
    return ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct user_conn *c = owner;
    struct job *j = c->jobs[0];
    job_receive(j, data);
    if (j->received >= j->quit_answer_at) {
        user_conn_quit(c, j);
        return ERR_CANCELLED;
    }
    return ERR_OK;
}

static enum err on_end(void *owner)
{
    ((struct user_conn *)owner)->is_complete = true;
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

static enum job_outcome outcome_of(struct job *j)
{
    if (j->status != 200)
        return JOB_ERROR;
    if (job_is_whole(j))
        return JOB_OK;
    return JOB_BROKEN; /* of a stream; the verdict looks at how it ends */
}

static void answered(struct user_conn *c)
{
    struct job *j = c->jobs[0];
    enum job_outcome outcome = outcome_of(j);
    j->is_complete = true;
    memmove(c->jobs, c->jobs + 1, (--c->job_count) * sizeof c->jobs[0]);
    if (c->job_count > 0)
        io_timer_start(c->loop, &c->quit_timer, USER_GIVE_UP_US / 1000, user_conn_on_timer);
    else
        io_timer_stop(&c->quit_timer);
    c->has_head = c->is_complete = false;
    c->idle_since_us = town_now_us(c->town);
    http_parser_reset(c->parser, false);
    if (c->uploading == j) { /* answered before all was sent: no way to go on */
        c->uploading = NULL;
        c->server_closes = true;
    }
    if (outcome == JOB_BROKEN) /* the end of the connection is part of the sign */
        c->server_closes = true;
    job_done(j, outcome);
}

/* One message at a time: parse, finish the job, go on with the rest. */
static void on_read(void *owner, struct bytes data)
{
    struct user_conn *c = owner;
    struct town *t = c->town;
    while (data.size > 0) {
        size_t used = 0;
        if (c->job_count == 0) {
            town_fail(t, "answered_once", "%zu bytes came that nobody asked for", data.size);
            user_conn_free(c);
            return;
        }
        uint64_t pause_us = c->jobs[0]->read_pause_us;
        c->is_feeding = true;
        enum err e = http_parser_feed(c->parser, data, &used);
        c->is_feeding = false;
        if (c->is_doomed) {
            user_conn_free(c);
            return;
        }
        if (e != ERR_OK) {
            town_fail(t, "answers_are_http", "%s: %s: %s", c->jobs[0]->id, err_word(e),
                      http_parser_detail(c->parser));
            user_conn_end(c, false);
            return;
        }
        data = bytes_skip(data, used);
        if (c->is_complete)
            answered(c);
        else if (pause_us > 0)
            read_slowly(c, used);
    }
    if (c->job_count == 0 && c->server_closes)
        user_conn_free(c);
}

static void on_eof(void *owner)
{
    struct user_conn *c = owner;
    c->is_feeding = true;
    enum err e = c->job_count ? http_parser_eof(c->parser) : ERR_OK;
    c->is_feeding = false;
    if (c->is_doomed) {
        user_conn_free(c);
        return;
    }
    if (e == ERR_OK && c->is_complete)
        answered(c);
    user_conn_end(c, false);
}

static void on_fail(void *owner, enum err e)
{
    (void)e;
    user_conn_end(owner, false);
}

/* --- reading slowly */

static void on_read_timer(struct io_timer *timer)
{
    struct user_conn *c = LIST_ENTRY(timer, struct user_conn, read_timer);
    io_stream_read(c->stream);
}

static void read_slowly(struct user_conn *c, size_t size)
{
    c->read_since_pause += size;
    if (c->read_since_pause < READ_PIECE)
        return;
    c->read_since_pause = 0;
    io_stream_pause(c->stream);
    io_timer_start(c->loop, &c->read_timer, c->jobs[0]->read_pause_us / 1000, on_read_timer);
}

/* --- opening */

static void on_open(void *owner, enum err e)
{
    struct user_conn *c = owner;
    if (e != ERR_OK) {
        user_conn_end(c, true);
        return;
    }
    io_stream_read(c->stream);
}

static void on_drain(void *owner)
{
    struct user_conn *c = owner;
    if (!io_timer_is_running(&c->upload_timer))
        user_conn_upload(c);
}

static const struct io_stream_ops stream_ops = {on_open, on_read, on_eof, on_drain, on_fail};

void user_conn_on_timer(struct io_timer *timer)
{
    struct user_conn *c = LIST_ENTRY(timer, struct user_conn, quit_timer);
    struct job *j = c->jobs[c->job_count - 1];
    if (j->quit_after_us != UINT64_MAX) {
        user_conn_quit(c, j);
        return;
    }
    j->timed_out = true;
    user_conn_end(c, false);
}

struct user_conn *user_conn_open(struct town *t, size_t user, size_t ingress)
{
    struct user_conn *c = calloc(1, sizeof *c);
    struct http_parser_cfg cfg = {HTTP_PARSE_RESPONSE, 65536, 0};
    struct io_addr addr;
    CHECK(c && http_parser_create(&cfg, &parser_ops, c, &c->parser) == ERR_OK);
    http_parser_reset(c->parser, false);
    buf_init(&c->upload, 16u << 20);
    c->town = t;
    c->user = user;
    c->ingress = ingress;
    c->node_start = t->nodes[ingress].start_order;
    c->loop = t->user_loops[user];
    c->opened_us = c->idle_since_us = town_now_us(t);
    sim_host_ip(t->world, t->nodes[ingress].name, &addr);
    addr.port = 7380;
    CHECK(io_connect(c->loop, &addr, &stream_ops, c, &c->stream) == ERR_OK);
    list_push_back(&t->users, &c->node);
    return c;
}

void user_close_idle(struct town *t)
{
    LIST_EACH_SAFE(it, tmp, &t->users)
    {
        struct user_conn *c = LIST_ENTRY(it, struct user_conn, node);
        if (c->job_count == 0)
            user_conn_free(c);
    }
}
