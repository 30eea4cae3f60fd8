/* Running the tests of a document: a world of the candidates that a test gives, several draws of
 * the decision over it, and what came out beside what was expected. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/try_read.h"

#define SCRATCH_MAX (16u << 20)

/* The candidates of a test by their model. */
struct group {
    struct bytes model;
    struct policy_candidates candidates;
};

struct trial {
    const struct policy_rule *rule;
    struct cel_vm *vm;
    struct policy_tests *tests;
    enum err failure;
    /* of the test that runs: */
    const struct policy_case *c;
    struct policy_candidate items[POLICY_TEST_CANDIDATES_MAX];
    struct group groups[POLICY_TEST_CANDIDATES_MAX];
    size_t group_count;
    struct bytes version; /* that the split chose */
    struct policy_plan plan;
};

/* --- the world */

static struct group *group_of(struct trial *t, struct bytes model)
{
    for (size_t i = 0; i < t->group_count; i++)
        if (bytes_equal(t->groups[i].model, model))
            return &t->groups[i];
    return NULL;
}

static struct policy_candidates *find(void *ctx, struct bytes model)
{
    struct group *group = group_of(ctx, model);
    return group ? &group->candidates : NULL;
}

static enum policy_verdict refresh(void *ctx, struct policy_candidate *c)
{
    const struct trial *t = ctx;
    bool is_other =
        t->version.size && c->facts.version.size && !bytes_equal(t->version, c->facts.version);
    return is_other ? POLICY_BARRED : POLICY_SPARE;
}

/* Candidates of one model lie side by side. */
static void make_world(struct trial *t, const struct policy_case *c)
{
    size_t count = 0;
    struct bytes models[POLICY_TEST_CANDIDATES_MAX];
    t->c = c;
    t->group_count = 0;
    for (size_t i = 0; i < c->candidate_count; i++) {
        models[i] = c->candidates[i].facts.model;
        if (!models[i].size)
            models[i] = c->request.model;
        if (group_of(t, models[i]))
            continue;
        struct group *group = &t->groups[t->group_count++];
        *group = (struct group){models[i], {.items = &t->items[count]}};
        for (size_t k = i; k < c->candidate_count; k++) {
            struct bytes model = c->candidates[k].facts.model;
            if (!bytes_equal(model.size ? model : c->request.model, group->model))
                continue;
            t->items[count] = c->candidates[k];
            t->items[count++].facts.model = group->model;
            group->candidates.count++;
        }
    }
}

static void clear_world(struct trial *t)
{
    for (size_t i = 0; i < t->group_count; i++)
        policy_pools_clear(&t->groups[i].candidates);
}

/* --- what comes out */

static struct bytes step_name(const struct policy_rule *rule, size_t step)
{
    return step < rule->step_count ? rule->steps[step].name : BYTES(POLICY_LAST_RESORT);
}

static bool matches(struct trial *t)
{
    struct policy_values values;
    const struct cel_value *const facts[POLICY_GROUPS] = {values.slots, NULL, NULL};
    const struct policy_predicate *match = &t->rule->match;
    policy_facts_fill(POLICY_REQUEST, &t->c->request, match->reads[POLICY_REQUEST], &values);
    return policy_holds(match, POLICY_ALL_PARTS, t->vm, facts);
}

static bool fits(struct bytes expected, struct bytes found)
{
    return !expected.size || bytes_equal(expected, found);
}

static bool is_as_expected(const struct trial *t)
{
    const struct policy_plan *plan = &t->plan;
    if (plan->good == 0 || t->c->expect.refused)
        return (plan->good == 0) == t->c->expect.refused;
    return fits(t->c->expect.step, step_name(t->rule, plan->looks[0].step)) &&
           fits(t->c->expect.node, plan->looks[0].candidate->facts.node) &&
           fits(t->c->expect.model, plan->model);
}

static void add(char text[400], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char text[400], const char *format, ...)
{
    size_t size = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + size, 400 - size, format, args);
    va_end(args);
}

static void add_node(char text[400], const struct trial *t, const struct policy_look *look)
{
    struct bytes node = look->candidate->facts.node;
    if (!node.size)
        add(text, "candidates[%zu]", (size_t)(look->candidate - t->items));
    else
        add(text, "%.*s", (int)node.size, (const char *)node.data);
}

/* Of several steps, the same of the same candidate? */
static bool was_said(const struct policy_plan *plan, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (plan->looks[i].candidate == plan->looks[index].candidate &&
            plan->looks[i].verdict == plan->looks[index].verdict)
            return true;
    return false;
}

