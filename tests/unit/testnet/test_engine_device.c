/* The emulated accelerator as a whole: loading, several models, conditions from outside, crashes,
 * heat and memory. */
#include "engine_world.h"

static struct engine_world w;

static struct engine_model_view view(size_t index)
{
    struct engine_model_view v;
    engine_model(w.engine, index, &v);
    return v;
}

static struct engine_device_view device(void)
{
    struct engine_device_view v;
    engine_device(w.engine, w.now_us, &v);
    return v;
}

static void set(struct engine_condition condition)
{
    world_step(&w, &(struct engine_event){.kind = ENGINE_CONDITION, .condition = condition});
}

static void a_cold_model_is_loaded_before_the_first_token(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.starts_cold = true;
    world_open(&w, &cfg);
    assert_false(engine_is_ready(w.engine));
    assert_int_equal(view(0).load, ENGINE_LOADING);
    world_ask(&w, 1, 10, 0, 1);
    world_run(&w, UINT64_MAX);
    assert_true(engine_is_ready(w.engine));
    assert_true(w.is_done[1]);
    assert_true(w.times[1].first_us > 5000000); /* 16 GB at 3 GB/s */
    world_close(&w);
}

static void speed_divides_all_times(void **state)
{
    struct engine_cfg cfg = plain_cfg("jetson", "smollm2-135m");
    uint64_t took_us[2];
    for (int i = 0; i < 2; i++) {
        cfg.speed = i ? 10 : 1;
        world_open(&w, &cfg);
        world_ask(&w, 1, 100, 0, 100);
        world_run(&w, UINT64_MAX);
        took_us[i] = w.times[1].done_us - w.times[1].submitted_us;
        world_close(&w);
    }
    assert_true(took_us[1] * 9 < took_us[0] && took_us[0] < took_us[1] * 11);
}

static void models_share_the_accelerator(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.model_count = cfg.loaded_max = 2;
    cfg.models[1] = cfg.models[0];
    world_open(&w, &cfg);
    world_ask(&w, 1, 10, 0, 50);
    struct engine_event event = {.kind = ENGINE_SUBMIT};
    uint32_t tokens[10] = {1};
    event.request = (struct engine_request){.id = 2,
                                            .model = 1,
                                            .tokens = tokens,
                                            .token_count = 10,
                                            .output_max = 50,
                                            .ignores_stop = true};
    world_step(&w, &event);
    world_run(&w, UINT64_MAX);
    uint64_t took_us = w.times[2].done_us - w.times[2].submitted_us;
    assert_true(took_us > 50 * 20000 && took_us < 50 * 28000); /* twice 12 ms */
    world_close(&w);
}

static void a_model_beyond_the_memory_takes_the_place_of_an_idle_one(void **state)
{
    struct engine_cfg cfg = plain_cfg("l4", "smollm2-135m");
    cfg.model_count = 2;
    cfg.models[1] = cfg.models[0];
    world_open(&w, &cfg);
    assert_int_equal(view(0).load, ENGINE_LOADED);
    assert_int_equal(view(1).load, ENGINE_UNLOADED);
    struct engine_event event = {.kind = ENGINE_SUBMIT};
    uint32_t tokens[10] = {1};
    event.request = (struct engine_request){
        .id = 1, .model = 1, .tokens = tokens, .token_count = 10, .output_max = 3};
    world_step(&w, &event);
    assert_int_equal(view(0).load, ENGINE_UNLOADED);
    assert_int_equal(view(1).load, ENGINE_LOADING);
    world_run(&w, UINT64_MAX);
    assert_true(w.is_done[1]);
    assert_true(engine_is_ready(w.engine));
    world_close(&w);
}

static void a_slow_accelerator_takes_as_many_times_longer(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    set((struct engine_condition){.slowness = 5});
    world_ask(&w, 1, 10, 0, 101);
    world_run(&w, UINT64_MAX);
    double step_ms = (double)(w.times[1].done_us - w.times[1].first_us) / 100 / 1e3;
    assert_true(step_ms > 58 && step_ms < 63);
    world_close(&w);
}

static void a_frozen_accelerator_goes_on_where_it_stopped(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    world_ask(&w, 1, 10, 0, 50);
    world_run(&w, w.now_us + 100000);
    uint32_t before = w.tokens_of[1];
    set((struct engine_condition){.slowness = 1, .is_frozen = true});
    assert_true(engine_deadline_us(w.engine) == UINT64_MAX);
    world_run(&w, w.now_us + 60000000);
    assert_int_equal(w.tokens_of[1], before);
    set((struct engine_condition){.slowness = 1});
    world_run(&w, w.now_us + 25000);
    assert_in_range(w.tokens_of[1], before + 1, before + 3);
    world_run(&w, UINT64_MAX);
    assert_true(w.is_done[1]);
    world_close(&w);
}

