/* Engines: listening, modes, requests coming in. What they answer is in mesh_engine_answer.c. A
 * request that is not exactly what its user sent is a broken invariant. */
#include "tests/sim/mesh_engine.h"

#include "tests/sim/mesh_town.h"

#include <stdlib.h>

const char *engine_mode_name(enum engine_mode m)
{
    static const char *const names[ENGINE_MODES] = {
        "well",    "down",     "hangs",     "hangs_all", "closes",
        "breaks",  "says_500", "says_503",  "says_429",  "loads",
        "garbage", "endless",  "too_short", "too_long",  "slow"};
    return names[m];
}

bool engine_has_model(const struct engine *e, const char *model)
{
    for (size_t i = 0; i < e->model_count; i++)
        if (strcmp(e->models[i], model) == 0)
            return true;
    return false;
}

size_t engine_running(const struct engine *e)
{
    size_t count = 0;
    LIST_EACH(it, &e->conns)
    count += LIST_ENTRY(it, struct engine_conn, node)->job != NULL;
    return count;
}

/* --- connections */

static void forget_job(struct engine_conn *c)
{
    struct job *j = c->job;
    c->job = NULL;
    if (!j)
        return;
    if (c->is_answering)
        j->running--;
    if (c->is_answering && !c->is_over)
        c->engine->town->stats.engine_cancels++;
    TRACE(&c->engine->town->trace, c->engine->name, "engine_leaves", LOG_STR("id", j->id),
          LOG_UINT("at", c->at), LOG_BOOL("whole", c->is_over));
}

void engine_conn_end(struct engine_conn *c)
{
    forget_job(c);
    if (c->stream)
        io_stream_close(c->stream);
    c->stream = NULL;
    io_timer_stop(&c->timer);
    c->is_doomed = true;
    if (c->is_feeding)
        return;
    list_remove(&c->node);
    http_parser_destroy(c->parser);
    buf_fini(&c->rest);
    free(c);
}

static void feed(struct engine_conn *c, struct bytes data)
{
    size_t used = 0;
    c->is_feeding = true;
    enum err e = http_parser_feed(c->parser, data, &used);
    c->is_feeding = false;
    if (e != ERR_OK && !c->is_doomed) {
        town_fail(c->engine->town, "engine_gets_http", "%s got bad HTTP: %s: %s", c->engine->name,
                  err_word(e), http_parser_detail(c->parser));
        c->is_doomed = true;
    }
    if (c->is_doomed) {
        engine_conn_end(c);
        return;
    }
    if (used < data.size &&
        buf_append(&c->rest, bytes_skip(data, used)) != ERR_OK) /* nobody pipelines to engines */
        engine_conn_end(c);
}

static void on_idle(struct io_timer *timer)
{
    engine_conn_end(LIST_ENTRY(timer, struct engine_conn, timer));
}

void engine_conn_next(struct engine_conn *c)
{
    forget_job(c);
    c->is_answering = c->has_head = c->is_over = c->is_faulty = c->hangs = false;
    c->at = c->body_at = 0;
    io_timer_start(c->engine->loop, &c->timer, c->engine->idle_ms, on_idle);
    http_parser_reset(c->parser, false);
    if (c->rest.size > 0)
        town_fail(c->engine->town, "no_pipelining", "%s got %zu bytes before it had answered",
                  c->engine->name, c->rest.size);
}

static void on_read(void *owner, struct bytes data)
{
    feed(owner, data);
}

static void on_eof(void *owner)
{
    engine_conn_end(owner);
}

static void on_drain(void *owner)
{
    struct engine_conn *c = owner;
    if (c->is_answering && !c->is_over && c->has_head && !io_timer_is_running(&c->timer))
        engine_answer_go_on(c);
}

static void on_fail(void *owner, enum err e)
{
    (void)e;
    engine_conn_end(owner);
}

static const struct io_stream_ops stream_ops = {NULL, on_read, on_eof, on_drain, on_fail};

/* --- requests */

static void check_head(const struct engine_conn *c, const struct http_head *head)
{
    struct town *t = c->engine->town;
    const struct job *j = c->job;
    if (!bytes_equal(head->target, bytes_from_str(j->path)))
        town_fail(t, "request_as_sent", "%s: wrong path at %s", j->id, c->engine->name);
    if (head->content_length != (int64_t)j->body.size)
        town_fail(t, "request_as_sent", "%s: content-length %lld instead of %zu at %s", j->id,
                  (long long)head->content_length, j->body.size, c->engine->name);
    for (size_t i = 0; i < head->field_count; i++)
        if (bytes_starts_with(head->fields[i].name, BYTES("grapevine-")))
            town_fail(t, "no_mesh_fields_at_engines", "%s: a grapevine field reached %s", j->id,
                      c->engine->name);
    if (!engine_has_model(c->engine, j->model))
        town_fail(t, "right_model", "%s: %s has no model %s", j->id, c->engine->name, j->model);
}

