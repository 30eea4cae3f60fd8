/* Reads the wall clock; see clock.h. */
#include "node/cli/clock.h"

#include "base/err.h"

#include <time.h>

uint64_t clock_now_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
