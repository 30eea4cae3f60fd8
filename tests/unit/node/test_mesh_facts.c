/* Facts: what is said arrives as it was said; what is out of bounds is neither said nor
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/mesh/facts.h"
#include "tests/support/trust_fixture.h"

struct sample {
    struct facts_model models[3];
    struct facts_backend backends[2];
    struct facts facts;
};

static void init(struct sample *s)
{
    *s = (struct sample){
        .models = {{.name = BYTES("qwen2"),
                    .version = BYTES("1"),
                    .owned_by = BYTES("lab"),
                    .created = 1700000000,
                    .loaded = true,
                    .context = 4096,
                    .slots = 4},
                   {.name = BYTES("tiny"), .context = -1, .slots = -1},
                   {.name = BYTES("other"), .context = 0, .slots = 0}},
        .backends = {{.name = BYTES("llama"),
                      .kind = BYTES("llamacpp"),
                      .state = FACTS_BACKEND_UP,
                      .inflight = 3,
                      .queued = 2,
                      .concurrency = 4,
                      .model_count = 2},
                     {.name = BYTES("b"),
                      .kind = BYTES("openai"),
                      .state = FACTS_BACKEND_DOWN,
                      .model_count = 1}},
        .facts = {.name = BYTES("edge-1"),
                  .region = BYTES("eu-west"),
                  .zone = BYTES("shop-14"),
                  .tier = TIER_EDGE,
                  .version = BYTES("0.1.0"),
                  .mesh_addr = BYTES("127.0.0.1:7300"),
                  .http_addr = BYTES("127.0.0.1:7380"),
                  .boot_ms = 1795000000000,
                  .rules = {.is_known = true,
                            .epoch = 7,
                            .applied = 40,
                            .commit = 41,
                            .is_voter = true,
                            .has_state_hash = true,
                            .state_hash = {0xaa, [31] = 0xbb}},
                  .draining = true,
                  .load = {5, 6, 7},
                  .backend_count = 2},
    };
    s->backends[0].models = s->models;
    s->backends[1].models = s->models + 2;
    s->facts.backends = s->backends;
}

static void assert_text(struct bytes got, struct bytes want)
{
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
}

static struct facts_node node_of(const struct sample *s)
{
    const struct facts *f = &s->facts;
    return (struct facts_node){.name = f->name,
                               .region = f->region,
                               .zone = f->zone,
                               .tier = f->tier,
                               .version = f->version,
                               .mesh_addr = f->mesh_addr,
                               .http_addr = f->http_addr,
                               .boot_ms = f->boot_ms,
                               .chain = BYTES("a chain"),
                               .via = {{{1}}, {{2}}, {{3}}},
                               .via_count = 3};
}

/* Encodes and decodes, and leaves the result in the arena. */
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

static enum err pass_inventory(const struct facts *f, struct arena *arena,
                               struct facts_inventory *ret_inventory)
{
    struct buf wire;
    buf_init(&wire, FACTS_WIRE_MAX);
    enum err e = facts_inventory_encode(f, &wire);
    if (e == ERR_OK)
        e = facts_inventory_decode(buf_bytes(&wire), arena, ret_inventory);
    buf_fini(&wire);
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

static void who_it_is_arrives_as_it_was_said(void **state)
{
    struct sample s;
    struct arena arena;
    struct facts_node got;
    init(&s);
    struct facts_node said = node_of(&s);
    arena_init(&arena, 1 << 20);
    assert_int_equal(pass_node(&said, &arena, &got), ERR_OK);
    assert_text(got.name, said.name);
    assert_text(got.region, said.region);
    assert_text(got.zone, said.zone);
    assert_text(got.version, said.version);
    assert_text(got.mesh_addr, said.mesh_addr);
    assert_text(got.http_addr, said.http_addr);
    assert_text(got.chain, said.chain);
    assert_int_equal(got.tier, TIER_EDGE);
    assert_int_equal(got.boot_ms, said.boot_ms);
    assert_int_equal(got.via_count, 3);
    assert_memory_equal(got.via, said.via, sizeof(got.via));
    arena_fini(&arena);
}

static void what_it_serves_arrives_as_it_was_said(void **state)
{
    struct sample s;
    struct arena arena;
    struct facts_inventory got;
    init(&s);
    arena_init(&arena, 1 << 20);
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_OK);
    assert_int_equal(got.backend_count, 2);
    assert_text(got.backends[0].name, BYTES("llama"));
    assert_text(got.backends[0].kind, BYTES("llamacpp"));
    assert_int_equal(got.backends[0].state, FACTS_BACKEND_UP);
    assert_int_equal(got.backends[0].concurrency, 4);
    assert_int_equal(got.backends[0].model_count, 2);
    assert_int_equal(got.backends[1].state, FACTS_BACKEND_DOWN);
    const struct facts_model *m = got.backends[0].models;
    assert_text(m[0].owned_by, BYTES("lab"));
    assert_int_equal(m[0].created, 1700000000);
    assert_true(m[0].loaded);
    assert_int_equal(m[0].context, 4096);
    assert_int_equal(m[0].slots, 4);
    arena_fini(&arena);
}

