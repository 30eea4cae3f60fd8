/* What can be seen of an engine from outside, as declared in engine.h. */
#include "testnet/engine/core/engine_impl.h"

void engine_model(const struct engine *e, size_t index, struct engine_model_view *ret_view)
{
    CHECK(index < e->cfg.model_count);
    const struct model *m = &e->models[index];
    *ret_view = (struct engine_model_view){.name = m->name,
                                           .shape = &m->shape,
                                           .load = m->load,
                                           .context = m->context,
                                           .running = m->running_count,
                                           .waiting = m->waiting_count,
                                           .blocks_used = kv_blocks_used(m->kv),
                                           .block_count = kv_block_count(m->kv),
                                           .block_tokens = kv_block_tokens(m->kv),
                                           .stats = &m->stats};
}

const struct engine_cfg *engine_cfg_of(const struct engine *e)
{
    return &e->cfg;
}

bool engine_is_ready(const struct engine *e)
{
    return e->has_started;
}

void engine_slot(const struct engine *e, size_t index, uint32_t slot, struct engine_slot *ret_slot)
{
    CHECK(index < e->cfg.model_count && slot < e->cfg.sequences_max);
    const struct model *m = &e->models[index];
    *ret_slot = (struct engine_slot){0};
    LIST_EACH(it, &m->running)
    {
        const struct sequence *s = LIST_ENTRY(it, struct sequence, node);
        if (s->slot != slot)
            continue;
        *ret_slot = (struct engine_slot){.id = s->id,
                                         .prompt = (uint32_t)s->prompt_count,
                                         .computed = (uint32_t)s->computed,
                                         .cached = s->times.cached,
                                         .decoded = s->output_count,
                                         .left = s->output_max - s->output_count};
    }
}

static uint64_t memory_used(const struct engine *e)
{
    uint64_t used = 0;
    for (size_t i = 0; i < e->cfg.model_count; i++) {
        const struct model *m = &e->models[i];
        if (m->load == ENGINE_UNLOADED)
            continue;
        used += shape_weight_bytes(&m->shape);
        if (m->load == ENGINE_LOADED) /* servers take the whole cache at the start */
            used += (uint64_t)kv_block_count(m->kv) * kv_block_tokens(m->kv) * m->shape.kv_bytes;
    }
    return used;
}

/* On a copy: looking at it changes nothing. */
void engine_device(const struct engine *e, uint64_t now_us, struct engine_device_view *ret_view)
{
    struct device copy = e->device, *d = &copy;
    if (now_us > copy.at_us)
        device_advance(d, now_us, engine_is_working(e));
    uint64_t total = (uint64_t)(e->cfg.profile->memory_gib * 1073741824.0);
    uint64_t used = d->condition.memory_full ? total : memory_used(e);
    bool is_throttled = device_is_throttled(d);
    *ret_view = (struct engine_device_view){.load = d->load,
                                            .celsius = d->celsius,
                                            .watts = device_watts(d),
                                            .joules = d->joules,
                                            .memory_total = total,
                                            .memory_used = used < total ? used : total,
                                            .clock_mhz = e->cfg.profile->clock_mhz >> is_throttled,
                                            .is_throttled = is_throttled};
}
