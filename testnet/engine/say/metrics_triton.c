/* Triton's metrics of models, as far as an engine of this kind has them. */
#include "testnet/engine/say/metrics.h"

static uint64_t number(const struct engine_model_view *m, size_t which)
{
    const struct stats *s = m->stats;
    const uint64_t values[] = {s->finished_stop + s->finished_length,
                               s->finished_abort,
                               s->finished_stop + s->finished_length,
                               s->steps,
                               m->waiting,
                               s->prompt_us + s->output_us};
    return values[which];
}

enum err metrics_triton(const struct engine_model_view *models, size_t count, struct buf *out)
{
    static const struct {
        const char *name, *type, *help;
    } rows[] = {
        {"nv_inference_request_success", "counter", "Number of successful inference requests"},
        {"nv_inference_request_failure", "counter", "Number of failed inference requests"},
        {"nv_inference_count", "counter", "Number of inferences performed"},
        {"nv_inference_exec_count", "counter", "Number of model executions performed"},
        {"nv_inference_pending_request_count", "gauge", "Requests awaiting execution"},
        {"nv_inference_request_duration_us", "counter", "Cumulative request duration"},
    };
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        TRY(metrics_about(out, rows[n].name, rows[n].type, rows[n].help));
        for (size_t i = 0; i < count; i++)
            TRY(buf_printf(out, "%s{model=\"%s\",version=\"1\"} %llu\n", rows[n].name,
                           models[i].name, (unsigned long long)number(&models[i], n)));
    }
    return ERR_OK;
}
