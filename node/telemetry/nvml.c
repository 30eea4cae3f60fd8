/* See nvml.h. The shapes are those of NVIDIA's nvml.h, of which nothing is needed to build. Each
 * figure is optional: older devices, slices of one (MIG) and newer drivers leave some out. The
 * library stays loaded until the process ends: a driver that hangs would hang in unloading, too. */
#include "node/telemetry/nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

enum nvml_return {
    NVML_OK = 0,
    NVML_INVALID_ARGUMENT = 2,
    NVML_NO_PERMISSION = 4,
    NVML_NOT_FOUND = 6,
    NVML_NO_DRIVER = 9,
    NVML_GPU_NOT_FOUND = 28
};

struct nvml_utilization {
    unsigned gpu, memory; /* percent */
};
struct nvml_memory {
    unsigned long long total, free, used; /* bytes */
};
struct nvml_temperature {
    unsigned version; /* of this struct */
    int sensor;       /* 0: of the chip */
    int celsius;
};

static const struct {
    const char *symbol;
    size_t offset; /* within nvml_calls */
    bool is_needed;
} rows[] = {
    {"nvmlInit_v2", offsetof(struct nvml_calls, init), true},
    {"nvmlShutdown", offsetof(struct nvml_calls, shutdown), true},
    {"nvmlDeviceGetHandleByIndex_v2", offsetof(struct nvml_calls, device), true},
    {"nvmlDeviceGetUtilizationRates", offsetof(struct nvml_calls, utilization), false},
    {"nvmlDeviceGetMemoryInfo", offsetof(struct nvml_calls, memory), false},
    {"nvmlDeviceGetTemperature", offsetof(struct nvml_calls, temperature), false},
    {"nvmlDeviceGetTemperatureV", offsetof(struct nvml_calls, temperature_v), false},
};

static enum err err_of(int code)
{
    switch (code) {
    case NVML_OK: return ERR_OK;
    case NVML_INVALID_ARGUMENT: /* of an index beyond the last GPU */
    case NVML_NOT_FOUND:
    case NVML_GPU_NOT_FOUND: return ERR_NOT_FOUND;
    case NVML_NO_PERMISSION: return ERR_PERMISSION;
    case NVML_NO_DRIVER: return ERR_UNREACHABLE;
    default: return ERR_IO;
    }
}

/* The C library keeps a failure for each thread until it is asked for twice: first it tells, then
 * it frees. A thread that the process leaves behind would leak it. */
static void forget_failures(void)
{
    (void)dlerror();
    (void)dlerror();
}

static enum err find_calls(struct nvml *n)
{
    void *library = dlopen(NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *symbol = dlsym(library, rows[i].symbol);
        if (!symbol && rows[i].is_needed)
            return ERR_UNSUPPORTED;
        memcpy((uint8_t *)&n->calls + rows[i].offset, &symbol, sizeof symbol);
    }
    n->is_loaded = true;
    return ERR_OK;
}

static enum err load(struct nvml *n)
{
    enum err e = find_calls(n);
    forget_failures();
    return e;
}

static enum err prepare(struct nvml *n)
{
    if (!n->is_loaded)
        TRY(load(n));
    if (!n->is_initialised)
        n->code = n->calls.init();
    n->is_initialised = n->code == NVML_OK;
    return err_of(n->code);
}

/* The newer call first: the older one is to go. */
static int32_t celsius_of(const struct nvml_calls *c, struct nvml_device *d)
{
    struct nvml_temperature t = {.version = (unsigned)sizeof t | 1u << 24};
    unsigned celsius;
    if (c->temperature_v && c->temperature_v(d, &t) == NVML_OK)
        return t.celsius;
    if (c->temperature && c->temperature(d, 0, &celsius) == NVML_OK)
        return (int32_t)celsius;
    return -1;
}

static bool is_told(const struct nvml_gpu *gpu)
{
    return gpu->load_percent >= 0 || gpu->celsius >= 0 || gpu->memory_bytes >= 0;
}

static void ask(const struct nvml_calls *c, struct nvml_device *d, struct nvml_gpu *gpu)
{
    struct nvml_utilization utilization;
    struct nvml_memory memory;
    if (c->utilization && c->utilization(d, &utilization) == NVML_OK)
        gpu->load_percent = (int32_t)utilization.gpu;
    if (c->memory && c->memory(d, &memory) == NVML_OK && memory.total > 0) {
        gpu->memory_used_bytes = (int64_t)memory.used;
        gpu->memory_bytes = (int64_t)memory.total;
    }
    gpu->celsius = celsius_of(c, d);
}

/* The code of the last one that could not be asked is as good as any. */
static enum err ask_all(struct nvml *n)
{
    struct nvml_device *d;
    size_t told = 0;
    for (unsigned i = 0; i < NVML_GPUS_MAX; i++) {
        if (!(n->wanted >> i & 1))
            continue;
        int code = n->calls.device(i, &d);
        if (code == NVML_OK)
            ask(&n->calls, d, &n->gpus[i]);
        else
            n->code = code;
        told += is_told(&n->gpus[i]);
    }
    return told > 0 ? ERR_OK : n->code != NVML_OK ? err_of(n->code) : ERR_UNSUPPORTED;
}

void nvml_read(struct nvml *n)
{
    static const struct nvml_gpu unknown = {-1, -1, -1, -1};
    for (size_t i = 0; i < NVML_GPUS_MAX; i++)
        n->gpus[i] = unknown;
    n->code = 0;
    n->err = prepare(n);
    if (n->err == ERR_OK)
        n->err = ask_all(n);
    if (n->err == ERR_OK || !n->is_initialised)
        return;
    n->calls.shutdown();
    n->is_initialised = false;
}
