/* The table of facts, and how a field of a struct becomes a value that expressions read. Called by
 * documents (for the environment) and by decisions (for the values). */
#include "policy/facts.h"

#include <math.h>

/* X(field, encoding, name, unit, meaning), in the order of the groups. */
#define REQUEST_FACTS(X)                                                                           \
    X(path, TEXT, "request.path", "", "path of the HTTP request")                                  \
    X(model, TEXT, "request.model", "", "model that was asked for, aliases resolved")              \
    X(task, TEXT, "request.task", "", "what the model is for, as the registry says")               \
    X(tenant, TEXT, "request.tenant", "", "whose key the request carries")                         \
    X(region, TEXT, "request.region", "", "region of the node where it came in")                   \
    X(headers, PAIRS, "request.headers", "", "header fields by name in lower case")                \
    X(stream, BOOL, "request.stream", "", "the answer is wanted piece by piece")                   \
    X(input_tokens, COUNT, "request.input_tokens", "tokens", "length of the prompt, estimated")    \
    X(output_tokens, COUNT, "request.output_tokens", "tokens", "asked for at most")                \
    X(priority, INTEGER, "request.priority", "", "0 is ordinary, greater is more important")       \
    X(deadline_ms, MS, "request.deadline", "", "time that is left for the answer")                 \
    X(wall_ms, WALL, "now", "", "when the decision is made")

#define STATIC_FACTS(X)                                                                            \
    X(node, TEXT, "node.name", "", "the node's name")                                              \
    X(tier, TIER, "node.tier", "", "edge, regional or cloud")                                      \
    X(region, TEXT, "node.region", "", "region that it is in")                                     \
    X(zone, TEXT, "node.zone", "", "zone of the region")                                           \
    X(labels, PAIRS, "node.labels", "", "labels by name")                                          \
    X(spot, BOOL, "node.spot", "", "may be taken away at short notice")                            \
    X(local, BOOL, "node.local", "", "the node that decides")                                      \
    X(backend, TEXT, "backend.name", "", "name of the inference server")                           \
    X(kind, TEXT, "backend.kind", "", "what it is: openai, llamacpp ...")                          \
    X(model, TEXT, "model.name", "", "model that it serves")                                       \
    X(version, TEXT, "model.version", "", "version of the model")                                  \
    X(stage, TEXT, "model.stage", "", "how far the version is: canary, production ...")            \
    X(context, COUNT, "model.context", "tokens", "the longest context")                            \
    X(parameters, COUNT, "model.size", "parameters", "size of the model")                          \
    X(price_input, AMOUNT, "price.input", "USD/1,000 tokens", "price of the prompt")               \
    X(price_output, AMOUNT, "price.output", "USD/1,000 tokens", "price of the answer")             \
    X(price_request, AMOUNT, "price.request", "USD", "price of a request as such")                 \
    X(egress_price, AMOUNT, "link.egress_price", "USD/GiB", "price of the way back")

#define LIVE_FACTS(X)                                                                              \
    X(age_ms, MS, "node.age", "", "age of what the node last said of itself")                      \
    X(health, SHARE, "node.health", "0..1", "how well it does: latency, errors, model loaded")     \
    X(inflight, COUNT, "backend.inflight", "requests", "being worked on")                          \
    X(queued, COUNT, "backend.queued", "requests", "waiting")                                      \
    X(slots, COUNT, "backend.slots", "requests", "that it works on at once")                       \
    X(kv, SHARE, "backend.kv", "0..1", "part of its cache that is in use")                         \
    X(gpu_load, SHARE, "backend.gpu.load", "0..1", "load of its GPU")                              \
    X(gpu_memory, SHARE, "backend.gpu.memory", "0..1", "part of the GPU's memory that is in use")  \
    X(gpu_temperature, REAL, "backend.gpu.temperature", "degrees Celsius", "of its GPU")           \
    X(ttft_p50_us, US, "backend.ttft.p50", "", "to the first token, half are quicker")             \
    X(ttft_p99_us, US, "backend.ttft.p99", "", "to the first token, 99 % are quicker")             \
    X(latency_p50_us, US, "backend.latency.p50", "", "to the whole answer, half")                  \
    X(latency_p99_us, US, "backend.latency.p99", "", "to the whole answer, 99 %")                  \
    X(error_rate, SHARE, "backend.error_rate", "0..1", "part of its answers that failed lately")   \
    X(warm, TRUTH, "backend.warm", "", "the model is loaded")                                      \
    X(rtt_us, US, "link.rtt", "", "way to the node and back")                                      \
    X(loss, SHARE, "link.loss", "0..1", "part of the probes that were lost")

