/* Chat completions and completions, whole and streamed. vLLM and llama.cpp differ in order, in what
 * is null, in timings, and in where a stream tells its usage. */
#include "testnet/engine/say/openai.h"

#include "node/admin/json.h"

#include <stdio.h>

static const char *reason_of(const struct say *s)
{
    return s->was_stopped ? "stop" : "length";
}

static bool is_llamacpp(const struct say *s)
{
    return s->like == SAY_LLAMACPP;
}

/* --- parts that several answers have */

static void put_usage(struct json *j, const struct say *s)
{
    const struct stats_times *t = &s->times;
    json_key(j, "usage");
    json_open(j, '{');
    json_put_uint(j, "prompt_tokens", t->prompt);
    json_put_uint(j, "completion_tokens", t->output);
    json_put_uint(j, "total_tokens", t->prompt + t->output);
    json_key(j, "prompt_tokens_details");
    json_open(j, '{');
    json_put_uint(j, "cached_tokens", t->cached);
    json_close(j, '}');
    json_close(j, '}');
}

static void put_rate(struct json *j, const char *prefix, uint64_t count, uint64_t took_us)
{
    char key[48];
    snprintf(key, sizeof key, "%s_n", prefix);
    json_put_uint(j, key, count);
    snprintf(key, sizeof key, "%s_ms", prefix);
    json_key(j, key);
    json_milli(j, took_us);
    snprintf(key, sizeof key, "%s_per_token_ms", prefix);
    json_key(j, key);
    json_milli(j, count ? took_us / count : 0);
    snprintf(key, sizeof key, "%s_per_second", prefix);
    json_key(j, key);
    json_milli(j, took_us ? count * 1000000000 / took_us : 0);
}

static void put_timings(struct json *j, const struct say *s)
{
    const struct stats_times *t = &s->times;
    if (!is_llamacpp(s))
        return;
    json_key(j, "timings");
    json_open(j, '{');
    json_put_uint(j, "cache_n", t->cached);
    put_rate(j, "prompt", t->prompt - t->cached, t->first_us - t->admitted_us);
    put_rate(j, "predicted", t->output, t->done_us - t->first_us);
    json_close(j, '}');
}

static void put_head(struct json *j, const struct say *s, const char *object)
{
    json_put_str(j, "id", s->id);
    json_put_str(j, "object", object);
    json_put_uint(j, "created", s->created_s);
    json_put_str(j, "model", s->model);
    if (is_llamacpp(s))
        json_put_str(j, "system_fingerprint", "b0-emulated");
}

/* --- streams: `reason` NULL until the last */

static enum err begin_event(struct json *j, struct buf *out)
{
    TRY(buf_append_str(out, "data: "));
    json_begin(j, out);
    json_open(j, '{');
    return ERR_OK;
}

static enum err end_event(struct json *j, struct buf *out)
{
    json_close(j, '}');
    TRY(json_end(j));
    return buf_append_str(out, "\n\n");
}

static void put_reason(struct json *j, const char *reason)
{
    if (reason)
        json_put_str(j, "finish_reason", reason);
    else
        json_put_null(j, "finish_reason");
}

static enum err chat_event(const struct say *s, const char *role, struct bytes text,
                           const char *reason, struct buf *out)
{
    struct json j;
    TRY(begin_event(&j, out));
    put_head(&j, s, "chat.completion.chunk");
    json_key(&j, "choices");
    json_open(&j, '[');
    json_open(&j, '{');
    json_put_uint(&j, "index", 0);
    json_key(&j, "delta");
    json_open(&j, '{');
    if (role)
        json_put_str(&j, "role", role);
    if (role && is_llamacpp(s))
        json_put_null(&j, "content");
    else if (role || text.size || (reason && !is_llamacpp(s)))
        json_put_text(&j, "content", text);
    json_close(&j, '}');
    if (!is_llamacpp(s))
        json_put_null(&j, "logprobs");
    put_reason(&j, reason);
    if (reason && !is_llamacpp(s))
        json_put_null(&j, "stop_reason");
    json_close(&j, '}');
    json_close(&j, ']');
    if (reason && !s->wants_usage)
        put_timings(&j, s);
    return end_event(&j, out);
}