static void how_busy_it_is_arrives_as_it_was_said(void **state)
{
    struct sample s;
    struct facts_report got;
    init(&s);
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_memory_equal(&got.load, &s.facts.load, sizeof(got.load));
    assert_true(facts_rules_equal(&got.rules, &s.facts.rules));
    assert_int_equal(got.rules.state_hash[31], 0xbb);
    assert_true(got.draining);
    assert_int_equal(got.backend_count, 2);
    assert_int_equal(got.backends[0].inflight, 3);
    assert_int_equal(got.backends[0].queued, 2);
    assert_int_equal(got.backends[1].inflight, 0);
}

static void whom_it_accuses_arrives_as_it_was_said(void **state)
{
    uint64_t hashes[FACTS_ACCUSED_MAX + 1] = {1, UINT64_MAX, 0};
    struct sample s;
    struct facts_report got;
    init(&s);
    s.facts.accused = hashes;
    s.facts.accused_count = 3;
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.accused_count, 3);
    assert_memory_equal(got.accused, hashes, 3 * sizeof hashes[0]);
    s.facts.accused_count = FACTS_ACCUSED_MAX + 1; /* of too many the first ones */
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.accused_count, FACTS_ACCUSED_MAX);
    s.facts.accused_count = 0;
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.accused_count, 0);
}

/* It is the usual node, and its load is what gossip spends most on. */
static void of_a_single_backend_the_node_s_numbers_are_said_once(void **state)
{
    struct sample s;
    struct facts_report got;
    init(&s);
    s.facts.backend_count = 1;
    s.facts.load = (struct facts_load){3, 2, 4};
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.backend_count, 0);
    s.backends[0].queued = 1;
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_int_equal(got.backend_count, 1);
    assert_int_equal(got.backends[0].queued, 1);
}

static void rules_that_are_not_known_are_not_zero(void **state)
{
    struct sample s;
    struct facts_report got;
    init(&s);
    s.facts.rules = (struct facts_rules){.is_known = true};
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_true(got.rules.is_known && !got.rules.has_state_hash);
    assert_int_equal(got.rules.epoch + got.rules.applied + got.rules.commit, 0);
    s.facts.rules.is_known = false;
    assert_int_equal(pass_report(&s.facts, &got), ERR_OK);
    assert_false(got.rules.is_known);
}

/* Else every change of the load would have to carry the inventory. */
static void the_inventory_says_nothing_of_the_load(void **state)
{
    struct sample s;
    struct buf idle, busy;
    init(&s);
    buf_init(&idle, FACTS_WIRE_MAX);
    buf_init(&busy, FACTS_WIRE_MAX);
    assert_int_equal(facts_inventory_encode(&s.facts, &idle), ERR_OK);
    s.backends[0].inflight = 77;
    s.facts.load.inflight = 77;
    assert_int_equal(facts_inventory_encode(&s.facts, &busy), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&idle), buf_bytes(&busy)));
    buf_fini(&idle);
    buf_fini(&busy);
}

static void what_is_not_known_stays_not_known_and_is_not_zero(void **state)
{
    struct sample s;
    struct arena arena;
    struct facts_inventory got;
    init(&s);
    arena_init(&arena, 1 << 20);
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_OK);
    assert_int_equal(got.backends[0].models[1].context, -1);
    assert_int_equal(got.backends[0].models[1].slots, -1);
    assert_int_equal(got.backends[1].models[0].context, 0);
    assert_int_equal(got.backends[1].models[0].slots, 0);
    assert_int_equal(got.backends[0].models[1].version.size, 0);
    arena_fini(&arena);
}

