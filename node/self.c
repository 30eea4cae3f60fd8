/* See self.h. */
#include "node/self.h"

#include "node/egress/backend.h"
#include "node/lane.h"

static enum facts_backend_state public_state(int state)
{
    static const enum facts_backend_state states[] = {FACTS_BACKEND_UNKNOWN, FACTS_BACKEND_UP,
                                                      FACTS_BACKEND_LOADING, FACTS_BACKEND_DOWN};
    return states[state];
}

static enum facts_hardware public_hardware(enum backend_hardware hardware)
{
    static const enum facts_hardware hardwares[] = {
        [HARDWARE_AUTO] = FACTS_HARDWARE_UNKNOWN,
        [HARDWARE_GPU] = FACTS_HARDWARE_GPU,
        [HARDWARE_NPU] = FACTS_HARDWARE_NPU,
        [HARDWARE_CPU] = FACTS_HARDWARE_CPU,
    };
    return hardwares[hardware];
}

static void take_labels(struct self *s, const struct config *config)
{
    _Static_assert(CONFIG_LABELS_MAX == FACTS_LABELS_MAX && CONFIG_LABEL_MAX == FACTS_LABEL_MAX,
                   "what may be configured can be said");
    for (size_t i = 0; i < config->label_count; i++)
        s->labels[i] = (struct facts_label){bytes_from_str(config->labels[i].key),
                                            bytes_from_str(config->labels[i].value)};
}

const struct facts *self_facts(struct self *s, struct lane *lane, const char *http_addr)
{
    const struct config *config = lane->config;
    struct facts_load load = {0};
    gpus_look(&lane->gpus, io_now_ms(lane->loop));
    for (size_t i = 0; i < lane->backend_count; i++) {
        struct backend *b = lane->backends[i];
        backend_renew_figures(b);
        s->backends[i] = (struct facts_backend){.name = bytes_from_str(b->cfg.name),
                                                .kind = bytes_from_str(backend_kind_name(b->kind)),
                                                .state = public_state(b->state),
                                                .inflight = backend_running(b),
                                                .queued = backend_waiting(b),
                                                .concurrency = b->cfg.concurrency,
                                                .hardware = public_hardware(b->cfg.hardware),
                                                .figures = b->figures,
                                                .models = b->models,
                                                .model_count = b->model_count};
        load.inflight += backend_running(b);
        load.queued += backend_waiting(b);
        load.capacity += b->state == BACKEND_UP ? b->cfg.concurrency : 0;
    }
    take_labels(s, config);
    size_t accused = rollouts_accused(&lane->rollouts, s->accused, FACTS_ACCUSED_MAX / 2);
    accused += deployments_accused(&lane->candidates.deployments, s->accused + accused,
                                   FACTS_ACCUSED_MAX - accused);
    s->facts =
        (struct facts){.name = bytes_from_str(config->name),
                       .region = bytes_from_str(config->region),
                       .zone = bytes_from_str(config->zone),
                       .tier = config->tier,
                       .version = bytes_from_str(lane->version),
                       .mesh_addr = bytes_from_str(lane->mesh ? mesh_advertised(lane->mesh) : ""),
                       .http_addr = bytes_from_str(http_addr),
                       .boot_ms = lane->boot_ms,
                       .labels = s->labels,
                       .label_count = config->label_count,
                       .spot = config->spot,
                       .accused = s->accused,
                       .accused_count = accused,
                       .draining = lane->state == LANE_DRAINING,
                       .rules = lane->mesh ? *mesh_rules(lane->mesh) : (struct facts_rules){0},
                       .load = load,
                       .backends = s->backends,
                       .backend_count = lane->backend_count};
    return &s->facts;
}
