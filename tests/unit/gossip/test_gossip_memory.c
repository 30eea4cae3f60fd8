/* What a step costs in memory once everybody knows everybody: nothing. Whatever the core allocates
 * is counted while it runs, by the sanitizer's hooks, which are there wherever tests
 * run. */
#include "gossip/gossip.h"

static void counted_step(struct gossip *g, const struct gossip_event *event,
                         struct gossip_effects *ret_effects);
#define gossip_step counted_step
#include "core_world.h"
#undef gossip_step

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));

static bool is_counting;
static unsigned allocations, datagrams;

static void on_malloc(const volatile void *data, size_t size)
{
    allocations += is_counting;
}

static void on_free(const volatile void *data) {}

static void counted_step(struct gossip *g, const struct gossip_event *event,
                         struct gossip_effects *ret_effects)
{
    is_counting = true;
    gossip_step(g, event, ret_effects);
    is_counting = false;
    datagrams += event->type == GOSSIP_DATAGRAM;
}

/* A second in which every node has a load of its own, as long as the one before. */
static void load_second(struct world *w, unsigned second)
{
    for (size_t i = 0; i < w->count; i++) {
        char text[64];
        snprintf(text, sizeof(text), "load %03zu %06u", i, second);
        world_publish(w, i, GOSSIP_LOAD, text);
    }
    world_run(w, 1000);
}

static void no_datagram_allocates_after_the_warm_up(void **state)
{
    struct world *w = world_meet(9);
    for (unsigned second = 0; second < 20; second++)
        load_second(w, second);
    allocations = datagrams = 0;
    for (unsigned second = 20; second < 80; second++)
        load_second(w, second);
    assert_int_equal(allocations, 0);
    assert_true(datagrams > 2000);
    world_free(w);
}

static void a_longer_record_is_what_it_costs(void **state)
{
    struct world *w = world_meet(3);
    world_run(w, 10000);
    allocations = 0;
    world_publish(w, 0, GOSSIP_INVENTORY, "short");
    world_run(w, 1000);
    assert_in_range(allocations, 1, 6); /* a record at each of the three, and one longer each */
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_datagram_allocates_after_the_warm_up),
        cmocka_unit_test(a_longer_record_is_what_it_costs),
    };
    if (!__sanitizer_install_malloc_and_free_hooks) {
        puts("the sanitizer that counts allocations is not in this build");
        return 77;
    }
    if (__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
