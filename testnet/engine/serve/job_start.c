/* From a request to a job: faults, reading, what must be refused (declared in job.h). Each refusal
 * is in the words and with the status of the real server, as far as it was seen. */
#include "testnet/engine/serve/job_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define COMPLETION_TOKENS 16 /* the default of /v1/completions */
#define MESSAGES_TOKENS 4096 /* of llama.cpp's /v1/messages */

static void refuse(struct conn *c, int status, const char *text)
{
    routes_refuse(c, &(struct say_error){.status = status, .text = text});
}

/* True when the fault answers the request, or leaves it without an answer. */
static bool fault_answers(struct conn *c, const struct fault *fault)
{
    char field[48];
    switch (fault->kind) {
    case FAULT_HANG: return true;
    case FAULT_ERROR: refuse(c, fault->status, "fault on command"); return true;
    case FAULT_BUSY:
        snprintf(field, sizeof field, "Retry-After: %u\r\n", fault->retry_after_s);
        uint8_t storage[256];
        struct buf body;
        buf_init_fixed(&body, storage, sizeof storage);
        struct say_error busy = {.status = 429, .text = "too many requests"};
        if (say_refusal(c->server->cfg.like, false, &busy, &body) == ERR_OK)
            conn_answer(
                c, &(struct conn_answer){.status = 429, .fields = field, .body = buf_bytes(&body)});
        return true;
    default: return false;
    }
}

static void refuse_unread(struct conn *c, enum say_kind kind, enum err e, const struct buf *message)
{
    char text[256];
    bytes_to_str(buf_bytes(message), text, sizeof text);
    bool is_llamacpp = c->server->cfg.like == SAY_LLAMACPP;
    bool is_told_late = kind == SAY_MESSAGES || e == ERR_INVALID; /* by an exception, there */
    if (e == ERR_INVALID_JSON)
        refuse(c, 400, "parse error: the body is not valid JSON");
    else if (e == ERR_INVALID_REQUEST || e == ERR_INVALID)
        refuse(c, is_llamacpp && is_told_late ? 500 : 400, text);
    else
        refuse(c, e == ERR_LIMIT ? 400 : 500, err_text(e));
}

/* What the model cannot do; NULL: nothing is in the way. */
static const char *unfit(const struct conn *c, const struct ask *ask,
                         const struct engine_model_view *m, int *ret_status)
{
    bool embeds = m->shape->kv_bytes == 0, is_vllm = c->server->cfg.like == SAY_VLLM;
    if (ask->kind == SAY_INFER)
        return NULL;
    *ret_status = is_vllm ? 400 : 501;
    if (embeds && ask->kind != SAY_EMBEDDING)
        return is_vllm
                   ? "The model does not support Chat Completions API"
                   : "This server does not support completions. Start it without `--embeddings`";
    if (!embeds && ask->kind == SAY_EMBEDDING)
        return is_vllm ? "The model does not support Embeddings API"
                       : "This server does not support embeddings. Start it with `--embeddings`";
    *ret_status = 400;
    if (is_vllm && ask->kind == SAY_MESSAGES && ask->output_max <= 0)
        return "max_tokens must be positive";
    return NULL;
}

static bool refuse_length(struct conn *c, const struct ask *ask, const struct engine_model_view *m)
{
    char text[160];
    size_t asked = ask->token_count;
    bool is_vllm = c->server->cfg.like == SAY_VLLM;
    if (is_vllm && ask->output_max > 0)
        asked += (size_t)ask->output_max - 1;
    if (asked < m->context)
        return false;
    struct say_error e = {.status = 400,
                          .type = is_vllm ? NULL : "exceed_context_size_error",
                          .text = text,
                          .prompt = (uint32_t)ask->token_count,
                          .context = m->context};
    if (is_vllm)
        snprintf(text, sizeof text,
                 "This model's maximum context length is %u tokens. However, you requested %zu "
                 "tokens. Please reduce the length.",
                 m->context, asked + 1);
    else
        snprintf(text, sizeof text,
                 "request (%zu tokens) exceeds the available context size (%u tokens), try "
                 "increasing it",
                 ask->token_count, m->context);
    routes_refuse(c, &e);
    return true;
}

