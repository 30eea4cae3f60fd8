/* This node's own admission: the command that its invitation's key signed (`join` made it) goes to
 * whoever leads, until the rules that this node has say that it belongs. A refusal is said once per
 * reason, here and by the node that brought it; status shows it. */
#include "node/rules/inner.h"

#define AGAIN_MS 5000

static void on_done(struct rules_call *call, const struct registry_result *result)
{
    struct rules *r = LIST_ENTRY(call, struct rules, admit.call);
    struct rules_admission *a = &r->admit;
    a->again_ms = rules_now_ms(r) + AGAIN_MS;
    if (result->err == ERR_CANCELLED)
        return;
    if (result->err == ERR_OK && !a->is_handed_in)
        LOG(r->cfg.log, LOG_INFO, "admitted", LOG_UINT("epoch", result->epoch));
    a->is_handed_in = result->err == ERR_OK;
    if (result->err != ERR_OK && result->err != a->refusal)
        LOG(r->cfg.log, err_class(result->err) == ERR_CLASS_RETRY ? LOG_WARN : LOG_ERROR,
            "not_admitted", LOG_ERR(result->err), LOG_STR("what", result->fault.what));
    a->refusal = result->err;
    a->fault = result->fault;
}

void admission_look(struct rules *r)
{
    struct rules_admission *a = &r->admit;
    bool is_known = r->head.epoch > 0 && rules_admit(r, rules_self(r)) != ERR_NOT_ADMITTED;
    if (is_known)
        a->refusal = ERR_OK;
    if (is_known || a->is_handed_in || r->admission.size == 0 || a->call.order ||
        rules_now_ms(r) < a->again_ms)
        return;
    a->call.on_done = on_done;
    a->again_ms = rules_now_ms(r) + AGAIN_MS;
    if (rules_submit(r, &a->call, buf_bytes(&r->admission)) != ERR_OK)
        a->call.order = NULL;
}

void admission_stop(struct rules *r)
{
    rules_cancel(&r->admit.call);
}
