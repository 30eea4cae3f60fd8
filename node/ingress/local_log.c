/* GET /mesh/v1/log?last=N: the newest committed entries of this node's log, a line of JSON each,
 * for whoever wants to know what was asked of the mesh, refusals included. GET /mesh/v1/snapshot:
 * the state as a backup, which `snapshot restore` takes. Named by the table in api.c.
 *
 * Happy path: the client reads to the end. Failure modes: this node keeps no log (404: ask a
 * voter), something is being applied just now (429: once more), a client that reads slowly (parts
 * are made when it wants them), the node ends (the answer breaks off). */
#include "node/ingress/local_rules.h"

#include "node/admin/commands.h"
#include "node/lane.h"

#define LAST_DEFAULT 20
#define LAST_MAX 1000
#define LOG_MAX (16 * 1024 * 1024)
#define PART_SIZE (64 * 1024)

/* --- the log */

/* An entry of a later version is named, and no more. */
static enum err print_entry(struct rules *r, uint64_t index, struct buf *out)
{
    struct bytes record;
    size_t start = out->size;
    TRY(rules_record(r, index, &record));
    enum err e = commands_entry_json(record, out);
    if (e == ERR_INVALID || e == ERR_UNSUPPORTED || e == ERR_CORRUPT) {
        out->size = start;
        e = buf_printf(out, "{\"index\":%llu,\"kind\":null,\"reason\":\"%s\"}",
                       (unsigned long long)index, err_word(e));
    }
    return e == ERR_OK ? buf_append_byte(out, '\n') : e;
}

static enum err print_log(struct rules *r, uint64_t last, struct buf *out)
{
    struct rules_status status;
    rules_status(r, &status);
    uint64_t from = status.commit > last ? status.commit - last + 1 : 1;
    for (uint64_t i = from; i <= status.commit; i++) {
        enum err e = print_entry(r, i, out);
        if (e != ERR_OK && e != ERR_NOT_FOUND) /* trimmed ones are in the snapshot */
            return e;
    }
    return out->size > 0 || last == 0 ? ERR_OK : ERR_NOT_FOUND;
}

enum err local_log(struct exchange *x, struct bytes path)
{
    uint64_t last = LAST_DEFAULT;
    struct buf out;
    (void)path;
    TRY(local_read_last(x->head.target, &last));
    if (last > LAST_MAX)
        return ERR_INVALID_REQUEST;
    buf_init(&out, LOG_MAX);
    enum err e = print_log(x->lane->rules, last, &out);
    if (e == ERR_OK)
        exchange_answer(x, 200, "application/x-ndjson", buf_bytes(&out));
    buf_fini(&out);
    return e;
}

/* --- a snapshot */

struct local_snapshot_call {
    struct registry_save *save;
    uint64_t offset, size;
    bool is_paused;
};

static void cancel(struct exchange *x)
{
    registry_save_close(x->call.snapshot->save);
}

/* The exchange may be gone when this returns. */
static void pump(struct exchange *x)
{
    struct local_snapshot_call *c = x->call.snapshot;
    struct buf *part = &x->lane->scratch;
    while (!c->is_paused && c->offset < c->size) {
        buf_clear(part);
        if (registry_save_read(c->save, c->offset, PART_SIZE, part) != ERR_OK) {
            registry_save_close(c->save);
            exchange_broken(x, ERR_CORRUPT);
            return;
        }
        c->offset += part->size;
        exchange_data(x, buf_bytes(part));
    }
    if (c->offset < c->size)
        return;
    registry_save_close(c->save);
    exchange_end(x);
}

static void pause_parts(struct exchange *x)
{
    x->call.snapshot->is_paused = true;
}

static void resume_parts(struct exchange *x)
{
    x->call.snapshot->is_paused = false;
    pump(x);
}

static const struct call_ops ops = {cancel, pause_parts, resume_parts};

static enum err begin(struct exchange *x, uint64_t size)
{
    struct http_field type = {HTTP_CONTENT_TYPE, BYTES("content-type"),
                              BYTES("application/octet-stream")};
    struct http_head head = {.status = 200,
                             .content_length = (int64_t)size,
                             .fields = &type,
                             .field_count = 1,
                             .minor_version = 1};
    return exchange_head(x, &head);
}

enum err local_snapshot(struct exchange *x, struct bytes path)
{
    struct local_snapshot_call *c = arena_calloc(&x->arena, sizeof *c);
    (void)path;
    if (!c)
        return ERR_NO_MEMORY;
    if (x->head.method == HTTP_HEAD) {
        exchange_answer(x, 200, "application/octet-stream", bytes_of(NULL, 0));
        return ERR_OK;
    }
    TRY(rules_save(x->lane->rules, &c->save, &c->size));
    enum err e = begin(x, c->size);
    if (e != ERR_OK) {
        registry_save_close(c->save);
        return e;
    }
    io_timer_stop(&x->deadline);
    x->call.snapshot = c;
    x->call_ops = &ops;
    pump(x);
    return ERR_OK;
}
