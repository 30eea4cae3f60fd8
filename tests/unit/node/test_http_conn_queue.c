/* Requests that wait for an engine, through a whole node: who goes first, who gives way, and what
 * those are told. */
#include "node_fixture.h"

#define METRICS "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"

static void hold(struct engine_conn *conn) {}

/* One place, which client 0 has; `queue` more may wait. */
static void start_with_queue(struct world *w, uint32_t queue)
{
    w->config.backends[0].concurrency = 1;
    w->config.limits.queue = queue;
    w->on_chat = hold;
    start_node(w);
    send_text(connect_client(w, 0), CHAT);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
}

static struct client *send_important(struct world *w, int index, const char *priority)
{
    char text[300];
    struct client *c = connect_client(w, index);
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nX-Priority: %s\r\n"
             "x-request-id: client-%d\r\ncontent-length: 27\r\n\r\n" CHAT_BODY,
             priority, index);
    send_text(c, text);
    run_for(w->loop, 30);
    return c;
}

static void assert_metric(struct world *w, const char *line)
{
    struct client *c = ask(w, CLIENTS_MAX - 1, METRICS, "HTTP/1.1 200 ", "grapevine_deployments ");
    run_for(w->loop, 20);
    if (!got(c, line))
        fail_msg("no line: %s", line);
}

static void the_more_important_are_let_in_first(void **state)
{
    struct world *w = *state;
    static const char *const priorities[] = {"", "0", "-3", "2", "junk"};
    static const int order[] = {3, 1, 4, 2};
    start_with_queue(w, 8);
    for (int i = 1; i <= 4; i++)
        send_important(w, i, priorities[i]);
    assert_int_equal(w->engine_chats, 1);
    assert_metric(w, "grapevine_queue_waiting{backend=\"engine\",priority=\"2\"} 1\n");
    assert_metric(w, "grapevine_queue_waiting{backend=\"engine\",priority=\"0\"} 2\n");
    assert_metric(w, "grapevine_queue_waiting{backend=\"engine\",priority=\"-3\"} 1\n");
    for (int i = 0; i < 4; i++) {
        char id[20];
        snprintf(id, sizeof id, "client-%d", order[i]);
        engine_answer(w->asked[i]);
        RUN_UNTIL(w->loop, w->engine_chats == i + 2);
        assert_non_null(strstr(w->chat, id));
    }
    engine_answer(w->asked[4]);
    WAIT_FOR(&w->clients[2], "{\"a\":1}\n");
    assert_metric(w, "grapevine_queue_admitted_total{backend=\"engine\",priority=\"2\"} 1\n");
    assert_metric(w, "grapevine_queue_admitted_total{backend=\"engine\",priority=\"0\"} 2\n");
    assert_metric(w, "grapevine_queue_waiting{backend=\"engine\",priority=\"0\"} 0\n");
}

static void in_a_full_queue_the_less_important_gives_way(void **state)
{
    struct world *w = *state;
    start_with_queue(w, 2);
    send_important(w, 1, "0");
    struct client *low = send_important(w, 2, "-1");
    assert_false(got(low, "HTTP/1.1 "));
    struct client *high = send_important(w, 3, "1");
    WAIT_FOR(low, "\"overloaded\"");
    assert_true(got(low, "HTTP/1.1 429 "));
    assert_true(got(low, "retry-after: "));
    struct client *late = send_important(w, 4, "0"); /* no more important than who waits */
    WAIT_FOR(late, "\"overloaded\"");
    assert_metric(w, "grapevine_queue_shed_total{backend=\"engine\",priority=\"-1\","
                     "reason=\"displaced\"} 1\n");
    assert_metric(w, "grapevine_queue_shed_total{backend=\"engine\",priority=\"0\","
                     "reason=\"full\"} 1\n");
    for (int i = 0; i < 3; i++) {
        engine_answer(w->asked[i]);
        RUN_UNTIL(w->loop, w->engine_chats == (i < 2 ? i + 2 : 3));
    }
    WAIT_FOR(high, "{\"a\":1}\n");
    WAIT_FOR(&w->clients[1], "{\"a\":1}\n");
}

/* Places were given 0.6 s apart, and four wait. */
static void who_has_to_go_is_told_when_to_come_again(void **state)
{
    struct world *w = *state;
    start_with_queue(w, 4);
    for (int i = 0; i < 6; i++) {
        send_important(w, 1 + i % 4, "0");
        run_for(w->loop, 600);
        engine_answer(w->asked[i]);
        RUN_UNTIL(w->loop, w->engine_chats == i + 2);
    }
    static const int waiting[] = {0, 1, 3, 4}; /* client 2 has the place */
    for (int i = 0; i < 4; i++)
        send_important(w, waiting[i], "0");
    struct client *refused = send_important(w, 5, "0");
    struct client *important = send_important(w, 6, "3");
    WAIT_FOR(refused, "\"overloaded\"");
    WAIT_FOR(&w->clients[4], "\"overloaded\""); /* the newest of those that waited */
    assert_false(got(important, "HTTP/1.1 "));
    bytes_to_str(buf_bytes(&refused->in), w->chat, sizeof w->chat);
    const char *field = strstr(w->chat, "retry-after: ");
    assert_non_null(field);
    unsigned long seconds = strtoul(field + 13, NULL, 10);
    assert_true(seconds >= 3 && seconds <= 20); /* 3 on a machine that never stalls */
    assert_metric(w, "grapevine_breakers_open 1\n");
    run_for(w->loop, 1200); /* others are let in sooner: it is avoided for a second only */
    assert_metric(w, "grapevine_breakers_open 0\n");
}

static void the_deadline_holds_while_a_request_waits(void **state)
{
    struct world *w = *state;
    w->config.limits.request_timeout_ms = 400;
    start_with_queue(w, 4);
    run_for(w->loop, 200);
    struct client *c = send_important(w, 1, "0");
    WAIT_FOR(c, "\"deadline\"");
    assert_true(got(c, "HTTP/1.1 504 "));
    assert_metric(w, "grapevine_queue_waiting{backend=\"engine\",priority=\"0\"} 0\n");
    assert_int_equal(w->engine_chats, 2); /* client 0's deadline gave it the place */
}

/* Whoever was told to go has gone: what ends in the same turn finds it in neither place. */
static void the_engine_dies_behind_a_full_queue(void **state)
{
    struct world *w = *state;
    start_with_queue(w, 2);
    for (int i = 1; i < 7; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nX-Priority: %d\r\n"
                 "content-length: 27\r\n\r\n" CHAT_BODY,
                 i % 4);
        send_text(connect_client(w, i), text);
    }
    io_listener_close(w->listener);
    w->listener = NULL;
    for (int i = 0; i < w->engine_accepted; i++)
        engine_hang_up(&w->engine[i]);
    for (int i = 0; i < 7; i++) {
        WAIT_FOR(&w->clients[i], "\r\n\r\n");
        assert_false(got(&w->clients[i], "HTTP/1.1 200 "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(the_more_important_are_let_in_first),
        NODE_TEST(in_a_full_queue_the_less_important_gives_way),
        NODE_TEST(who_has_to_go_is_told_when_to_come_again),
        NODE_TEST(the_deadline_holds_while_a_request_waits),
        NODE_TEST(the_engine_dies_behind_a_full_queue),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
