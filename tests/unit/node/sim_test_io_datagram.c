/* Simulated datagrams: order, loss, duplicates, reordering, a full link. The world they travel in
 * is in sim_test_io_world.c. */
#include "tests/unit/node/sim_test_io_pair.h"

#include "node/io/datagram.h"

static void on_noise(void *owner, const struct io_addr *from, struct bytes data)
{
    (void)owner;
    (void)from;
    (void)data;
}

struct box {
    struct io_datagram *socket;
    int count;
    int inversions;
    int last;
    struct io_addr from;
};

static void on_number(void *owner, const struct io_addr *from, struct bytes data)
{
    struct box *box = owner;
    int number;
    assert_int_equal(data.size, sizeof number);
    memcpy(&number, data.data, sizeof number);
    box->count++;
    box->inversions += number < box->last;
    box->last = number;
    box->from = *from;
}

/* 1,000 datagrams from a to b over such a link. */
static void send_numbers(struct pair *w, const struct sim_link *link, struct box *ret_box)
{
    struct io_datagram *a;
    struct io_addr addr;
    *ret_box = (struct box){0};
    sim_link_set(w->world, "a", "b", link);
    sim_host_ip(w->world, "a", &addr);
    addr.port = 1000;
    assert_int_equal(io_datagram_open(w->a, &addr, on_noise, NULL, &a), ERR_OK);
    sim_host_ip(w->world, "b", &addr);
    assert_int_equal(io_datagram_open(w->b, &addr, on_number, ret_box, &ret_box->socket), ERR_OK);
    io_datagram_addr(ret_box->socket, &addr);
    for (int i = 1; i <= 1000; i++) {
        io_datagram_send(a, &addr, bytes_of(&i, sizeof i));
        run_for(w, 100);
    }
    run_for(w, SECOND);
    io_datagram_close(a);
    io_datagram_close(ret_box->socket);
}

static void datagrams_arrive_in_order_on_a_good_link(void **state)
{
    struct pair *w = *state;
    struct sim_link link = {.latency_min_us = 500, .latency_max_us = 500, .jitter_us = 50};
    struct box box;
    char text[IO_ADDR_TEXT_SIZE];
    send_numbers(w, &link, &box);
    assert_int_equal(box.count, 1000);
    assert_int_equal(box.inversions, 0);
    io_addr_to_text(&box.from, text);
    assert_string_equal(text, "10.0.0.1:1000");
}

static void datagrams_are_lost_doubled_and_reordered_on_a_bad_one(void **state)
{
    struct pair *w = *state;
    struct sim_link link = {.latency_min_us = 500, .latency_max_us = 500};
    struct box box;
    link.loss = 0.3;
    send_numbers(w, &link, &box);
    assert_true(box.count > 600 && box.count < 800);
    assert_int_equal(box.inversions, 0);
    link.loss = 0;
    link.duplicate = 0.3;
    send_numbers(w, &link, &box);
    assert_true(box.count > 1200 && box.count < 1400);
    link.duplicate = 0;
    link.reorder = 0.3;
    send_numbers(w, &link, &box);
    assert_int_equal(box.count, 1000);
    assert_true(box.inversions > 100);
}

static void a_full_link_drops_at_the_sender_and_counts(void **state)
{
    struct pair *w = *state;
    struct sim_link link = {.latency_min_us = 1, .latency_max_us = 1, .bytes_per_s = 10000};
    struct io_datagram *a;
    struct io_addr addr;
    uint8_t data[IO_DATAGRAM_SIZE_MAX] = {0};
    sim_link_set(w->world, "a", "b", &link);
    sim_host_ip(w->world, "a", &addr);
    assert_int_equal(io_datagram_open(w->a, &addr, on_noise, NULL, &a), ERR_OK);
    sim_host_ip(w->world, "b", &addr);
    addr.port = 7;
    for (int i = 0; i < 10; i++)
        io_datagram_send(a, &addr, bytes_of(data, sizeof data));
    assert_int_equal(io_datagram_dropped(a), 9);
    io_datagram_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(datagrams_arrive_in_order_on_a_good_link),
        PAIR_TEST(datagrams_are_lost_doubled_and_reordered_on_a_bad_one),
        PAIR_TEST(a_full_link_drops_at_the_sender_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
