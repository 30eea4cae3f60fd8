/* Events to models, models' steps to effects, loading and unloading, the accelerator's body; see
 * engine.h. One step of the engine brings every model up to the event's time, in the order of
 * their steps' ends. */
#include "testnet/engine/core/engine_impl.h"

#include <stdlib.h>

static struct model *model_at(struct engine *e, size_t index)
{
    CHECK(index < e->cfg.model_count);
    return &e->models[index];
}

static uint32_t count_working(const struct engine *e)
{
    uint32_t count = 0;
    for (size_t i = 0; i < e->cfg.model_count; i++)
        count += e->models[i].step_end_us != 0;
    return count;
}

bool engine_is_working(const struct engine *e)
{
    return count_working(e) > 0 && !e->frozen_us;
}

static void pass_time(struct engine *e, uint64_t now_us)
{
    if (now_us > e->now_us)
        e->now_us = now_us;
    device_advance(&e->device, e->now_us, engine_is_working(e));
}

/* --- models come and go */

static void load(struct engine *e, struct model *m)
{
    m->load = ENGINE_LOADING;
    m->loaded_us = e->now_us +
                   (uint64_t)((double)profile_load_us(e->cfg.profile, &m->shape) *
                              device_slowness(&e->device)) +
                   1;
}

static struct model *find_idle(struct engine *e)
{
    struct model *oldest = NULL;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        struct model *m = &e->models[i];
        if (m->load == ENGINE_LOADED && !model_has_work(m) &&
            (!oldest || m->used_us < oldest->used_us))
            oldest = m;
    }
    return oldest;
}

/* Loads what is asked for, as far as there is room; the least recently used idle one makes it. */
static void settle_loads(struct engine *e)
{
    uint32_t resident = 0;
    for (size_t i = 0; i < e->cfg.model_count; i++)
        resident += e->models[i].load != ENGINE_UNLOADED;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        struct model *m = &e->models[i];
        if (m->load != ENGINE_UNLOADED || !model_has_work(m))
            continue;
        struct model *idle = resident < e->cfg.loaded_max ? NULL : find_idle(e);
        if (resident >= e->cfg.loaded_max && !idle)
            return;
        if (idle) {
            idle->load = ENGINE_UNLOADED;
            kv_forget(idle->kv);
            resident--;
        }
        load(e, m);
        resident++;
    }
}

/* A crash fails all that are there, beyond what a step tells. */
static size_t effects_room(const struct engine_cfg *cfg)
{
    return ENGINE_EFFECTS_MAX + cfg->model_count * (cfg->waiting_max + cfg->sequences_max) + 1;
}

enum err engine_create(const struct engine_cfg *cfg, uint64_t now_us, struct engine **ret_engine)
{
    CHECK(cfg->model_count > 0 && cfg->model_count <= ENGINE_MODELS_MAX && cfg->loaded_max > 0);
    CHECK(cfg->sequences_max > 0 && cfg->sequences_max <= ENGINE_SEQUENCES_MAX);
    CHECK(cfg->chunk_tokens > 0 && cfg->answer_tokens > 0 && cfg->speed > 0);
    struct engine *e = calloc(1, sizeof *e);
    struct engine_effect *effects = calloc(effects_room(cfg), sizeof *effects);
    enum err error = e && effects ? ERR_OK : ERR_NO_MEMORY;
    if (error == ERR_OK) {
        e->cfg = *cfg;
        e->now_us = now_us;
        device_init(&e->device, cfg->profile, cfg->speed, now_us);
    }
    size_t made = 0;
    for (; error == ERR_OK && made < cfg->model_count; made++) {
        struct model *m = &e->models[made];
        error = model_init(m, &e->cfg, made);
        if (error == ERR_OK && made < cfg->loaded_max && cfg->starts_cold)
            load(e, m);
        else if (made < cfg->loaded_max)
            m->load = ENGINE_LOADED;
    }
    if (error != ERR_OK) {
        for (size_t i = 0; i < made; i++)
            model_fini(&e->models[i]);
        free(e);
        free(effects);
        return error;
    }
    e->effects = effects;
    e->has_started = !cfg->starts_cold;
    *ret_engine = e;
    return ERR_OK;
}

void engine_destroy(struct engine *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->cfg.model_count; i++)
        model_fini(&e->models[i]);
    free(e->effects);
    free(e);
}

/* --- time */

