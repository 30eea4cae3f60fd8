/* Tests of node/egress/queue: who is next, who gives way, how long it takes; and random queues
 * beside a naive one that looks at everybody each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "node/egress/queue.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS 600
#define SECOND UINT64_C(1000000)

struct call {
    struct queue_item item;
    uint64_t tenant;
    uint32_t priority;
    enum { OUTSIDE, WAITING, ADMITTED, SHED, GONE } state;
};

struct world {
    struct queue q;
    struct call calls[ITEMS];
    size_t used;
    uint64_t now_us;
};

static struct call *of(struct queue_item *item)
{
    return item ? LIST_ENTRY(item, struct call, item) : NULL;
}

static struct world *open_world(uint32_t count_max)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(queue_init(&w->q, count_max), ERR_OK);
    w->now_us = SECOND;
    return w;
}

static void close_world(struct world *w)
{
    while (queue_pop(&w->q, w->now_us)) {
    }
    queue_fini(&w->q);
    free(w);
}

/* Returns the new one; *ret_shed who had to give way, or NULL. */
static struct call *push(struct world *w, uint64_t tenant, int priority, uint32_t cost,
                         struct call **ret_shed)
{
    assert_true(w->used < ITEMS);
    struct call *c = &w->calls[w->used++];
    c->tenant = tenant;
    c->priority = queue_priority_of(priority);
    c->state = WAITING;
    struct call *shed = of(queue_push(&w->q, &c->item, tenant, c->priority, cost, w->now_us));
    if (shed)
        shed->state = SHED;
    if (ret_shed)
        *ret_shed = shed;
    else
        assert_null(shed);
    return c;
}

static struct call *pop(struct world *w)
{
    struct call *c = of(queue_pop(&w->q, w->now_us));
    if (c)
        c->state = ADMITTED;
    return c;
}

/* --- who is next */

static void one_tenants_calls_go_in_as_they_came(void **state)
{
    (void)state;
    struct world *w = open_world(100);
    for (uint32_t i = 0; i < 50; i++)
        push(w, 1, 0, 1 + i * 7 % 13, NULL);
    for (size_t i = 0; i < 50; i++)
        assert_ptr_equal(pop(w), &w->calls[i]);
    assert_null(pop(w));
    close_world(w);
}

static void the_more_important_go_first(void **state)
{
    (void)state;
    static const int priorities[] = {0, -1, 3, -4, 1, 2, 4};
    static const size_t order[] = {6, 2, 5, 4, 0, 1, 3};
    struct world *w = open_world(100);
    for (size_t i = 0; i < 7; i++)
        push(w, 1, priorities[i], 10, NULL);
    for (size_t i = 0; i < 7; i++)
        assert_ptr_equal(pop(w), &w->calls[order[i]]);
    close_world(w);
}

static void beyond_the_ends_priorities_are_the_ends(void **state)
{
    (void)state;
    assert_int_equal(queue_priority_of(INT64_MIN), 0);
    assert_int_equal(queue_priority_of(-4), 0);
    assert_int_equal(queue_priority_of(0), QUEUE_PRIORITY_MAX);
    assert_int_equal(queue_priority_of(4), QUEUE_PRIORITIES - 1);
    assert_int_equal(queue_priority_of(INT64_MAX), QUEUE_PRIORITIES - 1);
    for (int p = -QUEUE_PRIORITY_MAX; p <= QUEUE_PRIORITY_MAX; p++)
        assert_int_equal(queue_priority_number(queue_priority_of(p)), p);
}

static void a_quiet_tenant_goes_before_the_flood_of_another(void **state)
{
    (void)state;
    struct world *w = open_world(200);
    for (int i = 0; i < 100; i++)
        push(w, 1, 0, 10, NULL);
    for (int round = 0; round < 20; round++) {
        struct call *quiet = push(w, 2, 0, 10, NULL);
        int places = 0;
        while (quiet->state == WAITING) {
            pop(w);
            places++;
        }
        assert_true(places <= 2); /* one of the other's at most */
    }
    close_world(w);
}

