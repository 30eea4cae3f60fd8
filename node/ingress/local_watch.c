/* GET /mesh/v1/watch?from=EPOCH: a line of JSON for each change of the rules after that epoch,
 * first those that were, then as they come, until the client goes. Resumable: every line has its
 * epoch. Named by the table in api.c.
 *
 * Happy path: head, lines, the client closes. Failure modes: `from` is older than what is kept, now
 * or because the client reads slower than the mesh changes: a last line {"event":"compacted"} and
 * the end; the node ends (the answer breaks off). */
#include "node/ingress/local_rules.h"

#include "node/lane.h"

#define LINE_MAX 2048
#define PREFIX_SIZE (sizeof "from=" - 1)

struct local_watch_call {
    struct rules_watcher watcher;
    struct exchange *x;
    uint64_t from; /* the last epoch that was told */
    bool is_paused;
};

static enum err print_change(struct buf *out, const struct registry_change *c)
{
    static const char *const verbs[] = {"", "put", "move", "remove"};
    char author[ID_TEXT_SIZE];
    id_to_text(&c->author, author);
    TRY(buf_printf(out,
                   "{\"epoch\":%llu,\"index\":%llu,\"time_ms\":%llu,\"author\":\"%s\","
                   "\"event\":\"%s\",\"kind\":\"%s\",\"name\":\"",
                   (unsigned long long)c->epoch, (unsigned long long)c->index,
                   (unsigned long long)c->time_ms, author, verbs[c->verb],
                   registry_kind_name(c->kind)));
    TRY(buf_append_json_escaped(out, c->name));
    return buf_append_str(out, "\"}\n");
}

static bool on_change(void *ctx, const struct registry_change *c)
{
    struct local_watch_call *w = ctx;
    uint8_t space[LINE_MAX];
    struct buf line;
    /* Changes of one epoch stay together: a client that resumes asks by epoch. */
    if (w->is_paused && c->epoch != w->from)
        return false;
    w->from = c->epoch;
    buf_init_fixed(&line, space, sizeof space);
    if (print_change(&line, c) == ERR_OK)
        exchange_data(w->x, buf_bytes(&line));
    return true;
}

/* w is gone when this returns, if it had to end. */
static void pump(struct local_watch_call *w)
{
    const struct registry_reader *reader = rules_reader(w->x->lane->rules);
    if (!reader || w->is_paused)
        return;
    if (registry_watch(reader, w->from, on_change, w) != ERR_COMPACTED)
        return;
    rules_unwatch(&w->watcher);
    exchange_data(w->x, BYTES("{\"event\":\"compacted\"}\n"));
    exchange_end(w->x);
}

static void on_epoch(struct rules_watcher *watcher)
{
    pump(LIST_ENTRY(watcher, struct local_watch_call, watcher));
}

static void cancel(struct exchange *x)
{
    rules_unwatch(&x->call.watch->watcher);
}

static void pause_lines(struct exchange *x)
{
    x->call.watch->is_paused = true;
}

static void resume_lines(struct exchange *x)
{
    x->call.watch->is_paused = false;
    pump(x->call.watch);
}

static const struct call_ops ops = {cancel, pause_lines, resume_lines};

static enum err parse_from(struct exchange *x, uint64_t *ret_from)
{
    struct bytes query = bytes_skip(x->head.target, bytes_find(x->head.target, '?') + 1);
    struct rules_status status;
    rules_status(x->lane->rules, &status);
    *ret_from = status.epoch; /* from now on */
    if (query.size == 0)
        return ERR_OK;
    bool is_sane = bytes_starts_with(query, BYTES("from=")) &&
                   bytes_to_u64(bytes_skip(query, PREFIX_SIZE), ret_from);
    return is_sane ? ERR_OK : ERR_INVALID_REQUEST;
}

enum err local_watch(struct exchange *x, struct bytes path)
{
    struct http_field type = {HTTP_CONTENT_TYPE, BYTES("content-type"),
                              BYTES("application/x-ndjson")};
    struct http_head head = {
        .status = 200, .content_length = -1, .fields = &type, .field_count = 1, .minor_version = 1};
    uint64_t from;
    (void)path;
    TRY(parse_from(x, &from));
    if (x->head.method == HTTP_HEAD) {
        exchange_answer(x, 200, "application/x-ndjson", bytes_of(NULL, 0));
        return ERR_OK;
    }
    struct local_watch_call *w = arena_alloc(&x->arena, sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    *w = (struct local_watch_call){.watcher.on_epoch = on_epoch, .x = x, .from = from};
    TRY(exchange_head(x, &head));
    io_timer_stop(&x->deadline);
    x->call.watch = w;
    x->call_ops = &ops;
    rules_watch(x->lane->rules, &w->watcher);
    pump(w);
    return ERR_OK;
}
