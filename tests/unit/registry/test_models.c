/* Tests of registry/models and registry/prices: models, versions, aliases, and what they imply. */
#include "registry_world.h"

static void put_two_versions(struct world *w)
{
    struct registry_op ops[] = {op_model("m"), op_version("m", "v1"), op_version("m", "v2"),
                                op_alias("a", "m", "v1", 90, "v2", 10)};
    assert_int_equal(world_say(w, ALICE, ops, 4), ERR_OK);
}

static void what_others_stand_on_is_not_taken_away(void **state)
{
    struct world *w = *state;
    put_two_versions(w);
    assert_int_equal(world_do(w, ALICE, op_remove(op_model("m"))), ERR_IN_USE);
    assert_int_equal(world_do(w, ALICE, op_remove(op_version("m", "v1"))), ERR_IN_USE);
    assert_int_equal(world_do(w, ALICE, op_move(op_version("m", "v1"), REGISTRY_ARCHIVED)),
                     ERR_IN_USE);
    assert_int_equal(world_do(w, ALICE, op_alias("a", "m", "v2", 1, NULL, 0)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_move(op_version("m", "v1"), REGISTRY_ARCHIVED)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_version("m", "v1"))), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_alias("a", "", "", 0, NULL, 0))), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_version("m", "v2"))), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_model("m"))), ERR_OK);
}

static void a_version_is_revoked_at_once_and_for_good(void **state)
{
    struct world *w = *state;
    put_two_versions(w);
    assert_int_equal(world_do(w, ALICE, op_move(op_version("m", "v1"), REGISTRY_VERSION_REVOKED)),
                     ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_move(op_version("m", "v1"), REGISTRY_PRODUCTION)),
                     ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_version("m", "v1")), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_alias("b", "m", "v1", 1, NULL, 0)), ERR_INVALID);
    assert_string_equal(w->result.fault.field, "ops[0].alias.targets");
}

static void aliases_lead_to_versions_that_are_there(void **state)
{
    struct world *w = *state;
    put_two_versions(w);
    assert_int_equal(world_do(w, ALICE, op_alias("b", "m", "v3", 1, NULL, 0)), ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, op_alias("b", "m", "v1", 1, "v1", 1)), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_version("n", "v1")), ERR_NOT_FOUND);
}

static void models_and_aliases_share_their_names(void **state)
{
    struct world *w = *state;
    put_two_versions(w);
    assert_int_equal(world_do(w, ALICE, op_model("a")), ERR_EXISTS);
    assert_int_equal(world_do(w, ALICE, op_alias("m", "m", "v1", 1, NULL, 0)), ERR_EXISTS);
}

struct tally {
    size_t count;
    char names[8][16];
};

static bool add_name(void *ctx, const struct registry_row *row)
{
    struct tally *t = ctx;
    bytes_to_str(row->kind == REGISTRY_ALIAS ? row->doc.alias.name : row->doc.version.name,
                 t->names[t->count++], 16);
    return true;
}

static void lists_are_of_one_model_and_in_order(void **state)
{
    struct world *w = *state;
    struct tally t = {0};
    put_two_versions(w);
    struct registry_op ops[] = {op_model("m2"), op_version("m2", "v9"), op_model("m/x"),
                                op_version("m/x", "v0")};
    assert_int_equal(world_say(w, ALICE, ops, 4), ERR_OK);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_scan(reader, REGISTRY_VERSION, TEXT("m"), add_name, &t), ERR_OK);
    assert_int_equal(t.count, 2);
    assert_string_equal(t.names[0], "v1");
    assert_string_equal(t.names[1], "v2");
    t.count = 0;
    assert_int_equal(registry_scan(reader, REGISTRY_VERSION, NO_BYTES, add_name, &t), ERR_OK);
    assert_int_equal(t.count, 4);
    t.count = 0;
    assert_int_equal(registry_find_all(reader, REGISTRY_ALIAS_BY_MODEL, TEXT("m"), add_name, &t),
                     ERR_OK);
    assert_int_equal(t.count, 1);
    assert_string_equal(t.names[0], "a");
    registry_reader_close(reader);
}

/* --- pure --- */

