/* Addresses as text and as values. Shared by the real and the simulated network: no socket is
 * touched here; sockaddr conversions are in uv_addr.c. */
#include "node/io/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#define HOST_SIZE_MAX 255 /* the longest DNS name */
#define PORT_DIGITS_MAX 5

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static enum err parse_port(struct bytes text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.size > PORT_DIGITS_MAX || !bytes_to_u64(text, &port) || port > UINT16_MAX)
        return ERR_INVALID;
    *ret_port = (uint16_t)port;
    return ERR_OK;
}

enum err io_addr_split(struct bytes text, struct bytes *ret_host, uint16_t *ret_port)
{
    bool bracketed = text.size > 0 && text.data[0] == '[';
    struct bytes inner = bytes_skip(text, bracketed);
    size_t host_size = bytes_find(inner, bracketed ? ']' : ':');
    struct bytes host = bytes_of(inner.data, host_size);
    struct bytes rest = bytes_skip(inner, host_size + bracketed);
    if (host.size == 0 || host.size > HOST_SIZE_MAX || !bytes_starts_with(rest, BYTES(":")))
        return ERR_INVALID;
    if (bytes_find(host, 0) < host.size)
        return ERR_INVALID;
    if (bracketed && bytes_find(host, ':') == host.size) /* brackets are for IPv6 only */
        return ERR_INVALID;
    TRY(parse_port(bytes_skip(rest, 1), ret_port));
    *ret_host = host;
    return ERR_OK;
}

enum err io_addr_parse(struct bytes text, struct io_addr *ret_addr)
{
    struct bytes host;
    struct io_addr a = {.family = IO_NONE};
    TRY(io_addr_split(text, &host, &a.port));
    char host_str[INET6_ADDRSTRLEN];
    if (host.size >= sizeof host_str)
        return ERR_INVALID;
    bytes_to_str(host, host_str, sizeof host_str);
    bool is_ipv6 = bytes_find(host, ':') < host.size;
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, host_str, a.ip) != 1)
        return ERR_INVALID;
    a.family = is_ipv6 ? IO_IPV6 : IO_IPV4;
    *ret_addr = a;
    return ERR_OK;
}

void io_addr_to_text(const struct io_addr *a, char ret_text[IO_ADDR_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "";
    switch (a->family) {
    case IO_IPV4:
        inet_ntop(AF_INET, a->ip, host, sizeof host);
        snprintf(ret_text, IO_ADDR_TEXT_SIZE, "%s:%u", host, (unsigned)a->port);
        return;
    case IO_IPV6:
        inet_ntop(AF_INET6, a->ip, host, sizeof host);
        snprintf(ret_text, IO_ADDR_TEXT_SIZE, "[%s]:%u", host, (unsigned)a->port);
        return;
    case IO_UNIX:
        snprintf(ret_text, IO_ADDR_TEXT_SIZE, "unix:%.*s", (int)sizeof a->path, a->path);
        return;
    case IO_NONE: break;
    }
    snprintf(ret_text, IO_ADDR_TEXT_SIZE, "none");
}

enum err io_addr_unix(const char *path, struct io_addr *ret_addr)
{
    struct io_addr a = {.family = IO_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof a.path)
        return ERR_LIMIT;
    if (size == 0)
        return ERR_INVALID;
    memcpy(a.path, path, size);
    *ret_addr = a;
    return ERR_OK;
}

bool io_addr_equal(const struct io_addr *a, const struct io_addr *b)
{
    if (a->family != b->family)
        return false;
    switch (a->family) {
    case IO_IPV4: return a->port == b->port && memcmp(a->ip, b->ip, 4) == 0;
    case IO_IPV6: return a->port == b->port && memcmp(a->ip, b->ip, 16) == 0;
    case IO_UNIX: return strncmp(a->path, b->path, sizeof a->path) == 0;
    case IO_NONE: break;
    }
    return true;
}

static bool is_mapped_ipv4(const struct io_addr *a)
{
    return a->family == IO_IPV6 && memcmp(a->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool io_addr_is_loopback(const struct io_addr *a)
{
    static const uint8_t loopback_ipv6[16] = {[15] = 1};
    if (is_mapped_ipv4(a))
        return a->ip[12] == 127;
    return a->family == IO_UNIX || (a->family == IO_IPV4 && a->ip[0] == 127) ||
           (a->family == IO_IPV6 && memcmp(a->ip, loopback_ipv6, 16) == 0);
}

bool io_addr_is_any(const struct io_addr *a)
{
    static const uint8_t zeros[16];
    if (is_mapped_ipv4(a))
        return memcmp(a->ip + 12, zeros, 4) == 0;
    return (a->family == IO_IPV4 && memcmp(a->ip, zeros, 4) == 0) ||
           (a->family == IO_IPV6 && memcmp(a->ip, zeros, 16) == 0);
}
