/* See report.h. Times are in milliseconds, with three digits behind the point. */
#include "testnet/load/report.h"

#include "node/admin/json.h"

#include <stdio.h>

static double elapsed_s(const struct tally *t)
{
    uint64_t end_us = t->last_done_us > t->first_intended_us ? t->last_done_us : 0;
    return end_us ? (double)(end_us - t->first_intended_us) / 1e6 : 0;
}

static double per_second(const struct tally *t, uint64_t count)
{
    double seconds = elapsed_s(t);
    return seconds > 0 ? (double)count / seconds : 0;
}

static void put_milli(struct json *j, const char *key, double thousandths)
{
    json_key(j, key);
    json_milli(j, (uint64_t)thousandths);
}

static const struct {
    const char *word;
    double share;
} shares[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
#define SHARE_COUNT (sizeof shares / sizeof shares[0])

static void put_histogram(struct json *j, const char *key, const struct histogram *h)
{
    json_key(j, key);
    json_open(j, '{');
    json_put_uint(j, "count", h->count);
    put_milli(j, "mean", histogram_mean(h));
    for (size_t i = 0; i < SHARE_COUNT; i++)
        put_milli(j, shares[i].word, (double)histogram_at(h, shares[i].share));
    put_milli(j, "max", (double)h->max);
    json_close(j, '}');
}

static void put_pairs(struct json *j, const char *key, uint64_t (*pairs)[2], size_t count,
                      const char *const *names)
{
    json_key(j, key);
    json_open(j, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(j, '{');
        if (names)
            json_put_str(j, "target", names[i]);
        json_put_uint(j, "ok", pairs[i][0]);
        json_put_uint(j, "failed", pairs[i][1]);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_outcomes(struct json *j, const struct tally *t)
{
    json_key(j, "outcomes");
    json_open(j, '{');
    for (int i = 0; i < TALLY_OUTCOME_COUNT; i++)
        json_put_uint(j, tally_word((enum tally_outcome)i), t->outcomes[i]);
    json_close(j, '}');
}

static void put_seconds(struct json *j, const struct tally *t)
{
    json_key(j, "seconds"); /* [ok, failed] by intended start */
    json_open(j, '[');
    for (uint32_t i = 0; i < t->second_count; i++) {
        json_open(j, '[');
        json_uint(j, t->seconds[i][0]);
        json_uint(j, t->seconds[i][1]);
        json_close(j, ']');
    }
    json_close(j, ']');
}

static void put_rates(struct json *j, const struct report *r)
{
    const struct tally *t = r->tally;
    uint64_t ok = t->outcomes[TALLY_OK];
    put_milli(j, "elapsed_s", elapsed_s(t) * 1000);
    put_milli(j, "ok_per_s", per_second(t, ok) * 1000);
    put_milli(j, "tokens_per_s", per_second(t, t->tokens) * 1000);
    put_milli(j, "goodput_per_s", per_second(t, t->good) * 1000);
    put_milli(j, "good_share", t->count ? (double)t->good * 1000 / (double)t->count : 0);
    put_milli(j, "cpu_us_per_request",
              t->count ? (double)r->cpu_us * 1000 / (double)(t->count + t->warm_up_count) : 0);
}

enum err report_json(const struct report *r, struct buf *out)
{
    struct json j;
    struct tally *t = (struct tally *)r->tally;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_uint(&j, "seed", r->seed);
    put_milli(&j, "planned_per_s", r->planned_rate * 1000);
    json_put_uint(&j, "count", t->count);
    json_put_uint(&j, "warm_up", t->warm_up_count);
    json_put_uint(&j, "ok", t->outcomes[TALLY_OK]);
    json_put_uint(&j, "failed", t->failed);
    json_put_uint(&j, "failed_unbegun", t->failed_unbegun);
    put_outcomes(&j, t);
    put_rates(&j, r);
    json_put_uint(&j, "connections", r->connections);
    put_histogram(&j, "latency_ms", &t->latency);
    put_histogram(&j, "first_token_ms", &t->first);
    put_histogram(&j, "per_token_ms", &t->per_token);
    put_histogram(&j, "service_ms", &t->service);
    put_histogram(&j, "lag_ms", &t->lag);
    put_pairs(&j, "targets", t->targets, r->target_count, r->targets);
    put_pairs(&j, "tenants", t->tenants, r->tenant_count, NULL);
    put_seconds(&j, t);
    json_close(&j, '}');
    TRY(json_end(&j));
    return buf_append_byte(out, '\n');
}

static enum err text_histogram(struct buf *out, const char *name, const struct histogram *h)
{
    if (h->count == 0)
        return ERR_OK;
    TRY(buf_printf(out, "%-13s %9llu %9.3f", name, (unsigned long long)h->count,
                   histogram_mean(h) / 1e3));
    for (size_t i = 0; i < SHARE_COUNT; i++)
        TRY(buf_printf(out, " %9.3f", (double)histogram_at(h, shares[i].share) / 1e3));
    return buf_printf(out, " %9.3f\n", (double)h->max / 1e3);
}

enum err report_text(const struct report *r, struct buf *out)
{
    const struct tally *t = r->tally;
    TRY(buf_printf(out, "%llu requests in %.1f s (seed %llu, %llu before as warm-up)\n",
                   (unsigned long long)t->count, elapsed_s(t), (unsigned long long)r->seed,
                   (unsigned long long)t->warm_up_count));
    for (int i = 0; i < TALLY_OUTCOME_COUNT; i++)
        if (t->outcomes[i])
            TRY(buf_printf(out, "  %-13s %9llu  %6.2f %%\n", tally_word((enum tally_outcome)i),
                           (unsigned long long)t->outcomes[i],
                           100.0 * (double)t->outcomes[i] / (double)t->count));
    TRY(buf_printf(out,
                   "  %.1f ok/s, %.1f within the objective/s, %.1f tokens/s, %llu connections\n",
                   per_second(t, t->outcomes[TALLY_OK]), per_second(t, t->good),
                   per_second(t, t->tokens), (unsigned long long)r->connections));
    TRY(buf_append_str(out, "ms                count      mean       p50       p90       p99"
                            "      p999       max\n"));
    TRY(text_histogram(out, "latency", &t->latency));
    TRY(text_histogram(out, "first token", &t->first));
    TRY(text_histogram(out, "per token", &t->per_token));
    TRY(text_histogram(out, "service", &t->service));
    return text_histogram(out, "sent late by", &t->lag);
}

enum err report_result(const struct tally_result *r, const char *mark, const char *request_id,
                       const char *node, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_uint(&j, "number", r->number);
    json_put_str(&j, "outcome", tally_word(r->outcome));
    json_put_bool(&j, "begun", r->has_begun);
    json_put_uint(&j, "status", (uint64_t)r->status);
    json_put_uint(&j, "intended_us", r->intended_us);
    json_put_uint(&j, "sent_us", r->sent_us);
    json_put_uint(&j, "first_us", r->first_us);
    json_put_uint(&j, "done_us", r->done_us);
    json_put_uint(&j, "tokens", r->tokens);
    json_put_uint(&j, "target", r->target);
    json_put_uint(&j, "tenant", r->tenant);
    json_put_str(&j, "mark", mark);
    json_put_str(&j, "request_id", request_id);
    json_put_str(&j, "node", node);
    json_close(&j, '}');
    TRY(json_end(&j));
    return buf_append_byte(out, '\n');
}
