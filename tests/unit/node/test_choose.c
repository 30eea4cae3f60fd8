/* The choice among candidates: the less loaded gets more, who is never chosen, what is said when
 * nobody is left, and that it costs the same among two and among three hundred. */
#include "lane_fixture.h"

#define ROUNDS 4000

static struct choice choice_of(struct lane_world *w)
{
    struct choice c = {0};
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_OK);
    return c;
}

static unsigned times_peer(struct lane_world *w, const struct peer *p, unsigned rounds)
{
    unsigned n = 0;
    for (unsigned i = 0; i < rounds; i++)
        n += choice_of(w).candidate.peer == p;
    return n;
}

/* Others get their smaller share. */
static void assert_gets_most(struct lane_world *w, const struct peer *p)
{
    assert_in_range(times_peer(w, p, 100), 60, 100);
}

/* How often the generator was drawn from: what a choice looks at is bounded by it. */
static unsigned draws(struct rng before, const struct rng *after)
{
    unsigned n = 0;
    for (; memcmp(&before, after, sizeof before) != 0; n++) {
        assert_true(n < 100000);
        (void)rng_next(&before);
    }
    return n;
}

static void try_backend(struct lane_world *w, struct backend *b)
{
    w->x.attempts[w->x.attempt_count++].choice.candidate = (struct candidate){.backend = b};
}

static void try_peer(struct lane_world *w, struct peer *p)
{
    w->x.attempts[w->x.attempt_count++].choice.candidate = (struct candidate){.peer = p};
}

static void pass(struct lane_world *w, const char *name)
{
    FIXTURE_SET(w->x.path[w->x.hop], name);
    w->x.hop++;
}

/* --- who is better */

static void of_two_the_less_loaded_is_chosen(void **state)
{
    struct lane_world *w = *state;
    struct peer *busy = lane_add_peer(w, "m");
    struct peer *idle = lane_add_peer(w, "m");
    busy->load.inflight = 3;
    assert_gets_most(w, idle);
    busy->load.inflight = 0;
    busy->inflight = 3; /* sent by us, not reported yet */
    assert_gets_most(w, idle);
    busy->inflight = 0;
    busy->load.queued = 1;
    assert_gets_most(w, idle);
    assert_string_equal(choice_of(w).reason, "best");
}

static void load_is_measured_against_capacity(void **state)
{
    struct lane_world *w = *state;
    struct peer *small = lane_add_peer(w, "m");
    struct peer *large = lane_add_peer(w, "m");
    small->load.inflight = 2;
    large->load.inflight = 10;
    large->load.capacity = 64;
    assert_gets_most(w, large);
    small->load.capacity = 0; /* says nothing: counts as one */
    assert_gets_most(w, large);
}

static void at_the_same_load_the_hop_is_saved(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    lane_add_peer(w, "m");
    for (int i = 0; i < 100; i++) {
        struct choice c = choice_of(w);
        assert_ptr_equal(c.candidate.backend, b);
        assert_string_equal(c.reason, "local");
        assert_int_equal(c.facts_age_ms, 0);
    }
    b->inflight = 2;
    assert_ptr_equal(choice_of(w).candidate.peer, &w->slots[0].peer);
}

static void an_old_report_fades_to_half_load_never_to_idle(void **state)
{
    struct lane_world *w = *state;
    struct peer *stale = lane_add_peer(w, "m");
    struct peer *fresh = lane_add_peer(w, "m");
    run_for(w->lane.loop, 60); /* a loop's clock may be young */
    uint64_t now_ms = io_now_ms(w->lane.loop);
    uint64_t age_ms = now_ms < 600000 ? now_ms : 600000;
    fresh->load_ms = now_ms;
    stale->load_ms = now_ms - age_ms;
    fresh->load.inflight = 1;
    if (age_ms >= 20000) /* idle, it said long ago */
        assert_gets_most(w, fresh);
    stale->load.inflight = 4;
    fresh->load.inflight = 4;
    if (age_ms >= 20000) /* full, it said long ago */
        assert_gets_most(w, stale);
    stale->load_ms = now_ms - 50;
    w->x.attempt_count = 0;
    fresh->load.inflight = 40;
    assert_int_equal(choice_of(w).facts_age_ms, 50);
}