/* Whose calls are ten times as large gets a tenth of the places, whoever came first. */
static void tenants_share_by_what_their_calls_cost(void **state)
{
    (void)state;
    struct world *w = open_world(400);
    uint64_t got[2] = {0};
    for (int i = 0; i < 200; i++) {
        push(w, 0, 0, 100, NULL);
        push(w, 1, 0, 10, NULL);
    }
    for (int i = 0; i < 150; i++) {
        struct call *c = pop(w);
        got[c->tenant] += c->item.cost;
        uint64_t apart = got[0] > got[1] ? got[0] - got[1] : got[1] - got[0];
        assert_true(apart <= 100 + 10);
    }
    close_world(w);
}

/* That of who came with something large and left is not saved up for what it has behind it. */
static void who_leaves_leaves_no_credit(void **state)
{
    (void)state;
    struct world *w = open_world(400);
    struct call *large = push(w, 1, 0, 10000, NULL);
    for (int i = 0; i < 100; i++) {
        push(w, 1, 0, 10, NULL);
        push(w, 2, 0, 10, NULL);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(pop(w)->tenant, 2);
    queue_remove(&w->q, &large->item);
    int got[3] = {0};
    for (int i = 0; i < 40; i++)
        got[pop(w)->tenant]++;
    assert_true(got[1] >= 19 && got[1] <= 21);
    close_world(w);
}

static void nobody_waits_for_ever(void **state)
{
    (void)state;
    struct world *w = open_world(64);
    for (int i = 0; i < 20; i++)
        push(w, 1, 4, 10, NULL);
    struct call *low = push(w, 2, -4, 10, NULL);
    int places = 0;
    while (low->state == WAITING) {
        pop(w);
        push(w, 1, 4, 10, NULL); /* always more of the important ones */
        places++;
    }
    assert_true(places > 8);
    assert_true(places <= QUEUE_AGE_EVERY * 21);
    close_world(w);
}

/* --- who gives way */

static void a_queue_without_places_takes_nobody(void **state)
{
    (void)state;
    struct world *w = open_world(0);
    struct call *shed, *c = push(w, 1, 4, 1, &shed);
    assert_ptr_equal(shed, c);
    assert_null(pop(w));
    close_world(w);
}

static void the_least_important_gives_way_and_the_newest_of_these(void **state)
{
    (void)state;
    struct world *w = open_world(4);
    struct call *shed;
    for (int i = 0; i < 4; i++)
        push(w, 1, i < 2 ? 0 : -1, 10, NULL);
    struct call *high = push(w, 1, 1, 10, &shed);
    assert_ptr_equal(shed, &w->calls[3]);
    push(w, 1, 0, 10, &shed);
    assert_ptr_equal(shed, &w->calls[2]);
    struct call *equal = push(w, 1, 0, 10, &shed);
    assert_ptr_equal(shed, equal); /* no more important than any */
    struct call *low = push(w, 1, -1, 10, &shed);
    assert_ptr_equal(shed, low);
    assert_ptr_equal(pop(w), high);
    assert_int_equal(w->q.count, 3);
    close_world(w);
}

static void of_equals_the_tenant_that_has_most_gives_way(void **state)
{
    (void)state;
    struct world *w = open_world(8);
    struct call *shed;
    for (int i = 0; i < 8; i++)
        push(w, 1, 0, 10, NULL);
    for (int i = 0; i < 4; i++) {
        push(w, 2, 0, 10, &shed);
        assert_ptr_equal(shed, &w->calls[7 - i]);
    }
    for (int i = 0; i < 3; i++) { /* each has four: who asks for more is refused */
        struct call *c = push(w, 1 + (uint64_t)i % 2, 0, 10, &shed);
        assert_ptr_equal(shed, c);
    }
    push(w, 3, 0, 10, &shed);
    assert_int_equal(shed->tenant, 2); /* the newest of those who have as many */
    close_world(w);
}

static void a_few_of_each_priority_are_kept(void **state)
{
    (void)state;
    struct world *w = open_world(2 * QUEUE_KEPT_DIVISOR);
    struct call *shed;
    for (int i = 0; i < 2 * QUEUE_KEPT_DIVISOR; i++)
        push(w, 1, 4, 10, NULL);
    for (int i = 0; i < 2; i++) {
        push(w, 2, -4, 10, &shed);
        assert_int_equal(shed->tenant, 1);
    }
    struct call *third = push(w, 2, -4, 10, &shed);
    assert_ptr_equal(shed, third);
    struct call *more = push(w, 1, 4, 10, &shed);
    assert_ptr_equal(shed, more);
    close_world(w);
}

/* --- how long it takes */

static void waiting_is_foretold_by_the_pace_of_places(void **state)
{
    (void)state;
    struct world *w = open_world(100);
    assert_int_equal(queue_wait_us(&w->q, 4, w->now_us), 0); /* nothing is known yet */
    for (int i = 0; i < 40; i++)
        push(w, 1, i < 20 ? 0 : 1, 10, NULL);
    for (int i = 0; i < 10; i++) {
        w->now_us += SECOND / 2;
        pop(w);
    }
    uint32_t low = queue_priority_of(0), high = queue_priority_of(1), top = queue_priority_of(4);
    uint64_t high_waiting = w->q.priorities[high].count;
    assert_int_equal(queue_wait_us(&w->q, low, w->now_us), 31 * SECOND / 2);
    assert_int_equal(queue_wait_us(&w->q, high, w->now_us), (high_waiting + 1) * SECOND / 2);
    assert_int_equal(queue_wait_us(&w->q, top, w->now_us), SECOND / 2);
    w->now_us += 3 * SECOND; /* a place takes longer than they did */
    assert_int_equal(queue_wait_us(&w->q, low, w->now_us), 31 * 3 * SECOND);
    close_world(w);
}

static void the_pace_follows_the_backend(void **state)
{
    (void)state;
    struct world *w = open_world(300);
    for (int i = 0; i < 200; i++)
        push(w, 1, 0, 10, NULL);
    for (int i = 0; i < 60; i++) {
        w->now_us += SECOND;
        pop(w);
    }
    for (int i = 0; i < 60; i++) {
        w->now_us += SECOND / 100;
        pop(w);
    }
    assert_true(w->q.pace_us < SECOND / 50);
    close_world(w);
}

/* A pause in which nobody waited is not the pace of the backend. */
static void idle_times_do_not_count(void **state)
{
    (void)state;
    struct world *w = open_world(10);
    for (int i = 0; i < 20; i++) {
        push(w, 1, 0, 10, NULL);
        w->now_us += SECOND / 10;
        pop(w);
        w->now_us += 100 * SECOND;
    }
    assert_int_equal(w->q.pace_us, SECOND / 10);
    close_world(w);
}

/* --- random queues beside a naive one */

#define TENANTS 6

struct naive {
    uint64_t v[QUEUE_PRIORITIES];
    uint64_t before[QUEUE_PRIORITIES][TENANTS]; /* finish of the tenant's call before */
    uint32_t turns;
};

static struct call *first_waiting(struct world *w, uint64_t tenant, uint32_t priority)
{
    for (size_t i = 0; i < w->used; i++)
        if (w->calls[i].state == WAITING && w->calls[i].tenant == tenant &&
            w->calls[i].priority == priority)
            return &w->calls[i];
    return NULL;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whoever has nobody waiting any more has no past. */
static void naive_settle(struct world *w, struct naive *n)
{
    for (uint32_t p = 0; p < QUEUE_PRIORITIES; p++)
        for (uint64_t t = 0; t < TENANTS; t++)
            if (!first_waiting(w, t, p))
                n->before[p][t] = 0;
}

static struct call *naive_oldest(struct world *w)
{
    for (size_t i = 0; i < w->used; i++)
        if (w->calls[i].state == WAITING)
            return &w->calls[i];
    return NULL;
}

static struct call *naive_least_finish(struct world *w, const struct naive *n, uint32_t p,
                                       uint64_t *ret_finish)
{
    struct call *best = NULL;
    for (uint64_t t = 0; t < TENANTS; t++) {
        struct call *c = first_waiting(w, t, p);
        /* One that came later than others were let in has the v of its coming in `before`. */
        uint64_t finish = c ? n->before[p][t] + c->item.cost : 0;
        if (c && (!best || finish < *ret_finish || (finish == *ret_finish && c < best))) {
            best = c;
            *ret_finish = finish;
        }
    }
    return best;
}

static uint32_t waiting_of(const struct world *w, uint64_t tenant, uint32_t priority)
{
    uint32_t count = 0;
    for (size_t i = 0; i < w->used; i++)
        count += w->calls[i].state == WAITING && w->calls[i].priority == priority &&
                 (tenant == TENANTS || w->calls[i].tenant == tenant);
    return count;
}

static struct call *naive_next(struct world *w, struct naive *n)
{
    uint64_t finish = 0;
    uint32_t p = QUEUE_PRIORITIES - 1;
    struct call *oldest = naive_oldest(w);
    if (!oldest)
        return NULL;
    while (waiting_of(w, TENANTS, p) == 0)
        p--;
    if (++n->turns % QUEUE_AGE_EVERY == 0)
        p = oldest->priority;
    struct call *c = naive_least_finish(w, n, p, &finish);
    n->before[p][c->tenant] = n->v[p] = finish;
    return c;
}

static struct call *naive_least(struct world *w)
{
    uint32_t p = 0;
    while (waiting_of(w, TENANTS, p) <= w->q.count_max / QUEUE_KEPT_DIVISOR)
        p++;
    struct call *worst = NULL;
    uint32_t most = 0;
    for (size_t i = 0; i < w->used; i++) { /* the later of equals */
        struct call *c = &w->calls[i];
        if (c->state != WAITING || c->priority != p || waiting_of(w, c->tenant, p) < most)
            continue;
        worst = c;
        most = waiting_of(w, c->tenant, p);
    }
    return worst;
}

/* `c` was the tenant's first and left unserved: what is behind it begins no earlier than now. */
static void naive_left(struct world *w, struct naive *n, struct call *c, bool was_first)
{
    uint64_t *before = &n->before[c->priority][c->tenant];
    if (was_first && first_waiting(w, c->tenant, c->priority))
        *before = larger(*before, n->v[c->priority]);
}

static void random_push(struct world *w, struct naive *n, struct rng *rng)
{
    struct call *shed, *expected = NULL;
    uint64_t tenant = rng_below(rng, 3) ? rng_below(rng, TENANTS) : 0;
    int priority = (int)rng_below(rng, QUEUE_PRIORITIES) - QUEUE_PRIORITY_MAX;
    uint32_t p = queue_priority_of(priority);
    if (!first_waiting(w, tenant, p))
        n->before[p][tenant] = n->v[p];
    struct call *c = push(w, tenant, priority, 1 + (uint32_t)rng_below(rng, 1000), &shed);
    if (shed)
        shed->state = WAITING; /* as it was a moment ago */
    uint32_t all = 0;
    for (uint32_t i = 0; i < QUEUE_PRIORITIES; i++)
        all += waiting_of(w, TENANTS, i);
    if (all > w->q.count_max)
        expected = naive_least(w);
    assert_ptr_equal(shed, expected);
    if (!shed)
        return;
    bool was_first = first_waiting(w, shed->tenant, shed->priority) == shed;
    shed->state = SHED;
    naive_left(w, n, shed, was_first);
    (void)c;
}

static void random_remove(struct world *w, struct naive *n, struct rng *rng)
{
    struct call *c = &w->calls[w->used ? rng_below(rng, w->used) : 0];
    if (c->state != WAITING)
        return;
    bool was_first = first_waiting(w, c->tenant, c->priority) == c;
    queue_remove(&w->q, &c->item);
    c->state = GONE;
    naive_left(w, n, c, was_first);
}

static void check_counts(struct world *w)
{
    uint32_t all = 0;
    for (uint32_t p = 0; p < QUEUE_PRIORITIES; p++) {
        assert_int_equal(w->q.priorities[p].count, waiting_of(w, TENANTS, p));
        all += w->q.priorities[p].count;
    }
    assert_int_equal(w->q.count, all);
    assert_true(all <= w->q.count_max);
    for (size_t i = 0; i < w->used; i++)
        assert_int_equal(w->calls[i].item.flow != NULL, w->calls[i].state == WAITING);
}

static void random_run(uint64_t seed)
{
    struct rng rng;
    struct naive n = {.turns = 0};
    rng_init(&rng, seed);
    struct world *w = open_world((uint32_t)rng_below(&rng, 80));
    uint64_t pops = rng_between(&rng, 1, 5);
    while (w->used < ITEMS) {
        uint64_t what = rng_below(&rng, 10);
        w->now_us += rng_below(&rng, 1000);
        if (what == 0) {
            random_remove(w, &n, &rng);
        } else if (what <= pops) {
            struct call *expected = naive_next(w, &n);
            assert_ptr_equal(pop(w), expected);
        } else {
            random_push(w, &n, &rng);
        }
        naive_settle(w, &n);
        check_counts(w);
    }
    for (struct call *expected; (expected = naive_next(w, &n)); naive_settle(w, &n))
        assert_ptr_equal(pop(w), expected);
    for (size_t i = 0; i < w->used; i++) /* nobody was lost */
        assert_true(w->calls[i].state >= ADMITTED);
    close_world(w);
}

static void random_queues_do_as_a_naive_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        random_run(seed);
}

/* While some always wait, what any two got stays together, but for a call of each. */
static void shares_stay_within_their_bound(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct rng rng;
        uint64_t got[4] = {0}, most[4] = {0};
        rng_init(&rng, seed);
        struct world *w = open_world(ITEMS);
        for (uint64_t t = 0; t < 4; t++)
            most[t] = rng_between(&rng, 1, 500);
        for (int i = 0; i < ITEMS; i++) {
            uint64_t t = i % 4;
            push(w, t, 0, (uint32_t)rng_between(&rng, 1, most[t]), NULL);
        }
        while (waiting_of(w, 0, 4) && waiting_of(w, 1, 4) && waiting_of(w, 2, 4) &&
               waiting_of(w, 3, 4)) {
            struct call *c = pop(w);
            got[c->tenant] += c->item.cost;
            for (int a = 0; a < 4; a++)
                for (int b = 0; b < a; b++) {
                    uint64_t apart = got[a] > got[b] ? got[a] - got[b] : got[b] - got[a];
                    assert_true(apart <= most[a] + most[b]);
                }
        }
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tenants_calls_go_in_as_they_came),
        cmocka_unit_test(the_more_important_go_first),
        cmocka_unit_test(beyond_the_ends_priorities_are_the_ends),
        cmocka_unit_test(a_quiet_tenant_goes_before_the_flood_of_another),
        cmocka_unit_test(tenants_share_by_what_their_calls_cost),
        cmocka_unit_test(who_leaves_leaves_no_credit),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(a_queue_without_places_takes_nobody),
        cmocka_unit_test(the_least_important_gives_way_and_the_newest_of_these),
        cmocka_unit_test(of_equals_the_tenant_that_has_most_gives_way),
        cmocka_unit_test(a_few_of_each_priority_are_kept),
        cmocka_unit_test(waiting_is_foretold_by_the_pace_of_places),
        cmocka_unit_test(the_pace_follows_the_backend),
        cmocka_unit_test(idle_times_do_not_count),
        cmocka_unit_test(random_queues_do_as_a_naive_one),
        cmocka_unit_test(shares_stay_within_their_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
