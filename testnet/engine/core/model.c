/* Sequences of one model, from the queue to their last token; see model.h and the drawing in
 * engine.h. Planning a step follows vLLM: running ones first, then the queue in order.
 *
 * Failure modes: a queue that is full, a request that can never fit, no KV block free (the youngest
 * is preempted), no memory of this process. */
#include "testnet/engine/core/model.h"

#include "testnet/engine/core/tokens.h"

#include <stdlib.h>

static struct sequence *of(struct list *node)
{
    return LIST_ENTRY(node, struct sequence, node);
}

static uint32_t kv_budget(const struct engine_cfg *cfg, const struct shape *shape)
{
    uint64_t tokens = cfg->kv_tokens;
    if (tokens == 0)
        tokens = profile_kv_tokens(cfg->profile, shape, 1.0 / cfg->loaded_max);
    if (shape->kv_bytes == 0)
        tokens = (uint64_t)shape->context * cfg->sequences_max;
    uint64_t most = (uint64_t)shape->context * cfg->sequences_max;
    if (tokens > most)
        tokens = most;
    uint64_t blocks = tokens / cfg->block_tokens;
    return (uint32_t)(blocks > KV_BLOCKS_MAX ? KV_BLOCKS_MAX : blocks);
}

/* llama.cpp gives each slot its part of the context; vLLM lets one sequence have it all. */
static uint32_t context_of(const struct engine_cfg *cfg, const struct shape *shape,
                           uint32_t kv_tokens)
{
    uint32_t context = cfg->block_tokens == 1 ? kv_tokens / cfg->sequences_max : kv_tokens;
    return context < shape->context ? context : shape->context;
}

enum err model_init(struct model *m, const struct engine_cfg *cfg, size_t index)
{
    const struct shape *shape = &cfg->models[index].shape;
    *m = (struct model){.cfg = cfg, .shape = *shape, .name = cfg->models[index].name};
    list_init(&m->waiting);
    list_init(&m->running);
    uint32_t blocks = kv_budget(cfg, shape);
    m->context = context_of(cfg, shape, blocks * cfg->block_tokens);
    if (m->context < 2)
        return ERR_LIMIT;
    return kv_create(blocks, cfg->block_tokens, cfg->seed, &m->kv);
}

static void drop(struct model *m, struct sequence *s)
{
    list_remove(&s->node);
    if (s->is_running) {
        m->running_count--;
        m->slots[s->slot] = 0;
    } else {
        m->waiting_count--;
    }
    kv_release(m->kv, &s->hold);
    free(s->tokens);
    free(s);
}

void model_fini(struct model *m)
{
    while (!list_is_empty(&m->running))
        drop(m, of(m->running.next));
    while (!list_is_empty(&m->waiting))
        drop(m, of(m->waiting.next));
    kv_destroy(m->kv);
}

static void emit(struct effects *out, struct engine_effect effect)
{
    CHECK(out->count < out->room);
    out->items[out->count++] = effect;
}

static void fail(struct effects *out, uint64_t id, enum err reason)
{
    emit(out, (struct engine_effect){.kind = ENGINE_FAILED, .id = id, .reason = reason});
}

/* --- arriving and leaving */

/* How long the answer would be by itself: geometric, so that it has no memory, as the seed and the
 * prompt say. At least 1. */
static uint32_t natural_length(struct sequence *s, uint32_t mean)
{
    uint32_t length = 1;
    double chance = 1.0 / mean;
    while (length < mean * 8 && !rng_chance(&s->rng, chance))
        length++;
    return length;
}

static uint64_t seed_of(const struct model *m, const struct engine_request *r)
{
    uint64_t hash = m->cfg->seed ^ r->seed * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < r->token_count; i++)
        hash = (hash ^ r->tokens[i]) * 0x100000001B3u;
    return hash;
}

static struct sequence *sequence_new(const struct model *m, const struct engine_request *r,
                                     uint64_t now_us)
{
    struct sequence *s = calloc(1, sizeof *s);
    size_t capacity = r->token_count + 64;
    uint32_t *tokens = s ? malloc(capacity * sizeof *tokens) : NULL;
    if (!tokens) {
        free(s);
        return NULL;
    }
    memcpy(tokens, r->tokens, r->token_count * sizeof *tokens);
    *s = (struct sequence){.id = r->id,
                           .tokens = tokens,
                           .token_count = r->token_count,
                           .token_capacity = capacity,
                           .prompt_count = r->token_count,
                           .output_max = r->output_max,
                           .last_token_us = now_us};
    s->times.submitted_us = now_us;
    s->times.prompt = (uint32_t)r->token_count;
    s->echo_count = (uint32_t)(r->echo_count < ENGINE_ECHO_MAX ? r->echo_count : ENGINE_ECHO_MAX);
    if (s->echo_count)
        memcpy(s->echo, r->echo, s->echo_count * sizeof *s->echo);
    rng_init(&s->rng, seed_of(m, r));
    uint32_t room = m->context - (uint32_t)r->token_count;
    if (s->output_max > room)
        s->output_max = room;
    uint32_t natural = natural_length(s, m->cfg->answer_tokens) + s->echo_count;
    if (r->output_max && !r->ignores_stop && natural < s->output_max) {
        s->output_max = natural;
        s->will_stop = true;
    }
    return s;
}

