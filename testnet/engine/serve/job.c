/* From a request to the core and from the core's effects to an answer; see job.h.
 *
 * Happy path: read, submit, BEGAN, TOKEN…, DONE. vLLM sends a stream's head at once, llama.cpp with
 * the first token; so after a failure one of them can still answer with a status.
 * Failure modes: what the core refuses or fails, the faults of faults.h, the client gone. */
#include "testnet/engine/serve/job_impl.h"

#include "testnet/engine/core/tokens.h"

#include <stdlib.h>

static void job_free(struct job *job, const char *outcome)
{
    struct server *s = job->server;
    s->on_ended(s->owner, &(struct server_ended){.id = job->id,
                                                 .mark = job->mark,
                                                 .model = job->say.model,
                                                 .outcome = outcome,
                                                 .prompt = job->say.times.prompt,
                                                 .cached = job->say.times.cached,
                                                 .output = job->output_count});
    map_remove(&job->server->jobs, job_key(job));
    buf_fini(&job->text);
    free(job);
}

void job_abandon(struct job *job)
{
    uint64_t id = job->id;
    struct server *s = job->server;
    job_free(job, job->is_broken ? "broken" : "abandoned");
    server_cancel(s, id);
}

bool job_begin_stream(struct job *job)
{
    if (job->has_begun)
        return true;
    job->has_begun = true;
    bool is_llamacpp = job->say.like == SAY_LLAMACPP;
    return conn_begin(
        job->conn,
        &(struct conn_answer){.status = 200,
                              .content_type = is_llamacpp ? "text/event-stream"
                                                          : "text/event-stream; charset=utf-8",
                              .fields = is_llamacpp ? "X-Accel-Buffering: no\r\n" : NULL});
}

/* --- effects */

/* Ends a job that has answered; the connection goes on. */
static struct conn *release(struct job *job, const char *outcome)
{
    struct conn *c = job->conn;
    c->job = NULL;
    job_free(job, outcome);
    return c;
}

static bool breaks_off(struct job *job, uint32_t index)
{
    enum fault_kind kind = job->fault.kind;
    if ((kind != FAULT_RESET && kind != FAULT_CUT) || index < job->fault.after)
        return false;
    job->is_broken = true;
    conn_break(job->conn, kind == FAULT_RESET);
    return true;
}

static struct bytes text_of(const struct job *job, const struct engine_effect *x)
{
    struct bytes mark = bytes_from_str(job->mark);
    if (x->index >= job->echo_count)
        return tokens_word(x->word, x->index == 0);
    mark = bytes_skip(mark, (size_t)x->index * TOKEN_BYTES);
    return bytes_of(mark.data, mark.size < TOKEN_BYTES ? mark.size : TOKEN_BYTES);
}

static void on_token(struct job *job, const struct engine_effect *x)
{
    uint8_t storage[1024];
    struct buf piece;
    if (breaks_off(job, x->index))
        return;
    job->output_count++;
    if (!job->is_stream) {
        if (buf_append(&job->text, text_of(job, x)) != ERR_OK)
            conn_break(job->conn, true);
        return;
    }
    if (!job_begin_stream(job))
        return;
    buf_init_fixed(&piece, storage, sizeof storage);
    enum err e = x->index == 0 ? say_begin(&job->say, &piece) : ERR_OK;
    if (e == ERR_OK && job->fault.kind == FAULT_GARBAGE && x->index > 0)
        e = buf_append_str(&piece, "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\n\n");
    else if (e == ERR_OK)
        e = say_piece(&job->say, text_of(job, x), &piece);
    if (e != ERR_OK)
        conn_break(job->conn, true);
    else
        (void)conn_piece(job->conn, buf_bytes(&piece));
}

static void finish_stream(struct job *job)
{
    uint8_t storage[2048];
    struct buf piece;
    if (!job_begin_stream(job))
        return;
    buf_init_fixed(&piece, storage, sizeof storage);
    bool lacks_end = job->fault.kind == FAULT_LENGTH;
    enum err e = say_end(&job->say, &piece);
    struct conn *c = release(job, "done");
    if (!conn_piece(c, buf_bytes(&piece)))
        return;
    if (lacks_end || e != ERR_OK)
        conn_break(c, false);
    else
        conn_end(c);
}

static void finish_whole(struct job *job)
{
    struct buf body;
    buf_init(&body, CONN_BODY_MAX);
    enum err e;
    if (job->say.kind == SAY_EMBEDDING)
        e = say_embeddings(&job->say, job->input_seeds, job->input_count, job->width,
                           job->as_base64, &body);
    else if (job->say.kind == SAY_INFER)
        e = say_infer(&job->say, job->input_seeds, job->input_count, &body);
    else
        e = say_whole(&job->say, buf_bytes(&job->text), &body);
    uint64_t missing = job->fault.kind == FAULT_LENGTH ? 100 : 0;
    struct conn *c = release(job, "done");
    if (e == ERR_OK)
        conn_answer(
            c, &(struct conn_answer){.status = 200, .body = buf_bytes(&body), .missing = missing});
    else
        routes_refuse(c, &(struct say_error){.status = 500, .text = err_text(e)});
    buf_fini(&body);
}

static void fail(struct job *job, enum err reason)
{
    struct say_error error = {.status = 500, .text = "EngineCore encountered an issue"};
    if (reason == ERR_OVERLOADED)
        error = (struct say_error){.status = 503, .text = "the queue is full"};
    else if (reason == ERR_LIMIT)
        error = (struct say_error){.status = 400, .text = "the prompt does not fit the cache"};
    else if (job->say.like == SAY_LLAMACPP)
        error.text = "Compute error.";
    uint8_t storage[512];
    struct buf piece;
    buf_init_fixed(&piece, storage, sizeof storage);
    bool has_begun = job->has_begun;
    enum err e = has_begun ? say_error_event(&job->say, &error, &piece) : ERR_OK;
    struct conn *c = release(job, "failed");
    if (!has_begun)
        routes_refuse(c, &error);
    else if (e != ERR_OK)
        conn_break(c, true);
    else if (conn_piece(c, buf_bytes(&piece)))
        conn_end(c);
}

void job_on_effect(struct job *job, const struct engine_effect *x)
{
    switch (x->kind) {
    case ENGINE_BEGAN: job->say.times.cached = x->index; break;
    case ENGINE_TOKEN: on_token(job, x); break;
    case ENGINE_DONE:
        job->say.times = x->times;
        job->say.was_stopped = x->was_stopped;
        if (job->is_stream)
            finish_stream(job);
        else
            finish_whole(job);
        break;
    case ENGINE_FAILED: fail(job, x->reason); break;
    }
}