static enum err on_head(void *owner, const struct http_head *head)
{
    struct engine_conn *c = owner;
    const struct http_field *id = http_find(head, HTTP_X_REQUEST_ID);
    io_timer_stop(&c->timer);
    c->mode = c->engine->mode;
    c->target[0] = '\0';
    if (head->method == HTTP_GET) {
        bytes_to_str(head->target, c->target, sizeof c->target);
        return ERR_OK;
    }
    c->job = id ? town_job_find(c->engine->town, id->value) : NULL;
    if (!c->job) {
        town_fail(c->engine->town, "request_as_sent", "%s got a request nobody sent",
                  c->engine->name);
        return ERR_CANCELLED;
    }
    check_head(c, head);
    return ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct engine_conn *c = owner;
    const struct job *j = c->job;
    if (!j)
        return ERR_OK;
    bool fits = data.size <= j->body.size - c->body_at &&
                memcmp(j->body.data + c->body_at, data.data, data.size) == 0;
    if (!fits) {
        town_fail(c->engine->town, "byte_exact_body", "%s: the body differs at %s from byte %zu on",
                  j->id, c->engine->name, c->body_at);
        return ERR_CANCELLED;
    }
    c->body_at += data.size;
    return ERR_OK;
}

static enum err on_end(void *owner)
{
    struct engine_conn *c = owner;
    struct job *j = c->job;
    c->is_answering = true;
    if (j) {
        if (c->body_at != j->body.size)
            town_fail(c->engine->town, "byte_exact_body", "%s: %zu of %zu body bytes reached %s",
                      j->id, c->body_at, j->body.size, c->engine->name);
        TRACE(&c->engine->town->trace, c->engine->name, "engine_takes", LOG_STR("id", j->id),
              LOG_STR("mode", engine_mode_name(c->engine->mode)));
        town_judge_arrival(j, c->engine);
        j->engines_seen |= 1u << c->engine->index;
        j->executions++;
        j->running++;
        j->engine_us = town_now_us(c->engine->town);
    }
    engine_answer_start(c);
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

static void on_accept(void *owner, struct io_stream *stream)
{
    struct engine *e = owner;
    struct engine_conn *c = calloc(1, sizeof *c);
    struct http_parser_cfg cfg = {HTTP_PARSE_REQUEST, 65536, 8192};
    CHECK(c && http_parser_create(&cfg, &parser_ops, c, &c->parser) == ERR_OK);
    http_parser_reset(c->parser, false);
    buf_init(&c->rest, 4096);
    c->engine = e;
    c->stream = stream;
    list_push_back(&e->conns, &c->node);
    io_stream_set(stream, &stream_ops, c);
    io_stream_read(stream);
}

/* --- the engine */

static void listen_on(struct engine *e)
{
    struct io_addr addr;
    CHECK(io_addr_parse(BYTES("0.0.0.0:8081"), &addr) == ERR_OK);
    CHECK(io_listen(e->loop, &addr, on_accept, e, &e->listener) == ERR_OK);
}

void engine_start(struct engine *e)
{
    list_init(&e->conns);
    listen_on(e);
}

void engine_stop(struct engine *e)
{
    if (e->listener)
        io_listener_close(e->listener);
    e->listener = NULL;
    LIST_EACH_SAFE(it, tmp, &e->conns)
    engine_conn_end(LIST_ENTRY(it, struct engine_conn, node));
}

static void wake_hanging(struct engine *e)
{
    LIST_EACH_SAFE(it, tmp, &e->conns)
    {
        struct engine_conn *c = LIST_ENTRY(it, struct engine_conn, node);
        if (!c->hangs)
            continue;
        c->mode = e->mode;
        c->hangs = false;
        engine_answer_go_on(c);
    }
}

void engine_set_mode(struct engine *e, enum engine_mode mode)
{
    TRACE(&e->town->trace, e->name, "engine_mode", LOG_STR("from", engine_mode_name(e->mode)),
          LOG_STR("to", engine_mode_name(mode)));
    enum engine_mode old = e->mode;
    e->mode = mode;
    if (mode == ENGINE_DOWN)
        engine_stop(e);
    else if (old == ENGINE_DOWN)
        listen_on(e);
    if (mode == ENGINE_WELL)
        wake_hanging(e);
}