static void among_many_the_loaded_ones_are_rarely_chosen(void **state)
{
    struct lane_world *w = *state;
    unsigned busy = 0;
    for (int i = 0; i < 20; i++)
        lane_add_peer(w, "m")->load.inflight = i < 10 ? 3 : 0;
    for (unsigned i = 0; i < ROUNDS; i++)
        busy += choice_of(w).candidate.peer->load.inflight > 0;
    assert_in_range(busy, ROUNDS * 2 / 100, ROUNDS * 23 / 100);
}

static void equals_share_the_work(void **state)
{
    static const size_t sizes[] = {2, 3, 6, 7, 40};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct lane_world *w = *state;
        while (w->mesh.peer_count < sizes[s])
            lane_add_peer(w, "m");
        unsigned counts[LANE_PEERS_MAX] = {0};
        for (unsigned i = 0; i < ROUNDS; i++) {
            struct peer_slot *slot = peer_slot_of(choice_of(w).candidate.peer);
            counts[slot - w->slots]++;
        }
        for (size_t i = 0; i < sizes[s]; i++)
            assert_in_range(counts[i], ROUNDS / sizes[s] / 2, ROUNDS * 3 / sizes[s] / 2);
    }
}

static void no_herd_forms_when_one_is_idle(void **state)
{
    struct lane_world *w = *state;
    struct peer *idle = NULL;
    for (int i = 0; i < 20; i++) {
        struct peer *p = lane_add_peer(w, "m");
        p->load.inflight = i == 7 ? 0 : 2;
        idle = i == 7 ? p : idle;
    }
    assert_in_range(times_peer(w, idle, ROUNDS), ROUNDS * 6 / 100, ROUNDS * 25 / 100);
}

/* --- who is never chosen */

static void who_was_tried_is_not_tried_again(void **state)
{
    struct lane_world *w = *state;
    struct backend *a = lane_add_backend(w, "m");
    struct backend *b = lane_add_backend(w, "m");
    struct peer *p = lane_add_peer(w, "m");
    p->load.inflight = 4;
    try_backend(w, a);
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(choice_of(w).candidate.backend, b);
    try_backend(w, b);
    assert_ptr_equal(choice_of(w).candidate.peer, p);
    assert_string_equal(choice_of(w).reason, "only_candidate");
    assert_true(choose_has_other(&w->lane, &w->x));
    try_peer(w, p);
    struct choice c;
    assert_false(choose_has_other(&w->lane, &w->x));
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
}

static void who_is_draining_or_down_is_not_chosen(void **state)
{
    struct lane_world *w = *state;
    struct peer *draining = lane_add_peer(w, "m");
    struct peer *left = lane_add_peer(w, "m");
    struct peer *down = lane_add_peer(w, "m");
    struct backend *unresolved = lane_add_backend(w, "m");
    struct backend *failed = lane_add_backend(w, "m");
    struct peer *good = lane_add_peer(w, "m");
    struct choice c;
    assert_int_equal(candidates_find(&w->lane, BYTES("m"))->count, 6);
    good->load.inflight = 100;
    draining->draining = true;
    left->state = PEER_LEFT;
    down->link = NULL; /* since the index was built */
    unresolved->has_client = false;
    failed->state = BACKEND_DOWN;
    assert_int_equal(times_peer(w, good, 100), 100);
    w->facts_backends[3].state = FACTS_BACKEND_LOADING;
    candidates_invalidate(&w->lane.candidates);
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    w->facts_backends[3].state = FACTS_BACKEND_UP;
    candidates_invalidate(&w->lane.candidates);
    good->draining = true;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
}

