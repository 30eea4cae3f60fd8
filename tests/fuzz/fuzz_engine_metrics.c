/* Any bytes as an engine's metrics: whatever is known lies within its range. */
#include "base/err.h"
#include "node/egress/engine_metrics.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct engine_metrics *m)
{
    uint32_t codes[1 + FIGURES];
    struct figures again;
    size_t used;
    CHECK(m->running <= 1000000 && m->waiting <= 1000000);
    size_t count = figures_pack(&m->figures, codes);
    if (count > 0)
        CHECK(figures_unpack(codes, count, &again, &used) && used == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct engine_metrics m;
    for (uint32_t gpu = 0; gpu < 3; gpu++) {
        engine_metrics_read(bytes_of(data, size), gpu, &m);
        check(&m);
    }
    engine_metrics_read(bytes_of(data, size), ENGINE_METRICS_ALL_GPUS, &m);
    check(&m);
    return 0;
}
