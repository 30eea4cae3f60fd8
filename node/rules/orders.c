/* Commands and reads under way at this node, its own callers' and peers'.
 *
 *   new ──(we lead)──> checked ──> proposed ──(applied)──> done     commands
 *    │ └──(others lead)──> asked ────────────────────────> done
 *    └──> asked ──> indexed ──(applied)──────────────────> done     reads
 *
 * Happy path of a command at the leader: a worker checks it (signature and rules as of now), all
 * that passed go into one proposal, the log commits it, applying gives each its result. What fails
 * on the way for reasons of this moment (no leader, a lost link, a deposed leader) goes back to
 * `new` and is tried again until its deadline: repeating the very same command is harmless. When
 * the deadline comes and it may have happened, the answer says so.
 *
 * A refusal by the check alone is told only if it is the same at any time (malformed, not signed),
 * or once raft confirmed that this node still led: else a deposed leader would refuse by old rules.
 * A genuine command that is refused goes into the log all the same: it uses up its number there. */
#include "node/rules/inner.h"

#include <stdlib.h>

#define AGAIN_MS 50
#define PROPOSAL_BYTES (900u * 1024)
#define TAG_PROPOSAL 1

static void on_look(struct io_task *task);

static void on_timer(struct io_timer *timer)
{
    struct rules *r = LIST_ENTRY(timer, struct rules, orders.timer);
    orders_look(r);
}

void orders_look(struct rules *r)
{
    io_task_post(r->cfg.loop, &r->orders.look);
}

/* --- made and told */

enum err orders_create(struct rules *r, struct bytes command, struct order **ret_order)
{
    if (r->orders.count >= RULES_CALLS_MAX)
        return ERR_OVERLOADED;
    struct order *o = malloc(sizeof *o + command.size);
    if (!o)
        return ERR_NO_MEMORY;
    *o = (struct order){.rules = r,
                        .deadline_ms = rules_now_ms(r) + RULES_CALL_TIMEOUT_MS,
                        .command = bytes_of(o + 1, command.size)};
    if (command.size)
        memcpy(o + 1, command.data, command.size);
    list_push_back(&r->orders.all, &o->node);
    r->orders.count++;
    orders_look(r);
    *ret_order = o;
    return ERR_OK;
}

static void forget_check(struct order *o)
{
    struct rules_apply *a = &o->rules->apply;
    for (size_t i = 0; i < a->check_count; i++)
        if (a->checks[i].order == o)
            a->checks[i].order = NULL;
}

static void order_free(struct order *o)
{
    list_remove(&o->node);
    o->rules->orders.count--;
    ask_cancel(&o->ask);
    if (o->call)
        o->call->order = NULL;
    if (o->visit)
        o->visit->order = NULL;
    free(o);
}

/* A worker reads the command's bytes: then the order stays until it is back. */
void orders_drop(struct order *o)
{
    if (o->call)
        o->call->order = NULL;
    o->call = NULL;
    o->visit = NULL;
    if (o->state != ORDER_CHECKED)
        order_free(o);
}

void orders_done(struct order *o, enum err e)
{
    o->state = ORDER_DONE;
    o->result.err = e;
    orders_look(o->rules);
}

static void count(struct rules *r, const struct order *o)
{
    enum err e = o->result.err;
    size_t at = e == ERR_OK ? 0 : e == ERR_UNKNOWN_OUTCOME ? 2 : 1;
    if (!o->is_read && o->call)
        r->orders.by_outcome[at]++;
}

static void tell(struct order *o)
{
    struct rules_call *call = o->call;
    struct registry_result result = o->result;
    count(o->rules, o);
    if (o->visit && result.err != ERR_OK && err_class(result.err) == ERR_CLASS_REJECT)
        LOG(o->rules->cfg.log, LOG_INFO, "command_refused",
            LOG_STR("peer", o->visit->stream.peer->name), LOG_ERR(result.err),
            LOG_STR("what", result.fault.what));
    if (o->visit)
        forward_answer(o);
    order_free(o);
    if (call)
        call->on_done(call, &result);
}

