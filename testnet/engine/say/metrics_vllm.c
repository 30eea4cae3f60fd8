/* vLLM's metrics (version 1 names, with the older name of the KV usage beside the newer, as nodes
 * meet both). */
#include "testnet/engine/say/metrics.h"

static double number(const struct engine_model_view *m, size_t which)
{
    const struct stats *s = m->stats;
    const double values[] = {
        m->running,
        m->waiting,
        m->block_count ? (double)m->blocks_used / m->block_count : 0,
        m->block_count ? (double)m->blocks_used / m->block_count : 0,
        (double)s->queried_tokens,
        (double)s->cached_tokens,
        (double)s->preemptions,
        (double)s->prompt_tokens,
        (double)s->output_tokens,
    };
    return values[which];
}

static const struct {
    const char *name, *type, *help;
} numbers[] = {
    {"vllm:num_requests_running", "gauge", "Number of requests in model execution batches."},
    {"vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed."},
    {"vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage."},
    {"vllm:gpu_cache_usage_perc", "gauge", "GPU KV-cache usage. 1 means 100 percent usage."},
    {"vllm:prefix_cache_queries_total", "counter", "Prefix cache queries, in tokens."},
    {"vllm:prefix_cache_hits_total", "counter", "Prefix cache hits, in tokens."},
    {"vllm:num_preemptions_total", "counter", "Cumulative number of preemptions."},
    {"vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed."},
    {"vllm:generation_tokens_total", "counter", "Number of generation tokens processed."},
};

static const struct {
    enum stats_series series;
    const char *name, *help;
} histograms[] = {
    {STATS_FIRST_TOKEN, "vllm:time_to_first_token_seconds", "Time to first token in seconds."},
    {STATS_INTER_TOKEN, "vllm:inter_token_latency_seconds", "Inter-token latency in seconds."},
    {STATS_END_TO_END, "vllm:e2e_request_latency_seconds", "End to end latency in seconds."},
    {STATS_QUEUE, "vllm:request_queue_time_seconds", "Time spent waiting."},
    {STATS_PREFILL, "vllm:request_prefill_time_seconds", "Time spent in prefill."},
    {STATS_DECODE, "vllm:request_decode_time_seconds", "Time spent in decode."},
    {STATS_INFERENCE, "vllm:request_inference_time_seconds", "Time spent running."},
    {STATS_STEP_TOKENS, "vllm:iteration_tokens_total", "Number of tokens per engine step."},
};

static enum err write_histogram(const struct engine_model_view *m, enum stats_series series,
                                const char *name, struct buf *out)
{
    size_t count;
    uint64_t below = 0;
    const double *bounds = stats_bounds(series, &count);
    const struct stats_histogram *h = &m->stats->series[series];
    for (size_t i = 0; i < count; i++) {
        below += h->counts[i];
        TRY(buf_printf(out, "%s_bucket{engine=\"0\",le=\"%.17g\",model_name=\"%s\"} %llu\n", name,
                       bounds[i], m->name, (unsigned long long)below));
    }
    TRY(buf_printf(out, "%s_bucket{engine=\"0\",le=\"+Inf\",model_name=\"%s\"} %llu\n", name,
                   m->name, (unsigned long long)h->count));
    TRY(buf_printf(out, "%s_sum{engine=\"0\",model_name=\"%s\"} %.9g\n", name, m->name, h->sum));
    return buf_printf(out, "%s_count{engine=\"0\",model_name=\"%s\"} %llu\n", name, m->name,
                      (unsigned long long)h->count);
}

static enum err write_finished(const struct engine_model_view *m, struct buf *out)
{
    static const char *const reasons[] = {"stop", "length", "abort"};
    const uint64_t counts[] = {m->stats->finished_stop, m->stats->finished_length,
                               m->stats->finished_abort};
    for (size_t i = 0; i < 3; i++)
        TRY(buf_printf(out,
                       "vllm:request_success_total{engine=\"0\",finished_reason=\"%s\","
                       "model_name=\"%s\"} %llu\n",
                       reasons[i], m->name, (unsigned long long)counts[i]));
    return ERR_OK;
}

enum err metrics_vllm(const struct engine_model_view *models, size_t count, struct buf *out)
{
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
        TRY(metrics_about(out, numbers[n].name, numbers[n].type, numbers[n].help));
        for (size_t i = 0; i < count; i++)
            TRY(buf_printf(out, "%s{engine=\"0\",model_name=\"%s\"} %.15g\n", numbers[n].name,
                           models[i].name, number(&models[i], n)));
    }
    TRY(metrics_about(out, "vllm:cache_config_info", "gauge", "Information of the cache."));
    for (size_t i = 0; i < count; i++)
        TRY(buf_printf(out,
                       "vllm:cache_config_info{block_size=\"%u\",engine=\"0\","
                       "model_name=\"%s\",num_gpu_blocks=\"%u\"} 1\n",
                       models[i].block_tokens, models[i].name, models[i].block_count));
    TRY(metrics_about(out, "vllm:request_success_total", "counter", "Requests that ended."));
    for (size_t i = 0; i < count; i++)
        TRY(write_finished(&models[i], out));
    for (size_t n = 0; n < sizeof histograms / sizeof histograms[0]; n++) {
        TRY(metrics_about(out, histograms[n].name, "histogram", histograms[n].help));
        for (size_t i = 0; i < count; i++)
            TRY(write_histogram(&models[i], histograms[n].series, histograms[n].name, out));
    }
    return ERR_OK;
}
