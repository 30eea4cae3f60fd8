/* Health and inventory of a backend: GET /health (llama.cpp), /v1/models, /slots (llama.cpp),
 * /metrics, one after the other, on the same pooled client that requests use. Of an engine that has
 * metrics they are asked for once more in between.
 *
 * Happy path: health 200, models parsed, slots counted, state up. Failure modes: no connection
 * (down at once), 503 (loading), another status or an unreadable list (down), silence (down after
 * three probes in a row: machines stall), a node of this mesh itself (down, and said aloud).
 * Without metrics an engine is as well as with them. */
#include "node/egress/backend.h"
#include "node/egress/inventory.h"
#include "node/http/via.h"
#include "node/lane.h"

static void probe_next(struct io_timer *timer);
static void probe_phase(struct backend *b, int phase);

static struct backend *of_timer(struct io_timer *t)
{
    return LIST_ENTRY(t, struct backend, probe_timer);
}
static struct backend *of_call(struct client_call *c)
{
    return LIST_ENTRY(c, struct backend, probe);
}

static void wait_for_next(struct backend *b)
{
    uint64_t now_ms = io_now_ms(b->lane->loop);
    uint64_t delay_ms = b->probe_due_ms > now_ms ? b->probe_due_ms - now_ms : 0;
    bool has_time = delay_ms > BACKEND_METRICS_MS * 3 / 2;
    b->probe_phase = PROBE_IDLE;
    if (b->has_metrics && has_time)
        delay_ms = BACKEND_METRICS_MS;
    io_timer_start(b->lane->loop, &b->probe_timer, delay_ms, probe_next);
}

/* The probe has its result; only metrics may follow. */
static void probe_done(struct backend *b)
{
    uint64_t now_ms = io_now_ms(b->lane->loop);
    uint64_t delay_ms = b->state == BACKEND_UP ? BACKEND_PROBE_MS : BACKEND_PROBE_FAST_MS;
    /* A fifth of jitter, so that many nodes do not probe one engine in step. */
    b->probe_due_ms = now_ms + delay_ms + rng_below(&b->lane->rng, delay_ms / 5);
    if (b->state == BACKEND_UP && now_ms >= b->metrics_due_ms)
        probe_phase(b, PROBE_METRICS);
    else
        wait_for_next(b);
}

static void metrics_done(struct backend *b, bool has_metrics)
{
    uint64_t pause_ms = has_metrics ? 0 : BACKEND_METRICS_RETRY_MS;
    b->has_metrics = has_metrics;
    b->metrics_due_ms = io_now_ms(b->lane->loop) + pause_ms;
    if (has_metrics)
        backend_take_metrics(b, buf_bytes(&b->probe_answer));
    else
        backend_forget_metrics(b);
    wait_for_next(b);
}

static void probe_failed(struct backend *b, enum backend_state state, enum err reason)
{
    if (b->probe_phase == PROBE_METRICS) {
        metrics_done(b, false);
        return;
    }
    bool slow = reason == ERR_TIMEOUT;
    if (slow && b->state == BACKEND_UP && ++b->probe_failures < BACKEND_PROBE_FAILURES_MAX) {
        probe_done(b);
        return;
    }
    b->probe_failures = 0;
    backend_set_state(b, state, reason);
    probe_done(b);
}

/* The inventory is replaced only when it changed, so that candidates stay as they are otherwise. */
static enum err take_models(struct backend *b)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct bytes answer = buf_bytes(&b->probe_answer);
    struct bytes parts[] = {answer, bytes_of(&b->slots, sizeof b->slots)};
    crypto_hash_parts(parts, 2, hash);
    if (b->models && crypto_equal(hash, b->models_hash, sizeof hash))
        return ERR_OK;
    struct arena arena;
    struct inventory found;
    arena_init(&arena, BACKEND_ANSWER_MAX * 2);
    enum err e =
        inventory_parse_models(answer, b->slots, bytes_from_str(b->cfg.version), &arena, &found);
    if (e != ERR_OK) {
        arena_fini(&arena);
        return e;
    }
    arena_fini(&b->arena);
    b->arena = arena;
    b->models = found.models;
    b->model_count = found.count;
    memcpy(b->models_hash, hash, sizeof hash);
    b->probe_is_llamacpp |= found.is_llamacpp;
    candidates_invalidate(&b->lane->candidates);
    if (b->lane->mesh)
        mesh_facts_changed(b->lane->mesh);
    return ERR_OK;
}

static void finish_models(struct backend *b)
{
    if (b->probe_status == 503) {
        probe_failed(b, BACKEND_LOADING, ERR_BACKEND_LOADING);
        return;
    }
    enum err e = b->probe_status == 200 ? take_models(b) : ERR_PROTOCOL;
    if (e != ERR_OK) {
        probe_failed(b, BACKEND_DOWN, e);
        return;
    }
    b->probe_failures = 0;
    if (b->kind == BACKEND_AUTO)
        b->kind = b->probe_is_llamacpp ? BACKEND_LLAMACPP : BACKEND_OPENAI;
    backend_set_state(b, BACKEND_UP, ERR_OK);
    if (b->kind == BACKEND_LLAMACPP)
        probe_phase(b, PROBE_SLOTS);
    else
        probe_done(b);
}

