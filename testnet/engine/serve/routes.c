/* The table of paths; see routes.h. */
#include "testnet/engine/serve/routes.h"

#define VLLM (1u << SAY_VLLM)
#define LLAMACPP (1u << SAY_LLAMACPP)
#define KSERVE (1u << SAY_KSERVE)
#define ALL (VLLM | LLAMACPP | KSERVE)

static const struct route {
    enum http_method method;
    const char *path;
    void (*handle)(struct conn *c);
    uint32_t likes;
    bool is_ours; /* answered whatever state the engine is in */
} routes[] = {
    {HTTP_POST, "/v1/chat/completions", routes_chat, VLLM | LLAMACPP, false},
    {HTTP_POST, "/chat/completions", routes_chat, LLAMACPP, false},
    {HTTP_POST, "/v1/completions", routes_completion, VLLM | LLAMACPP, false},
    {HTTP_POST, "/v1/messages", routes_messages, VLLM | LLAMACPP, false},
    {HTTP_POST, "/v1/messages/count_tokens", routes_count_tokens, VLLM | LLAMACPP, false},
    {HTTP_POST, "/v1/embeddings", routes_embedding, VLLM | LLAMACPP, false},
    {HTTP_POST, "/embeddings", routes_embedding, LLAMACPP, false},
    {HTTP_POST, "/tokenize", routes_tokenize, VLLM | LLAMACPP, false},
    {HTTP_GET, "/v1/models", routes_models, VLLM | LLAMACPP, false},
    {HTTP_GET, "/models", routes_models, LLAMACPP, false},
    {HTTP_GET, "/health", routes_health, VLLM | LLAMACPP, false},
    {HTTP_GET, "/v1/health", routes_health, LLAMACPP, false},
    {HTTP_GET, "/metrics", routes_metrics, ALL, false},
    {HTTP_GET, "/version", routes_version, VLLM, false},
    {HTTP_GET, "/load", routes_load, VLLM, false},
    {HTTP_GET, "/slots", routes_slots, LLAMACPP, false},
    {HTTP_GET, "/props", routes_props, LLAMACPP, false},
    {HTTP_GET, "/faults", routes_faults_get, ALL, true},
    {HTTP_POST, "/faults", routes_faults_post, ALL, true},
    {HTTP_DELETE, "/faults", routes_faults_delete, ALL, true},
    {HTTP_PUT, "/latest/api/token", routes_aws_token, ALL, true},
    {HTTP_GET, "/latest/meta-data/spot/instance-action", routes_aws_spot, ALL, true},
    {HTTP_GET, "/computeMetadata/v1/instance/preempted", routes_gcp_preempted, ALL, true},
};

struct bytes routes_path(const struct conn *c)
{
    struct bytes target = c->head.target;
    return bytes_of(target.data, bytes_find(target, '?'));
}

struct bytes routes_argument(const struct conn *c, struct bytes name)
{
    struct bytes rest = bytes_skip(c->head.target, bytes_find(c->head.target, '?') + 1);
    while (rest.size > 0) {
        size_t end = bytes_find(rest, '&');
        struct bytes pair = bytes_of(rest.data, end);
        size_t equals = bytes_find(pair, '=');
        if (bytes_equal(bytes_of(pair.data, equals), name))
            return bytes_skip(pair, equals + 1);
        rest = bytes_skip(rest, end + 1);
    }
    return rest;
}

void routes_refuse(struct conn *c, const struct say_error *error)
{
    uint8_t storage[1024];
    struct buf body;
    bool is_anthropic = bytes_equal(routes_path(c), BYTES("/v1/messages"));
    buf_init_fixed(&body, storage, sizeof storage);
    if (say_refusal(c->server->cfg.like, is_anthropic, error, &body) != ERR_OK)
        buf_clear(&body);
    conn_answer(c, &(struct conn_answer){.status = error->status, .body = buf_bytes(&body)});
}

/* FastAPI says these in its own words. */
static void refuse_path(struct conn *c, bool is_known)
{
    bool is_vllm = c->server->cfg.like == SAY_VLLM;
    struct conn_answer answer = {.status = is_vllm && is_known ? 405 : 404};
    answer.body = is_known ? BYTES("{\"detail\":\"Method Not Allowed\"}")
                           : BYTES("{\"detail\":\"Not Found\"}");
    if (is_vllm)
        conn_answer(c, &answer);
    else
        routes_refuse(c, &(struct say_error){.status = 404, .text = "File Not Found"});
}

static bool has_key(const struct conn *c)
{
    char expected[256] = "Bearer ";
    const char *key = c->server->cfg.api_key;
    const struct http_field *f = http_find(&c->head, HTTP_AUTHORIZATION);
    if (!key)
        return true;
    bytes_to_str(bytes_from_str(key), expected + 7, sizeof expected - 7);
    return f && bytes_equal(f->value, bytes_from_str(expected));
}

/* What llama.cpp shows without a key; vLLM guards /v1 alone. */
static bool is_public(const struct conn *c, const struct route *route)
{
    bool is_vllm = c->server->cfg.like == SAY_VLLM;
    if (route->is_ours || (is_vllm && strncmp(route->path, "/v1/", 4) != 0))
        return true;
    return !is_vllm && (route->handle == routes_health || route->handle == routes_models);
}

static void refuse_key(struct conn *c)
{
    struct conn_answer answer = {.status = 401, .body = BYTES("{\"error\":\"Unauthorized\"}")};
    if (c->server->cfg.like == SAY_VLLM)
        conn_answer(c, &answer);
    else
        routes_refuse(c, &(struct say_error){.status = 401, .text = "Invalid API Key"});
}

static void run(struct conn *c, const struct route *route)
{
    bool is_ready = engine_is_ready(c->server->engine);
    if (!is_public(c, route) && !has_key(c))
        refuse_key(c);
    else if (is_ready || route->is_ours || c->server->cfg.like != SAY_LLAMACPP)
        route->handle(c);
    else
        routes_refuse(c, &(struct say_error){.status = 503, .text = "Loading model"});
}

void routes_dispatch(struct conn *c)
{
    struct bytes path = routes_path(c);
    uint32_t like = 1u << c->server->cfg.like;
    enum http_method method = c->head.method == HTTP_HEAD ? HTTP_GET : c->head.method;
    bool is_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct route *r = &routes[i];
        if (!(r->likes & like) || !bytes_equal(bytes_from_str(r->path), path))
            continue;
        is_known = true;
        if (r->method != method)
            continue;
        run(c, r);
        return;
    }
    bool is_v2 = bytes_starts_with(path, BYTES("/v2"));
    if (c->server->cfg.like == SAY_KSERVE && is_v2)
        routes_v2(c);
    else
        refuse_path(c, is_known);
}
