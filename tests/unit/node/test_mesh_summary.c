/* Summaries of regions: what is said of members' facts, what fits into a datagram, and what is
 * believed when gateways lie, lag or are few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "node/mesh/summary.h"

#define MEMBERS_MAX 24

struct sample {
    struct arena arena;
    struct facts_model models[MEMBERS_MAX];
    struct facts_backend backends[MEMBERS_MAX];
    struct facts facts[MEMBERS_MAX];
    struct summary_member members[MEMBERS_MAX];
    size_t count;
};

static int setup(void **state)
{
    static struct sample s;
    memset(&s, 0, sizeof(s));
    arena_init(&s.arena, SUMMARY_ARENA_MAX);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct sample *s = *state;
    arena_fini(&s->arena);
    return 0;
}

/* A member with one backend of one model. */
static struct facts_backend *add(struct sample *s, const char *model, uint32_t places,
                                 uint32_t inflight, uint32_t queued)
{
    size_t i = s->count++;
    s->models[i] = (struct facts_model){.name = bytes_from_str(model)};
    s->backends[i] = (struct facts_backend){.name = BYTES("b"),
                                            .state = FACTS_BACKEND_UP,
                                            .inflight = inflight,
                                            .queued = queued,
                                            .concurrency = places,
                                            .models = &s->models[i],
                                            .model_count = 1};
    s->facts[i] = (struct facts){.backends = &s->backends[i], .backend_count = 1};
    s->members[i] = (struct summary_member){.facts = &s->facts[i]};
    s->members[i].id.bytes[0] = (uint8_t)(i + 1);
    return &s->backends[i];
}

static struct summary make(struct sample *s)
{
    struct summary summary;
    assert_int_equal(summary_make(s->members, s->count, &s->arena, &summary), ERR_OK);
    return summary;
}

static void assert_name(const struct summary *s, size_t i, const char *name)
{
    assert_true(i < s->model_count);
    assert_true(bytes_equal(s->models[i].name, bytes_from_str(name)));
}

/* --- saying */

static void a_model_is_summed_up_over_its_nodes(void **state)
{
    struct sample *s = *state;
    for (uint32_t i = 0; i < 20; i++)
        add(s, "m", 4, 1, i);
    add(s, "a", 2, 0, 0);
    struct summary summary = make(s);
    assert_int_equal(summary.model_count, 2);
    assert_int_equal(summary.left_out, 0);
    assert_name(&summary, 0, "a");
    assert_name(&summary, 1, "m");
    const struct summary_model *m = &summary.models[1];
    assert_int_equal(m->capacity, 80);
    assert_int_equal(m->inflight, 20);
    assert_int_equal(m->queued_p50, 9);
    assert_int_equal(m->queued_p95, 18);
    assert_int_equal(m->nodes, 20);
    assert_int_equal(m->entry_count, 3);
    for (uint8_t i = 0; i < 3; i++) /* with the shortest queues */
        assert_int_equal(m->entries[i][0], i + 1);
}

static void two_backends_of_a_node_are_one_node(void **state)
{
    struct sample *s = *state;
    add(s, "m", 4, 1, 1);
    add(s, "m", 2, 1, 2);
    s->count = 1;
    s->facts[0].backend_count = 2; /* the second member's is next to it */
    struct summary summary = make(s);
    assert_int_equal(summary.model_count, 1);
    assert_int_equal(summary.models[0].capacity, 6);
    assert_int_equal(summary.models[0].queued_p95, 3);
    assert_int_equal(summary.models[0].nodes, 1);
    assert_true(summary_is_only_at(&summary.models[0], &s->members[0].id));
    assert_false(summary_is_only_at(&summary.models[0], &s->members[1].id));
}

static void what_is_not_up_is_not_said(void **state)
{
    struct sample *s = *state;
    add(s, "loading", 4, 0, 0)->state = FACTS_BACKEND_LOADING;
    add(s, "down", 4, 0, 0)->state = FACTS_BACKEND_DOWN;
    add(s, "none", 0, 0, 0);
    assert_int_equal(make(s).model_count, 0);
    s->count = 0;
    assert_int_equal(make(s).model_count, 0);
}

static void versions_of_a_model_are_told_apart(void **state)
{
    struct sample *s = *state;
    add(s, "m", 4, 0, 0);
    s->models[0].version = BYTES("2");
    add(s, "m", 2, 0, 0);
    s->models[1].version = BYTES("1");
    struct summary summary = make(s);
    assert_int_equal(summary.model_count, 2);
    assert_int_equal(summary.models[0].capacity, 2);
    assert_int_equal(summary.models[1].capacity, 4);
}

