/* The paths that compute: all but counting by way of a job. */
#include "node/admin/json.h"
#include "testnet/engine/core/tokens.h"
#include "testnet/engine/serve/job.h"
#include "testnet/engine/serve/routes.h"

#include <stdio.h>

void routes_chat(struct conn *c)
{
    job_start(c, SAY_CHAT, NULL);
}

void routes_completion(struct conn *c)
{
    job_start(c, SAY_COMPLETION, NULL);
}

void routes_messages(struct conn *c)
{
    job_start(c, SAY_MESSAGES, NULL);
}

void routes_embedding(struct conn *c)
{
    job_start(c, SAY_EMBEDDING, NULL);
}

void routes_count_tokens(struct conn *c)
{
    struct ask ask;
    char text[64];
    uint8_t storage[256];
    struct buf message;
    buf_init_fixed(&message, storage, sizeof storage);
    enum err e = read_ask(SAY_MESSAGES, buf_bytes(&c->body), &ask, &message);
    snprintf(text, sizeof text, "{\"input_tokens\":%zu}", ask.token_count);
    read_ask_fini(&ask);
    if (e == ERR_OK)
        conn_answer(c, &(struct conn_answer){.status = 200, .body = bytes_from_str(text)});
    else
        routes_refuse(c, &(struct say_error){.status = 400, .text = err_text(e)});
}

static enum err write_tokens(bool is_vllm, struct bytes text, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    if (is_vllm)
        json_put_uint(&j, "count", tokens_count(text));
    json_key(&j, "tokens");
    json_open(&j, '[');
    for (struct bytes piece; (piece = tokens_next(&text)).size;)
        json_uint(&j, tokens_value(piece) & 0x7FFFFFFF);
    json_close(&j, ']');
    json_close(&j, '}');
    return json_end(&j);
}

void routes_tokenize(struct conn *c)
{
    bool is_vllm = c->server->cfg.like == SAY_VLLM;
    struct buf text, out;
    buf_init(&text, CONN_BODY_MAX);
    buf_init(&out, CONN_BODY_MAX * 4);
    enum err e = read_member(buf_bytes(&c->body), is_vllm ? "prompt" : "content", &text);
    if (e == ERR_OK)
        e = write_tokens(is_vllm, buf_bytes(&text), &out);
    if (e == ERR_OK)
        conn_answer(c, &(struct conn_answer){.status = 200, .body = buf_bytes(&out)});
    else
        routes_refuse(c, &(struct say_error){.status = 400, .text = err_text(e)});
    buf_fini(&text);
    buf_fini(&out);
}
