/* GET /mesh/v1/events?last=N on the control socket: what happened to the members, a line of JSON
 * each, first the last N of those that are kept, then as it happens, until the client goes.
 *
 * Happy path: head, lines, the client closes. Failure modes: the client does not read: its lines
 * wait in the mesh's ring (node/mesh/events.h), not here, and when that has gone round it is told
 * so by a last line and cut off; the node ends (the answer breaks off). */
#include "node/ingress/exchange.h"
#include "node/ingress/local.h"
#include "node/lane.h"
#include "node/mesh/orders.h"

#define LAST_DEFAULT 20
#define LINE_MAX 2048 /* four names, were each byte of them escaped */

struct local_events_call {
    struct events_reader reader;
    struct exchange *x;
    bool is_paused;
};

static struct local_events_call *call_of(struct events_reader *reader)
{
    return LIST_ENTRY(reader, struct local_events_call, reader);
}

/* --- lines */

static enum err print_node(struct buf *out, const struct event *e)
{
    char id[ID_TEXT_SIZE];
    id_to_text(&e->id, id);
    TRY(buf_append_str(out, "\"node\":\""));
    TRY(buf_append_json_escaped(out, bytes_from_str(e->node)));
    TRY(buf_printf(out, "\",\"id\":\"%s\",\"incarnation\":", id));
    if (e->incarnation > 0)
        return buf_append_decimal(out, e->incarnation);
    return buf_append_str(out, "null");
}

static enum err print_policy(struct buf *out, const struct event *e)
{
    TRY(buf_append_str(out, "\"policy\":\""));
    TRY(buf_append_json_escaped(out, bytes_from_str(e->policy)));
    return buf_printf(out, "\",\"version\":%llu,\"reason\":\"%s\"}\n",
                      (unsigned long long)e->version, e->guard);
}

static enum err print_event(struct buf *out, const struct event *e)
{
    TRY(buf_printf(out, "{\"time_ms\":%llu,\"event\":\"%s\",", (unsigned long long)e->time_ms,
                   events_kind_name(e->kind)));
    if (e->kind == EVENT_POLICY_WITHDRAWN)
        return print_policy(out, e);
    TRY(print_node(out, e));
    TRY(e->reason == ERR_OK
            ? buf_append_str(out, ",\"reason\":null,\"accusers\":[")
            : buf_printf(out, ",\"reason\":\"%s\",\"accusers\":[", err_word(e->reason)));
    for (size_t i = 0; i < e->accuser_count; i++) {
        TRY(buf_append_str(out, i ? ",\"" : "\""));
        TRY(buf_append_json_escaped(out, bytes_from_str(e->accusers[i])));
        TRY(buf_append_byte(out, '"'));
    }
    return buf_append_str(out, "]}\n");
}

static void send_event(struct local_events_call *c, const struct event *e)
{
    uint8_t space[LINE_MAX];
    struct buf line;
    buf_init_fixed(&line, space, sizeof(space));
    CHECK(print_event(&line, e) == ERR_OK);
    exchange_data(c->x, buf_bytes(&line));
}

static void cut_off(struct local_events_call *c, uint64_t missed)
{
    struct exchange *x = c->x;
    uint8_t space[LINE_MAX];
    struct buf line;
    events_unsubscribe(&c->reader);
    buf_init_fixed(&line, space, sizeof(space));
    CHECK(buf_printf(&line,
                     "{\"time_ms\":%llu,\"event\":\"cut_off\",\"reason\":\"%s\",\"missed\":%llu}\n",
                     (unsigned long long)io_wall_ms(x->lane->loop), err_word(ERR_OVERLOADED),
                     (unsigned long long)missed) == ERR_OK);
    exchange_data(x, buf_bytes(&line));
    exchange_end(x);
}

/* c is gone when this returns, if it had to be cut off. */
static void pump(struct local_events_call *c)
{
    const struct events *events = mesh_events(c->x->lane->mesh);
    uint64_t missed = events_missed(events, &c->reader);
    const struct event *e;
    if (missed > 0) {
        cut_off(c, missed);
        return;
    }
    while (!c->is_paused && (e = events_read(events, &c->reader)))
        send_event(c, e);
}

static void on_event(struct events_reader *reader)
{
    pump(call_of(reader));
}

/* --- the client's pace */

static void cancel(struct exchange *x)
{
    events_unsubscribe(&x->call.events->reader);
}

static void pause_lines(struct exchange *x)
{
    x->call.events->is_paused = true;
}

static void resume_lines(struct exchange *x)
{
    x->call.events->is_paused = false;
    pump(x->call.events);
}

static const struct call_ops ops = {cancel, pause_lines, resume_lines};

/* --- the request */

static enum err begin(struct exchange *x)
{
    struct http_field type = {HTTP_CONTENT_TYPE, BYTES("content-type"),
                              BYTES("application/x-ndjson")};
    struct http_head head = {
        .status = 200, .content_length = -1, .fields = &type, .field_count = 1, .minor_version = 1};
    return exchange_head(x, &head);
}

enum err local_events(struct exchange *x, struct bytes path)
{
    uint64_t last = LAST_DEFAULT;
    (void)path;
    TRY(local_read_last(x->head.target, &last));
    if (x->head.method == HTTP_HEAD) {
        exchange_answer(x, 200, "application/x-ndjson", bytes_of(NULL, 0));
        return ERR_OK;
    }
    struct local_events_call *c = arena_alloc(&x->arena, sizeof *c);
    if (!c)
        return ERR_NO_MEMORY;
    *c = (struct local_events_call){.reader.on_event = on_event, .x = x};
    TRY(begin(x));
    io_timer_stop(&x->deadline);
    x->call.events = c;
    x->call_ops = &ops;
    events_subscribe(mesh_events(x->lane->mesh), &c->reader,
                     last < EVENTS_KEPT ? (size_t)last : EVENTS_KEPT);
    pump(c);
    return ERR_OK;
}
