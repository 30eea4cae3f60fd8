/* See deployments.h. Rows are made by candidates.c, used by live.c and by attempts. */
#include "node/routing/deployments.h"

#include "base/crypto.h"

#include <math.h>
#include <stdlib.h>

#define KEY_MAX (ID_SIZE + 512)
#define QUANTILES_MS 1000
#define SWEEP_MS (60 * 1000)
#define TOKENS_MIN 8 /* of an answer: fewer say little about the time between two */
#define LEARNED_MS 20
#define TYPICAL_WEIGHT 0.1 /* of the newest */
#define LENGTH_WEIGHT 0.02 /* short answers come first, so few tell nothing */

void deployments_init(struct deployments *d, const uint8_t seed[16])
{
    map_init(&d->by_key, seed, DEPLOYMENTS_MAX);
    map_init(&d->by_hash, seed, DEPLOYMENTS_MAX);
    list_init(&d->own);
    map_init(&d->models, seed, DEPLOYMENTS_MAX);
    list_init(&d->shut);
    d->swept_ms = 0;
}

static struct bytes hash_key(const struct deployment *row)
{
    return bytes_of(&row->hash, sizeof row->hash);
}

static void release(struct deployments *d, struct deployment *row)
{
    if (--row->model->rows == 0) {
        map_remove(&d->models, row->model->name);
        free(row->model);
    }
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
    release(d, row);
}

void deployments_fini(struct deployments *d)
{
    size_t cursor = 0;
    struct deployment *row;
    while ((row = map_next(&d->by_key, &cursor)))
        release(d, row);
    map_fini(&d->by_key);
    map_fini(&d->by_hash);
    map_fini(&d->models);
}

/* NULL: no memory, no room. */
static struct deployment_model *model_of(struct deployments *d, struct bytes name)
{
    struct deployment_model *m = map_get(&d->models, name);
    if (m)
        return m;
    m = malloc(sizeof *m + name.size);
    if (!m)
        return NULL;
    *m = (struct deployment_model){.output_tokens = POLICY_OUTPUT_UNKNOWN};
    memcpy(m + 1, name.data, name.size);
    m->name = bytes_of(m + 1, name.size);
    if (map_put(&d->models, m->name, m) != ERR_OK) {
        free(m);
        return NULL;
    }
    return m;
}

