/* The fastest engine there is: answers every POST with 200 bytes, or with a stream of events when
 * the body asks for one
 * ("stream":true), so that a benchmark measures the proxy in front of it. One thread, epoll, no
 * parsing beyond what framing needs: it only ever talks to the benchmark on loopback.
 *
 * usage: engine PORT [EVENTS] [INTERVAL_MS] */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define READ_SIZE (64 * 1024)

struct conn {
    bool is_used;
    size_t head_size; /* of `head` */
    char head[2048];  /* a request's head, as it comes */
    long body_left;   /* -1: the head is not complete */
    bool wants_stream;
    int events_left;
};

static struct conn conns[CONNECTIONS_MAX];
static int events = 64;
static char answer[512];
static int answer_size;
static const char models[] =
    "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\",\"created\":1,"
    "\"owned_by\":\"bench\"}]}";
static const char event[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"}}],\"id\":\"chatcmpl-1\","
    "\"object\":\"chat.completion.chunk\",\"model\":\"bench\"}\n\n";

static void put(int fd, const char *data, size_t size)
{
    if (write(fd, data, size) != (ssize_t)size)
        shutdown(fd, SHUT_RDWR);
}

static void answer_one(int fd, struct conn *c)
{
    char out[512];
    if (strncmp(c->head, "GET ", 4) == 0) {
        bool is_models = strncmp(c->head + 4, "/v1/models", 10) == 0;
        const char *body = is_models ? models : "{\"status\":\"ok\"}";
        int n = snprintf(
            out, sizeof out,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
            strlen(body), body);
        put(fd, out, (size_t)n);
    } else if (c->wants_stream) {
        static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: "
                                   "text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        put(fd, head, sizeof head - 1);
        c->events_left = events;
    } else {
        put(fd, answer, (size_t)answer_size);
    }
}

static void begin_body(struct conn *c, const char *end)
{
    const char *length = strcasestr(c->head, "content-length:");
    c->body_left = length && length < end ? strtol(length + 15, NULL, 10) : 0;
    c->wants_stream = false;
}

static void take(int fd, struct conn *c, char *data, size_t size)
{
    while (size > 0) {
        if (c->body_left < 0) {
            size_t room = sizeof c->head - 1 - c->head_size;
            size_t n = size < room ? size : room;
            size_t before = c->head_size;
            memcpy(c->head + before, data, n);
            c->head[before + n] = '\0';
            char *end = strstr(c->head, "\r\n\r\n");
            c->head_size += n;
            if (!end)
                return;
            size_t used = (size_t)(end + 4 - c->head) - before;
            begin_body(c, end);
            data += used;
            size -= used;
        }
        size_t n = size < (size_t)c->body_left ? size : (size_t)c->body_left;
        /* The flag is looked for in the last bytes only: the benchmark puts it there. */
        size_t tail = n < 64 ? n : 64;
        c->wants_stream |= n > 0 && memmem(data + n - tail, tail, "\"stream\":true", 13) != NULL;
        c->body_left -= (long)n;
        data += n;
        size -= n;
        if (c->body_left == 0) {
            answer_one(fd, c);
            c->body_left = -1;
            c->head_size = 0;
        }
    }
}

static void tick(void)
{
    char out[512];
    int n = snprintf(out, sizeof out, "%zx\r\n%s\r\n", sizeof event - 1, event);
    static const char done[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
    for (int fd = 0; fd < CONNECTIONS_MAX; fd++) {
        struct conn *c = &conns[fd];
        if (!c->is_used || c->events_left == 0)
            continue;
        put(fd, out, (size_t)n);
        if (--c->events_left == 0)
            put(fd, done, sizeof done - 1);
    }
}

static int open_listener(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 4096) != 0) {
        perror("engine: listen");
        exit(1);
    }
    return fd;
}

static void accept_one(int ep, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int on = 1;
    if (fd < 0)
        return;
    if (fd >= CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conns[fd] = (struct conn){.is_used = true, .body_left = -1};
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: engine PORT [EVENTS] [INTERVAL_MS]\n");
        return 2;
    }
    events = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 64;
    int interval_ms = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 10;
    char body[201];
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"id\":\"", 7);
    memcpy(body + 198, "\"}", 3);
    answer_size = snprintf(
        answer, sizeof answer,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 200\r\n\r\n%s", body);
    int listener = open_listener((int)strtol(argv[1], NULL, 10));
    int ep = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec every = {{0, interval_ms * 1000000L}, {0, interval_ms * 1000000L}};
    timerfd_settime(timer, 0, &every, NULL);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
    e.data.fd = timer;
    epoll_ctl(ep, EPOLL_CTL_ADD, timer, &e);
    static char data[READ_SIZE];
    for (;;) {
        struct epoll_event ready[256];
        int count = epoll_wait(ep, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                accept_one(ep, listener);
            } else if (fd == timer) {
                uint64_t ticks;
                if (read(timer, &ticks, sizeof ticks) == sizeof ticks)
                    tick();
            } else {
                ssize_t n = read(fd, data, sizeof data);
                if (n > 0) {
                    take(fd, &conns[fd], data, (size_t)n);
                } else {
                    conns[fd].is_used = false;
                    close(fd);
                }
            }
        }
    }
}
