/* UDP sockets on libuv. Received bytes are lent out of the loop's read buffer; sending tries once
 * and counts what the kernel does not take. */
#include "node/io/datagram.h"
#include "node/io/uv_loop.h"

#include <stdlib.h>

struct io_datagram {
    uv_udp_t udp;
    struct io_loop *loop;
    struct io_addr addr;
    bool closed;
    uint64_t dropped;
    void (*on_datagram)(void *owner, const struct io_addr *from, struct bytes data);
    void *owner;
};

static void on_uv_received(uv_udp_t *udp, ssize_t size, const uv_buf_t *buf,
                           const struct sockaddr *sa, unsigned flags)
{
    struct io_datagram *d = udp->data;
    if (size < 0 || !sa) /* an error of some earlier send, or nothing left to read */
        return;
    if (size > IO_DATAGRAM_SIZE_MAX || (flags & UV_UDP_PARTIAL)) {
        d->dropped++;
        return;
    }
    struct io_addr from;
    io_addr_from_sockaddr(sa, &from);
    d->on_datagram(d->owner, &from, bytes_of(buf->base, (size_t)size));
}

static void note_bound_addr(struct io_datagram *d, const struct io_addr *wanted)
{
    struct sockaddr_storage sa;
    int size = sizeof sa;
    struct io_addr bound;
    d->addr = *wanted;
    if (uv_udp_getsockname(&d->udp, (struct sockaddr *)&sa, &size) == 0) {
        io_addr_from_sockaddr((const struct sockaddr *)&sa, &bound);
        d->addr.port = bound.port;
    }
}

static int bind_and_receive(struct io_datagram *d, const struct io_addr *addr)
{
    struct sockaddr_storage sa;
    if (io_addr_to_sockaddr(addr, &sa) == 0)
        return UV_EADDRNOTAVAIL;
    int r = uv_udp_bind(&d->udp, (const struct sockaddr *)&sa, 0);
    return r != 0 ? r : uv_udp_recv_start(&d->udp, io_lend_read_buffer, on_uv_received);
}

static void on_uv_closed(uv_handle_t *handle)
{
    free(handle->data);
}

enum err io_datagram_open(struct io_loop *loop, const struct io_addr *addr,
                          void (*on_datagram)(void *owner, const struct io_addr *from,
                                              struct bytes data),
                          void *owner, struct io_datagram **ret_datagram)
{
    struct io_datagram *d = calloc(1, sizeof *d);
    if (!d)
        return ERR_NO_MEMORY;
    CHECK(uv_udp_init(&loop->uv, &d->udp) == 0); /* makes no socket yet */
    d->udp.data = d;
    d->loop = loop;
    d->on_datagram = on_datagram;
    d->owner = owner;
    int r = bind_and_receive(d, addr);
    if (r != 0) {
        uv_close((uv_handle_t *)&d->udp, on_uv_closed);
        return io_err_from_uv(r);
    }
    note_bound_addr(d, addr);
    loop->object_count++;
    *ret_datagram = d;
    return ERR_OK;
}

void io_datagram_addr(const struct io_datagram *d, struct io_addr *ret_addr)
{
    *ret_addr = d->addr;
}

void io_datagram_send(struct io_datagram *d, const struct io_addr *to, struct bytes data)
{
    CHECK(data.size <= IO_DATAGRAM_SIZE_MAX);
    struct sockaddr_storage sa;
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data.data, (unsigned)data.size);
    if (io_addr_to_sockaddr(to, &sa) == 0 ||
        uv_udp_try_send(&d->udp, &buf, 1, (const struct sockaddr *)&sa) < 0)
        d->dropped++;
}

uint64_t io_datagram_dropped(const struct io_datagram *d)
{
    return d->dropped;
}

void io_datagram_close(struct io_datagram *d)
{
    CHECK(!d->closed);
    d->closed = true;
    d->loop->object_count--;
    uv_close((uv_handle_t *)&d->udp, on_uv_closed);
}
