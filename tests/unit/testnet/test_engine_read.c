/* Clients' JSON as the emulated engine reads it: prefixes, marks, limits, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/engine/core/tokens.h"
#include "testnet/engine/serve/read.h"

static struct ask ask;

static enum err read_as(enum say_kind kind, const char *json)
{
    uint8_t storage[256];
    struct buf message;
    buf_init_fixed(&message, storage, sizeof storage);
    read_ask_fini(&ask);
    return read_ask(kind, bytes_from_str(json), &ask, &message);
}

static int forget(void **state)
{
    read_ask_fini(&ask);
    return 0;
}

static void conversations_share_the_tokens_of_what_they_share(void **state)
{
    uint32_t first[64];
    assert_int_equal(read_as(SAY_CHAT, "{\"messages\":[{\"role\":\"system\",\"content\":\"one two "
                                       "three\"},{\"role\":\"user\",\"content\":\"four\"}]}"),
                     ERR_OK);
    size_t count = ask.token_count;
    memcpy(first, ask.tokens, count * sizeof first[0]);
    assert_int_equal(
        read_as(SAY_CHAT,
                "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\","
                "\"text\":\"one two three\"}]},{\"role\":\"user\",\"content\":\"five\"}]}"),
        ERR_OK);
    assert_int_equal(ask.token_count, count);
    /* start, "system", three words, end, start, "user": the same; then the word differs. */
    assert_memory_equal(first, ask.tokens, 8 * sizeof first[0]);
    assert_true(first[8] != ask.tokens[8]);
}

static void the_last_mark_is_echoed(void **state)
{
    assert_int_equal(read_as(SAY_COMPLETION, "{\"prompt\":\"#0123456789abcdef then "
                                             "#00000000deadbeef and #short\"}"),
                     ERR_OK);
    assert_string_equal(ask.mark, "#00000000deadbeef");
    assert_int_equal(ask.echo_count, 3);
    assert_int_equal(read_as(SAY_COMPLETION, "{\"prompt\":\"#0123456789ABCDEF\"}"), ERR_OK);
    assert_int_equal(ask.echo_count, 0);
}

static void limits_are_read_by_any_of_their_names(void **state)
{
    assert_int_equal(read_as(SAY_CHAT, "{\"messages\":[],\"max_tokens\":5}"), ERR_OK);
    assert_int_equal(ask.output_max, 5);
    assert_int_equal(
        read_as(SAY_CHAT, "{\"messages\":[],\"max_tokens\":5,\"max_completion_tokens\":6}"),
        ERR_OK);
    assert_int_equal(ask.output_max, 6);
    assert_int_equal(read_as(SAY_CHAT, "{\"messages\":[],\"max_tokens\":null}"), ERR_OK);
    assert_int_equal(ask.output_max, -1);
}

static void what_is_no_request_is_refused(void **state)
{
    static const struct {
        enum say_kind kind;
        const char *json;
        enum err expected;
    } cases[] = {
        {SAY_CHAT, "", ERR_INVALID_JSON},
        {SAY_CHAT, "{", ERR_INVALID_JSON},
        {SAY_CHAT, "[]", ERR_INVALID_REQUEST},
        {SAY_CHAT, "{\"messages\":{}}", ERR_INVALID_REQUEST},
        {SAY_CHAT, "{\"messages\":[1]}", ERR_INVALID},
        {SAY_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":3}]}", ERR_INVALID_REQUEST},
        {SAY_CHAT, "{\"messages\":[],\"n\":2}", ERR_INVALID_REQUEST},
        {SAY_COMPLETION, "{}", ERR_INVALID_REQUEST},
        {SAY_COMPLETION, "{\"prompt\":[\"a\",\"b\"]}", ERR_INVALID_REQUEST},
        {SAY_COMPLETION, "{\"prompt\":[-1]}", ERR_INVALID_REQUEST},
        {SAY_EMBEDDING, "{\"input\":[]}", ERR_INVALID_REQUEST},
        {SAY_INFER, "{\"inputs\":[{\"name\":\"a\"}]}", ERR_INVALID_REQUEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(read_as(cases[i].kind, cases[i].json), cases[i].expected);
}

static void each_input_of_an_embedding_has_a_seed_of_its_own(void **state)
{
    assert_int_equal(read_as(SAY_EMBEDDING, "{\"input\":[\"a\",\"b\",\"a\"]}"), ERR_OK);
    assert_int_equal(ask.input_count, 3);
    assert_true(ask.input_seeds[0] == ask.input_seeds[2]);
    assert_true(ask.input_seeds[0] != ask.input_seeds[1]);
}

static void words_of_answers_are_one_token_each(void **state)
{
    for (uint32_t i = 0; i < TOKEN_WORDS; i++) {
        assert_int_equal(tokens_count(tokens_word(i, false)), 1);
        assert_int_equal(tokens_count(tokens_word(i, true)), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(conversations_share_the_tokens_of_what_they_share, forget),
        cmocka_unit_test_teardown(the_last_mark_is_echoed, forget),
        cmocka_unit_test_teardown(limits_are_read_by_any_of_their_names, forget),
        cmocka_unit_test_teardown(what_is_no_request_is_refused, forget),
        cmocka_unit_test_teardown(each_input_of_an_embedding_has_a_seed_of_its_own, forget),
        cmocka_unit_test(words_of_answers_are_one_token_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
