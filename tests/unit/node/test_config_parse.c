/* The configuration file: what is accepted, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "node/config/config.h"
#include "node/config/schema.h"

struct parsed {
    enum err result;
    struct config config;
    char message[2048];
};

static void to_text(struct buf *message, char *text, size_t size)
{
    bytes_to_str(buf_bytes(message), text, size);
    buf_fini(message);
}

/* Parses and validates, as every caller does. */
static void parse(const char *yaml, struct parsed *p)
{
    struct buf message;
    buf_init(&message, 4096);
    p->result = config_parse(bytes_from_str(yaml), "f.yaml", &p->config, &message);
    if (p->result == ERR_OK)
        p->result = config_validate(&p->config, bytes_from_str(yaml), "f.yaml", &message);
    to_text(&message, p->message, sizeof(p->message));
}

static void expect_refusal(const char *yaml, const char *message)
{
    static struct parsed p;
    parse(yaml, &p);
    assert_string_equal(p.message, message);
    assert_int_equal(p.result, ERR_INVALID);
}

static void expect_refusal_with(const char *yaml, const char *part)
{
    static struct parsed p;
    parse(yaml, &p);
    assert_int_equal(p.result, ERR_INVALID);
    if (!strstr(p.message, part))
        fail_msg("\"%s\" does not contain \"%s\"", p.message, part);
}

static void the_example_of_the_contract_parses(void **state)
{
    static struct parsed p;
    parse("node: {name: edge-1, tier: edge, region: eu-west, zone: shop-14}   # tier: edge | "
          "regional | cloud\n"
          "listen:\n"
          "  http: 127.0.0.1:7380      # clients; port 0 takes a free one\n"
          "  mesh: 0.0.0.0:7300        # peers\n"
          "advertise: 203.0.113.7:7300 # what peers dial\n"
          "peers: [198.18.0.2:7300]    # first contacts; the rest is learnt\n"
          "backends:\n"
          "  - {name: llama, url: \"http://127.0.0.1:8081\", kind: auto, concurrency: 4}\n"
          "lanes: 1\n"
          "log: {level: info, format: auto}\n"
          "limits: {body: 16MiB, header: 32KiB, inflight: 1024, queue: 256, header_timeout: 10s, "
          "idle_timeout: 60s, request_timeout: 600s}\n",
          &p);
    assert_string_equal(p.message, "");
    assert_int_equal(p.result, ERR_OK);
    assert_string_equal(p.config.name, "edge-1");
    assert_int_equal(p.config.tier, TIER_EDGE);
    assert_string_equal(p.config.region, "eu-west");
    assert_string_equal(p.config.zone, "shop-14");
    assert_string_equal(p.config.listen_http, "127.0.0.1:7380");
    assert_string_equal(p.config.listen_mesh, "0.0.0.0:7300");
    assert_string_equal(p.config.advertise, "203.0.113.7:7300");
    assert_int_equal(p.config.peer_count, 1);
    assert_string_equal(p.config.peers[0], "198.18.0.2:7300");
    assert_int_equal(p.config.backend_count, 1);
    assert_string_equal(p.config.backends[0].name, "llama");
    assert_string_equal(p.config.backends[0].host, "127.0.0.1");
    assert_int_equal(p.config.backends[0].port, 8081);
    assert_string_equal(p.config.backends[0].prefix, "");
    assert_int_equal(p.config.backends[0].kind, BACKEND_AUTO);
    assert_int_equal(p.config.backends[0].concurrency, 4);
    assert_int_equal(p.config.limits.body_bytes, 16 << 20);
    assert_int_equal(p.config.limits.request_timeout_ms, 600000);
}

