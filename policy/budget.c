/* See budget.h. */
#include "policy/budget.h"

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
