/* The wall clock as commands read it, once: whatever serves takes its time from the loop. */
#ifndef NODE_CLI_CLOCK_H
#define NODE_CLI_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970. */
uint64_t clock_now_ms(void);

#endif
