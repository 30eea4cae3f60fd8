/* Health, models, metrics: what a node looks at. */
#include "node/admin/json.h"
#include "testnet/engine/say/metrics.h"
#include "testnet/engine/serve/routes.h"

#include <stdio.h>

#define METRICS_MAX (1024 * 1024)

void routes_health(struct conn *c)
{
    bool is_ready = engine_is_ready(c->server->engine);
    struct conn_answer answer = {.status = is_ready ? 200 : 503};
    if (c->server->cfg.like == SAY_LLAMACPP)
        answer.body = BYTES("{\"status\":\"ok\"}");
    conn_answer(c, &answer);
}

/* --- models */

static void put_vllm_model(struct json *j, const struct server *s,
                           const struct engine_model_view *m)
{
    json_open(j, '{');
    json_put_str(j, "id", m->name);
    json_put_str(j, "object", "model");
    json_put_uint(j, "created", s->started_s);
    json_put_str(j, "owned_by", "vllm");
    json_put_str(j, "root", m->name);
    json_put_null(j, "parent");
    json_put_uint(j, "max_model_len", m->context);
    json_key(j, "permission");
    json_open(j, '[');
    json_close(j, ']');
    json_close(j, '}');
}

static void put_modalities(struct json *j, const char *key)
{
    json_key(j, key);
    json_open(j, '[');
    json_text(j, BYTES("text"));
    json_close(j, ']');
}

static void put_aliases(struct json *j, const struct server *s, const char *name)
{
    struct bytes rest = bytes_from_str(s->cfg.aliases ? s->cfg.aliases : "");
    json_key(j, "aliases");
    json_open(j, '[');
    json_text(j, bytes_from_str(name));
    while (rest.size > 0) {
        size_t end = bytes_find(rest, ',');
        json_text(j, bytes_of(rest.data, end));
        rest = bytes_skip(rest, end + 1);
    }
    json_close(j, ']');
}

static void put_meta(struct json *j, const struct engine_model_view *m)
{
    char type[16];
    snprintf(type, sizeof type, m->shape->weight_bits == 16 ? "F16" : "Q%u_1",
             m->shape->weight_bits);
    json_key(j, "meta");
    json_open(j, '{');
    json_put_uint(j, "vocab_type", 2);
    json_put_uint(j, "n_vocab", m->shape->vocabulary);
    json_put_uint(j, "n_ctx", m->context);
    json_put_uint(j, "n_ctx_train", m->shape->context);
    json_put_uint(j, "n_embd", m->shape->width);
    json_put_uint(j, "n_params", (uint64_t)(m->shape->params_billion * 1e9));
    json_put_uint(j, "size", shape_weight_bytes(m->shape));
    json_put_str(j, "ftype", type);
    json_close(j, '}');
}

static void put_status(struct json *j, const struct engine_model_view *m)
{
    static const char *const words[] = {"unloaded", "loading", "loaded"};
    json_key(j, "status");
    json_open(j, '{');
    json_put_str(j, "value", words[m->load]);
    json_close(j, '}');
}

static void put_llamacpp_model(struct json *j, const struct server *s, size_t index,
                               const struct engine_model_view *m)
{
    json_open(j, '{');
    json_put_str(j, "id", m->name);
    if (index == 0)
        put_aliases(j, s, m->name);
    json_key(j, "tags");
    json_open(j, '[');
    json_close(j, ']');
    json_put_str(j, "object", "model");
    json_key(j, "architecture");
    json_open(j, '{');
    put_modalities(j, "input_modalities");
    put_modalities(j, "output_modalities");
    json_close(j, '}');
    json_put_uint(j, "created", s->started_s);
    json_put_str(j, "owned_by", "llamacpp");
    put_meta(j, m);
    if (s->cfg.engine.model_count > 1) /* as its router mode tells */
        put_status(j, m);
    json_close(j, '}');
}

/* llama.cpp lists its models a second time, as Ollama would. */
static void put_details(struct json *j)
{
    static const char *const texts[] = {"parent_model", "family", "parameter_size",
                                        "quantization_level"};
    json_key(j, "details");
    json_open(j, '{');
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        json_put_str(j, texts[i], "");
    json_put_str(j, "format", "gguf");
    json_key(j, "families");
    json_open(j, '[');
    json_text(j, BYTES(""));
    json_close(j, ']');
    json_close(j, '}');
}

