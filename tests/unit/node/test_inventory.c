/* What engines say about themselves: the shapes of llama.cpp, vLLM and OpenAI, and nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/egress/inventory.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct inventory inv;

static int setup(void **state)
{
    arena_init(&arena, 2 << 20);
    memset(&inv, 0, sizeof inv);
    return 0;
}

static int teardown(void **state)
{
    arena_fini(&arena);
    return 0;
}

static enum err parse(const char *text, int64_t slots)
{
    return inventory_parse_models(bytes_from_str(text), slots, BYTES(""), &arena, &inv);
}

static void assert_text(struct bytes got, const char *want)
{
    assert_true(bytes_equal(got, bytes_from_str(want)));
}

static void llama_cpp_is_recognised_with_its_context_and_slots(void **state)
{
    assert_int_equal(parse("{\"object\":\"list\",\"data\":[{\"id\":\"qwen\",\"object\":\"model\","
                           "\"created\":1700000000,\"owned_by\":\"llamacpp\",\"meta\":"
                           "{\"n_ctx_train\":32768,\"n_params\":5}}]}",
                           4),
                     ERR_OK);
    assert_int_equal(inv.count, 1);
    assert_true(inv.is_llamacpp);
    assert_text(inv.models[0].name, "qwen");
    assert_text(inv.models[0].owned_by, "llamacpp");
    assert_int_equal(inv.models[0].created, 1700000000);
    assert_int_equal(inv.models[0].context, 32768);
    assert_int_equal(inv.models[0].slots, 4);
    assert_true(inv.models[0].loaded);
}

static void an_owner_too_long_to_be_passed_on_is_left_out(void **state)
{
    char text[400], owner[FACTS_MODEL_NAME_MAX + 2];
    memset(owner, 'o', sizeof owner - 1);
    owner[sizeof owner - 1] = '\0';
    snprintf(text, sizeof text, "{\"data\":[{\"id\":\"m\",\"owned_by\":\"%s\"}]}", owner);
    assert_int_equal(parse(text, 4), ERR_OK);
    assert_int_equal(inv.count, 1);
    assert_int_equal(inv.models[0].owned_by.size, 0);
}

static void a_running_context_counts_before_the_trained_one(void **state)
{
    assert_int_equal(parse("{\"data\":[{\"id\":\"a\",\"meta\":{\"n_ctx_train\":9,\"n_ctx\":5}},"
                           "{\"id\":\"b\",\"max_model_len\":7,\"meta\":{\"n_ctx\":5}},"
                           "{\"id\":\"c\"}]}",
                           -1),
                     ERR_OK);
    assert_int_equal(inv.models[0].context, 5);
    assert_int_equal(inv.models[1].context, 7);
    assert_int_equal(inv.models[2].context, -1);
    assert_int_equal(inv.models[2].slots, -1);
    assert_false(inv.is_llamacpp);
}

static void aliases_are_models_of_their_own_and_each_name_counts_once(void **state)
{
    assert_int_equal(
        parse("{\"data\":[{\"id\":\"a\",\"aliases\":[\"b\",\"a\",7,\"\"],\"status\":"
              "{\"value\":\"unloaded\"}},{\"id\":\"a\",\"created\":3},{\"id\":\"b\"}]}",
              -1),
        ERR_OK);
    assert_int_equal(inv.count, 2);
    assert_text(inv.models[0].name, "a");
    assert_text(inv.models[1].name, "b");
    assert_int_equal(inv.models[0].created, 0);
    assert_false(inv.models[0].loaded);
    assert_false(inv.models[1].loaded);
}

static void an_empty_list_is_a_list(void **state)
{
    assert_int_equal(parse("{\"data\":[]}", -1), ERR_OK);
    assert_int_equal(inv.count, 0);
}

static void what_is_not_the_openai_shape_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "null",
                                        "{\"data\":{}}",
                                        "{\"data\":null}",
                                        "<html>",
                                        "{\"data\":[",
                                        "{\"error\":{\"message\":\"no\"}}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(parse(texts[i], -1), ERR_PROTOCOL);
        assert_int_equal(inv.count, 0);
        assert_null(inv.models);
    }
}

static void odd_entries_are_left_out_and_odd_numbers_are_not_known(void **state)
{
    assert_int_equal(parse("{\"data\":[7,null,\"x\",{},{\"id\":9},{\"id\":\"\"},{\"id\":[\"a\"]},"
                           "{\"id\":\"ok\",\"created\":-5,\"max_model_len\":1e300,\"meta\":[],"
                           "\"owned_by\":{},\"status\":\"up\",\"aliases\":{\"x\":\"y\"}}]}",
                           -1),
                     ERR_OK);
    assert_int_equal(inv.count, 2); /* cJSON walks an object's members too: "y" */
    assert_text(inv.models[0].name, "ok");
    assert_int_equal(inv.models[0].created, 0);
    assert_int_equal(inv.models[0].context, -1);
    assert_int_equal(inv.models[0].owned_by.size, 0);
}

