/* KServe's Open Inference Protocol over HTTP, version 2, as Triton serves it, with JSON tensors
 * only: what an input says is computed like a prompt, and each gives one tensor of numbers. */
#include "node/admin/json.h"
#include "testnet/engine/serve/job.h"
#include "testnet/engine/serve/routes.h"

#include <stdio.h>

static void answer_text(struct conn *c, int status, const char *text)
{
    conn_answer(c, &(struct conn_answer){.status = status, .body = bytes_from_str(text)});
}

static void refuse(struct conn *c, int status, const char *text)
{
    routes_refuse(c, &(struct say_error){.status = status, .text = text});
}

static void put_tensor(struct json *j, const char *list, const char *name, const char *type)
{
    json_key(j, list);
    json_open(j, '[');
    json_open(j, '{');
    json_put_str(j, "name", name);
    json_put_str(j, "datatype", type);
    json_key(j, "shape");
    json_open(j, '[');
    json_uint(j, 1);
    json_uint(j, SAY_INFER_WIDTH);
    json_close(j, ']');
    json_close(j, '}');
    json_close(j, ']');
}

static void answer_metadata(struct conn *c, const char *name)
{
    uint8_t storage[1024];
    struct buf body;
    struct json j;
    buf_init_fixed(&body, storage, sizeof storage);
    json_begin(&j, &body);
    json_open(&j, '{');
    json_put_str(&j, "name", name);
    json_key(&j, "versions");
    json_open(&j, '[');
    json_text(&j, BYTES("1"));
    json_close(&j, ']');
    json_put_str(&j, "platform", "emulated");
    put_tensor(&j, "inputs", "input_0", "FP32");
    put_tensor(&j, "outputs", "output_0", "FP32");
    json_close(&j, '}');
    enum err e = json_end(&j);
    conn_answer(c,
                &(struct conn_answer){.status = e == ERR_OK ? 200 : 500, .body = buf_bytes(&body)});
}

static void answer_ready(struct conn *c, size_t model, const char *name)
{
    char text[READ_MODEL_SIZE + 48];
    struct engine_model_view m;
    engine_model(c->server->engine, model, &m);
    bool is_ready = m.load == ENGINE_LOADED;
    snprintf(text, sizeof text, "{\"name\":\"%s\",\"ready\":%s}", name,
             is_ready ? "true" : "false");
    answer_text(c, is_ready ? 200 : 400, text);
}

/* /v2/models/NAME[/versions/1][/ready|/infer] */
static void answer_model(struct conn *c, struct bytes rest)
{
    char name[READ_MODEL_SIZE];
    size_t model;
    struct bytes first = bytes_of(rest.data, bytes_find(rest, '/'));
    bytes_to_str(first, name, sizeof name);
    rest = bytes_skip(rest, first.size);
    if (bytes_starts_with(rest, BYTES("/versions/1")))
        rest = bytes_skip(rest, 11);
    if (!server_find_model(c->server, name, &model)) {
        refuse(c, 404, "unknown model");
        return;
    }
    bool is_post = c->head.method == HTTP_POST;
    bool is_json = bytes_starts_with(buf_bytes(&c->body), BYTES("{"));
    if (rest.size == 0 && !is_post)
        answer_metadata(c, name);
    else if (bytes_equal(rest, BYTES("/ready")) && !is_post)
        answer_ready(c, model, name);
    else if (!bytes_equal(rest, BYTES("/infer")) || !is_post)
        refuse(c, 404, "no such path");
    else if (!is_json)
        refuse(c, 400, "binary tensors are not understood here");
    else
        job_start(c, SAY_INFER, name);
}

static void answer_index(struct conn *c)
{
    static const char *const states[] = {"UNAVAILABLE", "LOADING", "READY"};
    uint8_t storage[4096];
    struct buf body;
    struct json j;
    struct engine_model_view m;
    buf_init_fixed(&body, storage, sizeof storage);
    json_begin(&j, &body);
    json_open(&j, '[');
    for (size_t i = 0; i < c->server->cfg.engine.model_count; i++) {
        engine_model(c->server->engine, i, &m);
        json_open(&j, '{');
        json_put_str(&j, "name", m.name);
        json_put_str(&j, "version", "1");
        json_put_str(&j, "state", states[m.load]);
        json_put_str(&j, "reason", "");
        json_close(&j, '}');
    }
    json_close(&j, ']');
    enum err e = json_end(&j);
    conn_answer(c,
                &(struct conn_answer){.status = e == ERR_OK ? 200 : 500, .body = buf_bytes(&body)});
}

void routes_v2(struct conn *c)
{
    struct bytes path = routes_path(c);
    bool is_ready = engine_is_ready(c->server->engine);
    if (bytes_equal(path, BYTES("/v2")))
        answer_text(c, 200, "{\"name\":\"emulated\",\"version\":\"2.0.0\",\"extensions\":[]}");
    else if (bytes_equal(path, BYTES("/v2/health/live")))
        answer_text(c, 200, "{\"live\":true}");
    else if (bytes_equal(path, BYTES("/v2/health/ready")))
        answer_text(c, is_ready ? 200 : 400, is_ready ? "{\"ready\":true}" : "{\"ready\":false}");
    else if (bytes_equal(path, BYTES("/v2/repository/index")))
        answer_index(c);
    else if (bytes_starts_with(path, BYTES("/v2/models/")))
        answer_model(c, bytes_skip(path, 11));
    else
        refuse(c, 404, "no such path");
}
