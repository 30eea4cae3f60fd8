/* The part of the page that is about where requests run: policies, rollouts, breakers. Called by
 * metrics.c. */
#include "node/telemetry/metrics.h"

#include "node/lane.h"

static uint64_t open_breakers(const struct deployments *d, uint64_t now_ms)
{
    uint64_t count = 0;
    size_t cursor = 0;
    const struct deployment *row;
    while ((row = map_next(&d->by_key, &cursor)))
        count += !policy_breaker_admits(&row->breaker, now_ms);
    return count;
}

enum err metrics_routing_write(const struct lane *lane, struct buf *out)
{
    const struct policies *p = &lane->policies;
    const struct deployments *d = &lane->candidates.deployments;
    const struct metrics_row rows[] = {
        {"policies", "gauge", "Rules of policies in force here, versions in rollout each.",
         p->set ? policy_set_count(p->set) : 0},
        {"policies_broken", "gauge",
         "1: the mesh's policies cannot be read here, those before are in force, or none.",
         p->is_broken},
        {"policies_loaded_total", "counter", "Times that changed policies came into force.",
         p->reloads},
        {"policies_refused_total", "counter", "Times that they could not be read.", p->failures},
        {"rollouts_withdrawn_total", "counter", "Versions of policies that this node gave up.",
         lane->rollouts.withdrawn},
        {"deployments", "gauge", "Deployments whose answers are remembered.", d->by_key.count},
        {"breakers_open", "gauge", "Of these, how many are not asked now.",
         open_breakers(d, io_now_ms(lane->loop))},
        {"index_rebuilds_total", "counter", "Times that the index of candidates was made.",
         lane->candidates.rebuilds},
    };
    return metrics_put_rows(out, rows, sizeof rows / sizeof rows[0]);
}
