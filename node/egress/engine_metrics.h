/* What an engine says about itself in Prometheus text (GET /metrics): requests running and waiting,
 * use of the KV cache, and its GPU where an exporter speaks there too. The names are those of vLLM,
 * SGLang, llama.cpp, TGI, TensorRT-LLM and Triton, and of NVIDIA's DCGM exporter. Pure. */
#ifndef NODE_EGRESS_ENGINE_METRICS_H
#define NODE_EGRESS_ENGINE_METRICS_H

#include "base/bytes.h"
#include "node/mesh/figures.h"

#define ENGINE_METRICS_ALL_GPUS UINT32_MAX

struct engine_metrics {
    bool has_running, has_waiting;
    uint32_t running, waiting; /* requests, over all models and ranks */
    struct figures figures;    /* of FIGURE_KV and FIGURE_GPU_*: of the fullest, the busiest */
};

/* Any bytes: what is no metric is passed over. Where one series of a metric has a value that cannot
 * be, the metric is not known. gpu: only this one's series, where they say of which they are. */
void engine_metrics_read(struct bytes text, uint32_t gpu, struct engine_metrics *ret_metrics);

#endif
