/* The core on a loop, see server.h. Effects are carried out after the step that gave them; nothing
 * that they cause steps the core again before all of them are done.
 *
 * Happy path: a request or the tick steps the core, effects reach jobs, the next tick is set.
 * Failure modes: a model that does not fit, an address that is taken; the rest is faults.h's. */
#include "testnet/engine/serve/server.h"

#include "testnet/engine/serve/conn.h"
#include "testnet/engine/serve/job.h"

#define CANCELLED_MAX (16 * 1024 * 1024)

static void arm_tick(struct server *s);

/* --- stepping the core */

static void run(struct server *s, struct engine_event *event)
{
    struct engine_effects effects;
    CHECK(!s->in_effects);
    event->now_us = io_now_us(s->loop);
    engine_step(s->engine, event, &effects);
    s->in_effects = true;
    for (size_t i = 0; i < effects.count; i++) {
        const struct engine_effect *x = &effects.items[i];
        struct job *job = map_get(&s->jobs, bytes_of(&x->id, sizeof x->id));
        if (job)
            job_on_effect(job, x);
    }
    s->in_effects = false;
}

void server_step(struct server *s, struct engine_event *event)
{
    run(s, event);
    while (s->cancelled.size > 0) {
        struct engine_event cancel = {.kind = ENGINE_CANCEL};
        memcpy(&cancel.id, s->cancelled.data, sizeof cancel.id);
        buf_consume(&s->cancelled, sizeof cancel.id);
        run(s, &cancel);
    }
    arm_tick(s);
}

void server_cancel(struct server *s, uint64_t id)
{
    struct engine_event cancel = {.kind = ENGINE_CANCEL, .id = id};
    if (!s->in_effects)
        server_step(s, &cancel);
    else if (buf_append(&s->cancelled, bytes_of(&id, sizeof id)) != ERR_OK)
        return; /* it runs to its end, for nobody */
}

/* --- listening: vLLM opens its port when it has loaded */

static enum err listen_now(struct server *s)
{
    struct io_addr addr;
    TRY(io_listen(s->loop, &s->cfg.listen, conn_on_accept, s, &s->listener));
    io_listener_addr(s->listener, &addr);
    s->on_listening(s->owner, &addr);
    return ERR_OK;
}

static void on_tick(struct io_timer *timer)
{
    struct server *s = LIST_ENTRY(timer, struct server, tick);
    server_step(s, &(struct engine_event){.kind = ENGINE_TICK});
    if (!s->listener && engine_is_ready(s->engine) && listen_now(s) != ERR_OK)
        io_timer_start(s->loop, &s->tick, 1000, on_tick); /* somebody has the port: again */
}

static void arm_tick(struct server *s)
{
    uint64_t due_us = engine_deadline_us(s->engine), now_us = io_now_us(s->loop);
    if (due_us == UINT64_MAX) {
        io_timer_stop(&s->tick);
        return;
    }
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    io_timer_start(s->loop, &s->tick, (wait_us + 999) / 1000, on_tick);
}

/* --- faults */

static void apply_condition(struct server *s)
{
    const struct fault *slow = faults_find(&s->faults, FAULT_SLOW);
    const struct fault *heat = faults_find(&s->faults, FAULT_HEAT);
    bool memory_full = faults_find(&s->faults, FAULT_MEMORY);
    struct engine_event event = {.kind = ENGINE_CONDITION};
    event.condition =
        (struct engine_condition){.slowness = slow ? slow->factor : 1,
                                  .celsius = heat ? heat->celsius : 0,
                                  .is_frozen = memory_full || faults_find(&s->faults, FAULT_FREEZE),
                                  .memory_full = memory_full};
    server_step(s, &event);
}

static void arm_expiry(struct server *s);

static void on_expiry(struct io_timer *timer)
{
    struct server *s = LIST_ENTRY(timer, struct server, expiry);
    bool is_reclaimed = false;
    if (faults_expire(&s->faults, io_now_us(s->loop), &is_reclaimed))
        apply_condition(s);
    arm_expiry(s);
    if (is_reclaimed)
        s->on_reclaimed(s->owner);
}

