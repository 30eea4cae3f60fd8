/* The node's own choice: policy_decide over candidates whose live facts are what the members told
 * and what this router experienced (node/routing/deployments.c). Each router learns by itself. */
#include "tests/bench/routing_quality/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_TOKENS (POLICY_PREFIX_BLOCK / sizeof(uint32_t))

struct router {
    struct deployments deployments;
    struct policy_prefixes *prefixes;
    struct deployment *rows[WORLD_MEMBERS_MAX];
    uint32_t own[WORLD_MEMBERS_MAX];
    struct policy_candidate items[WORLD_MEMBERS_MAX];
    struct policy_candidates candidates;
};

struct ours {
    struct world *w;
    struct rng rng;
    struct cel_vm *vm;
    struct policy_set *set; /* NULL: what is in force without documents */
    struct router *routers;
    const struct request *asking;
    struct policy_prefix prefix; /* of what is asked */
};

static void fail(const char *what)
{
    fprintf(stderr, "routing_quality: %s\n", what);
    exit(1);
}

static uint64_t now_ms(const struct ours *s)
{
    return 1000 + s->w->now_us / 1000;
}

static void init_router(struct ours *s, struct router *r)
{
    static const uint8_t seed[16] = {1};
    deployments_init(&r->deployments, seed);
    r->prefixes = policy_prefixes_create();
    if (!r->prefixes)
        fail("no memory");
    r->candidates = (struct policy_candidates){.items = r->items, .count = s->w->count};
    for (size_t i = 0; i < s->w->count; i++) {
        const struct member_cfg *m = s->w->members[i].cfg;
        const struct id node = {{(uint8_t)(i + 1)}};
        r->rows[i] = deployments_get(&r->deployments, &node, BYTES("m"), BYTES(""), BYTES(""),
                                     policy_prior_of(m->hardware, m->tier), now_ms(s));
        if (!r->rows[i])
            fail("no memory");
        r->items[i] = (struct policy_candidate){.facts = {.node = BYTES("n"),
                                                          .region = BYTES("r"),
                                                          .tier = m->tier,
                                                          .model = BYTES("m"),
                                                          .price_input = m->price / 4,
                                                          .price_output = m->price,
                                                          .price_request = NAN,
                                                          .egress_price = NAN,
                                                          .spot = m->spot}};
    }
}

static void *create(struct world *w)
{
    struct ours *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->w = w;
    s->routers = calloc(w->cell.routers, sizeof *s->routers);
    if (!s->routers || policy_cel_vm_create(POLICY_VM_BYTES, &s->vm) != ERR_OK)
        abort();
    rng_init(&s->rng, w->cell.seed + 3);
    for (uint32_t i = 0; i < w->cell.routers; i++)
        init_router(s, &s->routers[i]);
    return s;
}

static void *create_for_cost(struct world *w)
{
    struct ours *s = create(w);
    struct policy_mistakes mistakes;
    char text[512];
    snprintf(text, sizeof text,
             "apiVersion: grapevine/v1\nkind: RoutePolicy\nmetadata: {name: p}\n"
             "spec: {strategy: cheap}\n---\n"
             "apiVersion: grapevine/v1\nkind: Strategy\nmetadata: {name: cheap}\n"
             "spec: {weights: {cost: 1, latency: 0.0005, failure: 0.0005}, latency_max: %llums}\n",
             (unsigned long long)w->cell.fleet->ceiling_us / 1000);
    struct policy_source source = {.version = 1, .text = bytes_from_str(text)};
    if (policy_set_create(&source, 1, &s->set, &mistakes) != ERR_OK)
        fail(mistakes.items[0].text);
    return s;
}

static void destroy(void *self)
{
    struct ours *s = self;
    for (uint32_t i = 0; i < s->w->cell.routers; i++) {
        policy_pools_clear(&s->routers[i].candidates);
        deployments_fini(&s->routers[i].deployments);
        policy_prefixes_destroy(s->routers[i].prefixes);
    }
    if (s->set)
        policy_set_destroy(s->set);
    policy_cel_vm_destroy(s->vm);
    free(s->routers);
    free(s);
}

static struct policy_candidates *find(void *ctx, struct bytes model)
{
    struct ours *s = ctx;
    (void)model;
    return &s->routers[s->asking->router].candidates;
}

