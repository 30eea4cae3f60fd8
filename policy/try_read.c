/* The tests of a document, key by key; see try.h for what they say. */
#include "policy/try_read.h"

#include <math.h>

#include "policy/try_facts.h"

#define KEYS(keys) keys, sizeof keys / sizeof keys[0]
#define NEAR_MAX 4

/* One test, and where it leads to. */
struct reading {
    struct policy_case c;
    const struct policy_case_taker *taker;
};

/* --- given */

static void read_request(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_case *c = owner;
    const struct policy_given into = {{[POLICY_REQUEST] = &c->request}, "a request"};
    policy_read_facts(r, v, BYTES("request."), &into);
}

static void read_now(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_case *c = owner;
    struct cel_value t;
    if (v->kind == YAML_SCALAR && policy_cel_parse_time(CEL_TIMESTAMP, v->text, &t) == ERR_OK)
        c->request.wall_ms = t.integer * 1000 + t.size / 1000000;
    else
        policy_mistake(r, v, "expected a time such as 2026-01-31T12:00:00Z");
}

static void read_candidate(struct policy_reader *r, const struct yaml_item *item, size_t index,
                           void *owner)
{
    struct policy_case *c = owner;
    struct policy_candidate *candidate = &c->candidates[index];
    const struct policy_given into = {
        {[POLICY_STATIC] = &candidate->facts, [POLICY_LIVE] = &candidate->live}, "a candidate"};
    *candidate = (struct policy_candidate){.live = {.prefill_us = NAN,
                                                    .decode_us = NAN,
                                                    .first_us = NAN,
                                                    .weight = 1,
                                                    .output_tokens = NAN,
                                                    .turn = NAN}};
    policy_facts_unknown(POLICY_STATIC, &candidate->facts);
    policy_facts_unknown(POLICY_LIVE, &candidate->live);
    candidate->live.age_ms = 0;
    policy_read_facts(r, item, BYTES(""), &into);
    c->candidate_count = index + 1;
}

static void read_candidates(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    policy_read_list(r, v, POLICY_TEST_CANDIDATES_MAX, read_candidate, owner);
}

static void read_given(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    static const struct policy_key keys[] = {POLICY_OWN_KEY("request", read_request),
                                             POLICY_OWN_KEY("now", read_now),
                                             POLICY_OWN_KEY("candidates", read_candidates)};
    policy_read_map(r, v, KEYS(keys), owner);
}

/* --- expect */

static void check_step(struct policy_reader *r, const struct yaml_item *v, struct bytes name,
                       const struct policy_rule *rule)
{
    struct bytes near = BYTES("");
    unsigned best = NEAR_MAX;
    if (bytes_equal(name, BYTES(POLICY_LAST_RESORT)) && rule->last_resort)
        return;
    for (size_t i = 0; i < rule->step_count; i++) {
        unsigned distance = bytes_distance(name, rule->steps[i].name);
        if (distance == 0)
            return;
        near = distance < best ? rule->steps[i].name : near;
        best = distance < best ? distance : best;
    }
    policy_mistake(r, v, "no such step%s%.*s%s", near.size ? "; did you mean " : "", (int)near.size,
                   (const char *)near.data, near.size ? "?" : "");
}

static void read_expected_step(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct reading *reading = owner;
    if (policy_read_name(r, v, &reading->c.expect.step))
        check_step(r, v, reading->c.expect.step, reading->taker->rule);
}

static void read_expect(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_OWN_KEY("step", read_expected_step),
        POLICY_KEY("node", NAME, policy_case, expect.node),
        POLICY_KEY("model", NAME, policy_case, expect.model),
        POLICY_KEY("match", BOOL, policy_case, expect.match),
        POLICY_KEY("refused", BOOL, policy_case, expect.refused)};
    const struct policy_case *c = owner;
    size_t mistakes = r->mistakes->count;
    policy_read_map(r, v, KEYS(keys), owner);
    bool chosen = c->expect.step.size || c->expect.node.size || c->expect.model.size;
    if (r->mistakes->count == mistakes && chosen && (c->expect.refused || !c->expect.match))
        policy_mistake(r, v, "nothing is chosen where it is refused or does not match");
    if (v->kind == YAML_MAP && !v->first)
        policy_mistake(r, v, "expects nothing: step, node, model, match or refused is needed");
}

/* --- the list */

static void read_test_name(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_case *c = owner;
    if (!policy_read_scalar(r, v, &c->name))
        return;
    if (c->name.size > POLICY_NAME_MAX)
        policy_mistake(r, v, "longer than %d bytes", POLICY_NAME_MAX);
}

static void read_case(struct policy_reader *r, const struct yaml_item *item, size_t index,
                      void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_OWN_KEY("name", read_test_name, .is_needed = true),
        POLICY_OWN_KEY("given", read_given, .is_needed = true),
        POLICY_OWN_KEY("expect", read_expect, .is_needed = true)};
    const struct policy_case_taker *taker = owner;
    (void)index;
    struct reading *reading = arena_calloc(r->scratch, sizeof *reading);
    if (!reading) {
        r->failure = ERR_NO_MEMORY;
        return;
    }
    reading->taker = taker;
    reading->c.line = item->line + r->line_offset;
    reading->c.column = item->column;
    reading->c.expect.match = true;
    policy_facts_unknown(POLICY_REQUEST, &reading->c.request);
    policy_read_map(r, item, KEYS(keys), reading);
    if (taker->take)
        taker->take(taker->owner, &reading->c);
}

static const struct yaml_item *name_of(const struct yaml_item *test)
{
    for (const struct yaml_item *v = test->first; v; v = v->next)
        if (v->key && bytes_equal(v->key->text, BYTES("name")))
            return v;
    return NULL;
}

static void refuse_twins(struct policy_reader *r, const struct yaml_item *tests)
{
    size_t index = 0;
    for (const struct yaml_item *t = tests->first; t; t = t->next, index++) {
        const struct yaml_item *name = name_of(t), *before = NULL;
        for (const struct yaml_item *b = tests->first; name && b != t && !before; b = b->next)
            if (name_of(b) && bytes_equal(name_of(b)->text, name->text))
                before = name_of(b);
        if (!before)
            continue;
        size_t up = policy_path_down(r, BYTES(""), index);
        policy_mistake(r, name, "the test in line %u has this name, too",
                       before->line + r->line_offset);
        policy_path_up(r, up);
    }
}

void policy_read_cases(struct policy_reader *r, const struct yaml_item *tests,
                       const struct policy_case_taker *taker)
{
    struct policy_case_taker copy = *taker;
    size_t up = policy_path_down(r, BYTES("tests"), SIZE_MAX);
    if (policy_read_list(r, tests, POLICY_TESTS_MAX, read_case, &copy))
        refuse_twins(r, tests);
    policy_path_up(r, up);
}
