/* A node's disk: the durable image, and a queue of writes that become part of it one after another,
 * each wholly or not at all. A crash loses the queue, but perhaps for some at its head that were
 * done and not yet reported. Records may rot; the image knows how many there were. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

uint64_t record_digest(struct bytes record)
{
    uint64_t head, crc = 0;
    memcpy(&head, record.data + 28, 8); /* of the hash of the one before */
    memcpy(&crc, record.data, 4);
    return head ^ crc << 32 ^ crc;
}

uint64_t sim_disk_last(const struct raft_disk *d)
{
    return d->base.index + d->record_count;
}

struct raft_stored *sim_disk_record(struct raft_disk *d, uint64_t index)
{
    if (index <= d->base.index || index > sim_disk_last(d))
        return NULL;
    return &d->records[index - d->base.index - 1];
}

enum err sim_disk_read(void *node, uint64_t index, struct bytes *ret_record)
{
    struct raft_node *n = node;
    struct raft_stored *s = sim_disk_record(&n->disk, index);
    if (!s || s->is_rotten)
        return ERR_NOT_FOUND;
    *ret_record = bytes_of(s->bytes, s->size);
    return ERR_OK;
}

/* --- the image */

static void cut_tail(struct raft_disk *d, uint64_t from)
{
    while (d->record_count && sim_disk_last(d) >= from)
        free(d->records[--d->record_count].bytes);
}

static void cut_head(struct raft_disk *d, const struct raft_base *base)
{
    size_t count = (size_t)(base->index - d->base.index);
    CHECK(count <= d->record_count);
    for (size_t i = 0; i < count; i++)
        free(d->records[i].bytes);
    d->record_count -= count;
    if (count)
        memmove(d->records, d->records + count, d->record_count * sizeof(*d->records));
    d->base = *base;
}

static void put_record(struct raft_disk *d, const struct raft_entry *e)
{
    struct raft_stored *s = sim_disk_record(d, e->index);
    if (s) {
        free(s->bytes);
    } else {
        CHECK(e->index == sim_disk_last(d) + 1);
        if (d->record_count == d->record_capacity) {
            d->record_capacity = d->record_capacity ? d->record_capacity * 2 : 64;
            d->records = realloc(d->records, d->record_capacity * sizeof(*d->records));
            CHECK(d->records);
        }
        s = &d->records[d->record_count++];
    }
    *s = (struct raft_stored){malloc(e->record.size), (uint32_t)e->record.size, e->term,
                              record_digest(e->record), false};
    CHECK(s->bytes);
    memcpy(s->bytes, e->record.data, e->record.size);
}

static void stage(struct raft_disk *d, const struct raft_write *w)
{
    if (w->offset == 0) {
        free(d->staged_bytes);
        d->staged = *w->part;
        d->staged_bytes = malloc(w->part->size);
        d->staged_size = 0;
        CHECK(d->staged_bytes);
    }
    CHECK(w->offset == d->staged_size && w->offset + w->data.size <= d->staged.size);
    memcpy(d->staged_bytes + w->offset, w->data.data, w->data.size);
    d->staged_size += w->data.size;
}

static void carry_out(struct raft_disk *d, const struct raft_write *w)
{
    if (w->hard)
        d->hard = *w->hard;
    if (w->reset) {
        cut_tail(d, 0);
        d->base = *w->reset;
        d->staged_size = 0;
        d->staged.base.index = 0;
    }
    if (w->truncate_from)
        cut_tail(d, w->truncate_from);
    struct bytes rest = w->records;
    for (uint64_t i = 0; i < w->record_count; i++) {
        struct raft_entry e;
        CHECK(raft_entry_read(&rest, &e) == ERR_OK && e.index == w->first_index + i);
        put_record(d, &e);
    }
    CHECK(rest.size == 0);
    if (w->trim)
        cut_head(d, w->trim);
    if (w->part)
        stage(d, w);
}

static void keep_snapshot(struct raft_disk *d, struct raft_queued_write *q)
{
    if (!q->dump)
        return;
    free(d->snapshot_bytes);
    d->snapshot_bytes = q->dump;
    d->snapshot = q->made;
    q->dump = NULL;
}

/* --- the queue */

#define KEEP(q, field)                                                                             \
    if ((q)->write.field) {                                                                        \
        (q)->field = *(q)->write.field;                                                            \
        (q)->write.field = &(q)->field;                                                            \
    }

static struct raft_queued_write *copy_write(const struct raft_write *w)
{
    struct raft_queued_write *q = malloc(sizeof(*q));
    struct bytes data = w->record_count ? w->records : w->data;
    CHECK(q);
    q->next = NULL;
    q->dump = NULL;
    q->write = *w;
    KEEP(q, hard)
    KEEP(q, reset)
    KEEP(q, trim)
    KEEP(q, part)
    KEEP(q, made)
    q->bytes = malloc(data.size + 1);
    CHECK(q->bytes);
    if (data.size)
        memcpy(q->bytes, data.data, data.size);
    if (w->record_count)
        q->write.records.data = q->bytes;
    else
        q->write.data.data = q->bytes;
    return q;
}

