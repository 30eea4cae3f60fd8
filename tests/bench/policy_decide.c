/* What a decision costs: matching one of many policies and choosing among few and among ten
 * thousand candidates, the founding example's steps included. CPU time of this thread, percentiles
 * over single decisions. One JSON object at the end.
 *
 * usage: policy_decide [DECISIONS]                    (default 200000)
 *        policy_decide --only CANDIDATES DECISIONS    that case once, for callgrind and perf */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "policy/policy.h"

#define POLICIES 100
#define CANDIDATES_MAX 10000

static struct policy_candidate items[CANDIDATES_MAX];
static char names[CANDIDATES_MAX][24];
static struct policy_candidates candidates = {.items = items};
static struct policy_set *set;
static struct cel_vm *vm;
static struct rng rng;

static void fail(const char *what)
{
    fprintf(stderr, "policy_decide: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A hundred policies, each for a model of its own; the last of them by name is asked for. */
static void make_policies(void)
{
    static char texts[POLICIES][1024];
    struct policy_source sources[POLICIES];
    struct policy_mistakes mistakes;
    for (size_t i = 0; i < POLICIES; i++) {
        snprintf(texts[i], sizeof texts[i],
                 "apiVersion: grapevine/v1\nkind: RoutePolicy\nmetadata: {name: p%02zu}\n"
                 "spec:\n"
                 "  match: request.model == \"m%02zu\"\n"
                 "  require: ['node.region.startsWith(\"eu-\")']\n"
                 "  steps:\n"
                 "    - {name: edge, where: 'node.tier == \"edge\" && backend.gpu.load < 0.8 &&"
                 " link.rtt < duration(\"50ms\")'}\n"
                 "    - {name: regional, where: 'node.tier == \"regional\"'}\n",
                 i, i);
        sources[i] = (struct policy_source){.version = 1, .text = bytes_from_str(texts[i])};
    }
    if (policy_set_create(sources, POLICIES, &set, &mistakes) != ERR_OK)
        fail(mistakes.count ? mistakes.items[0].text : "no memory");
}

static void make_candidates(size_t count)
{
    policy_pools_clear(&candidates);
    candidates.count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        items[i] = (struct policy_candidate){
            .facts = {.node = bytes_from_str(names[i]),
                      .region = i % 2 ? BYTES("eu-west") : BYTES("us-east"),
                      .tier = i % 4 < 3 ? POLICY_EDGE : POLICY_REGIONAL,
                      .model = BYTES("m99"),
                      .price_input = 0.001,
                      .price_output = 0.002,
                      .price_request = NAN,
                      .egress_price = NAN},
            .live = {.slots = 4,
                     .health = 1,
                     .weight = 1,
                     .warm = 1,
                     .kv = NAN,
                     .output_tokens = NAN,
                     .turn = NAN}};
    }
}

static struct policy_candidates *find(void *ctx, struct bytes model)
{
    (void)ctx;
    return bytes_equal(model, BYTES("m99")) ? &candidates : NULL;
}

/* As much as a node gathers of a candidate, without its look-ups. */
static enum policy_verdict refresh(void *ctx, struct policy_candidate *c)
{
    size_t i = (size_t)(c - items);
    (void)ctx;
    c->live.age_ms = (int64_t)(i % 1000);
    c->live.inflight = (int64_t)(i * 7 % 4);
    c->live.own_inflight = 0;
    c->live.gpu_load = (double)(i * 13 % 100) / 100;
    c->live.rtt_us = (double)(i * 17 % 80) * 1000;
    c->live.error_rate = 0.001;
    c->live.first_us = 20000;
    c->live.prefill_us = 100;
    c->live.decode_us = 10000;
    return POLICY_SPARE;
}

static void decide_once(uint64_t now_ms, struct policy_plan *plan)
{
    static const struct policy_ops ops = {find, refresh};
    const struct policy_request request = {.path = BYTES("/v1/chat/completions"),
                                           .model = BYTES("m99"),
                                           .task = BYTES("chat"),
                                           .region = BYTES("eu-west"),
                                           .input_tokens = 300,
                                           .output_tokens = 200,
                                           .deadline_ms = 60000,
                                           .now_ms = now_ms,
                                           .key = now_ms};
    struct policy_ask ask = {.rule = policy_set_match(set, vm, &request),
                             .request = &request,
                             .model = request.model,
                             .cost_left_usd = NAN,
                             .vm = vm,
                             .rng = &rng,
                             .ops = &ops};
    if (policy_decide(&ask, plan) != ERR_OK || plan->good == 0)
        fail("nobody was chosen");
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Pools are renewed as often as they would be at a thousand decisions a second. */
static double run(size_t count, size_t decisions, double *ret_p99_us)
{
    struct policy_plan plan;
    uint64_t *taken = malloc(decisions * sizeof *taken);
    if (!taken)
        fail("no memory");
    make_candidates(count);
    for (size_t i = 0; i < decisions; i++) {
        uint64_t began = now_ns();
        decide_once(1000 + i, &plan);
        taken[i] = now_ns() - began;
    }
    qsort(taken, decisions, sizeof *taken, compare);
    double p50_us = (double)taken[decisions / 2] / 1000;
    *ret_p99_us = (double)taken[decisions * 99 / 100] / 1000;
    printf("%6zu candidates, %d policies: p50 %.2f us, p99 %.2f us, max %.0f us\n", count, POLICIES,
           p50_us, *ret_p99_us, (double)taken[decisions - 1] / 1000);
    free(taken);
    return p50_us;
}

int main(int argc, char **argv)
{
    size_t decisions = argc == 2 ? strtoul(argv[1], NULL, 10) : 200000;
    double few_p99, many_p99;
    if (crypto_init() != ERR_OK || policy_cel_vm_create(POLICY_VM_BYTES, &vm) != ERR_OK)
        fail("cannot begin");
    rng_init(&rng, 1);
    make_policies();
    if (argc == 4 && strcmp(argv[1], "--only") == 0) {
        run(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), &few_p99);
    } else {
        double few = run(10, decisions, &few_p99);
        double many = run(CANDIDATES_MAX, decisions, &many_p99);
        printf("{\"policies\":%d,\"few\":{\"candidates\":10,\"p50_us\":%.2f,\"p99_us\":%.2f},"
               "\"many\":{\"candidates\":%d,\"p50_us\":%.2f,\"p99_us\":%.2f},\"ratio_p99\":%.2f}\n",
               POLICIES, few, few_p99, CANDIDATES_MAX, many, many_p99, many_p99 / few_p99);
    }
    policy_pools_clear(&candidates);
    policy_set_destroy(set);
    policy_cel_vm_destroy(vm);
    return 0;
}
