/* State and life of a backend, see backend.h. Its probing is in probe.c, who waits for it in
 * backend_queue.c, one request to it in backend_call.c. */
#include "node/egress/backend.h"

#include "base/state.h"
#include "node/egress/calls.h"
#include "node/lane.h"

#include <stdlib.h>

static const struct state_row rows[] = {
    [BACKEND_UNKNOWN] = {"unknown", STATE_BIT(BACKEND_UP) | STATE_BIT(BACKEND_LOADING) |
                                        STATE_BIT(BACKEND_DOWN)},
    [BACKEND_UP] = {"up", STATE_BIT(BACKEND_LOADING) | STATE_BIT(BACKEND_DOWN)},
    [BACKEND_LOADING] = {"loading", STATE_BIT(BACKEND_UP) | STATE_BIT(BACKEND_DOWN)},
    [BACKEND_DOWN] = {"down", STATE_BIT(BACKEND_UP) | STATE_BIT(BACKEND_LOADING)},
};
static const struct state_table states = {"backend", rows, 4};

static void trim_prefix(struct config_backend *cfg)
{
    size_t n = strlen(cfg->prefix);
    if (n >= 3 && strcmp(cfg->prefix + n - 3, "/v1") == 0)
        cfg->prefix[n - 3] = '\0';
}

enum err backend_create(struct lane *lane, const struct config_backend *cfg,
                        struct backend **ret_backend)
{
    struct backend *b = calloc(1, sizeof *b);
    if (!b)
        return ERR_NO_MEMORY;
    if (queue_init(&b->queue, lane->config->limits.queue) != ERR_OK) {
        free(b);
        return ERR_NO_MEMORY;
    }
    b->cfg = *cfg;
    trim_prefix(&b->cfg);
    b->lane = lane;
    b->kind = cfg->kind;
    b->slots = -1;
    backend_queue_init(b);
    arena_init(&b->arena, BACKEND_ANSWER_MAX * 2);
    buf_init(&b->probe_head, 4096);
    buf_init(&b->probe_answer, BACKEND_ANSWER_MAX);
    backend_probe_start(b);
    *ret_backend = b;
    return ERR_OK;
}

void backend_destroy(struct backend *b)
{
    if (!b)
        return;
    CHECK(b->inflight == 0 && list_is_empty(&b->shed));
    backend_probe_stop(b);
    io_task_cancel(&b->shed_task);
    queue_fini(&b->queue);
    if (b->has_client)
        client_fini(&b->client);
    arena_fini(&b->arena);
    buf_fini(&b->probe_head);
    buf_fini(&b->probe_answer);
    free(b);
}

bool backend_is_usable(const struct backend *b)
{
    return b->state == BACKEND_UP && b->has_client;
}

bool backend_was_probed(const struct backend *b)
{
    return b->state != BACKEND_UNKNOWN;
}

void backend_set_state(struct backend *b, enum backend_state state, enum err reason)
{
    if (b->state == (int)state) {
        b->down_reason = reason;
        return;
    }
    const char *from = state_name(&states, b->state);
    state_move(&states, &b->state, (int)state);
    b->down_reason = reason;
    LOG(b->lane->log, state == BACKEND_UP ? LOG_INFO : LOG_WARN, "backend_state",
        LOG_STR("backend", b->cfg.name), LOG_STR("url", b->cfg.url), LOG_STR("from", from),
        LOG_STR("to", state_name(&states, b->state)), LOG_ERR(reason),
        LOG_UINT("models", b->model_count));
    TRACE(b->lane->trace, b->lane->config->name, "backend_state", LOG_STR("backend", b->cfg.name),
          LOG_STR("from", from), LOG_STR("to", state_name(&states, b->state)), LOG_ERR(reason));
    candidates_invalidate(&b->lane->candidates);
    if (b->lane->mesh)
        mesh_facts_changed(b->lane->mesh);
    if (state != BACKEND_UP)
        backend_forget_metrics(b);
    if (state == BACKEND_DOWN)
        backend_call_fail_all(b, reason);
}

void backend_note_failure(struct backend *b, enum err e)
{
    b->failed++;
    if (e != ERR_REFUSED && e != ERR_UNREACHABLE)
        return;
    /* Nobody listens: that is certain at once. A slow or resetting engine is left to the probes. */
    backend_set_state(b, BACKEND_DOWN, e);
}

void backend_note_busy(struct backend *b, uint64_t retry_after_ms)
{
    uint64_t wait_ms = retry_after_ms ? retry_after_ms : BACKEND_BUSY_MS;
    if (wait_ms > BACKEND_BUSY_MAX_MS)
        wait_ms = BACKEND_BUSY_MAX_MS;
    b->busy_until_ms = io_now_ms(b->lane->loop) + wait_ms;
}
