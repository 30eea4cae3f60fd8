/* What CEL costs: nanoseconds per evaluation of predicates as policies have them, over candidates
 * whose facts differ, and per compilation. One JSON object at the end.
 *
 * usage: cel [EVALUATIONS]      (default 5000000; a case prints its median of 7 runs)
 *        cel --only CASE EVALUATIONS      that case once, for callgrind and perf */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/policy.h"

#define CANDIDATES 256
#define RUNS 7
#define DEFAULT_EVALUATIONS 5000000

static const struct cel_type string_map = {.kind = CEL_T_MAP, .param_count = 2};
static struct cel_type headers_type;

static struct cel_value candidates[CANDIDATES][4];
static struct cel_value request[3];
static const struct cel_value headers[] = {
    {.kind = CEL_STRING, .size = 8, .data = (const uint8_t *)"x-tenant"},
    {.kind = CEL_STRING, .size = 4, .data = (const uint8_t *)"acme"}};

static const struct {
    const char *name;
    const char *expression;
} cases[] = {
    {"founding",
     "node.tier == \"edge\" && backend.gpu.load < 0.8 && link.rtt < duration(\"50ms\")"},
    {"one_string", "node.tier == \"edge\""},
    {"residency", "node.region.startsWith(\"eu-\")"},
    {"arithmetic", "backend.gpu.load * 2.0 + 0.1 < 1.5"},
    {"in_list", "node.region in [\"us-east\", \"us-west\", \"eu-west\"]"},
    {"header", "request.headers[\"x-tenant\"] == \"acme\""},
    {"exists", "[\"a\", \"b\", \"c\", \"edge\"].exists(x, x == node.tier)"},
    {"matches", "node.region.matches(\"^eu-(west|north)-[0-9]+$\")"},
};
#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* Of this thread's CPU: other programs on the machine then disturb least. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct cel_value text(const char *s)
{
    return policy_cel_string(bytes_from_str(s));
}

static void make_world(void)
{
    static const char *const tiers[] = {"edge", "regional", "cloud", "edge"};
    static const char *const regions[] = {"eu-west-1", "us-east-1", "eu-north-2", "ap-south-1"};
    for (size_t i = 0; i < CANDIDATES; i++) {
        candidates[i][0] = text(tiers[i % 4]);
        candidates[i][1] = text(regions[i / 4 % 4]);
        candidates[i][2] = (struct cel_value){.kind = CEL_DOUBLE, .real = (double)(i % 10) / 10};
        candidates[i][3] =
            (struct cel_value){.kind = CEL_DURATION, .integer = (int64_t)(i % 7) * 12000000};
    }
    request[0] = (struct cel_value){.kind = CEL_MAP, .size = 1, .items = headers};
}

/* Seconds for so many evaluations; *ret_true: how many were true, so that nothing is left out. */
static double run(struct cel_vm *vm, const struct cel_program *program, long evaluations,
                  long *ret_true)
{
    const struct cel_value *facts[4] = {request};
    double start = now_s();
    for (long i = 0; i < evaluations; i++) {
        facts[1] = candidates[i % CANDIDATES];
        struct cel_value v = policy_cel_eval(vm, program, POLICY_CEL_WHOLE, facts);
        *ret_true += v.kind == CEL_BOOL && v.boolean;
    }
    return now_s() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct cel_program *compile(const struct cel_env *env, const char *expression)
{
    struct cel_problem problem;
    struct cel_program *program;
    if (policy_cel_compile(env, bytes_from_str(expression), &program, &problem) != ERR_OK) {
        fprintf(stderr, "cel: %s: %s\n", expression, problem.text);
        exit(1);
    }
    return program;
}

static double compile_us(const struct cel_env *env, const char *expression)
{
    double start = now_s();
    for (int i = 0; i < 2000; i++)
        policy_cel_program_destroy(compile(env, expression));
    return (now_s() - start) / 2000 * 1e6;
}

int main(int argc, char **argv)
{
    const struct cel_type *string = policy_cel_type(CEL_T_STRING);
    headers_type = string_map;
    headers_type.params[0] = headers_type.params[1] = string;
    const struct cel_fact facts[] = {{"request.headers", &headers_type, 0, 0},
                                     {"node.tier", string, 1, 0},
                                     {"node.region", string, 1, 1},
                                     {"backend.gpu.load", policy_cel_type(CEL_T_DOUBLE), 1, 2},
                                     {"link.rtt", policy_cel_type(CEL_T_DURATION), 1, 3}};
    const struct cel_env env = {.facts = facts, .fact_count = 5};
    bool once = argc == 4 && strcmp(argv[1], "--only") == 0;
    long evaluations = argc > 1 ? strtol(argv[argc - 1], NULL, 10) : DEFAULT_EVALUATIONS;
    struct cel_vm *vm;
    long trues = 0;
    make_world();
    if (policy_cel_vm_create(65536, &vm) != ERR_OK)
        return 1;
    printf("{");
    for (size_t i = 0; i < CASE_COUNT; i++) {
        double seconds[RUNS];
        if (once && strcmp(argv[2], cases[i].name) != 0)
            continue;
        struct cel_program *program = compile(&env, cases[i].expression);
        for (int k = 0; k < (once ? 1 : RUNS); k++)
            seconds[k] = run(vm, program, evaluations, &trues);
        qsort(seconds, once ? 1 : RUNS, sizeof(seconds[0]), by_value);
        printf("\"%s_ns\":%.1f,", cases[i].name,
               seconds[once ? 0 : RUNS / 2] / (double)evaluations * 1e9);
        policy_cel_program_destroy(program);
    }
    if (!once)
        printf("\"compile_founding_us\":%.1f,", compile_us(&env, cases[0].expression));
    printf("\"evaluations\":%ld,\"true\":%ld}\n", evaluations, trues);
    policy_cel_vm_destroy(vm);
    return 0;
}