static void a_crash_fails_everything_and_the_model_loads_again(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    for (uint64_t id = 1; id <= 500; id++)
        world_ask(&w, id, 50, 0, 1000);
    world_run(&w, w.now_us + 100000);
    world_step(&w, &(struct engine_event){.kind = ENGINE_CRASH});
    for (uint64_t id = 1; id <= 500; id++)
        assert_int_equal(w.failed[id], ERR_NO_MEMORY);
    assert_false(engine_is_ready(w.engine));
    assert_int_equal(view(0).blocks_used, 0);
    world_ask(&w, 501, 50, 0, 2);
    world_run(&w, UINT64_MAX);
    assert_true(w.is_done[501]);
    world_close(&w);
}

static void work_warms_it_and_heat_slows_it(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    double cool = device().celsius;
    world_ask(&w, 1, 10, 0, 5000);
    world_run(&w, w.now_us + 30000000);
    assert_true(device().celsius > cool + 10);
    assert_true(device().load > 0.99);
    assert_true(device().watts > 350);
    uint32_t before = w.tokens_of[1];
    world_run(&w, w.now_us + 2400000);
    uint32_t cold_rate = w.tokens_of[1] - before;
    set((struct engine_condition){.slowness = 1, .celsius = 200});
    world_run(&w, w.now_us + 20000000);
    assert_true(device().is_throttled);
    before = w.tokens_of[1];
    world_run(&w, w.now_us + 2400000);
    assert_in_range(w.tokens_of[1] - before, cold_rate / 2 - 2, cold_rate / 2 + 2);
    assert_int_equal(device().clock_mhz, 705);
    world_close(&w);
}

static void memory_is_told_as_servers_take_it(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.sequences_max = 256;
    world_open(&w, &cfg);
    struct engine_device_view d = device();
    assert_true(d.memory_total == 80ull << 30);
    assert_true(d.memory_used > 70ull << 30 && d.memory_used < 73ull << 30);
    set((struct engine_condition){.slowness = 1, .memory_full = true});
    d = device();
    assert_true(d.memory_used == d.memory_total);
    world_close(&w);
}

static void a_model_that_is_too_large_is_refused_at_the_start(void **state)
{
    struct engine_cfg cfg = plain_cfg("jetson", "llama-3.1-8b");
    struct engine *engine;
    assert_int_equal(engine_create(&cfg, 1, &engine), ERR_LIMIT);
}

static void slots_show_who_runs_where(void **state)
{
    struct engine_cfg cfg = plain_cfg("cpu", "smollm2-135m");
    cfg.block_tokens = 1;
    cfg.sequences_max = 4;
    cfg.kv_tokens = 8192;
    world_open(&w, &cfg);
    assert_int_equal(view(0).context, 2048);
    world_ask(&w, 1, 40, 0, 500);
    world_ask(&w, 2, 50, 0, 500);
    world_run(&w, w.now_us + 100000);
    struct engine_slot slot;
    engine_slot(w.engine, 0, 0, &slot);
    assert_int_equal(slot.id, 1);
    assert_true(slot.decoded > 0 && slot.decoded + slot.left == 500);
    engine_slot(w.engine, 0, 1, &slot);
    assert_int_equal(slot.id, 2);
    assert_int_equal(slot.prompt, 50);
    engine_slot(w.engine, 0, 2, &slot);
    assert_int_equal(slot.id, 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cold_model_is_loaded_before_the_first_token),
        cmocka_unit_test(speed_divides_all_times),
        cmocka_unit_test(models_share_the_accelerator),
        cmocka_unit_test(a_model_beyond_the_memory_takes_the_place_of_an_idle_one),
        cmocka_unit_test(a_slow_accelerator_takes_as_many_times_longer),
        cmocka_unit_test(a_frozen_accelerator_goes_on_where_it_stopped),
        cmocka_unit_test(a_crash_fails_everything_and_the_model_loads_again),
        cmocka_unit_test(work_warms_it_and_heat_slows_it),
        cmocka_unit_test(memory_is_told_as_servers_take_it),
        cmocka_unit_test(a_model_that_is_too_large_is_refused_at_the_start),
        cmocka_unit_test(slots_show_who_runs_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
