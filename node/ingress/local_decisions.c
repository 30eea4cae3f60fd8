/* Why requests went where they went, from the ring of decisions; named by the table in api.c. */
#include "node/ingress/local.h"

#include "node/ingress/exchange.h"
#include "node/lane.h"

#define LAST_DEFAULT 1000

enum err local_explain(struct exchange *x, struct bytes path)
{
    struct bytes id = bytes_skip(path, sizeof "/mesh/v1/explain/" - 1);
    struct buf out;
    buf_init(&out, DECISIONS_JSON_MAX);
    enum err e = id.size == 0
                     ? ERR_NOT_FOUND
                     : decisions_json(&x->lane->decisions, id, io_now_ms(x->lane->loop), &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, "application/json", buf_bytes(&out));
    buf_fini(&out);
    return e;
}

enum err local_decisions(struct exchange *x, struct bytes path)
{
    uint64_t last = LAST_DEFAULT;
    struct buf out;
    (void)path;
    TRY(local_read_last(x->head.target, &last));
    buf_init(&out, DECISIONS_JSON_MAX);
    decisions_export(&x->lane->decisions, last, io_now_ms(x->lane->loop), &out);
    exchange_answer(x, 200, "application/x-ndjson", buf_bytes(&out));
    buf_fini(&out);
    return ERR_OK;
}
