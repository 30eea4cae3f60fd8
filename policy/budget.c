/* The two limits behind budget.h. All arithmetic stops at its ends, none wraps. */
#include "policy/budget.h"

#include <string.h>

#define SLOT_MS (POLICY_RETRY_WINDOW_MS / POLICY_WINDOW_SLOTS)
#define PERMILLE_MAX 1000

enum { REQUESTS, RETRIES }; /* kinds of the window */

const struct policy_retry_cfg policy_retry_defaults = {.permille = 200, .per_s_min = 3};

void policy_retry_init(struct policy_retry *r, struct policy_retry_cfg cfg)
{
    r->cfg = cfg;
    if (r->cfg.permille > PERMILLE_MAX)
        r->cfg.permille = PERMILLE_MAX;
    policy_window_init(&r->window);
}

void policy_retry_note_request(struct policy_retry *r, uint64_t now_ms)
{
    policy_window_add(&r->window, SLOT_MS, REQUESTS, now_ms);
}

bool policy_retry_take(struct policy_retry *r, uint64_t now_ms)
{
    struct policy_window_sums sums = policy_window_sum(&r->window, SLOT_MS, now_ms);
    uint64_t share = sums.kinds[REQUESTS] * r->cfg.permille / 1000;
    uint64_t least = (uint64_t)r->cfg.per_s_min * (POLICY_RETRY_WINDOW_MS / 1000);
    if (sums.kinds[RETRIES] >= share + least)
        return false;
    policy_window_add(&r->window, SLOT_MS, RETRIES, now_ms);
    return true;
}

/* --- the spend of one request */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

void policy_spend_init(struct policy_spend *s, struct policy_spend_cfg cfg)
{
    CHECK(cfg.attempts_max > 0 && cfg.parallel_max > 0);
    memset(s, 0, sizeof *s);
    s->cfg = cfg;
}

enum err policy_spend_may(const struct policy_spend *s, uint64_t micro_usd, uint64_t now_ms)
{
    if (now_ms >= s->cfg.deadline_ms)
        return ERR_DEADLINE;
    if (s->attempts >= s->cfg.attempts_max || s->running >= s->cfg.parallel_max)
        return ERR_LIMIT;
    return micro_usd > policy_spend_left_micro_usd(s) ? ERR_PRICE_CEILING : ERR_OK;
}

enum err policy_spend_start(struct policy_spend *s, uint64_t micro_usd, uint64_t now_ms)
{
    TRY(policy_spend_may(s, micro_usd, now_ms));
    s->reserved_micro_usd += micro_usd;
    s->attempts++;
    s->running++;
    return ERR_OK;
}

void policy_spend_end(struct policy_spend *s, uint64_t reserved_micro_usd, uint64_t cost_micro_usd)
{
    CHECK(s->running > 0 && reserved_micro_usd <= s->reserved_micro_usd);
    s->running--;
    s->reserved_micro_usd -= reserved_micro_usd;
    s->spent_micro_usd = add(s->spent_micro_usd, cost_micro_usd);
}

uint64_t policy_spend_left_ms(const struct policy_spend *s, uint64_t now_ms)
{
    return s->cfg.deadline_ms > now_ms ? s->cfg.deadline_ms - now_ms : 0;
}

uint64_t policy_spend_left_micro_usd(const struct policy_spend *s)
{
    uint64_t used = add(s->spent_micro_usd, s->reserved_micro_usd);
    return s->cfg.micro_usd_max > used ? s->cfg.micro_usd_max - used : 0;
}
