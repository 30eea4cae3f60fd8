/* See uv_batch.h. A ring is a queue of requests and one of results, both shared with the kernel.
 * Every send says MSG_DONTWAIT, so all are done or refused when the call returns: nothing is ever
 * in flight, and buffers are borrowed for the call only. Called by uv_write.c. */
#include "node/io/uv_batch.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
    unsigned *head;
    unsigned *tail;
    unsigned mask;
};

struct io_batch {
    int fd;
    struct ring requests;
    struct ring results;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    void *rings;
    size_t rings_size;
    size_t sqes_size;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void *map(int fd, size_t size, off_t what)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

static struct ring ring_at(uint8_t *base, unsigned head, unsigned tail, unsigned mask)
{
    return (struct ring){(unsigned *)(void *)(base + head), (unsigned *)(void *)(base + tail),
                         *(unsigned *)(void *)(base + mask)};
}

static bool map_rings(struct io_batch *b, const struct io_uring_params *p)
{
    b->rings_size = larger(p->sq_off.array + p->sq_entries * sizeof(unsigned),
                           p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe));
    b->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
    b->rings = map(b->fd, b->rings_size, IORING_OFF_SQ_RING);
    b->sqes = map(b->fd, b->sqes_size, IORING_OFF_SQES);
    if (b->rings == MAP_FAILED || b->sqes == MAP_FAILED)
        return false;
    uint8_t *base = b->rings;
    b->requests = ring_at(base, p->sq_off.head, p->sq_off.tail, p->sq_off.ring_mask);
    b->results = ring_at(base, p->cq_off.head, p->cq_off.tail, p->cq_off.ring_mask);
    b->cqes = (struct io_uring_cqe *)(void *)(base + p->cq_off.cqes);
    unsigned *order = (unsigned *)(void *)(base + p->sq_off.array);
    for (unsigned i = 0; i < p->sq_entries; i++)
        order[i] = i; /* entry i of the queue is always request i */
    return true;
}

struct io_batch *io_batch_create(void)
{
    struct io_uring_params params = {0};
    struct io_batch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->rings = b->sqes = MAP_FAILED;
    b->fd = (int)syscall(SYS_io_uring_setup, IO_BATCH_MAX, &params);
    /* The last of them came after IORING_OP_SEND. */
    unsigned wanted = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL;
    if (b->fd >= 0 && (params.features & wanted) == wanted && map_rings(b, &params))
        return b;
    io_batch_destroy(b);
    return NULL;
}

void io_batch_destroy(struct io_batch *b)
{
    if (!b)
        return;
    if (b->sqes != MAP_FAILED)
        munmap(b->sqes, b->sqes_size);
    if (b->rings != MAP_FAILED)
        munmap(b->rings, b->rings_size);
    if (b->fd >= 0)
        close(b->fd);
    free(b);
}

static void put_requests(struct io_batch *b, const struct io_batch_send *sends, unsigned count)
{
    unsigned tail = *b->requests.tail;
    for (unsigned i = 0; i < count; i++)
        b->sqes[(tail + i) & b->requests.mask] = (struct io_uring_sqe){
            .opcode = IORING_OP_SEND,
            .fd = sends[i].fd,
            .addr = (uint64_t)(uintptr_t)sends[i].data.data,
            .len = (uint32_t)sends[i].data.size,
            .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
            .user_data = i,
        };
    __atomic_store_n(b->requests.tail, tail + count, __ATOMIC_RELEASE);
}

static unsigned take_results(struct io_batch *b, struct io_batch_send *sends, unsigned count)
{
    unsigned head = *b->results.head;
    unsigned taken = __atomic_load_n(b->results.tail, __ATOMIC_ACQUIRE) - head;
    for (unsigned i = 0; i < taken; i++) {
        const struct io_uring_cqe *result = &b->cqes[(head + i) & b->results.mask];
        CHECK(result->user_data < count);
        sends[result->user_data].result = result->res;
    }
    __atomic_store_n(b->results.head, head + taken, __ATOMIC_RELEASE);
    return taken;
}

bool io_batch_send(struct io_batch *b, struct io_batch_send *sends, unsigned count)
{
    CHECK(count <= IO_BATCH_MAX);
    for (unsigned i = 0; i < count; i++)
        sends[i].result = -EAGAIN;
    put_requests(b, sends, count);
    unsigned submitted = 0, taken = 0;
    long r = 0;
    while (taken < count && (r >= 0 || errno == EINTR)) {
        r = syscall(SYS_io_uring_enter, b->fd, count - submitted, 0, IORING_ENTER_GETEVENTS, NULL,
                    (size_t)0);
        submitted += r > 0 ? (unsigned)r : 0;
        taken += take_results(b, sends, count);
    }
    return taken == count;
}