static void numbers_that_overflow_stay_at_the_largest(void **state)
{
    struct sample *s = *state;
    add(s, "m", UINT32_MAX, UINT32_MAX, UINT32_MAX);
    add(s, "m", 1, 1, 1);
    assert_int_equal(make(s).models[0].capacity, UINT32_MAX);
    assert_int_equal(make(s).models[0].inflight, UINT32_MAX);
}

static void what_does_not_fit_is_left_out_least_capacity_first(void **state)
{
    struct sample *s = *state;
    static struct facts_model many[200];
    static char names[200][40];
    struct buf wire;
    add(s, "m", 1, 0, 0);
    add(s, "z-most-places-although-last-by-name", 100, 0, 0);
    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "a-model-with-a-long-name-%03zu", i);
        many[i] = (struct facts_model){.name = bytes_from_str(names[i])};
    }
    s->backends[0].models = many;
    s->backends[0].model_count = 200;
    struct summary summary = make(s);
    assert_in_range(summary.model_count, 10, SUMMARY_MODELS_MAX);
    assert_int_equal(summary.left_out, 201 - summary.model_count);
    assert_name(&summary, summary.model_count - 1, "z-most-places-although-last-by-name");
    assert_name(&summary, 0, "a-model-with-a-long-name-000");
    buf_init(&wire, FACTS_WIRE_MAX);
    assert_int_equal(summary_encode(&summary, &wire), ERR_OK);
    assert_in_range(wire.size, SUMMARY_WIRE_MAX - 80, SUMMARY_WIRE_MAX);
    buf_fini(&wire);
}

/* --- bytes */