static void arm_expiry(struct server *s)
{
    uint64_t due_us = faults_deadline_us(&s->faults), now_us = io_now_us(s->loop);
    if (due_us == UINT64_MAX) {
        io_timer_stop(&s->expiry);
        return;
    }
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    io_timer_start(s->loop, &s->expiry, (wait_us + 999) / 1000, on_expiry);
}

enum err server_add_fault(struct server *s, const struct fault *fault)
{
    TRY(faults_add(&s->faults, fault, io_now_us(s->loop)));
    if (fault->kind == FAULT_MEMORY)
        server_step(s, &(struct engine_event){.kind = ENGINE_CRASH});
    apply_condition(s);
    arm_expiry(s);
    return ERR_OK;
}

void server_clear_faults(struct server *s)
{
    faults_clear(&s->faults);
    apply_condition(s);
    arm_expiry(s);
}

/* --- what is seen */

void server_model(const struct server *s, size_t index, struct engine_model_view *ret_view)
{
    const struct fault *lie = faults_find(&s->faults, FAULT_LIE);
    engine_model(s->engine, index, ret_view);
    if (!lie)
        return;
    ret_view->running = lie->shows_full ? s->cfg.engine.sequences_max : 0;
    ret_view->waiting = lie->shows_full ? s->cfg.engine.waiting_max : 0;
    ret_view->blocks_used = lie->shows_full ? ret_view->block_count : 0;
}

static bool is_alias(const struct server *s, const char *name)
{
    struct bytes rest = bytes_from_str(s->cfg.aliases ? s->cfg.aliases : "");
    while (rest.size > 0) {
        size_t end = bytes_find(rest, ',');
        if (bytes_equal(bytes_of(rest.data, end), bytes_from_str(name)))
            return true;
        rest = bytes_skip(rest, end + 1);
    }
    return false;
}

bool server_find_model(const struct server *s, const char *name, size_t *ret_index)
{
    const struct engine_cfg *cfg = &s->cfg.engine;
    bool takes_any = s->cfg.like == SAY_LLAMACPP && cfg->model_count == 1;
    for (size_t i = 0; i < cfg->model_count; i++)
        if (strcmp(cfg->models[i].name, name) == 0) {
            *ret_index = i;
            return true;
        }
    if (!takes_any && name[0] && !is_alias(s, name))
        return false;
    *ret_index = 0;
    return true;
}

/* --- beginning and ending */

enum err server_open(struct server *s, struct io_loop *loop, const struct server_cfg *cfg)
{
    static const uint8_t seed[16] = "testnet engine";
    CHECK(s->on_listening && s->on_reclaimed && s->on_ended);
    s->loop = loop;
    s->cfg = *cfg;
    TRY(engine_create(&cfg->engine, io_now_us(loop), &s->engine));
    s->started_s = io_wall_ms(loop) / 1000;
    list_init(&s->conns);
    map_init(&s->jobs, seed, SERVER_JOBS_MAX);
    buf_init(&s->cancelled, CANCELLED_MAX);
    faults_init(&s->faults, cfg->engine.seed);
    rng_init(&s->rng, cfg->engine.seed ^ io_wall_ms(loop)); /* ids of two runs differ */
    io_idle_list_init(&s->idle, loop, SERVER_IDLE_MS);
    enum err e = ERR_OK;
    if (cfg->like != SAY_VLLM || engine_is_ready(s->engine))
        e = listen_now(s);
    arm_tick(s);
    if (e != ERR_OK)
        server_close(s);
    return e;
}

void server_close(struct server *s)
{
    if (s->listener)
        io_listener_close(s->listener);
    s->listener = NULL;
    conn_close_all(s);
    io_timer_stop(&s->tick);
    io_timer_stop(&s->expiry);
    io_idle_list_fini(&s->idle);
    map_fini(&s->jobs);
    buf_fini(&s->cancelled);
    engine_destroy(s->engine);
}
