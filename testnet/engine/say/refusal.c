/* Errors as each server shapes them (declared in say.h). */
#include "node/admin/json.h"
#include "testnet/engine/say/say.h"

static const char *vllm_type(int status)
{
    switch (status) {
    case 400: return "BadRequestError";
    case 401: return "AuthenticationError";
    case 404: return "NotFoundError";
    case 422: return "UnprocessableEntityError";
    case 429: return "TooManyRequestsError";
    case 501: return "NotImplementedError";
    case 503: return "ServiceUnavailableError";
    default: return status < 500 ? "BadRequestError" : "InternalServerError";
    }
}

static const char *llamacpp_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 501: return "not_supported_error";
    case 503: return "unavailable_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

static const char *anthropic_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return status < 500 ? "invalid_request_error" : "api_error";
    }
}

static void put_openai(struct json *j, enum say_like like, const struct say_error *e)
{
    bool is_vllm = like == SAY_VLLM;
    const char *usual = is_vllm ? vllm_type(e->status) : llamacpp_type(e->status);
    json_key(j, "error");
    json_open(j, '{');
    json_put_str(j, "message", e->text);
    json_put_str(j, "type", e->type ? e->type : usual);
    if (is_vllm)
        json_put_null(j, "param");
    json_put_uint(j, "code", (uint64_t)e->status);
    if (e->context && !is_vllm) {
        json_put_uint(j, "n_prompt_tokens", e->prompt);
        json_put_uint(j, "n_ctx", e->context);
    }
    json_close(j, '}');
}

static void put_anthropic(struct json *j, const struct say_error *e)
{
    json_put_str(j, "type", "error");
    json_key(j, "error");
    json_open(j, '{');
    json_put_str(j, "type", anthropic_type(e->status));
    json_put_str(j, "message", e->text);
    json_close(j, '}');
}

enum err say_refusal(enum say_like like, bool is_anthropic, const struct say_error *e,
                     struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    if (like == SAY_KSERVE)
        json_put_str(&j, "error", e->text);
    else if (is_anthropic && like == SAY_VLLM) /* llama.cpp keeps OpenAI's shape here, too */
        put_anthropic(&j, e);
    else
        put_openai(&j, like, e);
    json_close(&j, '}');
    return json_end(&j);
}

enum err say_error_event(const struct say *s, const struct say_error *e, struct buf *out)
{
    bool is_anthropic = s->kind == SAY_MESSAGES;
    TRY(buf_append_str(out, is_anthropic ? "event: error\ndata: " : "data: "));
    TRY(say_refusal(s->like, is_anthropic, e, out));
    TRY(buf_append_str(out, "\n\n"));
    /* vLLM ends the stream in order; llama.cpp just ends it. */
    return s->like == SAY_VLLM && !is_anthropic ? buf_append_str(out, "data: [DONE]\n\n") : ERR_OK;
}
