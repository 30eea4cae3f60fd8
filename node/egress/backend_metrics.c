/* What an engine says about itself, made into what its node says about it. The engine counts all of
 * its clients' requests, ours among them; the rest are others', who may be there without us.
 * What it does not say comes from who else knows it. Called by probe.c and, for the whole, by
 * node/self.c. */
#include "node/egress/backend.h"
#include "node/lane.h"

/* Of what is at the engine, running or in its own queue, what did not come from here. */
static void count_others(struct backend *b)
{
    const struct engine_metrics *m = &b->engine;
    uint32_t waiting = m->has_waiting ? m->waiting : 0;
    uint32_t all = (m->has_running ? m->running : 0) + waiting;
    uint32_t others = all > b->inflight ? all - b->inflight : 0;
    b->others_waiting = waiting < others ? waiting : others;
    b->others = others - b->others_waiting;
}

#define SERVED_MS 1000

static void sum_up(struct backend *b)
{
    uint64_t now_ms = io_now_ms(b->lane->loop);
    const double ms = 0.001, per_mille = 1000;
    if (b->served_ms > 0 && now_ms - b->served_ms < SERVED_MS)
        return;
    b->served_ms = now_ms;
    struct deployments_served s =
        deployments_served(&b->lane->candidates.deployments, bytes_from_str(b->cfg.name), now_ms);
    figures_set(&b->served_figures, FIGURE_TTFT_P50, s.ttft_p50_us * ms);
    figures_set(&b->served_figures, FIGURE_TTFT_P99, s.ttft_p99_us * ms);
    figures_set(&b->served_figures, FIGURE_LATENCY_P50, s.latency_p50_us * ms);
    figures_set(&b->served_figures, FIGURE_LATENCY_P99, s.latency_p99_us * ms);
    figures_set(&b->served_figures, FIGURE_TOKENS_PER_S, s.tokens_per_s);
    figures_set(&b->served_figures, FIGURE_ERRORS, s.error_rate * per_mille);
}

/* The engine goes before the driver: it says which GPUs it uses, the driver only what is there. */
void backend_renew_figures(struct backend *b)
{
    struct figures gpu = gpus_figures(&b->lane->gpus, &b->cfg);
    sum_up(b);
    b->figures = b->engine.figures;
    figures_complete(&b->figures, &gpu);
    figures_complete(&b->figures, &b->served_figures);
}

static void take(struct backend *b, const struct engine_metrics *m)
{
    struct figures before = b->figures;
    b->engine = *m;
    count_others(b);
    backend_renew_figures(b);
    if (figures_is_sharp(&b->figures, &before) && b->lane->mesh)
        mesh_facts_changed(b->lane->mesh);
}

void backend_take_metrics(struct backend *b, struct bytes text)
{
    struct engine_metrics m;
    engine_metrics_read(text, b->cfg.gpu, &m);
    take(b, &m);
}

void backend_forget_metrics(struct backend *b)
{
    struct engine_metrics nothing = {.has_running = false};
    take(b, &nothing);
}

uint32_t backend_running(const struct backend *b)
{
    return b->inflight + b->others;
}

uint32_t backend_waiting(const struct backend *b)
{
    return b->queued + b->others_waiting;
}