void model_submit(struct model *m, const struct engine_request *r, uint64_t now_us,
                  struct effects *out)
{
    CHECK(r->token_count > 0);
    if (m->waiting_count >= m->cfg->waiting_max) {
        fail(out, r->id, ERR_OVERLOADED);
        return;
    }
    struct sequence *s = r->token_count < m->context ? sequence_new(m, r, now_us) : NULL;
    if (!s) {
        fail(out, r->id, r->token_count < m->context ? ERR_NO_MEMORY : ERR_LIMIT);
        return;
    }
    m->used_us = now_us;
    list_push_back(&m->waiting, &s->node);
    m->waiting_count++;
}

bool model_cancel(struct model *m, uint64_t id)
{
    struct list *queues[] = {&m->running, &m->waiting};
    for (size_t i = 0; i < 2; i++)
        LIST_EACH(it, queues[i])
        {
            if (of(it)->id != id)
                continue;
            m->stats.finished_abort++;
            drop(m, of(it));
            return true;
        }
    return false;
}

void model_crash(struct model *m, struct effects *out)
{
    struct list *queues[] = {&m->running, &m->waiting};
    for (size_t i = 0; i < 2; i++)
        while (!list_is_empty(queues[i])) {
            fail(out, of(queues[i]->next)->id, ERR_NO_MEMORY);
            drop(m, of(queues[i]->next));
        }
    kv_forget(m->kv);
    m->step_end_us = 0;
}

bool model_has_work(const struct model *m)
{
    return m->running_count + m->waiting_count > 0;
}

/* --- planning a step */

static void preempt(struct model *m, struct sequence *s)
{
    kv_release(m->kv, &s->hold);
    list_remove(&s->node);
    list_push_front(&m->waiting, &s->node);
    m->slots[s->slot] = 0;
    s->is_running = false;
    s->computed = s->scheduled = 0;
    m->running_count--;
    m->waiting_count++;
    m->stats.preemptions++;
}

/* Room for the tokens that this step computes; the youngest others make it. False: it was itself
 * the youngest. */
static bool make_room(struct model *m, struct sequence *s)
{
    while (!kv_grow(m->kv, &s->hold, s->computed + s->scheduled)) {
        struct sequence *youngest = of(m->running.prev);
        preempt(m, youngest);
        if (youngest == s)
            return false;
    }
    return true;
}

static uint64_t plan_running(struct model *m, uint64_t budget)
{
    uint64_t used = 0;
    LIST_EACH_SAFE(it, tmp, &m->running)
    {
        struct sequence *s = of(it);
        uint64_t left = s->token_count - s->computed;
        s->scheduled = (size_t)(left < budget - used ? left : budget - used);
        if (!make_room(m, s))
            break;
        used += s->scheduled;
        tmp = it->next; /* preempting may have taken the one that was next */
    }
    return used;
}

static uint32_t take_slot(struct model *m)
{
    uint32_t slot = 0;
    while (m->slots[slot])
        slot++;
    m->slots[slot] = 1;
    return slot;
}

static void begin(struct model *m, struct sequence *s, size_t cached, uint64_t now_us,
                  struct effects *out)
{
    list_remove(&s->node);
    list_push_back(&m->running, &s->node);
    m->waiting_count--;
    m->running_count++;
    s->is_running = true;
    s->computed = cached;
    s->slot = take_slot(m);
    m->stats.queried_tokens += s->token_count;
    m->stats.cached_tokens += cached;
    if (s->has_begun)
        return;
    s->has_begun = true;
    s->times.admitted_us = now_us;
    s->times.cached = (uint32_t)cached;
    emit(out, (struct engine_effect){.kind = ENGINE_BEGAN, .id = s->id, .index = (uint32_t)cached});
}