static void every_key_but_the_name_has_a_default(void **state)
{
    static struct parsed p;
    parse("node: {name: n}", &p);
    assert_int_equal(p.result, ERR_OK);
    assert_int_equal(p.config.tier, TIER_EDGE);
    assert_string_equal(p.config.region, "default");
    assert_string_equal(p.config.zone, "");
    assert_string_equal(p.config.listen_http, "127.0.0.1:7380");
    assert_string_equal(p.config.listen_mesh, "0.0.0.0:7300");
    assert_string_equal(p.config.advertise, "");
    assert_int_equal(p.config.lanes, 1);
    assert_int_equal(p.config.log_level, LOG_INFO);
    assert_int_equal(p.config.log_format, CONFIG_LOG_AUTO);
    assert_int_equal(p.config.limits.body_bytes, 16 << 20);
    assert_int_equal(p.config.limits.header_bytes, 32 << 10);
    assert_int_equal(p.config.limits.window_bytes, 32 << 10);
    assert_int_equal(p.config.limits.buffer_bytes, 256 << 20);
    assert_int_equal(p.config.limits.inflight, 1024);
    assert_int_equal(p.config.limits.queue, 256);
    assert_int_equal(p.config.limits.connections, 16384);
    assert_int_equal(p.config.limits.header_timeout_ms, 10000);
    assert_int_equal(p.config.limits.idle_timeout_ms, 60000);
    assert_int_equal(p.config.limits.request_timeout_ms, 600000);
}

static void an_empty_file_lacks_only_the_name(void **state)
{
#define MISSING ": node.name: missing; give this node a name that is unique in the mesh"
    expect_refusal("", "f.yaml:1:1" MISSING);
    expect_refusal_with("# nothing\n", MISSING);
    expect_refusal("lanes: 1\nnode:\n  tier: edge\n", "f.yaml:3:3" MISSING);
    expect_refusal("lanes: 1\n\nnode:\n", "f.yaml:3:6" MISSING);
}

static void without_a_file_no_place_is_named(void **state)
{
    struct config config;
    char text[200];
    struct buf message;
    config_defaults(&config);
    buf_init(&message, sizeof text - 1);
    assert_int_equal(config_validate(&config, bytes_of(NULL, 0), "the flags", &message),
                     ERR_INVALID);
    to_text(&message, text, sizeof text);
    assert_string_equal(text, "the flags" MISSING);
}

static void a_refusal_names_file_line_column_key_and_what_was_expected(void **state)
{
    expect_refusal("node:\n  name: a\n  tier: moon\n",
                   "f.yaml:3:9: node.tier: expected edge, regional or cloud, found \"moon\"");
    expect_refusal(
        "node: {name: a}\nlimits:\n  body: 12\n",
        "f.yaml:3:9: limits.body: expected a size such as 64KiB, 16MiB or 4096, from 1KiB to 1GiB, "
        "found \"12\"");
    expect_refusal(
        "limits: {inflight: many}",
        "f.yaml:1:20: limits.inflight: expected a whole number from 1 to 65536, found \"many\"");
    expect_refusal("limits: {idle_timeout: 60}", "f.yaml:1:24: limits.idle_timeout: expected a "
                                                 "duration with its unit, such as 250ms, 2s, 5m or "
                                                 "1h, from 100ms to 1d, found \"60\"");
}

static void an_unknown_key_is_refused_with_the_near_one(void **state)
{
    expect_refusal("node: {nmae: a}",
                   "f.yaml:1:8: node.nmae: unknown key; did you mean node.name?");
    expect_refusal("beckends: []", "f.yaml:1:1: beckends: unknown key; did you mean backends?");
    expect_refusal(
        "node: {colour: a}",
        "f.yaml:1:8: node.colour: unknown key; expected one of name, tier, region, zone, "
        "labels, spot, reclaim");
    expect_refusal("backends: [{name: a, urll: x}]",
                   "f.yaml:1:22: backends[0].urll: unknown key; did you mean backends[0].url?");
}

static void a_key_given_twice_is_refused(void **state)
{
    expect_refusal("node:\n  name: a\n  name: b\n",
                   "f.yaml:3:3: node.name: given twice, first in line 2");
    expect_refusal("lanes: 1\nlanes: 1\n", "f.yaml:2:1: lanes: given twice, first in line 1");
}

