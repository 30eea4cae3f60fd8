/* Reasons as answers: contract.md's statuses, OpenAI's shape of an error, words both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/ingress/answer.h"

#include <cjson/cJSON.h>

static void statuses_are_those_of_the_contract(void **state)
{
    static const struct {
        enum err reason;
        int status;
        bool has_retry_after;
    } rows[] = {
        {ERR_INVALID_REQUEST, 400, false},  {ERR_INVALID_JSON, 400, false},
        {ERR_MISSING_MODEL, 400, false},    {ERR_MODEL_NOT_FOUND, 404, false},
        {ERR_NO_SUCH_PATH, 404, false},     {ERR_METHOD_NOT_ALLOWED, 405, false},
        {ERR_REQUEST_TIMEOUT, 408, false},  {ERR_BODY_TOO_LARGE, 413, false},
        {ERR_URI_TOO_LONG, 414, false},     {ERR_EXPECTATION_FAILED, 417, false},
        {ERR_HEADER_TOO_LARGE, 431, false}, {ERR_OVERLOADED, 429, true},
        {ERR_BACKEND_BUSY, 429, true},      {ERR_BACKEND_FAILED, 502, false},
        {ERR_NO_CANDIDATE, 503, true},      {ERR_DRAINING, 503, true},
        {ERR_STARTING, 503, true},          {ERR_BACKEND_LOADING, 503, true},
        {ERR_DEADLINE, 504, false},         {ERR_VERSION_NOT_SUPPORTED, 505, false},
        {ERR_UNSUPPORTED, 501, false},      {ERR_INTERNAL, 500, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(answer_status(rows[i].reason), rows[i].status);
        assert_int_equal(answer_retry_after_s(rows[i].reason) > 0, rows[i].has_retry_after);
    }
}

static void every_reason_has_an_error_status(void **state)
{
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        int status = answer_status((enum err)e);
        assert_true(status >= 400 && status < 600);
        assert_true(answer_retry_after_s((enum err)e) == 0 || status == 429 || status == 503);
    }
}

static cJSON *error_of(enum err reason, const char *detail, cJSON **ret_root)
{
    struct buf out;
    buf_init(&out, 8192);
    assert_int_equal(answer_error_json(reason, detail, &out), ERR_OK);
    *ret_root = cJSON_ParseWithLength((const char *)out.data, out.size);
    buf_fini(&out);
    cJSON *error = cJSON_GetObjectItemCaseSensitive(*ret_root, "error");
    assert_true(cJSON_IsObject(error));
    return error;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "(none)";
}

static void every_reason_makes_an_openai_shaped_error(void **state)
{
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        cJSON *root;
        const cJSON *error = error_of((enum err)e, NULL, &root);
        assert_string_equal(text_of(error, "message"), err_text((enum err)e));
        assert_string_equal(text_of(error, "code"), err_word((enum err)e));
        assert_string_not_equal(text_of(error, "type"), "(none)");
        assert_non_null(cJSON_GetObjectItemCaseSensitive(error, "param"));
        cJSON_Delete(root);
    }
}

static void details_are_escaped_and_follow_the_reason(void **state)
{
    cJSON *root;
    const cJSON *error = error_of(ERR_MODEL_NOT_FOUND, "'a\"\\\n\x01\xFF'", &root);
    assert_string_equal(text_of(error, "message"),
                        "no node of the mesh serves this model: 'a\"\\\n\x01\xEF\xBF\xBD'");
    assert_string_equal(text_of(error, "param"), "model");
    assert_string_equal(text_of(error, "type"), "not_found_error");
    cJSON_Delete(root);
    error = error_of(ERR_BODY_TOO_LARGE, "", &root);
    assert_string_equal(text_of(error, "message"), err_text(ERR_BODY_TOO_LARGE));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(error, "param")));
    cJSON_Delete(root);
}

static void an_answer_that_does_not_fit_is_an_error(void **state)
{
    struct buf out;
    buf_init(&out, 40);
    assert_int_equal(answer_error_json(ERR_INTERNAL, NULL, &out), ERR_LIMIT);
    buf_fini(&out);
}

static void a_peers_word_becomes_its_reason_again(void **state)
{
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        assert_int_equal(answer_reason_of(bytes_from_str(err_word((enum err)e))), e);
    assert_int_equal(answer_reason_of(BYTES("")), ERR_INTERNAL);
    assert_int_equal(answer_reason_of(BYTES("ok")), ERR_INTERNAL);
    assert_int_equal(answer_reason_of(BYTES("overloaded ")), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_are_those_of_the_contract),
        cmocka_unit_test(every_reason_has_an_error_status),
        cmocka_unit_test(every_reason_makes_an_openai_shaped_error),
        cmocka_unit_test(details_are_escaped_and_follow_the_reason),
        cmocka_unit_test(an_answer_that_does_not_fit_is_an_error),
        cmocka_unit_test(a_peers_word_becomes_its_reason_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
