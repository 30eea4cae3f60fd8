/* What is measured of backends, and what a node's labels say: all of it arrives as it was said,
 * what is not known costs nothing, and what cannot be is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/mesh/facts.h"

struct sample {
    struct facts_backend backends[2];
    struct facts facts;
};

static void init(struct sample *s)
{
    *s = (struct sample){
        .backends = {{.name = BYTES("a"), .inflight = 3, .queued = 2}, {.name = BYTES("b")}},
        .facts = {.load = {3, 2, 4}, .backend_count = 2}};
    s->facts.backends = s->backends;
}

static void assert_text(struct bytes got, struct bytes want)
{
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
}

static struct facts_node node_of(const struct sample *s)
{
    return (struct facts_node){.name = BYTES("edge-1"), .tier = TIER_EDGE};
}

static enum err pass_node(const struct facts_node *n, struct arena *arena,
                          struct facts_node *ret_node)
{
    struct buf wire;
    buf_init(&wire, FACTS_WIRE_MAX);
    enum err e = facts_node_encode(n, &wire);
    if (e == ERR_OK)
        e = facts_node_decode(buf_bytes(&wire), arena, ret_node);
    buf_fini(&wire); /* nothing may be borrowed from it */
    return e;
}

static enum err pass_report(const struct facts *f, struct facts_report *ret_report)
{
    struct buf wire;
    buf_init(&wire, FACTS_WIRE_MAX);
    enum err e = facts_report_encode(f, &wire);
    if (e == ERR_OK)
        e = facts_report_decode(buf_bytes(&wire), ret_report);
    buf_fini(&wire);
    return e;
}

static void figures_of_backends_arrive_as_far_as_they_are_known(void **state)
{
    struct sample s;
    struct facts_report got;
    uint32_t value;
    init(&s);
    figures_set(&s.backends[1].figures, FIGURE_GPU_LOAD, 83);
    figures_set(&s.backends[1].figures, FIGURE_TTFT_P99, 12);
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.figures[0].known, 0);
    assert_memory_equal(&got.figures[1], &s.backends[1].figures, sizeof(got.figures[1]));
    s.facts.backends = &s.backends[1]; /* of a single one too, whose load is its node's */
    s.facts.backend_count = 1;
    s.facts.load = (struct facts_load){0};
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.backend_count, 0);
    assert_true(figures_get(&got.figures[0], FIGURE_GPU_LOAD, &value) && value == 83);
}

static size_t report_size(const struct facts *f)
{
    struct buf wire;
    buf_init(&wire, FACTS_WIRE_MAX);
    assert_int_equal(facts_report_encode(f, &wire), ERR_OK);
    size_t size = wire.size;
    buf_fini(&wire);
    return size;
}

/* Loads are what gossip spends most on. */
static void figures_cost_a_byte_each_and_nothing_where_none_is_known(void **state)
{
    struct sample s;
    init(&s);
    s.facts.backend_count = 1;
    s.facts.load = (struct facts_load){3, 2, 4};
    assert_int_equal(report_size(&s.facts), 6);
    figures_set(&s.backends[0].figures, FIGURE_GPU_LOAD, 83);
    figures_set(&s.backends[0].figures, FIGURE_GPU_MEMORY, 75);
    figures_set(&s.backends[0].figures, FIGURE_GPU_CELSIUS, 71);
    figures_set(&s.backends[0].figures, FIGURE_KV, 40);
    assert_int_equal(report_size(&s.facts), 6 + 2 + 2 + 4);
    for (int i = 0; i < FIGURES; i++)
        figures_set(&s.backends[0].figures, (enum figure)i, 90);
    assert_int_equal(report_size(&s.facts), 6 + 2 + 3 + FIGURES);
}

static void misshapen_figures_are_not_believed(void **state)
{
    static const struct {
        const char *wire;
        size_t size;
    } rows[] = {
        {"\x4a\x01\x00", 3},                     /* no mask */
        {"\x4a\x02\x00\x00", 4},                 /* an empty one */
        {"\x4a\x02\x00\x01", 4},                 /* no code */
        {"\x4a\x03\x00\x01\x65", 5},             /* 101 % */
        {"\x4a\x03\x40\x01\x05", 5},             /* of the 65th backend */
        {"\x4a\x06\x01\x01\x05\x01\x01\x05", 8}, /* twice of one */
        {"\x4a\x06\x01\x01\x05\x00\x01\x05", 8}, /* not in order */
        {"\x4a\x04\x00\x01\x05\x01", 6},         /* more than was said */
    };
    struct facts_report got;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(facts_report_decode(bytes_of(rows[i].wire, rows[i].size), &got),
                         ERR_INVALID);
    assert_int_equal(facts_report_decode(bytes_of("\x4a\x03\x3f\x01\x05", 5), &got), ERR_OK);
    assert_int_equal(got.figures[63].known, 1);
}

static void labels_and_spot_arrive_as_they_were_said(void **state)
{
    struct sample s;
    struct arena arena;
    struct facts_node got;
    init(&s);
    struct facts_label labels[] = {{BYTES("site"), BYTES("shop-14")}, {BYTES("empty"), BYTES("")}};
    struct facts_node said = node_of(&s);
    said.labels = labels;
    said.label_count = 2;
    said.spot = true;
    arena_init(&arena, 1 << 20);
    assert_int_equal(pass_node(&said, &arena, &got), ERR_OK);
    assert_int_equal(got.label_count, 2);
    assert_text(got.labels[0].key, BYTES("site"));
    assert_text(got.labels[0].value, BYTES("shop-14"));
    assert_int_equal(got.labels[1].value.size, 0);
    assert_true(got.spot);
    arena_fini(&arena);
}

static void labels_beyond_bounds_are_neither_said_nor_believed(void **state)
{
    static const uint8_t longest[FACTS_LABEL_MAX + 1] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    struct facts_label many[FACTS_LABELS_MAX + 1];
    const struct facts_label wrong[] = {{BYTES(""), BYTES("x")},
                                        {bytes_of(longest, sizeof(longest)), BYTES("x")},
                                        {BYTES("x"), bytes_of(longest, sizeof(longest))},
                                        {BYTES("a\n"), BYTES("x")},
                                        {BYTES("a"), BYTES("\x7f")}};
    struct sample s;
    struct arena arena;
    struct facts_node got;
    init(&s);
    struct facts_node said = node_of(&s);
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < FACTS_LABELS_MAX + 1; i++)
        many[i] = (struct facts_label){bytes_of(longest + i, 2 + i / 10), BYTES("v")};
    said.labels = many;
    said.label_count = FACTS_LABELS_MAX + 1;
    assert_int_equal(pass_node(&said, &arena, &got), ERR_LIMIT);
    said.label_count = 1;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        many[0] = wrong[i];
        assert_int_equal(pass_node(&said, &arena, &got), ERR_LIMIT);
    }
    many[0] = many[1] = (struct facts_label){BYTES("twice"), BYTES("v")};
    assert_int_equal(pass_node(&said, &arena, &got), ERR_OK);
    said.label_count = 2;
    assert_int_equal(pass_node(&said, &arena, &got), ERR_LIMIT);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_backends_arrive_as_far_as_they_are_known),
        cmocka_unit_test(figures_cost_a_byte_each_and_nothing_where_none_is_known),
        cmocka_unit_test(misshapen_figures_are_not_believed),
        cmocka_unit_test(labels_and_spot_arrive_as_they_were_said),
        cmocka_unit_test(labels_beyond_bounds_are_neither_said_nor_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
