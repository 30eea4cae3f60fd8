/* A receipt's JSON from the node (node/trust/receipt_json) to the verdict of `grapevine receipt
 * verify`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/cli/observe/receipt_verify.h"
#include "node/trust/receipt_json.h"
#include "tests/support/trust_fixture.h"

#include <cjson/cJSON.h>

struct texts {
    struct fixture mesh;
    struct fixture_receipts chain;
    struct buf json, report;
};

/* (Re)writes the JSON of the chain as it is now. */
static void write_json(struct texts *t)
{
    buf_clear(&t->json);
    assert_int_equal(receipt_json_append(t->chain.entries, t->chain.count, t->mesh.root.public_key,
                                         &t->chain.nodes[0].mesh, &t->json),
                     ERR_OK);
}

static void texts_init(struct texts *t, size_t hops)
{
    fixture_init(&t->mesh, 1);
    fixture_receipts(&t->mesh, hops, &t->chain);
    buf_init(&t->json, 4 * RECEIPT_JSON_MAX);
    buf_init(&t->report, RECEIPT_VERIFY_REPORT_MAX);
    write_json(t);
}

static void texts_fini(struct texts *t)
{
    buf_fini(&t->json);
    buf_fini(&t->report);
}

static enum err verify_text(struct texts *t, struct bytes json)
{
    buf_clear(&t->report);
    enum err e = receipt_verify_json(json, t->mesh.root.public_key, &t->report);
    assert_true(bytes_starts_with(buf_bytes(&t->report),
                                  e == ERR_OK ? BYTES("valid\n") : BYTES("not valid: ")));
    assert_true(t->report.data[t->report.size - 1] == '\n');
    return e;
}

static enum err verify(struct texts *t)
{
    return verify_text(t, buf_bytes(&t->json));
}

static bool report_has(const struct texts *t, const char *text)
{
    return memmem(t->report.data, t->report.size, text, strlen(text)) != NULL;
}

/* The JSON with the first `from` replaced. */
static void replace(struct texts *t, const char *from, const char *to)
{
    struct buf out;
    const uint8_t *place = memmem(t->json.data, t->json.size, from, strlen(from));
    assert_non_null(place);
    size_t start = (size_t)(place - t->json.data);
    buf_init(&out, t->json.size_max);
    assert_int_equal(buf_append(&out, bytes_of(t->json.data, start)), ERR_OK);
    assert_int_equal(buf_append_str(&out, to), ERR_OK);
    assert_int_equal(buf_append(&out, bytes_skip(buf_bytes(&t->json), start + strlen(from))),
                     ERR_OK);
    buf_fini(&t->json);
    t->json = out;
}

/* --- what the JSON says --- */

static void the_json_has_the_documented_fields(void **state)
{
    static const char *const TOP[] = {"request_id", "mesh", "root", "hops"};
    static const char *const HOP[] = {
        "node",         "name",         "role",          "region",      "hop",
        "model",        "backend",      "reason",        "attempts",    "status",
        "facts_age_ms", "started_ms",   "first_byte_ms", "duration_ms", "request_bytes",
        "answer_bytes", "request_hash", "answer_hash",   "epoch",       "record",
        "signer",       "certificates", "proof"};
    struct texts t;
    texts_init(&t, 2);
    cJSON *json = cJSON_ParseWithLength((const char *)t.json.data, t.json.size);
    assert_non_null(json);
    for (size_t i = 0; i < sizeof(TOP) / sizeof(TOP[0]); i++)
        assert_true(cJSON_HasObjectItem(json, TOP[i]));
    const cJSON *hop = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "hops"), 1);
    for (size_t i = 0; i < sizeof(HOP) / sizeof(HOP[0]); i++)
        assert_true(cJSON_HasObjectItem(hop, HOP[i]));
    assert_int_equal(cJSON_GetArraySize(hop), sizeof(HOP) / sizeof(HOP[0]));
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(hop, "name")), "node-1");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(hop, "role")), "executor");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(hop, "backend")), "llama");
    assert_int_equal((int)cJSON_GetObjectItem(hop, "status")->valuedouble, 200);
    assert_int_equal((long long)cJSON_GetObjectItem(hop, "started_ms")->valuedouble,
                     FIXTURE_NOW_MS + 1);
    cJSON_Delete(json);
    texts_fini(&t);
}

static void a_record_that_does_not_decode_gives_no_json(void **state)
{
    struct texts t;
    texts_init(&t, 2);
    size_t size = t.json.size;
    t.chain.entries[1].record.size--;
    assert_int_equal(receipt_json_append(t.chain.entries, 2, t.mesh.root.public_key,
                                         &t.chain.nodes[0].mesh, &t.json),
                     ERR_INVALID);
    assert_int_equal(t.json.size, size);
    texts_fini(&t);
}