/* --- where it goes */

void orders_again(struct order *o, uint64_t delay_ms)
{
    o->state = ORDER_NEW;
    o->again_ms = rules_now_ms(o->rules) + delay_ms;
    orders_look(o->rules);
}

/* Whoever gives up does not tell raft: each question has a number of its own, never an address,
 * which the next order may have, and with it an index from before it was asked. */
static void ask_raft(struct order *o)
{
    o->state = ORDER_ASKED;
    o->question = ++o->rules->orders.questions;
    core_step(o->rules, &(struct raft_event){.type = RAFT_READ_INDEX, .tag = o->question});
}

static void route(struct order *o)
{
    struct rules *r = o->rules;
    if (o->is_read && r->raft)
        ask_raft(o);
    else if (!r->raft || !raft_is_leader(r->raft))
        forward_order(o);
}

static void expire(struct order *o)
{
    bool is_unknown = o->may_have_happened || o->state == ORDER_PROPOSED ||
                      (o->state == ORDER_ASKED && !o->is_confirming);
    ask_cancel(&o->ask);
    orders_done(o, is_unknown && !o->is_read ? ERR_UNKNOWN_OUTCOME : ERR_TIMEOUT);
}

static void look_at(struct order *o)
{
    uint64_t now_ms = rules_now_ms(o->rules);
    if (now_ms >= o->deadline_ms && o->state != ORDER_DONE && o->state != ORDER_CHECKED)
        expire(o);
    if (o->state == ORDER_NEW && now_ms >= o->again_ms)
        route(o);
    if (o->state == ORDER_DONE)
        tell(o);
}

/* Telling one may make others go and come: the list is turned once round. */
static void look_at_all(struct rules *r)
{
    for (size_t n = r->orders.count; n > 0; n--) {
        struct list *it = list_pop_front(&r->orders.all);
        if (!it)
            return;
        list_push_back(&r->orders.all, it);
        look_at(LIST_ENTRY(it, struct order, node));
    }
}

static void on_look(struct io_task *task)
{
    struct rules *r = LIST_ENTRY(task, struct rules, orders.look);
    look_at_all(r);
    apply_kick(r);
    if (r->orders.count > 0 && !r->is_closing)
        io_timer_start(r->cfg.loop, &r->orders.timer, AGAIN_MS, on_timer);
    else
        io_timer_stop(&r->orders.timer);
}

/* --- checked, on the worker */

void orders_take_checks(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    size_t bytes = 0;
    a->check_count = 0;
    if (!r->raft || !raft_is_leader(r->raft))
        return;
    LIST_EACH(it, &r->orders.all)
    {
        struct order *o = LIST_ENTRY(it, struct order, node);
        if (o->state != ORDER_NEW || o->is_read || o->again_ms > rules_now_ms(r))
            continue;
        bytes += o->command.size;
        if (a->check_count == REGISTRY_COMMANDS_MAX ||
            (a->check_count > 0 && bytes > PROPOSAL_BYTES))
            return;
        o->state = ORDER_CHECKED;
        a->checks[a->check_count++] = (struct check){.command = o->command, .order = o};
    }
}

/* The same whatever the rules are. */
static bool is_wrong_anyway(enum err e)
{
    return e == ERR_INVALID || e == ERR_BAD_SIGNATURE || e == ERR_WRONG_MESH ||
           e == ERR_UNSUPPORTED || e == ERR_LIMIT;
}

/* Of an author who may not act, or not now: it uses up no number, and needs none. */
static bool is_not_genuine(enum err e)
{
    return e == ERR_NOT_ALLOWED || e == ERR_REVOKED || e == ERR_EXPIRED || e == ERR_REPLAYED ||
           e == ERR_COSIGNATURE;
}

