/* The emulated engine's batching: rates, order, limits, preemption, prefix cache, seeds. */
#include "engine_world.h"

static struct engine_world w;

static struct engine_model_view view(void)
{
    struct engine_model_view v;
    engine_model(w.engine, 0, &v);
    return v;
}

static void one_request_decodes_at_the_rate_that_memory_bandwidth_allows(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    world_ask(&w, 1, 100, 0, 101);
    world_run(&w, UINT64_MAX);
    assert_true(w.is_done[1]);
    assert_int_equal(w.tokens_of[1], 101);
    double decode_s = (double)(w.times[1].done_us - w.times[1].first_us) / 1e6;
    /* 16.06 GB of weights at three quarters of 2,039 GB/s are 10.5 ms, and 1.5 ms of the host. */
    assert_true(decode_s / 100 > 0.0118 && decode_s / 100 < 0.0125);
    world_close(&w);
}

static void a_batch_of_eight_costs_little_more_than_one(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    for (uint64_t id = 1; id <= 8; id++)
        world_ask(&w, id, 100, 0, 101);
    world_run(&w, UINT64_MAX);
    for (uint64_t id = 1; id <= 8; id++)
        assert_true(w.is_done[id]);
    assert_true(w.now_us < 1.3 * 102 * 12000);
    assert_int_equal(view().stats->output_tokens, 808);
    world_close(&w);
}

static void requests_beyond_the_batch_wait_and_begin_in_order(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.sequences_max = 2;
    world_open(&w, &cfg);
    for (uint64_t id = 1; id <= 6; id++)
        world_ask(&w, id, 50, 0, 20);
    assert_int_equal(view().running, 1); /* the others came while its step was under way */
    assert_int_equal(view().waiting, 5);
    world_run(&w, UINT64_MAX);
    uint64_t next = 1;
    for (size_t i = 0; i < w.seen_count; i++)
        if (w.seen[i].kind == ENGINE_BEGAN)
            assert_int_equal(w.seen[i].id, next++);
    assert_int_equal(next, 7);
    assert_int_equal(view().running + view().waiting, 0);
    assert_int_equal(view().blocks_used, 0);
    world_close(&w);
}

static void a_full_queue_refuses(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.sequences_max = 1;
    cfg.waiting_max = 2;
    world_open(&w, &cfg);
    for (uint64_t id = 1; id <= 4; id++)
        world_ask(&w, id, 50, 0, 5);
    assert_int_equal(w.failed[4], ERR_OVERLOADED);
    world_run(&w, UINT64_MAX);
    assert_true(w.is_done[1] && w.is_done[2] && w.is_done[3] && !w.is_done[4]);
    world_close(&w);
}

static void a_long_prompt_is_computed_in_chunks_and_others_go_on(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.chunk_tokens = 512;
    world_open(&w, &cfg);
    world_ask(&w, 1, 20, 0, 200);
    world_run(&w, w.now_us + 100000);
    uint32_t before = w.tokens_of[1];
    world_ask(&w, 2, 8192, 0, 1);
    while (!w.is_done[2])
        world_run(&w, engine_deadline_us(w.engine));
    assert_true(w.tokens_of[1] - before >= 16);
    assert_int_equal(view().stats->prompt_tokens, 20 + 8192);
    world_close(&w);
}

static void a_shared_prefix_is_computed_once(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    world_ask(&w, 1, 4000, 3200, 4);
    world_run(&w, UINT64_MAX);
    world_ask(&w, 2, 4000, 3200, 4);
    world_run(&w, UINT64_MAX);
    assert_int_equal(w.cached[1], 0);
    assert_int_equal(w.cached[2], 3200);
    uint64_t cold_us = w.times[1].first_us - w.times[1].submitted_us;
    uint64_t warm_us = w.times[2].first_us - w.times[2].submitted_us;
    assert_true(warm_us * 2 < cold_us);
    world_close(&w);
}

static void the_same_prompt_again_computes_at_least_one_token(void **state)
{
    struct engine_cfg cfg = plain_cfg("cpu", "smollm2-135m");
    cfg.block_tokens = 1; /* as llama.cpp: to the token */
    world_open(&w, &cfg);
    world_ask(&w, 1, 37, 37, 4);
    world_run(&w, UINT64_MAX);
    world_ask(&w, 2, 37, 37, 4);
    world_run(&w, UINT64_MAX);
    assert_int_equal(w.cached[2], 36);
    world_close(&w);
}

static void a_cache_under_pressure_gives_up_what_was_used_longest_ago(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.kv_tokens = 2048;
    world_open(&w, &cfg);
    world_ask(&w, 1, 800, 800, 1);
    world_run(&w, UINT64_MAX);
    for (uint64_t id = 2; id < 8; id++) {
        world_ask(&w, id, 1000, 0, 1);
        world_run(&w, UINT64_MAX);
    }
    world_ask(&w, 8, 800, 800, 1);
    world_run(&w, UINT64_MAX);
    assert_int_equal(w.cached[8], 0);
    assert_true(w.is_done[8]);
    world_close(&w);
}