static void a_request_never_goes_back_where_it_passed(void **state)
{
    struct lane_world *w = *state;
    struct peer *first = lane_add_peer(w, "m");
    struct peer *second = lane_add_peer(w, "m");
    second->load.inflight = 100;
    pass(w, first->name);
    assert_int_equal(times_peer(w, second, 100), 100);
    pass(w, second->name);
    struct choice c;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    assert_false(choose_has_other(&w->lane, &w->x));
}

/* --- hops and grades */

static void after_a_hop_an_own_backend_comes_first_however_loaded(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    struct peer *p = lane_add_peer(w, "m");
    b->inflight = 4;
    b->queued = 50;
    assert_int_equal(times_peer(w, p, 50), 50);
    pass(w, "somebody");
    assert_int_equal(times_peer(w, p, 50), 0);
    b->state = BACKEND_DOWN;
    assert_int_equal(times_peer(w, p, 50), 50);
}

/* Else each hop would try as often again, and trouble at engines be multiplied. */
static void after_a_hop_trouble_at_an_engine_is_met_by_whoever_sent_it(void **state)
{
    struct lane_world *w = *state;
    struct backend *one = lane_add_backend(w, "m"), *two = lane_add_backend(w, "m");
    struct choice c;
    lane_add_peer(w, "m");
    pass(w, "somebody");
    try_backend(w, one);
    w->x.attempts[0].failure = ERR_BACKEND_FAILED;
    assert_ptr_equal(choice_of(w).candidate.backend, two);
    try_backend(w, two);
    w->x.attempts[1].failure = ERR_REFUSED;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    w->x.attempts[0].failure = ERR_REFUSED; /* no engine was troubled */
    assert_non_null(choice_of(w).candidate.peer);
}

static void the_version_of_a_split_is_the_same_over_hops(void **state)
{
    struct lane_world *w = *state;
    struct envelope e = {.hop = 0};
    arena_init(&w->x.arena, 4096);
    lane_add_peer(w, "m");
    struct choice c = choice_of(w);
    c.version = BYTES("v2");
    assert_int_equal(terms_follow(&w->x, &c), ERR_OK);
    terms_give(&w->x, &e);
    assert_true(bytes_equal(e.version, BYTES("v2")));
    c.version = BYTES("v1"); /* of a later attempt, under a newer split */
    assert_int_equal(terms_follow(&w->x, &c), ERR_OK);
    assert_true(bytes_equal(w->x.terms.version, e.version));
    arena_fini(&w->x.arena);
}

static void after_the_last_hop_only_own_backends_are_left(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    struct peer *p = lane_add_peer(w, "m");
    struct choice c;
    for (int i = 0; i < ENVELOPE_HOPS_MAX; i++)
        pass(w, "somebody");
    assert_ptr_equal(choice_of(w).candidate.backend, b);
    try_backend(w, b);
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_HOP_LIMIT);
    p->draining = true; /* then a hop more would not help either */
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
}

static void a_suspect_is_chosen_only_when_no_good_one_is_left(void **state)
{
    struct lane_world *w = *state;
    struct backend *busy = lane_add_backend(w, "m");
    struct peer *suspect = lane_add_peer(w, "m");
    struct peer *good = lane_add_peer(w, "m");
    busy->busy_until_ms = UINT64_MAX; /* it said 429 */
    suspect->state = PEER_SUSPECT;
    good->load.inflight = 1000;
    assert_int_equal(times_peer(w, good, 200), 200);
    try_peer(w, good);
    assert_int_equal(times_peer(w, suspect, 10), 10);
    assert_string_equal(choice_of(w).reason, "suspect");
    try_peer(w, suspect); /* who asked to be left alone comes last */
    assert_ptr_equal(choice_of(w).candidate.backend, busy);
}

