/* The scanner against a strict reader and against cJSON on random texts, valid and broken.
 *
 * usage: test_scan_property [--cases N] [--seed N]      (by hand: --cases 2000000)
 *
 * Where the scanner is deliberately stricter than cJSON, which is lenient: control characters in
 * strings, other white space than the four (and byte order marks), numbers outside RFC 8259, \u
 * without four hex digits; a key that decides routing given twice, in whatever case; nesting beyond
 * SCAN_DEPTH_MAX; a model's name beyond SCAN_MODEL_MAX. Where cJSON is stricter: lone surrogates
 * (U+FFFD here) and numbers of more than 63 characters. Everywhere else the two agree, on validity
 * and on values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/json_case.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t case_count = 30000;
static uint64_t seed = 1;

struct tally {
    uint64_t accepted, missing_model, refused, stricter[JSON_FLAW_OTHER + 1], lenient;
};

/* One value and white space of JSON's own after it. */
static cJSON *parse(struct bytes text)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts((const char *)text.data, text.size, &end, 0);
    const char *stop = (const char *)text.data + text.size;
    while (root && end < stop && *end && strchr(" \t\r\n", *end))
        end++;
    if (root && end == stop)
        return root;
    cJSON_Delete(root);
    return NULL;
}

static void agree_on_values(const cJSON *root, const struct json_truth *truth)
{
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model");
    const cJSON *stream = cJSON_GetObjectItemCaseSensitive(root, "stream");
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(root, "max_tokens");
    CHECK(cJSON_IsString(model) == (truth->kind[JSON_MODEL] == SCAN_STRING));
    if (cJSON_IsString(model))
        CHECK(bytes_equal(bytes_from_str(model->valuestring),
                          bytes_of(truth->model, truth->model_size)));
    CHECK(cJSON_IsTrue(stream) == (truth->kind[JSON_STREAM] == SCAN_TRUE));
    CHECK(cJSON_IsFalse(stream) == (truth->kind[JSON_STREAM] == SCAN_FALSE));
    if (truth->kind[JSON_MAX_TOKENS] == SCAN_NUMBER)
        CHECK(cJSON_IsNumber(limit) && limit->valuedouble == truth->number[JSON_MAX_TOKENS]);
}

static void compare_with_cjson(struct bytes text, const struct json_truth *truth, enum err e,
                               struct tally *tally)
{
    cJSON *root = parse(text);
    if (e == ERR_OK || e == ERR_MISSING_MODEL) {
        tally->lenient += root == NULL;
        CHECK(root || truth->has_lone_surrogate || truth->has_long_number);
        if (root && !truth->has_nul) /* a C string ends at one */
            agree_on_values(root, truth);
    } else if (root && truth->flaw != JSON_FINE) {
        CHECK(truth->flaw != JSON_FLAW_OTHER);
        tally->stricter[truth->flaw]++;
    }
    cJSON_Delete(root);
}

/* The text gets an allocation of its own size, so that the sanitizer sees overruns. */
static void one_case(struct rng *rng, const struct buf *text, struct tally *tally)
{
    static struct json_truth truth;
    uint8_t *copy = malloc(text->size ? text->size : 1);
    assert_non_null(copy);
    if (text->size)
        memcpy(copy, text->data, text->size);
    struct bytes exact = bytes_of(copy, text->size);
    json_case_read(exact, &truth);
    enum err e = json_case_check(rng, exact, &truth);
    compare_with_cjson(exact, &truth, e, tally);
    tally->accepted += e == ERR_OK;
    tally->missing_model += e == ERR_MISSING_MODEL;
    tally->refused += e != ERR_OK && e != ERR_MISSING_MODEL;
    free(copy);
}

static void print_tally(const struct tally *t)
{
    printf("%llu accepted, %llu without a model, %llu refused; stricter than cJSON: %llu control "
           "characters, %llu blanks, %llu numbers, %llu hex; cJSON stricter: %llu\n",
           (unsigned long long)t->accepted, (unsigned long long)t->missing_model,
           (unsigned long long)t->refused, (unsigned long long)t->stricter[JSON_FLAW_CONTROL],
           (unsigned long long)t->stricter[JSON_FLAW_BLANK],
           (unsigned long long)t->stricter[JSON_FLAW_NUMBER],
           (unsigned long long)t->stricter[JSON_FLAW_HEX], (unsigned long long)t->lenient);
}

static void the_scan_agrees_with_a_strict_reader_and_with_cjson(void **state)
{
    struct tally tally = {0};
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    printf("seed %llu, %llu cases; again: --seed %llu --cases %llu\n", (unsigned long long)seed,
           (unsigned long long)case_count, (unsigned long long)seed,
           (unsigned long long)case_count);
    fflush(stdout);
    for (uint64_t i = 0; i < case_count; i++) {
        struct rng rng;
        rng_init(&rng, seed * 1000000007u + i); /* each case stands alone */
        buf_clear(&text);
        json_case_generate(&rng, &text);
        if (rng_below(&rng, 2))
            json_case_mutate(&rng, &text);
        one_case(&rng, &text, &tally);
    }
    print_tally(&tally);
    assert_true(tally.accepted > case_count / 10);
    assert_true(tally.refused > case_count / 10);
    buf_fini(&text);
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cases") == 0)
            case_count = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scan_agrees_with_a_strict_reader_and_with_cjson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
