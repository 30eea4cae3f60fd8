/* What the configuration says for routing to weigh: a node's labels, whether it may be taken away,
 * and what its engines compute on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "node/config/config.h"

static enum err parse(const char *yaml, struct config *config, char *text, size_t size)
{
    struct buf message;
    buf_init(&message, 4096);
    enum err e = config_parse(bytes_from_str(yaml), "f.yaml", config, &message);
    bytes_to_str(buf_bytes(&message), text, size);
    buf_fini(&message);
    return e;
}

static void expect(const char *yaml, struct config *ret_config)
{
    char text[1024];
    enum err e = parse(yaml, ret_config, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(e, ERR_OK);
}

static void expect_refusal(const char *yaml, const char *message)
{
    static struct config config;
    char text[1024];
    assert_int_equal(parse(yaml, &config, text, sizeof(text)), ERR_INVALID);
    assert_string_equal(text, message);
}

static void without_labels_a_node_has_none_and_stays(void **state)
{
    static struct config config;
    expect("node: {name: n}", &config);
    assert_int_equal(config.label_count, 0);
    assert_false(config.spot);
    expect("node:\n  name: n\n  labels:\n  spot: true\n", &config);
    assert_int_equal(config.label_count, 0);
    assert_true(config.spot);
}

static void labels_are_texts_whatever_they_look_like(void **state)
{
    static struct config config;
    expect("node: {labels: {site: shop-14, cameras: 4, on: true, note: \"a, b\", empty: , "
           "acme.io/Class_1: ''}}",
           &config);
    const char *const pairs[][2] = {{"site", "shop-14"}, {"cameras", "4"}, {"on", "true"},
                                    {"note", "a, b"},    {"empty", ""},    {"acme.io/Class_1", ""}};
    assert_int_equal(config.label_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(config.labels[i].key, pairs[i][0]);
        assert_string_equal(config.labels[i].value, pairs[i][1]);
    }
}

static void labels_that_cannot_be_are_refused_with_their_place(void **state)
{
    expect_refusal("node:\n  labels: {-x: y}\n",
                   "f.yaml:2:12: node.labels.-x: expected a label's key: up to 63 letters, digits "
                   "and - _ . /, not these at its ends, found \"-x\"");
    expect_refusal("node:\n  labels:\n    a: x\n    a: y\n",
                   "f.yaml:4:5: node.labels.a: given twice, first in line 3");
    expect_refusal("node: {labels: {a: [b]}}",
                   "f.yaml:1:20: node.labels.a: expected one value, found a list");
    expect_refusal("node: {labels: [a]}",
                   "f.yaml:1:16: node.labels: expected a mapping of keys to values, found a list");
    expect_refusal("node: {labels: {a: \"\\n\"}}",
                   "f.yaml:1:20: node.labels.a: expected a label's value: up to 63 ASCII "
                   "characters, found \"\\n\"");
    expect_refusal("node: {labels: {a: x}, spto: true}",
                   "f.yaml:1:24: node.spto: unknown key; did you mean node.spot?");
    expect_refusal("node: {reclaim: 'https://169.254.169.254/x'}",
                   "f.yaml:1:17: node.reclaim: expected http://HOST[:PORT]/PATH[?QUERY], or "
                   "nothing, found \"https://169.254.169.254/x\"");
    expect_refusal("node: {spot: maybe}",
                   "f.yaml:1:14: node.spot: expected true or false, found \"maybe\"");
}

static void a_node_has_at_most_32_labels_of_63_characters(void **state)
{
    static struct config config;
    char yaml[2048] = "node: {labels: {", text[1024], longest[2 * CONFIG_LABEL_MAX + 32];
    for (int i = 0; i < CONFIG_LABELS_MAX; i++)
        snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "k%d: v,", i);
    size_t end = strlen(yaml);
    snprintf(yaml + end, sizeof(yaml) - end, "}}");
    expect(yaml, &config);
    assert_int_equal(config.label_count, CONFIG_LABELS_MAX);
    snprintf(yaml + end, sizeof(yaml) - end, "more: v}}");
    assert_int_equal(parse(yaml, &config, text, sizeof(text)), ERR_INVALID);
    assert_non_null(strstr(text, "node.labels.more: at most 32 labels"));
    for (int extra = 0; extra < 2; extra++) {
        snprintf(longest, sizeof(longest), "node: {labels: {a: %0*d}}", CONFIG_LABEL_MAX + extra,
                 0);
        assert_int_equal(parse(longest, &config, text, sizeof(text)), extra ? ERR_INVALID : ERR_OK);
        snprintf(longest, sizeof(longest), "node: {labels: {%0*d: a}}", CONFIG_LABEL_MAX + extra,
                 0);
        assert_int_equal(parse(longest, &config, text, sizeof(text)), extra ? ERR_INVALID : ERR_OK);
    }
}

static void what_is_written_reads_back(void **state)
{
    static struct config config, again;
    struct buf first;
    expect("node: {name: n, spot: true, reclaim: 'http://[fe80::1]/events?api-version=1',\n"
           "  labels: {site: shop-14, cameras: 4, no: '', q: '\"'}}\n"
           "backends: [{name: a, url: 'http://h:1', hardware: npu, gpu: 3}, "
           "{name: b, url: 'http://h:2'}]",
           &config);
    buf_init(&first, 64 * 1024);
    assert_int_equal(config_write(&config, &first), ERR_OK);
    assert_int_equal(buf_append_byte(&first, 0), ERR_OK);
    expect((const char *)first.data, &again);
    assert_memory_equal(&again, &config, sizeof(config));
    buf_fini(&first);
}

static void labels_are_set_as_a_whole_from_the_command_line(void **state)
{
    static struct config config;
    struct buf message;
    config_defaults(&config);
    buf_init(&message, 1024);
    assert_int_equal(config_set(&config, "node.labels={a: b, c: d}", &message), ERR_OK);
    assert_int_equal(config.label_count, 2);
    assert_int_equal(config_set(&config, "node.labels={a: e}", &message), ERR_OK);
    assert_int_equal(config.label_count, 1);
    assert_string_equal(config.labels[0].value, "e");
    buf_fini(&message);
}

/* Of the backends in this row: whether one has a GPU's figures here, and which. */
static void an_engine_beside_the_node_uses_its_first_gpu_unless_told(void **state)
{
    static const struct {
        const char *backend;
        int gpu; /* -1: none */
    } rows[] = {
        {"url: 'http://127.0.0.1:1'", 0},
        {"url: 'http://localhost'", 0},
        {"url: 'http://[::1]:1'", 0},
        {"url: 'http://127.0.0.1:1', hardware: gpu", 0},
        {"url: 'http://127.0.0.1:1', hardware: gpu, gpu: 7", 7},
        {"url: 'http://127.0.0.1:1', hardware: cpu", -1},
        {"url: 'http://127.0.0.1:1', hardware: npu", -1},
        {"url: 'http://engine.lan:1'", -1},
        {"url: 'http://10.0.0.1:1', hardware: gpu", -1},
        {"url: 'http://engine.lan:1', gpu: 2", 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct config config;
        char yaml[256];
        uint32_t index = 99;
        snprintf(yaml, sizeof(yaml), "backends: [{name: a, %s}]", rows[i].backend);
        expect(yaml, &config);
        assert_int_equal(config_backend_gpu(&config.backends[0], &index), rows[i].gpu >= 0);
        assert_int_equal(index, rows[i].gpu >= 0 ? rows[i].gpu : 99);
    }
}

static void hardware_and_gpu_are_checked(void **state)
{
#define BACKEND "backends: [{name: a, url: 'http://h', "
    expect_refusal(BACKEND "hardware: tpu}]",
                   "f.yaml:1:49: backends[0].hardware: expected gpu, npu, cpu or auto, found "
                   "\"tpu\"");
    expect_refusal(BACKEND "gpu: 64}]", "f.yaml:1:44: backends[0].gpu: expected auto or the index "
                                        "of a GPU from 0 to 63, found \"64\"");
    expect_refusal(BACKEND "gpu: '1'}]", "f.yaml:1:44: backends[0].gpu: expected auto or the index "
                                         "of a GPU from 0 to 63, found \"1\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_labels_a_node_has_none_and_stays),
        cmocka_unit_test(labels_are_texts_whatever_they_look_like),
        cmocka_unit_test(labels_that_cannot_be_are_refused_with_their_place),
        cmocka_unit_test(a_node_has_at_most_32_labels_of_63_characters),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(labels_are_set_as_a_whole_from_the_command_line),
        cmocka_unit_test(an_engine_beside_the_node_uses_its_first_gpu_unless_told),
        cmocka_unit_test(hardware_and_gpu_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
