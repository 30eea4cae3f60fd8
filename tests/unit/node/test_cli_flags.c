/* Command-line flags, tables for people, and exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node/cli/flags.h"
#include "node/cli/say.h"
#include "node/cli/table.h"
#include "tests/unit/node/said.h"

static const struct flag table[] = {
    {"--dir", "D", "", false},   {"--set", "KEY=VALUE", "", true}, {"--dev", NULL, "", false},
    {"-o", "FORMAT", "", false}, {NULL, NULL, NULL, false},
};

#define PARSE(f, message, ...)                                                                     \
    flags_parse((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                     \
                (char *const *)(const char *[]){__VA_ARGS__}, table, f, message)

struct fixture {
    struct flags flags;
    struct said said;
};

static int setup(void **state)
{
    static struct fixture f;
    said_init(&f.said);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    said_fini(&f->said);
    return 0;
}

static void values_may_stand_apart_or_after_an_equals_sign(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dir", "a b", "-o", "json"), ERR_OK);
    assert_string_equal(flags_get(&f->flags, "--dir"), "a b");
    assert_string_equal(flags_get(&f->flags, "-o"), "json");
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dir=", "--set=k=v"), ERR_OK);
    assert_string_equal(flags_get(&f->flags, "--dir"), "");
    assert_string_equal(flags_get(&f->flags, "--set"), "k=v");
    assert_null(flags_get(&f->flags, "-o"));
}

static void repeated_flags_keep_their_order(void **state)
{
    struct fixture *f = *state;
    size_t cursor = 0;
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--set", "a", "--dev", "--set", "b"),
                     ERR_OK);
    assert_string_equal(flags_next(&f->flags, "--set", &cursor), "a");
    assert_string_equal(flags_next(&f->flags, "--set", &cursor), "b");
    assert_null(flags_next(&f->flags, "--set", &cursor));
    assert_true(flags_has(&f->flags, "--dev"));
}

static void a_dash_is_a_word_and_two_dashes_end_the_flags(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(PARSE(&f->flags, &f->said.message, "-", "--", "--dev", "x"), ERR_OK);
    assert_int_equal(f->flags.word_count, 3);
    assert_string_equal(f->flags.words[0], "-");
    assert_string_equal(f->flags.words[1], "--dev");
    assert_false(flags_has(&f->flags, "--dev"));
}

static void a_value_may_look_like_a_flag(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dir", "--dev"), ERR_OK);
    assert_string_equal(flags_get(&f->flags, "--dir"), "--dev");
}

static void wrong_flags_are_refused_with_the_reason(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dri", "x"), ERR_USAGE);
    assert_string_equal(said_take(&f->said), "unknown flag: --dri: did you mean --dir?");
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--colour"), ERR_USAGE);
    assert_string_equal(said_take(&f->said), "unknown flag: --colour: see --help");
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dir"), ERR_USAGE);
    assert_string_equal(said_take(&f->said), "value missing: --dir: see --help");
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dir=a", "--dir=b"), ERR_USAGE);
    assert_string_equal(said_take(&f->said), "flag given twice: --dir: give it once");
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dev=1"), ERR_USAGE);
    assert_string_equal(said_take(&f->said),
                        "flag takes no value: --dev: leave out what follows =");
}

static void a_key_that_begins_with_a_dash_is_a_word(void **state)
{
    struct fixture *f = *state;
    const char *key = "-6iqvmGcCyXQ9hYaJkKd-xDWrr4PhWFRTQir3ve6oNw";
    assert_int_equal(PARSE(&f->flags, &f->said.message, "reader", key, "--dev"), ERR_OK);
    assert_int_equal(f->flags.word_count, 2);
    assert_string_equal(f->flags.words[1], key);
    assert_int_equal(PARSE(&f->flags, &f->said.message, "--dir=a", key + 1), ERR_OK);
    assert_int_equal(
        PARSE(&f->flags, &f->said.message, "-6iqvmGcCyXQ9hYaJkKd-xDWrr4PhWFRTQir3ve6oN"),
        ERR_USAGE);
    said_take(&f->said);
}

static void words_and_flags_are_bounded(void **state)
{
    struct fixture *f = *state;
    static char *many[2 * FLAGS_GIVEN_MAX + 2];
    assert_int_equal(PARSE(&f->flags, &f->said.message, "1", "2", "3", "4", "5", "6", "7", "8"),
                     ERR_OK);
    assert_int_equal(
        PARSE(&f->flags, &f->said.message, "1", "2", "3", "4", "5", "6", "7", "8", "9"), ERR_USAGE);
    said_take(&f->said);
    for (size_t i = 0; i < FLAGS_GIVEN_MAX + 1; i++)
        many[i] = (char *)"--set=a";
    assert_int_equal(flags_parse(FLAGS_GIVEN_MAX, many, table, &f->flags, &f->said.message),
                     ERR_OK);
    assert_int_equal(flags_parse(FLAGS_GIVEN_MAX + 1, many, table, &f->flags, &f->said.message),
                     ERR_USAGE);
}

static void errors_end_with_the_statuses_of_the_contract(void **state)
{
    assert_int_equal(say_exit_of(ERR_OK), 0);
    assert_int_equal(say_exit_of(ERR_IO), 1);
    assert_int_equal(say_exit_of(ERR_ADDRESS_IN_USE), 1);
    assert_int_equal(say_exit_of(ERR_USAGE), 2);
    assert_int_equal(say_exit_of(ERR_CERT_EXPIRED), 3);
    assert_int_equal(say_exit_of(ERR_WRONG_MESH), 3);
    assert_int_equal(say_exit_of(ERR_BAD_SIGNATURE), 3);
    assert_int_equal(say_exit_of(ERR_TIMEOUT), 4);
    assert_int_equal(say_exit_of(ERR_REFUSED), 4);
}

static void columns_are_aligned_and_made_printable(void **state)
{
    static const char *const headers[] = {"NAME", "X", NULL};
    struct table t;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_init(&t, headers);
    table_add(&t, "caf\xc3\xa9-long");
    table_add(&t, "1");
    table_add(&t, "\x1b[2J");
    table_add(&t, NULL);
    table_print(&t, out);
    fclose(out);
    assert_string_equal(text, "NAME       X\ncaf\xc3\xa9-long  1\n?[2J       -\n");
    table_fini(&t);
    free(text);
}

static void ages_are_readable(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0ms"},      {999, "999ms"},         {4250, "4.2s"},         {59999, "59.9s"},
                {720000, "12m"}, {3600000 * 3ull, "3h"}, {86400000 * 5ull, "5d"}};
    char text[24];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        table_age(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_may_stand_apart_or_after_an_equals_sign, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(repeated_flags_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dash_is_a_word_and_two_dashes_end_the_flags, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_value_may_look_like_a_flag, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_flags_are_refused_with_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_begins_with_a_dash_is_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(words_and_flags_are_bounded, setup, teardown),
        cmocka_unit_test(errors_end_with_the_statuses_of_the_contract),
        cmocka_unit_test(columns_are_aligned_and_made_printable),
        cmocka_unit_test(ages_are_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
