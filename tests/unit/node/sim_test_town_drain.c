/* Draining nodes of a whole simulated town finish what they have begun, however slowly it is
 * read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/mesh_town.h"

#define ANSWER_BYTES (1u << 20)

static struct town *begin(uint64_t seed)
{
    struct town_options options = {.steps = 1, .is_calm = true};
    struct town *t;
    assert_int_equal(town_create(seed, &options, &t), ERR_OK);
    town_begin(t);
    assert_int_equal(t->failures, 0);
    return t;
}

static void end(struct town *t)
{
    town_end(t);
    assert_int_equal(t->failures, 0);
    town_destroy(t);
}

/* A slowly read answer that has begun to come. */
static struct job *read_slowly(struct town *t, size_t ingress)
{
    struct job *j = town_job(t, JOB_BULK, ingress, "common", 100, ANSWER_BYTES);
    j->read_pause_us = 20 * TOWN_MS;
    user_send(t, j);
    for (int i = 0; i < 5000 && j->received < 100000; i++)
        town_run(t, TOWN_MS);
    assert_in_range(j->received, 100000, ANSWER_BYTES / 2);
    return j;
}

static struct town_node *executor_of(struct town *t, const struct job *j)
{
    for (size_t i = 0; i < t->node_count; i++)
        if (strcmp(t->nodes[i].name, j->node) == 0)
            return &t->nodes[i];
    return NULL;
}

static void drain_and_wait(struct town *t, struct town_node *n, const struct job *j)
{
    uint64_t order = n->start_order;
    town_node_drain(n);
    assert_true(town_run_until_answered(t, 30 * TOWN_SECOND));
    assert_int_equal(j->outcome, JOB_OK);
    for (int i = 0; i < 20000 && !town_is_well(t, 5 * TOWN_SECOND / 2); i++)
        town_run(t, TOWN_MS);
    assert_int_equal(n->start_order, order + 1);
}

static void a_draining_executor_sends_its_answer_to_the_last_byte(void **state)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct town *t = begin(seed);
        struct job *j = read_slowly(t, 0); /* edge-1 has no engine */
        struct town_node *n = executor_of(t, j);
        assert_non_null(n);
        assert_int_not_equal(n->index, 0);
        drain_and_wait(t, n, j);
        end(t);
    }
}

static void a_draining_ingress_passes_the_answer_on_to_the_last_byte(void **state)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct town *t = begin(seed);
        struct job *j = read_slowly(t, 0);
        drain_and_wait(t, &t->nodes[0], j);
        end(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draining_executor_sends_its_answer_to_the_last_byte),
        cmocka_unit_test(a_draining_ingress_passes_the_answer_on_to_the_last_byte),
    };
    return crypto_init() == ERR_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
