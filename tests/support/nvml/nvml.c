/* A libnvidia-ml.so.1 whose GPUs do what a file says, for tests of what the node makes of NVML: the
 * file named by FAKE_NVML is read anew at every call. Its words:
 *
 *     init N                            nvmlInit_v2 returns N; without such a line 0
 *     gpu I LOAD USED TOTAL CELSIUS     GPU I; percent, MiB, MiB; a negative one is not supported
 *     hang                              questions about GPUs come back when this word has gone
 *
 * Without a file there is no driver. GPUs of odd numbers tell their temperature by NVML 13's call
 * only, the others by the older one only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GPUS 8

enum {
    OK = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_DRIVER = 9,
    VERSION_MISMATCH = 25
};

struct gpu {
    int is_there, load, used, total, celsius;
};
struct script {
    int init, is_hanging;
    struct gpu gpus[GPUS];
};
struct utilization {
    unsigned gpu, memory;
};
struct memory {
    unsigned long long total, free, used;
};
struct temperature {
    unsigned version;
    int sensor, celsius;
};

int nvmlInit_v2(void);
int nvmlShutdown(void);
static char handles[GPUS];

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **ret_device);
int nvmlDeviceGetUtilizationRates(void *device, struct utilization *ret);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *ret);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *ret_celsius);
int nvmlDeviceGetTemperatureV(void *device, struct temperature *ret);

static int init_count;

static void read_line(const char *line, struct script *s)
{
    struct gpu g = {.is_there = 1};
    unsigned index;
    sscanf(line, "init %d", &s->init);
    s->is_hanging |= strncmp(line, "hang", 4) == 0;
    if (sscanf(line, "gpu %u %d %d %d %d", &index, &g.load, &g.used, &g.total, &g.celsius) == 5 &&
        index < sizeof s->gpus / sizeof s->gpus[0])
        s->gpus[index] = g;
}

static void read_script(struct script *ret_script)
{
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[128];
    *ret_script = (struct script){.init = file ? OK : NO_DRIVER};
    while (file && fgets(line, sizeof line, file))
        read_line(line, ret_script);
    if (file)
        fclose(file);
}

int nvmlInit_v2(void)
{
    struct script s;
    read_script(&s);
    init_count += s.init == OK;
    return s.init;
}

int nvmlShutdown(void)
{
    if (init_count == 0)
        return UNINITIALIZED;
    init_count--;
    return OK;
}

static void wait_for_word_to_go(struct script *s)
{
    static const struct timespec pause = {.tv_nsec = 10 * 1000000};
    for (read_script(s); s->is_hanging; read_script(s))
        nanosleep(&pause, NULL);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **ret_device)
{
    struct script s;
    wait_for_word_to_go(&s);
    if (init_count == 0)
        return UNINITIALIZED;
    if (index >= sizeof s.gpus / sizeof s.gpus[0] || !s.gpus[index].is_there)
        return INVALID_ARGUMENT;
    *ret_device = &handles[index];
    return OK;
}

static size_t index_of(const void *device)
{
    return (size_t)((const char *)device - handles);
}

static struct gpu gpu_of(const void *device)
{
    struct script s;
    wait_for_word_to_go(&s);
    return s.gpus[index_of(device)];
}

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *ret)
{
    struct gpu g = gpu_of(device);
    if (g.load < 0)
        return NOT_SUPPORTED;
    *ret = (struct utilization){(unsigned)g.load, 0};
    return OK;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *ret)
{
    struct gpu g = gpu_of(device);
    if (g.total < 0)
        return NOT_SUPPORTED;
    *ret = (struct memory){(unsigned long long)g.total << 20,
                           (unsigned long long)(g.total - g.used) << 20,
                           (unsigned long long)g.used << 20};
    return OK;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *ret_celsius)
{
    struct gpu g = gpu_of(device);
    if (g.celsius < 0 || sensor != 0 || index_of(device) % 2 == 1)
        return NOT_SUPPORTED;
    *ret_celsius = (unsigned)g.celsius;
    return OK;
}

int nvmlDeviceGetTemperatureV(void *device, struct temperature *ret)
{
    struct gpu g = gpu_of(device);
    if (ret->version != (sizeof *ret | 1u << 24))
        return VERSION_MISMATCH;
    if (g.celsius < 0 || ret->sensor != 0 || index_of(device) % 2 == 0)
        return NOT_SUPPORTED;
    ret->celsius = g.celsius;
    return OK;
}
