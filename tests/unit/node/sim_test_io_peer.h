/* One end of a simulated stream that records what it is told; two of them make a pair
 * (sim_test_io_pair.h). */
#ifndef TESTS_UNIT_NODE_SIM_TEST_IO_PEER_H
#define TESTS_UNIT_NODE_SIM_TEST_IO_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "node/io/stream.h"

#include <stdlib.h>

struct peer {
    struct io_stream *stream;
    struct buf in;
    int opens, reads, eofs, drains, fails;
    enum err open_err, fail_err;
    size_t smallest_read, largest_read;
    bool closes_in_read;
    bool echoes;
};

static inline void peer_close(struct peer *p)
{
    io_stream_close(p->stream);
    p->stream = NULL;
}

static inline void peer_on_open(void *owner, enum err e)
{
    struct peer *p = owner;
    p->opens++;
    p->open_err = e;
}

static inline void peer_on_read(void *owner, struct bytes data)
{
    struct peer *p = owner;
    assert_true(data.size > 0 && data.size <= IO_READ_SIZE);
    p->reads++;
    if (p->reads == 1 || data.size < p->smallest_read)
        p->smallest_read = data.size;
    if (data.size > p->largest_read)
        p->largest_read = data.size;
    assert_int_equal(buf_append(&p->in, data), ERR_OK);
    if (p->echoes)
        io_stream_write(p->stream, &data, 1);
    if (p->closes_in_read)
        peer_close(p);
}

static inline void peer_on_eof(void *owner)
{
    struct peer *p = owner;
    p->eofs++;
    if (p->echoes)
        io_stream_finish(p->stream);
}

static inline void peer_on_drain(void *owner)
{
    struct peer *p = owner;
    assert_int_equal(io_stream_queued(p->stream), 0);
    p->drains++;
}

static inline void peer_on_fail(void *owner, enum err e)
{
    struct peer *p = owner;
    p->fails++;
    p->fail_err = e;
}

static const struct io_stream_ops peer_ops = {peer_on_open, peer_on_read, peer_on_eof,
                                              peer_on_drain, peer_on_fail};

static inline void peer_send(struct peer *p, const char *text)
{
    struct bytes part = bytes_from_str(text);
    io_stream_write(p->stream, &part, 1);
}

static inline uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

/* `size` bytes that tell their position. */
static inline void peer_send_many(struct peer *p, size_t size)
{
    uint8_t *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(i);
    struct bytes part = bytes_of(data, size);
    io_stream_write(p->stream, &part, 1);
    free(data);
}

static inline bool peer_has_many(const struct peer *p, size_t size)
{
    for (size_t i = 0; i < p->in.size; i++)
        if (p->in.data[i] != byte_at(i))
            return false;
    return p->in.size == size;
}

static inline bool peer_has(const struct peer *p, const char *text)
{
    return bytes_equal(buf_bytes(&p->in), bytes_from_str(text));
}

#endif