static void explain(const struct trial *t, int draw, struct policy_test *test)
{
    const struct policy_plan *plan = &t->plan;
    char *text = test->why;
    if (draw > 0)
        add(text, "by chance, as several can be used: ");
    if (plan->good > 0) {
        struct bytes step = step_name(t->rule, plan->looks[0].step);
        add_node(text, t, &plan->looks[0]);
        add(text, " is chosen in step %.*s", (int)step.size, (const char *)step.data);
    } else {
        add(text, "it is refused");
    }
    const char *between = "; ";
    for (size_t i = plan->good > 0; i < plan->count; i++) {
        if (was_said(plan, i))
            continue;
        add(text, "%s", between);
        between = ", ";
        add_node(text, t, &plan->looks[i]);
        add(text, ": %s", policy_verdict_name((enum policy_verdict)plan->looks[i].verdict));
    }
}

static enum err decide(struct trial *t, uint64_t draw)
{
    static const struct policy_ops ops = {find, refresh};
    struct policy_request request = t->c->request;
    struct rng rng;
    rng_init(&rng, draw);
    request.key = rng_next(&rng);
    t->version = policy_split(t->rule, t->vm, &request);
    const struct policy_ask ask = {.rule = t->rule,
                                   .request = &request,
                                   .model = request.model,
                                   .cost_left_usd = t->rule->limits.cost_max_usd,
                                   .vm = t->vm,
                                   .rng = &rng,
                                   .ops = &ops,
                                   .ctx = t};
    enum err e = policy_decide(&ask, &t->plan);
    if (e != ERR_NOT_FOUND)
        return e;
    t->plan.good = t->plan.count = 0; /* nobody serves the model */
    return ERR_OK;
}

static void run_case(struct trial *t, struct policy_test *test)
{
    bool is_match = matches(t);
    if (is_match != t->c->expect.match) {
        add(test->why, is_match ? "the policy matches this request"
                                : "the policy does not match this request");
        return;
    }
    for (int draw = 0; draw < POLICY_TRIES && is_match && t->failure == ERR_OK; draw++) {
        t->failure = decide(t, (uint64_t)draw);
        if (t->failure == ERR_OK && !is_as_expected(t)) {
            explain(t, draw, test);
            return;
        }
    }
    test->passed = t->failure == ERR_OK;
}

static void take_case(void *owner, const struct policy_case *c)
{
    struct trial *t = owner;
    if (t->failure != ERR_OK || t->tests->count == POLICY_TESTS_MAX)
        return;
    struct policy_test *test = &t->tests->items[t->tests->count++];
    test->passed = false;
    test->why[0] = 0;
    test->line = c->line;
    test->column = c->column;
    bytes_to_str(c->name, test->name, sizeof test->name);
    make_world(t, c);
    run_case(t, test);
    clear_world(t);
    t->tests->failed += !test->passed;
}

/* --- the document again */

static const struct yaml_item *find_tests(const struct yaml_item *root)
{
    for (const struct yaml_item *item = root->first; item; item = item->next)
        if (item->key && bytes_equal(item->key->text, BYTES("tests")))
            return item;
    return NULL;
}

static enum err run_all(struct trial *t, struct arena *arena)
{
    struct policy_mistakes mistakes = {.count = 0}; /* there are none: the set checked them */
    struct policy_making making = {.arena = arena};
    struct policy_reader r = {.making = &making,
                              .scratch = arena,
                              .mistakes = &mistakes,
                              .text = t->rule->source,
                              .line_offset = t->rule->line_offset};
    const struct policy_case_taker taker = {t->rule, take_case, t};
    const struct yaml_item *root;
    struct yaml_problem problem;
    TRY(yaml_tree_parse(t->rule->source, arena, &root, &problem));
    const struct yaml_item *tests = find_tests(root);
    if (tests)
        policy_read_cases(&r, tests, &taker);
    return r.failure != ERR_OK ? r.failure : t->failure;
}

enum err policy_test(const struct policy_rule *rule, struct policy_tests *ret_tests)
{
    struct arena arena;
    struct trial *t = calloc(1, sizeof *t);
    ret_tests->count = ret_tests->failed = 0;
    if (!t)
        return ERR_NO_MEMORY;
    t->rule = rule;
    t->tests = ret_tests;
    arena_init(&arena, SCRATCH_MAX);
    enum err e = policy_cel_vm_create(POLICY_VM_BYTES, &t->vm);
    if (e == ERR_OK)
        e = run_all(t, &arena);
    policy_cel_vm_destroy(t->vm);
    arena_fini(&arena);
    free(t);
    return e;
}