/* --- what verifies --- */

static void receipts_of_one_to_four_hops_are_valid(void **state)
{
    for (size_t hops = 1; hops <= RECEIPT_HOPS_MAX; hops++) {
        struct texts t;
        texts_init(&t, hops);
        assert_int_equal(verify(&t), ERR_OK);
        for (size_t i = 0; i < hops; i++) {
            char name[32];
            snprintf(name, sizeof(name), "node-%zu", i);
            assert_true(report_has(&t, name));
        }
        assert_true(report_has(&t, "executor by llama"));
        assert_true(report_has(&t, "as given"));
        texts_fini(&t);
    }
}

static void a_receipt_from_a_large_batch_is_valid(void **state)
{
    struct texts t;
    struct batch batch;
    texts_init(&t, 1);
    batch_init(&batch, BATCH_RECEIPT);
    uint8_t leaf[CRYPTO_HASH_SIZE] = {0};
    uint32_t index;
    for (int i = 0; i < 200; i++)
        assert_int_equal(batch_add(&batch, leaf, &index), ERR_OK);
    batch_leaf(t.chain.entries[0].record, leaf);
    assert_int_equal(batch_add(&batch, leaf, &index), ERR_OK);
    batch_sign(&batch, t.chain.nodes[0].secret);
    batch_prove(&batch, index, &t.chain.entries[0].proof);
    write_json(&t);
    assert_int_equal(verify(&t), ERR_OK);
    texts_fini(&t);
}

static void texts_that_need_escaping_survive(void **state)
{
    struct texts t;
    texts_init(&t, 1);
    t.chain.receipts[0].model = BYTES("a\"b\\u0000 \xc3\xa9 \xff/");
    fixture_receipts_sign(&t.chain);
    write_json(&t);
    assert_int_equal(verify(&t), ERR_OK);
    texts_fini(&t);
}

static void the_largest_numbers_survive(void **state)
{
    struct texts t;
    texts_init(&t, 1);
    t.chain.receipts[0].answer_bytes = RECEIPT_NUMBER_MAX;
    fixture_receipts_sign(&t.chain);
    write_json(&t);
    assert_int_equal(verify(&t), ERR_OK);
    replace(&t, "4503599627370495", "4503599627370494");
    assert_int_equal(verify(&t), ERR_INVALID);
    texts_fini(&t);
}

static void another_layout_of_the_same_json_is_valid(void **state)
{
    struct texts t;
    texts_init(&t, 3);
    cJSON *json = cJSON_ParseWithLength((const char *)t.json.data, t.json.size);
    char *pretty = cJSON_Print(json);
    assert_int_equal(verify_text(&t, bytes_from_str(pretty)), ERR_OK);
    cJSON_free(pretty);
    cJSON_Delete(json);
    assert_int_equal(buf_append_str(&t.json, " \r\n\t"), ERR_OK);
    assert_int_equal(verify(&t), ERR_OK);
    texts_fini(&t);
}

static void without_a_root_the_report_says_whose_word_it_took(void **state)
{
    struct texts t;
    texts_init(&t, 2);
    assert_int_equal(receipt_verify_json(buf_bytes(&t.json), NULL, &t.report), ERR_OK);
    assert_true(report_has(&t, "valid\n"));
    assert_true(report_has(&t, "taken from the file itself"));
    assert_false(report_has(&t, "as given"));
    texts_fini(&t);
}

/* --- what does not --- */

static void another_root_than_the_given_one_is_refused(void **state)
{
    struct texts t;
    struct fixture other;
    fixture_init(&other, 2);
    texts_init(&t, 2);
    assert_int_equal(receipt_verify_json(buf_bytes(&t.json), other.root.public_key, &t.report),
                     ERR_WRONG_MESH);
    assert_true(report_has(&t, "not valid: it names another root key"));
    texts_fini(&t);
}