static void on_head(struct client_call *call, const struct http_head *head)
{
    struct backend *b = of_call(call);
    b->probe_status = head->status;
    b->probe_is_ours = http_via_names(head, &b->lane->identity->mesh);
    const struct http_field *server = http_find(head, HTTP_SERVER);
    b->probe_is_llamacpp |= server && bytes_equal_nocase(server->value, BYTES("llama.cpp"));
}

static void on_fail(struct client_call *call, enum err e, bool begun)
{
    struct backend *b = of_call(call);
    (void)begun;
    probe_failed(b, BACKEND_DOWN, e);
}

static void on_data(struct client_call *call, struct bytes data)
{
    struct backend *b = of_call(call);
    if (buf_append(&b->probe_answer, data) == ERR_OK)
        return;
    client_cancel(call);
    probe_failed(b, BACKEND_DOWN, ERR_LIMIT);
}

/* It would be given every request back for ever. */
static void refuse_own(struct backend *b)
{
    if (b->state != BACKEND_DOWN || b->down_reason != ERR_SELF_LINK)
        LOG(b->lane->log, LOG_ERROR, "backend_is_this_mesh", LOG_STR("backend", b->cfg.name),
            LOG_STR("url", b->cfg.url),
            LOG_STR("detail", "the URL leads back to a node of this mesh; name the inference "
                              "server itself"));
    probe_failed(b, BACKEND_DOWN, ERR_SELF_LINK);
}

static void on_end(struct client_call *call)
{
    struct backend *b = of_call(call);
    int64_t slots;
    if (b->probe_is_ours) {
        refuse_own(b);
        return;
    }
    switch (b->probe_phase) {
    case PROBE_HEALTH:
        if (b->probe_status == 503)
            probe_failed(b, BACKEND_LOADING, ERR_BACKEND_LOADING);
        else
            probe_phase(b, PROBE_MODELS); /* other engines have no /health, or another one */
        return;
    case PROBE_MODELS: finish_models(b); return;
    case PROBE_METRICS: metrics_done(b, b->probe_status == 200); return;
    default:
        if (b->probe_status == 200 &&
            inventory_parse_slots(buf_bytes(&b->probe_answer), &slots) == ERR_OK)
            b->slots = slots; /* reaches the models at the next probe */
        probe_done(b);
    }
}

static const struct client_ops probe_ops = {on_head, on_data, on_end, on_fail};

static void on_timeout(struct io_timer *timer)
{
    struct backend *b = of_timer(timer);
    client_cancel(&b->probe);
    probe_failed(b, BACKEND_DOWN, ERR_TIMEOUT);
}

static void probe_phase(struct backend *b, int phase)
{
    static const char *const paths[] = {"", "/health", "/v1/models", "/slots", "/metrics"};
    b->probe_phase = phase;
    char via[HTTP_VIA_SIZE];
    b->probe_status = 0;
    b->probe_is_ours = false;
    buf_clear(&b->probe_head);
    buf_clear(&b->probe_answer);
    http_via_text(&b->lane->identity->mesh, via);
    enum err e = buf_printf(&b->probe_head,
                            "GET %s%s HTTP/1.1\r\nhost: %s:%u\r\nuser-agent: grapevine\r\naccept: "
                            "%s\r\nvia: %s\r\n\r\n",
                            b->cfg.prefix, paths[phase], b->cfg.host, b->cfg.port,
                            phase == PROBE_METRICS ? "text/plain" : "application/json", via);
    b->probe = (struct client_call){.ops = &probe_ops, .head = buf_bytes(&b->probe_head)};
    io_timer_start(b->lane->loop, &b->probe_timer, BACKEND_PROBE_TIMEOUT_MS, on_timeout);
    if (e == ERR_OK)
        e = client_start(&b->client, &b->probe);
    if (e != ERR_OK)
        probe_failed(b, BACKEND_DOWN, e);
}

static void probe_begin(struct backend *b)
{
    probe_phase(b, b->kind == BACKEND_OPENAI ? PROBE_MODELS : PROBE_HEALTH);
}

static void on_resolved(void *owner, enum err e, const struct io_addr *addr)
{
    struct backend *b = owner;
    b->resolve = NULL;
    if (e != ERR_OK) {
        probe_failed(b, BACKEND_DOWN, e);
        return;
    }
    if (!b->has_client)
        client_init(&b->client, b->lane->loop, addr);
    b->client.addr = *addr;
    b->has_client = true;
    probe_begin(b);
}

static void probe_next(struct io_timer *timer)
{
    struct backend *b = of_timer(timer);
    if (b->has_client && b->state == BACKEND_UP) {
        if (io_now_ms(b->lane->loop) < b->probe_due_ms)
            probe_phase(b, PROBE_METRICS);
        else
            probe_begin(b);
        return;
    }
    /* The name of an engine that does not answer may have got another address. */
    enum err e =
        io_resolve_start(b->lane->loop, b->cfg.host, b->cfg.port, on_resolved, b, &b->resolve);
    if (e != ERR_OK)
        probe_failed(b, BACKEND_DOWN, e);
}

void backend_probe_start(struct backend *b)
{
    io_timer_start(b->lane->loop, &b->probe_timer, 0, probe_next);
}

void backend_probe_stop(struct backend *b)
{
    io_timer_stop(&b->probe_timer);
    client_cancel(&b->probe);
    if (b->resolve)
        io_resolve_cancel(b->resolve);
    b->resolve = NULL;
}
