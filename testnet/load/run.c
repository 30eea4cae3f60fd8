/* See run.h. A request knows its intended start; nothing here moves it, however late it is sent.
 *
 * Happy path: due, asked, sent, head, pieces, end, counted. Failure modes: every outcome of
 * tally.h; too many open at once; a run that is stopped. */
#include "testnet/load/run.h"

#include "testnet/load/answer_read.h"

#include <stdlib.h>

#define SENDS_PER_TURN 256 /* then answers are read first */
#define FIELD_SIZE 80

struct request {
    struct load_call call;
    struct list node;
    struct run *run;
    struct talk_turn *turn;
    struct tally_result result;
    struct buf head, body, text, whole;
    struct sse sse;
    struct io_task leave; /* not from inside the reading of its answer */
    uint64_t last_piece_us;
    char request_id[FIELD_SIZE], served_by[FIELD_SIZE];
    bool is_stream, is_ended, has_error, is_malformed, will_leave;
};

static uint64_t now_us(const struct run *r)
{
    return io_now_us(r->loop) - r->start_us;
}

static struct request *of(struct load_call *call)
{
    return LIST_ENTRY(call, struct request, call);
}

static void end_if_done(struct run *r)
{
    if (!r->has_next && r->open_count == 0)
        r->on_done(r->owner);
}

/* --- the end of a request */

/* Once: an answer that came twice is nobody's. */
static bool is_own(const struct request *q)
{
    const char *mark = q->turn->mark;
    if (!q->run->cfg.checks_marks)
        return true;
    const uint8_t *found = memmem(q->text.data, q->text.size, mark, TALK_MARK_SIZE);
    if (!found)
        return false;
    size_t rest = (size_t)(q->text.data + q->text.size - found) - TALK_MARK_SIZE;
    return !memmem(found + TALK_MARK_SIZE, rest, mark, TALK_MARK_SIZE);
}

static enum tally_outcome judge(const struct request *q)
{
    int status = q->result.status;
    if (status == 429)
        return TALLY_BUSY;
    if (status >= 500)
        return TALLY_SERVER_ERROR;
    if (status >= 400)
        return TALLY_REJECTED;
    if (q->has_error)
        return TALLY_ERROR_EVENT;
    if (q->is_malformed || status != 200)
        return TALLY_MALFORMED;
    if (q->is_stream && !q->is_ended)
        return TALLY_CUT;
    return is_own(q) ? TALLY_OK : TALLY_MIXED_UP;
}

static enum tally_outcome outcome_of_failure(enum err e)
{
    switch (e) {
    case ERR_REFUSED:
    case ERR_UNREACHABLE:
    case ERR_FD_LIMIT:
    case ERR_NO_MEMORY: return TALLY_REFUSED;
    case ERR_TIMEOUT: return TALLY_TIMEOUT;
    case ERR_EOF: return TALLY_CUT;
    case ERR_RESET: return TALLY_RESET;
    default: return TALLY_MALFORMED;
    }
}

static void request_free(struct request *q)
{
    io_task_cancel(&q->leave);
    list_remove(&q->node);
    buf_fini(&q->head);
    buf_fini(&q->body);
    buf_fini(&q->text);
    buf_fini(&q->whole);
    sse_fini(&q->sse);
    free(q);
}

static void finish(struct request *q, enum tally_outcome outcome)
{
    struct run *r = q->run;
    q->result.outcome = outcome;
    q->result.done_us = now_us(r);
    tally_add(&r->tally, &q->result);
    if (r->on_result)
        r->on_result(r->owner, &q->result, q->turn->mark, q->request_id, q->served_by);
    talk_answer(&r->talk, q->turn, outcome == TALLY_OK, buf_bytes(&q->text));
    request_free(q);
    r->open_count--;
    end_if_done(r);
}

/* --- answers */

static void copy_field(const struct http_field *f, char out[FIELD_SIZE])
{
    if (f)
        bytes_to_str(f->value, out, FIELD_SIZE);
}

