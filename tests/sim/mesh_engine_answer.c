/* What an engine answers: the job's answer in pieces, paced by its time and by the socket, or the
 * misbehaviour of the mode it was in when the request came. */
#include "tests/sim/mesh_engine.h"

#include "tests/sim/mesh_town.h"

#define FAULTY 0.8 /* of the requests that come in a bad mode */

static void write_text(struct engine_conn *c, struct bytes text)
{
    io_stream_write(c->stream, &text, 1);
}

static void on_timer(struct io_timer *timer)
{
    engine_answer_go_on(LIST_ENTRY(timer, struct engine_conn, timer));
}

static void wait(struct engine_conn *c, uint64_t us)
{
    io_timer_start(c->engine->loop, &c->timer, us / 1000, on_timer);
}

/* --- probes */

static void answer_probe(struct engine_conn *c)
{
    struct buf body, out;
    buf_init(&body, 4096);
    buf_init(&out, 8192);
    const struct engine *e = c->engine;
    bool loads = e->mode == ENGINE_LOADS;
    bool is_models = strcmp(c->target, "/v1/models") == 0;
    bool is_health = strcmp(c->target, "/health") == 0;
    int status = loads ? 503 : is_models || is_health ? 200 : 404;
    enum err err = buf_append_str(&body, is_models ? "{\"object\":\"list\",\"data\":[" : "{");
    for (size_t i = 0; is_models && i < e->model_count && err == ERR_OK; i++)
        err = buf_printf(&body, "%s{\"id\":\"%s\",\"object\":\"model\",\"owned_by\":\"sim\"}",
                         i ? "," : "", e->models[i]);
    CHECK(err == ERR_OK && buf_append_str(&body, is_models ? "]}" : "}") == ERR_OK);
    CHECK(http_write_status_line(&out, status) == ERR_OK);
    CHECK(buf_printf(&out, "content-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                     body.size) == ERR_OK);
    CHECK(buf_append(&out, buf_bytes(&body)) == ERR_OK);
    write_text(c, buf_bytes(&out));
    buf_fini(&body);
    buf_fini(&out);
    engine_conn_next(c);
}

/* --- misbehaviour instead of an answer */

static void say_status(struct engine_conn *c, int status, bool has_retry_after)
{
    struct buf out;
    char body[160];
    int size = snprintf(
        body, sizeof body,
        "{\"error\":{\"message\":\"scripted\",\"code\":\"scripted\",\"id\":\"%s\"}}", c->job->id);
    buf_init(&out, 1024);
    CHECK(http_write_status_line(&out, status) == ERR_OK);
    CHECK(buf_printf(&out, "content-type: application/json\r\n%scontent-length: %d\r\n\r\n%s",
                     has_retry_after ? "Retry-After: 1\r\n" : "", size, body) == ERR_OK);
    write_text(c, buf_bytes(&out));
    buf_fini(&out);
    c->is_over = true;
    engine_conn_next(c);
}

static void say_endless(struct engine_conn *c)
{
    struct buf out;
    buf_init(&out, 256 * 1024);
    CHECK(buf_append_str(&out, "HTTP/1.1 200 OK\r\n") == ERR_OK);
    for (int i = 0; i < 3000; i++)
        CHECK(buf_printf(&out, "x-endless-%d: abcdefghijklmnop\r\n", i) == ERR_OK);
    write_text(c, buf_bytes(&out));
    buf_fini(&out);
}

/* True when that was all there is. */
static bool misbehaves(struct engine_conn *c)
{
    bool odd = c->job->index % 2 == 1;
    switch (c->mode) {
    case ENGINE_CLOSES: engine_conn_end(c); return true;
    case ENGINE_SAYS_500: say_status(c, 500, false); return true;
    case ENGINE_LOADS:
    case ENGINE_SAYS_503: say_status(c, 503, odd); return true;
    case ENGINE_SAYS_429: say_status(c, 429, odd); return true;
    case ENGINE_GARBAGE:
        write_text(c, odd ? BYTES("\x16\x03\x01 no HTTP at all\r\n\r\n")
                          : BYTES("HTTP/1.1 200 OK\nContent-Length: x\r\n\r\n"));
        c->is_over = true;
        return true;
    case ENGINE_ENDLESS:
        say_endless(c);
        c->is_over = true;
        return true;
    default: return false;
    }
}

/* --- the answer */

static bool is_chunked(const struct engine_conn *c)
{
    return c->job->framing != JOB_LENGTH || job_is_stream(c->job);
}

static void write_head(struct engine_conn *c)
{
    struct buf out;
    const struct job *j = c->job;
    buf_init(&out, 1024);
    CHECK(buf_printf(&out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nX-Engine: %s\r\n",
                     job_is_stream(j) ? "text/event-stream" : "application/json",
                     c->engine->name) == ERR_OK);
    if (is_chunked(c))
        CHECK(buf_append_str(&out, "Transfer-Encoding: chunked\r\n\r\n") == ERR_OK);
    else
        CHECK(buf_printf(&out, "Content-Length: %zu\r\n\r\n", j->answer.size) == ERR_OK);
    write_text(c, buf_bytes(&out));
    buf_fini(&out);
    c->has_head = true;
}

static void write_piece(struct engine_conn *c)
{
    struct job *j = c->job;
    struct bytes parts[3];
    size_t count = 0;
    char head[HTTP_CHUNK_HEAD_MAX];
    size_t end = job_piece_end(j, c->at, &c->engine->town->rng);
    struct bytes piece = bytes_of(j->answer.data + c->at, end - c->at);
    if (is_chunked(c))
        parts[count++] = bytes_of(head, http_chunk_head(piece.size, head));
    parts[count++] = piece;
    if (is_chunked(c))
        parts[count++] = BYTES("\r\n");
    io_stream_write(c->stream, parts, count);
    c->at = end;
    size_t in_flight = c->at > j->received ? c->at - j->received : 0;
    if (in_flight > j->in_flight_max)
        j->in_flight_max = in_flight;
}

static void finish(struct engine_conn *c)
{
    if (is_chunked(c))
        write_text(c, HTTP_CHUNK_END);
    if (c->is_faulty && c->mode == ENGINE_TOO_LONG)
        write_text(c, BYTES("and more that nobody asked for"));
    c->is_over = true;
    c->engine->served++;
    engine_conn_next(c);
}

static bool breaks_here(struct engine_conn *c)
{
    bool breaks = c->is_faulty && (c->mode == ENGINE_BREAKS || c->mode == ENGINE_TOO_SHORT);
    return breaks && c->at >= c->break_at;
}

static uint64_t gap_us(const struct engine_conn *c)
{
    return c->is_faulty && c->mode == ENGINE_SLOW ? c->job->piece_gap_us + 100 * TOWN_MS
                                                  : c->job->piece_gap_us;
}

void engine_answer_go_on(struct engine_conn *c)
{
    if (!c->job) {
        answer_probe(c);
        return;
    }
    if (!c->has_head) {
        if (c->is_faulty && misbehaves(c))
            return;
        write_head(c);
    }
    while (io_stream_queued(c->stream) == 0) {
        if (breaks_here(c)) {
            engine_conn_end(c);
            return;
        }
        if (c->at == c->job->answer.size) {
            finish(c);
            return;
        }
        write_piece(c);
        if (gap_us(c) > 0 && c->at < c->job->answer.size) {
            wait(c, gap_us(c));
            return;
        }
    }
}

void engine_answer_start(struct engine_conn *c)
{
    struct rng *rng = &c->engine->town->rng;
    bool hangs = c->mode == ENGINE_HANGS_ALL || (c->mode == ENGINE_HANGS && c->job);
    c->is_faulty = c->job && c->mode != ENGINE_WELL && rng_chance(rng, FAULTY);
    if (hangs && (!c->job || c->is_faulty)) {
        c->hangs = c->engine->mode == c->mode; /* else it has recovered meanwhile */
        c->is_faulty = false;
        if (c->hangs)
            return;
    }
    if (!c->job) {
        wait(c, 0);
        return;
    }
    c->break_at = (size_t)rng_below(rng, c->job->answer.size);
    uint64_t think_us = c->job->think_us;
    if (c->is_faulty && c->mode == ENGINE_SLOW)
        think_us += rng_between(rng, 100, 2000) * TOWN_MS;
    wait(c, think_us);
}
