/* The accelerator as NVIDIA's DCGM exporter tells it (default counters, their units and labels),
 * and as Triton does. */
#include "testnet/engine/say/metrics.h"

#define LABELS                                                                                     \
    "gpu=\"0\",UUID=\"GPU-00000000-0000-4000-8000-000000000000\",pci_bus_id=\"00000000:01:00.0\"," \
    "device=\"nvidia0\",modelName=\"%s\",Hostname=\"localhost\""

enum err metrics_dcgm(const struct engine_device_view *d, const struct profile *profile,
                      struct buf *out)
{
    double mib = 1048576.0;
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", d->clock_mhz},
        {"DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C).", d->celsius},
        {"DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W).", d->watts},
        {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter",
         "Total energy consumption since boot (in mJ).", d->joules * 1e3},
        {"DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", d->load * 100},
        {"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "gauge", "Clock throttle reasons (bits).",
         d->is_throttled ? 0x20 : 0}, /* SW thermal slowdown */
        {"DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory free (in MiB).",
         (double)(d->memory_total - d->memory_used) / mib},
        {"DCGM_FI_DEV_FB_USED", "gauge", "Framebuffer memory used (in MiB).",
         (double)d->memory_used / mib},
    };
    if (!profile->device)
        return ERR_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TRY(metrics_about(out, rows[i].name, rows[i].type, rows[i].help));
        TRY(buf_printf(out, "%s{" LABELS "} %.0f\n", rows[i].name, profile->device, rows[i].value));
    }
    return ERR_OK;
}

enum err metrics_triton_device(const struct engine_device_view *d, struct buf *out)
{
    const struct {
        const char *name, *help;
        double value;
    } rows[] = {
        {"nv_gpu_utilization", "GPU utilization rate [0.0 - 1.0)", d->load},
        {"nv_gpu_memory_total_bytes", "GPU total memory, in bytes", (double)d->memory_total},
        {"nv_gpu_memory_used_bytes", "GPU used memory, in bytes", (double)d->memory_used},
        {"nv_gpu_power_usage", "GPU power usage in watts", d->watts},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TRY(metrics_about(out, rows[i].name, "gauge", rows[i].help));
        TRY(buf_printf(out, "%s{gpu_uuid=\"GPU-00000000-0000-4000-8000-000000000000\"} %.15g\n",
                       rows[i].name, rows[i].value));
    }
    return ERR_OK;
}