static void on_head(struct load_call *call, const struct http_head *head)
{
    struct request *q = of(call);
    const struct http_field *type = http_find(head, HTTP_CONTENT_TYPE);
    q->result.status = head->status;
    q->result.has_begun = true;
    q->is_stream =
        head->status == 200 && type && bytes_starts_with(type->value, BYTES("text/event-stream"));
    copy_field(http_find(head, HTTP_X_REQUEST_ID), q->request_id);
    copy_field(http_find(head, HTTP_GRAPEVINE_NODE), q->served_by);
}

static void take_piece(struct request *q, const struct answer_piece *piece)
{
    struct run *r = q->run;
    uint64_t at_us = now_us(r);
    q->is_ended |= piece->is_end;
    q->has_error |= piece->is_error;
    if (piece->tokens >= 0)
        q->result.tokens = (uint32_t)piece->tokens;
    if (!piece->has_text)
        return;
    if (q->result.first_us == 0) {
        q->result.first_us = at_us;
        if (q->will_leave)
            io_task_post(r->loop, &q->leave);
    } else {
        tally_gap(&r->tally, q->result.intended_us, at_us - q->last_piece_us);
    }
    q->last_piece_us = at_us;
    if (piece->tokens < 0)
        q->result.tokens++;
}

static void on_event(void *owner, struct bytes data)
{
    struct request *q = owner;
    struct answer_piece piece;
    enum err e = answer_read_event(q->run->cfg.talk.api, data, &piece, &q->text);
    if (e != ERR_OK)
        q->is_malformed = true;
    else
        take_piece(q, &piece);
}

static void on_data(struct load_call *call, struct bytes data)
{
    struct request *q = of(call);
    enum err e = q->is_stream ? sse_feed(&q->sse, data) : buf_append(&q->whole, data);
    q->is_malformed |= e != ERR_OK;
}

static void on_end(struct load_call *call)
{
    struct request *q = of(call);
    struct answer_piece piece;
    if (!q->is_stream && q->result.status == 200) {
        enum err e =
            answer_read_whole(q->run->cfg.talk.api, buf_bytes(&q->whole), &piece, &q->text);
        q->is_malformed |= e != ERR_OK;
        if (e == ERR_OK && piece.tokens >= 0)
            q->result.tokens = (uint32_t)piece.tokens;
    }
    finish(q, judge(q));
}

static void on_fail(struct load_call *call, enum err e, bool has_begun)
{
    struct request *q = of(call);
    q->result.has_begun = has_begun;
    finish(q, outcome_of_failure(e));
}

static void on_leave(struct io_task *task)
{
    struct request *q = LIST_ENTRY(task, struct request, leave);
    load_call_cancel(&q->call);
    finish(q, TALLY_ABANDONED);
}

static const struct load_call_ops call_ops = {on_head, on_data, on_end, on_fail};

/* --- sending */

static enum err write_head(struct request *q, const struct load_target *t)
{
    const struct run_cfg *cfg = &q->run->cfg;
    const char *key = cfg->keys[q->turn->tenant];
    TRY(buf_printf(&q->head,
                   "POST %s%s HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\n"
                   "content-length: %zu\r\n",
                   t->prefix, talk_path(cfg->talk.api), t->host, q->body.size));
    if (key[0])
        TRY(buf_printf(&q->head, "authorization: Bearer %s\r\n", key));
    return buf_append_str(&q->head, "\r\n");
}

static struct request *request_new(struct run *r, const struct plan_arrival *a)
{
    struct request *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->run = r;
    q->call.ops = &call_ops;
    q->result = (struct tally_result){.number = r->number,
                                      .intended_us = a->at_us,
                                      .target = (uint32_t)(r->number % r->cfg.target_count)};
    buf_init(&q->head, 4096);
    buf_init(&q->body, TALK_BODY_MAX + 4096);
    buf_init(&q->text, CONN_TEXT_MAX);
    buf_init(&q->whole, CONN_TEXT_MAX);
    sse_init(&q->sse, on_event, q);
    io_task_init(&q->leave, on_leave);
    q->will_leave = rng_chance(&r->rng, r->cfg.abandoned);
    list_init(&q->node);
    list_init(&q->call.node);
    return q;
}