static void a_wrong_type_is_refused(void **state)
{
    expect_refusal("node: a", "f.yaml:1:7: node: expected a mapping of keys, found text");
    expect_refusal("node: [a]", "f.yaml:1:7: node: expected a mapping of keys, found a list");
    expect_refusal("peers: 1.2.3.4:5", "f.yaml:1:8: peers: expected a list, found text");
    expect_refusal("peers: [[a]]", "f.yaml:1:9: peers: expected one value, found a list");
    expect_refusal("node: {name: {a: b}}",
                   "f.yaml:1:14: node.name: expected one value, found a mapping");
    expect_refusal(
        "backends: [x]",
        "f.yaml:1:12: backends[0].name: expected a mapping with name and url, found text");
    expect_refusal(
        "limits: {inflight: \"7\"}",
        "f.yaml:1:20: limits.inflight: expected a whole number from 1 to 65536, found \"7\"");
    expect_refusal("- a", "f.yaml:1:1: expected keys such as node: and listen:, found a list");
}

static bool is_list_or_section(const struct schema_row *row)
{
    return row->type == SCHEMA_SECTION || row->type == SCHEMA_PEERS || row->type == SCHEMA_BACKENDS;
}

/* The value for one key of the table, everything else as it should be. */
static void write_with(const struct schema_row *row, const char *value, char *yaml, size_t size)
{
    const char *name = "", *url = "";
    if (strcmp(row->section, SCHEMA_IN_BACKEND) == 0) {
        name = strcmp(row->key, "name") == 0 ? "" : "name: a, ";
        url = strcmp(row->key, "url") == 0 ? "" : "url: 'http://127.0.0.1:1', ";
        snprintf(yaml, size, "node: {name: a}\nbackends: [{%s%s%s: %s}]\n", name, url, row->key,
                 value);
    } else if (row->section[0] == '\0') {
        snprintf(yaml, size, "%s%s: %s\n", strcmp(row->key, "node") == 0 ? "" : "node: {name: a}\n",
                 row->key, value);
    } else {
        name = strcmp(row->section, "node") == 0 ? "" : "node: {name: a}\n";
        snprintf(yaml, size, "%s%s: {%s%s: %s}\n", name, row->section,
                 name[0] == '\0' && strcmp(row->key, "name") != 0 ? "name: a, " : "", row->key,
                 value);
    }
}

static void every_key_refuses_what_is_wrong_and_names_itself(void **state)
{
    static const char *const wrong[] = {"'~ !'", "{x: y}", "[[x]]"};
    char yaml[256], name[80];
    for (size_t i = 0; i < schema_count(); i++) {
        const struct schema_row *row = schema_row(i);
        bool is_in_list = strcmp(row->section, SCHEMA_IN_BACKEND) == 0;
        if (row->type == SCHEMA_LABELS) /* whose keys are free: test_config_labels.c */
            continue;
        snprintf(name, sizeof name, "%s%s%s", row->section,
                 is_in_list      ? "[0]."
                 : *row->section ? "."
                                 : "",
                 row->key);
        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
            write_with(row, wrong[k], yaml, sizeof yaml);
            expect_refusal_with(yaml, name);
            if (!is_list_or_section(row))
                expect_refusal_with(yaml, "expected ");
        }
        if (row->max == 0)
            continue;
        write_with(row, "99999999999999999999", yaml, sizeof yaml);
        expect_refusal_with(yaml, name);
        if (row->min > 0) {
            write_with(row, "0", yaml, sizeof yaml);
            expect_refusal_with(yaml, name);
        }
    }
}