static uint32_t output_max_of(const struct ask *ask)
{
    if (ask->kind == SAY_EMBEDDING || ask->kind == SAY_INFER)
        return 0;
    if (ask->output_max >= 0)
        return ask->output_max ? (uint32_t)ask->output_max : 1;
    switch (ask->kind) {
    case SAY_COMPLETION: return COMPLETION_TOKENS;
    case SAY_MESSAGES: return MESSAGES_TOKENS;
    default: return READ_TOKENS_MAX; /* up to the context */
    }
}

static struct job *job_new(struct conn *c, const struct ask *ask, const struct fault *fault,
                           const struct engine_model_view *m)
{
    struct server *s = c->server;
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->id = ++s->job_count;
    job->conn = c;
    job->server = s;
    job->fault = *fault;
    job->is_stream = ask->is_stream && output_max_of(ask) > 0;
    job->say = (struct say){.like = s->cfg.like,
                            .kind = ask->kind,
                            .model = m->name,
                            .created_s = io_wall_ms(s->loop) / 1000,
                            .wants_usage = ask->wants_usage};
    say_make_id(&job->say, rng_next(&s->rng), rng_next(&s->rng));
    memcpy(job->mark, ask->mark, sizeof job->mark);
    job->echo_count = (uint32_t)ask->echo_count;
    job->width = m->shape->width;
    job->as_base64 = ask->as_base64;
    job->input_count = ask->input_count;
    memcpy(job->input_seeds, ask->input_seeds, sizeof job->input_seeds);
    job->say.times.prompt = (uint32_t)ask->token_count;
    buf_init(&job->text, JOB_TEXT_MAX);
    if (map_put(&s->jobs, job_key(job), job) == ERR_OK)
        return job;
    free(job);
    return NULL;
}

static void submit(struct conn *c, const struct ask *ask, const struct fault *fault, size_t model,
                   const struct engine_model_view *m)
{
    struct job *job = job_new(c, ask, fault, m);
    if (!job) {
        refuse(c, 503, "too many requests at once");
        return;
    }
    c->job = job;
    bool begins_now = job->is_stream && job->say.like == SAY_VLLM;
    uint64_t id = job->id;
    if (begins_now && !job_begin_stream(job))
        return;
    struct engine_event event = {.kind = ENGINE_SUBMIT};
    event.request = (struct engine_request){.id = id,
                                            .model = model,
                                            .tokens = ask->tokens,
                                            .token_count = ask->token_count,
                                            .echo = ask->echo,
                                            .echo_count = ask->echo_count,
                                            .output_max = output_max_of(ask),
                                            .seed = ask->seed,
                                            .ignores_stop = ask->ignores_stop};
    server_step(c->server, &event);
}

static void start(struct conn *c, const struct ask *ask, const struct fault *fault)
{
    size_t model;
    int status;
    struct engine_model_view m;
    if (!server_find_model(c->server, ask->model, &model)) {
        char text[READ_MODEL_SIZE + 64];
        snprintf(text, sizeof text, "The model `%s` does not exist.", ask->model);
        refuse(c, 404, text);
        return;
    }
    engine_model(c->server->engine, model, &m);
    const char *why = unfit(c, ask, &m, &status);
    if (why)
        refuse(c, status, why);
    else if (!refuse_length(c, ask, &m))
        submit(c, ask, fault, model, &m);
}

void job_start(struct conn *c, enum say_kind kind, const char *model)
{
    struct ask ask;
    uint8_t storage[256];
    struct buf message;
    struct fault fault = faults_of_request(&c->server->faults);
    if (fault_answers(c, &fault))
        return;
    buf_init_fixed(&message, storage, sizeof storage);
    enum err e = read_ask(kind, buf_bytes(&c->body), &ask, &message);
    if (model)
        bytes_to_str(bytes_from_str(model), ask.model, sizeof ask.model);
    if (e != ERR_OK)
        refuse_unread(c, kind, e, &message);
    else
        start(c, &ask, &fault);
    read_ask_fini(&ask);
}
