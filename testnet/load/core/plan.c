/* Arrival times, see plan.h. */
#include "testnet/load/core/plan.h"

#include <math.h>
#include <stdlib.h>

void plan_init(struct plan *p, const struct plan_cfg *cfg)
{
    CHECK(cfg->kind == PLAN_TRACE || cfg->rate > 0);
    *p = (struct plan){.cfg = *cfg};
    rng_init(&p->rng, cfg->seed);
}

void plan_fini(struct plan *p)
{
    free(p->trace);
    p->trace = NULL;
}

/* --- traces */

static struct bytes take_word(struct bytes *line)
{
    struct bytes trimmed = bytes_trim(*line);
    struct bytes word = bytes_of(trimmed.data, bytes_find(trimmed, ' '));
    *line = bytes_skip(trimmed, word.size);
    return word;
}

static bool read_line(struct bytes line, struct plan_arrival *ret_arrival)
{
    uint64_t numbers[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        struct bytes word = take_word(&line);
        if (word.size == 0 && i > 0)
            break;
        if (!bytes_to_u64(word, &numbers[i]) || numbers[i] > UINT32_MAX)
            return false;
    }
    *ret_arrival =
        (struct plan_arrival){numbers[0] * 1000, (uint32_t)numbers[1], (uint32_t)numbers[2]};
    return bytes_trim(line).size == 0;
}

static enum err push(struct plan *p, const struct plan_arrival *a)
{
    if (p->trace_count == PLAN_TRACE_MAX)
        return ERR_LIMIT;
    if ((p->trace_count & (p->trace_count - 1)) == 0) { /* full at each power of two */
        size_t capacity = p->trace_count ? p->trace_count * 2 : 1;
        struct plan_arrival *trace = realloc(p->trace, capacity * sizeof *trace);
        if (!trace)
            return ERR_NO_MEMORY;
        p->trace = trace;
    }
    p->trace[p->trace_count++] = *a;
    return ERR_OK;
}

enum err plan_read_trace(struct plan *p, struct bytes text, size_t *ret_line)
{
    uint64_t last_us = 0;
    for (size_t number = 1; text.size > 0; number++) {
        size_t end = bytes_find(text, '\n');
        struct bytes line = bytes_of(text.data, end);
        struct plan_arrival a;
        text = bytes_skip(text, end + 1);
        if (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        line = bytes_trim(line);
        if (line.size == 0 || line.data[0] == '#')
            continue;
        if (!read_line(line, &a) || a.at_us < last_us) {
            *ret_line = number;
            return ERR_INVALID;
        }
        last_us = a.at_us;
        TRY(push(p, &a));
    }
    return ERR_OK;
}

/* --- drawn */

/* Time that is on, as time of the day. */
static double with_pauses(const struct plan *p, double on_time_us)
{
    double cycles = floor(on_time_us / (double)p->cfg.on_us);
    return on_time_us + cycles * (double)p->cfg.off_us;
}

static double rate_of(const struct plan *p)
{
    double rate = p->cfg.rate / 1e6;
    if (p->cfg.kind == PLAN_BURSTS)
        rate *= (double)(p->cfg.on_us + p->cfg.off_us) / (double)p->cfg.on_us;
    return rate;
}

static bool next_of_trace(struct plan *p, struct plan_arrival *ret_arrival)
{
    if (p->trace_next == p->trace_count)
        return false;
    *ret_arrival = p->trace[p->trace_next++];
    return p->cfg.duration_us == 0 || ret_arrival->at_us < p->cfg.duration_us;
}

bool plan_next(struct plan *p, struct plan_arrival *ret_arrival)
{
    if (p->cfg.kind == PLAN_TRACE)
        return next_of_trace(p, ret_arrival);
    double gap_us = 1 / rate_of(p);
    if (p->cfg.kind != PLAN_CONSTANT)
        gap_us *= -log(1 - rng_unit(&p->rng));
    p->clock_us += gap_us;
    double at_us = p->cfg.kind == PLAN_BURSTS ? with_pauses(p, p->clock_us) : p->clock_us;
    if (at_us >= (double)p->cfg.duration_us)
        return false;
    *ret_arrival = (struct plan_arrival){.at_us = (uint64_t)at_us};
    return true;
}