static void a_node_without_backends_has_facts_too(void **state)
{
    struct sample s;
    struct arena arena;
    struct facts_inventory inventory;
    struct facts_report report;
    init(&s);
    arena_init(&arena, 1 << 20);
    s.facts.backend_count = 0;
    s.facts.backends = NULL;
    assert_int_equal(pass_inventory(&s.facts, &arena, &inventory), ERR_OK);
    assert_int_equal(inventory.backend_count, 0);
    assert_int_equal(pass_report(&s.facts, &report), ERR_OK);
    assert_int_equal(report.backend_count, 0);
    arena_fini(&arena);
}

/* So that it fits a datagram with room to spare. */
static void who_it_is_stays_below_a_thousand_bytes(void **state)
{
    struct fixture f;
    struct identity identity;
    struct sample s;
    struct buf wire;
    assert_int_equal(crypto_init(), ERR_OK);
    fixture_init(&f, 1);
    fixture_identity(&f, 50, "frankfurt-rack-17", TIER_REGIONAL, "eu-central-1", &identity);
    init(&s);
    struct facts_node n = node_of(&s);
    n.chain = bytes_of(identity.chain, identity.chain_size);
    buf_init(&wire, FACTS_WIRE_MAX);
    assert_int_equal(facts_node_encode(&n, &wire), ERR_OK);
    assert_true(wire.size < 1000);
    buf_fini(&wire);
}

static void more_than_the_limits_is_not_said(void **state)
{
    static struct facts_backend many[FACTS_BACKENDS_MAX + 1];
    static struct facts_model models[FACTS_MODELS_MAX + 1];
    static const uint8_t name[FACTS_MODEL_NAME_MAX + 1] = {'x'};
    struct sample s;
    struct arena arena;
    struct facts_inventory got;
    struct facts_report report;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < FACTS_BACKENDS_MAX + 1; i++)
        many[i] = (struct facts_backend){.name = BYTES("b"), .kind = BYTES("auto")};
    for (size_t i = 0; i < FACTS_MODELS_MAX + 1; i++)
        models[i] = (struct facts_model){.name = BYTES("m")};
    init(&s);
    s.facts.backends = many;
    s.facts.backend_count = FACTS_BACKENDS_MAX;
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_OK);
    assert_int_equal(pass_report(&s.facts, &report), ERR_OK);
    s.facts.backend_count++;
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_LIMIT);
    assert_int_equal(pass_report(&s.facts, &report), ERR_LIMIT);
    init(&s);
    s.backends[0].models = models;
    s.backends[0].model_count = FACTS_MODELS_MAX - 1;
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_OK);
    s.backends[0].model_count = FACTS_MODELS_MAX;
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_LIMIT);
    init(&s);
    s.models[0].name = bytes_of(name, sizeof(name));
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_LIMIT);
    arena_fini(&arena);
}

static void facts_that_would_not_fit_the_wire_are_not_said(void **state)
{
    static struct facts_model models[FACTS_MODELS_MAX];
    static const uint8_t name[FACTS_MODEL_NAME_MAX] = {'x'};
    struct sample s;
    struct arena arena;
    struct facts_inventory got;
    struct bytes text = bytes_of(name, sizeof(name));
    arena_init(&arena, 1 << 20);
    init(&s);
    for (size_t i = 0; i < FACTS_MODELS_MAX; i++)
        models[i] = (struct facts_model){.name = text, .owned_by = text};
    s.facts.backend_count = 1;
    s.backends[0].models = models;
    s.backends[0].model_count = FACTS_MODELS_MAX;
    assert_int_equal(pass_inventory(&s.facts, &arena, &got), ERR_LIMIT);
    arena_fini(&arena);
}

static void what_does_not_fit_is_cut_and_the_rest_is_said(void **state)
{
    static struct facts_model models[FACTS_MODELS_MAX];
    static const uint8_t name[FACTS_MODEL_NAME_MAX] = {'x'};
    for (size_t size = 1; size <= FACTS_MODEL_NAME_MAX; size++) {
        struct facts_backend backends[FACTS_BACKENDS_MAX];
        struct sample s;
        struct arena arena;
        struct facts cut;
        struct facts_inventory f;
        struct bytes text = bytes_of(name, size);
        init(&s);
        for (size_t i = 0; i < FACTS_MODELS_MAX; i++)
            models[i] = (struct facts_model){.name = text,
                                             .version = text,
                                             .owned_by = text,
                                             .created = INT64_MAX,
                                             .loaded = true,
                                             .context = INT64_MAX,
                                             .slots = INT64_MAX};
        for (size_t i = 0; i < 2; i++) {
            s.backends[i].models = models;
            s.backends[i].model_count = FACTS_MODELS_MAX;
        }
        facts_cut(&s.facts, backends, &cut);
        arena_init(&arena, 1 << 20);
        assert_int_equal(pass_inventory(&cut, &arena, &f), ERR_OK);
        size_t most = (FACTS_WIRE_MAX - 2048) / (3 * size + 48);
        assert_true(f.backends[0].model_count + f.backends[1].model_count >=
                    (most < FACTS_MODELS_MAX ? most : FACTS_MODELS_MAX));
        assert_int_equal(f.backend_count, 2);
        arena_fini(&arena);
    }
}

