/* A row of places that grows at its end and shrinks at both. The same function replays a batch when
 * the store loads and publishes one that was committed, so that both agree. */
#include "raft/store_index.h"

#include <stdlib.h>

void raft_index_init(struct raft_index *x)
{
    *x = (struct raft_index){.first = 1};
}

void raft_index_fini(struct raft_index *x)
{
    free(x->places);
    free(x->live);
}

/* --- segments */

enum err raft_index_add_segment(struct raft_index *x, uint32_t segment)
{
    uint32_t *live = realloc(x->live, (x->segment_count + 1) * sizeof *live);
    if (!live)
        return ERR_NO_MEMORY;
    x->live = live;
    if (x->segment_count == 0)
        x->segment_first = segment;
    CHECK(segment == x->segment_first + x->segment_count);
    live[x->segment_count++] = 0;
    return ERR_OK;
}

bool raft_index_is_first_dead(const struct raft_index *x)
{
    return x->segment_count > 1 && x->live[0] == 0;
}

void raft_index_remove_segment(struct raft_index *x)
{
    CHECK(raft_index_is_first_dead(x));
    x->segment_first++;
    memmove(x->live, x->live + 1, --x->segment_count * sizeof *x->live);
}

static void count(struct raft_index *x, const struct raft_place *place, uint32_t change)
{
    if (place->size == 0)
        return;
    CHECK(place->segment - x->segment_first < x->segment_count);
    x->live[place->segment - x->segment_first] += change;
}

/* --- places */

static uint64_t end_of(const struct raft_index *x)
{
    return x->first + x->count;
}

static struct raft_place *place_of(const struct raft_index *x, uint64_t index)
{
    return &x->places[x->head + (index - x->first)];
}

const struct raft_place *raft_index_find(const struct raft_index *x, uint64_t index)
{
    return index >= x->first && index < end_of(x) ? place_of(x, index) : NULL;
}

static void set(struct raft_index *x, uint64_t index, struct raft_place place)
{
    struct raft_place *p = place_of(x, index);
    count(x, p, -1u);
    *p = place;
    count(x, p, 1);
}

static void trim(struct raft_index *x, uint64_t first)
{
    while (x->count > 0 && x->first < first) {
        count(x, &x->places[x->head++], -1u);
        x->first++;
        x->count--;
    }
    if (x->count == 0) {
        x->first = first;
        x->head = 0;
    }
}

static void cut(struct raft_index *x, uint64_t from)
{
    while (x->count > 0 && end_of(x) > from)
        count(x, &x->places[x->head + --x->count], -1u);
}

static enum err reserve(struct raft_index *x, size_t extra)
{
    if (x->head + x->count + extra <= x->capacity)
        return ERR_OK;
    if (x->head >= x->count + extra) { /* more than half is free: no more memory is needed */
        memmove(x->places, x->places + x->head, x->count * sizeof *x->places);
        x->head = 0;
        return ERR_OK;
    }
    size_t capacity = x->count + extra < 1024 ? 2048 : (x->count + extra) * 2;
    struct raft_place *places = malloc(capacity * sizeof *places);
    if (!places)
        return ERR_NO_MEMORY;
    if (x->count)
        memcpy(places, x->places + x->head, x->count * sizeof *places);
    free(x->places);
    x->places = places;
    x->head = 0;
    x->capacity = capacity;
    return ERR_OK;
}

static void push(struct raft_index *x, struct raft_place place)
{
    x->places[x->head + x->count++] = place;
    count(x, &place, 1);
}

static enum err fill_up_to(struct raft_index *x, uint64_t end)
{
    if (end <= end_of(x))
        return ERR_OK;
    uint64_t missing = end - end_of(x);
    if (missing > RAFT_STORE_ENTRIES_MAX)
        return ERR_LIMIT;
    TRY(reserve(x, (size_t)missing));
    while (missing-- > 0)
        push(x, (struct raft_place){0});
    return ERR_OK;
}

static enum err apply_run(struct raft_index *x, const struct raft_batch_run *run,
                          const struct raft_place *places)
{
    uint64_t end = run->first + run->count;
    uint64_t from = run->first > x->first ? run->first : x->first;
    if (!run->is_repair)
        cut(x, run->first);
    if (from >= end)
        return ERR_OK;
    TRY(fill_up_to(x, from));
    TRY(reserve(x, (size_t)(end - from)));
    for (uint64_t index = from; index < end; index++) {
        if (index < end_of(x))
            set(x, index, places[index - run->first]);
        else
            push(x, places[index - run->first]);
    }
    return ERR_OK;
}

enum err raft_index_apply(struct raft_index *x, const struct raft_batch_meta *meta,
                          const struct raft_batch_run *runs, size_t run_count,
                          const struct raft_place *places)
{
    trim(x, meta->base.index + 1);
    for (size_t i = 0; i < run_count; i++) {
        TRY(apply_run(x, &runs[i], places));
        places += runs[i].count;
    }
    cut(x, meta->last + 1);
    return fill_up_to(x, meta->last + 1);
}

void raft_index_doubt(struct raft_index *x, uint64_t index)
{
    for (uint64_t i = index > x->first ? index : x->first; i < end_of(x); i++)
        set(x, i, (struct raft_place){0});
}
