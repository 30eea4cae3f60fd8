/* Prometheus text in the names of real engines, and of the exporters that stand beside them. Pure:
 * views in, text out. */
#ifndef TESTNET_ENGINE_SAY_METRICS_H
#define TESTNET_ENGINE_SAY_METRICS_H

#include "base/buf.h"
#include "testnet/engine/core/engine.h"

/* vLLM, one series per model. */
MUST_CHECK enum err metrics_vllm(const struct engine_model_view *models, size_t count,
                                 struct buf *out);
/* llama.cpp: no labels, one model. */
MUST_CHECK enum err metrics_llamacpp(const struct engine_model_view *model, struct buf *out);
/* Triton: requests of each model. */
MUST_CHECK enum err metrics_triton(const struct engine_model_view *models, size_t count,
                                   struct buf *out);
/* NVIDIA's DCGM exporter; nothing for a profile without such a device. */
MUST_CHECK enum err metrics_dcgm(const struct engine_device_view *device,
                                 const struct profile *profile, struct buf *out);
/* Triton's own figures of the device. */
MUST_CHECK enum err metrics_triton_device(const struct engine_device_view *device, struct buf *out);

/* HELP and TYPE lines, shared by the files of this folder. */
MUST_CHECK enum err metrics_about(struct buf *out, const char *name, const char *type,
                                  const char *help);

#endif
