/* UDP sockets on the real loop: delivery, limits, drops, closing. */
#include "test_io_fixture.h"

#include "node/io/datagram.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

struct mailbox {
    struct io_datagram *socket;
    struct io_addr addr;
    struct io_addr from;
    struct buf in;
    int count;
    bool close_on_first;
};

static void on_mail(void *owner, const struct io_addr *from, struct bytes data)
{
    struct mailbox *m = owner;
    m->count++;
    m->from = *from;
    assert_int_equal(buf_append(&m->in, data), ERR_OK);
    if (m->close_on_first) {
        io_datagram_close(m->socket);
        m->socket = NULL;
    }
}

static void mailbox_open(struct mailbox *m, struct world *w, const struct io_addr *addr)
{
    *m = (struct mailbox){0};
    buf_init(&m->in, 1 << 20);
    assert_int_equal(io_datagram_open(w->loop, addr, on_mail, m, &m->socket), ERR_OK);
    io_datagram_addr(m->socket, &m->addr);
    assert_true(m->addr.port != 0);
}

static void mailbox_close(struct mailbox *m)
{
    buf_fini(&m->in);
    if (m->socket)
        io_datagram_close(m->socket);
}

static void a_datagram_arrives_with_its_senders_address(void **state)
{
    struct world *w = *state;
    struct mailbox a, b;
    struct io_addr any_port = loopback(0);
    mailbox_open(&a, w, &any_port);
    mailbox_open(&b, w, &any_port);
    io_datagram_send(a.socket, &b.addr, BYTES("ping"));
    RUN_UNTIL(w->loop, b.count == 1);
    assert_true(bytes_equal(buf_bytes(&b.in), BYTES("ping")));
    assert_true(io_addr_equal(&b.from, &a.addr));
    io_datagram_send(b.socket, &b.from, BYTES(""));
    RUN_UNTIL(w->loop, a.count == 1);
    assert_int_equal(a.in.size, 0);
    mailbox_close(&a);
    mailbox_close(&b);
}

static void a_datagram_of_the_full_size_arrives_and_a_longer_one_is_dropped(void **state)
{
    struct world *w = *state;
    struct mailbox a;
    struct io_addr any_port = loopback(0);
    static const uint8_t zeros[IO_DATAGRAM_SIZE_MAX + 1];
    mailbox_open(&a, w, &any_port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a.addr.port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ssize_t sent = sendto(fd, zeros, sizeof zeros, 0, (struct sockaddr *)&in, sizeof in);
    assert_int_equal(sent, sizeof zeros);
    io_datagram_send(a.socket, &a.addr, bytes_of(zeros, IO_DATAGRAM_SIZE_MAX));
    RUN_UNTIL(w->loop, a.count == 1);
    assert_int_equal(a.in.size, IO_DATAGRAM_SIZE_MAX);
    assert_int_equal(io_datagram_dropped(a.socket), 1);
    close(fd);
    mailbox_close(&a);
}

static void what_cannot_be_sent_is_dropped_and_counted(void **state)
{
    struct world *w = *state;
    struct mailbox a;
    struct io_addr any_port = loopback(0), none = {.family = IO_NONE};
    struct io_addr ipv6 = {.family = IO_IPV6, .port = 9, .ip = {[15] = 1}};
    mailbox_open(&a, w, &any_port);
    io_datagram_send(a.socket, &none, BYTES("x"));
    io_datagram_send(a.socket, &ipv6, BYTES("x"));
    assert_int_equal(io_datagram_dropped(a.socket), 2);
    mailbox_close(&a);
}

static void sending_to_a_closed_port_hurts_nobody(void **state)
{
    struct world *w = *state;
    struct mailbox a, b;
    struct io_addr any_port = loopback(0);
    mailbox_open(&a, w, &any_port);
    mailbox_open(&b, w, &any_port);
    struct io_addr gone = b.addr;
    mailbox_close(&b);
    for (int i = 0; i < 3; i++) {
        io_datagram_send(a.socket, &gone, BYTES("x"));
        run_for(w->loop, 2);
    }
    io_datagram_send(a.socket, &a.addr, BYTES("still here"));
    RUN_UNTIL(w->loop, a.count == 1);
    mailbox_close(&a);
}

static void closing_inside_the_callback_is_the_last_datagram(void **state)
{
    struct world *w = *state;
    struct mailbox a, b;
    struct io_addr any_port = loopback(0);
    mailbox_open(&a, w, &any_port);
    mailbox_open(&b, w, &any_port);
    b.close_on_first = true;
    for (int i = 0; i < 5; i++)
        io_datagram_send(a.socket, &b.addr, BYTES("x"));
    RUN_UNTIL(w->loop, !b.socket);
    run_for(w->loop, 5);
    assert_int_equal(b.count, 1);
    mailbox_close(&a);
    mailbox_close(&b);
}

static void a_taken_port_is_an_address_in_use(void **state)
{
    struct world *w = *state;
    struct mailbox a;
    struct io_datagram *second;
    struct io_addr any_port = loopback(0);
    struct io_addr far = {.family = IO_IPV4, .ip = {198, 51, 100, 1}};
    struct io_addr none = {.family = IO_NONE};
    mailbox_open(&a, w, &any_port);
    assert_int_equal(io_datagram_open(w->loop, &a.addr, on_mail, &a, &second), ERR_ADDRESS_IN_USE);
    assert_int_equal(io_datagram_open(w->loop, &far, on_mail, &a, &second), ERR_ADDRESS_INVALID);
    assert_int_equal(io_datagram_open(w->loop, &none, on_mail, &a, &second), ERR_ADDRESS_INVALID);
    mailbox_close(&a);
}

static void an_ipv6_socket_talks_to_ipv4_under_its_own_name(void **state)
{
    struct world *w = *state;
    struct mailbox six, four;
    struct io_addr any = {.family = IO_IPV6}, any_port = loopback(0);
    struct io_datagram *probe;
    if (io_datagram_open(w->loop, &any, on_mail, NULL, &probe) != ERR_OK)
        skip(); /* a machine without IPv6 */
    io_datagram_close(probe);
    mailbox_open(&six, w, &any);
    mailbox_open(&four, w, &any_port);
    io_datagram_send(six.socket, &four.addr, BYTES("from six"));
    RUN_UNTIL(w->loop, four.count == 1);
    assert_int_equal(four.from.family, IO_IPV4);
    io_datagram_send(four.socket, &four.from, BYTES("back"));
    RUN_UNTIL(w->loop, six.count == 1);
    assert_true(io_addr_equal(&six.from, &four.addr));
    mailbox_close(&six);
    mailbox_close(&four);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_datagram_arrives_with_its_senders_address),
        WORLD_TEST(a_datagram_of_the_full_size_arrives_and_a_longer_one_is_dropped),
        WORLD_TEST(what_cannot_be_sent_is_dropped_and_counted),
        WORLD_TEST(sending_to_a_closed_port_hurts_nobody),
        WORLD_TEST(closing_inside_the_callback_is_the_last_datagram),
        WORLD_TEST(a_taken_port_is_an_address_in_use),
        WORLD_TEST(an_ipv6_socket_talks_to_ipv4_under_its_own_name),
    };
    return cmocka_run_group_tests_name("io_datagram", tests, io_group_setup, NULL);
}
