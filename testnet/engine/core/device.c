/* First-order lags for load and temperature, see device.h. */
#include "testnet/engine/core/device.h"

#include <math.h>

#define LOAD_TIME_US 1e6
#define HEAT_TIME_US 30e6
#define ROOM_CELSIUS 30.0
#define FULL_LOAD_RISE 45.0 /* above the room, at full power for long */
#define THROTTLED_SLOWNESS 2.0

void device_init(struct device *d, const struct profile *profile, double speed, uint64_t now_us)
{
    *d = (struct device){.profile = profile,
                         .speed = speed,
                         .at_us = now_us,
                         .celsius = ROOM_CELSIUS,
                         .condition = {.slowness = 1}};
}

double device_watts(const struct device *d)
{
    const struct profile *p = d->profile;
    return p->watts_idle + (p->watts_max - p->watts_idle) * d->load;
}

void device_advance(struct device *d, uint64_t now_us, bool was_busy)
{
    double passed_us = (double)(now_us - d->at_us) * d->speed;
    if (passed_us <= 0)
        return;
    double warmth = ROOM_CELSIUS + FULL_LOAD_RISE * device_watts(d) / d->profile->watts_max;
    if (d->condition.celsius > 0)
        warmth = d->condition.celsius;
    d->joules += device_watts(d) * passed_us / 1e6 / d->speed;
    d->load += ((was_busy ? 1.0 : 0.0) - d->load) * (1 - exp(-passed_us / LOAD_TIME_US));
    d->celsius += (warmth - d->celsius) * (1 - exp(-passed_us / HEAT_TIME_US));
    d->at_us = now_us;
}

bool device_is_throttled(const struct device *d)
{
    return d->celsius >= DEVICE_THROTTLE_CELSIUS;
}

double device_slowness(const struct device *d)
{
    return d->condition.slowness * (device_is_throttled(d) ? THROTTLED_SLOWNESS : 1) / d->speed;
}
