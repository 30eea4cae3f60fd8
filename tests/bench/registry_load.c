/* The load of registry_bench: N clients, each with a connection of its own and one question at a
 * time, in one thread. Says "began", and ends with one JSON object.
 *
 * usage: registry_load etcd_put|etcd_get|mesh_put|mesh_get ADDRESS[,ADDRESS]... [--clients N]
 *            [--seconds S] [--warm S] [--deadline MS] [--dir D] [--prepare QUESTIONS]
 *        registry_load mesh_found SOCKET --clients N --dir D
 * A client that gets no answer by the deadline, or whose connection ends, goes to the next address
 * with the same question. D is the directory of a node that has the administrator's key. */
#include "tests/bench/registry_load/talk.h"

#include "base/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES_MAX 8
#define SAMPLES_MAX 4000000
#define SCAN_MS 10

struct client {
    int fd;
    void *state;
    struct buf out;
    size_t address;
    uint64_t n;
    double asked_us, first_asked_us; /* this time; for the first time */
};

static struct {
    const struct talk *talk;
    char *addresses[ADDRESSES_MAX];
    size_t address_count, client_count;
    double seconds, warm, deadline_ms;
    const char *dir;
    size_t prepare;
    int epoll;
    struct client clients[LOAD_CLIENTS_MAX];
    double measure_us, end_us, last_us, gap_us, gap_end_us;
    float *samples;
    size_t count, all, failures;
} load;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

_Noreturn void load_die(const char *what, const char *why)
{
    fprintf(stderr, "registry_load: %s: %s\n", what, why);
    exit(1);
}

/* --- connections */

static int dial_unix(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        load_die(path, "too long for a socket");
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int dial_tcp(const char *address, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10))};
    char host[64] = "";
    int on = 1;
    snprintf(host, sizeof host, "%.*s", (int)(port - address), address);
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        load_die(address, "is no address");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

int load_dial(const char *address)
{
    const char *port = strrchr(address, ':');
    return *address == '/' || !port ? dial_unix(address) : dial_tcp(address, port);
}

static void hang_up(struct client *c)
{
    if (c->fd < 0)
        return;
    close(c->fd);
    load.talk->close(c->state);
    c->fd = -1;
    buf_clear(&c->out);
}

static void watch(struct client *c, int how)
{
    struct epoll_event event = {.events = EPOLLIN | (c->out.size ? EPOLLOUT : 0u), .data.ptr = c};
    CHECK(epoll_ctl(load.epoll, how, c->fd, &event) == 0);
}

static void flush(struct client *c)
{
    bool had = c->out.size > 0;
    while (c->out.size > 0) {
        ssize_t n = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        buf_consume(&c->out, (size_t)n);
    }
    if (had && c->out.size > 0)
        watch(c, EPOLL_CTL_MOD);
}

static bool connect_client(struct client *c)
{
    c->fd = load_dial(load.addresses[c->address]);
    if (c->fd < 0)
        return false;
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->state = load.talk->open(&c->out);
    watch(c, EPOLL_CTL_ADD);
    return true;
}

/* --- questions */

static void ask(struct client *c)
{
    c->asked_us = now_us();
    if (c->first_asked_us == 0)
        c->first_asked_us = c->asked_us;
    if (c->fd < 0 && !connect_client(c))
        return; /* the next scan tries the next address */
    load.talk->ask(c->state, (size_t)(c - load.clients), c->n, &c->out);
    flush(c);
}

static void ask_elsewhere(struct client *c)
{
    load.failures++;
    hang_up(c);
    c->address = (c->address + 1) % load.address_count;
    ask(c);
}

static void count(struct client *c)
{
    double now = now_us();
    load.all++;
    if (load.last_us && now - load.last_us > load.gap_us) {
        load.gap_us = now - load.last_us;
        load.gap_end_us = now;
    }
    load.last_us = now;
    if (c->first_asked_us >= load.measure_us && now <= load.end_us && load.count < SAMPLES_MAX)
        load.samples[load.count++] = (float)(now - c->first_asked_us);
    c->n++;
    c->first_asked_us = 0;
}

static void on_readable(struct client *c)
{
    static uint8_t data[1 << 16];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        ask_elsewhere(c);
        return;
    }
    enum talk_result result = load.talk->take(c->state, bytes_of(data, (size_t)n), &c->out);
    flush(c);
    if (result == TALK_FAILED) {
        ask_elsewhere(c);
    } else if (result == TALK_DONE) {
        count(c);
        ask(c);
    }
}

static void on_event(const struct epoll_event *event)
{
    struct client *c = event->data.ptr;
    if (c->fd < 0)
        return;
    if (event->events & EPOLLOUT) {
        flush(c);
        if (c->out.size == 0)
            watch(c, EPOLL_CTL_MOD);
    }
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(c);
}