static void an_alias_splits_by_weight_and_stays_with_a_request(void **state)
{
    struct registry_op op = op_alias("a", "m", "v1", 90, "v2", 10);
    const struct registry_alias *alias = &op.doc.alias;
    size_t counts[3] = {0};
    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        uint8_t hash[CRYPTO_HASH_SIZE];
        uint64_t point;
        crypto_hash(bytes_of(&i, sizeof(i)), hash);
        memcpy(&point, hash, sizeof(point));
        counts[registry_alias_choose(alias, point, 3)]++;
        assert_int_equal(registry_alias_choose(alias, point, 3),
                         registry_alias_choose(alias, point, 3));
    }
    assert_int_equal(counts[2], 0);
    assert_in_range(counts[1], 850, 1150);
    assert_int_equal(registry_alias_choose(alias, 99, 3), 1);
    assert_int_equal(registry_alias_choose(alias, 89, 3), 0);
    assert_int_equal(registry_alias_choose(alias, 5, 2), 1); /* the first is not usable */
    assert_int_equal(registry_alias_choose(alias, 5, 0), 2);
}

static void a_version_fits_where_its_hardware_is(void **state)
{
    struct registry_version v = {
        .accelerators = {TEXT("cuda"), TEXT("rocm")}, .accelerator_count = 2, .memory_bytes = 24};
    struct registry_node node = {.memory_bytes = 64};
    (void)state;
    assert_false(registry_version_fits_hardware(&v, &node));
    node.accelerators[0] =
        (struct registry_accelerator){.kind = TEXT("rocm"), .count = 1, .memory_bytes = 16};
    node.accelerator_count = 1;
    assert_false(registry_version_fits_hardware(&v, &node));
    node.accelerators[0].memory_bytes = 24;
    assert_true(registry_version_fits_hardware(&v, &node));
    v.accelerator_count = 0;
    assert_true(registry_version_fits_hardware(&v, &node));
    v.memory_bytes = 65;
    assert_false(registry_version_fits_hardware(&v, &node));
}

static void regions_and_stages_allow(void **state)
{
    const struct bytes regions[] = {TEXT("eu-west"), TEXT("eu-east")};
    struct registry_version v = {.stage = REGISTRY_STAGING};
    (void)state;
    assert_true(registry_region_is_allowed(NULL, 0, TEXT("us")));
    assert_true(registry_region_is_allowed(regions, 2, TEXT("eu-east")));
    assert_false(registry_region_is_allowed(regions, 2, TEXT("us")));
    assert_true(registry_version_is_routable(&v));
    v.stage = REGISTRY_ARCHIVED;
    assert_false(registry_version_is_routable(&v));
    v.stage = REGISTRY_VERSION_REVOKED;
    assert_false(registry_version_is_routable(&v));
}

/* --- prices --- */

static struct registry_op op_price(const char *name, const char *node, const char *model,
                                   const char *region, uint64_t price)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_PRICE};
    op.doc.price = (struct registry_price){.name = TEXT(name),
                                           .node = TEXT(node),
                                           .model = TEXT(model),
                                           .region = TEXT(region),
                                           .per_1k_output_tokens = price};
    return op;
}

static uint64_t price_of(struct world *w, const struct registry_node *node, const char *model)
{
    struct registry_row row;
    struct registry_reader *reader = world_reader(w);
    enum err e = registry_price_find(reader, node, TEXT(model), &row);
    uint64_t price = e == ERR_OK ? row.doc.price.per_1k_output_tokens : 0;
    registry_reader_close(reader);
    return price;
}

static void the_most_particular_price_applies(void **state)
{
    struct world *w = *state;
    const struct registry_node node = {
        .name = TEXT("n1"), .region = TEXT("eu-west"), .tier = REGISTRY_TIER_EDGE};
    assert_int_equal(price_of(w, &node, "m"), 0);
    struct registry_op ops[] = {
        op_price("a", "", "", "", 1),      op_price("b", "", "", "eu-west", 2),
        op_price("c", "", "m", "", 3),     op_price("d", "n1", "", "", 4),
        op_price("e", "n2", "m", "us", 5),
    };
    ops[4].doc.price.tier = REGISTRY_TIER_CLOUD;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(world_do(w, ALICE, ops[i]), ERR_OK);
        assert_int_equal(price_of(w, &node, "m"), i < 4 ? i + 1 : 4);
    }
    assert_int_equal(world_do(w, ALICE, op_remove(ops[3])), ERR_OK);
    assert_int_equal(price_of(w, &node, "other"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(what_others_stand_on_is_not_taken_away),
        IN_WORLD(a_version_is_revoked_at_once_and_for_good),
        IN_WORLD(aliases_lead_to_versions_that_are_there),
        IN_WORLD(models_and_aliases_share_their_names),
        IN_WORLD(lists_are_of_one_model_and_in_order),
        cmocka_unit_test(an_alias_splits_by_weight_and_stays_with_a_request),
        cmocka_unit_test(a_version_fits_where_its_hardware_is),
        cmocka_unit_test(regions_and_stages_allow),
        IN_WORLD(the_most_particular_price_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
