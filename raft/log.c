/* Records in memory, terms and configurations of the whole log. The newest records lie one after
 * another in one block, so that any range of them is one piece for a message or a write. The block
 * moves only when a record is appended: files take slices at the end of a step. */
#include "raft/log.h"

#include <stdlib.h>

/* --- arrays that grow */

static enum err room(void **array, size_t *capacity, size_t count, size_t item)
{
    if (count < *capacity)
        return ERR_OK;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*array, wanted * item);
    if (!grown)
        return ERR_NO_MEMORY;
    *array = grown;
    *capacity = wanted;
    return ERR_OK;
}

static enum err push_run(struct raft_log *l, uint64_t index, uint64_t term)
{
    if (l->run_count && l->runs[l->run_count - 1].term == term)
        return ERR_OK;
    TRY(room((void **)&l->runs, &l->run_capacity, l->run_count, sizeof(*l->runs)));
    l->runs[l->run_count++] = (struct raft_run){index, term};
    return ERR_OK;
}

static enum err push_config(struct raft_log *l, const struct raft_entry *e)
{
    TRY(room((void **)&l->configs, &l->config_capacity, l->config_count, sizeof(*l->configs)));
    struct raft_config_at *at = &l->configs[l->config_count];
    TRY(raft_config_decode(e->payload, &at->config));
    at->index = e->index;
    l->config_count++;
    return ERR_OK;
}

/* --- the block of records */

static void forget_memory(struct raft_log *l, uint64_t first)
{
    l->head = l->size = l->end_count = l->dropped = 0;
    l->memory_first = first;
}

static void drop_memory_head(struct raft_log *l, size_t count)
{
    size_t bytes = l->ends[count - 1] - l->dropped;
    l->dropped += bytes;
    l->head += bytes;
    l->size -= bytes;
    l->end_count -= count;
    l->memory_first += count;
    memmove(l->ends, l->ends + count, l->end_count * sizeof(*l->ends));
}

static enum err block_room(struct raft_log *l, size_t extra)
{
    if (l->head + l->size + extra <= l->capacity)
        return ERR_OK;
    if (l->size + extra <= l->capacity / 2) {
        memmove(l->bytes, l->bytes + l->head, l->size);
        l->head = 0;
        return ERR_OK;
    }
    size_t wanted = l->capacity ? l->capacity : 1024;
    while (wanted < l->head + l->size + extra)
        wanted *= 2;
    uint8_t *grown = realloc(l->bytes, wanted);
    if (!grown)
        return ERR_NO_MEMORY;
    l->bytes = grown;
    l->capacity = wanted;
    return ERR_OK;
}

static struct bytes in_memory(const struct raft_log *l, uint64_t index)
{
    size_t at = (size_t)(index - l->memory_first);
    size_t begin = (at ? l->ends[at - 1] : l->dropped) - l->dropped;
    return bytes_of(l->bytes + l->head + begin, l->ends[at] - l->dropped - begin);
}

size_t raft_log_bytes_after(const struct raft_log *l, uint64_t index)
{
    if (index < l->memory_first || l->end_count == 0)
        return l->size;
    return l->size - (l->ends[index - l->memory_first] - l->dropped);
}

void raft_log_shrink(struct raft_log *l, uint64_t committed)
{
    size_t count = 0, excess = l->size > l->memory_bytes ? l->size - l->memory_bytes * 3 / 4 : 0;
    uint64_t last = committed < l->durable ? committed : l->durable;
    while (excess && count < l->end_count && l->memory_first + count <= last &&
           l->ends[count] - l->dropped <= excess)
        count++;
    if (count)
        drop_memory_head(l, count);
}

/* --- start and end */

/* Whatever is wrong with it: it is then unreadable, unless a later program wrote it. */
static enum err scan_one(struct raft_log *l, uint64_t index, const uint8_t *prev,
                         struct raft_entry *ret_entry)
{
    struct bytes record;
    struct raft_entry e;
    TRY(raft_log_record(l, index, &record));
    TRY(raft_entry_read(&record, &e));
    bool is_chained = !prev || memcmp(prev, e.prev, CRYPTO_HASH_SIZE) == 0;
    bool is_late = l->run_count && e.term < l->runs[l->run_count - 1].term;
    if (record.size || e.index != index || !is_chained || is_late)
        return ERR_CORRUPT;
    TRY(push_run(l, index, e.term));
    if (e.kind == RAFT_CONFIG)
        TRY(push_config(l, &e));
    *ret_entry = e;
    return ERR_OK;
}

static void mark_bad(struct raft_log *l, uint64_t index)
{
    if (!l->bad_first)
        l->bad_first = index;
    l->bad_last = index;
}