static void what_is_not_yaml_is_refused_with_its_place(void **state)
{
    expect_refusal_with("node: {name: a\nlisten: {", "f.yaml:2:");
    expect_refusal_with("node:\n\t- x", "not valid YAML");
    expect_refusal_with("a: \"\x01\"", "not valid YAML");
    expect_refusal_with("\xff\xfe\xfd", "f.yaml:1:1: not valid YAML");
}

static void aliases_tags_and_second_documents_are_refused(void **state)
{
    expect_refusal("node: &a {name: x}",
                   "f.yaml:1:7: aliases, anchors and tags are not supported here");
    expect_refusal("node: {name: *a}",
                   "f.yaml:1:14: aliases, anchors and tags are not supported here");
    expect_refusal("node: {name: !!str x}",
                   "f.yaml:1:14: aliases, anchors and tags are not supported here");
    expect_refusal("node: {name: x}\n---\nnode: {name: y}\n",
                   "f.yaml:2:1: only one document is expected in the file");
    expect_refusal("{? [a] : b}", "f.yaml:1:4: a key must be a word");
}

static void depth_and_size_are_bounded(void **state)
{
    static char large[200 * 1024];
    static struct parsed p;
    expect_refusal_with("[[[[[[[[[[[[a]]]]]]]]]]]]", "nested too deeply");
    memset(large, ' ', sizeof(large) - 1);
    expect_refusal_with(large, "larger than a document can be");
    memcpy(large, "peers: [", 8);
    for (size_t i = 8; i < 12008; i += 2)
        memcpy(large + i, "a,", 2);
    large[12008] = 0;
    expect_refusal_with(large, "too many items");
    parse("node: {name: x}", &p);
    assert_int_equal(p.result, ERR_OK);
}

static void names_are_checked(void **state)
{
    static const char *const wrong[] = {
        "Edge", "a_b",     "-a",
        "a-",   "a.b",     "\"\"",
        "~",    "\"a b\"", "a123456789012345678901234567890123456789012345678901234567890123"};
    char yaml[200];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(yaml, sizeof(yaml), "node: {name: %s}", wrong[i]);
        expect_refusal_with(yaml, "f.yaml:1:14: node.name: expected a name");
    }
}

static void listen_addresses_are_numeric(void **state)
{
    static struct parsed p;
    expect_refusal("listen: {http: \"localhost:80\"}",
                   "f.yaml:1:16: listen.http: expected IP:PORT, such as 127.0.0.1:7380 or "
                   "\"[::1]:7380\", found "
                   "\"localhost:80\"");
    expect_refusal_with("listen: {mesh: 127.0.0.1}", "listen.mesh: expected IP:PORT");
    expect_refusal_with("listen: {mesh: 127.0.0.1:70000}", "listen.mesh: expected IP:PORT");
    parse("{node: {name: a}, listen: {http: \"[::1]:0\", mesh: 127.0.0.1:0}}", &p);
    assert_int_equal(p.result, ERR_OK);
    assert_string_equal(p.config.listen_http, "[::1]:0");
}

static void http_and_mesh_do_not_share_a_port(void **state)
{
    expect_refusal("{node: {name: a}, listen: {http: 127.0.0.1:9, mesh: 127.0.0.1:9}}",
                   "f.yaml:1:27: listen: http and mesh cannot share one address and port");
}

static void peers_and_advertise_must_be_diallable(void **state)
{
    static struct parsed p;
    static const char *const wrong[] = {
        "0.0.0.0:7300", "\"[::]:7300\"", "a.example:0", "a.example", "1.2.3:7", "256.1.1.1:7",
        "\"-a:7\"",     "\"a b:7\"",     "\"a..b:7\"",  "\"\"",      "~"};
    char yaml[200];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(yaml, sizeof(yaml), "peers: [%s]", wrong[i]);
        expect_refusal_with(yaml, "peers: expected HOST:PORT");
    }
    expect_refusal_with("advertise: 0.0.0.0:7300",
                        "advertise: expected HOST:PORT that can be dialled");
    parse("{node: {name: a}, advertise: none, peers: [node-2.lan:7300, \"[fd00::1]:7300\"]}", &p);
    assert_int_equal(p.result, ERR_OK);
    assert_string_equal(p.config.advertise, "none");
    assert_string_equal(p.config.peers[1], "[fd00::1]:7300");
}

