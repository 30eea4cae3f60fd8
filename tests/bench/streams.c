/* Client for what wrk cannot do: reads many event streams at once and counts their events, or opens
 * many connections, uses each once and holds them.
 *
 * usage: streams read PORT PATH STREAMS ROUNDS     prints "events N errors N seconds S"
 *        streams hold PORT CONNECTIONS SECONDS     prints "held N" when all are open, then waits
 *        streams slow PORT PATH EXCHANGES SECONDS  prints "active N" when all requests were sent;
 * reads nothing */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Spread over source addresses, so that ports do not run out. */
static int dial(int port, int index)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(0x7F000002u + (uint32_t)(index / 20000));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("streams: connect");
        exit(1);
    }
    return fd;
}

/* One small request and its answer, so that the connection is an idle keep-alive one. */
static void use_once(int fd)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nhost: bench\r\n\r\n";
    char answer[512];
    if (write(fd, request, sizeof request - 1) != sizeof request - 1 ||
        read(fd, answer, sizeof answer) <= 0) {
        perror("streams: request");
        exit(1);
    }
}

static void ask(int fd, const char *path)
{
    static const char body[] = "{\"model\":\"bench\",\"messages\":[{\"role\":\"user\",\"content\":"
                               "\"hello\"}],\"stream\":true}";
    char out[512];
    int n = snprintf(out, sizeof out,
                     "POST %s HTTP/1.1\r\nhost: bench\r\ncontent-type: "
                     "application/json\r\ncontent-length: %zu\r\n\r\n%s",
                     path, sizeof body - 1, body);
    if (write(fd, out, (size_t)n) != n) {
        perror("streams: write");
        exit(1);
    }
}

static long count(const char *data, size_t size, const char *what)
{
    long found = 0;
    for (const char *at = data; (at = memmem(at, size - (size_t)(at - data), what, strlen(what)));
         at++)
        found++;
    return found;
}

/* Events are counted by their first word; one that two reads cut in half would be missed, so a
 * carry is kept. */
static int read_streams(int port, const char *path, int streams, int rounds)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    int *left = calloc((size_t)streams + 4096, sizeof *left);
    char(*carry)[8] = calloc((size_t)streams + 4096, sizeof *carry);
    long events = 0, errors = 0, open_streams = streams;
    double start = now_s();
    for (int i = 0; i < streams; i++) {
        int fd = dial(port, i);
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        left[fd] = rounds;
        ask(fd, path);
    }
    static char data[64 * 1024 + 8];
    while (open_streams > 0 && now_s() - start < 120) {
        struct epoll_event ready[256];
        int n = epoll_wait(ep, ready, 256, 1000);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            memcpy(data, carry[fd], 8);
            ssize_t got = read(fd, data + 8, sizeof data - 8);
            if (got <= 0) {
                errors++;
                open_streams--;
                close(fd);
                continue;
            }
            size_t size = (size_t)got + 8;
            memcpy(carry[fd], data + size - 8, 8);
            /* A match that lies in the carry alone was counted before. */
            events += count(data + 1, size - 1, "\"delta\":");
            if (!memmem(data, size, "[DONE]", 6) && !memmem(data, size, "0\r\n\r\n", 5))
                continue;
            if (!memmem(data, size, "0\r\n\r\n", 5))
                continue;
            if (--left[fd] > 0) {
                memset(carry[fd], 0, 8);
                ask(fd, path);
            } else {
                open_streams--;
                close(fd);
            }
        }
    }
    printf("events %ld errors %ld seconds %.3f\n", events, errors + open_streams, now_s() - start);
    free(left);
    free(carry);
    return errors + open_streams > 0;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (argc == 6 && strcmp(argv[1], "read") == 0)
        return read_streams((int)strtol(argv[2], NULL, 10), argv[3], (int)strtol(argv[4], NULL, 10),
                            (int)strtol(argv[5], NULL, 10));
    bool slow = argc == 6 && strcmp(argv[1], "slow") == 0;
    if (!slow && !(argc == 5 && strcmp(argv[1], "hold") == 0)) {
        fprintf(stderr, "usage: streams read PORT PATH STREAMS ROUNDS | hold PORT CONNECTIONS "
                        "SECONDS | slow PORT PATH EXCHANGES SECONDS\n");
        return 2;
    }
    int wanted = (int)strtol(argv[slow ? 4 : 3], NULL, 10);
    for (int i = 0; i < wanted; i++) {
        int fd = dial((int)strtol(argv[2], NULL, 10), i);
        if (slow)
            ask(fd, argv[3]);
        else
            use_once(fd);
    }
    printf("%s %d\n", slow ? "active" : "held", wanted);
    fflush(stdout);
    sleep((unsigned)(int)strtol(argv[slow ? 5 : 4], NULL, 10));
    return 0;
}
