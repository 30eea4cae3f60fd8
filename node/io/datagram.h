/* UDP sockets. Lossy by nature: a send that the kernel does not take at once is dropped and
 * counted. */
#ifndef NODE_IO_DATAGRAM_H
#define NODE_IO_DATAGRAM_H

#include "base/bytes.h"
#include "base/err.h"
#include "node/io/addr.h"
#include "node/io/loop.h"

#define IO_DATAGRAM_SIZE_MAX 1400

struct io_datagram;

/* Bytes are lent for the call; longer datagrams than IO_DATAGRAM_SIZE_MAX are dropped and counted.
 */
MUST_CHECK enum err io_datagram_open(struct io_loop *loop, const struct io_addr *addr,
                                     void (*on_datagram)(void *owner, const struct io_addr *from,
                                                         struct bytes data),
                                     void *owner, struct io_datagram **ret_datagram);
void io_datagram_addr(const struct io_datagram *d, struct io_addr *ret_addr);
/* data.size <= IO_DATAGRAM_SIZE_MAX. Never blocks, never fails loudly. */
void io_datagram_send(struct io_datagram *d, const struct io_addr *to, struct bytes data);
uint64_t io_datagram_dropped(const struct io_datagram *d);
void io_datagram_close(struct io_datagram *d);

#endif
