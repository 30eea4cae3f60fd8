/* Listening sockets: binding them, accepting, and surviving a lack of file descriptors.
 *
 * Happy path: libuv only watches the socket (uv_poll); accepting is done here, because its own way
 * drops connections unseen when descriptors run out.
 *
 * Failure modes: without a free descriptor the loop's reserve is given up for a moment, each
 * pending connection is accepted, closed and counted, and the reserve is taken back; so the backlog
 * never keeps the socket readable and the loop never spins. When even that fails, or accept fails
 * in another lasting way, watching stops for RETRY_MS. */
#include "node/io/uv_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPTS_PER_TURN_MAX 64 /* then the streams have their turn */
#define RETRY_MS 100
#define UNIX_MODE (S_IRUSR | S_IWUSR)

struct io_listener {
    uv_poll_t poll;
    struct io_loop *loop;
    int fd;
    bool closed;
    unsigned accept_budget; /* adapts: 1 saves the futile accept when connections come one by one */
    struct io_addr addr;
    ino_t inode; /* of the unix socket's file, so that only our own is removed */
    dev_t device;
    uint64_t dropped;
    struct io_timer retry;
    void (*on_accept)(void *owner, struct io_stream *stream);
    void *owner;
};

/* --- binding */

static int bind_inet(int fd, const struct io_addr *addr)
{
    struct sockaddr_storage sa;
    socklen_t size = io_addr_to_sockaddr(addr, &sa);
    int on = 1, off = 0;
    if (addr->family == IO_IPV6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        return -errno;
    /* Accepted sockets inherit TCP_NODELAY: one system call less for each. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&sa, size) != 0)
        return -errno;
    return 0;
}

/* True only for a socket file on which nobody listens. */
static bool is_stale(const struct io_addr *addr, const struct sockaddr_storage *sa, socklen_t size)
{
    struct stat st;
    if (lstat(addr->path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool refused = connect(probe, (const struct sockaddr *)sa, size) != 0 && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

static int bind_unix(int fd, const struct io_addr *addr)
{
    struct sockaddr_storage sa;
    socklen_t size = io_addr_to_sockaddr_un(addr, &sa);
    /* The file is born with the mode of the socket's inode: 0600 from its first moment, without
     * touching the umask that all threads share. */
    if (fchmod(fd, UNIX_MODE) != 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&sa, size) == 0)
        return 0;
    if (errno != EADDRINUSE || !is_stale(addr, &sa, size))
        return -errno;
    unlink(addr->path);
    return bind(fd, (const struct sockaddr *)&sa, size) == 0 ? 0 : -errno;
}

static int open_socket(const struct io_addr *addr, int *ret_fd)
{
    if (addr->family == IO_NONE)
        return UV_EADDRNOTAVAIL;
    int domain = addr->family == IO_UNIX ? AF_UNIX : addr->family == IO_IPV4 ? AF_INET : AF_INET6;
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = addr->family == IO_UNIX ? bind_unix(fd, addr) : bind_inet(fd, addr);
    if (r == 0 && listen(fd, BACKLOG) != 0)
        r = -errno;
    if (r != 0)
        close(fd);
    else
        *ret_fd = fd;
    return r;
}

static void note_bound_addr(struct io_listener *l, const struct io_addr *wanted)
{
    l->addr = *wanted;
    if (wanted->family == IO_UNIX) {
        struct stat st;
        if (lstat(wanted->path, &st) == 0) {
            l->inode = st.st_ino;
            l->device = st.st_dev;
        }
        return;
    }
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    struct io_addr bound;
    if (getsockname(l->fd, (struct sockaddr *)&sa, &size) == 0) {
        io_addr_from_sockaddr((const struct sockaddr *)&sa, &bound);
        l->addr.port = bound.port;
    }
}

/* --- accepting */

static void on_readable(uv_poll_t *poll, int status, int events);

static void watch(struct io_listener *l)
{
    CHECK(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
}

static void take_reserve(struct io_loop *loop)
{
    if (loop->reserve_fd < 0)
        loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_retry(struct io_timer *timer)
{
    struct io_listener *l = LIST_ENTRY(timer, struct io_listener, retry);
    take_reserve(l->loop);
    watch(l);
}

static void rest_a_while(struct io_listener *l)
{
    uv_poll_stop(&l->poll);
    io_timer_start(l->loop, &l->retry, RETRY_MS, on_retry);
}

static void drop_pending(struct io_listener *l)
{
    struct io_loop *loop = l->loop;
    if (loop->reserve_fd >= 0)
        close(loop->reserve_fd);
    loop->reserve_fd = -1;
    int fd = -1;
    for (int n = 0; n < ACCEPTS_PER_TURN_MAX; n++) {
        fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            break;
        close(fd);
        l->dropped++;
    }
    bool is_stuck = fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR;
    take_reserve(loop);
    if (is_stuck)
        rest_a_while(l);
}

static void hand_over(struct io_listener *l, int fd, const struct sockaddr *sa)
{
    struct io_addr peer;
    struct io_stream *stream;
    io_addr_from_sockaddr(sa, &peer);
    if (io_stream_adopt(l->loop, fd, &peer, &stream) != ERR_OK) {
        close(fd);
        l->dropped++;
        return;
    }
    l->on_accept(l->owner, stream);
}

static void on_accept_error(struct io_listener *l, int saved_errno)
{
    switch (saved_errno) {
    case EAGAIN: l->accept_budget = 1; break;
    case EMFILE:
    case ENFILE: drop_pending(l); break;
    /* That one connection is gone (accept(2) reports its network's errors too); the next may be
     * fine. */
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM: break;
    default: rest_a_while(l);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct io_listener *l = poll->data;
    (void)events;
    if (status < 0) {
        rest_a_while(l);
        return;
    }
    for (unsigned n = 0; n < l->accept_budget; n++) {
        struct sockaddr_storage sa;
        socklen_t size = sizeof sa;
        int fd = accept4(l->fd, (struct sockaddr *)&sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            on_accept_error(l, errno);
            return;
        }
        hand_over(l, fd, (const struct sockaddr *)&sa);
        if (l->closed)
            return;
    }
    if (l->accept_budget < ACCEPTS_PER_TURN_MAX)
        l->accept_budget *= 2;
}

/* --- the user's side */

static void on_uv_closed(uv_handle_t *handle)
{
    free(handle->data);
}

enum err io_listen(struct io_loop *loop, const struct io_addr *addr,
                   void (*on_accept)(void *owner, struct io_stream *stream), void *owner,
                   struct io_listener **ret_listener)
{
    struct io_listener *l = calloc(1, sizeof *l);
    if (!l)
        return ERR_NO_MEMORY;
    int r = open_socket(addr, &l->fd);
    if (r == 0 && (r = uv_poll_init(&loop->uv, &l->poll, l->fd)) != 0)
        close(l->fd);
    if (r != 0) {
        free(l);
        return io_err_from_uv(r);
    }
    l->poll.data = l;
    l->loop = loop;
    l->accept_budget = 1;
    l->on_accept = on_accept;
    l->owner = owner;
    note_bound_addr(l, addr);
    watch(l);
    loop->object_count++;
    *ret_listener = l;
    return ERR_OK;
}

void io_listener_addr(const struct io_listener *l, struct io_addr *ret_addr)
{
    *ret_addr = l->addr;
}

uint64_t io_listener_dropped(const struct io_listener *l)
{
    return l->dropped;
}

static void remove_socket_file(const struct io_listener *l)
{
    struct stat st;
    if (lstat(l->addr.path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device)
        unlink(l->addr.path);
}

void io_listener_close(struct io_listener *l)
{
    CHECK(!l->closed);
    l->closed = true;
    l->loop->object_count--;
    io_timer_stop(&l->retry);
    if (l->addr.family == IO_UNIX)
        remove_socket_file(l);
    uv_close((uv_handle_t *)&l->poll, on_uv_closed);
    close(l->fd);
}