/* True: into the proposal. */
static bool judge(struct order *o, const struct registry_result *checked)
{
    struct rules *r = o->rules;
    if (!o->call && !o->visit) {
        order_free(o);
        return false;
    }
    o->state = ORDER_NEW;
    if (o->is_forced || (checked->err == ERR_OK && !checked->is_repeat))
        return true;
    o->result = *checked;
    if (checked->is_repeat || is_wrong_anyway(checked->err)) {
        orders_done(o, checked->err);
        return false;
    }
    if (!is_not_genuine(checked->err))
        return true;
    o->is_confirming = true;
    o->checked_index = r->head.index;
    ask_raft(o);
    return false;
}

/* --- proposed */

static void on_proposed(struct rules *r, const struct raft_outcome *outcome)
{
    struct rules_orders *os = &r->orders;
    for (size_t i = 0; i < os->proposing_count; i++) {
        struct order *o = os->proposing[i];
        o->index = outcome->index;
        o->term = outcome->term;
        o->place = i;
        if (outcome->err == ERR_OK)
            o->state = ORDER_PROPOSED;
        else if (outcome->err == ERR_NOT_LEADER)
            orders_again(o, 0);
        else
            orders_done(o, outcome->err);
    }
    os->proposing_count = 0;
}

void orders_on_outcomes(struct rules *r, const struct raft_outcome *outcomes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (outcomes[i].tag == TAG_PROPOSAL)
            on_proposed(r, &outcomes[i]);
}

static void propose(struct rules *r)
{
    struct rules_orders *os = &r->orders;
    struct bytes commands[REGISTRY_COMMANDS_MAX];
    struct buf payload;
    if (os->proposing_count == 0)
        return;
    for (size_t i = 0; i < os->proposing_count; i++)
        commands[i] = os->proposing[i]->command;
    buf_init(&payload, REGISTRY_PROPOSAL_MAX);
    enum err e =
        registry_proposal_encode(io_wall_ms(r->cfg.loop), commands, os->proposing_count, &payload);
    struct raft_proposal proposal = {.tag = TAG_PROPOSAL, .payload = buf_bytes(&payload)};
    if (e == ERR_OK)
        core_step(r,
                  &(struct raft_event){.type = RAFT_PROPOSE, .proposals = &proposal, .count = 1});
    else
        on_proposed(r, &(struct raft_outcome){.err = e});
    buf_fini(&payload);
}

void orders_on_checked(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    size_t count = a->check_count;
    a->check_count = 0;
    r->orders.proposing_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct order *o = a->checks[i].order;
        if (judge(o, &a->checks[i].result))
            r->orders.proposing[r->orders.proposing_count++] = o;
    }
    propose(r);
}

/* --- applied */

static const struct outcome *find_outcome(const struct rules_apply *a, const struct order *o)
{
    size_t low = 0, high = a->outcome_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct outcome *x = &a->outcomes[middle];
        if (x->index < o->index || (x->index == o->index && x->place < o->place))
            low = middle + 1;
        else
            high = middle;
    }
    const struct outcome *found = low < a->outcome_count ? &a->outcomes[low] : NULL;
    bool is_it = found && found->index == o->index && found->place == o->place;
    return is_it && found->term == o->term ? found : NULL;
}

/* Another entry stands where its own was: then it never happened, there. */
static void on_passed(struct order *o)
{
    const struct outcome *found = find_outcome(&o->rules->apply, o);
    bool was_in_batch = o->index >= o->rules->apply.first;
    if (found) {
        o->result = found->result;
        orders_done(o, found->result.err);
        return;
    }
    o->may_have_happened |= !was_in_batch; /* a snapshot went over it */
    orders_again(o, 0);
}

void orders_on_applied(struct rules *r)
{
    LIST_EACH(it, &r->orders.all)
    {
        struct order *o = LIST_ENTRY(it, struct order, node);
        if (o->state == ORDER_PROPOSED && o->index <= r->head.index)
            on_passed(o);
        else if (o->state == ORDER_INDEXED && o->index <= r->head.index)
            orders_done(o, ERR_OK);
    }
}

