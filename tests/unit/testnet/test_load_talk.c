/* What the load generator says, and how it reads event streams: conversations, prefixes, marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/load/core/sse.h"
#include "testnet/load/core/talk.h"

static struct talk talk;
static struct buf body;
static const struct plan_arrival plain = {.at_us = 0};

static int open_talk(void **state)
{
    buf_init(&body, TALK_BODY_MAX);
    return 0;
}

static int close_talk(void **state)
{
    talk_fini(&talk);
    buf_fini(&body);
    return 0;
}

static struct talk_cfg usual(uint32_t turns, uint32_t groups)
{
    return (struct talk_cfg){.models = {"m"},
                             .model_count = 1,
                             .turns = turns,
                             .waiting_max = 100,
                             .groups = groups,
                             .shared_tokens = 50,
                             .prompt_tokens = 10,
                             .output_tokens = 10,
                             .tenant_count = 3,
                             .seed = 1};
}

static struct talk_turn *ask(void)
{
    struct talk_turn *turn;
    buf_clear(&body);
    assert_int_equal(talk_ask(&talk, &plain, &turn, &body), ERR_OK);
    return turn;
}

static bool body_has(const char *text)
{
    return memmem(body.data, body.size, text, strlen(text)) != NULL;
}

static void each_question_has_a_mark_of_its_own(void **state)
{
    struct talk_cfg cfg = usual(1, 0);
    char last[TALK_MARK_SIZE + 1] = "";
    talk_init(&talk, &cfg);
    for (int i = 0; i < 100; i++) {
        struct talk_turn *turn = ask();
        assert_true(body_has(turn->mark));
        assert_string_not_equal(turn->mark, last);
        memcpy(last, turn->mark, sizeof last);
        talk_answer(&talk, turn, true, BYTES("yes"));
    }
    assert_true(talk.waiting_count == 0);
}

static void a_second_turn_carries_question_and_answer_of_the_first(void **state)
{
    struct talk_cfg cfg = usual(2, 0);
    char mark[TALK_MARK_SIZE + 1];
    cfg.turns = 1000;    /* so that hardly one ends at its first answer, */
    cfg.waiting_max = 1; /* and the next question must go on with it */
    talk_init(&talk, &cfg);
    struct talk_turn *turn = ask();
    memcpy(mark, turn->mark, sizeof mark);
    talk_answer(&talk, turn, true, BYTES("an \"answer\"\n"));
    struct talk_turn *second = ask();
    assert_ptr_equal(second, turn);
    assert_true(body_has(mark));
    assert_true(body_has("{\"role\":\"assistant\",\"content\":\"an \\\"answer\\\"\\n\"}"));
    talk_answer(&talk, second, true, BYTES("x"));
}

static void a_question_without_an_answer_is_forgotten(void **state)
{
    struct talk_cfg cfg = usual(2, 0);
    char mark[TALK_MARK_SIZE + 1];
    cfg.waiting_max = 1;
    talk_init(&talk, &cfg);
    struct talk_turn *turn = ask();
    memcpy(mark, turn->mark, sizeof mark);
    talk_answer(&talk, turn, false, BYTES(""));
    turn = ask();
    assert_false(body_has(mark));
    talk_answer(&talk, turn, true, BYTES("x"));
}

static void conversations_of_a_group_begin_alike_and_others_do_not(void **state)
{
    struct talk_cfg cfg = usual(1, 2);
    struct bytes first[2] = {{0}};
    struct buf kept[2];
    talk_init(&talk, &cfg);
    buf_init(&kept[0], 100000);
    buf_init(&kept[1], 100000);
    for (int i = 0; i < 50; i++) {
        struct talk_turn *turn = ask();
        struct bytes shared = bytes_of(turn->messages.data, turn->size_before);
        uint32_t group = turn->group;
        if (!first[group].data) {
            assert_int_equal(buf_append(&kept[group], shared), ERR_OK);
            first[group] = buf_bytes(&kept[group]);
        }
        assert_true(bytes_equal(shared, first[group]));
        talk_answer(&talk, turn, true, BYTES(""));
    }
    assert_false(bytes_equal(first[0], first[1]));
    buf_fini(&kept[0]);
    buf_fini(&kept[1]);
}

static void conversations_are_as_long_as_asked_on_average(void **state)
{
    struct talk_cfg cfg = usual(4, 0);
    cfg.waiting_max = 1000;
    talk_init(&talk, &cfg);
    for (int i = 0; i < 20000; i++) {
        struct talk_turn *turn = ask();
        talk_answer(&talk, turn, true, BYTES("a"));
    }
    assert_in_range(talk.conversation_count, 4500, 6000);
}

static void lengths_of_a_trace_are_kept(void **state)
{
    struct talk_cfg cfg = usual(1, 0);
    struct plan_arrival a = {.prompt_tokens = 3, .output_tokens = 77};
    struct talk_turn *turn;
    talk_init(&talk, &cfg);
    assert_int_equal(talk_ask(&talk, &a, &turn, &body), ERR_OK);
    assert_true(body_has("\"max_tokens\":77,"));
    talk_answer(&talk, turn, true, BYTES("a"));
}

/* --- event streams */

static struct buf seen;

static void keep(void *owner, struct bytes data)
{
    assert_int_equal(buf_append(&seen, data), ERR_OK);
    assert_int_equal(buf_append_byte(&seen, '|'), ERR_OK);
}

static void events_are_the_same_however_they_are_cut(void **state)
{
    static const char stream[] = ": ping\n\nevent: x\r\ndata: {\"a\":1}\r\n\r\ndata:two\n\n"
                                 "id: 3\ndata: [DONE]\n\n";
    struct sse sse;
    for (size_t cut = 0, size = sizeof stream - 1; cut <= size; cut++) {
        buf_init(&seen, 1000);
        sse_init(&sse, keep, NULL);
        assert_int_equal(sse_feed(&sse, bytes_of(stream, cut)), ERR_OK);
        assert_int_equal(sse_feed(&sse, bytes_of(stream + cut, size - cut)), ERR_OK);
        assert_true(bytes_equal(buf_bytes(&seen), BYTES("{\"a\":1}|two|[DONE]|")));
        sse_fini(&sse);
        buf_fini(&seen);
    }
}

static void a_line_without_an_end_is_refused(void **state)
{
    static char flood[SSE_LINE_MAX / 2 + 1];
    struct sse sse;
    memset(flood, 'x', sizeof flood);
    sse_init(&sse, keep, NULL);
    assert_int_equal(sse_feed(&sse, bytes_of(flood, sizeof flood)), ERR_OK);
    assert_int_equal(sse_feed(&sse, bytes_of(flood, sizeof flood)), ERR_LIMIT);
    sse_fini(&sse);
}

#define TALK_TEST(f) cmocka_unit_test_setup_teardown(f, open_talk, close_talk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALK_TEST(each_question_has_a_mark_of_its_own),
        TALK_TEST(a_second_turn_carries_question_and_answer_of_the_first),
        TALK_TEST(a_question_without_an_answer_is_forgotten),
        TALK_TEST(conversations_of_a_group_begin_alike_and_others_do_not),
        TALK_TEST(conversations_are_as_long_as_asked_on_average),
        TALK_TEST(lengths_of_a_trace_are_kept),
        cmocka_unit_test(events_are_the_same_however_they_are_cut),
        cmocka_unit_test(a_line_without_an_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