static void what_is_said_arrives_as_it_was_said(void **state)
{
    struct sample *s = *state;
    struct summary got;
    struct buf first, second;
    add(s, "m", 4, 3, 2);
    s->models[0].version = BYTES("v1");
    add(s, "other", 2, 0, 0);
    struct summary said = make(s);
    said.left_out = 7;
    buf_init(&first, FACTS_WIRE_MAX);
    buf_init(&second, FACTS_WIRE_MAX);
    assert_int_equal(summary_encode(&said, &first), ERR_OK);
    assert_int_equal(summary_decode(buf_bytes(&first), &s->arena, &got), ERR_OK);
    assert_int_equal(summary_encode(&got, &second), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_fini(&first); /* nothing may be borrowed from it */
    buf_fini(&second);
    assert_int_equal(got.left_out, 7);
    assert_int_equal(got.model_count, 2);
    assert_name(&got, 0, "m");
    assert_true(bytes_equal(got.models[0].version, BYTES("v1")));
    assert_int_equal(got.models[0].capacity, 4);
    assert_int_equal(got.models[0].inflight, 3);
    assert_int_equal(got.models[0].queued_p50, 2);
    assert_int_equal(got.models[0].queued_p95, 2);
    assert_int_equal(got.models[0].nodes, 1);
    assert_int_equal(got.models[0].entry_count, 1);
    assert_memory_equal(got.models[0].entries, said.models[0].entries, SUMMARY_ENTRY_SIZE);
}

static void out_of_bounds_is_neither_said_nor_believed(void **state)
{
    struct sample *s = *state;
    struct summary got;
    struct buf wire;
    static const uint8_t long_wire[SUMMARY_WIRE_MAX + 1];
    struct summary_model rows[2] = {{.name = BYTES("b"), .capacity = 1, .nodes = 1},
                                    {.name = BYTES("a"), .capacity = 1, .nodes = 1}};
    struct summary summary = {rows, 2, 0};
    buf_init(&wire, FACTS_WIRE_MAX);
    assert_int_equal(summary_encode(&summary, &wire), ERR_LIMIT); /* not in order */
    rows[1].name = BYTES("b");
    assert_int_equal(summary_encode(&summary, &wire), ERR_LIMIT); /* twice */
    rows[1].name = BYTES("c");
    assert_int_equal(summary_encode(&summary, &wire), ERR_OK);
    buf_clear(&wire);
    rows[1].capacity = 0;
    assert_int_equal(summary_encode(&summary, &wire), ERR_LIMIT);
    buf_fini(&wire);
    static const uint8_t unordered[] = "\x0a\x07\x0a\x01"
                                       "b\x18\x01\x38\x01"
                                       "\x0a\x07\x0a\x01"
                                       "a\x18\x01\x38\x01";
    static const uint8_t odd_entries[] = "\x0a\x0c\x0a\x01"
                                         "b\x18\x01\x38\x01\x42\x03xyz";
    assert_int_equal(summary_decode(bytes_of(unordered, 9), &s->arena, &got), ERR_OK);
    assert_int_equal(summary_decode(bytes_of(unordered, 18), &s->arena, &got), ERR_INVALID);
    assert_int_equal(summary_decode(bytes_of(odd_entries, 14), &s->arena, &got), ERR_INVALID);
    assert_int_equal(summary_decode(bytes_of(long_wire, sizeof(long_wire)), &s->arena, &got),
                     ERR_LIMIT);
    assert_int_equal(summary_decode(BYTES("\xff\xff"), &s->arena, &got), ERR_INVALID);
    assert_int_equal(summary_decode(BYTES(""), &s->arena, &got), ERR_OK);
    assert_int_equal(got.model_count, 0);
}

/* --- believing */

static const struct summary_model honest_model = {.name = {(const uint8_t *)"m", 1},
                                                  .capacity = 8,
                                                  .inflight = 2,
                                                  .queued_p50 = 1,
                                                  .queued_p95 = 3,
                                                  .nodes = 2};
static const struct summary honest = {&honest_model, 1, 0};
static const struct summary nothing = {NULL, 0, 0};

static struct summary judge(struct sample *s, struct summary_claim *claims, size_t count)
{
    struct summary believed;
    assert_int_equal(summary_judge(claims, count, &s->arena, &believed), ERR_OK);
    return believed;
}

static void of_three_a_liar_who_adds_a_model_is_outvoted(void **state)
{
    struct sample *s = *state;
    struct summary_model lies[2] = {{.name = BYTES("gold"), .capacity = 1000, .nodes = 9},
                                    honest_model};
    struct summary lie = {lies, 2, 0};
    for (size_t liar = 0; liar < 3; liar++) {
        struct summary_claim claims[3] = {{&honest}, {&honest}, {&honest}};
        claims[liar].summary = &lie;
        struct summary believed = judge(s, claims, 3);
        assert_int_equal(believed.model_count, 1);
        assert_name(&believed, 0, "m");
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(claims[i].verdict, i == liar ? SUMMARY_OUTVOTED : SUMMARY_USED);
    }
}

static void of_three_a_liar_who_claims_endless_capacity_is_outvoted(void **state)
{
    struct sample *s = *state;
    struct summary_model boast = honest_model;
    boast.capacity = UINT32_MAX;
    boast.inflight = boast.queued_p50 = boast.queued_p95 = 0;
    boast.nodes = UINT32_MAX;
    struct summary lie = {&boast, 1, 0};
    struct summary_claim claims[3] = {{&lie}, {&honest}, {&honest}};
    struct summary believed = judge(s, claims, 3);
    assert_int_equal(believed.models[0].capacity, 8);
    assert_int_equal(believed.models[0].inflight, 2);
    assert_int_equal(believed.models[0].queued_p50, 1);
    assert_int_equal(believed.models[0].queued_p95, 3);
    assert_int_equal(believed.models[0].nodes, 2);
    assert_int_equal(claims[0].verdict, SUMMARY_OUTVOTED);
    assert_int_equal(claims[1].verdict, SUMMARY_USED);
}

static void of_three_a_liar_who_denies_a_model_is_outvoted(void **state)
{
    struct sample *s = *state;
    struct summary_claim claims[3] = {{&honest}, {&nothing}, {&honest}};
    struct summary believed = judge(s, claims, 3);
    assert_int_equal(believed.model_count, 1);
    assert_int_equal(claims[1].verdict, SUMMARY_OUTVOTED);
    struct summary full = {NULL, 0, 5}; /* it had no room for it */
    claims[1].summary = &full;
    assert_int_equal(judge(s, claims, 3).model_count, 1);
    assert_int_equal(claims[1].verdict, SUMMARY_USED);
}

static void each_number_is_the_middle_one(void **state)
{
    struct sample *s = *state;
    struct summary_model rows[3] = {honest_model, honest_model, honest_model};
    rows[0].capacity = 9, rows[0].inflight = 5, rows[0].queued_p95 = 7;
    rows[1].capacity = 7, rows[1].inflight = 4, rows[1].queued_p95 = 9;
    rows[2].capacity = 8, rows[2].inflight = 3, rows[2].queued_p95 = 8;
    struct summary said[3] = {{&rows[0], 1, 1}, {&rows[1], 1, 5}, {&rows[2], 1, 3}};
    struct summary_claim claims[3] = {{&said[0]}, {&said[1]}, {&said[2]}};
    struct summary believed = judge(s, claims, 3);
    assert_int_equal(believed.models[0].capacity, 8);
    assert_int_equal(believed.models[0].inflight, 4);
    assert_int_equal(believed.models[0].queued_p95, 8);
    assert_int_equal(believed.left_out, 3);
}

static void of_two_the_smaller_capacity_and_the_larger_load_hold(void **state)
{
    struct sample *s = *state;
    struct summary_model other = honest_model;
    other.capacity = 100;
    other.inflight = 1;
    struct summary said = {&other, 1, 0};
    struct summary_claim claims[2] = {{&said}, {&honest}};
    struct summary believed = judge(s, claims, 2);
    assert_int_equal(believed.models[0].capacity, 8);
    assert_int_equal(believed.models[0].inflight, 2);
    claims[0].summary = &nothing; /* nobody can say who of the two is right */
    assert_int_equal(judge(s, claims, 2).model_count, 1);
}

static void the_dead_are_not_asked(void **state)
{
    struct sample *s = *state;
    struct summary_model lies = {.name = BYTES("old"), .capacity = 1000, .nodes = 1};
    struct summary old = {&lies, 1, 0};
    struct summary_claim claims[3] = {
        {&old, SUMMARY_STALE_MS + 1}, {&honest, SUMMARY_STALE_MS}, {&honest, 0}};
    struct summary believed = judge(s, claims, 3);
    assert_int_equal(believed.model_count, 1);
    assert_name(&believed, 0, "m");
    assert_int_equal(claims[0].verdict, SUMMARY_STALE);
    assert_int_equal(claims[1].verdict, SUMMARY_USED);
    claims[1].age_ms = claims[2].age_ms = SUMMARY_STALE_MS + 1;
    assert_int_equal(judge(s, claims, 3).model_count, 0);
    assert_int_equal(judge(s, claims, 0).model_count, 0);
}

/* --- questions */

static void the_load_of_a_model_is_that_of_all_its_versions(void **state)
{
    struct summary_model rows[3] = {honest_model, honest_model, honest_model};
    struct summary_load load;
    rows[0].name = BYTES("a");
    rows[2].version = BYTES("2");
    struct summary_region r = {.name = "us", .believed = {rows, 3, 0}};
    assert_true(summary_load_of(&r, BYTES("m"), &load));
    assert_int_equal(load.capacity, 16);
    assert_int_equal(load.inflight, 4);
    assert_int_equal(load.queued, 4);
    assert_false(summary_load_of(&r, BYTES("b"), &load));
    assert_false(summary_load_of(&r, BYTES("z"), &load));
}

static void views_differ_where_routing_would(void **state)
{
    struct summary_model model = honest_model, again = honest_model;
    struct summary_region r = {.name = "us", .gateway_count = 1, .believed = {&model, 1, 0}};
    struct summary_region q = {.name = "us", .gateway_count = 1, .believed = {&again, 1, 0}};
    struct summary_view a = {.regions = &r, .region_count = 1};
    struct summary_view b = {.regions = &q, .region_count = 1};
    again.inflight = 7;
    assert_true(summary_offers_the_same(&a, &b));
    again.name = BYTES("n");
    assert_false(summary_offers_the_same(&a, &b));
    again = honest_model;
    q.gateways[0].bytes[0] = 1;
    assert_false(summary_offers_the_same(&a, &b));
    q = r;
    b.region_count = 0;
    assert_false(summary_offers_the_same(&a, &b));
    assert_null(summary_region_find(&b, "us"));
    assert_ptr_equal(summary_region_find(&a, "us"), &r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_model_is_summed_up_over_its_nodes),
        TEST(two_backends_of_a_node_are_one_node),
        TEST(what_is_not_up_is_not_said),
        TEST(versions_of_a_model_are_told_apart),
        TEST(numbers_that_overflow_stay_at_the_largest),
        TEST(what_does_not_fit_is_left_out_least_capacity_first),
        TEST(what_is_said_arrives_as_it_was_said),
        TEST(out_of_bounds_is_neither_said_nor_believed),
        TEST(of_three_a_liar_who_adds_a_model_is_outvoted),
        TEST(of_three_a_liar_who_claims_endless_capacity_is_outvoted),
        TEST(of_three_a_liar_who_denies_a_model_is_outvoted),
        TEST(each_number_is_the_middle_one),
        TEST(of_two_the_smaller_capacity_and_the_larger_load_hold),
        TEST(the_dead_are_not_asked),
        TEST(the_load_of_a_model_is_that_of_all_its_versions),
        TEST(views_differ_where_routing_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
