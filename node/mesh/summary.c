/* A region's summary as its gateway makes it: every model on every backend that is up is a share;
 * shares of one model and version make a row; the rows with most capacity are said. Its bytes are
 * wire.c's. */
#include "node/mesh/summary.h"

#include "node/mesh/wire.h"

#include <stdlib.h>

#define LEFT_OUT_SIZE 6 /* a tag and a number, at most */

struct share {
    const struct facts_model *model;
    const struct facts_backend *backend;
    const struct summary_member *member;
};

/* What one node has of one model. */
struct part {
    const struct summary_member *member;
    uint32_t capacity, inflight, queued;
};

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static int compare_keys(struct bytes name, struct bytes version, struct bytes other_name,
                        struct bytes other_version)
{
    int order = bytes_compare(name, other_name);
    return order ? order : bytes_compare(version, other_version);
}

/* --- shares */

static int compare_shares(const void *a, const void *b)
{
    const struct share *left = a, *right = b;
    int order = compare_keys(left->model->name, left->model->version, right->model->name,
                             right->model->version);
    return order ? order : (left->member > right->member) - (left->member < right->member);
}

static size_t shares_of(const struct summary_member *member, size_t room, struct share *ret_shares)
{
    const struct facts *f = member->facts;
    size_t count = 0;
    for (size_t b = 0; b < f->backend_count; b++) {
        const struct facts_backend *backend = &f->backends[b];
        bool is_up = backend->state == FACTS_BACKEND_UP && backend->concurrency > 0;
        for (size_t i = 0; is_up && i < backend->model_count; i++) {
            if (count < room && ret_shares)
                ret_shares[count] = (struct share){&backend->models[i], backend, member};
            count += count < room;
        }
    }
    return count;
}

static size_t collect(const struct summary_member *members, size_t count, struct share *ret_shares)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += shares_of(&members[i], SUMMARY_SHARES_MAX - total,
                           ret_shares ? ret_shares + total : NULL);
    return total;
}

/* --- rows */

static int64_t free_of(const struct part *p)
{
    return (int64_t)p->capacity - p->inflight - p->queued;
}

static int compare_queues(const void *a, const void *b)
{
    const struct part *left = a, *right = b;
    return (left->queued > right->queued) - (left->queued < right->queued);
}

static int compare_free(const void *a, const void *b)
{
    const struct part *left = a, *right = b;
    if (free_of(left) != free_of(right))
        return free_of(left) > free_of(right) ? -1 : 1;
    return id_compare(&left->member->id, &right->member->id);
}

/* Nearest rank. */
static uint32_t queued_at(const struct part *parts, size_t count, size_t percent)
{
    return parts[(count * percent + 99) / 100 - 1].queued;
}

static void take_entries(const struct part *parts, size_t count, struct summary_model *row)
{
    row->entry_count = count < SUMMARY_ENTRIES_MAX ? count : SUMMARY_ENTRIES_MAX;
    for (size_t i = 0; i < row->entry_count; i++)
        memcpy(row->entries[i], parts[i].member->id.bytes, SUMMARY_ENTRY_SIZE);
}

static void row_of(struct part *parts, size_t count, const struct facts_model *model,
                   struct summary_model *ret_row)
{
    struct summary_model row = {
        .name = model->name, .version = model->version, .nodes = (uint32_t)count};
    for (size_t i = 0; i < count; i++) {
        row.capacity = sum(row.capacity, parts[i].capacity);
        row.inflight = sum(row.inflight, parts[i].inflight);
    }
    qsort(parts, count, sizeof(parts[0]), compare_queues);
    row.queued_p50 = queued_at(parts, count, 50);
    row.queued_p95 = queued_at(parts, count, 95);
    qsort(parts, count, sizeof(parts[0]), compare_free);
    take_entries(parts, count, &row);
    *ret_row = row;
}

static bool is_same(const struct share *a, const struct share *b)
{
    return bytes_equal(a->model->name, b->model->name) &&
           bytes_equal(a->model->version, b->model->version);
}

/* The parts of the model that begins at `at`; returns the index after its shares. */
static size_t parts_of(const struct share *shares, size_t share_count, size_t at,
                       struct part *ret_parts, size_t *ret_count)
{
    const struct share *first = &shares[at];
    size_t count = 0;
    for (; at < share_count && is_same(first, &shares[at]); at++) {
        const struct share *s = &shares[at];
        if (count == 0 || ret_parts[count - 1].member != s->member)
            ret_parts[count++] = (struct part){.member = s->member};
        struct part *p = &ret_parts[count - 1];
        p->capacity = sum(p->capacity, s->backend->concurrency);
        p->inflight = sum(p->inflight, s->backend->inflight);
        p->queued = sum(p->queued, s->backend->queued);
    }
    *ret_count = count;
    return at;
}