static enum err completion_event(const struct say *s, struct bytes text, const char *reason,
                                 struct buf *out)
{
    struct json j;
    TRY(begin_event(&j, out));
    put_head(&j, s, "text_completion");
    json_key(&j, "choices");
    json_open(&j, '[');
    json_open(&j, '{');
    json_put_uint(&j, "index", 0);
    json_put_text(&j, "text", text);
    json_put_null(&j, "logprobs");
    put_reason(&j, reason);
    if (!is_llamacpp(s))
        json_put_null(&j, "stop_reason");
    json_close(&j, '}');
    json_close(&j, ']');
    if (reason && is_llamacpp(s)) {
        put_usage(&j, s);
        put_timings(&j, s);
    }
    return end_event(&j, out);
}

static enum err usage_event(const struct say *s, struct buf *out)
{
    struct json j;
    bool is_chat = s->kind == SAY_CHAT;
    if (!s->wants_usage || (is_llamacpp(s) && !is_chat))
        return ERR_OK;
    TRY(begin_event(&j, out));
    put_head(&j, s, is_chat ? "chat.completion.chunk" : "text_completion");
    json_key(&j, "choices");
    json_open(&j, '[');
    json_close(&j, ']');
    put_usage(&j, s);
    put_timings(&j, s);
    return end_event(&j, out);
}

enum err openai_begin(const struct say *s, struct buf *out)
{
    return s->kind == SAY_CHAT ? chat_event(s, "assistant", BYTES(""), NULL, out) : ERR_OK;
}

enum err openai_piece(const struct say *s, struct bytes text, struct buf *out)
{
    return s->kind == SAY_CHAT ? chat_event(s, NULL, text, NULL, out)
                               : completion_event(s, text, NULL, out);
}

enum err openai_end(const struct say *s, struct buf *out)
{
    if (s->kind == SAY_CHAT)
        TRY(chat_event(s, NULL, BYTES(""), reason_of(s), out));
    else
        TRY(completion_event(s, BYTES(""), reason_of(s), out));
    TRY(usage_event(s, out));
    return buf_append_str(out, "data: [DONE]\n\n");
}

/* --- whole answers */

static void put_message(struct json *j, const struct say *s, struct bytes text)
{
    json_key(j, "message");
    json_open(j, '{');
    json_put_str(j, "role", "assistant");
    json_put_text(j, "content", text);
    if (!is_llamacpp(s)) {
        json_put_null(j, "refusal");
        json_key(j, "tool_calls");
        json_open(j, '[');
        json_close(j, ']');
        json_put_null(j, "reasoning");
    }
    json_close(j, '}');
}

enum err openai_whole(const struct say *s, struct bytes text, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    put_head(&j, s, s->kind == SAY_CHAT ? "chat.completion" : "text_completion");
    json_key(&j, "choices");
    json_open(&j, '[');
    json_open(&j, '{');
    json_put_uint(&j, "index", 0);
    if (s->kind == SAY_CHAT)
        put_message(&j, s, text);
    else
        json_put_text(&j, "text", text);
    if (s->kind != SAY_CHAT || !is_llamacpp(s))
        json_put_null(&j, "logprobs");
    json_put_str(&j, "finish_reason", reason_of(s));
    if (!is_llamacpp(s))
        json_put_null(&j, "stop_reason");
    json_close(&j, '}');
    json_close(&j, ']');
    if (!is_llamacpp(s)) {
        json_put_null(&j, "service_tier");
        json_put_null(&j, "system_fingerprint");
    }
    put_usage(&j, s);
    put_timings(&j, s);
    json_close(&j, '}');
    return json_end(&j);
}