#define ALL_FACTS(REQUEST, STATIC, LIVE)                                                           \
    REQUEST_FACTS(REQUEST) STATIC_FACTS(STATIC) LIVE_FACTS(LIVE)

#define ROW(group, type, field, encoding, name, unit, meaning)                                     \
    {name, group, POLICY_##encoding, offsetof(struct type, field), unit, meaning},
#define REQUEST_ROW(...) ROW(POLICY_REQUEST, policy_request, __VA_ARGS__)
#define STATIC_ROW(...) ROW(POLICY_STATIC, policy_static, __VA_ARGS__)
#define LIVE_ROW(...) ROW(POLICY_LIVE, policy_live, __VA_ARGS__)
const struct policy_fact policy_facts[] = {ALL_FACTS(REQUEST_ROW, STATIC_ROW, LIVE_ROW)};

#define FACTS (sizeof policy_facts / sizeof policy_facts[0])
const size_t policy_fact_count = FACTS;
_Static_assert(FACTS <= 64, "policy_wanted has 64 bits");

#define REQUEST_SLOT(field, encoding, ...) REQUEST_##field,
#define STATIC_SLOT(field, encoding, ...) STATIC_##field,
#define LIVE_SLOT(field, encoding, ...) LIVE_##field,
enum { REQUEST_FACTS(REQUEST_SLOT) REQUEST_SLOTS };
enum { STATIC_FACTS(STATIC_SLOT) STATIC_SLOTS };
enum { LIVE_FACTS(LIVE_SLOT) LIVE_SLOTS };
_Static_assert(REQUEST_SLOTS <= POLICY_SLOTS_MAX && STATIC_SLOTS <= POLICY_SLOTS_MAX &&
                   LIVE_SLOTS <= POLICY_SLOTS_MAX,
               "a group has more facts than slots");

static const struct cel_type types[] = {
    [POLICY_TEXT] = {.kind = CEL_T_STRING},
    [POLICY_PAIRS] = {.kind = CEL_T_MAP,
                      .params = {&types[POLICY_TEXT], &types[POLICY_TEXT]},
                      .param_count = 2},
    [POLICY_BOOL] = {.kind = CEL_T_BOOL},
    [POLICY_INTEGER] = {.kind = CEL_T_INT},
    [POLICY_COUNT] = {.kind = CEL_T_INT},
    [POLICY_REAL] = {.kind = CEL_T_DOUBLE},
    [POLICY_SHARE] = {.kind = CEL_T_DOUBLE},
    [POLICY_AMOUNT] = {.kind = CEL_T_DOUBLE},
    [POLICY_TRUTH] = {.kind = CEL_T_BOOL},
    [POLICY_MS] = {.kind = CEL_T_DURATION},
    [POLICY_US] = {.kind = CEL_T_DURATION},
    [POLICY_WALL] = {.kind = CEL_T_TIMESTAMP},
    [POLICY_TIER] = {.kind = CEL_T_STRING},
};

#define REQUEST_CEL(field, encoding, name, unit, meaning)                                          \
    {name, &types[POLICY_##encoding], POLICY_REQUEST, REQUEST_##field},
#define STATIC_CEL(field, encoding, name, unit, meaning)                                           \
    {name, &types[POLICY_##encoding], POLICY_STATIC, STATIC_##field},
#define LIVE_CEL(field, encoding, name, unit, meaning)                                             \
    {name, &types[POLICY_##encoding], POLICY_LIVE, LIVE_##field},
static const struct cel_fact cel_facts[] = {ALL_FACTS(REQUEST_CEL, STATIC_CEL, LIVE_CEL)};
static const struct cel_env env = {.facts = cel_facts, .fact_count = FACTS};

const struct cel_env *policy_env(void)
{
    return &env;
}

const char *policy_group_name(enum policy_group group)
{
    static const char *const names[] = {"request", "static", "live"};
    CHECK(group < POLICY_GROUPS);
    return names[group];
}

static const char *const tiers[] = {"", "edge", "regional", "cloud"};
#define TIERS (sizeof tiers / sizeof tiers[0])

const char *policy_tier_name(enum policy_tier tier)
{
    return tier < TIERS ? tiers[tier] : "";
}

enum policy_tier policy_tier_of(struct bytes name)
{
    for (size_t i = 1; i < TIERS; i++)
        if (bytes_equal(name, bytes_from_str(tiers[i])))
            return (enum policy_tier)i;
    return POLICY_TIER_UNKNOWN;
}

#define NS_PER_MS 1000000
#define WALL_MS_MIN (-62135596800000) /* year 1, as CEL has it */
#define WALL_MS_MAX 253402300799999   /* the end of year 9999 */

static struct cel_value of_text(struct bytes text)
{
    return text.size ? policy_cel_string(text) : (struct cel_value){.kind = CEL_ABSENT};
}

static struct cel_value of_integer(enum policy_encoding encoding, int64_t n)
{
    switch (encoding) {
    case POLICY_INTEGER: return (struct cel_value){.kind = CEL_INT, .integer = n};
    case POLICY_TRUTH:
        if (n != 0 && n != 1)
            break;
        return (struct cel_value){.kind = CEL_BOOL, .boolean = n == 1};
    case POLICY_MS:
        if (n < 0 || n > INT64_MAX / NS_PER_MS)
            break;
        return (struct cel_value){.kind = CEL_DURATION, .integer = n * NS_PER_MS};
    case POLICY_WALL: {
        if (n < WALL_MS_MIN || n > WALL_MS_MAX)
            break;
        int64_t ms = (n % 1000 + 1000) % 1000;
        return (struct cel_value){
            .kind = CEL_TIMESTAMP, .integer = (n - ms) / 1000, .size = (uint32_t)(ms * NS_PER_MS)};
    }
    default:
        if (n < 0)
            break;
        return (struct cel_value){.kind = CEL_INT, .integer = n};
    }
    return (struct cel_value){.kind = CEL_ABSENT};
}

static struct cel_value of_real(enum policy_encoding encoding, double d)
{
    bool fits = isfinite(d) && (encoding == POLICY_REAL || d >= 0) &&
                (encoding != POLICY_SHARE || d <= 1) &&
                (encoding != POLICY_US || d < (double)INT64_MAX / 1000);
    if (!fits)
        return (struct cel_value){.kind = CEL_ABSENT};
    if (encoding == POLICY_US)
        return (struct cel_value){.kind = CEL_DURATION, .integer = (int64_t)(d * 1000)};
    return (struct cel_value){.kind = CEL_DOUBLE, .real = d};
}

static struct cel_value of_pairs(const struct policy_pair *pairs, size_t count,
                                 struct policy_values *v)
{
    if (count > POLICY_PAIRS_MAX)
        return (struct cel_value){.kind = CEL_ABSENT};
    for (size_t i = 0; i < count; i++) {
        v->pairs[2 * i] = policy_cel_string(pairs[i].name);
        v->pairs[2 * i + 1] = policy_cel_string(pairs[i].value);
    }
    return (struct cel_value){.kind = CEL_MAP, .size = (uint32_t)count, .items = v->pairs};
}

static struct cel_value of_field(const struct policy_fact *f, const void *from,
                                 struct policy_values *v)
{
    const void *at = (const uint8_t *)from + f->offset;
    switch (f->encoding) {
    case POLICY_TEXT: return of_text(*(const struct bytes *)at);
    case POLICY_TIER:
        return of_text(bytes_from_str(policy_tier_name(*(const enum policy_tier *)at)));
    case POLICY_BOOL: return (struct cel_value){.kind = CEL_BOOL, .boolean = *(const bool *)at};
    case POLICY_PAIRS:
        return f->group == POLICY_REQUEST
                   ? of_pairs(((const struct policy_request *)from)->headers,
                              ((const struct policy_request *)from)->header_count, v)
                   : of_pairs(((const struct policy_static *)from)->labels,
                              ((const struct policy_static *)from)->label_count, v);
    case POLICY_REAL:
    case POLICY_SHARE:
    case POLICY_AMOUNT:
    case POLICY_US: return of_real(f->encoding, *(const double *)at);
    default: return of_integer(f->encoding, *(const int64_t *)at);
    }
}

#define BITS(from, count) ((((uint64_t)1 << (count)) - 1) << (from))
static const uint64_t group_bits[POLICY_GROUPS] = {
    [POLICY_REQUEST] = BITS(0, REQUEST_SLOTS),
    [POLICY_STATIC] = BITS(REQUEST_SLOTS, STATIC_SLOTS),
    [POLICY_LIVE] = BITS(REQUEST_SLOTS + STATIC_SLOTS, LIVE_SLOTS),
};

void policy_facts_fill(enum policy_group group, const void *from, struct policy_wanted wanted,
                       struct policy_values *ret_values)
{
    for (uint64_t left = wanted.bits & group_bits[group]; left; left &= left - 1) {
        size_t i = (size_t)__builtin_ctzll(left);
        ret_values->slots[cel_facts[i].slot] = of_field(&policy_facts[i], from, ret_values);
    }
}