void sim_disk_submit(struct raft_node *n, const struct raft_write *write)
{
    struct raft_world *w = n->world;
    struct raft_disk *d = &n->disk;
    struct raft_queued_write *q = copy_write(write);
    uint64_t delay = rng_below(&w->rng, w->features.slow_disks ? 40 : 4);
    if (w->now_ms < d->slow_until_ms)
        delay += rng_below(&w->rng, 300);
    q->done_ms = w->now_ms + delay;
    if (write->made) {
        q->dump = d->dump_bytes;
        d->dump_bytes = NULL;
    }
    if (d->last && q->done_ms < d->last->done_ms)
        q->done_ms = d->last->done_ms; /* together with the one before */
    if (d->last)
        d->last->next = q;
    else
        d->first = q;
    d->last = q;
    struct raft_happening h = {.type = RAFT_HAPPENS_WRITTEN, .node = n, .life = n->life};
    world_at(w, q->done_ms, &h);
}

static void drop_first(struct raft_disk *d)
{
    struct raft_queued_write *q = d->first;
    d->first = q->next;
    if (!d->first)
        d->last = NULL;
    free(q->bytes);
    free(q->dump);
    free(q);
}

void sim_disk_complete(struct raft_node *n)
{
    CHECK(n->disk.first);
    carry_out(&n->disk, &n->disk.first->write);
    keep_snapshot(&n->disk, n->disk.first);
    drop_first(&n->disk);
}

void sim_disk_crash(struct raft_node *n, size_t done)
{
    struct raft_disk *d = &n->disk;
    for (; done > 0 && d->first; done--)
        sim_disk_complete(n);
    while (d->first)
        drop_first(d);
    free(d->dump_bytes);
    d->dump_bytes = NULL;
}

/* --- life */

void sim_disk_init_voter(struct raft_disk *d, const struct raft_config *config, uint64_t store)
{
    uint8_t payload[RAFT_CONFIG_SIZE_MAX], record[RAFT_CONFIG_SIZE_MAX + RAFT_RECORD_HEAD];
    struct buf payload_buf, record_buf;
    struct raft_entry e = {.kind = RAFT_CONFIG, .term = 1, .index = 1};
    buf_init_fixed(&payload_buf, payload, sizeof(payload));
    buf_init_fixed(&record_buf, record, sizeof(record));
    CHECK(raft_config_encode(config, &payload_buf) == ERR_OK);
    e.payload = buf_bytes(&payload_buf);
    CHECK(raft_entry_append(&record_buf, &e) == ERR_OK);
    e.record = buf_bytes(&record_buf);
    put_record(d, &e);
    d->hard = (struct raft_hard){.term = 1, .store = store};
}

static uint8_t *copy_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = bytes ? malloc(size + 1) : NULL;
    CHECK(copy || !bytes);
    if (copy)
        memcpy(copy, bytes, size);
    return copy;
}

void sim_disk_copy(const struct raft_disk *from, struct raft_disk *ret_disk)
{
    struct raft_disk *d = ret_disk;
    *d = *from;
    d->first = d->last = NULL;
    d->is_full = d->fails = false;
    d->dump_bytes = NULL;
    d->snapshot_bytes = copy_bytes(from->snapshot_bytes, (size_t)from->snapshot.size);
    d->staged_bytes = copy_bytes(from->staged_bytes, (size_t)from->staged.size);
    d->records = calloc(d->record_capacity + 1, sizeof(*d->records));
    CHECK(d->records);
    for (size_t i = 0; i < d->record_count; i++) {
        d->records[i] = from->records[i];
        d->records[i].bytes = copy_bytes(from->records[i].bytes, from->records[i].size);
    }
}

void sim_disk_boot(struct raft_disk *d, struct raft_boot *ret_boot)
{
    *ret_boot = (struct raft_boot){
        .hard = d->hard,
        .base = d->base,
        .last = sim_disk_last(d),
        .applied = d->machine.applied,
        .applied_base = d->has_machine_base ? &d->machine_base : NULL,
        .snapshot = d->snapshot.base.index ? &d->snapshot : NULL,
        .staged = d->staged.base.index ? &d->staged : NULL,
        .staged_size = d->staged_size,
    };
}

void sim_disk_free(struct raft_disk *d)
{
    while (d->first)
        drop_first(d);
    cut_tail(d, 0);
    free(d->records);
    free(d->snapshot_bytes);
    free(d->dump_bytes);
    free(d->staged_bytes);
}
