/* Network addresses as values: IPv4, IPv6, or a unix socket path. No name resolution here
 * (resolve.h). */
#ifndef NODE_IO_ADDR_H
#define NODE_IO_ADDR_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define IO_ADDR_TEXT_SIZE 120

enum io_family { IO_NONE, IO_IPV4, IO_IPV6, IO_UNIX };

struct io_addr {
    enum io_family family;
    uint16_t port;
    uint8_t ip[16]; /* network order; the first 4 bytes for IPv4 */
    char path[108]; /* IO_UNIX: NUL-terminated */
};

/* "127.0.0.1:80", "[::1]:80". ERR_INVALID for anything else, names included. */
MUST_CHECK enum err io_addr_parse(struct bytes text, struct io_addr *ret_addr);
/* The same form back; unix sockets as "unix:PATH". */
void io_addr_to_text(const struct io_addr *a, char ret_text[IO_ADDR_TEXT_SIZE]);
/* Splits "host:port" or "[v6]:port"; host is borrowed from text. ERR_INVALID. */
MUST_CHECK enum err io_addr_split(struct bytes text, struct bytes *ret_host, uint16_t *ret_port);
MUST_CHECK enum err io_addr_unix(const char *path,
                                 struct io_addr *ret_addr); /* ERR_LIMIT: path too long */
bool io_addr_equal(const struct io_addr *a, const struct io_addr *b);
bool io_addr_is_loopback(const struct io_addr *a); /* 127/8, ::1, unix */
bool io_addr_is_any(const struct io_addr *a);      /* 0.0.0.0 or :: */

#endif
