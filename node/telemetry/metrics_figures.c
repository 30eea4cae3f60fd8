/* The part of the page that is about the backends' figures and this host's GPUs. What is not known
 * has no series. Called by metrics.c. */
#include "node/telemetry/metrics.h"

#include "node/egress/backend.h"
#include "node/lane.h"

#include <inttypes.h>

static const struct row {
    enum figure figure;
    uint32_t scale; /* figure per unit of the metric */
    int digits;     /* behind the point: as many as scale has zeros */
    const char *name;
    const char *help;
} rows[] = {
    {FIGURE_GPU_LOAD, 100, 2, "backend_gpu_load_ratio", "Load of the backend's GPU."},
    {FIGURE_GPU_MEMORY, 100, 2, "backend_gpu_memory_ratio", "Memory in use of the backend's GPU."},
    {FIGURE_GPU_CELSIUS, 1, 0, "backend_gpu_temperature_celsius",
     "Temperature of the backend's GPU."},
    {FIGURE_KV, 100, 2, "backend_kv_ratio", "KV cache in use at the backend."},
    {FIGURE_TTFT_P50, 1000, 3, "backend_ttft_p50_seconds",
     "Of this node's attempts at the backend in the last minute, half: to the first byte."},
    {FIGURE_TTFT_P99, 1000, 3, "backend_ttft_p99_seconds", "... 99 %: to the first byte."},
    {FIGURE_LATENCY_P50, 1000, 3, "backend_latency_p50_seconds", "... half: to the last byte."},
    {FIGURE_LATENCY_P99, 1000, 3, "backend_latency_p99_seconds", "... 99 %: to the last byte."},
    {FIGURE_TOKENS_PER_S, 1, 0, "backend_tokens_per_second",
     "... half of the streamed ones are quicker; tokens by the answer's size."},
    {FIGURE_ERRORS, 1000, 3, "backend_error_ratio",
     "Part of this node's attempts at the backend that failed lately."},
};

static enum err put_value(const struct row *r, const char *backend, uint32_t value, struct buf *out)
{
    TRY(buf_printf(out, "grapevine_%s{backend=\"%s\"} %" PRIu32, r->name, backend,
                   value / r->scale));
    if (r->digits == 0)
        return buf_append_byte(out, '\n');
    return buf_printf(out, ".%0*" PRIu32 "\n", r->digits, value % r->scale);
}

static enum err backends(const struct lane *lane, struct buf *out)
{
    uint32_t value;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TRY(metrics_put_head(out, rows[i].name, "gauge", rows[i].help));
        for (size_t b = 0; b < lane->backend_count; b++)
            if (figures_get(&lane->backends[b]->figures, rows[i].figure, &value))
                TRY(put_value(&rows[i], lane->backends[b]->cfg.name, value, out));
    }
    return ERR_OK;
}

/* --- GPUs, as their driver tells */

static enum err memory(const struct gpus *g, bool is_used, struct buf *out)
{
    const char *name = is_used ? "gpu_memory_used_bytes" : "gpu_memory_bytes";
    TRY(metrics_put_head(out, name, "gauge",
                         is_used ? "Of the GPU's memory, in use."
                                 : "Memory of a GPU that a backend uses."));
    for (uint32_t i = 0; i < NVML_GPUS_MAX; i++) {
        const struct nvml_gpu *gpu = gpus_find(g, i);
        if (gpu && gpu->memory_bytes > 0)
            TRY(buf_printf(out, "grapevine_%s{gpu=\"%" PRIu32 "\"} %" PRId64 "\n", name, i,
                           is_used ? gpu->memory_used_bytes : gpu->memory_bytes));
    }
    return ERR_OK;
}

static enum err gpus(const struct gpus *g, uint64_t now_ms, struct buf *out)
{
    const struct metrics_row reads[] = {
        {"gpu_reads_total", "counter", "Times that the driver told about GPUs.", g->reads},
        {"gpu_read_failures_total", "counter", "Times that it did not, or did not come back.",
         g->failures},
    };
    TRY(memory(g, false, out));
    TRY(memory(g, true, out));
    TRY(metrics_put_rows(out, reads, sizeof reads / sizeof reads[0]));
    TRY(metrics_put_head(out, "gpu_reading_age_seconds", "gauge",
                         "Since the driver told about GPUs."));
    if (g->read_ms == 0)
        return ERR_OK;
    uint64_t age_ms = now_ms - g->read_ms;
    return buf_printf(out, "grapevine_gpu_reading_age_seconds %" PRIu64 ".%03" PRIu64 "\n",
                      age_ms / 1000, age_ms % 1000);
}

enum err metrics_figures_write(const struct lane *lane, struct buf *out)
{
    TRY(backends(lane, out));
    return gpus(&lane->gpus, io_now_ms(lane->loop), out);
}
