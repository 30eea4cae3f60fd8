/* Steps raft's core and obeys its effects in the order of its law: persist, then send, then apply,
 * then the rest. Everything that is told to the core comes by way of core_step.
 *
 * Failure modes: a write that fails ends the process (no second try of a sync), a full disk makes
 * the core anew, which then only follows; an entry of a later version stops it with the reason. */
#include "node/rules/inner.h"

static void on_tick(struct io_timer *timer)
{
    struct rules *r = LIST_ENTRY(timer, struct rules, tick);
    core_step(r, &(struct raft_event){.type = RAFT_TICK});
}

void core_await(struct rules *r)
{
    uint64_t deadline_ms = r->raft ? raft_deadline_ms(r->raft) : UINT64_MAX;
    uint64_t now_ms = rules_now_ms(r);
    if (deadline_ms == UINT64_MAX || !r->mesh || !rules_goes_on(r))
        io_timer_stop(&r->tick);
    else
        io_timer_start(r->cfg.loop, &r->tick, deadline_ms > now_ms ? deadline_ms - now_ms : 0,
                       on_tick);
}

/* --- stopping */

static void on_fatal(struct io_task *task)
{
    struct rules *r = LIST_ENTRY(task, struct rules, fatal);
    if (r->ops->on_fatal)
        r->ops->on_fatal(r->owner, r->stopped);
}

void core_stop(struct rules *r, enum err reason, bool is_fatal, const char *what)
{
    if (r->stopped == ERR_OK) {
        r->stopped = reason;
        LOG(r->cfg.log, LOG_ERROR, "rules_stopped", LOG_ERR(reason), LOG_STR("what", what),
            LOG_STR("disk", r->store ? raft_store_failure(r->store) : ""),
            LOG_UINT("applied", r->head.index), LOG_UINT("epoch", r->head.epoch));
        TRACE(r->cfg.trace, r->cfg.identity->cert.name, "rules_stopped", LOG_ERR(reason));
    }
    io_timer_stop(&r->tick);
    if (!is_fatal || r->is_fatal_told)
        return;
    r->is_fatal_told = true;
    io_task_post(r->cfg.loop, &r->fatal);
}

static void on_stopped_core(struct rules *r, enum err reason)
{
    if (reason == ERR_DISK_FULL)
        core_restart(r);
    else
        core_stop(r, reason, reason != ERR_UNSUPPORTED, "the log");
}

/* --- effects */

static void tell_change(struct rules *r, const struct raft_change *c)
{
    LOG(r->cfg.log, LOG_INFO, "raft_role", LOG_STR("role", raft_role_name(c->role)),
        LOG_UINT("term", c->term), LOG_ID("leader", id_is_zero(&c->leader) ? NULL : &c->leader),
        LOG_STR("reason", raft_reason_name(c->reason)));
    TRACE(r->cfg.trace, r->cfg.identity->cert.name, "raft_role",
          LOG_STR("role", raft_role_name(c->role)), LOG_UINT("term", c->term),
          LOG_STR("reason", raft_reason_name(c->reason)));
}

static void tell_outcomes(struct rules *r, const struct raft_effects *fx)
{
    for (size_t i = 0; i < fx->outcome_count; i++)
        if (fx->outcomes[i].tag & CORE_TAG_CHANGE)
            voters_on_outcome(r, &fx->outcomes[i]);
    orders_on_outcomes(r, fx->outcomes, fx->outcome_count);
    orders_on_reads(r, fx->reads, fx->read_count);
}

static void obey(struct rules *r, const struct raft_effects *fx)
{
    if (fx->write)
        persist_write(r, fx->write);
    for (size_t i = 0; i < fx->send_count; i++)
        post_send(r, &fx->sends[i]);
    if (fx->apply_last > r->apply.to)
        r->apply.to = fx->apply_last;
    tell_outcomes(r, fx);
    for (size_t i = 0; i < fx->chunk_count; i++)
        dump_read(r, &fx->chunks[i]);
    for (size_t i = 0; i < fx->change_count; i++)
        tell_change(r, &fx->changes[i]);
    if (fx->install)
        dump_install(r, fx->install);
    if (fx->wants_snapshot)
        dump_want(r);
    if (fx->change_count > 0)
        orders_look(r);
    if (fx->stop != ERR_OK)
        on_stopped_core(r, fx->stop);
}

