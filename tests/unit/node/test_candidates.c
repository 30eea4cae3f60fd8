/* The index from a model's name to those who serve it: what gets in, when it is built anew. */
#include "lane_fixture.h"

static const struct candidate_set *find(struct lane_world *w, const char *model)
{
    return candidates_find(&w->lane, bytes_from_str(model));
}

static size_t count(struct lane_world *w, const char *model)
{
    const struct candidate_set *set = find(w, model);
    return set ? set->count : 0;
}

static void backends_and_peers_stand_under_their_models(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    struct peer *p = lane_add_peer(w, "m");
    lane_add_peer(w, "other");
    const struct candidate_set *set = find(w, "m");
    assert_int_equal(set->count, 2);
    assert_ptr_equal(set->items[0].backend, b);
    assert_null(set->items[0].peer);
    assert_ptr_equal(set->items[1].peer, p);
    assert_null(set->items[1].backend);
    assert_int_equal(count(w, "other"), 1);
    assert_null(find(w, "M"));
    assert_null(find(w, ""));
}

static void it_is_rebuilt_only_after_something_changed(void **state)
{
    struct lane_world *w = *state;
    lane_add_backend(w, "m");
    for (int i = 0; i < 10; i++)
        assert_int_equal(count(w, "m"), 1);
    assert_int_equal(w->lane.candidates.rebuilds, 1);
    lane_add_peer(w, "m");
    lane_add_peer(w, "m");
    assert_int_equal(count(w, "m"), 3);
    assert_int_equal(w->lane.candidates.rebuilds, 2);
}

/* "No such model" would be wrong: it exists, out of reach. */
static void a_backend_that_is_not_up_stands_there_as_such(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    for (int s = BACKEND_UNKNOWN; s <= BACKEND_DOWN; s++) {
        b->state = s;
        candidates_invalidate(&w->lane.candidates);
        assert_int_equal(count(w, "m"), 1);
        assert_int_equal(find(w, "m")->items[0].is_up, s == BACKEND_UP);
    }
}

static void peers_that_serve_nothing_are_left_out(void **state)
{
    struct lane_world *w = *state;
    lane_add_peer(w, "m")->facts = NULL;
    lane_add_peer(w, "m");
    w->facts[1].backend_count = 0;
    assert_int_equal(count(w, "m"), 0);
}

static void a_peer_is_up_when_one_of_its_backends_is(void **state)
{
    struct lane_world *w = *state;
    lane_add_peer(w, "m");
    struct facts_backend two[2] = {w->facts_backends[0], w->facts_backends[0]};
    w->facts[0].backends = two;
    w->facts[0].backend_count = 2;
    for (int up = 0; up < 4; up++) {
        two[0].state = up & 1 ? FACTS_BACKEND_UP : FACTS_BACKEND_DOWN;
        two[1].state = up & 2 ? FACTS_BACKEND_UP : FACTS_BACKEND_LOADING;
        candidates_invalidate(&w->lane.candidates);
        assert_int_equal(count(w, "m"), 1);
        assert_int_equal(find(w, "m")->items[0].is_up, up != 0);
    }
}

static void a_peer_out_of_reach_still_has_its_models(void **state)
{
    struct lane_world *w = *state;
    lane_add_peer(w, "m")->link = NULL;
    lane_add_peer(w, "m")->draining = true;
    assert_int_equal(count(w, "m"), 2);
}

static void a_peer_with_several_backends_stands_once(void **state)
{
    struct lane_world *w = *state;
    lane_add_peer(w, "m");
    lane_add_peer(w, "m");
    struct facts_backend twins[2] = {w->facts_backends[0], w->facts_backends[0]};
    w->facts[0].backends = twins;
    w->facts[0].backend_count = 2;
    assert_int_equal(count(w, "m"), 2);
}

static void many_candidates_all_get_in(void **state)
{
    struct lane_world *w = *state;
    for (int i = 0; i < CONFIG_BACKENDS_MAX; i++)
        lane_add_backend(w, "m");
    for (int i = 0; i < LANE_PEERS_MAX; i++)
        lane_add_peer(w, "m");
    const struct candidate_set *set = find(w, "m");
    assert_int_equal(set->count, CONFIG_BACKENDS_MAX + LANE_PEERS_MAX);
    for (size_t i = 0; i < CONFIG_BACKENDS_MAX; i++)
        assert_ptr_equal(set->items[i].backend, &w->backends[i]);
    for (size_t i = 0; i < LANE_PEERS_MAX; i++)
        assert_ptr_equal(set->items[CONFIG_BACKENDS_MAX + i].peer, &w->slots[i].peer);
}

