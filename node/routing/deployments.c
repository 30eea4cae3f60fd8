/* See deployments.h. Rows are made by candidates.c, used by live.c and by attempts. */
#include "node/routing/deployments.h"

#include "base/crypto.h"

#include <math.h>
#include <stdlib.h>

#define KEY_MAX (ID_SIZE + 512)
#define QUANTILES_MS 1000
#define SWEEP_MS (60 * 1000)
#define TOKENS_MIN 8 /* of an answer: fewer say little about the time between two */

void deployments_init(struct deployments *d, const uint8_t seed[16])
{
    map_init(&d->by_key, seed, DEPLOYMENTS_MAX);
    map_init(&d->by_hash, seed, DEPLOYMENTS_MAX);
    list_init(&d->own);
    list_init(&d->shut);
    d->swept_ms = 0;
}

static struct bytes hash_key(const struct deployment *row)
{
    return bytes_of(&row->hash, sizeof row->hash);
}

static void release(struct deployment *row)
{
    free(row->first_byte);
    free(row->whole);
    free(row->token);
    free(row);
}

static void forget(struct deployments *d, struct deployment *row)
{
    map_remove(&d->by_key, row->key);
    if (map_get(&d->by_hash, hash_key(row)) == row)
        map_remove(&d->by_hash, hash_key(row));
    list_remove(&row->shut);
    list_remove(&row->own);
    release(row);
}

void deployments_fini(struct deployments *d)
{
    size_t cursor = 0;
    struct deployment *row;
    while ((row = map_next(&d->by_key, &cursor)))
        release(row);
    map_fini(&d->by_key);
    map_fini(&d->by_hash);
}

static struct deployment *create(struct deployments *d, struct bytes key, size_t backend_size,
                                 struct policy_prior prior)
{
    static const uint8_t same_everywhere[16] = {0};
    struct deployment *row = malloc(sizeof *row + key.size);
    if (!row)
        return NULL;
    *row = (struct deployment){.p50_us = NAN, .p99_us = NAN};
    memcpy(row + 1, key.data, key.size);
    row->key = bytes_of(row + 1, key.size);
    row->backend = bytes_of(row->key.data + key.size - backend_size, backend_size);
    row->hash = crypto_siphash(same_everywhere, key);
    row->owner = d;
    list_init(&row->own);
    list_init(&row->shut);
    policy_breaker_init(&row->breaker, &policy_breaker_defaults);
    policy_estimate_init(&row->estimate, prior);
    return row;
}

struct deployment *deployments_get(struct deployments *d, const struct id *node, struct bytes model,
                                   struct bytes version, struct bytes backend,
                                   struct policy_prior prior, uint64_t now_ms)
{
    uint8_t space[KEY_MAX];
    struct buf key;
    buf_init_fixed(&key, space, sizeof space);
    if (buf_append(&key, bytes_of(node->bytes, ID_SIZE)) != ERR_OK ||
        buf_append(&key, model) != ERR_OK || buf_append_byte(&key, 0) != ERR_OK ||
        buf_append(&key, version) != ERR_OK || buf_append_byte(&key, 0) != ERR_OK ||
        buf_append(&key, backend) != ERR_OK)
        return NULL;
    struct deployment *row = map_get(&d->by_key, buf_bytes(&key));
    if (!row) {
        row = create(d, buf_bytes(&key), backend.size, prior);
        if (row && map_put(&d->by_key, row->key, row) != ERR_OK) {
            free(row);
            return NULL;
        }
        if (row && backend.size > 0)
            list_push_back(&d->own, &row->own);
        /* Without room there, or beside another of that hash, nobody's evidence about it counts. */
        if (row && !map_get(&d->by_hash, hash_key(row)) &&
            map_put(&d->by_hash, hash_key(row), row) != ERR_OK)
            return row;
    }
    if (row)
        row->used_ms = now_ms;
    return row;
}

