/* This host's GPUs that backends are said to use, as the driver tells of them (nvml.c), read once a
 * second on a thread of its own: a driver that hangs costs this node its figures and nothing else.
 *
 *     not looked at ──> read ⇄ failing (asked again every GPUS_RETRY_MS)
 *                        ⇅
 *                       hanging (the thread is not back for GPUS_STALE_MS: nothing is known)
 *
 * Each move is one log line with its reason. */
#ifndef NODE_TELEMETRY_GPUS_H
#define NODE_TELEMETRY_GPUS_H

#include "node/config/config.h"
#include "node/mesh/figures.h"
#include "node/telemetry/nvml.h"

#define GPUS_READ_MS 1000
#define GPUS_RETRY_MS 30000 /* after a failure; a library may be installed, a driver come back */
#define GPUS_STALE_MS 5000  /* without an answer; older figures are none */

struct io_aside;
struct log;

struct gpus { /* zeros: no GPU is looked at */
    struct io_aside *aside;
    uint64_t wanted; /* bit i: GPU i */
    struct nvml_gpu gpus[NVML_GPUS_MAX];
    bool is_asked;     /* and the answer was not taken yet */
    uint64_t asked_ms; /* last, when is_asked or read before */
    uint64_t due_ms;   /* the next time */
    uint64_t read_ms;  /* when the figures came; 0: none are known */
    enum err state;    /* as it was logged last; OK: they are read, or were never looked at */
    const struct log *log;
    uint64_t reads;    /* that told something */
    uint64_t failures; /* all else, hanging included */
};

/* Looks at what the config's backends use, if any. It cannot fail: without a thread nothing is
 * known. */
void gpus_open(struct gpus *g, const struct config *config, const struct log *log);
/* Does not wait for the driver. */
void gpus_close(struct gpus *g);
/* Takes what came, asks when it is time; to be called about once a second. */
void gpus_look(struct gpus *g, uint64_t now_ms);
/* NULL: nothing is known of it. */
const struct nvml_gpu *gpus_find(const struct gpus *g, uint32_t index);
/* FIGURE_GPU_* of the GPU that the backend uses. */
struct figures gpus_figures(const struct gpus *g, const struct config_backend *backend);

#endif
