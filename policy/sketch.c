/* The sketch behind sketch.h: a ring of windows, each a run of buckets that moves up and down the
 * scale with what it is given. */
#include "policy/sketch.h"

#include "base/err.h"
#include "policy/window.h"

#include <math.h>
#include <string.h>

#define GROWTH ((1 + POLICY_SKETCH_ERROR) / (1 - POLICY_SKETCH_ERROR))
#define LOG_GROWTH 0.0400053346136992 /* log(GROWTH) */
#define BUCKETS 552                   /* ceil(log(POLICY_SKETCH_MAX_US) / LOG_GROWTH) + 1 */

_Static_assert(sizeof(struct policy_sketch) <= 4096, "a sketch is kept for every deployment");
_Static_assert(BUCKETS <= 2 * POLICY_SKETCH_RUN, "a run never moves by more than its length");

static size_t bucket_of(uint64_t us)
{
    if (us <= POLICY_SKETCH_MIN_US)
        return 0;
    uint64_t cut_us = us < POLICY_SKETCH_MAX_US ? us : POLICY_SKETCH_MAX_US;
    return (size_t)ceil(log((double)cut_us) / LOG_GROWTH);
}

static uint64_t middle_of(size_t bucket)
{
    return (uint64_t)(2 * exp((double)bucket * LOG_GROWTH) / (GROWTH + 1) + 0.5);
}

/* --- a window */

/* Rounded up, so that what was seen stays seen. */
static void halve(struct policy_sketch_window *w)
{
    w->count = 0;
    for (size_t i = 0; i < POLICY_SKETCH_RUN; i++) {
        w->buckets[i] = (uint16_t)((w->buckets[i] + 1u) / 2);
        w->count += w->buckets[i];
    }
}

static void put(struct policy_sketch_window *w, size_t index, uint32_t count)
{
    while (count > UINT16_MAX - (uint32_t)w->buckets[index]) {
        halve(w);
        count = count / 2 + count % 2;
    }
    w->buckets[index] = (uint16_t)(w->buckets[index] + count);
    w->count += count;
}

/* By so many buckets; what falls off below is counted in the lowest that stays. */
static void move_up(struct policy_sketch_window *w, size_t by)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < by; i++)
        sum += w->buckets[i];
    memmove(w->buckets, w->buckets + by, (POLICY_SKETCH_RUN - by) * sizeof w->buckets[0]);
    memset(w->buckets + (POLICY_SKETCH_RUN - by), 0, by * sizeof w->buckets[0]);
    w->first = (uint16_t)(w->first + by);
    w->count -= sum;
    put(w, 0, sum);
}

/* As far as nothing falls off above. */
static void move_down(struct policy_sketch_window *w, size_t by)
{
    size_t unused = 0;
    while (unused < POLICY_SKETCH_RUN && w->buckets[POLICY_SKETCH_RUN - 1 - unused] == 0)
        unused++;
    size_t step = by < unused ? by : unused;
    memmove(w->buckets + step, w->buckets, (POLICY_SKETCH_RUN - step) * sizeof w->buckets[0]);
    memset(w->buckets, 0, step * sizeof w->buckets[0]);
    w->first = (uint16_t)(w->first - step);
}

static void window_add(struct policy_sketch_window *w, size_t bucket, uint32_t count)
{
    if (w->count == 0)
        w->first = (uint16_t)(bucket > POLICY_SKETCH_RUN / 2 ? bucket - POLICY_SKETCH_RUN / 2 : 0);
    if (bucket >= w->first + (size_t)POLICY_SKETCH_RUN)
        move_up(w, bucket - w->first - POLICY_SKETCH_RUN + 1);
    else if (bucket < w->first)
        move_down(w, w->first - bucket);
    put(w, bucket > w->first ? bucket - w->first : 0, count);
}

static uint32_t highest(const struct policy_sketch_window *w)
{
    uint32_t most = 0;
    for (size_t b = 0; b < POLICY_SKETCH_RUN; b++)
        most = w->buckets[b] > most ? w->buckets[b] : most;
    return most;
}

/* Both are halved beforehand where their sum would not fit, lest halving in the midst of it weigh
 * what comes later twice. */
static void window_merge(struct policy_sketch_window *w, const struct policy_sketch_window *from)
{
    uint32_t most = highest(from);
    uint32_t part = 1;
    for (; highest(w) + most / part + 1 > UINT16_MAX; part *= 2)
        halve(w);
    for (size_t b = 0; b < POLICY_SKETCH_RUN; b++)
        if (from->buckets[b] > 0)
            window_add(w, from->first + b, (from->buckets[b] + part - 1) / part);
}

static uint32_t window_at(const struct policy_sketch_window *w, size_t bucket)
{
    bool is_in = bucket >= w->first && bucket - w->first < POLICY_SKETCH_RUN;
    return is_in ? w->buckets[bucket - w->first] : 0;
}

/* --- the ring */

/* The place of the window that is the `age`th oldest. */
static size_t place(const struct policy_sketch *s, size_t age)
{
    return (size_t)(s->newest % POLICY_SKETCH_WINDOWS + 1 + age) % POLICY_SKETCH_WINDOWS;
}

static size_t over_at(const struct policy_sketch *s, uint64_t number)
{
    return policy_window_over(s->newest, number, POLICY_SKETCH_WINDOWS);
}

static void turn(struct policy_sketch *s, uint64_t number)
{
    size_t over = over_at(s, number);
    for (size_t i = 0; i < over; i++)
        memset(&s->windows[place(s, i)], 0, sizeof s->windows[0]);
    if (over > 0)
        s->newest = number;
}

void policy_sketch_init(struct policy_sketch *s)
{
    memset(s, 0, sizeof *s);
}

void policy_sketch_add(struct policy_sketch *s, uint64_t latency_us, uint64_t now_ms)
{
    turn(s, now_ms / POLICY_SKETCH_WINDOW_MS);
    window_add(&s->windows[s->newest % POLICY_SKETCH_WINDOWS], bucket_of(latency_us), 1);
}

void policy_sketch_merge(struct policy_sketch *s, const struct policy_sketch *from)
{
    CHECK(s != from);
    turn(s, from->newest);
    /* What both still remember lies at the same place of both rings. */
    size_t over = over_at(from, s->newest);
    for (size_t i = over; i < POLICY_SKETCH_WINDOWS; i++)
        window_merge(&s->windows[place(from, i)], &from->windows[place(from, i)]);
}

uint64_t policy_sketch_count(const struct policy_sketch *s, uint64_t now_ms)
{
    uint64_t count = 0;
    for (size_t i = over_at(s, now_ms / POLICY_SKETCH_WINDOW_MS); i < POLICY_SKETCH_WINDOWS; i++)
        count += s->windows[place(s, i)].count;
    return count;
}

bool policy_sketch_quantile(const struct policy_sketch *s, double quantile, uint64_t now_ms,
                            uint64_t *ret_us)
{
    uint64_t count = policy_sketch_count(s, now_ms);
    if (count == 0 || isnan(quantile))
        return false;
    double rank = ceil(fmin(fmax(quantile, 0), 1) * (double)count);
    size_t over = over_at(s, now_ms / POLICY_SKETCH_WINDOW_MS);
    uint64_t seen = 0;
    size_t bucket = 0;
    for (; bucket < BUCKETS; bucket++) {
        for (size_t i = over; i < POLICY_SKETCH_WINDOWS; i++)
            seen += window_at(&s->windows[place(s, i)], bucket);
        if (seen > 0 && (double)seen >= rank)
            break;
    }
    *ret_us = middle_of(bucket);
    return true;
}