void deployments_sweep(struct deployments *d, uint64_t now_ms)
{
    if (now_ms - d->swept_ms < SWEEP_MS)
        return;
    d->swept_ms = now_ms;
    struct deployment *row, *unused = NULL;
    size_t cursor = 0;
    while ((row = map_next(&d->by_key, &cursor))) {
        if (row->running > 0 || now_ms - row->used_ms < DEPLOYMENTS_FORGET_MS)
            continue;
        row->next_unused = unused;
        unused = row;
    }
    while ((row = unused)) {
        unused = row->next_unused;
        forget(d, row);
    }
}

void deployments_begin(struct deployment *d, struct policy_load load, uint64_t now_ms,
                       struct deployment_use *ret_use)
{
    *ret_use = (struct deployment_use){.deployment = d, .load = load};
    if (!d)
        return;
    d->running++;
    d->used_ms = now_ms;
    ret_use->call = policy_breaker_begin(&d->breaker, now_ms);
}

static void add(struct policy_sketch **sketch, uint64_t us, uint64_t now_ms)
{
    if (!*sketch) {
        *sketch = malloc(sizeof **sketch);
        if (!*sketch)
            return;
        policy_sketch_init(*sketch);
    }
    policy_sketch_add(*sketch, us, now_ms);
}

static void measure(struct deployment *d, const struct deployment_end *end, uint64_t now_ms)
{
    add(&d->first_byte, end->first_byte_us, now_ms);
    if (d->backend.size == 0)
        return;
    add(&d->whole, end->first_byte_us + end->decode_us, now_ms);
    if (end->is_stream && end->output_tokens >= TOKENS_MIN && end->decode_us > 0)
        add(&d->token, end->decode_us / end->output_tokens, now_ms);
}

static bool is_shut(const struct deployment *d)
{
    return d->breaker.state == POLICY_OPEN && d->breaker.trip != POLICY_TRIP_WITNESSES;
}

static bool accuse(struct deployment *d)
{
    if (!is_shut(d))
        return false;
    list_remove(&d->shut);
    list_push_front(&d->owner->shut, &d->shut);
    return true;
}

size_t deployments_accused(struct deployments *d, uint64_t *ret_hashes, size_t max)
{
    size_t count = 0;
    LIST_EACH_SAFE(it, tmp, &d->shut)
    {
        struct deployment *row = LIST_ENTRY(it, struct deployment, shut);
        if (!is_shut(row))
            list_remove(&row->shut);
        else if (count < max)
            ret_hashes[count++] = row->hash;
    }
    return count;
}

void deployments_report(struct deployments *d, uint64_t hash, const struct id *witness,
                        uint64_t made_ms, uint64_t now_ms, struct rng *rng)
{
    struct deployment *row = map_get(&d->by_hash, bytes_of(&hash, sizeof hash));
    if (row)
        policy_breaker_report(&row->breaker, witness, made_ms, now_ms, rng);
}

bool deployments_end(struct deployment_use *use, const struct deployment_end *end, uint64_t now_ms,
                     struct rng *rng)
{
    struct deployment *d = use->deployment;
    use->deployment = NULL;
    if (!d)
        return false;
    d->running--;
    bool was_shut = d->breaker.state == POLICY_OPEN;
    policy_breaker_end(&d->breaker, use->call, end->outcome, end->first_byte_us / 1000,
                       end->retry_after_ms, now_ms, rng);
    bool is_news = !was_shut && accuse(d);
    if (end->outcome != POLICY_CALL_SUCCESS && end->outcome != POLICY_CALL_FAILURE &&
        !end->is_beaten)
        return is_news;
    struct policy_observation seen = {.load = use->load,
                                      .prompt_tokens_uncached = end->input_tokens,
                                      .output_tokens = end->output_tokens,
                                      .first_byte_us = end->first_byte_us,
                                      .decode_us = end->decode_us,
                                      .is_failed = end->outcome != POLICY_CALL_SUCCESS};
    policy_estimate_observe(&d->estimate, &seen, now_ms);
    if (end->outcome == POLICY_CALL_SUCCESS)
        measure(d, end, now_ms);
    return is_news;
}