static void names_beyond_the_bound_are_left_out(void **state)
{
    char text[2 * FACTS_MODEL_NAME_MAX + 100];
    char name[FACTS_MODEL_NAME_MAX + 2];
    for (size_t size = FACTS_MODEL_NAME_MAX; size <= FACTS_MODEL_NAME_MAX + 1; size++) {
        memset(name, 'n', size);
        name[size] = '\0';
        snprintf(text, sizeof text, "{\"data\":[{\"id\":\"%s\"}]}", name);
        assert_int_equal(parse(text, -1), ERR_OK);
        assert_int_equal(inv.count, size <= FACTS_MODEL_NAME_MAX);
    }
}

static void more_models_than_facts_can_carry_are_cut(void **state)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(buf_append_str(&text, "{\"data\":["), ERR_OK);
    for (int i = 0; i < FACTS_MODELS_MAX + 10; i++)
        assert_int_equal(buf_printf(&text, "%s{\"id\":\"m%d\"}", i ? "," : "", i), ERR_OK);
    assert_int_equal(buf_append_str(&text, "]}"), ERR_OK);
    assert_int_equal(inventory_parse_models(buf_bytes(&text), -1, BYTES(""), &arena, &inv), ERR_OK);
    assert_int_equal(inv.count, FACTS_MODELS_MAX);
    buf_fini(&text);
}

static void without_room_in_the_arena_nothing_is_said(void **state)
{
    struct arena small;
    arena_init(&small, 100);
    assert_int_equal(
        inventory_parse_models(BYTES("{\"data\":[{\"id\":\"a\"}]}"), -1, BYTES(""), &small, &inv),
        ERR_PROTOCOL);
    arena_fini(&small);
}

static void slots_are_counted(void **state)
{
    int64_t slots = -7;
    assert_int_equal(inventory_parse_slots(BYTES("[{\"id\":0},{\"id\":1}]"), &slots), ERR_OK);
    assert_int_equal(slots, 2);
    assert_int_equal(inventory_parse_slots(BYTES("[]"), &slots), ERR_OK);
    assert_int_equal(slots, 0);
    slots = -7;
    assert_int_equal(inventory_parse_slots(BYTES("{\"error\":1}"), &slots), ERR_PROTOCOL);
    assert_int_equal(inventory_parse_slots(BYTES(""), &slots), ERR_PROTOCOL);
    assert_int_equal(slots, -7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(llama_cpp_is_recognised_with_its_context_and_slots),
        TEST(a_running_context_counts_before_the_trained_one),
        TEST(aliases_are_models_of_their_own_and_each_name_counts_once),
        TEST(an_empty_list_is_a_list),
        TEST(what_is_not_the_openai_shape_is_refused),
        TEST(odd_entries_are_left_out_and_odd_numbers_are_not_known),
        TEST(names_beyond_the_bound_are_left_out),
        TEST(an_owner_too_long_to_be_passed_on_is_left_out),
        TEST(more_models_than_facts_can_carry_are_cut),
        TEST(without_room_in_the_arena_nothing_is_said),
        TEST(slots_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
