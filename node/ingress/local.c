/* See local.h; named by the table in api.c. Rare requests, so each makes its own buffer. */
#include "node/ingress/local.h"

#include "node/admin/admin.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/trust/receipt_json.h"

#define ANSWER_MAX (8 * 1024 * 1024)

static const char json[] = "application/json";

static struct admin_view view_of(const struct lane *lane, struct rules_status *rules)
{
    static const char *const names[] = {"starting", "ready", "draining"};
    rules_status(lane->rules, rules);
    return (struct admin_view){.identity = lane->identity,
                               .mesh = lane->mesh,
                               .abroad = mesh_abroad(lane->mesh),
                               .self = lane->facts(lane->owner),
                               .state = names[lane->state],
                               .now_ms = io_now_ms(lane->loop),
                               .started_ms = lane->started_ms,
                               .epoch = lane->epoch,
                               .rules = rules,
                               .incarnation = mesh_incarnation(lane->mesh),
                               .has_conflict = mesh_has_conflict(lane->mesh),
                               .inflight = lane->exchange_count};
}

static enum err answer_view(struct exchange *x,
                            enum err (*write)(const struct admin_view *v, struct buf *out))
{
    struct rules_status rules;
    struct admin_view view = view_of(x->lane, &rules);
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum err e = write(&view, &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, json, buf_bytes(&out));
    buf_fini(&out);
    return e;
}

enum err local_read_last(struct bytes target, uint64_t *last)
{
    struct bytes query = bytes_skip(target, bytes_find(target, '?') + 1);
    if (query.size == 0)
        return ERR_OK;
    bool is_sane = bytes_starts_with(query, BYTES("last=")) &&
                   bytes_to_u64(bytes_skip(query, sizeof "last=" - 1), last);
    return is_sane ? ERR_OK : ERR_INVALID_REQUEST;
}

enum err local_livez(struct exchange *x, struct bytes path)
{
    (void)path;
    exchange_answer(x, 200, "text/plain", BYTES("ok\n"));
    return ERR_OK;
}

enum err local_readyz(struct exchange *x, struct bytes path)
{
    (void)path;
    if (x->lane->state != LANE_READY)
        return x->lane->state == LANE_DRAINING ? ERR_DRAINING : ERR_STARTING;
    exchange_answer(x, 200, "text/plain", BYTES("ready\n"));
    return ERR_OK;
}

enum err local_metrics(struct exchange *x, struct bytes path)
{
    struct buf out;
    (void)path;
    buf_init(&out, ANSWER_MAX);
    enum err e = metrics_write(x->lane, &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&out));
    buf_fini(&out);
    return e;
}

enum err local_sd(struct exchange *x, struct bytes path)
{
    (void)path;
    return answer_view(x, admin_sd_json);
}

enum err local_openai_models(struct exchange *x, struct bytes path)
{
    struct bytes id = bytes_skip(path, sizeof "/v1/models" - 1);
    if (id.size == 0)
        return answer_view(x, admin_openai_models_json);
    struct rules_status rules;
    struct admin_view view = view_of(x->lane, &rules);
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum err e = admin_openai_model_json(&view, bytes_skip(id, 1), &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, json, buf_bytes(&out));
    buf_fini(&out);
    return e == ERR_NOT_FOUND ? ERR_MODEL_NOT_FOUND : e;
}

enum err local_status(struct exchange *x, struct bytes path)
{
    (void)path;
    return answer_view(x, admin_status_json);
}

enum err local_nodes(struct exchange *x, struct bytes path)
{
    (void)path;
    return answer_view(x, admin_nodes_json);
}

enum err local_models(struct exchange *x, struct bytes path)
{
    (void)path;
    return answer_view(x, admin_models_json);
}

enum err local_receipt(struct exchange *x, struct bytes path)
{
    struct bytes id = bytes_skip(path, sizeof "/mesh/v1/receipts/" - 1);
    struct buf out;
    buf_init(&out, RECEIPT_JSON_MAX);
    enum err e = receipts_json(&x->lane->receipts, id, x->lane->mesh, &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, json, buf_bytes(&out));
    buf_fini(&out);
    return e;
}