static void quantiles(const struct policy_sketch *s, uint64_t now_ms, double *ret_p50_us,
                      double *ret_p99_us)
{
    uint64_t p50_us, p99_us;
    bool is_known = policy_sketch_quantile(s, 0.5, now_ms, &p50_us) &&
                    policy_sketch_quantile(s, 0.99, now_ms, &p99_us);
    *ret_p50_us = is_known ? (double)p50_us : NAN;
    *ret_p99_us = is_known ? (double)p99_us : NAN;
}

void deployments_quantiles(struct deployment *d, uint64_t now_ms)
{
    if (!d->first_byte || (d->quantiles_ms > 0 && now_ms - d->quantiles_ms < QUANTILES_MS))
        return;
    d->quantiles_ms = now_ms;
    quantiles(d->first_byte, now_ms, &d->p50_us, &d->p99_us);
}

static double error_rate_of(const struct deployments *d, struct bytes backend, uint64_t now_ms)
{
    uint64_t calls = 0, errors = 0;
    LIST_EACH(it, &d->own)
    {
        const struct deployment *row = LIST_ENTRY(it, struct deployment, own);
        if (!bytes_equal(row->backend, backend))
            continue;
        struct policy_breaker_rates rates = policy_breaker_rates(&row->breaker, now_ms);
        calls += rates.calls;
        errors += rates.errors;
    }
    return calls > 0 ? (double)errors / (double)calls : NAN;
}

struct deployments_served deployments_served(const struct deployments *d, struct bytes backend,
                                             uint64_t now_ms)
{
    struct deployments_served served = {.error_rate = error_rate_of(d, backend, now_ms)};
    struct policy_sketch first_byte, whole, token;
    double token_us, slow_token_us;
    policy_sketch_init(&first_byte);
    policy_sketch_init(&whole);
    policy_sketch_init(&token);
    LIST_EACH(it, &d->own)
    {
        const struct deployment *row = LIST_ENTRY(it, struct deployment, own);
        if (!bytes_equal(row->backend, backend))
            continue;
        if (row->first_byte)
            policy_sketch_merge(&first_byte, row->first_byte);
        if (row->whole)
            policy_sketch_merge(&whole, row->whole);
        if (row->token)
            policy_sketch_merge(&token, row->token);
    }
    quantiles(&first_byte, now_ms, &served.ttft_p50_us, &served.ttft_p99_us);
    quantiles(&whole, now_ms, &served.latency_p50_us, &served.latency_p99_us);
    quantiles(&token, now_ms, &token_us, &slow_token_us);
    served.tokens_per_s = 1000000 / token_us;
    return served;
}

enum policy_outcome deployments_outcome(enum err e)
{
    switch (e) {
    case ERR_OK: return POLICY_CALL_SUCCESS;
    case ERR_CANCELLED:
    case ERR_CLIENT_GONE: return POLICY_CALL_CANCELLED;
    case ERR_BACKEND_BUSY:
    case ERR_OVERLOADED:
    case ERR_QUOTA: return POLICY_CALL_BUSY;
    case ERR_NO_MEMORY:
    case ERR_FD_LIMIT:
    case ERR_LIMIT: return POLICY_CALL_OWN_ERROR;
    case ERR_REFUSED:
    case ERR_RESET:
    case ERR_EOF:
    case ERR_TIMEOUT:
    case ERR_UNREACHABLE:
    case ERR_PROTOCOL:
    case ERR_IO:
    case ERR_LINK_LOST:
    case ERR_CLOCK_SKEW:
    case ERR_DEADLINE:
    case ERR_BACKEND_FAILED: return POLICY_CALL_FAILURE;
    default: return POLICY_CALL_SUCCESS; /* an answer, if not the one that was hoped for */
    }
}
