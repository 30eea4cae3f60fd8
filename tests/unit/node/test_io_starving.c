/* A listener without file descriptors: a child with a low limit serves, the parent knocks. */
#include "test_io_loop.h"

#include "node/io/stream.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KNOCKS 40
#define ALLOWED_STREAMS 5

struct starving {
    struct io_loop *loop;
    struct io_listener *listener;
    struct io_stream *streams[KNOCKS];
    int count;
};

static long cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* "e": echo. "d": how many were dropped. "n": how many were accepted. "c": CPU milliseconds. "r":
 * raise the limit again. */
static void on_order(void *owner, struct bytes data)
{
    struct starving *s = owner;
    struct rlimit limit;
    char text[32] = "e";
    if (data.data[0] == 'd')
        snprintf(text, sizeof text, "%d", (int)io_listener_dropped(s->listener));
    if (data.data[0] == 'c')
        snprintf(text, sizeof text, "%ld", cpu_ms());
    if (data.data[0] == 'n')
        snprintf(text, sizeof text, "%d", s->count);
    if (data.data[0] == 'r') {
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    struct bytes part = bytes_from_str(text);
    io_stream_write(s->streams[0], &part, 1);
}

static void stop_serving(void *owner)
{
    io_loop_stop(((struct starving *)owner)->loop);
}

static void keep_stream(void *owner, struct io_stream *stream)
{
    static const struct io_stream_ops ops = {.on_read = on_order, .on_eof = stop_serving};
    struct starving *s = owner;
    s->streams[s->count] = stream;
    if (s->count++ == 0)
        io_stream_set(stream, &ops, s);
    if (s->count == 1)
        io_stream_read(stream);
}

/* Lets the process have `spare` more descriptors; with 0 not even those that the loop gives up. */
static void starve(int spare)
{
    struct rlimit limit;
    int fds[ALLOWED_STREAMS];
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 3;
    for (int i = 0; i < spare; i++) {
        fds[i] = dup(0);
        limit.rlim_cur = (rlim_t)fds[i] + 1;
    }
    for (int i = 0; i < spare; i++)
        close(fds[i]);
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void serve_starving(int port_pipe, int spare)
{
    struct starving *s = calloc(1, sizeof *s);
    struct io_addr addr = loopback(0);
    if (io_loop_create(&s->loop) != ERR_OK ||
        io_listen(s->loop, &addr, keep_stream, s, &s->listener) != ERR_OK)
        _exit(1);
    io_listener_addr(s->listener, &addr);
    while (s->count == 0 && write(port_pipe, &addr.port, sizeof addr.port) > 0) {
        while (s->count == 0)
            run_for(s->loop, 1);
    }
    close(port_pipe);
    starve(spare);
    io_loop_run(s->loop);
    _exit(0);
}

static int knock(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static long order(int fd, const char *what)
{
    char text[32] = "";
    assert_int_equal(send(fd, what, 1, MSG_NOSIGNAL), 1);
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    return strtol(text, NULL, 10);
}

static pid_t start_starving(int spare, int *ret_first)
{
    int fds[2];
    uint16_t port = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        serve_starving(fds[1], spare);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &port, sizeof port), sizeof port);
    *ret_first = knock(port);
    char nothing;
    assert_int_equal(read(fds[0], &nothing, 1), 0); /* the limit stands when the pipe has closed */
    order(*ret_first, "e");
    close(fds[0]);
    return child;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t size = sizeof in;
    assert_int_equal(getpeername(fd, (struct sockaddr *)&in, &size), 0);
    return ntohs(in.sin_port);
}

static void end_starving(pid_t child, int first)
{
    int status;
    close(first);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void assert_not_spinning(int first)
{
    long before_ms = order(first, "c");
    usleep(1000 * 1000);
    assert_true(order(first, "c") - before_ms < 500);
}

static void wait_for(int first, const char *what, long at_least)
{
    for (int i = 0; i < PATIENCE_MS && order(first, what) < at_least; i++)
        usleep(1000);
}

static void without_descriptors_new_connections_are_dropped_and_counted(void **state)
{
    int first, knocks[KNOCKS], dropped = 0;
    pid_t child = start_starving(ALLOWED_STREAMS, &first);
    for (int i = 0; i < KNOCKS; i++) {
        knocks[i] = knock(port_of(first));
        if (i == KNOCKS / 2) /* the second half comes after a first dropping */
            wait_for(first, "d", i + 1 - ALLOWED_STREAMS);
    }
    wait_for(first, "d", KNOCKS - ALLOWED_STREAMS);
    assert_not_spinning(first);
    for (int i = 0; i < KNOCKS; i++) {
        char nothing;
        dropped += recv(knocks[i], &nothing, 1, MSG_DONTWAIT) == 0;
        close(knocks[i]);
    }
    assert_int_equal(dropped, KNOCKS - ALLOWED_STREAMS);
    assert_int_equal(order(first, "d"), dropped);
    end_starving(child, first);
}

static void without_even_a_reserve_connections_wait_and_the_loop_sleeps(void **state)
{
    int first;
    pid_t child = start_starving(0, &first);
    int late = knock(port_of(first));
    assert_not_spinning(first);
    assert_int_equal(order(first, "d"), 0);
    assert_int_equal(order(first, "n"), 1);
    order(first, "r");
    wait_for(first, "n", 2);
    assert_int_equal(order(first, "n"), 2);
    close(late);
    end_starving(child, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_descriptors_new_connections_are_dropped_and_counted),
        cmocka_unit_test(without_even_a_reserve_connections_wait_and_the_loop_sleeps),
    };
    return cmocka_run_group_tests_name("io_starving", tests, io_group_setup, NULL);
}