/* A bad signal empties no pool: what is ejected is asked when nobody else is left. */
static void where_all_breakers_are_open_they_are_asked_all_the_same(void **state)
{
    struct lane_world *w = *state;
    struct peer *peers[3];
    for (size_t i = 0; i < 3; i++)
        peers[i] = lane_add_peer(w, "m");
    for (size_t i = 0; i < 3; i++) {
        struct deployment *d = NULL;
        for (unsigned k = 0; k < 1000 && !d; k++) {
            struct choice c = choice_of(w);
            d = c.candidate.peer == peers[i] ? c.candidate.deployment : NULL;
        }
        assert_non_null(d);
        d->breaker.state = POLICY_OPEN, d->breaker.open_until_ms = UINT64_MAX;
        assert_true(i == 2 || times_peer(w, peers[i], 200) == 0);
    }
    assert_string_equal(choice_of(w).reason, "suspect");
    for (size_t i = 0; i < 3; i++)
        assert_true(times_peer(w, peers[i], 300) > 50);
}

static void a_busy_backend_is_good_again_when_its_time_is_over(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    b->busy_until_ms = io_now_ms(w->lane.loop) + 1;
    assert_string_equal(choice_of(w).reason, "suspect");
    b->busy_until_ms = io_now_ms(w->lane.loop);
    assert_string_equal(choice_of(w).reason, "only_candidate");
}

static void nobody_serving_it_is_not_the_same_as_nobody_able_now(void **state)
{
    struct lane_world *w = *state;
    struct choice c = {.reason = "untouched"};
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_MODEL_NOT_FOUND);
    assert_false(choose_has_other(&w->lane, &w->x));
    lane_add_peer(w, "other");
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_MODEL_NOT_FOUND);
    lane_add_peer(w, "m")->draining = true;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    assert_string_equal(c.reason, "untouched");
}

static void lose(struct lane_world *w, struct peer *p)
{
    w->x.attempts[w->x.attempt_count].failure = ERR_LINK_LOST;
    try_peer(w, p);
}

static void a_peer_whose_answer_got_lost_is_asked_again_when_nobody_else_is_left(void **state)
{
    struct lane_world *w = *state;
    struct peer *lost = lane_add_peer(w, "m");
    struct peer *other = lane_add_peer(w, "m");
    struct choice c;
    other->load.inflight = 1000;
    lose(w, lost);
    assert_int_equal(times_peer(w, other, 50), 50);
    try_peer(w, other);
    assert_ptr_equal(choice_of(w).candidate.peer, lost);
    assert_string_equal(choice_of(w).reason, "again");
    assert_true(choose_has_other(&w->lane, &w->x));
    lost->link = NULL;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    assert_false(choose_has_other(&w->lane, &w->x));
}

static void it_is_asked_twice_at_most(void **state)
{
    struct lane_world *w = *state;
    struct peer *lost = lane_add_peer(w, "m");
    struct choice c;
    lose(w, lost);
    assert_ptr_equal(choice_of(w).candidate.peer, lost);
    try_peer(w, lost); /* it runs */
    assert_false(choose_has_other(&w->lane, &w->x));
    w->x.attempts[1].failure = ERR_LINK_LOST;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
}

static void whoever_answered_no_is_not_asked_again(void **state)
{
    static const enum err answers[] = {ERR_OVERLOADED, ERR_BACKEND_FAILED, ERR_DRAINING};
    struct lane_world *w = *state;
    struct peer *p = lane_add_peer(w, "m");
    struct choice c;
    try_peer(w, p);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        w->x.attempts[0].failure = answers[i];
        assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    }
}

/* --- a second one beside it */

static void who_is_asked_just_now_is_not_chosen_beside_itself(void **state)
{
    struct lane_world *w = *state;
    struct peer *running = lane_add_peer(w, "m");
    struct peer *other = lane_add_peer(w, "m");
    other->load.inflight = 1000;
    try_peer(w, running);
    assert_int_equal(times_peer(w, other, 50), 50);
}

static void only_where_a_request_came_in_it_may_be_hedged(void **state)
{
    struct lane_world *w = *state;
    lane_add_backend(w, "m");
    assert_int_equal(choice_of(w).hedge_after_ms, 0);
    w->lane.hedge_after_ms = 70;
    assert_int_equal(choice_of(w).hedge_after_ms, 70);
    pass(w, "somebody");
    assert_int_equal(choice_of(w).hedge_after_ms, 0);
}