static void an_altered_readable_field_is_not_valid(void **state)
{
    static const char *const CHANGES[][2] = {
        {"\"request_id\":\"req-0", "\"request_id\":\"req-1"},
        {"\"name\":\"node-0\"", "\"name\":\"node-9\""},
        {"\"name\":\"node-0\"", "\"name\":\"node-0\\u0000\""},
        {"\"role\":\"executor\"", "\"role\":\"forwarder\""},
        {"\"region\":\"eu-west\"", "\"region\":\"us-east\""},
        {"\"hop\":1", "\"hop\":2"},
        {"\"model\":\"qwen2.5", "\"model\":\"qwen3.5"},
        {"\"backend\":\"llama\"", "\"backend\":\"vllm\""},
        {"\"status\":200", "\"status\":201"},
        {"\"status\":200", "\"status\":\"200\""},
        {"\"duration_ms\":400", "\"duration_ms\":40"},
        {"\"answer_bytes\":2048", "\"answer_bytes\":2047"},
        {"\"started_ms\":1795000000000", "\"started_ms\":1795000000001"},
        {"\"request_hash\":\"aa", "\"request_hash\":\"ab"},
        {"\"epoch\":7", "\"epoch\":8"},
        {"\"epoch\":7,", ""},
        {"\"epoch\":7", "\"epoch\":7,\"note\":\"added\""},
        {"\"hops\":[", "\"note\":1,\"hops\":["},
        {"\"count\":1", "\"count\":1.5"},
        {"\"mesh\":\"", "\"mesh\":\"0"},
    };
    for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
        struct texts t;
        texts_init(&t, 2);
        replace(&t, CHANGES[i][0], CHANGES[i][1]);
        assert_int_equal(verify(&t), ERR_INVALID);
        texts_fini(&t);
    }
}

static void any_altered_byte_of_the_text_is_not_valid(void **state)
{
    struct texts t;
    texts_init(&t, 2);
    for (size_t i = 0; i < t.json.size; i++) {
        uint8_t was = t.json.data[i];
        t.json.data[i] = was == '5' ? '6' : '5';
        assert_int_not_equal(verify(&t), ERR_OK);
        t.json.data[i] = was;
    }
    assert_int_equal(verify(&t), ERR_OK);
    texts_fini(&t);
}

static void a_receipt_cut_anywhere_is_not_valid(void **state)
{
    struct texts t;
    texts_init(&t, 1);
    for (size_t size = 0; size < t.json.size; size++) {
        uint8_t *exact = test_malloc(size ? size : 1);
        memcpy(exact, t.json.data, size);
        assert_int_equal(verify_text(&t, bytes_of(exact, size)), ERR_INVALID);
        test_free(exact);
    }
    texts_fini(&t);
}

static void what_is_no_receipt_is_not_valid(void **state)
{
    static const char *const TEXTS[] = {
        "",
        " ",
        "{}",
        "[]",
        "null",
        "{\"root\":1}",
        "{\"hops\":[]}",
        "\"text\"",
        "{",
        "\\",
        "{\"root\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"hops\":[]}",
        "{\"root\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"hops\":[1,2]}",
        "{\"root\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"hops\":{\"a\":1}}"};
    struct texts t;
    texts_init(&t, 1);
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        assert_int_equal(verify_text(&t, bytes_from_str(TEXTS[i])), ERR_INVALID);
        assert_true(report_has(&t, "it is not a receipt in JSON"));
    }
    assert_int_equal(buf_append_str(&t.json, "x"), ERR_OK);
    assert_int_equal(verify(&t), ERR_INVALID);
    texts_fini(&t);
}

static void hops_in_another_order_or_missing_are_not_valid(void **state)
{
    struct texts t;
    texts_init(&t, 3);
    struct receipt_entry first = t.chain.entries[0];
    t.chain.entries[0] = t.chain.entries[1];
    t.chain.entries[1] = first;
    write_json(&t);
    assert_int_equal(verify(&t), ERR_INVALID);
    t.chain.entries[1] = t.chain.entries[0];
    t.chain.entries[0] = first;
    t.chain.count = 2;
    write_json(&t);
    assert_int_equal(verify(&t), ERR_INVALID);
    texts_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_json_has_the_documented_fields),
        cmocka_unit_test(a_record_that_does_not_decode_gives_no_json),
        cmocka_unit_test(receipts_of_one_to_four_hops_are_valid),
        cmocka_unit_test(a_receipt_from_a_large_batch_is_valid),
        cmocka_unit_test(texts_that_need_escaping_survive),
        cmocka_unit_test(the_largest_numbers_survive),
        cmocka_unit_test(another_layout_of_the_same_json_is_valid),
        cmocka_unit_test(without_a_root_the_report_says_whose_word_it_took),
        cmocka_unit_test(another_root_than_the_given_one_is_refused),
        cmocka_unit_test(an_altered_readable_field_is_not_valid),
        cmocka_unit_test(any_altered_byte_of_the_text_is_not_valid),
        cmocka_unit_test(a_receipt_cut_anywhere_is_not_valid),
        cmocka_unit_test(what_is_no_receipt_is_not_valid),
        cmocka_unit_test(hops_in_another_order_or_missing_are_not_valid),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