static void what_fits_is_not_cut(void **state)
{
    struct facts_backend backends[FACTS_BACKENDS_MAX];
    struct sample s;
    struct facts cut;
    init(&s);
    facts_cut(&s.facts, backends, &cut);
    assert_int_equal(cut.backends[0].model_count, 2);
    assert_int_equal(cut.backends[1].model_count, 1);
    assert_true(facts_offer_the_same(&s.facts, &cut));
    backends[1].state = FACTS_BACKEND_UP;
    assert_false(facts_offer_the_same(&s.facts, &cut));
    backends[1].state = FACTS_BACKEND_DOWN;
    backends[0].model_count--;
    assert_false(facts_offer_the_same(&s.facts, &cut));
}

/* Field numbers and wire types as in wire.proto. */
static void misshapen_nodes_are_not_believed(void **state)
{
    static const struct {
        const char *wire;
        size_t size;
    } rows[] = {
        {"", 0}, /* no name */
        {"\x0a\x06"
         "edge_1",
         8}, /* a name that is none */
        {"\x0a\x06"
         "edge",
         6}, /* torn */
        {"\x0a\x01"
         "a"
         "\x20\x04",
         5}, /* tier 4 */
        {"\x0a\x01"
         "a"
         "\x52\x01"
         "x",
         6}, /* an id of one byte */
        {"\x0a\x01"
         "a"
         "\x52\x00\x52\x00\x52\x00\x52\x00",
         11}, /* four of them */
        {"\xff\xff\xff\xff\xff\xff", 6},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct facts_node n;
        arena_init(&arena, 1 << 20);
        assert_int_equal(facts_node_decode(bytes_of(rows[i].wire, rows[i].size), &arena, &n),
                         ERR_INVALID);
        arena_fini(&arena);
    }
}

static void misshapen_inventories_are_not_believed(void **state)
{
    static const struct {
        const char *wire;
        size_t size;
    } rows[] = {
        {"\x0a\x00", 2}, /* a backend without a name */
        {"\x0a\x05\x0a\x01"
         "b"
         "\x18\x04",
         7}, /* backend state 4 */
        {"\x0a\x05\x0a\x01"
         "b"
         "\x2a\x00",
         7}, /* a model without a name */
        {"\xff\xff\xff\xff\xff\xff", 6},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct facts_inventory inventory;
        arena_init(&arena, 1 << 20);
        assert_int_equal(
            facts_inventory_decode(bytes_of(rows[i].wire, rows[i].size), &arena, &inventory),
            ERR_INVALID);
        arena_fini(&arena);
    }
}

static void misshapen_reports_are_not_believed(void **state)
{
    static uint8_t many[2 * (3 + FACTS_BACKENDS_MAX + 1)];
    struct facts_report r;
    assert_int_equal(facts_report_decode(BYTES("\x32\x01\x01"), &r), ERR_INVALID); /* no queues */
    assert_int_equal(facts_report_decode(BYTES("\x32\x05\x01"), &r), ERR_INVALID);
    assert_int_equal(facts_report_decode(BYTES("\x42\x03\x22\x01\xaa"), &r),
                     ERR_INVALID); /* hash */
    static uint8_t accused[2 + 8 * (FACTS_ACCUSED_MAX + 1)];
    accused[0] = 0x52;
    accused[1] = 8 * (FACTS_ACCUSED_MAX + 1);
    assert_int_equal(facts_report_decode(bytes_of(accused, sizeof accused), &r), ERR_INVALID);
    many[0] = 0x32;
    many[1] = FACTS_BACKENDS_MAX + 1;
    many[2 + many[1]] = 0x3a;
    many[3 + many[1]] = FACTS_BACKENDS_MAX + 1;
    size_t size = 2 * (2 + (size_t)many[1]);
    assert_int_equal(facts_report_decode(bytes_of(many, size), &r), ERR_INVALID);
}