/* --- other regions */

static void a_gateway_stands_for_what_its_region_serves(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r;
    struct peer *gateway = lane_add_peer(w, "own");
    struct peer *neighbour = lane_add_peer(w, "own");
    FIXTURE_SET(neighbour->region, "us-east");
    lane_add_region(w, &r, "us-east", "m", gateway);
    assert_int_equal(count(w, "m"), 1);
    assert_ptr_equal(find(w, "m")->items[0].peer, gateway);
    assert_true(find(w, "m")->items[0].is_up && find(w, "m")->items[0].is_gateway);
    assert_int_equal(count(w, "own"), 2);
    assert_false(find(w, "own")->items[0].is_gateway);
}

static void what_a_gateway_has_itself_is_a_deployment_of_its_own(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r;
    struct peer *gateway = lane_add_peer(w, "m");
    lane_add_region(w, &r, "us-east", "m", gateway);
    assert_int_equal(count(w, "m"), 1);
    assert_false(find(w, "m")->items[0].is_gateway);
    w->facts_backends[0].state = FACTS_BACKEND_DOWN; /* others of its region are left */
    candidates_invalidate(&w->lane.candidates);
    assert_int_equal(count(w, "m"), 1);
    assert_true(find(w, "m")->items[0].is_up && find(w, "m")->items[0].is_gateway);
    r.model.nodes = 1; /* none is: it was the one */
    r.model.entry_count = 1;
    memcpy(r.model.entries[0], gateway->id.bytes, SUMMARY_ENTRY_SIZE);
    candidates_invalidate(&w->lane.candidates);
    assert_int_equal(count(w, "m"), 1);
    assert_false(find(w, "m")->items[0].is_up);
}

static void versions_of_a_region_s_model_are_candidates_of_their_own(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r;
    lane_add_region(w, &r, "us-east", "m", lane_add_peer(w, "own"));
    struct summary_model versions[2] = {r.model, r.model};
    versions[1].version = BYTES("2");
    r.region.believed = (struct summary){versions, 2, 0};
    assert_int_equal(count(w, "m"), 2);
    assert_true(find(w, "m")->items[0].is_gateway && find(w, "m")->items[1].is_gateway);
    assert_true(bytes_equal(find(w, "m")->items[1].version, BYTES("2")));
}

/* Peers can claim what they like; what does not fit is served less, never kept. */
static void endless_models_are_bounded(void **state)
{
    struct lane_world *w = *state;
    enum { EACH = 256 };
    struct facts_model *models = calloc((size_t)LANE_PEERS_MAX * EACH, sizeof *models);
    char(*names)[16] = calloc((size_t)LANE_PEERS_MAX * EACH, sizeof *names);
    lane_add_backend(w, "m");
    for (size_t i = 0; i < LANE_PEERS_MAX; i++) {
        lane_add_peer(w, "x");
        for (size_t k = i * EACH; k < (i + 1) * EACH; k++) {
            snprintf(names[k], sizeof names[k], "model-%zu", k);
            models[k].name = bytes_from_str(names[k]);
        }
        w->facts_backends[i].models = &models[i * EACH];
        w->facts_backends[i].model_count = EACH;
    }
    assert_int_equal(count(w, "m"), 1);
    assert_int_equal(w->lane.candidates.by_model.count, CANDIDATES_MODELS_MAX);
    assert_true(w->lane.candidates.arena.used <= CANDIDATES_ARENA_MAX);
    free(models);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LANE_TEST(backends_and_peers_stand_under_their_models),
        LANE_TEST(it_is_rebuilt_only_after_something_changed),
        LANE_TEST(a_backend_that_is_not_up_stands_there_as_such),
        LANE_TEST(peers_that_serve_nothing_are_left_out),
        LANE_TEST(a_peer_is_up_when_one_of_its_backends_is),
        LANE_TEST(a_peer_out_of_reach_still_has_its_models),
        LANE_TEST(a_peer_with_several_backends_stands_once),
        LANE_TEST(many_candidates_all_get_in),
        LANE_TEST(a_gateway_stands_for_what_its_region_serves),
        LANE_TEST(what_a_gateway_has_itself_is_a_deployment_of_its_own),
        LANE_TEST(versions_of_a_region_s_model_are_candidates_of_their_own),
        LANE_TEST(endless_models_are_bounded),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
