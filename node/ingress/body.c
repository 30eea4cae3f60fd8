/* Segment lists behind body.h. Called by the ingress (append) and the egress (read). */
#include "node/ingress/body.h"

#include <malloc.h>
#include <stdlib.h>

struct body_segment {
    struct body_segment *next;
    size_t size;
    uint8_t data[BODY_SEGMENT_SIZE];
};

void body_pool_init(struct body_pool *pool, size_t max_bytes)
{
    *pool = (struct body_pool){.max_bytes = max_bytes};
}

void body_pool_fini(struct body_pool *pool)
{
    CHECK(pool->used_bytes == 0);
    while (pool->idle) {
        struct body_segment *s = pool->idle;
        pool->idle = s->next;
        free(s);
    }
    pool->idle_count = 0;
}

static struct body_segment *pool_take(struct body_pool *pool)
{
    if (pool->used_bytes + sizeof(struct body_segment) > pool->max_bytes)
        return NULL;
    struct body_segment *s = pool->idle;
    if (s) {
        pool->idle = s->next;
        pool->idle_count--;
    } else {
        s = malloc(sizeof *s);
        if (!s)
            return NULL;
    }
    s->next = NULL;
    s->size = 0;
    pool->used_bytes += sizeof *s;
    return s;
}

static void pool_give(struct body_pool *pool, struct body_segment *s)
{
    pool->used_bytes -= sizeof *s;
    if (pool->idle_count >= BODY_IDLE_SEGMENTS_MAX) {
        free(s);
        pool->freed_bytes += sizeof *s;
        /* The allocator keeps what lies below the top: after a burst it is told to let go. */
        if (pool->freed_bytes >= BODY_TRIM_BYTES && pool->used_bytes == 0) {
#if defined(__GLIBC__)
            malloc_trim(0);
#endif
            pool->freed_bytes = 0;
        }
        return;
    }
    s->next = pool->idle;
    pool->idle = s;
    pool->idle_count++;
}

void body_init(struct body *b, struct body_pool *pool, size_t size_max)
{
    *b = (struct body){.pool = pool, .size_max = size_max};
}

enum err body_append(struct body *b, struct bytes data)
{
    if (data.size > b->size_max - b->size)
        return ERR_BODY_TOO_LARGE;
    while (data.size > 0) {
        if (!b->last || b->last->size == BODY_SEGMENT_SIZE) {
            struct body_segment *s = pool_take(b->pool);
            if (!s)
                return ERR_OVERLOADED;
            if (b->last)
                b->last->next = s;
            else
                b->first = s;
            b->last = s;
        }
        size_t n = BODY_SEGMENT_SIZE - b->last->size;
        if (n > data.size)
            n = data.size;
        memcpy(b->last->data + b->last->size, data.data, n);
        b->last->size += n;
        b->size += n;
        data = bytes_skip(data, n);
    }
    return ERR_OK;
}

void body_clear(struct body *b)
{
    while (b->first) {
        struct body_segment *s = b->first;
        b->first = s->next;
        pool_give(b->pool, s);
    }
    b->last = NULL;
    b->size = 0;
}

/* The link to the segment that byte `at` lies in (or ends), and its place in it. */
static struct body_segment **find(struct body *b, size_t at, size_t *ret_offset)
{
    struct body_segment **link = &b->first;
    while (*link && at > (*link)->size) {
        at -= (*link)->size;
        link = &(*link)->next;
    }
    *ret_offset = at;
    return link;
}

enum err body_splice(struct body *b, size_t start, size_t end, struct bytes text)
{
    struct body middle;
    size_t start_offset, end_offset;
    CHECK(0 < start && start < end && end <= b->size && text.size > 0); /* no empty segment */
    struct body_segment *first = *find(b, start, &start_offset);
    struct body_segment *last = *find(b, end, &end_offset);
    size_t size = b->size - (end - start) + text.size;
    if (size > b->size_max)
        return ERR_BODY_TOO_LARGE;
    body_init(&middle, b->pool, SIZE_MAX);
    enum err e = body_append(&middle, text);
    if (e == ERR_OK)
        e = body_append(&middle, bytes_of(last->data + end_offset, last->size - end_offset));
    if (e != ERR_OK) {
        body_clear(&middle);
        return e;
    }
    struct body_segment *rest = last->next;
    for (struct body_segment *s = first; s != last;) {
        struct body_segment *next = s->next;
        if (s != first)
            pool_give(b->pool, s);
        s = next;
    }
    if (first != last)
        pool_give(b->pool, last);
    first->size = start_offset;
    first->next = middle.first;
    middle.last->next = rest;
    if (!rest)
        b->last = middle.last;
    b->size = size;
    return ERR_OK;
}

void body_hash(const struct body *b, uint8_t ret_hash[DIGEST_SIZE])
{
    struct digest d;
    digest_init(&d);
    for (const struct body_segment *s = b->first; s; s = s->next)
        digest_update(&d, bytes_of(s->data, s->size));
    digest_final(&d, ret_hash);
}

void body_cursor_init(const struct body *b, struct body_cursor *c)
{
    *c = (struct body_cursor){.segment = b->first};
}

size_t body_next(struct body_cursor *c, struct bytes *parts, size_t parts_max, size_t bytes_max)
{
    size_t count = 0;
    size_t total = 0;
    while (c->segment && count < parts_max && total < bytes_max) {
        struct bytes rest = bytes_of(c->segment->data + c->offset, c->segment->size - c->offset);
        if (rest.size > bytes_max - total)
            rest.size = bytes_max - total;
        parts[count++] = rest;
        total += rest.size;
        c->offset += rest.size;
        if (c->offset == c->segment->size) {
            c->segment = c->segment->next;
            c->offset = 0;
        }
    }
    return count;
}
