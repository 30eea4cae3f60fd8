/* Many small sends in one system call, where the kernel has io_uring and lets us. A send that wakes
 * its receiver costs this process its turn on the CPU; of sends that go together only the last
 * does. Only uv_*.c include it. */
#ifndef NODE_IO_UV_BATCH_H
#define NODE_IO_UV_BATCH_H

#include "base/bytes.h"
#include "base/err.h"

#define IO_BATCH_MAX 64 /* sends in one call */

struct io_batch;

struct io_batch_send {
    int fd;
    struct bytes data;
    int result; /* bytes taken, or a negative errno (-EAGAIN: none) */
};

/* NULL where there is no io_uring. */
struct io_batch *io_batch_create(void);
void io_batch_destroy(struct io_batch *b);
/* Fills in the results; never blocks. count <= IO_BATCH_MAX. False: the kernel did not take all of
 * them (the others have -EAGAIN), and is better not asked again. */
MUST_CHECK bool io_batch_send(struct io_batch *b, struct io_batch_send *sends, unsigned count);

#endif
