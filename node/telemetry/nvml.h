/* GPUs as NVIDIA's driver tells of them: NVML, loaded at run time, never linked. Calls block, and
 * hang where the driver does: they belong on a thread beside the loop (gpus.c). The only file that
 * loads a library is nvml.c. */
#ifndef NODE_TELEMETRY_NVML_H
#define NODE_TELEMETRY_NVML_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define NVML_LIBRARY "libnvidia-ml.so.1" /* found as the system finds libraries */
#define NVML_GPUS_MAX 64                 /* indices below are looked at */

/* Each may be not known, where the driver does not tell: -1. */
struct nvml_gpu {
    int32_t load_percent; /* of the driver's last sample period, up to a second */
    int32_t celsius;
    int64_t memory_used_bytes; /* what the driver keeps for itself included */
    int64_t memory_bytes;
};

struct nvml_device; /* the driver's, and what its functions fill: nvml.c */
struct nvml_utilization;
struct nvml_memory;
struct nvml_temperature;

struct nvml_calls { /* the library's functions; NULL: it has none of that name */
    int (*init)(void);
    int (*shutdown)(void);
    int (*device)(unsigned index, struct nvml_device **ret_device);
    int (*utilization)(struct nvml_device *d, struct nvml_utilization *ret_utilization);
    int (*memory)(struct nvml_device *d, struct nvml_memory *ret_memory);
    int (*temperature)(struct nvml_device *d, int sensor, unsigned *ret_celsius);
    int (*temperature_v)(struct nvml_device *d, struct nvml_temperature *ret); /* NVML 13 */
};

struct nvml {        /* zeros, then `wanted` */
    uint64_t wanted; /* bit i: of GPU i */
    /* filled by nvml_read */
    enum err err; /* OK: at least one of them told something */
    int code;     /* NVML's, of what failed; 0: the library was not even there */
    struct nvml_gpu gpus[NVML_GPUS_MAX];
    /* its own */
    bool is_loaded, is_initialised;
    struct nvml_calls calls;
};

/* Loads the library when it is not, and asks once for everything. After a failure the next call
 * begins anew, for drivers come and go. NOT_FOUND: no such library, or none of the wanted GPUs;
 * UNSUPPORTED: not with the functions that it should have; UNREACHABLE: without its driver;
 * PERMISSION; IO: all else. */
void nvml_read(struct nvml *n);

#endif
