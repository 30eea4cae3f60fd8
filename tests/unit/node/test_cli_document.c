/* Documents as people write them: flags and YAML become the registry's structs, and what is wrong
 * is named with its place, what was expected, and a near name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/cli/rules/document.h"

#define NOW_MS 1800000000000ull
#define OPS_MAX 4

struct world {
    struct arena arena;
    struct registry_op ops[OPS_MAX];
    size_t count;
    char text[512];
    struct buf why;
};

static int setup(void **state)
{
    static struct world w;
    w.count = 99;
    memset(w.text, 0, sizeof w.text);
    arena_init(&w.arena, DOCUMENT_ARENA_MAX);
    buf_init_fixed(&w.why, (uint8_t *)w.text, sizeof w.text - 1);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    arena_fini(&w->arena);
    return 0;
}

static enum err read_all(struct world *w, const char *yaml)
{
    memset(w->text, 0, sizeof w->text);
    buf_clear(&w->why);
    return document_read_all(bytes_from_str(yaml), NOW_MS, &w->arena, w->ops, OPS_MAX, &w->count,
                             &w->why);
}

static void refuses(struct world *w, const char *yaml, const char *said)
{
    assert_int_equal(read_all(w, yaml), ERR_INVALID);
    assert_string_equal(w->text, said);
}

static enum err set(struct world *w, enum registry_kind kind, union registry_document *document,
                    const char *field, const char *text)
{
    memset(w->text, 0, sizeof w->text);
    buf_clear(&w->why);
    return document_set(kind, document, bytes_from_str(field), bytes_from_str(text), NOW_MS,
                        &w->arena, &w->why);
}

static bool is(struct bytes text, const char *wanted)
{
    return bytes_equal(text, bytes_from_str(wanted));
}

/* --- flags */

static void fields_of_every_type_are_set_from_text(void **state)
{
    struct world *w = *state;
    union registry_document d = {0};
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "model", "llama"), ERR_OK);
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "memory_bytes", "80GiB"), ERR_OK);
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "regions", "eu-west, us-east"), ERR_OK);
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "stage", "production"), ERR_OK);
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "digest",
                         "sha256:00000000000000000000000000000000000000000000000000000000000000ff"),
                     ERR_OK);
    assert_true(is(d.version.model, "llama"));
    assert_int_equal(d.version.memory_bytes, 80ull << 30);
    assert_int_equal(d.version.region_count, 2);
    assert_true(is(d.version.regions[1], "us-east"));
    assert_int_equal(d.version.stage, REGISTRY_PRODUCTION);
    assert_int_equal(d.version.digest[31], 0xff);
}

static void an_expiry_counts_from_now_or_is_a_time(void **state)
{
    struct world *w = *state;
    union registry_document d = {0};
    assert_int_equal(set(w, REGISTRY_KEY, &d, "not_after_ms", "1h"), ERR_OK);
    assert_int_equal(d.key.not_after_ms, NOW_MS + 3600000);
    assert_int_equal(set(w, REGISTRY_KEY, &d, "not_after_ms", "1900000000000"), ERR_OK);
    assert_int_equal(d.key.not_after_ms, 1900000000000ull);
}

static void what_the_registry_answers_cannot_be_set(void **state)
{
    struct world *w = *state;
    union registry_document d = {0};
    assert_int_equal(set(w, REGISTRY_NODE, &d, "state", "revoked"), ERR_NOT_FOUND);
    assert_int_equal(set(w, REGISTRY_MODEL, &d, "colour", "red"), ERR_NOT_FOUND);
}

static void wrong_values_say_what_was_expected(void **state)
{
    struct world *w = *state;
    union registry_document d = {0};
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "stage", "prod"), ERR_INVALID);
    assert_string_equal(w->text, "expected staging, production, archived, revoked, found \"prod\"");
    assert_int_equal(set(w, REGISTRY_MODEL, &d, "context", "many"), ERR_INVALID);
    assert_string_equal(w->text, "expected a whole number, found \"many\"");
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "memory_bytes", "80 apples"), ERR_INVALID);
    assert_int_equal(set(w, REGISTRY_VERSION, &d, "digest", "ff"), ERR_INVALID);
    assert_int_equal(set(w, REGISTRY_ALIAS, &d, "targets", "a/b=1"), ERR_INVALID);
}

static void lists_are_bounded(void **state)
{
    struct world *w = *state;
    union registry_document d = {0};
    char text[2 * REGISTRY_REGIONS_MAX + 2] = "";
    for (int i = 0; i <= REGISTRY_REGIONS_MAX; i++) {
        text[2 * i] = 'r';
        text[2 * i + 1] = 0;
        assert_int_equal(set(w, REGISTRY_VERSION, &d, "regions", text),
                         i < REGISTRY_REGIONS_MAX ? ERR_OK : ERR_INVALID);
        text[2 * i + 1] = ',';
    }
}

/* --- YAML */