enum err raft_log_scan(struct raft_log *l)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    bool is_known = true;
    l->run_count = l->config_count = 0;
    l->bad_first = l->bad_last = 0;
    memcpy(hash, l->base.hash, sizeof(hash));
    for (uint64_t index = l->base.index + 1; index <= l->last; index++) {
        struct raft_entry e;
        enum err err = scan_one(l, index, is_known ? hash : NULL, &e);
        if (err == ERR_UNSUPPORTED || err == ERR_NO_MEMORY)
            return err;
        is_known = err == ERR_OK;
        if (is_known) {
            raft_entry_hash(e.record, hash);
            continue;
        }
        mark_bad(l, index);
        TRY(push_run(l, index, 0));
    }
    memcpy(l->last_hash, hash, sizeof(hash));
    return ERR_OK;
}

enum err raft_log_open(struct raft_log *l, const struct raft_cfg *cfg, const struct raft_boot *boot)
{
    l->ops = cfg->ops;
    l->ctx = cfg->ctx;
    l->memory_bytes = cfg->memory_bytes;
    if (boot->applied > boot->last && boot->applied > boot->base.index) {
        if (!boot->applied_base || boot->applied_base->index != boot->applied)
            return ERR_CORRUPT;
        raft_log_reset(l, boot->applied_base);
        return ERR_OK;
    }
    if (boot->applied < boot->base.index || boot->last < boot->base.index)
        return ERR_CORRUPT;
    l->base = boot->base;
    l->last = l->written = l->durable = boot->last;
    forget_memory(l, l->last + 1);
    return raft_log_scan(l);
}

void raft_log_close(struct raft_log *l)
{
    free(l->bytes);
    free(l->ends);
    free(l->runs);
    free(l->configs);
}

/* --- questions */

