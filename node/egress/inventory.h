/* What an engine says about itself in JSON, as values: models from /v1/models, slots from
 * llama.cpp's /slots. */
#ifndef NODE_EGRESS_INVENTORY_H
#define NODE_EGRESS_INVENTORY_H

#include "base/arena.h"
#include "node/mesh/facts.h"

struct inventory {
    const struct facts_model *models; /* in the arena */
    size_t count;
    bool is_llamacpp; /* an owner or a meta field only llama.cpp has */
};

/* Body of GET /v1/models. PROTOCOL: not the OpenAI shape. Texts beyond bounds are left out;
 * llama.cpp's aliases become models of their own. slots is -1 when not known; version: of all
 * of them, as the configuration has it. */
MUST_CHECK enum err inventory_parse_models(struct bytes body, int64_t slots, struct bytes version,
                                           struct arena *arena, struct inventory *ret_inventory);
/* Body of GET /slots: how many there are. PROTOCOL. */
MUST_CHECK enum err inventory_parse_slots(struct bytes body, int64_t *ret_slots);

#endif
