/* What administrators change: POST /mesh/v1/commands on the control socket, the signed command as
 * the body. Whether it counts is decided by its signature, at every node that applies it; the
 * socket only brings it.
 *
 * Happy path: taken, handed to the leader, committed, in force here, answered 200 with the outcome.
 * Failure modes: refused (200 too: the mesh has answered), unknown (nobody knows in time whether it
 * happened: the very same command again finds out), too many at once (429), the client goes. */
#include "node/admin/json.h"
#include "node/ingress/exchange.h"
#include "node/ingress/local.h"
#include "node/lane.h"

#define ANSWER_MAX 2048

struct local_rules_call {
    struct rules_call call;
    struct exchange *x;
};

static const char *outcome_of(enum err e)
{
    if (e == ERR_OK)
        return "committed";
    return e == ERR_UNKNOWN_OUTCOME ? "unknown" : "refused";
}

static void put_number(struct json *j, const char *key, uint64_t value)
{
    json_put_count_or_null(j, key, value ? (int64_t)value : -1);
}

/* A number that was used before: the next command's is above the last one. */
static void put_last(struct json *j, const struct lane *lane, const struct registry_result *r)
{
    const struct registry_reader *reader = rules_reader(lane->rules);
    uint64_t last = 0;
    if (r->err == ERR_REPLAYED && reader && registry_sequence(reader, &r->author, &last) != ERR_OK)
        last = 0;
    put_number(j, "last_sequence", last);
}

static enum err print(const struct lane *lane, const struct registry_result *r, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_str(&j, "outcome", outcome_of(r->err));
    put_number(&j, "index", r->index);
    put_number(&j, "epoch", r->epoch);
    json_put_text_or_null(&j, "reason", bytes_from_str(r->err == ERR_OK ? "" : err_word(r->err)));
    json_put_text_or_null(&j, "field", bytes_from_str(r->fault.field));
    json_put_text_or_null(&j, "what",
                          bytes_from_str(r->err == ERR_OK ? ""
                                         : *r->fault.what ? r->fault.what
                                                          : err_text(r->err)));
    json_put_bool(&j, "repeat", r->is_repeat);
    put_last(&j, lane, r);
    json_close(&j, '}');
    return json_end(&j);
}

static void on_done(struct rules_call *call, const struct registry_result *result)
{
    struct exchange *x = LIST_ENTRY(call, struct local_rules_call, call)->x;
    uint8_t space[ANSWER_MAX];
    struct buf out;
    x->call_ops = NULL;
    buf_init_fixed(&out, space, sizeof space);
    if (result->err == ERR_CANCELLED || print(x->lane, result, &out) != ERR_OK)
        exchange_fail(x, ERR_DRAINING, NULL);
    else
        exchange_answer(x, 200, "application/json", buf_bytes(&out));
}

static void cancel(struct exchange *x)
{
    rules_cancel(&x->call.rules->call);
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static const struct call_ops ops = {cancel, ignore, ignore};

static enum err submit(struct exchange *x, struct local_rules_call *c)
{
    struct buf command;
    buf_init(&command, REGISTRY_COMMAND_MAX);
    enum err e = local_read_body(&x->body, &command);
    if (e == ERR_OK)
        e = rules_submit(x->lane->rules, &c->call, buf_bytes(&command));
    buf_fini(&command);
    return e == ERR_INVALID ? ERR_INVALID_REQUEST : e;
}

enum err local_commands(struct exchange *x, struct bytes path)
{
    struct local_rules_call *c = arena_calloc(&x->arena, sizeof *c);
    (void)path;
    if (!c)
        return ERR_NO_MEMORY;
    c->x = x;
    c->call.on_done = on_done;
    TRY(submit(x, c));
    x->call.rules = c;
    x->call_ops = &ops;
    return ERR_OK;
}
