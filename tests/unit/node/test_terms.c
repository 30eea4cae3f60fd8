/* What the registry says of one deployment: where it may be asked, and that whoever cannot be
 * judged is not asked. A naive reading of the rules must agree in random worlds. */
#include "node/routing/terms.h"
#include "tests/unit/registry/registry_world.h"

#include "base/rng.h"

struct deployment {
    const char *model, *version, *region;
    int node; /* a person; -1: seen through a gateway */
};

static enum err judge(struct world *w, struct deployment d, char ret_version[64])
{
    struct registry_reader *reader = world_reader(w);
    struct bytes version;
    struct terms_deployment asked = {.reader = reader,
                                     .model = TEXT(d.model),
                                     .version = TEXT(d.version),
                                     .region = d.region,
                                     .node = d.node < 0 ? NULL : &w->people[d.node].id};
    enum err e = terms_judge(&asked, &version);
    if (ret_version)
        bytes_to_str(version, ret_version, 64);
    registry_reader_close(reader);
    return e;
}

static void put(struct world *w, struct registry_op op)
{
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
}

static struct registry_op in_region(struct registry_op op, const char *region)
{
    op.doc.version.regions[0] = TEXT(region);
    op.doc.version.region_count = 1;
    return op;
}

static int setup(void **state)
{
    if (world_set_up(state) != 0)
        return -1;
    put(*state, op_node(&((struct world *)*state)->people[BOB], "bob"));
    return 0;
}

static const struct deployment here = {"m", "", "eu-west", BOB};

static struct deployment of_version(const char *version)
{
    return (struct deployment){"m", version, "eu-west", BOB};
}

static void a_model_that_nobody_registered_may_be_asked(void **state)
{
    struct world *w = *state;
    assert_int_equal(judge(w, here, NULL), ERR_OK);
    put(w, op_setting("models.registered_only", "true"));
    assert_int_equal(judge(w, here, NULL), ERR_NOT_ALLOWED);
    put(w, op_model("m"));
    assert_int_equal(judge(w, here, NULL), ERR_OK);
}

static void without_rules_everything_may(void **state)
{
    struct bytes version;
    struct terms_deployment d = {.model = TEXT("m"), .version = TEXT("v1"), .region = "x"};
    assert_int_equal(terms_judge(&d, &version), ERR_OK);
    assert_true(bytes_equal(version, TEXT("v1")));
}

static void the_only_version_is_meant_where_a_node_says_none(void **state)
{
    struct world *w = *state;
    char version[64];
    put(w, op_model("m"));
    put(w, op_version("m", "v1"));
    assert_int_equal(judge(w, here, version), ERR_OK);
    assert_string_equal(version, "v1");
    put(w, op_version("m", "v2"));
    assert_int_equal(judge(w, here, NULL), ERR_NOT_ALLOWED);
    assert_int_equal(judge(w, of_version("v2"), version), ERR_OK);
    assert_string_equal(version, "v2");
    assert_int_equal(judge(w, of_version("v3"), NULL), ERR_NOT_ALLOWED);
}

static void a_stage_that_is_not_routed_to_is_barred(void **state)
{
    struct world *w = *state;
    put(w, op_model("m"));
    put(w, op_version("m", "v1"));
    put(w, op_move(op_version("m", "v1"), REGISTRY_ARCHIVED));
    assert_int_equal(judge(w, here, NULL), ERR_REVOKED);
    put(w, op_move(op_version("m", "v1"), REGISTRY_PRODUCTION));
    assert_int_equal(judge(w, here, NULL), ERR_OK);
    put(w, op_move(op_version("m", "v1"), REGISTRY_VERSION_REVOKED));
    assert_int_equal(judge(w, here, NULL), ERR_REVOKED);
}

static void a_version_stays_in_its_regions(void **state)
{
    struct world *w = *state;
    put(w, op_model("m"));
    put(w, in_region(op_version("m", "v1"), "us-east"));
    assert_int_equal(judge(w, here, NULL), ERR_RESIDENCY);
    put(w, in_region(op_version("m", "v1"), "eu-west"));
    assert_int_equal(judge(w, here, NULL), ERR_OK);
    assert_int_equal(judge(w, (struct deployment){"m", "v1", "us-east", -1}, NULL), ERR_RESIDENCY);
    assert_int_equal(judge(w, (struct deployment){"m", "v1", "eu-west", -1}, NULL), ERR_OK);
}