void core_step(struct rules *r, struct raft_event *event)
{
    struct raft_effects effects;
    if (!r->raft || !rules_goes_on(r))
        return;
    CHECK(!r->is_stepping);
    r->is_stepping = true;
    event->now_ms = rules_now_ms(r);
    raft_step(r->raft, event, &effects);
    obey(r, &effects);
    r->is_stepping = false;
    apply_kick(r);
    core_await(r);
    compare_say(r);
}

void core_message(struct rules *r, const struct raft_message *message)
{
    if (message->type == RAFT_APPEND)
        r->heard_ms = rules_now_ms(r);
    core_step(r, &(struct raft_event){.type = RAFT_MESSAGE, .message = message});
}

/* --- making one */

static enum err read_record(void *ctx, uint64_t index, struct bytes *ret_record)
{
    struct rules *r = ctx;
    return raft_store_read(r->store, index, ret_record);
}

enum err core_create(struct rules *r)
{
    struct raft_boot boot;
    struct raft_cfg cfg;
    raft_cfg_init(&cfg);
    cfg.self = *rules_self(r);
    cfg.seed = rng_next(&r->rng);
    cfg.now_ms = rules_now_ms(r);
    crypto_random(&cfg.fresh_store, sizeof cfg.fresh_store);
    cfg.fresh_store |= 1;
    crypto_random(&cfg.draw, sizeof cfg.draw);
    cfg.draw |= 1;
    cfg.is_full = room_is_full(r);
    if (r->cfg.snapshot_entries)
        cfg.snapshot_entries = cfg.keep_entries = r->cfg.snapshot_entries;
    cfg.ops = (struct raft_ops){.read = read_record};
    cfg.ctx = r;
    raft_store_boot(r->store, r->head.index, &boot);
    r->durable_token = 0;
    return raft_create(&cfg, &boot, &r->raft);
}

/* --- anew */

static enum err go_on(struct rules *r, bool is_member)
{
    if (is_member)
        return core_create(r);
    pull_start(r);
    return ERR_OK;
}

/* What was begun before is over: answers to it would be another core's. */
static void on_restart(struct io_timer *timer)
{
    struct rules *r = LIST_ENTRY(timer, struct rules, restart);
    bool is_member = r->raft != NULL;
    char text[512];
    struct buf message;
    struct raft_store_cfg cfg = {.dir = r->store_dir,
                                 .snapshots_dir = r->snapshots_dir,
                                 .no_sync = r->cfg.is_volatile,
                                 .is_full = true};
    buf_init_fixed(&message, (uint8_t *)text, sizeof text);
    io_timer_stop(&r->tick);
    r->restarted_ms = rules_now_ms(r);
    pull_stop(r);
    dump_stop(r);
    persist_stop(r);
    post_stop(r);
    orders_begin_anew(r);
    raft_destroy(r->raft);
    r->raft = NULL;
    raft_store_close(r->store);
    r->store = NULL;
    enum err e = raft_store_open(&cfg, &message, &r->store);
    if (e == ERR_OK)
        e = go_on(r, is_member);
    if (e != ERR_OK) {
        core_stop(r, e, true, "the log, opened again");
        return;
    }
    LOG(r->cfg.log, LOG_WARN, "log_opened_again", LOG_BOOL("is_member", is_member));
    core_step(r, &(struct raft_event){.type = RAFT_TICK});
}

/* The first time at once; opening reads the whole log, so not again and again. */
void core_restart(struct rules *r)
{
    uint64_t due_ms = r->restarted_ms ? r->restarted_ms + RULES_SECOND_MS : 0;
    uint64_t now_ms = rules_now_ms(r);
    room_of_log(r, true);
    io_timer_start(r->cfg.loop, &r->restart, due_ms > now_ms ? due_ms - now_ms : 0, on_restart);
}

void core_init(struct rules *r)
{
    io_task_init(&r->fatal, on_fatal);
}

void core_fini(struct rules *r)
{
    io_timer_stop(&r->tick);
    io_task_cancel(&r->fatal);
    io_timer_stop(&r->restart);
    raft_destroy(r->raft);
    r->raft = NULL;
}
