/* Event streams that have a head and no octet yet: nothing of them has reached the client. */
#include "tests/unit/node/hop_world.h"

static void a_stream_that_ends_before_its_first_octet_is_tried_elsewhere(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    say(w->chat[0], STREAM_HEAD);
    run_for(w, SECOND);
    assert_false(got(w, "HTTP/1.1 "));
    hang_up(w->chat[0]);
    UNTIL(w, w->chats == 2);
    say(w->chat[1], STREAM_HEAD STREAM_BODY);
    UNTIL(w, got(w, "[DONE]"));
    assert_true(got(w, "HTTP/1.1 200 "));
    assert_true(got(w, "content-type: text/event-stream"));
    assert_true(got(w, "grapevine-node: rack"));
}

static void a_stream_without_an_octet_is_passed_on_at_its_end(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    say(w->chat[0], STREAM_HEAD "0\r\n\r\n");
    UNTIL(w, got(w, "\r\n0\r\n\r\n"));
    assert_true(got(w, "HTTP/1.1 200 "));
    assert_int_equal(w->chats, 1);
}

static void a_head_that_is_held_ends_with_the_deadline(void **state)
{
    struct world *w = *state;
    w->edge.config.limits.request_timeout_ms = 2000;
    w->on_chat = hold;
    open_nodes(w);
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    say(w->chat[0], STREAM_HEAD);
    UNTIL(w, got(w, "\"code\":\"deadline\""));
    assert_true(got(w, "HTTP/1.1 504 "));
}

static void a_head_too_large_to_hold_is_passed_on_at_once(void **state)
{
    struct world *w = *state;
    char head[9000];
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-pad: %0*d\r\n\r\n", 8500, 1);
    say(w->chat[0], head);
    UNTIL(w, got(w, "HTTP/1.1 200 "));
}

#define CLOSED_TWO(test) cmocka_unit_test_setup_teardown(test, setup_two_closed, teardown)
#define TWO(test) cmocka_unit_test_setup_teardown(test, setup_two_engines, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO(a_stream_that_ends_before_its_first_octet_is_tried_elsewhere),
        TWO(a_stream_without_an_octet_is_passed_on_at_its_end),
        CLOSED_TWO(a_head_that_is_held_ends_with_the_deadline),
        TWO(a_head_too_large_to_hold_is_passed_on_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