/* A node that refutes before it had anything to say. */
static void an_empty_report_is_one_of_zeros(void **state)
{
    struct facts_report r;
    assert_int_equal(facts_report_decode(bytes_of(NULL, 0), &r), ERR_OK);
    assert_int_equal(r.load.inflight + r.load.queued + r.load.capacity, 0);
    assert_false(r.draining);
    assert_int_equal(r.backend_count, 0);
}

static void a_flood_of_empty_elements_is_refused_within_bounds(void **state)
{
    static uint8_t wire[FACTS_WIRE_MAX];
    struct arena arena;
    struct facts_inventory inventory;
    struct facts_node n;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(wire); i += 2)
        wire[i] = 0x0a; /* an empty backend */
    assert_int_equal(facts_inventory_decode(bytes_of(wire, sizeof(wire)), &arena, &inventory),
                     ERR_INVALID);
    for (size_t i = 0; i < sizeof(wire); i += 2)
        wire[i] = 0x52; /* an empty id */
    assert_int_equal(facts_node_decode(bytes_of(wire, sizeof(wire)), &arena, &n), ERR_INVALID);
    arena_fini(&arena);
}

static void load_as_text_comes_back(void **state)
{
    struct facts_load load = {UINT32_MAX, 0, 17}, back;
    char text[40];
    facts_load_to_text(&load, text);
    assert_string_equal(text, "4294967295/0/17");
    assert_int_equal(facts_load_parse(bytes_from_str(text), &back), ERR_OK);
    assert_memory_equal(&load, &back, sizeof(load));
    load = (struct facts_load){UINT32_MAX, UINT32_MAX, UINT32_MAX};
    facts_load_to_text(&load, text);
    assert_int_equal(strlen(text), 32);
}

static void text_that_is_no_load_is_refused(void **state)
{
    const char *bad[] = {
        "",      "1",     "1/2",    "1/2/3/4", "1/2/",           "/2/3",
        "1//3",  "a/2/3", "-1/2/3", "1/2/3 ",  "4294967296/0/0", "99999999999999999999/0/0",
        "1/2/+3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct facts_load load = {9, 9, 9};
        assert_int_equal(facts_load_parse(bytes_from_str(bad[i]), &load), ERR_INVALID);
        assert_int_equal(load.inflight, 9);
    }
}

static void states_have_the_names_of_the_contract(void **state)
{
    assert_string_equal(facts_backend_state_name(FACTS_BACKEND_UNKNOWN), "unknown");
    assert_string_equal(facts_backend_state_name(FACTS_BACKEND_UP), "up");
    assert_string_equal(facts_backend_state_name(FACTS_BACKEND_LOADING), "loading");
    assert_string_equal(facts_backend_state_name(FACTS_BACKEND_DOWN), "down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_it_is_arrives_as_it_was_said),
        cmocka_unit_test(what_it_serves_arrives_as_it_was_said),
        cmocka_unit_test(how_busy_it_is_arrives_as_it_was_said),
        cmocka_unit_test(whom_it_accuses_arrives_as_it_was_said),
        cmocka_unit_test(of_a_single_backend_the_node_s_numbers_are_said_once),
        cmocka_unit_test(rules_that_are_not_known_are_not_zero),
        cmocka_unit_test(the_inventory_says_nothing_of_the_load),
        cmocka_unit_test(what_is_not_known_stays_not_known_and_is_not_zero),
        cmocka_unit_test(a_node_without_backends_has_facts_too),
        cmocka_unit_test(who_it_is_stays_below_a_thousand_bytes),
        cmocka_unit_test(more_than_the_limits_is_not_said),
        cmocka_unit_test(facts_that_would_not_fit_the_wire_are_not_said),
        cmocka_unit_test(what_does_not_fit_is_cut_and_the_rest_is_said),
        cmocka_unit_test(what_fits_is_not_cut),
        cmocka_unit_test(misshapen_nodes_are_not_believed),
        cmocka_unit_test(misshapen_inventories_are_not_believed),
        cmocka_unit_test(misshapen_reports_are_not_believed),
        cmocka_unit_test(an_empty_report_is_one_of_zeros),
        cmocka_unit_test(a_flood_of_empty_elements_is_refused_within_bounds),
        cmocka_unit_test(load_as_text_comes_back),
        cmocka_unit_test(text_that_is_no_load_is_refused),
        cmocka_unit_test(states_have_the_names_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
