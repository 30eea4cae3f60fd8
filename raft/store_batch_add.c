/* Gathers writes into a batch, on the loop: copies what they point to, joins neighbouring runs.
 * Called by store.c. */
#include "raft/store_inner.h"

#include <stdlib.h>

#define BODY_MAX (64u << 20) /* of one batch: four times what a leader has uncommitted */
#define BODY_KEPT (1u << 20) /* memory that a batch keeps for its next turn */

struct raft_batch *raft_batch_create(void)
{
    struct raft_batch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    buf_init(&b->body, BODY_MAX);
    b->parts_end = &b->parts;
    return b;
}

void raft_batch_clear(struct raft_batch *b)
{
    while (b->parts) {
        struct raft_part *part = b->parts;
        b->parts = part->next;
        free(part);
    }
    b->parts_end = &b->parts;
    b->run_count = b->record_count = 0;
    b->lowest = 0;
    b->has_made = false;
    b->next = NULL;
    if (b->body.capacity > BODY_KEPT) {
        buf_fini(&b->body);
        buf_init(&b->body, BODY_MAX);
    }
    buf_clear(&b->body);
}

void raft_batch_destroy(struct raft_batch *b)
{
    if (!b)
        return;
    raft_batch_clear(b);
    buf_fini(&b->body);
    free(b->runs);
    free(b->sizes);
    free(b);
}

static enum err grow(void **array, size_t *capacity, size_t wanted, size_t item)
{
    if (wanted <= *capacity)
        return ERR_OK;
    void *bigger = realloc(*array, wanted * 2 * item);
    if (!bigger)
        return ERR_NO_MEMORY;
    *array = bigger;
    *capacity = wanted * 2;
    return ERR_OK;
}

static void touch(struct raft_batch *b, uint64_t index)
{
    if (b->lowest == 0 || index < b->lowest)
        b->lowest = index;
}

/* --- records */

static uint32_t record_size(struct bytes records)
{
    const uint8_t *p = records.data + 4;
    CHECK(records.size >= RAFT_RECORD_HEAD);
    uint32_t size = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    CHECK(size <= records.size - RAFT_RECORD_HEAD);
    return RAFT_RECORD_HEAD + size;
}

static enum err add_sizes(struct raft_batch *b, const struct raft_write *write)
{
    struct bytes rest = write->records;
    TRY(grow((void **)&b->sizes, &b->record_capacity, b->record_count + write->record_count,
             sizeof *b->sizes));
    for (uint64_t i = 0; i < write->record_count; i++) {
        uint32_t size = record_size(rest);
        b->sizes[b->record_count + i] = size;
        rest = bytes_skip(rest, size);
    }
    CHECK(rest.size == 0);
    return ERR_OK;
}

/* Whether the records go on where the last run ends, with nothing between. */
static bool is_next(const struct raft_batch *b, const struct raft_write *write)
{
    if (b->run_count == 0)
        return false;
    const struct raft_batch_run *last = &b->runs[b->run_count - 1];
    return last->first + last->count == write->first_index && last->is_repair == write->is_repair &&
           !write->reset && last->size <= UINT32_MAX - write->records.size;
}

static enum err add_records(struct raft_batch *b, const struct raft_write *write)
{
    CHECK(write->first_index > 0 && write->record_count <= write->records.size);
    bool joins = is_next(b, write);
    if (!joins && b->run_count == RAFT_BATCH_RUNS_MAX)
        return ERR_LIMIT;
    TRY(grow((void **)&b->runs, &b->run_capacity, b->run_count + 1, sizeof *b->runs));
    TRY(buf_reserve(&b->body, write->records.size));
    TRY(add_sizes(b, write));
    TRY(buf_append(&b->body, write->records));
    b->record_count += write->record_count;
    if (!joins)
        b->runs[b->run_count++] =
            (struct raft_batch_run){.first = write->first_index, .is_repair = write->is_repair};
    struct raft_batch_run *run = &b->runs[b->run_count - 1];
    run->count += (uint32_t)write->record_count;
    run->size += (uint32_t)write->records.size;
    touch(b, write->first_index);
    uint64_t last = write->first_index + write->record_count - 1;
    if (!write->is_repair)
        b->meta.last = last;
    CHECK(last <= b->meta.last);
    return ERR_OK;
}

/* --- snapshots' parts */

static enum err add_part(struct raft_batch *b, const struct raft_write *write)
{
    struct raft_part *part = malloc(sizeof *part + write->data.size);
    if (!part)
        return ERR_NO_MEMORY;
    *part = (struct raft_part){
        .snapshot = *write->part, .offset = write->offset, .size = write->data.size};
    if (write->data.size)
        memcpy(part->data, write->data.data, write->data.size);
    *b->parts_end = part;
    b->parts_end = &part->next;
    return ERR_OK;
}

/* b->meta is what held before. */
enum err raft_batch_add(struct raft_batch *b, const struct raft_write *write)
{
    if (write->hard)
        b->meta.hard = *write->hard;
    if (write->reset) {
        touch(b, write->reset->index + 1);
        b->meta.base = *write->reset;
        b->meta.last = write->reset->index;
    }
    if (write->truncate_from) {
        touch(b, write->truncate_from);
        CHECK(write->truncate_from > b->meta.base.index);
        if (write->truncate_from <= b->meta.last)
            b->meta.last = write->truncate_from - 1;
    }
    if (write->record_count > 0)
        TRY(add_records(b, write));
    if (write->trim) {
        CHECK(write->trim->index <= b->meta.last);
        b->meta.base = *write->trim;
    }
    if (write->made) {
        b->made = *write->made;
        b->has_made = true;
    }
    b->token = write->token;
    return write->part ? add_part(b, write) : ERR_OK;
}
