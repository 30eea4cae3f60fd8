/* llama.cpp's metrics, in its names and its order. */
#include "testnet/engine/say/metrics.h"

static double ratio(double over, double under)
{
    return under > 0 ? over / under : 0;
}

enum err metrics_llamacpp(const struct engine_model_view *m, struct buf *out)
{
    const struct stats *s = m->stats;
    double prompt_s = (double)s->prompt_us / 1e6, output_s = (double)s->output_us / 1e6;
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"prompt_tokens_total", "counter",
         "Number of prompt tokens processed, excluding cached tokens", (double)s->prompt_tokens},
        {"prompt_tokens_cached_total", "counter", "Number of prompt tokens reused from the cache",
         (double)s->cached_tokens},
        {"prompt_seconds_total", "counter", "Total time spent processing prompts", prompt_s},
        {"tokens_predicted_total", "counter", "Number of generation tokens processed",
         (double)s->output_tokens},
        {"tokens_predicted_seconds_total", "counter", "Total time spent generating tokens",
         output_s},
        {"n_decode_total", "counter", "Total number of decode calls", (double)s->steps},
        {"n_tokens_max", "counter", "Largest observed sequence length", s->longest},
        {"spec_decode_num_draft_tokens_total", "counter", "Speculative: draft tokens", 0},
        {"spec_decode_num_accepted_tokens_total", "counter", "Speculative: accepted tokens", 0},
        {"spec_decode_num_drafts_total", "counter", "Speculative: verification steps", 0},
        {"prompt_tokens_seconds", "gauge", "Average prompt throughput in tokens/s",
         ratio((double)s->prompt_tokens, prompt_s)},
        {"predicted_tokens_seconds", "gauge", "Average generation throughput in tokens/s",
         ratio((double)s->output_tokens, output_s)},
        {"requests_processing", "gauge", "Number of requests processing", m->running},
        {"requests_deferred", "gauge", "Number of requests deferred", m->waiting},
        {"n_busy_slots_per_decode", "gauge", "Average number of busy slots per decode call",
         ratio((double)s->sequence_steps, (double)s->steps)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TRY(buf_printf(out, "# HELP llamacpp:%s %s\n# TYPE llamacpp:%s %s\n", rows[i].name,
                       rows[i].help, rows[i].name, rows[i].type));
        TRY(buf_printf(out, "llamacpp:%s %.9g\n", rows[i].name, rows[i].value));
    }
    return ERR_OK;
}