static uint64_t plan_waiting(struct model *m, uint64_t budget, uint64_t now_us, struct effects *out)
{
    uint64_t used = 0;
    while (used < budget && !list_is_empty(&m->waiting) &&
           m->running_count < m->cfg->sequences_max && out->count + 1 < ENGINE_EFFECTS_MAX) {
        struct sequence *s = of(m->waiting.next);
        size_t cached = 0;
        if (!kv_admit(m->kv, &s->hold, s->tokens, s->token_count, &cached)) {
            if (m->running_count > 0)
                break;
            fail(out, s->id, ERR_LIMIT); /* alone, and still too large */
            drop(m, s);
            continue;
        }
        begin(m, s, cached, now_us, out);
        uint64_t left = s->token_count - cached;
        s->scheduled = (size_t)(left < budget - used ? left : budget - used);
        used += s->scheduled;
    }
    return used;
}

uint64_t model_begin_step(struct model *m, uint64_t now_us, struct effects *out,
                          uint64_t *ret_context)
{
    uint64_t budget = m->cfg->chunk_tokens, context = 0;
    uint64_t preemptions = m->stats.preemptions;
    uint64_t used = plan_running(m, budget);
    if (m->stats.preemptions == preemptions)
        used += plan_waiting(m, budget - used, now_us, out);
    LIST_EACH(it, &m->running)
    {
        struct sequence *s = of(it);
        context += s->scheduled ? s->computed : 0;
        m->stats.sequence_steps += s->scheduled > 0;
    }
    if (used) {
        m->stats.steps++;
        stats_add(&m->stats, STATS_STEP_TOKENS, (double)used);
    }
    *ret_context = context;
    return used;
}

/* --- the end of a step */

static void finish(struct model *m, struct sequence *s, uint64_t now_us, struct effects *out)
{
    s->times.done_us = now_us;
    s->times.output = s->output_count;
    stats_finish(&m->stats, &s->times, s->will_stop);
    emit(out,
         (struct engine_effect){
             .kind = ENGINE_DONE, .id = s->id, .was_stopped = s->will_stop, .times = s->times});
    drop(m, s);
}

static bool append_token(struct sequence *s, uint32_t value)
{
    if (s->token_count == s->token_capacity) {
        uint32_t *tokens = realloc(s->tokens, s->token_capacity * 2 * sizeof *tokens);
        if (!tokens)
            return false;
        s->tokens = tokens;
        s->token_capacity *= 2;
    }
    s->tokens[s->token_count++] = value;
    return true;
}

static void count_token(struct model *m, struct sequence *s, uint64_t now_us)
{
    if (s->output_count == 0) {
        s->times.first_us = now_us;
        stats_add(&m->stats, STATS_FIRST_TOKEN, (double)(now_us - s->times.submitted_us) / 1e6);
    } else {
        stats_add(&m->stats, STATS_INTER_TOKEN, (double)(now_us - s->last_token_us) / 1e6);
    }
    s->last_token_us = now_us;
    m->stats.output_tokens++;
}

static void produce(struct model *m, struct sequence *s, uint64_t now_us, struct effects *out)
{
    if (s->output_max == 0) {
        s->times.first_us = now_us;
        finish(m, s, now_us, out);
        return;
    }
    uint32_t index = s->output_count;
    bool is_echo = index < s->echo_count;
    uint32_t word = (uint32_t)rng_below(&s->rng, TOKEN_WORDS);
    uint32_t value = is_echo ? s->echo[index] : tokens_value(tokens_word(word, index == 0));
    if (!append_token(s, value)) {
        fail(out, s->id, ERR_NO_MEMORY);
        drop(m, s);
        return;
    }
    count_token(m, s, now_us);
    s->output_count++;
    emit(out,
         (struct engine_effect){.kind = ENGINE_TOKEN, .id = s->id, .index = index, .word = word});
    if (s->output_count >= s->output_max)
        finish(m, s, now_us, out);
}

void model_end_step(struct model *m, struct effects *out)
{
    uint64_t now_us = m->step_end_us;
    m->step_end_us = 0;
    m->used_us = now_us;
    LIST_EACH_SAFE(it, tmp, &m->running)
    {
        struct sequence *s = of(it);
        bool was_prompt = s->computed < s->prompt_count && s->output_count == 0;
        if (s->scheduled == 0)
            continue;
        s->computed += s->scheduled;
        m->stats.prompt_tokens += was_prompt ? s->scheduled : 0;
        s->scheduled = 0;
        kv_publish(m->kv, &s->hold, s->tokens, s->computed);
        if (s->computed == s->token_count)
            produce(m, s, now_us, out);
    }
}
