/* Two attempts of one request: an own engine that takes long and a hedge over the hop. */
#include "tests/unit/node/hop_world.h"

#define HEDGE_AFTER_MS 200
#define CHAT_H                                                                                     \
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-request-id: hedged\r\n"                    \
    "content-length: 27\r\n\r\n{\"model\":\"m\",\"messages\":[]}"

/* The own engine is asked first: it saves the hop. */
enum { PRIMARY, HEDGE };

static int setup_hedging(void **state)
{
    struct world *w = make_world(true);
    *state = w;
    w->edge.hedge_after_ms = HEDGE_AFTER_MS;
    w->on_chat = hold;
    open_nodes(w);
    return 0;
}

static bool is_cancelled(const struct world *w, int chat)
{
    return !w->chat[chat]->stream;
}

static size_t times(struct world *w, const char *text)
{
    struct bytes all = buf_bytes(&w->client.in);
    size_t count = 0, size = strlen(text);
    for (; all.size >= size; all = bytes_skip(all, 1))
        count += memcmp(all.data, text, size) == 0;
    return count;
}

/* Both have been asked, and neither answers. */
static void ask_both(struct world *w)
{
    ask(w, CHAT_H);
    UNTIL(w, w->chats == 2);
    assert_false(is_cancelled(w, PRIMARY));
}

static void assert_metric(struct world *w, struct side *side, const char *line)
{
    ask_at(w, side, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "grapevine_registry_") || got(w, "grapevine_signatures_total"));
    run_for(w, 10 * MS);
    if (!got(w, line))
        fail_msg("no line: %s", line);
}

static void assert_hedges(struct world *w, unsigned won, unsigned lost, unsigned failed)
{
    char line[80];
    snprintf(line, sizeof line, "grapevine_hedges_total{outcome=\"won\"} %u\n", won);
    assert_metric(w, &w->edge, line);
    snprintf(line, sizeof line, "grapevine_hedges_total{outcome=\"lost\"} %u\n", lost);
    assert_metric(w, &w->edge, line);
    snprintf(line, sizeof line, "grapevine_hedges_total{outcome=\"failed\"} %u\n", failed);
    assert_metric(w, &w->edge, line);
}

static void assert_all_places_are_free(struct world *w)
{
    run_for(w, SECOND);
    assert_metric(w, &w->edge, "grapevine_backend_inflight{backend=\"engine\"} 0\n");
    assert_metric(w, &w->edge, "grapevine_backend_queued{backend=\"engine\"} 0\n");
    assert_metric(w, &w->edge, "grapevine_requests_inflight 0\n");
    assert_metric(w, &w->edge, "grapevine_body_buffer_bytes 0\n");
    assert_metric(w, &w->rack, "grapevine_backend_inflight{backend=\"engine\"} 0\n");
    assert_metric(w, &w->rack, "grapevine_requests_inflight 0\n");
}

static void assert_one_answer(struct world *w, const char *node)
{
    UNTIL(w, got(w, "{\"a\":1}\n"));
    run_for(w, SECOND);
    assert_true(got(w, node));
    assert_int_equal(times(w, "HTTP/1.1 "), 1);
    assert_int_equal(times(w, "{\"a\":1}\n"), 1);
}

/* --- who wins */

static void a_hedge_that_answers_first_wins_and_the_primary_is_cancelled(void **state)
{
    struct world *w = *state;
    ask_both(w);
    answer(w->chat[HEDGE]);
    assert_one_answer(w, "grapevine-node: rack");
    assert_true(is_cancelled(w, PRIMARY));
    assert_hedges(w, 1, 0, 0);
    assert_all_places_are_free(w);
}

static void a_primary_that_answers_first_wins_and_the_hedge_is_cancelled_at_its_engine(void **state)
{
    struct world *w = *state;
    ask_both(w);
    answer(w->chat[PRIMARY]);
    assert_one_answer(w, "grapevine-node: edge");
    assert_true(is_cancelled(w, HEDGE));
    assert_hedges(w, 0, 1, 0);
    assert_all_places_are_free(w);
}

static void a_refusal_that_is_an_answer_wins_too(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[HEDGE], "HTTP/1.1 400 Bad Request\r\ncontent-length: 8\r\n\r\n{\"a\":1}\n");
    assert_one_answer(w, "grapevine-node: rack");
    assert_true(is_cancelled(w, PRIMARY));
}

