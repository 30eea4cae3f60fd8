/* The stages of a request before its first answer byte, as a table: parse, admit, route, forward.
 * Each returns NEXT, WAIT (egress goes on), RETRY (back to route: the only way back) or FAIL.
 * Relaying and finishing are driven by what egress brings (exchange.c, finish.c). */
#include "node/ingress/exchange.h"

#include "node/egress/backend.h"
#include "node/lane.h"

enum stage_result { STAGE_NEXT, STAGE_WAIT, STAGE_RETRY, STAGE_FAIL };

struct stage {
    const char *name;
    enum stage_result (*run)(struct exchange *x);
};

static enum stage_result fail(struct exchange *x, enum err reason)
{
    x->failure = reason;
    return STAGE_FAIL;
}

static enum stage_result stage_parse(struct exchange *x)
{
    enum err e = scan_finish(&x->scan);
    return e == ERR_OK ? STAGE_NEXT : fail(x, e);
}

static enum stage_result stage_admit(struct exchange *x)
{
    /* A peer has others to ask; a client whose connection is still open has not. */
    if (x->lane->state == LANE_DRAINING && x->from)
        return fail(x, ERR_DRAINING);
    enum err e = x->from ? terms_check(x, x->epoch) : terms_set(x);
    if (e == ERR_EPOCH_BEHIND && exchange_await_epoch(x))
        return STAGE_WAIT;
    return e == ERR_OK ? STAGE_NEXT : fail(x, e);
}

/* The client is told what is wrong with the mesh in the words of contract.md, not the system
 * call's. */
static enum err public_reason(enum err e)
{
    switch (e) {
    case ERR_REFUSED:
    case ERR_RESET:
    case ERR_EOF:
    case ERR_TIMEOUT:
    case ERR_UNREACHABLE:
    case ERR_PROTOCOL:
    case ERR_IO:
    case ERR_LINK_LOST: return ERR_BACKEND_FAILED;
    case ERR_FD_LIMIT:
    case ERR_LIMIT:
    case ERR_NO_MEMORY: return ERR_OVERLOADED;
    case ERR_HOP_LIMIT: return ERR_NO_CANDIDATE;
    default: return e;
    }
}

/* Nobody serves anything that we know of: an engine is still loading, or the nodes that do have not
 * been met again. Then "no such model" would be a guess. */
static enum err reason_for_nothing(const struct lane *lane)
{
    if (lane->state == LANE_STARTING)
        return ERR_STARTING;
    if (lane->candidates.by_model.count > 0)
        return ERR_MODEL_NOT_FOUND;
    for (size_t i = 0; i < lane->backend_count; i++)
        if (lane->backends[i]->state == BACKEND_LOADING)
            return ERR_BACKEND_LOADING;
    for (size_t i = 0; i < mesh_peer_count(lane->mesh); i++) {
        const struct facts *f = mesh_peer(lane->mesh, i)->facts;
        for (size_t b = 0; f && b < f->backend_count; b++)
            if (f->backends[b].state == FACTS_BACKEND_LOADING)
                return ERR_BACKEND_LOADING;
    }
    return ERR_NO_CANDIDATE;
}

/* Trouble at engines is not multiplied beyond a share of the traffic. */
static bool may_retry(struct exchange *x)
{
    return attempt_may_start(x) && (!attempt_failure_costs(x->last_failure) ||
                                    policy_retry_take(&x->lane->retries, io_now_ms(x->lane->loop)));
}

static enum stage_result stage_route(struct exchange *x)
{
    bool is_first = x->attempt_count == 0;
    prefix_find(x);
    if (is_first)
        policy_retry_note_request(&x->lane->retries, io_now_ms(x->lane->loop));
    if (!is_first && !may_retry(x))
        return fail(x, exchange_remaining_ms(x) == 0 ? ERR_DEADLINE /* however it ended */
                                                     : public_reason(x->last_failure));
    struct choice *choice = &x->attempts[x->attempt_count].choice;
    enum err e = choose(x->lane, x, choice);
    if (e == ERR_OK)
        return STAGE_NEXT;
    if (is_first && choice->rule && terms_set_rule(x, choice->rule) != ERR_OK)
        return fail(x, ERR_NO_MEMORY);
    if (!is_first)
        return fail(x, public_reason(x->last_failure));
    if (e == ERR_MODEL_NOT_FOUND)
        e = reason_for_nothing(x->lane);
    return fail(x, x->hop == 0 ? public_reason(e) : e);
}

static enum stage_result stage_forward(struct exchange *x)
{
    x->last_detail = NULL;
    if (x->attempt_count > 0)
        x->lane->metrics.retries++;
    exchange_set_state(x, EXCHANGE_WAITING);
    enum err e = attempt_start(x, false);
    if (e == ERR_OK)
        return STAGE_WAIT;
    exchange_set_state(x, EXCHANGE_ROUTING);
    x->last_failure = e;
    return STAGE_RETRY;
}

static const struct stage stages[] = {{"parse", stage_parse},
                                      {"admit", stage_admit},
                                      {"route", stage_route},
                                      {"forward", stage_forward}};
#define ROUTE 2

static void run(struct exchange *x)
{
    for (;;) {
        switch (stages[x->stage].run(x)) {
        case STAGE_NEXT: x->stage++; break;
        case STAGE_RETRY: x->stage = ROUTE; break;
        case STAGE_WAIT: return;
        case STAGE_FAIL: exchange_fail(x, x->failure, NULL); return;
        }
    }
}

void exchange_resume(struct exchange *x)
{
    run(x);
}

void exchange_submit(struct exchange *x)
{
    exchange_set_state(x, EXCHANGE_ROUTING);
    x->stage = 0;
    run(x);
}

void exchange_retry(struct exchange *x, enum err reason)
{
    exchange_set_state(x, EXCHANGE_ROUTING);
    if (err_class(reason) == ERR_CLASS_REJECT && reason != ERR_MODEL_NOT_FOUND &&
        reason != ERR_PROTOCOL && reason != ERR_RESIDENCY && reason != ERR_NOT_ALLOWED &&
        reason != ERR_CLOCK_SKEW) {
        exchange_fail(x, reason, NULL);
        return;
    }
    x->stage = ROUTE;
    run(x);
}
