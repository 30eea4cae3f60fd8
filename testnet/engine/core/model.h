/* One model on the accelerator: its queue, its running batch, its KV cache, its steps. Used by
 * engine.c alone. A step is planned when it begins and takes effect when it ends. */
#ifndef TESTNET_ENGINE_CORE_MODEL_H
#define TESTNET_ENGINE_CORE_MODEL_H

#include "base/list.h"
#include "base/rng.h"
#include "testnet/engine/core/engine.h"
#include "testnet/engine/core/kv.h"

struct sequence {
    struct list node; /* waiting or running */
    uint64_t id;
    uint32_t *tokens; /* prompt and answer so far */
    size_t token_count, token_capacity, prompt_count;
    size_t computed;  /* their KV is in the cache */
    size_t scheduled; /* of this step */
    uint32_t echo[ENGINE_ECHO_MAX];
    uint32_t echo_count;
    uint32_t output_count, output_max; /* output_max 0: embed */
    bool will_stop;                    /* before the caller's limit */
    bool is_running, has_begun;
    uint32_t slot;
    uint64_t last_token_us;
    struct stats_times times;
    struct kv_hold hold;
    struct rng rng;
};

struct model {
    const struct engine_cfg *cfg;
    struct shape shape;
    const char *name;
    uint32_t context;
    struct kv *kv;
    struct list waiting, running; /* running: in order of admission */
    uint32_t waiting_count, running_count;
    uint8_t slots[ENGINE_SEQUENCES_MAX]; /* taken */
    uint64_t step_end_us;                /* 0: no step is under way */
    enum engine_load_state load;
    uint64_t loaded_us; /* when loading ends */
    uint64_t used_us;   /* last */
    struct stats stats;
};

/* Where model.c puts its effects; engine.c sees to it that there is room. */
struct effects {
    struct engine_effect *items;
    size_t count;
    size_t room;
};

MUST_CHECK enum err model_init(struct model *m, const struct engine_cfg *cfg, size_t index);
void model_fini(struct model *m);
/* Queues it, or says in the effects why not. */
void model_submit(struct model *m, const struct engine_request *request, uint64_t now_us,
                  struct effects *out);
/* True when the model had it. */
bool model_cancel(struct model *m, uint64_t id);
bool model_has_work(const struct model *m);
/* Plans a step. 0: there is nothing to do; else its tokens, and *ret_context of KV to read. */
uint64_t model_begin_step(struct model *m, uint64_t now_us, struct effects *out,
                          uint64_t *ret_context);
void model_end_step(struct model *m, struct effects *out);
/* Fails everything and forgets the cache. */
void model_crash(struct model *m, struct effects *out);

#endif