static void the_receipt_names_the_winner_and_counts_both(void **state)
{
    struct world *w = *state;
    ask_both(w);
    answer(w->chat[HEDGE]);
    assert_one_answer(w, "grapevine-node: rack");
    ask_control(w, &w->edge, "GET /mesh/v1/receipts/hedged HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "\"role\":\"executor\""));
    assert_int_equal(times(w, "\"role\":"), 2); /* the edge forwarded, the rack executed */
    assert_int_equal(times(w, "\"role\":\"executor\""), 1);
    assert_true(got(w, "\"attempts\":2"));
    assert_metric(w, &w->edge, "grapevine_receipts_total 1\n");
}

/* Whose clock is wrong, the peer's or ours, is nothing that a client could do anything about. */
static void a_peer_whose_clock_is_wrong_does_not_answer_for_others(void **state)
{
    struct world *w = *state;
    run_for(w, SECOND); /* between two looks at the clock, which end the link */
    sim_host_step_clock(w->sim, "rack", 3600 * 1000);
    ask(w, CHAT_H);
    UNTIL(w, w->chats == 1);
    run_for(w, (HEDGE_AFTER_MS + 100) * MS);
    assert_int_equal(w->chats, 1);
    assert_int_equal(times(w, "HTTP/1.1 "), 0);
    answer(w->chat[PRIMARY]);
    assert_one_answer(w, "grapevine-node: edge");
    assert_hedges(w, 0, 0, 1);
}

/* --- when */

static void what_answers_in_time_is_not_hedged(void **state)
{
    struct world *w = *state;
    ask(w, CHAT_H);
    UNTIL(w, w->chats == 1);
    run_for(w, (HEDGE_AFTER_MS - 50) * MS);
    answer(w->chat[PRIMARY]);
    assert_one_answer(w, "grapevine-node: edge");
    assert_int_equal(w->chats, 1);
}

static void an_answer_that_has_begun_is_not_hedged(void **state)
{
    struct world *w = *state;
    ask(w, CHAT_H);
    UNTIL(w, w->chats == 1);
    say(w->chat[PRIMARY], STREAM_HEAD "b\r\ndata: one\n\n\r\n");
    run_for(w, 20 * HEDGE_AFTER_MS * MS);
    assert_true(got(w, "data: one\n\n"));
    assert_int_equal(w->chats, 1);
    say(w->chat[PRIMARY], STREAM_BODY);
    UNTIL(w, got(w, "[DONE]"));
}

static void without_a_time_there_is_no_hedge(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT_H);
    run_for(w, 20 * SECOND);
    assert_int_equal(w->chats, 1);
    assert_hedges(w, 0, 0, 0);
}

static void with_nobody_else_to_ask_there_is_no_hedge(void **state)
{
    struct world *w = *state;
    w->edge.hedge_after_ms = HEDGE_AFTER_MS;
    w->on_chat = hold;
    open_nodes(w); /* only the rack has an engine */
    ask(w, CHAT_H);
    run_for(w, 20 * HEDGE_AFTER_MS * MS);
    assert_int_equal(w->chats, 1);
    answer(w->chat[PRIMARY]);
    assert_one_answer(w, "grapevine-node: rack");
}

static void a_hedge_that_waits_in_a_queue_leaves_it_when_the_primary_wins(void **state)
{
    struct world *w = *state;
    struct end other = {.w = w};
    struct io_addr addr;
    w->edge.config.backends[0].concurrency = 1;
    w->edge.hedge_after_ms = HEDGE_AFTER_MS;
    w->on_chat = hold;
    open_nodes(w);
    buf_init(&other.in, 1 << 20);
    assert_int_equal(io_addr_parse(bytes_from_str(node_http_addr(w->edge.node)), &addr), ERR_OK);
    assert_int_equal(io_connect(w->edge.loop, &addr, &client_ops, &other, &other.stream), ERR_OK);
    say(&other, CHAT);
    UNTIL(w, w->chats == 2); /* its primary takes the own engine's only place */
    ask(w, CHAT_H);
    UNTIL(w, w->chats == 3);
    run_for(w, 2 * HEDGE_AFTER_MS * MS);
    answer(w->chat[2]);
    assert_one_answer(w, "grapevine-node: rack");
    assert_hedges(w, 0, 1, 0);
    assert_metric(w, &w->edge, "grapevine_backend_queued{backend=\"engine\"} 0\n");
    hang_up(&other);
    buf_fini(&other.in);
    assert_all_places_are_free(w);
    assert_int_equal(w->chats, 3);
}

