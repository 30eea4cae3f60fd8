/* The emulated inference engine: continuous batching on an accelerator, as a pure state machine. An
 * event goes in, effects come out in order; no sockets, no clock, no threads. Same seed and same
 * events, same effects.
 *
 *   submit ──> waiting ──admitted──> prefill ──> decode ──> done          cancel: from anywhere
 *                 ^                      └──preempted──┘
 *                 └──────────────────────────┘            crash: everything failed, models reload
 *
 * Follows vLLM's scheduler (version 1): each step decodes one token of every running sequence and
 * spends what is left of `chunk_tokens` on prefill, first come, first served; when no KV block is
 * free, the sequence admitted last is preempted and computed anew later. A step lasts what
 * profile_step_us says, times the models that are at work at once. With blocks of one token, a
 * context split over `sequences_max` slots and no need to preempt, it behaves as llama.cpp does.
 * It is not a model: answers are words drawn from a seed and the prompt, so the same prompt gets
 * the same answer. It has no speculative decoding, no LoRA and one accelerator. */
#ifndef TESTNET_ENGINE_CORE_ENGINE_H
#define TESTNET_ENGINE_CORE_ENGINE_H

#include "base/err.h"
#include "testnet/engine/core/profile.h"
#include "testnet/engine/core/stats.h"

#define ENGINE_MODELS_MAX 8
#define ENGINE_SEQUENCES_MAX 1024
#define ENGINE_ECHO_MAX 8       /* tokens */
#define ENGINE_EFFECTS_MAX 4096 /* a step ends early when so many are there */

struct engine_model_cfg {
    const char *name;
    struct shape shape;
};

struct engine_cfg {
    const struct profile *profile;
    struct engine_model_cfg models[ENGINE_MODELS_MAX];
    size_t model_count;
    uint32_t block_tokens;  /* of a KV block: 16 as vLLM has it, 1 as llama.cpp */
    uint32_t sequences_max; /* running at once, of one model */
    uint32_t waiting_max;   /* of one model; more are refused */
    uint32_t chunk_tokens;  /* of a step */
    uint32_t kv_tokens;     /* of a model; 0: what the memory gives */
    uint32_t loaded_max;    /* models in memory at once; at least 1 */
    uint32_t answer_tokens; /* mean length of answers that nobody cuts short */
    double speed;           /* all durations are divided by it */
    uint64_t seed;
    bool starts_cold; /* models are loaded at the start, or at their first request */
};

struct engine_request {
    uint64_t id; /* not in use; not 0 */
    size_t model;
    const uint32_t *tokens; /* at least 1, fewer than the context; copied */
    size_t token_count;
    const uint32_t *echo; /* with these the answer begins; copied */
    size_t echo_count;
    uint32_t output_max; /* 0: embed only */
    uint64_t seed;       /* the caller's; beside the prompt and the engine's own */
    bool ignores_stop;   /* exactly output_max tokens */
};

/* What happens to the accelerator from outside, until the next such event. */
struct engine_condition {
    double slowness;  /* 1: none */
    double celsius;   /* heats up to this; 0: what its load makes */
    bool is_frozen;   /* nothing goes on */
    bool memory_full; /* as its exporter tells it */
};

enum engine_event_kind {
    ENGINE_TICK, /* engine_deadline_us has come, or later */
    ENGINE_SUBMIT,
    ENGINE_CANCEL,    /* id; harmless when it is gone */
    ENGINE_CONDITION, /* condition */
    ENGINE_CRASH,     /* everything in it fails; models load again */
};
struct engine_event {
    enum engine_event_kind kind;
    uint64_t now_us; /* never goes back */
    struct engine_request request;
    struct engine_condition condition;
    uint64_t id;
};

enum engine_effect_kind { ENGINE_BEGAN, ENGINE_TOKEN, ENGINE_DONE, ENGINE_FAILED };
struct engine_effect {
    enum engine_effect_kind kind;
    uint64_t id;
    uint32_t index;   /* TOKEN: of the token in the answer; BEGAN: tokens found in the cache */
    uint32_t word;    /* TOKEN behind the echo: which word of tokens.h */
    bool was_stopped; /* DONE: by itself, not by output_max */
    enum err reason;  /* FAILED: OVERLOADED, LIMIT (it can never fit), NO_MEMORY (the crash) */
    struct stats_times times; /* DONE */
};
struct engine_effects {
    const struct engine_effect *items; /* valid until the next step */
    size_t count;
};

struct engine;

/* NO_MEMORY; LIMIT: a model does not fit the accelerator's memory. The strings of cfg are kept. */
MUST_CHECK enum err engine_create(const struct engine_cfg *cfg, uint64_t now_us,
                                  struct engine **ret_engine);
void engine_destroy(struct engine *e);
void engine_step(struct engine *e, const struct engine_event *event,
                 struct engine_effects *ret_effects);
/* When a TICK is due; UINT64_MAX: never. */
uint64_t engine_deadline_us(const struct engine *e);

/* --- what can be seen from outside */

enum engine_load_state { ENGINE_UNLOADED, ENGINE_LOADING, ENGINE_LOADED };
struct engine_model_view {
    const char *name;
    const struct shape *shape;
    enum engine_load_state load;
    uint32_t context; /* of one sequence */
    uint32_t running, waiting;
    uint32_t blocks_used, block_count, block_tokens;
    const struct stats *stats;
};
void engine_model(const struct engine *e, size_t model, struct engine_model_view *ret_view);
const struct engine_cfg *engine_cfg_of(const struct engine *e);
/* A first model was loaded, and nothing crashed since. */
bool engine_is_ready(const struct engine *e);

struct engine_slot {
    uint64_t id; /* 0: idle */
    uint32_t prompt, computed, cached, decoded, left;
};
/* Slot `index` (below sequences_max) of the model. */
void engine_slot(const struct engine *e, size_t model, uint32_t index,
                 struct engine_slot *ret_slot);

struct engine_device_view {
    double load; /* 0 to 1, over the last second or so */
    double celsius, watts, joules;
    uint64_t memory_total, memory_used; /* bytes */
    uint32_t clock_mhz;
    bool is_throttled; /* by heat */
};
void engine_device(const struct engine *e, uint64_t now_us, struct engine_device_view *ret_view);

#endif