static void put_ollama_model(struct json *j, const struct engine_model_view *m)
{
    static const char *const texts[] = {"modified_at", "size", "digest", "description",
                                        "parameters"};
    json_open(j, '{');
    json_put_str(j, "name", m->name);
    json_put_str(j, "model", m->name);
    json_put_str(j, "type", "model");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        json_put_str(j, texts[i], "");
    json_key(j, "tags");
    json_open(j, '[');
    json_text(j, BYTES(""));
    json_close(j, ']');
    json_key(j, "capabilities");
    json_open(j, '[');
    json_text(j, m->shape->kv_bytes ? BYTES("completion") : BYTES("embedding"));
    json_close(j, ']');
    put_details(j);
    json_close(j, '}');
}

static enum err write_models(struct server *s, struct buf *out)
{
    struct json j;
    struct engine_model_view m;
    bool is_llamacpp = s->cfg.like == SAY_LLAMACPP;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_str(&j, "object", "list");
    json_key(&j, "data");
    json_open(&j, '[');
    for (size_t i = 0; i < s->cfg.engine.model_count; i++) {
        server_model(s, i, &m);
        if (is_llamacpp)
            put_llamacpp_model(&j, s, i, &m);
        else
            put_vllm_model(&j, s, &m);
    }
    json_close(&j, ']');
    if (is_llamacpp) {
        json_key(&j, "models");
        json_open(&j, '[');
        for (size_t i = 0; i < s->cfg.engine.model_count; i++) {
            server_model(s, i, &m);
            put_ollama_model(&j, &m);
        }
        json_close(&j, ']');
    }
    json_close(&j, '}');
    return json_end(&j);
}

void routes_models(struct conn *c)
{
    struct buf body;
    buf_init(&body, METRICS_MAX);
    enum err e = write_models(c->server, &body);
    conn_answer(c,
                &(struct conn_answer){.status = e == ERR_OK ? 200 : 500, .body = buf_bytes(&body)});
    buf_fini(&body);
}

/* --- metrics */

static enum err write_metrics(struct server *s, struct buf *out)
{
    struct engine_model_view models[ENGINE_MODELS_MAX];
    struct engine_device_view device;
    size_t count = s->cfg.engine.model_count;
    for (size_t i = 0; i < count; i++)
        server_model(s, i, &models[i]);
    engine_device(s->engine, io_now_us(s->loop), &device);
    if (faults_find(&s->faults, FAULT_LIE))
        device.load = models[0].running ? 1 : 0;
    switch (s->cfg.like) {
    case SAY_VLLM: TRY(metrics_vllm(models, count, out)); break;
    case SAY_LLAMACPP: TRY(metrics_llamacpp(&models[0], out)); break;
    case SAY_KSERVE:
        TRY(metrics_triton(models, count, out));
        TRY(metrics_triton_device(&device, out));
        break;
    }
    return metrics_dcgm(&device, s->cfg.engine.profile, out);
}

void routes_metrics(struct conn *c)
{
    struct buf body;
    buf_init(&body, METRICS_MAX);
    enum err e = write_metrics(c->server, &body);
    conn_answer(
        c, &(struct conn_answer){.status = e == ERR_OK ? 200 : 500,
                                 .content_type = c->server->cfg.like == SAY_LLAMACPP
                                                     ? "text/plain; version=0.0.4"
                                                     : "text/plain; version=0.0.4; charset=utf-8",
                                 .body = buf_bytes(&body)});
    buf_fini(&body);
}

void routes_version(struct conn *c)
{
    conn_answer(
        c, &(struct conn_answer){.status = 200, .body = BYTES("{\"version\":\"0.0.0+emulated\"}")});
}

void routes_load(struct conn *c)
{
    uint64_t load = 0;
    char text[48];
    struct engine_model_view m;
    for (size_t i = 0; i < c->server->cfg.engine.model_count; i++) {
        server_model(c->server, i, &m);
        load += m.running + m.waiting;
    }
    snprintf(text, sizeof text, "{\"server_load\":%llu}", (unsigned long long)load);
    conn_answer(c, &(struct conn_answer){.status = 200, .body = bytes_from_str(text)});
}