void orders_on_unchecked(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    size_t count = a->check_count;
    a->check_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct order *o = a->checks[i].order;
        o->state = ORDER_NEW;
        if (!o->call && !o->visit)
            order_free(o);
    }
}

void orders_begin_anew(struct rules *r)
{
    LIST_EACH(it, &r->orders.all)
    {
        struct order *o = LIST_ENTRY(it, struct order, node);
        bool is_of_core = o->state == ORDER_ASKED && !o->ask.is_open;
        if (o->state != ORDER_PROPOSED && !is_of_core)
            continue;
        o->may_have_happened |= o->state == ORDER_PROPOSED;
        o->is_confirming = false;
        orders_again(o, AGAIN_MS);
    }
}

/* --- raft's word on reads, and on whether we still lead */

static struct order *find(struct rules *r, uint64_t question)
{
    LIST_EACH(it, &r->orders.all)
    {
        struct order *o = LIST_ENTRY(it, struct order, node);
        if (o->question == question && o->state == ORDER_ASKED)
            return o;
    }
    return NULL;
}

static void on_confirmed(struct order *o, const struct raft_read_result *read)
{
    o->is_confirming = false;
    if (read->err == ERR_OK && read->index <= o->checked_index) {
        orders_done(o, o->result.err);
        return;
    }
    o->is_forced = read->err == ERR_OK; /* by newer rules: the log decides */
    orders_again(o, 0);
}

static void on_read(struct order *o, const struct raft_read_result *read)
{
    if (read->err == ERR_OK) {
        o->result.index = o->index = read->index;
        o->result.epoch = o->rules->head.epoch;
        o->state = ORDER_INDEXED;
        if (o->index <= o->rules->head.index)
            orders_done(o, ERR_OK);
    } else if (read->err == ERR_OVERLOADED) {
        orders_done(o, ERR_OVERLOADED);
    } else {
        orders_again(o, AGAIN_MS);
    }
}

void orders_on_reads(struct rules *r, const struct raft_read_result *reads, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct order *o = find(r, reads[i].tag);
        if (o && o->is_confirming)
            on_confirmed(o, &reads[i]);
        else if (o)
            on_read(o, &reads[i]);
    }
}

/* --- callers of this node */

static enum err begin(struct rules *r, struct rules_call *call, struct bytes command, bool is_read)
{
    struct order *o;
    if (r->is_closing)
        return ERR_DRAINING;
    TRY(orders_create(r, command, &o));
    o->is_read = is_read;
    o->call = call;
    call->order = o;
    return ERR_OK;
}

enum err rules_submit(struct rules *r, struct rules_call *call, struct bytes command)
{
    if (command.size == 0 || command.size > REGISTRY_COMMAND_MAX)
        return ERR_INVALID;
    return begin(r, call, command, false);
}

enum err rules_read(struct rules *r, struct rules_call *call)
{
    return begin(r, call, bytes_of(NULL, 0), true);
}

void rules_cancel(struct rules_call *call)
{
    if (call->order)
        orders_drop(call->order);
}

/* --- life */

void orders_init(struct rules *r)
{
    list_init(&r->orders.all);
    io_task_init(&r->orders.look, on_look);
}

/* After the workers have stopped. */
void orders_stop(struct rules *r)
{
    io_task_cancel(&r->orders.look);
    io_timer_stop(&r->orders.timer);
    while (!list_is_empty(&r->orders.all)) {
        struct order *o = LIST_ENTRY(r->orders.all.next, struct order, node);
        struct rules_call *call = o->call;
        forget_check(o);
        order_free(o);
        if (call)
            call->on_done(call, &(struct registry_result){.err = ERR_CANCELLED});
    }
    io_task_cancel(&r->orders.look);
}
