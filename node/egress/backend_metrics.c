/* What an engine says about itself, made into what its node says about it. The engine counts all of
 * its clients' requests, ours among them; the rest are others', who may be there without us.
 * Called by probe.c. */
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

static void take(struct backend *b, const struct engine_metrics *m)
{
    bool is_sharp = figures_is_sharp(&m->figures, &b->engine.figures);
    b->engine = *m;
    count_others(b);
    if (is_sharp && b->lane->mesh)
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
