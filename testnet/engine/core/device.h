/* The accelerator's body: how busy it was, how warm it got, what that costs. Load is averaged over
 * about a second, temperature follows power with a time constant of half a minute, and above
 * THROTTLE_CELSIUS the clock is halved. Advanced by engine.c whenever work begins or ends. */
#ifndef TESTNET_ENGINE_CORE_DEVICE_H
#define TESTNET_ENGINE_CORE_DEVICE_H

#include "testnet/engine/core/engine.h"

#define DEVICE_THROTTLE_CELSIUS 87.0

struct device {
    const struct profile *profile;
    double speed;
    uint64_t at_us; /* as of when the figures below are */
    double load;
    double celsius;
    double joules;
    struct engine_condition condition;
};

void device_init(struct device *d, const struct profile *profile, double speed, uint64_t now_us);
/* Time passed, with the accelerator at work or not. */
void device_advance(struct device *d, uint64_t now_us, bool was_busy);
bool device_is_throttled(const struct device *d);
/* By what all durations are multiplied now. */
double device_slowness(const struct device *d);
double device_watts(const struct device *d);

#endif