/* --- who fails */

static void a_hedge_that_fails_leaves_the_primary_alone(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[HEDGE], "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno");
    run_for(w, SECOND);
    assert_false(got(w, "HTTP/1.1 "));
    answer(w->chat[PRIMARY]);
    assert_one_answer(w, "grapevine-node: edge");
    assert_hedges(w, 0, 0, 1);
    assert_all_places_are_free(w);
}

static void a_primary_that_fails_leaves_it_to_the_hedge(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[PRIMARY], "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno");
    run_for(w, SECOND);
    assert_false(got(w, "HTTP/1.1 "));
    assert_int_equal(w->chats, 2);
    answer(w->chat[HEDGE]);
    assert_one_answer(w, "grapevine-node: rack");
    assert_hedges(w, 1, 0, 0);
}

static void when_both_have_failed_there_is_one_error(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[PRIMARY], "no HTTP\r\n\r\n");
    run_for(w, SECOND);
    assert_false(got(w, "HTTP/1.1 "));
    say(w->chat[HEDGE], "no HTTP\r\n\r\n");
    UNTIL(w, got(w, "\"code\":"));
    run_for(w, SECOND);
    assert_int_equal(times(w, "HTTP/1.1 "), 1);
    assert_true(got(w, "HTTP/1.1 502 "));
    assert_hedges(w, 0, 0, 1);
    assert_all_places_are_free(w);
}

static void the_last_failure_of_two_is_passed_on_as_it_is(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[HEDGE], "no HTTP\r\n\r\n");
    run_for(w, SECOND);
    say(w->chat[PRIMARY], "HTTP/1.1 500 No\r\ncontent-length: 8\r\n\r\n{\"a\":1}\n");
    assert_one_answer(w, "HTTP/1.1 500 ");
}

static void say_500(struct end *conn)
{
    say(conn, "HTTP/1.1 500 No\r\ncontent-length: 8\r\n\r\n{\"a\":1}\n");
}

static void make_six_engines(struct config *c)
{
    for (; c->backend_count < 6; c->backend_count++) {
        c->backends[c->backend_count] = c->backends[0];
        snprintf(c->backends[c->backend_count].name, sizeof c->backends[0].name, "engine-%zu",
                 c->backend_count);
    }
}

static void while_nobody_answers_another_is_asked_each_time_as_long(void **state)
{
    struct world *w = *state;
    make_six_engines(&w->edge.config);
    w->edge.hedge_after_ms = HEDGE_AFTER_MS;
    w->on_chat = hold;
    open_nodes(w);
    ask(w, CHAT_H);
    for (int asked = 1; asked <= 4; asked++) {
        UNTIL(w, w->chats == asked);
        run_for(w, HEDGE_AFTER_MS / 2 * MS);
        assert_int_equal(w->chats, asked);
    }
    run_for(w, 20 * HEDGE_AFTER_MS * MS);
    assert_int_equal(w->chats, 4);
    answer(w->chat[2]);
    assert_one_answer(w, "grapevine-node: edge");
    assert_true(is_cancelled(w, 0) && is_cancelled(w, 1) && is_cancelled(w, 3));
    assert_hedges(w, 1, 2, 0);
    assert_all_places_are_free(w);
}

static void after_four_attempts_the_last_failure_is_passed_on(void **state)
{
    struct world *w = *state;
    make_six_engines(&w->edge.config);
    w->on_chat = say_500;
    open_nodes(w);
    ask(w, CHAT_H);
    assert_one_answer(w, "HTTP/1.1 500 ");
    assert_int_equal(w->chats, 4);
}

/* --- who gives up */

static void a_client_that_leaves_ends_both(void **state)
{
    struct world *w = *state;
    ask_both(w);
    hang_up(&w->client);
    UNTIL(w, is_cancelled(w, PRIMARY) && is_cancelled(w, HEDGE));
    assert_hedges(w, 0, 1, 0);
    assert_all_places_are_free(w);
}

static void a_deadline_ends_both(void **state)
{
    struct world *w = *state;
    w->edge.config.limits.request_timeout_ms = 2000;
    w->edge.hedge_after_ms = HEDGE_AFTER_MS;
    w->on_chat = hold;
    open_nodes(w);
    ask_both(w);
    UNTIL(w, got(w, "\"code\":\"deadline\""));
    assert_int_equal(times(w, "HTTP/1.1 "), 1);
    UNTIL(w, is_cancelled(w, PRIMARY) && is_cancelled(w, HEDGE));
    assert_all_places_are_free(w);
}

