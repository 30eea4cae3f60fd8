/* The disks of the stage: writes wait until they are carried out by order. */
#ifndef TESTS_UNIT_RAFT_STAGE_DISK_H
#define TESTS_UNIT_RAFT_STAGE_DISK_H

#include "stage.h"

static enum err stage_read(void *ctx, uint64_t index, struct bytes *ret_record)
{
    struct actor *a = ctx;
    if (index <= a->base.index || index > a->last || !a->records[index].data)
        return ERR_NOT_FOUND;
    *ret_record = a->records[index];
    return ERR_OK;
}

static struct bytes stage_copy(struct bytes b)
{
    uint8_t *copy = malloc(b.size + 1);
    CHECK(copy);
    if (b.size)
        memcpy(copy, b.data, b.size);
    return bytes_of(copy, b.size);
}

static void stage_free(struct bytes *b)
{
    free((void *)(uintptr_t)b->data);
    *b = (struct bytes){NULL, 0};
}

static void stage_cut(struct actor *a, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last && i < STAGE_RECORDS; i++)
        stage_free(&a->records[i]);
}

static void stage_put(struct actor *a, const struct raft_write *w)
{
    struct bytes rest = w->records;
    while (rest.size) {
        struct raft_entry e;
        CHECK(raft_entry_read(&rest, &e) == ERR_OK && e.index < STAGE_RECORDS);
        stage_free(&a->records[e.index]);
        a->records[e.index] = stage_copy(e.record);
        a->last = e.index > a->last ? e.index : a->last;
    }
}

/* What is durable of one, as the disk of another. */
static void stage_copy_disk(struct actor *to, const struct actor *from)
{
    uint64_t now_ms = to->now_ms;
    uint32_t lives = to->lives;
    stage_cut(to, 0, STAGE_RECORDS - 1);
    *to = *from;
    to->core = NULL;
    to->write_count = 0;
    to->now_ms = now_ms;
    to->lives = lives;
    for (size_t i = 0; i < STAGE_RECORDS; i++)
        if (from->records[i].data)
            to->records[i] = stage_copy(from->records[i]);
}

static void stage_say_write(FILE *out, const struct actor *a, const struct raft_write *w)
{
    fprintf(out, "%c disk:", a->name);
    if (w->hard)
        fprintf(out, " term %llu vote %c,", (ull)w->hard->term, stage_name(&w->hard->vote));
    if (w->reset)
        fprintf(out, " log begins after %llu,", (ull)w->reset->index);
    if (w->truncate_from)
        fprintf(out, " cut from %llu,", (ull)w->truncate_from);
    if (w->record_count)
        stage_say_records(out, w->records);
    if (w->trim)
        fprintf(out, " trim to %llu,", (ull)w->trim->index);
    if (w->part)
        fprintf(out, " part at %llu,", (ull)w->offset);
    if (w->made)
        fprintf(out, " snapshot of %llu", (ull)w->made->base.index);
    fprintf(out, "\n");
}

static void stage_carry_out(struct actor *a, const struct raft_write *w)
{
    if (w->hard)
        a->hard = *w->hard;
    if (w->reset) {
        stage_cut(a, 0, STAGE_RECORDS - 1);
        a->base = *w->reset;
        a->last = a->base.index;
    }
    if (w->truncate_from) {
        stage_cut(a, w->truncate_from, a->last);
        a->last = w->truncate_from - 1;
    }
    stage_put(a, w);
    if (w->trim) {
        stage_cut(a, 0, w->trim->index);
        a->base = *w->trim;
    }
    if (w->part) {
        a->staged = *w->part;
        a->staged_size = w->offset + w->data.size;
    }
    if (w->made)
        a->snapshot = *w->made;
}

#define STAGE_KEEP(q, w, field)                                                                    \
    if ((w)->field) {                                                                              \
        (q)->field = *(w)->field;                                                                  \
        (q)->write.field = &(q)->field;                                                            \
    }

static void stage_submit(struct actor *a, const struct raft_write *w)
{
    CHECK(a->write_count < 64);
    struct stage_write *q = &a->writes[a->write_count++];
    q->write = *w;
    STAGE_KEEP(q, w, hard)
    STAGE_KEEP(q, w, reset)
    STAGE_KEEP(q, w, trim)
    STAGE_KEEP(q, w, part)
    STAGE_KEEP(q, w, made)
    struct bytes copy = stage_copy(w->record_count ? w->records : w->data);
    q->bytes = (uint8_t *)(uintptr_t)copy.data;
    if (w->record_count)
        q->write.records = copy;
    else
        q->write.data = copy;
}

#endif