static void several_documents_become_operations(void **state)
{
    struct world *w = *state;
    assert_int_equal(read_all(w, "# a comment\n"
                                 "---\n"
                                 "apiVersion: grapevine/v1\n"
                                 "kind: Model\n"
                                 "metadata: {name: llama}\n"
                                 "spec: {task: chat, context: 8192}\n"
                                 "---\n"
                                 "apiVersion: grapevine/v1\n"
                                 "kind: Alias\n"
                                 "metadata: {name: best}\n"
                                 "spec:\n"
                                 "  targets:\n"
                                 "    - {model: llama, version: v1, weight: 90}\n"
                                 "    - {model: llama, version: v2, weight: 10}\n"
                                 "---\n"),
                     ERR_OK);
    assert_int_equal(w->count, 2);
    assert_int_equal(w->ops[0].verb, REGISTRY_PUT);
    assert_int_equal(w->ops[0].kind, REGISTRY_MODEL);
    assert_true(is(w->ops[0].doc.model.name, "llama"));
    assert_int_equal(w->ops[0].doc.model.context, 8192);
    assert_int_equal(w->ops[1].doc.alias.target_count, 2);
    assert_true(is(w->ops[1].doc.alias.targets[1].version, "v2"));
    assert_int_equal(w->ops[1].doc.alias.targets[0].weight, 90);
}

static void a_policy_is_kept_as_it_stands(void **state)
{
    struct world *w = *state;
    static const char text[] = "apiVersion: grapevine/v1\n"
                               "kind: RoutePolicy\n"
                               "metadata: {name: video-analytics}\n"
                               "spec: {match: 'request.task == \"video\"'}\n"
                               "tests: []\n";
    assert_int_equal(read_all(w, text), ERR_OK);
    assert_int_equal(w->ops[0].kind, REGISTRY_POLICY);
    assert_true(is(w->ops[0].doc.policy.name, "video-analytics"));
    assert_true(is(w->ops[0].doc.policy.document, text));
}

static void mistakes_have_a_place_in_the_file(void **state)
{
    struct world *w = *state;
    refuses(w,
            "apiVersion: grapevine/v1\nkind: Model\nmetadata: {name: a}\n---\n"
            "apiVersion: grapevine/v1\nkind: Model\nmetadata: {name: b}\nspec:\n  contxt: 5\n",
            "9:3: contxt: no such field of model; did you mean context?");
    refuses(w, "apiVersion: grapevine/v1\nkind: Model\nspec: {context: x}\n",
            "3:8: context: expected a whole number, found \"x\"");
    refuses(w, "apiVersion: grapevine/v1\nkind: Model\nspec: {task: chat, task: chat}\n",
            "3:20: task: stands here twice");
    refuses(w, "apiVersion: grapevine/v1\nkind: Version\nspec: {regions: {a: b}}\n",
            "3:8: regions: expected a list, found a mapping");
    refuses(w, "apiVersion: grapevine/v1\nkind: Version\nspec: {regions: [[a]]}\n",
            "3:18: expected a text, found a list");
    refuses(w, "apiVersion: grapevine/v1\nkind: Version\nspec: []\n",
            "3:1: spec: expected a mapping of version, found a list");
    refuses(w, "apiVersion: v1\nkind: Model\n", "1:13: apiVersion: expected grapevine/v1");
    refuses(w, "apiVersion: grapevine/v1\nkind: Model\ntests: []\n",
            "3:1: tests: only policies have tests");
    refuses(w, "apiVersion: grapevine/v1\nkind: Model\nkind: Model\n",
            "3:1: document: this key stands here twice");
    refuses(w, "kind: [", "2:1: not valid YAML: did not find expected node content");
}

static void unknown_kinds_name_those_there_are(void **state)
{
    struct world *w = *state;
    assert_int_equal(read_all(w, "apiVersion: grapevine/v1\nkind: Modell\n"), ERR_INVALID);
    assert_non_null(strstr(w->text, "2:7: kind: expected Model, Version"));
}

static void too_many_documents_are_refused(void **state)
{
    struct world *w = *state;
    static const char one[] = "---\napiVersion: grapevine/v1\nkind: Model\nmetadata: {name: a}\n";
    char yaml[(OPS_MAX + 1) * sizeof one] = "";
    for (size_t i = 0; i <= OPS_MAX; i++)
        memcpy(yaml + i * (sizeof one - 1), one, sizeof one);
    assert_int_equal(read_all(w, yaml), ERR_LIMIT);
    assert_int_equal(w->count, 99);
}

static void an_empty_file_has_no_documents(void **state)
{
    struct world *w = *state;
    assert_int_equal(read_all(w, "---\n# nothing\n---\n"), ERR_OK);
    assert_int_equal(w->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_of_every_type_are_set_from_text, setup, teardown),
        cmocka_unit_test_setup_teardown(an_expiry_counts_from_now_or_is_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_registry_answers_cannot_be_set, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_values_say_what_was_expected, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(several_documents_become_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(a_policy_is_kept_as_it_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_have_a_place_in_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_kinds_name_those_there_are, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_documents_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_has_no_documents, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