static size_t rows_of(const struct share *shares, size_t share_count, struct part *parts,
                      struct summary_model *ret_rows)
{
    size_t rows = 0;
    for (size_t at = 0; at < share_count;) {
        size_t part_count = 0;
        const struct facts_model *model = shares[at].model;
        at = parts_of(shares, share_count, at, parts, &part_count);
        row_of(parts, part_count, model, &ret_rows[rows++]);
    }
    return rows;
}

/* --- what is said of them */

static int compare_names(const void *a, const void *b)
{
    const struct summary_model *left = a, *right = b;
    return compare_keys(left->name, left->version, right->name, right->version);
}

static int compare_capacity(const void *a, const void *b)
{
    const struct summary_model *left = a, *right = b;
    if (left->capacity != right->capacity)
        return left->capacity > right->capacity ? -1 : 1;
    return compare_names(a, b);
}

static void cut(struct summary_model *rows, size_t count, struct summary *ret_summary)
{
    size_t room = SUMMARY_WIRE_MAX - LEFT_OUT_SIZE, kept = 0;
    if (count > 0)
        qsort(rows, count, sizeof(rows[0]), compare_capacity);
    for (size_t i = 0; i < count && kept < SUMMARY_MODELS_MAX; i++) {
        size_t size = mesh_wire_summary_model_size(&rows[i]);
        if (size > room)
            continue;
        room -= size;
        rows[kept++] = rows[i];
    }
    if (kept > 0)
        qsort(rows, kept, sizeof(rows[0]), compare_names);
    *ret_summary = (struct summary){rows, kept, (uint32_t)(count - kept)};
}

enum err summary_make(const struct summary_member *members, size_t count, struct arena *arena,
                      struct summary *ret_summary)
{
    size_t share_count = collect(members, count, NULL);
    struct share *shares = arena_alloc(arena, (share_count + 1) * sizeof(*shares));
    struct part *parts = arena_alloc(arena, (count + 1) * sizeof(*parts));
    if (!shares || !parts)
        return ERR_NO_MEMORY;
    collect(members, count, shares);
    if (share_count > 0)
        qsort(shares, share_count, sizeof(shares[0]), compare_shares);
    size_t row_count = 0;
    for (size_t i = 0; i < share_count; i++)
        row_count += i == 0 || !is_same(&shares[i - 1], &shares[i]);
    struct summary_model *rows = arena_alloc(arena, (row_count + 1) * sizeof(*rows));
    if (!rows)
        return ERR_NO_MEMORY;
    cut(rows, rows_of(shares, share_count, parts, rows), ret_summary);
    return ERR_OK;
}

/* --- bytes */

static bool model_fits(const struct summary_model *m)
{
    return m->name.size > 0 && m->name.size <= FACTS_MODEL_NAME_MAX &&
           m->version.size <= FACTS_MODEL_NAME_MAX && m->capacity > 0 && m->nodes > 0 &&
           m->queued_p50 <= m->queued_p95 && m->entry_count <= SUMMARY_ENTRIES_MAX;
}

/* In order, each once: whoever compares claims walks them side by side. */
static bool fits(const struct summary *s)
{
    if (s->model_count > SUMMARY_MODELS_MAX)
        return false;
    for (size_t i = 0; i < s->model_count; i++) {
        bool is_in_order = i == 0 || compare_names(&s->models[i - 1], &s->models[i]) < 0;
        if (!is_in_order || !model_fits(&s->models[i]))
            return false;
    }
    return true;
}

enum err summary_encode(const struct summary *s, struct buf *wire)
{
    return fits(s) ? mesh_wire_summary_encode(s, wire) : ERR_LIMIT;
}

enum err summary_decode(struct bytes wire, struct arena *arena, struct summary *ret_summary)
{
    struct summary s;
    if (wire.size > SUMMARY_WIRE_MAX)
        return ERR_LIMIT;
    TRY(mesh_wire_summary_decode(wire, arena, &s));
    if (!fits(&s))
        return ERR_INVALID;
    *ret_summary = s;
    return ERR_OK;
}