static void begin_steps(struct engine *e, struct effects *out)
{
    settle_loads(e);
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        struct model *m = &e->models[i];
        uint64_t context;
        if (m->load != ENGINE_LOADED || m->step_end_us || !model_has_work(m))
            continue;
        if (out->count + 2 * e->cfg.sequences_max + 2 > ENGINE_EFFECTS_MAX)
            return; /* the caller comes back at once */
        uint64_t tokens = model_begin_step(m, e->now_us, out, &context);
        if (tokens == 0)
            continue;
        uint64_t step_us = profile_step_us(e->cfg.profile, &m->shape, tokens, context);
        double factor = device_slowness(&e->device) * (1 + count_working(e));
        m->step_end_us = e->now_us + (uint64_t)((double)step_us * factor) + 1;
    }
}

/* The next thing that ends: a step or a load. */
static struct model *next_of(struct engine *e, uint64_t *ret_when_us)
{
    struct model *next = NULL;
    uint64_t when_us = UINT64_MAX;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        struct model *m = &e->models[i];
        uint64_t end_us = m->load == ENGINE_LOADING ? m->loaded_us : m->step_end_us;
        if (end_us && end_us < when_us) {
            when_us = end_us;
            next = m;
        }
    }
    *ret_when_us = when_us;
    return next;
}

static void run_until(struct engine *e, uint64_t now_us, struct effects *out)
{
    if (e->frozen_us) {
        pass_time(e, now_us);
        return;
    }
    begin_steps(e, out);
    for (;;) {
        uint64_t when_us;
        struct model *m = next_of(e, &when_us);
        if (!m || when_us > now_us)
            break;
        if (out->count + 2 * e->cfg.sequences_max + 2 > ENGINE_EFFECTS_MAX)
            return;
        pass_time(e, when_us);
        if (m->load == ENGINE_LOADING) {
            m->load = ENGINE_LOADED;
            e->has_started = true;
        } else {
            model_end_step(m, out);
        }
        begin_steps(e, out);
    }
    pass_time(e, now_us);
}

/* What was under way goes on where it stopped. */
static void thaw(struct engine *e)
{
    uint64_t lost_us = e->now_us - e->frozen_us;
    e->frozen_us = 0;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        struct model *m = &e->models[i];
        m->step_end_us += m->step_end_us ? lost_us : 0;
        m->loaded_us += m->load == ENGINE_LOADING ? lost_us : 0;
    }
}

static void set_condition(struct engine *e, const struct engine_condition *condition)
{
    e->device.condition = *condition;
    if (condition->is_frozen && !e->frozen_us)
        e->frozen_us = e->now_us ? e->now_us : 1;
    else if (!condition->is_frozen && e->frozen_us)
        thaw(e);
}

static void crash(struct engine *e, struct effects *out)
{
    e->has_started = false;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        struct model *m = &e->models[i];
        model_crash(m, out);
        if (m->load != ENGINE_UNLOADED)
            load(e, m);
    }
}

void engine_step(struct engine *e, const struct engine_event *event,
                 struct engine_effects *ret_effects)
{
    struct effects out = {.items = e->effects, .room = effects_room(&e->cfg)};
    run_until(e, event->now_us, &out);
    switch (event->kind) {
    case ENGINE_TICK: break;
    case ENGINE_SUBMIT:
        model_submit(model_at(e, event->request.model), &event->request, e->now_us, &out);
        break;
    case ENGINE_CANCEL:
        for (size_t i = 0; i < e->cfg.model_count; i++)
            if (model_cancel(&e->models[i], event->id))
                break;
        break;
    case ENGINE_CONDITION: set_condition(e, &event->condition); break;
    case ENGINE_CRASH: crash(e, &out); break;
    }
    if (!e->frozen_us)
        begin_steps(e, &out);
    *ret_effects = (struct engine_effects){out.items, out.count};
}

static bool is_startable(const struct model *m)
{
    return m->load == ENGINE_LOADED && !m->step_end_us && model_has_work(m);
}

uint64_t engine_deadline_us(const struct engine *e)
{
    uint64_t when_us = UINT64_MAX;
    if (e->frozen_us)
        return when_us;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        const struct model *m = &e->models[i];
        uint64_t end_us = m->load == ENGINE_LOADING ? m->loaded_us : m->step_end_us;
        if (is_startable(m))
            end_us = e->now_us;
        if (end_us && end_us < when_us)
            when_us = end_us;
    }
    return when_us;
}