static void a_node_that_is_closed_ends_both(void **state)
{
    struct world *w = *state;
    ask_both(w);
    node_close(w->edge.node);
    w->edge.node = NULL;
    UNTIL(w, is_cancelled(w, PRIMARY) && is_cancelled(w, HEDGE));
}

static void an_engine_that_goes_down_leaves_it_to_the_hedge(void **state)
{
    struct world *w = *state;
    ask_both(w);
    io_listener_close(w->engines[1]);
    w->engines[1] = NULL;
    for (int i = 0; i < w->accepted; i++)
        if (w->conns[i].stream && &w->conns[i] != w->chat[PRIMARY] &&
            &w->conns[i] != w->chat[HEDGE])
            hang_up(&w->conns[i]); /* pooled: probes have to connect */
    UNTIL(w, is_cancelled(w, PRIMARY));
    answer(w->chat[HEDGE]);
    assert_one_answer(w, "grapevine-node: rack");
}

/* --- event streams */

static void a_stream_that_ends_so_over_a_hop_is_tried_elsewhere(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[HEDGE], STREAM_HEAD);
    run_for(w, SECOND);
    hang_up(w->chat[HEDGE]);
    run_for(w, SECOND);
    assert_false(got(w, "HTTP/1.1 "));
    say(w->chat[PRIMARY], STREAM_HEAD STREAM_BODY);
    UNTIL(w, got(w, "[DONE]"));
    assert_true(got(w, "grapevine-node: edge"));
    assert_int_equal(times(w, "HTTP/1.1 "), 1);
}

static void of_two_streams_the_first_octet_wins(void **state)
{
    struct world *w = *state;
    ask_both(w);
    say(w->chat[PRIMARY], STREAM_HEAD);
    run_for(w, SECOND);
    say(w->chat[HEDGE], STREAM_HEAD STREAM_BODY);
    UNTIL(w, got(w, "[DONE]"));
    assert_true(got(w, "grapevine-node: rack"));
    assert_true(is_cancelled(w, PRIMARY));
    assert_hedges(w, 1, 0, 0);
}

#define HEDGING(test) cmocka_unit_test_setup_teardown(test, setup_hedging, teardown)
#define CLOSED(test) cmocka_unit_test_setup_teardown(test, setup_closed, teardown)
#define CLOSED_TWO(test) cmocka_unit_test_setup_teardown(test, setup_two_closed, teardown)
#define TWO(test) cmocka_unit_test_setup_teardown(test, setup_two_engines, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEDGING(a_hedge_that_answers_first_wins_and_the_primary_is_cancelled),
        HEDGING(a_primary_that_answers_first_wins_and_the_hedge_is_cancelled_at_its_engine),
        HEDGING(a_refusal_that_is_an_answer_wins_too),
        HEDGING(the_receipt_names_the_winner_and_counts_both),
        HEDGING(a_peer_whose_clock_is_wrong_does_not_answer_for_others),
        HEDGING(what_answers_in_time_is_not_hedged),
        HEDGING(an_answer_that_has_begun_is_not_hedged),
        CLOSED_TWO(while_nobody_answers_another_is_asked_each_time_as_long),
        TWO(without_a_time_there_is_no_hedge),
        CLOSED(with_nobody_else_to_ask_there_is_no_hedge),
        CLOSED_TWO(a_hedge_that_waits_in_a_queue_leaves_it_when_the_primary_wins),
        HEDGING(a_hedge_that_fails_leaves_the_primary_alone),
        HEDGING(a_primary_that_fails_leaves_it_to_the_hedge),
        HEDGING(when_both_have_failed_there_is_one_error),
        HEDGING(the_last_failure_of_two_is_passed_on_as_it_is),
        CLOSED_TWO(after_four_attempts_the_last_failure_is_passed_on),
        HEDGING(a_client_that_leaves_ends_both),
        CLOSED_TWO(a_deadline_ends_both),
        HEDGING(a_node_that_is_closed_ends_both),
        HEDGING(an_engine_that_goes_down_leaves_it_to_the_hedge),
        HEDGING(a_stream_that_ends_so_over_a_hop_is_tried_elsewhere),
        HEDGING(of_two_streams_the_first_octet_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