static void without_a_free_block_the_youngest_is_preempted_and_still_finishes(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.kv_tokens = 1600; /* both prompts fit, both answers do not */
    world_open(&w, &cfg);
    world_ask(&w, 1, 500, 0, 400);
    world_ask(&w, 2, 500, 0, 400);
    world_run(&w, UINT64_MAX);
    assert_true(view().stats->preemptions >= 1);
    assert_true(w.is_done[1] && w.is_done[2]);
    assert_int_equal(w.tokens_of[1], 400);
    assert_int_equal(w.tokens_of[2], 400);
    assert_true(w.times[1].done_us < w.times[2].done_us);
    assert_int_equal(view().blocks_used, 0);
    world_close(&w);
}

static void what_can_never_fit_is_refused_and_others_are_served(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    cfg.kv_tokens = 1024;
    world_open(&w, &cfg);
    assert_int_equal(view().context, 1024);
    world_ask(&w, 1, 1024, 0, 10);
    assert_int_equal(w.failed[1], ERR_LIMIT);
    world_ask(&w, 2, 1000, 0, 100);
    world_run(&w, UINT64_MAX);
    assert_int_equal(w.tokens_of[2], 24); /* up to the context, not further */
    world_close(&w);
}

static void a_cancelled_request_gives_back_what_it_held(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    world_open(&w, &cfg);
    world_ask(&w, 1, 100, 0, 1000);
    world_ask(&w, 2, 100, 0, 5);
    world_run(&w, w.now_us + 50000);
    world_step(&w, &(struct engine_event){.kind = ENGINE_CANCEL, .id = 1});
    world_run(&w, UINT64_MAX);
    assert_false(w.is_done[1]);
    assert_true(w.is_done[2]);
    assert_int_equal(view().blocks_used, 0);
    assert_int_equal(view().stats->finished_abort, 1);
    world_close(&w);
}

static void the_same_seed_and_prompt_give_the_same_answer_and_another_seed_another(void **state)
{
    static uint32_t words[3][64];
    for (int run = 0; run < 3; run++) {
        struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
        cfg.seed = run == 2 ? 2 : 1;
        world_open(&w, &cfg);
        world_ask(&w, 1, 30, 30, 64);
        world_run(&w, UINT64_MAX);
        for (size_t i = 0, n = 0; i < w.seen_count; i++)
            if (w.seen[i].kind == ENGINE_TOKEN)
                words[run][n++] = w.seen[i].word;
        world_close(&w);
    }
    assert_memory_equal(words[0], words[1], sizeof words[0]);
    assert_memory_not_equal(words[0], words[2], sizeof words[0]);
}

static void an_answer_that_comes_back_in_the_next_prompt_is_found_in_the_cache(void **state)
{
    struct engine_cfg cfg = plain_cfg("a100", "llama-3.1-8b");
    uint32_t tokens[256];
    world_open(&w, &cfg);
    world_ask(&w, 1, 64, 64, 64);
    world_run(&w, UINT64_MAX);
    for (uint32_t i = 0; i < 64; i++)
        tokens[i] = i + 7;
    size_t count = 64;
    for (size_t i = 0; i < w.seen_count; i++)
        if (w.seen[i].kind == ENGINE_TOKEN)
            tokens[count++] = tokens_value(tokens_word(w.seen[i].word, w.seen[i].index == 0));
    for (; count < 140; count++)
        tokens[count] = 99;
    struct engine_event event = {.kind = ENGINE_SUBMIT};
    event.request =
        (struct engine_request){.id = 2, .tokens = tokens, .token_count = count, .output_max = 1};
    world_step(&w, &event);
    world_run(&w, UINT64_MAX);
    assert_int_equal(w.cached[2], 112); /* 127 were computed: seven blocks of 16 */
    world_close(&w);
}

static void embedding_ends_with_the_prompt(void **state)
{
    struct engine_cfg cfg = plain_cfg("l4", "bge-m3");
    world_open(&w, &cfg);
    world_ask(&w, 1, 500, 0, 0);
    world_run(&w, UINT64_MAX);
    assert_true(w.is_done[1]);
    assert_int_equal(w.tokens_of[1], 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_decodes_at_the_rate_that_memory_bandwidth_allows),
        cmocka_unit_test(a_batch_of_eight_costs_little_more_than_one),
        cmocka_unit_test(requests_beyond_the_batch_wait_and_begin_in_order),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_long_prompt_is_computed_in_chunks_and_others_go_on),
        cmocka_unit_test(a_shared_prefix_is_computed_once),
        cmocka_unit_test(the_same_prompt_again_computes_at_least_one_token),
        cmocka_unit_test(a_cache_under_pressure_gives_up_what_was_used_longest_ago),
        cmocka_unit_test(without_a_free_block_the_youngest_is_preempted_and_still_finishes),
        cmocka_unit_test(what_can_never_fit_is_refused_and_others_are_served),
        cmocka_unit_test(a_cancelled_request_gives_back_what_it_held),
        cmocka_unit_test(the_same_seed_and_prompt_give_the_same_answer_and_another_seed_another),
        cmocka_unit_test(an_answer_that_comes_back_in_the_next_prompt_is_found_in_the_cache),
        cmocka_unit_test(embedding_ends_with_the_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