static void hardware_must_fit(void **state)
{
    struct world *w = *state;
    struct registry_op version = op_version("m", "v1");
    version.doc.version.accelerators[0] = TEXT("cuda");
    version.doc.version.accelerator_count = 1;
    version.doc.version.memory_bytes = 8ull << 30;
    put(w, op_model("m"));
    put(w, version);
    assert_int_equal(judge(w, here, NULL), ERR_NOT_ALLOWED);
    struct registry_op node = op_node(&w->people[BOB], "bob");
    node.doc.node.accelerators[0] =
        (struct registry_accelerator){.kind = TEXT("cuda"), .count = 1, .memory_bytes = 8ull << 30};
    node.doc.node.accelerator_count = 1;
    put(w, node);
    assert_int_equal(judge(w, here, NULL), ERR_OK);
}

static void nodes_that_are_drained_revoked_or_unknown_are_barred(void **state)
{
    struct world *w = *state;
    struct registry_op node = op_node(&w->people[BOB], "bob");
    put(w, op_move(node, REGISTRY_DRAINED));
    assert_int_equal(judge(w, here, NULL), ERR_DRAINING);
    put(w, op_move(node, REGISTRY_ADMITTED));
    assert_int_equal(judge(w, here, NULL), ERR_OK);
    put(w, op_move(node, REGISTRY_NODE_REVOKED));
    assert_int_equal(judge(w, here, NULL), ERR_REVOKED);
    assert_int_equal(judge(w, (struct deployment){"m", "", "eu-west", CAROL}, NULL),
                     ERR_NOT_ALLOWED);
}

/* --- random worlds: regions and stages of two versions, judged by reading the table again */

static const char *const regions[] = {"eu-west", "us-east", "ap-south"};
static const char *const versions[] = {"v1", "v2"};

struct table {
    bool is_there[2], is_routable[2], is_bound[2];
    const char *region[2];
};

static void draw(struct world *w, struct rng *rng, struct table *t)
{
    for (int i = 0; i < 2; i++) {
        struct registry_op op = op_version("m", versions[i]);
        t->is_there[i] = rng_below(rng, 4) > 0;
        t->is_routable[i] = rng_below(rng, 3) > 0;
        t->is_bound[i] = rng_below(rng, 2) > 0;
        t->region[i] = regions[rng_below(rng, 3)];
        op.doc.version.stage = t->is_routable[i] ? REGISTRY_PRODUCTION : REGISTRY_ARCHIVED;
        if (t->is_there[i])
            put(w, t->is_bound[i] ? in_region(op, t->region[i]) : op);
        else
            assert_true(world_do(w, ALICE, op_remove(op)) != ERR_INVALID);
    }
}

static bool may(const struct table *t, int version, const char *region)
{
    return t->is_there[version] && t->is_routable[version] &&
           (!t->is_bound[version] || strcmp(t->region[version], region) == 0);
}

static void a_naive_reading_agrees_in_random_worlds(void **state)
{
    struct world *w = *state;
    struct rng rng;
    rng_init(&rng, 7);
    put(w, op_model("m"));
    for (int round = 0; round < 200; round++) {
        struct table t;
        draw(w, &rng, &t);
        for (int v = 0; v < 2; v++)
            for (int r = 0; r < 3; r++) {
                struct deployment d = {"m", versions[v], regions[r], BOB};
                assert_int_equal(judge(w, d, NULL) == ERR_OK, may(&t, v, regions[r]));
                d.node = -1;
                assert_int_equal(judge(w, d, NULL) == ERR_OK, may(&t, v, regions[r]));
            }
    }
}

#define TEST_(name) cmocka_unit_test_setup_teardown(name, setup, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_(a_model_that_nobody_registered_may_be_asked),
        TEST_(without_rules_everything_may),
        TEST_(the_only_version_is_meant_where_a_node_says_none),
        TEST_(a_stage_that_is_not_routed_to_is_barred),
        TEST_(a_version_stays_in_its_regions),
        TEST_(hardware_must_fit),
        TEST_(nodes_that_are_drained_revoked_or_unknown_are_barred),
        TEST_(a_naive_reading_agrees_in_random_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