/* --- cost */

static void the_cost_does_not_grow_with_the_candidates(void **state)
{
    struct lane_world *w = *state;
    while (w->mesh.peer_count < LANE_PEERS_MAX) {
        lane_add_peer(w, "m");
        if (w->mesh.peer_count < 8)
            continue;
        (void)choice_of(w); /* builds the index */
        for (int i = 0; i < 20; i++) {
            struct rng before = w->lane.rng;
            (void)choice_of(w);
            unsigned n = draws(before, &w->lane.rng);
            assert_in_range(n, 0, 56);
        }
    }
    assert_int_equal(w->lane.candidates.rebuilds, LANE_PEERS_MAX - 7);
}

static void the_same_seed_chooses_the_same(void **state)
{
    struct lane_world *w = *state;
    static const uint8_t seed[16] = {1};
    struct peer *chosen[50];
    for (int i = 0; i < 30; i++)
        lane_add_peer(w, "m");
    for (int round = 0; round < 2; round++) {
        rng_init(&w->lane.rng, 7);
        candidates_fini(&w->lane.candidates); /* whose turn it is, too */
        candidates_init(&w->lane.candidates, seed);
        for (int i = 0; i < 50; i++) {
            struct peer *p = choice_of(w).candidate.peer;
            assert_true(round == 0 || chosen[i] == p);
            chosen[i] = p;
        }
    }
}

/* Few of many can be used: they are found all the same, each about as often. */
static void a_few_usable_ones_among_many_are_found(void **state)
{
    struct lane_world *w = *state;
    unsigned counts[LANE_PEERS_MAX] = {0};
    for (int i = 0; i < 200; i++)
        lane_add_peer(w, "m")->draining = i % 50 != 0;
    for (unsigned i = 0; i < ROUNDS; i++)
        counts[peer_slot_of(choice_of(w).candidate.peer) - w->slots]++;
    for (int i = 0; i < 200; i += 50)
        assert_in_range(counts[i], ROUNDS / 4 * 7 / 10, ROUNDS / 4 * 13 / 10);
}

/* --- other regions */

static void a_gateway_is_chosen_when_nobody_who_has_the_model_can_be_used(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r;
    struct backend *own = lane_add_backend(w, "m");
    struct peer *near = lane_add_peer(w, "m");
    struct peer *gateway = lane_add_peer(w, "other");
    lane_add_region(w, &r, "us-east", "m", gateway);
    own->inflight = near->load.inflight = 1000;
    assert_int_equal(times_peer(w, gateway, 100), 0);
    own->state = BACKEND_DOWN;
    assert_int_equal(times_peer(w, near, 100), 100);
    near->is_late = true;
    assert_int_equal(times_peer(w, gateway, 100), 100);
    assert_string_equal(choice_of(w).reason, "other_region");
    gateway->draining = true;
    assert_int_equal(times_peer(w, near, 100), 100);
    assert_string_equal(choice_of(w).reason, "suspect");
}

static void of_two_regions_the_less_loaded_is_chosen(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r[2];
    struct summary_region both[2];
    struct peer *one = lane_add_peer(w, "other"), *two = lane_add_peer(w, "other");
    lane_add_region(w, &r[0], "ap", "m", one);
    lane_add_region(w, &r[1], "us", "m", two);
    both[0] = r[0].region;
    both[1] = r[1].region;
    w->mesh.abroad.view = (struct summary_view){.regions = both, .region_count = 2};
    r[0].model.queued_p50 = 1; /* on each of its two nodes */
    two->load.inflight = 1000; /* the gateway's own load is about something else */
    assert_gets_most(w, two);
    r[1].model.inflight = 4;
    assert_gets_most(w, one);
    run_for(w->lane.loop, 60);
    both[0].made_ms = both[1].made_ms = io_now_ms(w->lane.loop) - 50;
    assert_int_equal(choice_of(w).facts_age_ms, 50);
}

