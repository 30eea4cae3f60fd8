/* Listening and connecting on the real loop: refusals, unix sockets and their files, IPv6. */
#include "test_io_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void connecting_to_a_closed_port_is_refused_from_the_loop(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    io_listener_close(w->listener);
    w->listener = NULL;
    world_connect(w);
    assert_int_equal(w->client.count[PEER_OPEN], 0);
    RUN_UNTIL(w->loop, w->client.count[PEER_OPEN]);
    assert_int_equal(w->client.open_err, ERR_REFUSED);
    peer_send(&w->client, "ignored");
    io_stream_finish(w->client.stream);
    run_for(w->loop, 5);
    assert_int_equal(w->client.count[PEER_OPEN], 1);
    assert_int_equal(w->client.count[PEER_FAIL], 0);
}

/* The kernel refuses these inside connect(2) itself; the user hears of it later all the same. */
static void an_impossible_address_fails_from_the_loop_too(void **state)
{
    struct world *w = *state;
    w->addr = (struct io_addr){.family = IO_IPV4, .port = 9, .ip = {255, 255, 255, 255}};
    world_connect(w);
    assert_int_equal(w->client.count[PEER_OPEN], 0);
    RUN_UNTIL(w->loop, w->client.count[PEER_OPEN]);
    assert_int_not_equal(w->client.open_err, ERR_OK);
    peer_close(&w->client);
    w->client.count[PEER_OPEN] = 0;
    w->addr = (struct io_addr){.family = IO_NONE};
    world_connect(w);
    RUN_UNTIL(w->loop, w->client.count[PEER_OPEN]);
    assert_int_equal(w->client.open_err, ERR_ADDRESS_INVALID);
}

static void a_taken_port_is_an_address_in_use(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    struct io_listener *second = NULL;
    world_listen(w, &any_port);
    assert_true(w->addr.port != 0);
    enum err e = io_listen(w->loop, &w->addr, world_on_accept, w, &second);
    assert_int_equal(e, ERR_ADDRESS_IN_USE);
    assert_null(second);
}

static void an_address_of_another_machine_is_invalid(void **state)
{
    struct world *w = *state;
    struct io_addr far = {.family = IO_IPV4, .ip = {198, 51, 100, 1}};
    struct io_addr none = {.family = IO_NONE};
    assert_int_equal(io_listen(w->loop, &far, world_on_accept, w, &w->listener),
                     ERR_ADDRESS_INVALID);
    assert_int_equal(io_listen(w->loop, &none, world_on_accept, w, &w->listener),
                     ERR_ADDRESS_INVALID);
    assert_null(w->listener);
}

static void a_port_can_be_listened_on_again_at_once(void **state)
{
    struct world *w = *state;
    world_pair(w);
    struct io_addr addr = w->addr;
    peer_close(&w->server); /* first: its port waits in TIME_WAIT */
    RUN_UNTIL(w->loop, w->client.count[PEER_EOF]);
    peer_close(&w->client);
    io_listener_close(w->listener);
    world_listen(w, &addr);
    world_connect(w);
    RUN_UNTIL(w->loop, w->server.stream);
}

/* Takes one stream as usual and closes the listener at the second, when more are pending. */
static void close_at_the_second(void *owner, struct io_stream *stream)
{
    struct world *w = owner;
    if (!w->server.stream) {
        w->server.stream = stream;
        return;
    }
    io_stream_close(stream);
    io_listener_close(w->listener);
    w->listener = NULL;
}

static void a_listener_closed_inside_on_accept_accepts_no_more(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    struct io_stream *others[4];
    assert_int_equal(io_listen(w->loop, &any_port, close_at_the_second, w, &w->listener), ERR_OK);
    io_listener_addr(w->listener, &w->addr);
    world_connect(w);
    RUN_UNTIL(w->loop, w->server.stream);
    for (int i = 0; i < 4; i++)
        assert_int_equal(io_connect(w->loop, &w->addr, NULL, NULL, &others[i]), ERR_OK);
    RUN_UNTIL(w->loop, !w->listener);
    run_for(w->loop, 10);
    for (int i = 0; i < 4; i++)
        io_stream_close(others[i]);
}

static void an_ipv6_listener_serves_ipv4_under_its_own_name(void **state)
{
    struct world *w = *state;
    struct io_addr any = {.family = IO_IPV6}, peer;
    if (io_listen(w->loop, &any, world_on_accept, w, &w->listener) != ERR_OK)
        skip(); /* a machine without IPv6 */
    io_listener_addr(w->listener, &w->addr);
    w->addr = loopback(w->addr.port);
    world_connect(w);
    RUN_UNTIL(w->loop, w->server.stream);
    io_stream_peer(w->server.stream, &peer);
    assert_int_equal(peer.family, IO_IPV4);
    assert_true(io_addr_is_loopback(&peer));
}

/* --- unix sockets */

static char unix_dir[] = "/tmp/gv-test-io-XXXXXX";

static int make_unix_dir(void **state)
{
    return mkdtemp(unix_dir) ? io_group_setup(state) : -1;
}

static int remove_unix_dir(void **state)
{
    (void)state;
    return rmdir(unix_dir); /* fails when a test left a file */
}

