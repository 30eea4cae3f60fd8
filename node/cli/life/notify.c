/* One datagram to the socket in $NOTIFY_SOCKET. This is the only socket outside node/io: it belongs
 * to the process, not to a node, is written twice in a life, and a failure has no consequence. */
#include "node/cli/life/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* lint-allow: doors: the one socket that no node owns */
#include <sys/socket.h>
/* lint-allow: doors: likewise */
#include <sys/un.h>
#include <unistd.h>

void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t size = path ? strlen(path) : 0;
    if (size < 2 || size >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(addr.sun_path, path, size);
    if (path[0] == '@') /* an abstract name */
        addr.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&addr,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}
