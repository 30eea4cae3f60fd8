/* Decisions as they are kept and shown: by request, attempt by attempt, facts under the names that
 * policies use, what is not known left out, nothing of headers. */
#include "lane_fixture.h"

#include <cjson/cJSON.h>

static struct buf out;

static cJSON *shown(struct lane_world *w, const char *id)
{
    buf_clear(&out);
    assert_int_equal(
        decisions_json(&w->lane.decisions, bytes_from_str(id), io_now_ms(w->lane.loop), &out),
        ERR_OK);
    cJSON *json = cJSON_ParseWithLength((const char *)out.data, out.size);
    assert_non_null(json);
    return json;
}

static const char *text_at(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void ask(struct lane_world *w, const char *id)
{
    struct choice c;
    FIXTURE_SET(w->x.request_id, id);
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_OK);
}

static int setup(void **state)
{
    buf_init(&out, DECISIONS_JSON_MAX);
    return lane_setup(state);
}

static int teardown(void **state)
{
    buf_fini(&out);
    return lane_teardown(state);
}

static void a_decision_says_who_was_taken_and_why(void **state)
{
    struct lane_world *w = *state;
    lane_add_backend(w, "m");
    lane_add_peer(w, "m")->draining = true;
    ask(w, "r1");
    cJSON *json = shown(w, "r1");
    const cJSON *d = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "decisions"), 0);
    assert_string_equal(text_at(d, "id"), "r1");
    assert_string_equal(text_at(d, "policy"), "default");
    assert_string_equal(text_at(d, "reason"), "only_candidate");
    const cJSON *looks = cJSON_GetObjectItem(d, "candidates");
    const cJSON *first = cJSON_GetArrayItem(looks, 0), *second = cJSON_GetArrayItem(looks, 1);
    assert_string_equal(text_at(first, "verdict"), "chosen");
    assert_string_equal(text_at(second, "verdict"), "draining");
    const cJSON *facts = cJSON_GetObjectItem(first, "facts");
    assert_string_equal(text_at(facts, "node.name"), "edge-1");
    assert_string_equal(text_at(facts, "link.rtt"), "0s");
    assert_null(cJSON_GetObjectItem(facts, "backend.gpu.load"));
    const cJSON *request = cJSON_GetObjectItem(d, "request");
    assert_string_equal(text_at(request, "request.model"), "m");
    assert_string_equal(text_at(request, "request.region"), "eu-west");
    assert_null(cJSON_GetObjectItem(request, "request.headers"));
    cJSON_Delete(json);
}

static void attempts_stand_in_their_order(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    lane_add_peer(w, "m");
    ask(w, "r1");
    ask(w, "other");
    w->x.attempts[w->x.attempt_count++].choice.candidate = (struct candidate){.backend = b};
    ask(w, "r1");
    cJSON *json = shown(w, "r1");
    const cJSON *list = cJSON_GetObjectItem(json, "decisions");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(list, i), "attempt")->valueint,
                         i + 1);
    cJSON_Delete(json);
    buf_clear(&out);
    assert_int_equal(decisions_json(&w->lane.decisions, BYTES("r2"), io_now_ms(w->lane.loop), &out),
                     ERR_NOT_FOUND);
}

static void the_export_is_a_line_each_newest_first(void **state)
{
    struct lane_world *w = *state;
    lane_add_backend(w, "m");
    ask(w, "r1");
    ask(w, "r2");
    ask(w, "r3");
    decisions_export(&w->lane.decisions, 2, io_now_ms(w->lane.loop), &out);
    struct bytes rest = buf_bytes(&out);
    static const char *const ids[] = {"r3", "r2"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes line = bytes_of(rest.data, bytes_find(rest, '\n'));
        cJSON *json = cJSON_ParseWithLength((const char *)line.data, line.size);
        assert_string_equal(text_at(json, "id"), ids[i]);
        cJSON_Delete(json);
        rest = bytes_skip(rest, line.size + 1);
    }
    assert_int_equal(rest.size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_decision_says_who_was_taken_and_why),
        TEST(attempts_stand_in_their_order),
        TEST(the_export_is_a_line_each_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