static struct io_addr unix_addr(const char *name)
{
    char path[100];
    struct io_addr a;
    snprintf(path, sizeof path, "%s/%s", unix_dir, name);
    assert_int_equal(io_addr_unix(path, &a), ERR_OK);
    return a;
}

static void a_unix_socket_carries_data_and_is_private(void **state)
{
    struct world *w = *state;
    struct stat st;
    struct io_addr addr = unix_addr("data"), peer;
    mode_t mask = umask(0);
    world_listen(w, &addr);
    umask(mask);
    assert_int_equal(stat(addr.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    world_connect(w);
    peer_send(&w->client, "hello");
    RUN_UNTIL(w->loop, peer_has(&w->server, "hello"));
    peer_send(&w->server, "back");
    io_stream_finish(w->server.stream);
    RUN_UNTIL(w->loop, w->client.count[PEER_EOF]);
    assert_true(peer_has(&w->client, "back"));
    io_stream_peer(w->server.stream, &peer);
    assert_int_equal(peer.family, IO_UNIX);
    assert_string_equal(peer.path, "");
    io_stream_peer(w->client.stream, &peer);
    assert_string_equal(peer.path, "");
    io_listener_close(w->listener);
    w->listener = NULL;
    assert_int_equal(access(addr.path, F_OK), -1);
}

static void a_stale_socket_file_is_replaced(void **state)
{
    struct world *w = *state;
    struct io_addr addr = unix_addr("stale");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, addr.path, sizeof un.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    close(fd); /* as a process that crashed leaves it */
    world_listen(w, &addr);
    world_connect(w);
    RUN_UNTIL(w->loop, w->server.stream);
}

static void a_unix_socket_in_use_is_left_alone(void **state)
{
    struct world *w = *state;
    struct io_addr addr = unix_addr("used");
    struct io_listener *second;
    world_listen(w, &addr);
    assert_int_equal(io_listen(w->loop, &addr, world_on_accept, w, &second), ERR_ADDRESS_IN_USE);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]); /* it was only probed */
    peer_close(&w->server);
    world_connect(w);
    RUN_UNTIL(w->loop, w->server.stream);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct world *w = *state;
    struct io_addr addr = unix_addr("file");
    FILE *f = fopen(addr.path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(io_listen(w->loop, &addr, world_on_accept, w, &w->listener),
                     ERR_ADDRESS_IN_USE);
    assert_int_equal(access(addr.path, F_OK), 0);
    unlink(addr.path);
}

static void closing_does_not_remove_the_file_of_a_successor(void **state)
{
    struct world *w = *state;
    struct io_addr addr = unix_addr("heir");
    world_listen(w, &addr);
    unlink(addr.path);
    FILE *f = fopen(addr.path, "w");
    assert_non_null(f);
    io_listener_close(w->listener);
    w->listener = NULL;
    assert_int_equal(access(addr.path, F_OK), 0);
    fclose(f);
    unlink(addr.path);
}

static void a_unix_socket_that_is_not_there_is_not_found(void **state)
{
    struct world *w = *state;
    w->addr = unix_addr("nobody");
    world_connect(w);
    RUN_UNTIL(w->loop, w->client.count[PEER_OPEN]);
    assert_int_equal(w->client.open_err, ERR_NOT_FOUND);
}

static void accepted_sockets_send_without_delay(void **state)
{
    struct world *w = *state;
    int before = count_fds(), nodelay = 0;
    world_pair(w);
    int sockets = 0;
    for (int fd = 0; fd < before + 20; fd++) {
        socklen_t size = sizeof nodelay;
        struct sockaddr_storage sa;
        socklen_t sa_size = sizeof sa;
        if (getpeername(fd, (struct sockaddr *)&sa, &sa_size) != 0 || sa.ss_family != AF_INET)
            continue;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
        assert_true(nodelay);
        sockets++;
    }
    assert_int_equal(sockets, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(connecting_to_a_closed_port_is_refused_from_the_loop),
        WORLD_TEST(an_impossible_address_fails_from_the_loop_too),
        WORLD_TEST(a_taken_port_is_an_address_in_use),
        WORLD_TEST(an_address_of_another_machine_is_invalid),
        WORLD_TEST(a_port_can_be_listened_on_again_at_once),
        WORLD_TEST(a_listener_closed_inside_on_accept_accepts_no_more),
        WORLD_TEST(an_ipv6_listener_serves_ipv4_under_its_own_name),
        WORLD_TEST(a_unix_socket_carries_data_and_is_private),
        WORLD_TEST(a_stale_socket_file_is_replaced),
        WORLD_TEST(a_unix_socket_in_use_is_left_alone),
        WORLD_TEST(a_file_that_is_no_socket_is_left_alone),
        WORLD_TEST(closing_does_not_remove_the_file_of_a_successor),
        WORLD_TEST(a_unix_socket_that_is_not_there_is_not_found),
        WORLD_TEST(accepted_sockets_send_without_delay),
    };
    return cmocka_run_group_tests_name("io_listener", tests, make_unix_dir, remove_unix_dir);
}
