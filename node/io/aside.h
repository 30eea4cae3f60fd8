/* A thread beside the loop for calls that may never come back (a hanging driver): nobody ever waits
 * for it, neither the loop nor the end of the program. For work that does come back there is
 * io_work.
 *
 *     idle ──ask──> working ──work returns──> idle          close: from either; a thread that is at
 *                                                           work ends when that returns
 *
 * The space is the caller's while the thread is idle, and the thread's while it works. Nothing
 * reports the end of the work: the caller looks when it needs to know. */
#ifndef NODE_IO_ASIDE_H
#define NODE_IO_ASIDE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct io_aside;

/* `work` runs on the thread and touches nothing but its space: `size` bytes, zero at first.
 * UNSUPPORTED: a simulated world has no drivers. */
MUST_CHECK enum err io_aside_open(size_t size, void (*work)(void *space),
                                  struct io_aside **ret_aside);
/* NULL while it works; else valid until the next io_aside_ask. */
void *io_aside_space(struct io_aside *a);
/* Begins the work once; the thread is idle. */
void io_aside_ask(struct io_aside *a);
/* Does not wait. Work that has not begun never will; the space goes when the other is over. NULL is
 * fine. */
void io_aside_close(struct io_aside *a);

#endif
