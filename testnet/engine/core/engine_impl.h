/* The engine object, shared by engine.c (what happens), view.c (what can be seen) and nobody
 * else. */
#ifndef TESTNET_ENGINE_CORE_ENGINE_IMPL_H
#define TESTNET_ENGINE_CORE_ENGINE_IMPL_H

#include "testnet/engine/core/device.h"
#include "testnet/engine/core/model.h"

struct engine {
    struct engine_cfg cfg;
    struct model models[ENGINE_MODELS_MAX];
    struct device device;
    struct engine_effect *effects;
    uint64_t now_us;
    uint64_t frozen_us; /* since when; 0: not frozen */
    bool has_started;   /* a model was loaded, and no crash since */
};

/* A step is under way and goes on. */
bool engine_is_working(const struct engine *e);

#endif
