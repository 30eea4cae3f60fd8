/* A simulated world has no drivers that could hang. Twin of node/io/aside.c. */
#include "node/io/aside.h"

enum err io_aside_open(size_t size, void (*work)(void *space), struct io_aside **ret_aside)
{
    (void)size;
    (void)work;
    (void)ret_aside;
    return ERR_UNSUPPORTED;
}

void *io_aside_space(struct io_aside *a)
{
    CHECK(!a);
    return NULL;
}

void io_aside_ask(struct io_aside *a)
{
    CHECK(!a);
}

void io_aside_close(struct io_aside *a)
{
    CHECK(!a);
}