static void scan(double now)
{
    for (size_t i = 0; i < load.client_count; i++) {
        struct client *c = &load.clients[i];
        double allowed_us = c->fd < 0 ? SCAN_MS * 1e3 : load.deadline_ms * 1e3;
        if (now - c->asked_us >= allowed_us)
            ask_elsewhere(c);
    }
}

static void run(void)
{
    struct epoll_event events[256];
    double scanned = now_us();
    load.measure_us = scanned + load.warm * 1e6;
    load.end_us = load.measure_us + load.seconds * 1e6;
    for (size_t i = 0; i < load.client_count; i++)
        ask(&load.clients[i]);
    for (double now = scanned; now < load.end_us; now = now_us()) {
        int n = epoll_wait(load.epoll, events, 256, SCAN_MS);
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        if (now - scanned >= SCAN_MS * 1e3) {
            scan(now);
            scanned = now;
        }
    }
}

/* --- the end */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(double share)
{
    return load.count ? (double)load.samples[(size_t)((double)(load.count - 1) * share)] : -1;
}

static double own_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void report(double cpu_us)
{
    qsort(load.samples, load.count, sizeof *load.samples, by_value);
    printf("{\"clients\":%zu,\"count\":%zu,\"all\":%zu,\"failures\":%zu,\"seconds\":%.3f,"
           "\"per_s\":%.1f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,\"gap_ms\":%.1f,"
           "\"gap_end_us\":%.0f,\"client_cpu_us\":%.1f,\"own_cpu_s\":%.3f}\n",
           load.client_count, load.count, load.all, load.failures, load.seconds,
           (double)load.count / load.seconds, percentile(0.5), percentile(0.99), percentile(1),
           load.gap_us / 1e3, load.gap_end_us, load.all ? cpu_us / (double)load.all : 0,
           own_cpu_us() / 1e6);
}

static void set_addresses(char *list)
{
    char *rest = NULL;
    for (char *one = strtok_r(list, ",", &rest); one && load.address_count < ADDRESSES_MAX;
         one = strtok_r(NULL, ",", &rest))
        load.addresses[load.address_count++] = one;
}

static void set_option(const char *name, const char *value)
{
    double number = strtod(value, NULL);
    if (strcmp(name, "--clients") == 0)
        load.client_count = (size_t)number;
    else if (strcmp(name, "--seconds") == 0)
        load.seconds = number;
    else if (strcmp(name, "--warm") == 0)
        load.warm = number;
    else if (strcmp(name, "--deadline") == 0)
        load.deadline_ms = number;
    else if (strcmp(name, "--prepare") == 0)
        load.prepare = (size_t)number;
    else if (strcmp(name, "--dir") == 0)
        load.dir = value;
    else
        load_die(name, "unknown option");
}

static const struct talk *talk_of(const char *name)
{
    if (strcmp(name, "etcd_put") == 0)
        return &talk_etcd_put;
    if (strcmp(name, "etcd_get") == 0)
        return &talk_etcd_get;
    if (strcmp(name, "mesh_put") == 0)
        return &talk_mesh_put;
    return strcmp(name, "mesh_get") == 0 ? &talk_mesh_get : NULL;
}

int main(int argc, char **argv)
{
    load.client_count = 1;
    load.seconds = 5;
    load.warm = 1;
    load.deadline_ms = 10000;
    load.prepare = 100000;
    load.dir = ".";
    if (argc < 3 || crypto_init() != ERR_OK)
        load_die("usage", "registry_load MODE ADDRESS[,ADDRESS]... [OPTION VALUE]...");
    set_addresses(argv[2]);
    for (int i = 3; i + 1 < argc; i += 2)
        set_option(argv[i], argv[i + 1]);
    if (load.client_count < 1 || load.client_count > LOAD_CLIENTS_MAX || load.address_count < 1)
        load_die("--clients", "1 to 1024, and an address");
    if (strcmp(argv[1], "mesh_found") == 0) {
        talk_mesh_found(load.dir, load.addresses[0], load.client_count);
        return 0;
    }
    load.talk = talk_of(argv[1]);
    if (!load.talk)
        load_die(argv[1], "no such load");
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.samples = malloc(SAMPLES_MAX * sizeof *load.samples);
    CHECK(load.epoll >= 0 && load.samples);
    load.talk->prepare(load.dir, load.client_count, load.prepare);
    for (size_t i = 0; i < load.client_count; i++) {
        load.clients[i].fd = -1;
        buf_init(&load.clients[i].out, 1 << 20);
    }
    puts("began");
    fflush(stdout);
    double cpu_us = own_cpu_us();
    run();
    report(own_cpu_us() - cpu_us);
    for (size_t i = 0; i < load.client_count; i++) {
        hang_up(&load.clients[i]);
        buf_fini(&load.clients[i].out);
    }
    return 0;
}
