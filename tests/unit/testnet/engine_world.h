/* An engine core under a clock that the test turns: requests in, effects kept. */
#ifndef TESTS_UNIT_TESTNET_ENGINE_WORLD_H
#define TESTS_UNIT_TESTNET_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/engine/core/engine.h"
#include "testnet/engine/core/tokens.h"

#define SEEN_MAX 200000
#define IDS_MAX 600

struct engine_world {
    struct engine *engine;
    uint64_t now_us;
    struct engine_effect seen[SEEN_MAX];
    uint64_t seen_us[SEEN_MAX];
    size_t seen_count;
    uint32_t tokens_of[IDS_MAX];
    bool is_done[IDS_MAX];
    enum err failed[IDS_MAX];
    struct stats_times times[IDS_MAX];
    uint32_t cached[IDS_MAX];
    bool was_stopped[IDS_MAX];
};

static inline struct engine_cfg plain_cfg(const char *profile, const char *shape)
{
    struct engine_cfg cfg = {.profile = profile_find(bytes_from_str(profile)),
                             .model_count = 1,
                             .block_tokens = 16,
                             .sequences_max = 8,
                             .waiting_max = 512,
                             .chunk_tokens = 2048,
                             .loaded_max = 1,
                             .answer_tokens = 100,
                             .speed = 1,
                             .seed = 1};
    cfg.models[0].name = "m";
    cfg.models[0].shape = *shape_find(bytes_from_str(shape));
    return cfg;
}

static inline void world_open(struct engine_world *w, const struct engine_cfg *cfg)
{
    memset(w, 0, sizeof *w);
    w->now_us = 1000;
    assert_int_equal(engine_create(cfg, w->now_us, &w->engine), ERR_OK);
}

static inline void world_step(struct engine_world *w, struct engine_event *event)
{
    struct engine_effects effects;
    event->now_us = w->now_us;
    engine_step(w->engine, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        const struct engine_effect *x = &effects.items[i];
        assert_true(w->seen_count < SEEN_MAX && x->id < IDS_MAX);
        w->seen_us[w->seen_count] = w->now_us;
        w->seen[w->seen_count++] = *x;
        w->tokens_of[x->id] += x->kind == ENGINE_TOKEN;
        if (x->kind == ENGINE_BEGAN)
            w->cached[x->id] = x->index;
        if (x->kind == ENGINE_FAILED)
            w->failed[x->id] = x->reason;
        if (x->kind == ENGINE_DONE) {
            w->is_done[x->id] = true;
            w->times[x->id] = x->times;
            w->was_stopped[x->id] = x->was_stopped;
        }
    }
}

/* Ticks at each deadline until nothing is due, at most until `until_us`. */
static inline void world_run(struct engine_world *w, uint64_t until_us)
{
    for (;;) {
        uint64_t due_us = engine_deadline_us(w->engine);
        if (due_us == UINT64_MAX || due_us > until_us)
            break;
        if (due_us > w->now_us)
            w->now_us = due_us;
        world_step(w, &(struct engine_event){.kind = ENGINE_TICK});
    }
    if (until_us != UINT64_MAX && until_us > w->now_us)
        w->now_us = until_us;
}

/* A prompt of `count` tokens, the first `shared` of which all such prompts have in common. */
static inline void world_ask(struct engine_world *w, uint64_t id, size_t count, size_t shared,
                             uint32_t output_max)
{
    uint32_t *tokens = test_malloc(count * sizeof *tokens);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (uint32_t)(i < shared ? i + 7 : i * 31 + id * 1000003 + 11);
    struct engine_event event = {.kind = ENGINE_SUBMIT};
    event.request = (struct engine_request){.id = id,
                                            .tokens = tokens,
                                            .token_count = count,
                                            .output_max = output_max,
                                            .ignores_stop = true};
    world_step(w, &event);
    test_free(tokens);
}

static inline void world_close(struct engine_world *w)
{
    engine_destroy(w->engine);
}

#endif