static void what_came_from_abroad_stays_in_this_region(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r;
    struct choice c;
    struct peer *gateway = lane_add_peer(w, "m");
    struct peer *other = lane_add_peer(w, "m");
    struct peer *near = lane_add_peer(w, "m");
    lane_add_region(w, &r, "us-east", "m", gateway);
    FIXTURE_SET(other->region, "ap-south");
    FIXTURE_SET(near->region, "eu-west");
    near->load.inflight = 1000;
    w->x.from = other;
    w->x.origin.bytes[0] = 99; /* nobody whom we know */
    pass(w, "somebody");
    assert_int_equal(times_peer(w, near, 100), 100);
    near->draining = true;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
    near->draining = false;
    w->x.from = near; /* handed on within the region */
    assert_int_equal(times_peer(w, near, 100), 100);
    near->draining = true;
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
}

static void what_came_from_home_may_leave_it(void **state)
{
    struct lane_world *w = *state;
    struct lane_region r;
    struct choice c;
    struct peer *neighbour = lane_add_peer(w, "other");
    struct peer *gateway = lane_add_peer(w, "other");
    lane_add_region(w, &r, "us-east", "m", gateway);
    FIXTURE_SET(neighbour->region, "eu-west");
    w->x.from = neighbour;
    w->x.origin = neighbour->id;
    pass(w, "neighbour");
    assert_int_equal(times_peer(w, gateway, 10), 10);
    pass(w, "another"); /* the gateway would have no hop left */
    assert_int_equal(choose(&w->lane, &w->x, &c), ERR_NO_CANDIDATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LANE_TEST(of_two_the_less_loaded_is_chosen),
        LANE_TEST(load_is_measured_against_capacity),
        LANE_TEST(at_the_same_load_the_hop_is_saved),
        LANE_TEST(an_old_report_fades_to_half_load_never_to_idle),
        LANE_TEST(among_many_the_loaded_ones_are_rarely_chosen),
        LANE_TEST(equals_share_the_work),
        LANE_TEST(no_herd_forms_when_one_is_idle),
        LANE_TEST(who_was_tried_is_not_tried_again),
        LANE_TEST(who_is_draining_or_down_is_not_chosen),
        LANE_TEST(a_request_never_goes_back_where_it_passed),
        LANE_TEST(after_a_hop_an_own_backend_comes_first_however_loaded),
        LANE_TEST(after_a_hop_trouble_at_an_engine_is_met_by_whoever_sent_it),
        LANE_TEST(the_version_of_a_split_is_the_same_over_hops),
        LANE_TEST(after_the_last_hop_only_own_backends_are_left),
        LANE_TEST(a_suspect_is_chosen_only_when_no_good_one_is_left),
        LANE_TEST(where_all_breakers_are_open_they_are_asked_all_the_same),
        LANE_TEST(a_busy_backend_is_good_again_when_its_time_is_over),
        LANE_TEST(nobody_serving_it_is_not_the_same_as_nobody_able_now),
        LANE_TEST(a_peer_whose_answer_got_lost_is_asked_again_when_nobody_else_is_left),
        LANE_TEST(it_is_asked_twice_at_most),
        LANE_TEST(whoever_answered_no_is_not_asked_again),
        LANE_TEST(who_is_asked_just_now_is_not_chosen_beside_itself),
        LANE_TEST(only_where_a_request_came_in_it_may_be_hedged),
        LANE_TEST(a_gateway_is_chosen_when_nobody_who_has_the_model_can_be_used),
        LANE_TEST(of_two_regions_the_less_loaded_is_chosen),
        LANE_TEST(what_came_from_abroad_stays_in_this_region),
        LANE_TEST(what_came_from_home_may_leave_it),
        LANE_TEST(the_cost_does_not_grow_with_the_candidates),
        LANE_TEST(the_same_seed_chooses_the_same),
        LANE_TEST(a_few_usable_ones_among_many_are_found),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