static void count_not_sent(struct run *r, const struct plan_arrival *a)
{
    struct tally_result result = {.number = r->number,
                                  .intended_us = a->at_us,
                                  .sent_us = a->at_us,
                                  .done_us = a->at_us,
                                  .target = (uint32_t)(r->number % r->cfg.target_count),
                                  .outcome = TALLY_NOT_SENT};
    tally_add(&r->tally, &result);
    if (r->on_result)
        r->on_result(r->owner, &result, "", "", "");
}

static void send_one(struct run *r, const struct plan_arrival *a)
{
    r->number++;
    struct request *q = r->open_count < r->cfg.open_max ? request_new(r, a) : NULL;
    if (q && talk_ask(&r->talk, a, &q->turn, &q->body) != ERR_OK) {
        request_free(q);
        q = NULL;
    }
    if (!q) {
        count_not_sent(r, a);
        return;
    }
    struct load_target *t = &r->targets[q->result.target];
    q->result.tenant = q->turn->tenant;
    list_push_back(&r->calls, &q->node);
    r->open_count++;
    enum err e = write_head(q, t);
    q->call.head = buf_bytes(&q->head);
    q->call.body = buf_bytes(&q->body);
    q->result.sent_us = now_us(r);
    if (e == ERR_OK)
        e = load_call_start(t, &q->call);
    if (e != ERR_OK)
        finish(q, outcome_of_failure(e));
}

static void on_timer(struct io_timer *timer);

static void wait_for_next(struct run *r)
{
    uint64_t at_us = now_us(r);
    uint64_t wait_us = r->next.at_us > at_us ? r->next.at_us - at_us : 0;
    if (wait_us == 0 || (r->cfg.spins && wait_us < 2000))
        io_task_post(r->loop, &r->task);
    else
        io_timer_start(r->loop, &r->timer,
                       r->cfg.spins ? wait_us / 1000 - 1 : (wait_us + 999) / 1000, on_timer);
}

static void send_due(struct run *r)
{
    for (int count = 0; r->has_next && count < SENDS_PER_TURN; count++) {
        if (r->next.at_us > now_us(r))
            break;
        struct plan_arrival due = r->next;
        r->has_next = plan_next(&r->plan, &r->next);
        send_one(r, &due);
    }
    if (r->has_next)
        wait_for_next(r);
    else
        end_if_done(r);
}

static void on_timer(struct io_timer *timer)
{
    send_due(LIST_ENTRY(timer, struct run, timer));
}

static void on_task(struct io_task *task)
{
    send_due(LIST_ENTRY(task, struct run, task));
}

/* --- the run */

void run_init(struct run *r, struct io_loop *loop, const struct run_cfg *cfg)
{
    r->loop = loop;
    r->cfg = *cfg;
    plan_init(&r->plan, &cfg->plan);
    rng_init(&r->rng, cfg->plan.seed + 2); /* neither the arrivals' row nor the questions' */
    talk_init(&r->talk, &cfg->talk);
    tally_init(&r->tally, &cfg->tally);
    list_init(&r->calls);
    io_task_init(&r->task, on_task);
    for (size_t i = 0; i < cfg->target_count; i++) {
        load_target_init(&r->targets[i], loop, &cfg->targets[i], cfg->timeout_ms, cfg->connections);
        memcpy(r->targets[i].prefix, cfg->prefixes[i], sizeof r->targets[i].prefix);
    }
}

void run_start(struct run *r)
{
    r->start_us = io_now_us(r->loop);
    r->has_next = plan_next(&r->plan, &r->next);
    io_timer_start(r->loop, &r->timer, 0, on_timer);
}

void run_stop(struct run *r)
{
    r->has_next = false;
    io_timer_stop(&r->timer);
    io_task_cancel(&r->task);
    LIST_EACH_SAFE(it, tmp, &r->calls)
    {
        struct request *q = LIST_ENTRY(it, struct request, node);
        load_call_cancel(&q->call);
        finish(q, TALLY_TIMEOUT);
    }
}

void run_fini(struct run *r)
{
    CHECK(r->open_count == 0);
    io_timer_stop(&r->timer);
    io_task_cancel(&r->task);
    for (size_t i = 0; i < r->cfg.target_count; i++)
        load_target_fini(&r->targets[i]);
    talk_fini(&r->talk);
    plan_fini(&r->plan);
}