static enum policy_verdict refresh(void *ctx, struct policy_candidate *c)
{
    struct ours *s = ctx;
    struct router *router = &s->routers[s->asking->router];
    size_t i = (size_t)(c - router->items);
    const struct member *m = &s->w->members[i];
    c->live = (struct policy_live){
        .age_ms = m->told.at_us ? (int64_t)((s->w->now_us - m->told.at_us) / 1000) : -1,
        .health = NAN,
        .inflight = m->told.running,
        .queued = m->told.waiting,
        .slots = m->cfg->slots,
        .own_inflight = router->own[i],
        .output_tokens = NAN,
        .turn = NAN,
        .kv = NAN,
        .gpu_load = NAN,
        .gpu_memory = NAN,
        .gpu_temperature = NAN,
        .ttft_p50_us = NAN,
        .ttft_p99_us = NAN,
        .latency_p50_us = NAN,
        .latency_p99_us = NAN,
        .error_rate = NAN,
        .warm = 1,
        .rtt_us = (double)world_rtt_us(s->w, s->asking->router, (uint32_t)i),
        .loss = NAN,
        .prefill_us = NAN,
        .decode_us = NAN,
        .first_us = NAN,
        .weight = 1};
    if (m->cfg->spot)
        c->live.reclaim_per_hour = 0.05;
    deployments_fill(router->rows[i], now_ms(s), &c->live);
    c->live.cached_tokens = BLOCK_TOKENS * policy_prefixes_held(router->prefixes, &s->prefix,
                                                                router->rows[i]->hash, now_ms(s));
    if (s->asking->tried >> i & 1)
        return POLICY_TRIED;
    return policy_breaker_admits(&router->rows[i]->breaker, now_ms(s)) ? POLICY_SPARE
                                                                       : POLICY_BREAKER;
}

static void read_prefix(struct ours *s, const struct request *r)
{
    static const uint8_t seed[16] = {1};
    const uint32_t *tokens = work_tokens(r);
    s->prefix.count = 0;
    for (uint32_t i = 0; i + BLOCK_TOKENS <= r->prompt; i += BLOCK_TOKENS)
        policy_prefix_add(&s->prefix, seed, bytes_of(tokens + i, POLICY_PREFIX_BLOCK));
}

static int choose(void *self, struct request *r)
{
    static const struct policy_ops ops = {find, refresh};
    struct ours *s = self;
    struct policy_plan plan;
    const struct policy_request request = {.path = BYTES("/v1/chat/completions"),
                                           .model = BYTES("m"),
                                           .task = BYTES("chat"),
                                           .stream = true,
                                           .input_tokens = r->prompt,
                                           .output_tokens = -1,
                                           .deadline_ms = -1,
                                           .now_ms = now_ms(s),
                                           .key = r->talk};
    s->asking = r;
    read_prefix(s, r);
    struct policy_ask ask = {.rule = s->set ? policy_set_match(s->set, s->vm, &request)
                                            : policy_rule_default(),
                             .request = &request,
                             .model = request.model,
                             .cost_left_usd = NAN,
                             .vm = s->vm,
                             .rng = &s->rng,
                             .ops = &ops,
                             .ctx = s};
    if (policy_decide(&ask, &plan) != ERR_OK || plan.good == 0)
        return -1;
    struct router *router = &s->routers[r->router];
    size_t member = (size_t)(plan.looks[0].candidate - router->items);
    const struct facts *told = &s->w->members[member].told;
    struct policy_load load = {told->running, told->waiting, s->w->members[member].cfg->slots};
    deployments_begin(router->rows[member], load, now_ms(s), &r->use);
    deployments_took(router->rows[member], plan.looks[0].share);
    router->own[member]++;
    r->cached = (uint32_t)plan.looks[0].candidate->live.cached_tokens;
    policy_prefixes_give(router->prefixes, &s->prefix, router->rows[member]->hash, now_ms(s));
    return (int)member;
}

static void ended(void *self, struct request *r, bool is_good)
{
    struct ours *s = self;
    uint64_t first_us = r->tokens > 0 ? r->first_us : s->w->now_us;
    const struct deployment_end end = {
        .outcome = is_good ? POLICY_CALL_SUCCESS : POLICY_CALL_FAILURE,
        .first_byte_us = first_us - r->sent_us,
        .decode_us = s->w->now_us - first_us,
        .is_stream = true,
        .input_tokens = r->prompt - r->cached,
        .output_tokens = is_good ? r->tokens : 0,
    };
    s->routers[r->router].own[r->member]--;
    deployments_end(&r->use, &end, now_ms(s), &s->rng);
}

const struct chooser chooser_ours = {"grapevine", create, destroy, choose, ended};
const struct chooser chooser_ours_cost = {"grapevine, cost", create_for_cost, destroy, choose,
                                          ended};
