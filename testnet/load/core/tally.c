/* See tally.h. */
#include "testnet/load/core/tally.h"

static const struct {
    const char *word;
    bool is_failure;
} outcomes[] = {
#define TALLY_ROW(constant, word, failure) {word, failure},
    TALLY_OUTCOMES(TALLY_ROW)
#undef TALLY_ROW
};

const char *tally_word(enum tally_outcome outcome)
{
    return outcomes[outcome].word;
}

void tally_init(struct tally *t, const struct tally_cfg *cfg)
{
    *t = (struct tally){.cfg = *cfg};
}

static bool is_within(uint64_t value_us, uint64_t limit_us)
{
    return limit_us == 0 || value_us <= limit_us;
}

static bool is_good(const struct tally_slo *slo, const struct tally_result *r)
{
    uint64_t first_us = r->first_us ? r->first_us : r->done_us;
    uint64_t gaps = r->tokens > 1 ? r->tokens - 1 : 1;
    return is_within(first_us - r->intended_us, slo->first_us) &&
           is_within((r->done_us - first_us) / gaps, slo->per_token_us) &&
           is_within(r->done_us - r->intended_us, slo->whole_us);
}

static void add_times(struct tally *t, const struct tally_result *r)
{
    histogram_add(&t->latency, r->done_us - r->intended_us);
    histogram_add(&t->service, r->done_us - r->sent_us);
    if (r->first_us)
        histogram_add(&t->first, r->first_us - r->intended_us);
    t->tokens += r->tokens;
    t->good += is_good(&t->cfg.slo, r);
}

void tally_add(struct tally *t, const struct tally_result *r)
{
    if (r->intended_us < t->cfg.warm_up_us) {
        t->warm_up_count++;
        return;
    }
    bool failed = outcomes[r->outcome].is_failure;
    uint64_t second = (r->intended_us - t->cfg.warm_up_us) / 1000000;
    CHECK(r->target < TALLY_TARGETS_MAX && r->tenant < TALLY_TENANTS_MAX);
    if (t->count++ == 0 || r->intended_us < t->first_intended_us)
        t->first_intended_us = r->intended_us;
    if (r->done_us > t->last_done_us)
        t->last_done_us = r->done_us;
    t->outcomes[r->outcome]++;
    t->targets[r->target][failed]++;
    t->tenants[r->tenant][failed]++;
    t->failed += failed;
    t->failed_unbegun += failed && !r->has_begun;
    if (second < TALLY_SECONDS_MAX) {
        t->seconds[second][failed]++;
        t->second_count = second >= t->second_count ? (uint32_t)second + 1 : t->second_count;
    }
    if (r->outcome != TALLY_NOT_SENT)
        histogram_add(&t->lag, r->sent_us - r->intended_us);
    if (r->outcome == TALLY_OK)
        add_times(t, r);
}

void tally_gap(struct tally *t, uint64_t intended_us, uint64_t gap_us)
{
    if (intended_us >= t->cfg.warm_up_us)
        histogram_add(&t->per_token, gap_us);
}