static size_t run_of(const struct raft_log *l, uint64_t index)
{
    size_t low = 0, high = l->run_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (l->runs[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint64_t raft_log_term(const struct raft_log *l, uint64_t index)
{
    if (index == l->base.index)
        return l->base.term;
    if (index < l->base.index || index > l->last)
        return 0;
    const struct raft_run *newest = &l->runs[l->run_count - 1];
    return index >= newest->first ? newest->term : l->runs[run_of(l, index)].term;
}

uint64_t raft_log_last_term(const struct raft_log *l)
{
    return raft_log_term(l, l->last);
}

uint64_t raft_log_find(const struct raft_log *l, uint64_t index, uint64_t term)
{
    if (index > l->last)
        index = l->last;
    if (index <= l->base.index || l->run_count == 0)
        return l->base.index;
    for (size_t run = run_of(l, index) + 1; run-- > 0;) {
        if (l->runs[run].term && l->runs[run].term <= term)
            return index;
        index = l->runs[run].first - 1;
    }
    return l->base.index;
}

const struct raft_config_at *raft_log_config(const struct raft_log *l, uint64_t index)
{
    for (size_t i = l->config_count; i-- > 0;)
        if (l->configs[i].index <= index)
            return &l->configs[i];
    return NULL;
}

enum err raft_log_record(const struct raft_log *l, uint64_t index, struct bytes *ret_record)
{
    if (index <= l->base.index || index > l->last)
        return ERR_NOT_FOUND;
    if (index >= l->memory_first) {
        *ret_record = in_memory(l, index);
        return ERR_OK;
    }
    return l->ops.read(l->ctx, index, ret_record) == ERR_OK ? ERR_OK : ERR_NOT_FOUND;
}

uint64_t raft_log_slice(const struct raft_log *l, uint64_t first, uint64_t last, size_t size_max,
                        struct bytes *ret_records)
{
    if (first < l->memory_first || first > last || last > l->last)
        return 0;
    size_t at = (size_t)(first - l->memory_first), count = 1;
    size_t begin = (at ? l->ends[at - 1] : l->dropped);
    while (first + count <= last && l->ends[at + count] - begin <= size_max)
        count++;
    *ret_records =
        bytes_of(l->bytes + l->head + (begin - l->dropped), l->ends[at + count - 1] - begin);
    return count;
}

enum err raft_log_hash(const struct raft_log *l, uint64_t index, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    struct bytes record;
    struct raft_entry e;
    if (index == l->base.index) {
        memcpy(ret_hash, l->base.hash, CRYPTO_HASH_SIZE);
        return ERR_OK;
    }
    if (index == l->last && index != l->bad_last) {
        memcpy(ret_hash, l->last_hash, CRYPTO_HASH_SIZE);
        return ERR_OK;
    }
    if (index < l->last && raft_log_record(l, index + 1, &record) == ERR_OK &&
        raft_entry_read(&record, &e) == ERR_OK && e.index == index + 1) {
        memcpy(ret_hash, e.prev, CRYPTO_HASH_SIZE);
        return ERR_OK;
    }
    TRY(raft_log_record(l, index, &record));
    TRY(raft_entry_read(&record, &e));
    raft_entry_hash(e.record, ret_hash);
    return ERR_OK;
}

enum err raft_log_base_at(const struct raft_log *l, uint64_t index, struct raft_base *ret_base)
{
    struct raft_base base = {.index = index, .term = raft_log_term(l, index)};
    if (base.term == 0 && index != l->base.index)
        return ERR_NOT_FOUND;
    TRY(raft_log_hash(l, index, base.hash));
    const struct raft_config_at *at = raft_log_config(l, index);
    uint64_t since = at ? at->index : l->base.index;
    if (l->bad_first && l->bad_first <= index && l->bad_last > since)
        return ERR_NOT_FOUND; /* an unreadable record may be a configuration */
    base.config = at ? at->config : l->base.config;
    base.config_index = at ? at->index : l->base.config_index;
    *ret_base = base;
    return ERR_OK;
}

/* --- changes */

enum err raft_log_append(struct raft_log *l, const struct raft_entry *entry)
{
    struct buf out;
    size_t size = RAFT_RECORD_HEAD + entry->payload.size;
    if (l->end_count == 0)
        forget_memory(l, l->last + 1);
    TRY(room((void **)&l->ends, &l->end_capacity, l->end_count, sizeof(*l->ends)));
    TRY(block_room(l, size));
    if (entry->kind == RAFT_CONFIG)
        TRY(push_config(l, entry));
    TRY(push_run(l, entry->index, entry->term));
    buf_init_fixed(&out, l->bytes + l->head + l->size, size);
    if (entry->record.data)
        TRY(buf_append(&out, entry->record));
    else
        TRY(raft_entry_append(&out, entry));
    raft_entry_hash(buf_bytes(&out), l->last_hash);
    l->size += size;
    l->ends[l->end_count++] = l->dropped + l->size;
    l->last = entry->index;
    return ERR_OK;
}

static void clip_bad(struct raft_log *l, uint64_t first, uint64_t last)
{
    if (l->bad_first < first)
        l->bad_first = first;
    if (l->bad_last > last)
        l->bad_last = last;
    if (l->bad_last < l->bad_first)
        l->bad_first = l->bad_last = 0;
}

enum err raft_log_truncate(struct raft_log *l, uint64_t from)
{
    uint8_t hash[CRYPTO_HASH_SIZE] = {0};
    enum err err = raft_log_hash(l, from - 1, hash);
    if (err != ERR_OK && (from <= l->bad_first || from - 1 > l->bad_last))
        return ERR_CORRUPT; /* where the log is whole; else the hash is known after the repair */
    memcpy(l->last_hash, hash, sizeof(hash));
    l->last = from - 1;
    l->written = l->written < l->last ? l->written : l->last;
    l->durable = l->durable < l->last ? l->durable : l->last;
    while (l->run_count && l->runs[l->run_count - 1].first >= from)
        l->run_count--;
    while (l->config_count && l->configs[l->config_count - 1].index >= from)
        l->config_count--;
    if (l->bad_first)
        clip_bad(l, 0, l->last);
    if (from <= l->memory_first) {
        forget_memory(l, from);
        return ERR_OK;
    }
    l->end_count = (size_t)(from - l->memory_first);
    l->size = l->ends[l->end_count - 1] - l->dropped;
    return ERR_OK;
}

void raft_log_trim(struct raft_log *l, const struct raft_base *base)
{
    size_t runs = base->index < l->last ? run_of(l, base->index + 1) : l->run_count;
    size_t configs = 0;
    l->run_count -= runs;
    if (l->run_count) {
        memmove(l->runs, l->runs + runs, l->run_count * sizeof(*l->runs));
        l->runs[0].first = base->index + 1;
    }
    while (configs < l->config_count && l->configs[configs].index <= base->index)
        configs++;
    l->config_count -= configs;
    if (configs)
        memmove(l->configs, l->configs + configs, l->config_count * sizeof(*l->configs));
    if (base->index >= l->memory_first)
        drop_memory_head(l, (size_t)(base->index + 1 - l->memory_first));
    l->base = *base;
    if (l->bad_first)
        clip_bad(l, base->index + 1, l->last);
}

void raft_log_reset(struct raft_log *l, const struct raft_base *base)
{
    l->base = *base;
    l->last = l->written = l->durable = base->index;
    l->run_count = l->config_count = 0;
    l->bad_first = l->bad_last = 0;
    memcpy(l->last_hash, base->hash, sizeof(l->last_hash));
    forget_memory(l, base->index + 1);
}