static void backend_urls_are_taken_apart(void **state)
{
    static struct parsed p;
    parse("{node: {name: a}, backends: [{name: x, url: http://engine.lan/api/}, "
          "{name: y, url: 'http://[::1]:8080', kind: llamacpp, concurrency: 9}]}",
          &p);
    assert_string_equal(p.message, "");
    assert_string_equal(p.config.backends[0].host, "engine.lan");
    assert_int_equal(p.config.backends[0].port, 80);
    assert_string_equal(p.config.backends[0].prefix, "/api");
    assert_string_equal(p.config.backends[1].host, "::1");
    assert_int_equal(p.config.backends[1].port, 8080);
    assert_int_equal(p.config.backends[1].kind, BACKEND_LLAMACPP);
    assert_int_equal(p.config.backends[1].concurrency, 9);
}

static void bad_backend_urls_are_refused(void **state)
{
    static const char *const wrong[] = {
        "ftp://a",       "a:80",           "http://",         "http://:80",      "http://u@h:80",
        "http://h:0",    "http://h:99999", "http://h/?q",     "'http://h/#f'",   "'http://h/a b'",
        "http://1.2.3/", "'http://[::1'",  "'http://[::1]x'", "\"http://h/\\0\""};
    char yaml[200];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(yaml, sizeof(yaml), "backends: [{name: x, url: %s}]", wrong[i]);
        expect_refusal_with(yaml, "backends[0].url: expected http://HOST[:PORT][/PREFIX], found ");
    }
    expect_refusal_with("backends: [{name: x, url: https://h}]",
                        "backends[0].url: https: is not supported yet");
    expect_refusal_with("backends: [{name: x, url: http://h/v1/}]", "leave out the /v1");
}

static void known_kinds_without_an_adapter_are_refused_with_advice(void **state)
{
    expect_refusal("backends: [{name: x, url: http://h, kind: vllm}]",
                   "f.yaml:1:43: backends[0].kind: kind vllm is not supported yet; its OpenAI "
                   "surface works with "
                   "kind: openai");
    expect_refusal("backends: [{name: x, url: http://h, kind: kserve}]",
                   "f.yaml:1:43: backends[0].kind: kind kserve is not supported yet");
    expect_refusal_with("backends: [{name: x, url: http://h, kind: foo}]",
                        "expected auto, openai or llamacpp");
}

static void backends_need_a_name_of_their_own_and_a_url(void **state)
{
    expect_refusal("backends: [{url: http://h}]",
                   "f.yaml:1:12: backends[0].name: missing; every backend needs a name and a url");
    expect_refusal("backends: [{name: h}]",
                   "f.yaml:1:12: backends[0].url: missing; every backend needs a name and a url");
    expect_refusal(
        "{node: {name: n}, backends: [{name: h, url: http://a}, {name: h, url: http://b}]}",
        "f.yaml:1:63: backends[1].name: h is the name of backends[0] too; names must differ");
}

static void lists_have_their_limits(void **state)
{
    static char yaml[8192];
    size_t size = (size_t)snprintf(yaml, sizeof(yaml), "{node: {name: a}, peers: [");
    for (int i = 0; i < CONFIG_PEERS_MAX; i++)
        size += (size_t)snprintf(yaml + size, sizeof(yaml) - size, "h%d:7300, ", i);
    static struct parsed p;
    char full[8200];
    snprintf(full, sizeof(full), "%s]}", yaml);
    parse(full, &p);
    assert_int_equal(p.result, ERR_OK);
    assert_int_equal(p.config.peer_count, CONFIG_PEERS_MAX);
    snprintf(full, sizeof(full), "%sh:1]}", yaml);
    expect_refusal_with(full, "peers: at most 64 peers");
}

