/* The border to the system's network types: error codes and sockaddrs in, struct io_addr and enum
 * err out. Used by every uv_*.c; addresses as text are in addr.c. */
#include "node/io/uv_loop.h"

#include <netinet/in.h>
#include <sys/un.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum err io_err_from_uv(int uv_error)
{
    switch (uv_error) {
    case 0: return ERR_OK;
    case UV_EOF: return ERR_EOF;
    case UV_EAI_MEMORY: return ERR_NO_MEMORY;
    case UV_EAI_CANCELED: return ERR_CANCELLED;
    case UV_EAGAIN: return ERR_REFUSED; /* a unix socket whose backlog is full */
    case UV_ENOBUFS: return ERR_NO_MEMORY;
    default: break;
    }
    if (uv_error <= UV_EAI_ADDRFAMILY && uv_error >= UV_EAI_SOCKTYPE)
        return ERR_RESOLVE;
    return err_from_errno(-uv_error);
}

static void from_ipv6(const struct sockaddr_in6 *in6, struct io_addr *ret_addr)
{
    const uint8_t *ip = in6->sin6_addr.s6_addr;
    bool is_mapped = memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
    ret_addr->family = is_mapped ? IO_IPV4 : IO_IPV6;
    ret_addr->port = ntohs(in6->sin6_port);
    if (is_mapped)
        memcpy(ret_addr->ip, ip + sizeof mapped_prefix, 4);
    else
        memcpy(ret_addr->ip, ip, 16);
}

/* A peer of a dual-stack socket is shown as what it is, IPv4. The path of a unix peer is left out:
 * connecting sockets have none. */
void io_addr_from_sockaddr(const struct sockaddr *sa, struct io_addr *ret_addr)
{
    *ret_addr = (struct io_addr){.family = IO_NONE};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        ret_addr->family = IO_IPV4;
        ret_addr->port = ntohs(in->sin_port);
        memcpy(ret_addr->ip, &in->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        from_ipv6((const struct sockaddr_in6 *)sa, ret_addr);
    } else if (sa->sa_family == AF_UNIX) {
        ret_addr->family = IO_UNIX;
    }
}

socklen_t io_addr_to_sockaddr(const struct io_addr *a, struct sockaddr_storage *ret_sa)
{
    if (a->family == IO_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_sa;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in->sin_addr, a->ip, 4);
        return sizeof *in;
    }
    if (a->family != IO_IPV6)
        return 0;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_sa;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    memcpy(&in6->sin6_addr, a->ip, 16);
    return sizeof *in6;
}

socklen_t io_addr_to_sockaddr_un(const struct io_addr *a, struct sockaddr_storage *ret_sa)
{
    _Static_assert(sizeof a->path == sizeof((struct sockaddr_un *)0)->sun_path, "same limit");
    struct sockaddr_un *un = (struct sockaddr_un *)ret_sa;
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path, a->path, sizeof a->path);
    return sizeof *un;
}
