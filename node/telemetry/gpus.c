/* Happy path: gpus_look asks the thread, a later one takes its answer. Failure modes: the library
 * or its driver is not there (asked again seldom), a GPU is gone (likewise), a call does not come
 * back (the figures are dropped; should it come back after all, all goes on as before). */
#include "node/telemetry/gpus.h"

#include "base/log.h"
#include "node/io/aside.h"

_Static_assert(CONFIG_GPU_INDEX_MAX < NVML_GPUS_MAX, "what may be configured can be read");

static void work(void *space)
{
    nvml_read(space);
}

/* A host without NVIDIA's library is an ordinary one. */
static void move(struct gpus *g, enum err state, int code)
{
    if (state == g->state)
        return;
    g->state = state;
    if (state == ERR_OK)
        LOG(g->log, LOG_INFO, "gpus_read", LOG_UINT("wanted", g->wanted));
    else
        LOG(g->log, state == ERR_NOT_FOUND ? LOG_INFO : LOG_WARN, "gpus_not_read", LOG_ERR(state),
            LOG_INT("nvml", code));
}

void gpus_open(struct gpus *g, const struct config *config, const struct log *log)
{
    uint32_t index;
    *g = (struct gpus){.log = log};
    for (size_t i = 0; i < config->backend_count; i++)
        if (config_backend_gpu(&config->backends[i], &index))
            g->wanted |= UINT64_C(1) << index;
    if (g->wanted == 0)
        return;
    enum err e = io_aside_open(sizeof(struct nvml), work, &g->aside);
    if (e == ERR_OK)
        ((struct nvml *)io_aside_space(g->aside))->wanted = g->wanted;
    else
        move(g, e, 0);
}

void gpus_close(struct gpus *g)
{
    io_aside_close(g->aside);
    *g = (struct gpus){.aside = NULL};
}

static void take(struct gpus *g, const struct nvml *n, uint64_t now_ms)
{
    bool is_read = n->err == ERR_OK;
    g->is_asked = false;
    g->reads += is_read;
    g->failures += !is_read;
    g->due_ms = is_read ? g->asked_ms + GPUS_READ_MS : now_ms + GPUS_RETRY_MS;
    g->read_ms = is_read ? now_ms : 0;
    memcpy(g->gpus, n->gpus, sizeof g->gpus);
    move(g, n->err, n->code);
}

static void note_hanging(struct gpus *g)
{
    g->failures += g->state != ERR_TIMEOUT;
    g->read_ms = 0;
    move(g, ERR_TIMEOUT, 0);
}

void gpus_look(struct gpus *g, uint64_t now_ms)
{
    if (!g->aside)
        return;
    const struct nvml *n = io_aside_space(g->aside);
    if (n && g->is_asked)
        take(g, n, now_ms);
    if (!n && now_ms - g->asked_ms >= GPUS_STALE_MS)
        note_hanging(g);
    if (!n || now_ms < g->due_ms)
        return;
    g->is_asked = true;
    g->asked_ms = now_ms;
    io_aside_ask(g->aside);
}

const struct nvml_gpu *gpus_find(const struct gpus *g, uint32_t index)
{
    bool is_known = g->read_ms > 0 && index < NVML_GPUS_MAX && (g->wanted >> index & 1);
    return is_known ? &g->gpus[index] : NULL;
}

struct figures gpus_figures(const struct gpus *g, const struct config_backend *backend)
{
    struct figures f = {.known = 0};
    uint32_t index;
    const struct nvml_gpu *gpu = config_backend_gpu(backend, &index) ? gpus_find(g, index) : NULL;
    if (!gpu)
        return f;
    figures_set(&f, FIGURE_GPU_LOAD, gpu->load_percent); /* -1 is not known */
    figures_set(&f, FIGURE_GPU_CELSIUS, gpu->celsius);
    if (gpu->memory_bytes > 0)
        figures_set(&f, FIGURE_GPU_MEMORY,
                    100.0 * (double)gpu->memory_used_bytes / (double)gpu->memory_bytes);
    return f;
}
