/* A decision as JSON, the form that `policy replay` reads: facts under their names in policies. */
#include "node/admin/json.h"
#include "node/telemetry/decisions.h"

#include <math.h>
#include <stdio.h>

static void put_real(struct json *j, double value)
{
    char text[40];
    if (!isfinite(value)) {
        json_null(j);
        return;
    }
    snprintf(text, sizeof text, "%.6g", value);
    json_number(j, text);
}

static void put_real_as(struct json *j, const char *key, double value)
{
    json_key(j, key);
    put_real(j, value);
}

/* In the largest unit that says it in whole numbers. */
static void put_duration(struct json *j, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    char text[40];
    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    snprintf(text, sizeof text, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
    json_text(j, bytes_from_str(text));
}

/* Durations as policies write them; tiers and texts as texts; what is not known is left out. */
static void put_fact(struct json *j, const struct policy_fact *fact, struct cel_value v)
{
    char text[40];
    if (v.kind == CEL_ABSENT || v.kind == CEL_MAP || v.kind == CEL_TIMESTAMP)
        return; /* at_ms says when */
    json_key(j, fact->name);
    switch (v.kind) {
    case CEL_BOOL: json_bool(j, v.boolean); break;
    case CEL_INT:
        snprintf(text, sizeof text, "%lld", (long long)v.integer);
        json_number(j, text);
        break;
    case CEL_DOUBLE: put_real(j, v.real); break;
    case CEL_DURATION: put_duration(j, v.integer); break;
    case CEL_STRING: json_text(j, policy_cel_bytes(v)); break;
    default: json_null(j);
    }
}

static void put_group(struct json *j, enum policy_group group, const void *from)
{
    const struct policy_wanted all = {UINT64_MAX};
    struct policy_values values;
    const struct cel_env *env = policy_env();
    policy_facts_fill(group, from, all, &values);
    for (size_t i = 0; i < policy_fact_count; i++)
        if (policy_facts[i].group == group)
            put_fact(j, &policy_facts[i], values.slots[env->facts[i].slot]);
}

/* What only the scorer knows. */
static void put_learned(struct json *j, const struct policy_live *live)
{
    json_key(j, "learned");
    json_open(j, '{');
    put_real_as(j, "first_us", live->first_us);
    put_real_as(j, "prefill_us", live->prefill_us);
    put_real_as(j, "decode_us", live->decode_us);
    put_real_as(j, "own_inflight", (double)live->own_inflight);
    put_real_as(j, "own_reported", (double)live->own_reported);
    put_real_as(j, "running", (double)live->running);
    put_real_as(j, "elapsed_us", live->elapsed_us);
    put_real_as(j, "output_tokens", live->output_tokens);
    put_real_as(j, "cached_tokens", live->cached_tokens);
    put_real_as(j, "turn", live->turn);
    put_real_as(j, "reclaim_per_hour", live->reclaim_per_hour);
    put_real_as(j, "weight", live->weight);
    json_close(j, '}');
}

static void put_look(struct json *j, const struct decision_kept *d, size_t index)
{
    const struct policy_look *look = &d->looks[index];
    json_open(j, '{');
    json_put_str(j, "verdict", policy_verdict_name(look->verdict));
    json_put_text_or_null(j, "step", d->steps[index]);
    put_real_as(j, "score", look->score);
    put_real_as(j, "answer_ms", look->answer_us / 1000);
    put_real_as(j, "cost_usd", look->cost_usd);
    put_real_as(j, "failure", look->failure);
    put_learned(j, &look->candidate->live);
    json_key(j, "facts");
    json_open(j, '{');
    put_group(j, POLICY_STATIC, &look->candidate->facts);
    put_group(j, POLICY_LIVE, &look->candidate->live);
    json_close(j, '}');
    json_close(j, '}');
}

enum err decisions_json_put(const struct decision_kept *d, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_text(&j, "id", d->request_id);
    json_put_uint(&j, "attempt", d->attempt);
    json_put_uint(&j, "hop", d->hop);
    json_put_uint(&j, "at_ms", (uint64_t)d->request.wall_ms);
    json_put_uint(&j, "epoch", d->epoch);
    json_put_text(&j, "policy", d->rule);
    json_put_uint(&j, "policy_version", d->rule_version);
    json_put_text(&j, "model", d->model);
    json_put_text(&j, "reason", d->reason);
    json_put_bool(&j, "all_seen", !d->cut);
    json_key(&j, "request");
    json_open(&j, '{');
    put_group(&j, POLICY_REQUEST, &d->request);
    json_close(&j, '}');
    json_key(&j, "candidates");
    json_open(&j, '[');
    for (size_t i = 0; i < d->count; i++)
        put_look(&j, d, i);
    json_close(&j, ']');
    json_close(&j, '}');
    return json_end(&j);
}
