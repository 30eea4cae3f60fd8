/* The table of faults in force, see faults.h. Called by serve/. */
#include "testnet/engine/faults.h"

#include "node/admin/json.h"

void faults_init(struct faults *f, uint64_t seed)
{
    *f = (struct faults){.count = 0};
    rng_init(&f->rng, seed);
}

const char *faults_word(enum fault_kind kind)
{
    static const char *const words[] = {
#define FAULT_WORD(constant, word) word,
        FAULTS_TABLE(FAULT_WORD)
#undef FAULT_WORD
            "none"};
    return words[kind];
}

bool faults_is_of_requests(enum fault_kind kind)
{
    return kind < FAULT_SLOW;
}

enum err faults_add(struct faults *f, const struct fault *fault, uint64_t now_us)
{
    CHECK(fault->count || fault->for_us);
    if (f->count == FAULTS_MAX)
        return ERR_LIMIT;
    struct fault *x = &f->items[f->count++];
    *x = *fault;
    x->until_us = fault->for_us ? now_us + fault->for_us : UINT64_MAX;
    return ERR_OK;
}

static void take_out(struct faults *f, size_t index)
{
    memmove(&f->items[index], &f->items[index + 1], (--f->count - index) * sizeof f->items[0]);
}

bool faults_expire(struct faults *f, uint64_t now_us, bool *ret_reclaimed)
{
    bool any = false;
    for (size_t i = 0; i < f->count;) {
        if (f->items[i].until_us > now_us) {
            i++;
            continue;
        }
        *ret_reclaimed |= f->items[i].kind == FAULT_RECLAIM;
        take_out(f, i);
        any = true;
    }
    return any;
}

uint64_t faults_deadline_us(const struct faults *f)
{
    uint64_t first_us = UINT64_MAX;
    for (size_t i = 0; i < f->count; i++)
        if (f->items[i].until_us < first_us)
            first_us = f->items[i].until_us;
    return first_us;
}

struct fault faults_of_request(struct faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct fault *x = &f->items[i];
        if (!faults_is_of_requests(x->kind) || !rng_chance(&f->rng, x->chance))
            continue;
        struct fault hit = *x;
        if (x->count && --x->count == 0)
            take_out(f, i);
        return hit;
    }
    return (struct fault){.kind = FAULT_NONE};
}

const struct fault *faults_find(const struct faults *f, enum fault_kind kind)
{
    for (size_t i = f->count; i > 0; i--)
        if (f->items[i - 1].kind == kind)
            return &f->items[i - 1];
    return NULL;
}

void faults_clear(struct faults *f)
{
    f->count = 0;
}

enum err faults_write(const struct faults *f, uint64_t now_us, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '[');
    for (size_t i = 0; i < f->count; i++) {
        const struct fault *x = &f->items[i];
        json_open(&j, '{');
        json_put_str(&j, "fault", faults_word(x->kind));
        if (x->count)
            json_put_uint(&j, "count", x->count);
        if (x->for_us)
            json_put_uint(&j, "left_ms", x->until_us > now_us ? (x->until_us - now_us) / 1000 : 0);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    return json_end(&j);
}