static void several_lanes_are_not_supported_yet(void **state)
{
    expect_refusal("lanes: 4", "f.yaml:1:8: lanes: expected 1 (other numbers of lanes are not "
                               "supported yet), found \"4\"");
    expect_refusal_with("lanes: 0", "not supported yet");
}

static void a_failed_parse_leaves_the_result_untouched(void **state)
{
    static struct parsed p;
    struct buf message;
    buf_init(&message, 4096);
    config_defaults(&p.config);
    assert_int_equal(config_parse(BYTES("{node: {name: a}, lanes: 9}"), "f", &p.config, &message),
                     ERR_INVALID);
    assert_string_equal(p.config.name, "");
    buf_fini(&message);
}

static void hostile_values_are_escaped_and_cut_in_messages(void **state)
{
    expect_refusal_with("node: {tier: \"\\e[2J\"}", "found \"\\u001b[2J\"");
    static char yaml[400];
    memset(yaml, 'x', sizeof(yaml) - 1);
    memcpy(yaml, "node: {tier: ", 13);
    yaml[398] = '}';
    expect_refusal_with(yaml, "xxx...\"");
}

static void sizes_and_durations_know_their_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"250ms", 250}, {"2s", 2000}, {"5m", 300000}, {"1h", 3600000}, {"7d", 604800000}};
    uint64_t ms = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(config_parse_duration(rows[i].text, &ms), ERR_OK);
        assert_int_equal(ms, rows[i].ms);
    }
    static const char *const wrong[] = {"",
                                        "5",
                                        "s",
                                        "5 s",
                                        "-5s",
                                        "1.5s",
                                        "5S",
                                        "5min",
                                        "99999999999999999999s",
                                        "18446744073709551615h"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(config_parse_duration(wrong[i], &ms), ERR_INVALID);
    static struct parsed p;
    parse("{node: {name: a}, limits: {body: 1GiB, header: 2KiB, window: 4096}}", &p);
    assert_int_equal(p.config.limits.body_bytes, 1 << 30);
    assert_int_equal(p.config.limits.header_bytes, 2048);
    assert_int_equal(p.config.limits.window_bytes, 4096);
    expect_refusal_with("limits: {body: 16MB}", "limits.body: expected a size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_contract_parses),
        cmocka_unit_test(every_key_but_the_name_has_a_default),
        cmocka_unit_test(an_empty_file_lacks_only_the_name),
        cmocka_unit_test(without_a_file_no_place_is_named),
        cmocka_unit_test(a_refusal_names_file_line_column_key_and_what_was_expected),
        cmocka_unit_test(an_unknown_key_is_refused_with_the_near_one),
        cmocka_unit_test(a_key_given_twice_is_refused),
        cmocka_unit_test(a_wrong_type_is_refused),
        cmocka_unit_test(every_key_refuses_what_is_wrong_and_names_itself),
        cmocka_unit_test(what_is_not_yaml_is_refused_with_its_place),
        cmocka_unit_test(aliases_tags_and_second_documents_are_refused),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(listen_addresses_are_numeric),
        cmocka_unit_test(http_and_mesh_do_not_share_a_port),
        cmocka_unit_test(peers_and_advertise_must_be_diallable),
        cmocka_unit_test(backend_urls_are_taken_apart),
        cmocka_unit_test(bad_backend_urls_are_refused),
        cmocka_unit_test(known_kinds_without_an_adapter_are_refused_with_advice),
        cmocka_unit_test(backends_need_a_name_of_their_own_and_a_url),
        cmocka_unit_test(lists_have_their_limits),
        cmocka_unit_test(several_lanes_are_not_supported_yet),
        cmocka_unit_test(a_failed_parse_leaves_the_result_untouched),
        cmocka_unit_test(hostile_values_are_escaped_and_cut_in_messages),
        cmocka_unit_test(sizes_and_durations_know_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