static struct deployment *create(struct deployments *d, struct bytes key, struct bytes model,
                                 size_t backend_size, struct policy_prior prior)
{
    static const uint8_t same_everywhere[16] = {0};
    struct deployment *row = malloc(sizeof *row + key.size);
    if (!row)
        return NULL;
    struct deployment_model *m = model_of(d, model);
    if (!m) {
        free(row);
        return NULL;
    }
    *row = (struct deployment){.p50_us = NAN, .p99_us = NAN, .turn = NAN};
    memcpy(row + 1, key.data, key.size);
    row->key = bytes_of(row + 1, key.size);
    row->backend = bytes_of(row->key.data + key.size - backend_size, backend_size);
    row->hash = crypto_siphash(same_everywhere, key);
    row->owner = d;
    list_init(&row->own);
    row->model = m;
    m->rows++;
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
        row = create(d, buf_bytes(&key), model, backend.size, prior);
        if (row && map_put(&d->by_key, row->key, row) != ERR_OK) {
            release(d, row);
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
    d->began_ms += now_ms;
    ret_use->began_ms = now_ms;
    d->used_ms = now_ms;
    ret_use->call = policy_breaker_begin(&d->breaker, now_ms);
}

void deployments_took(struct deployment *d, double share)
{
    struct deployment_model *m = d->model;
    m->turn = d->turn = isnan(d->turn) ? m->turn : fmax(d->turn + 1 / share, m->turn);
}

static void average(double *typical, double value, double weight)
{
    *typical += *typical > 0 ? weight * (value - *typical) : value;
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

/* The larger of what was known when it began and what is known now: what was not known then is not
 * for the engine to answer for. */
static struct policy_load load_of(const struct deployment_use *use)
{
    const struct policy_load *then = &use->load, *now = &use->deployment->load;
    bool is_more = (uint64_t)now->inflight + now->queued > (uint64_t)then->inflight + then->queued;
    return is_more ? *now : *then;
}

bool deployments_end(struct deployment_use *use, const struct deployment_end *end, uint64_t now_ms,
                     struct rng *rng)
{
    struct deployment *d = use->deployment;
    if (!d)
        return false;
    struct policy_load load = load_of(use);
    use->deployment = NULL;
    d->running--;
    d->began_ms -= use->began_ms;
    bool was_shut = d->breaker.state == POLICY_OPEN;
    policy_breaker_end(&d->breaker, use->call, end->outcome, end->first_byte_us / 1000,
                       end->retry_after_ms, now_ms, rng);
    bool is_news = !was_shut && accuse(d);
    if (end->outcome != POLICY_CALL_SUCCESS && end->outcome != POLICY_CALL_FAILURE &&
        !end->is_beaten)
        return is_news;
    struct policy_observation seen = {.load = load,
                                      .prompt_tokens_uncached = end->input_tokens,
                                      .output_tokens = end->output_tokens,
                                      .first_byte_us = end->first_byte_us,
                                      .decode_us = end->decode_us,
                                      .is_failed = end->outcome != POLICY_CALL_SUCCESS};
    policy_estimate_observe(&d->estimate, &seen, now_ms);
    if (end->outcome == POLICY_CALL_SUCCESS) {
        measure(d, end, now_ms);
        if (end->output_tokens > 0)
            average(&d->model->output_tokens, end->output_tokens, LENGTH_WEIGHT);
    }
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

static void renew_quantiles(struct deployment *d, uint64_t now_ms)
{
    if (!d->first_byte || (d->quantiles_ms > 0 && now_ms - d->quantiles_ms < QUANTILES_MS))
        return;
    d->quantiles_ms = now_ms;
    quantiles(d->first_byte, now_ms, &d->p50_us, &d->p99_us);
}

struct deployments_served deployments_served(const struct deployments *d, struct bytes backend,
                                             uint64_t now_ms)
{
    struct deployments_served served = {.error_rate = NAN};
    struct policy_sketch first_byte, whole, token;
    double token_us, slow_token_us;
    uint64_t calls = 0, errors = 0;
    policy_sketch_init(&first_byte);
    policy_sketch_init(&whole);
    policy_sketch_init(&token);
    LIST_EACH(it, &d->own)
    {
        const struct deployment *row = LIST_ENTRY(it, struct deployment, own);
        if (!bytes_equal(row->backend, backend))
            continue;
        struct policy_breaker_rates rates = policy_breaker_rates(&row->breaker, now_ms);
        calls += rates.calls;
        errors += rates.errors;
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
    if (calls > 0)
        served.error_rate = (double)errors / (double)calls;
    return served;
}

/* --- what the scorer reads */

/* What was measured as far as it is, the rest as it was assumed, corrected by how the others of
 * this model do: who was never asked is taken for one of them, neither shunned nor run to. */
static double blend(double measured, double assumed, double trust, double *typical)
{
    const double known = 0.5;
    if (trust >= known && assumed > 0)
        average(typical, measured / assumed, TYPICAL_WEIGHT);
    return trust * measured + (1 - trust) * assumed * (*typical > 0 ? *typical : 1);
}

static void learn_times(struct deployment *d, uint64_t now_ms)
{
    static const struct policy_load idle = {0, 0, 1};
    const uint32_t many = 1000;
    const struct policy_estimate *e = &d->estimate;
    double trust = policy_estimate_confidence(e, now_ms);
    double first_us = (double)policy_estimate_first_byte_us(e, 0, idle, now_ms);
    double read_us = (double)policy_estimate_first_byte_us(e, many, idle, now_ms);
    double whole_us = (double)policy_estimate_answer_us(e, 0, many, idle, now_ms);
    d->learned.first_us = blend(first_us, e->prior.base_us, trust, &d->model->first);
    d->learned.prefill_us =
        blend((read_us - first_us) / many, e->prior.prefill_us, trust, &d->model->prefill);
    d->learned.decode_us =
        blend((whole_us - first_us) / many, e->prior.decode_us, trust, &d->model->decode);
}

/* These take longer than a decision should, and change with every answer but never by much: they
 * are good for a moment, unless the breaker moved. */
static void learn(struct deployment *d, uint64_t now_ms)
{
    bool is_fresh = d->learned.at_ms != 0 && now_ms - d->learned.at_ms < LEARNED_MS &&
                    d->learned.moves == d->breaker.moves;
    if (is_fresh)
        return;
    renew_quantiles(d, now_ms);
    learn_times(d, now_ms);
    struct policy_breaker_rates rates = policy_breaker_rates(&d->breaker, now_ms);
    struct policy_health_facts facts = {
        .calls = rates.calls, .errors = rates.errors, .model = POLICY_WARM};
    d->learned.error_rate = rates.calls > 0 ? (double)rates.errors / (double)rates.calls : NAN;
    d->learned.health = policy_health_score(&facts, NULL);
    d->learned.weight = policy_breaker_weight(&d->breaker, now_ms);
    d->learned.moves = d->breaker.moves;
    d->learned.at_ms = now_ms;
}

static uint32_t whole(int64_t value)
{
    return value < 0 ? 0 : value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/* How many of the load that it told are ours. */
static void note_report(struct deployment *d, uint64_t now_ms, struct policy_live *live)
{
    uint64_t reported_ms = live->age_ms >= 0 ? now_ms - (uint64_t)live->age_ms : 0;
    if (reported_ms != d->reported_ms) {
        d->own_reported = live->own_inflight;
        d->load =
            (struct policy_load){whole(live->inflight), whole(live->queued), whole(live->slots)};
    }
    d->reported_ms = reported_ms;
    live->own_reported = d->own_reported;
}

void deployments_fill(struct deployment *d, uint64_t now_ms, struct policy_live *live)
{
    learn(d, now_ms);
    note_report(d, now_ms, live);
    live->first_us = d->learned.first_us;
    live->prefill_us = d->learned.prefill_us;
    live->decode_us = d->learned.decode_us;
    live->health = d->learned.health;
    live->weight = d->learned.weight;
    live->turn = d->turn - d->model->turn;
    live->output_tokens = d->model->output_tokens;
    live->running = d->running;
    if (d->running > 0)
        live->elapsed_us = 1e3 * ((double)now_ms - (double)d->began_ms / d->running);
    if (!isnan(d->p50_us)) { /* own evidence goes before what it says itself */
        live->ttft_p50_us = d->p50_us;
        live->ttft_p99_us = d->p99_us;
    }
    if (!isnan(d->learned.error_rate))
        live->error_rate = d->learned.error_rate;
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
