/* The ends of client connections: what a place costs until the socket is gone, who is still let in
 * while a node drains; and answers whose head is more than can be passed on. */
#include "node_fixture.h"

#define CLOSE "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"

/* --- lingering */

static void a_connection_counts_until_its_client_has_ended_too(void **state)
{
    struct world *w = *state;
    w->config.limits.connections = 1;
    start_node(w);
    struct client *lingering = ask(w, 0, CLOSE, "HTTP/1.1 200 ", "ok\n");
    WAIT_OVER(lingering);
    assert_true(lingering->saw_eof);
    struct client *second = connect_client(w, 1);
    send_text(second, LIVEZ);
    WAIT_OVER(second);
    assert_int_equal(second->in.size, 0);
    hang_up(lingering);
    run_for(w->loop, 50);
    ask(w, 2, LIVEZ, "HTTP/1.1 200 ", "ok\n");
}

static void who_never_ends_is_ended(void **state)
{
    struct world *w = *state;
    w->config.limits.connections = 1;
    start_node(w);
    struct client *lingering = ask(w, 0, CLOSE, "HTTP/1.1 200 ", "ok\n");
    WAIT_OVER(lingering);
    run_for(w->loop, 2300);
    ask(w, 1, LIVEZ, "HTTP/1.1 200 ", "ok\n");
}

static void who_ended_first_gives_the_place_back_at_once(void **state)
{
    struct world *w = *state;
    w->config.limits.connections = 1;
    start_node(w);
    for (int i = 0; i < 4; i++) {
        struct client *c = ask(w, i, LIVEZ, "HTTP/1.1 200 ", "ok\n");
        io_stream_finish(c->stream);
        WAIT_OVER(c);
        run_for(w->loop, 50);
    }
}

/* --- draining */

/* All of them are in the kernel's queue: the node has not run since they connected. */
static void who_was_let_in_by_the_kernel_is_served_while_draining(void **state)
{
    struct world *w = *state;
    start_node(w);
    for (int i = 0; i < CLIENTS_MAX; i++)
        send_text(connect_client(w, i), CHAT);
    node_drain(w->node);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        WAIT_FOR(&w->clients[i], "{\"a\":1}\n");
        WAIT_OVER(&w->clients[i]);
    }
    RUN_UNTIL(w->loop, w->is_drained);
}

/* --- heads */

static void answer_with_fields(struct engine_conn *conn, int count)
{
    char text[8000] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n";
    for (int i = 1; i < count; i++)
        snprintf(text + strlen(text), 40, "x-field-%d: %d\r\n", i, i);
    snprintf(text + strlen(text), 8, "\r\n{}");
    engine_say(conn, text);
}

static void at_the_bound(struct engine_conn *conn)
{
    answer_with_fields(conn, 96);
}

static void beyond_the_bound(struct engine_conn *conn)
{
    answer_with_fields(conn, 97);
}

/* The bound is that of a hop, although there is none here: where it is served does not matter. */
static void an_answer_with_more_fields_than_a_hop_carries_is_502(void **state)
{
    struct world *w = *state;
    w->on_chat = at_the_bound;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 200 ", "\r\n\r\n{}");
    assert_true(got(c, "x-field-95: 95\r\n"));
    w->on_chat = beyond_the_bound;
    c = ask(w, 0, CHAT, "HTTP/1.1 502 ", "\"code\":\"backend_failed\"");
    assert_true(got(c, "too many header fields"));
    send_text(c, LIVEZ);
    WAIT_FOR(c, "ok\n");
}

static void say_612(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 612 Odd\r\ncontent-length: 2\r\n\r\n{}");
}

static void a_status_that_http_does_not_know_is_502_and_said(void **state)
{
    struct world *w = *state;
    w->on_chat = say_612;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 502 ", "\"code\":\"backend_failed\"");
    assert_true(got(c, "the status is not between 100 and 599"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(a_connection_counts_until_its_client_has_ended_too),
        NODE_TEST(who_never_ends_is_ended),
        NODE_TEST(who_ended_first_gives_the_place_back_at_once),
        NODE_TEST(who_was_let_in_by_the_kernel_is_served_while_draining),
        NODE_TEST(an_answer_with_more_fields_than_a_hop_carries_is_502),
        NODE_TEST(a_status_that_http_does_not_know_is_502_and_said),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
