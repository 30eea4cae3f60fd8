/* See replay.h. Called by the command line. */
#include "policy/replay.h"

#include "policy/try_facts.h"

#include <math.h>
#include <stdlib.h>

#define SCRATCH_MAX (4u << 20)

struct replay {
    struct arena scratch;
    struct policy_request request;
    struct policy_candidate items[POLICY_LOOKED_MAX];
    uint8_t verdicts[POLICY_LOOKED_MAX]; /* as they were then */
    size_t count;
    struct policy_candidates groups[POLICY_LOOKED_MAX]; /* by model: neighbours in `items` */
    size_t group_count;
    struct policy_plan plan;
};

/* --- reading */

static const struct yaml_item *child(const struct yaml_item *map, const char *key)
{
    for (const struct yaml_item *v = map ? map->first : NULL; v; v = v->next)
        if (v->key && bytes_equal(v->key->text, bytes_from_str(key)))
            return v;
    return NULL;
}

static void copy_text(const struct yaml_item *item, char *ret_text, size_t size)
{
    bytes_to_str(item && item->kind == YAML_SCALAR ? item->text : BYTES(""), ret_text, size);
}

static double real_of(const struct yaml_item *map, const char *key)
{
    char text[40];
    const struct yaml_item *v = child(map, key);
    if (!v || v->kind != YAML_SCALAR || yaml_item_is_null(v))
        return NAN;
    bytes_to_str(v->text, text, sizeof text);
    return strtod(text, NULL);
}

static int64_t count_of(const struct yaml_item *map, const char *key)
{
    double value = real_of(map, key);
    return value >= 0 && value < 1e9 ? (int64_t)value : 0;
}

static enum policy_verdict verdict_of(const struct yaml_item *look)
{
    char text[40];
    copy_text(child(look, "verdict"), text, sizeof text);
    for (int v = 0; v < POLICY_VERDICTS; v++)
        if (strcmp(policy_verdict_name((enum policy_verdict)v), text) == 0)
            return (enum policy_verdict)v;
    return POLICY_VERDICTS;
}

/* What the rules made of it is asked anew; what it was like then stays. */
static enum policy_verdict lasting(enum policy_verdict v)
{
    switch (v) {
    case POLICY_BARRED:
    case POLICY_TRIED:
    case POLICY_BREAKER:
    case POLICY_BUSY:
    case POLICY_DRAINING:
    case POLICY_UNREACHABLE:
    case POLICY_DOUBTFUL: return v;
    default: return POLICY_SPARE;
    }
}

static void read_look(struct policy_reader *r, struct replay *p, const struct yaml_item *look,
                      enum policy_verdict verdict)
{
    const struct yaml_item *learned = child(look, "learned");
    struct policy_candidate *c = &p->items[p->count];
    struct policy_given into = {{NULL, &c->facts, &c->live}, "a candidate"};
    *c = (struct policy_candidate){.barred = ERR_OK};
    policy_facts_unknown(POLICY_STATIC, &c->facts);
    policy_facts_unknown(POLICY_LIVE, &c->live);
    policy_read_facts(r, child(look, "facts"), BYTES(""), &into);
    c->live.first_us = real_of(learned, "first_us");
    c->live.prefill_us = real_of(learned, "prefill_us");
    c->live.decode_us = real_of(learned, "decode_us");
    c->live.reclaim_per_hour = real_of(learned, "reclaim_per_hour");
    c->live.weight = 1; /* who comes back from trouble had its chance to be drawn then */
    c->live.own_inflight = count_of(learned, "own_inflight");
    c->live.own_reported = count_of(learned, "own_reported");
    c->live.running = count_of(learned, "running");
    c->live.elapsed_us = real_of(learned, "elapsed_us");
    c->live.output_tokens = real_of(learned, "output_tokens");
    c->live.cached_tokens = real_of(learned, "cached_tokens");
    c->live.turn = real_of(learned, "turn");
    p->verdicts[p->count++] = (uint8_t)lasting(verdict);
}

/* Of several steps the same candidate may have been looked at more than once. */
static bool is_known(const struct replay *p, const struct policy_candidate *c)
{
    for (size_t i = 0; i + 1 < p->count; i++)
        if (bytes_equal(p->items[i].facts.node, c->facts.node) &&
            bytes_equal(p->items[i].facts.backend, c->facts.backend) &&
            bytes_equal(p->items[i].facts.model, c->facts.model) &&
            bytes_equal(p->items[i].facts.version, c->facts.version))
            return true;
    return false;
}

static void read_looks(struct policy_reader *r, struct replay *p, const struct yaml_item *list,
                       struct policy_replayed *done)
{
    for (const struct yaml_item *look = list->first; look && p->count < POLICY_LOOKED_MAX;
         look = look->next) {
        enum policy_verdict verdict = verdict_of(look);
        read_look(r, p, look, verdict);
        const struct policy_candidate *c = &p->items[p->count - 1];
        if (verdict == POLICY_CHOSEN) {
            bytes_to_str(c->facts.node, done->from, sizeof done->from);
            done->answer_us = real_of(look, "answer_ms") * 1000;
            done->cost_usd = real_of(look, "cost_usd");
        }
        if (is_known(p, c))
            p->count--;
    }
}

static int by_model(const void *a, const void *b)
{
    const struct policy_candidate *x = a, *y = b;
    size_t size =
        x->facts.model.size < y->facts.model.size ? x->facts.model.size : y->facts.model.size;
    int order = size ? memcmp(x->facts.model.data, y->facts.model.data, size) : 0;
    return order ? order : (x->facts.model.size > size) - (y->facts.model.size > size);
}

/* Neighbours of one model are a group; verdicts go along as the candidates' owners. */
static void group(struct replay *p)
{
    for (size_t i = 0; i < p->count; i++)
        p->items[i].owner = (void *)(uintptr_t)p->verdicts[i];
    qsort(p->items, p->count, sizeof p->items[0], by_model);
    for (size_t i = 0; i < p->count; i++) {
        if (i == 0 || by_model(&p->items[i - 1], &p->items[i]) != 0)
            p->groups[p->group_count++] = (struct policy_candidates){.items = &p->items[i]};
        p->groups[p->group_count - 1].count++;
    }
}

static enum err read_record(struct replay *p, struct bytes record, struct policy_replayed *done)
{
    const struct yaml_item *root;
    struct yaml_problem problem;
    struct policy_mistakes mistakes = {.count = 0};
    struct policy_making making = {.arena = &p->scratch};
    struct policy_reader r = {
        .making = &making, .scratch = &p->scratch, .mistakes = &mistakes, .text = record};
    struct policy_given into = {{&p->request, NULL, NULL}, "a request"};
    TRY(yaml_tree_parse(record, &p->scratch, &root, &problem));
    const struct yaml_item *request = child(root, "request"), *looks = child(root, "candidates");
    if (!request || request->kind != YAML_MAP || !looks || looks->kind != YAML_LIST)
        return ERR_INVALID;
    copy_text(child(root, "id"), done->id, sizeof done->id);
    policy_facts_unknown(POLICY_REQUEST, &p->request);
    policy_read_facts(&r, request, BYTES(""), &into);
    read_looks(&r, p, looks, done);
    group(p);
    return r.failure != ERR_OK ? r.failure : mistakes.count ? ERR_INVALID : ERR_OK;
}

/* --- deciding again */

static struct policy_candidates *find(void *ctx, struct bytes model)
{
    struct replay *p = ctx;
    for (size_t i = 0; i < p->group_count; i++)
        if (bytes_equal(p->groups[i].items->facts.model, model))
            return &p->groups[i];
    return NULL;
}

static enum policy_verdict refresh(void *ctx, struct policy_candidate *c)
{
    (void)ctx;
    return (enum policy_verdict)(uintptr_t)c->owner;
}

/* The model that was to be found then: an alias is resolved in the candidates only. */
static struct bytes model_of(struct replay *p)
{
    return find(p, p->request.model) || p->count == 0 ? p->request.model : p->items[0].facts.model;
}

static enum err draw(struct replay *p, const struct policy_rule *rule, struct cel_vm *vm,
                     uint64_t seed)
{
    static const struct policy_ops ops = {find, refresh};
    struct rng rng;
    rng_init(&rng, seed);
    const struct policy_ask ask = {.rule = rule,
                                   .request = &p->request,
                                   .model = model_of(p),
                                   .cost_left_usd = rule->limits.cost_max_usd,
                                   .vm = vm,
                                   .rng = &rng,
                                   .ops = &ops,
                                   .ctx = p};
    enum err e = policy_decide(&ask, &p->plan);
    if (e != ERR_NOT_FOUND)
        return e;
    p->plan.good = p->plan.count = 0;
    return ERR_OK;
}

static enum err decide_again(struct replay *p, const struct policy_set *set, struct cel_vm *vm,
                             struct policy_replayed *done)
{
    const struct policy_rule *rule = policy_set_match(set, vm, &p->request);
    double answer_us = 0, cost_usd = 0;
    unsigned good = 0;
    bytes_to_str(rule->name, done->rule, sizeof done->rule);
    done->is_moved = true;
    for (uint64_t i = 0; i < POLICY_TRIES; i++) {
        TRY(draw(p, rule, vm, i));
        const struct policy_look *look = &p->plan.looks[0];
        if (p->plan.good == 0) {
            done->none = p->plan.none;
            continue;
        }
        struct bytes node = look->candidate->facts.node;
        done->is_moved &= !bytes_equal(node, bytes_from_str(done->from));
        if (good++ == 0)
            bytes_to_str(node, done->to, sizeof done->to);
        answer_us += look->answer_us;
        cost_usd += look->cost_usd;
    }
    if (good == 0)
        done->is_moved = done->from[0] != 0;
    else if (!done->is_moved)
        memcpy(done->to, done->from, sizeof done->to);
    done->new_answer_us = good ? answer_us / good : NAN;
    done->new_cost_usd = good ? cost_usd / good : NAN;
    return ERR_OK;
}

enum err policy_replay(const struct policy_set *set, struct cel_vm *vm, struct bytes record,
                       struct policy_replayed *ret_replayed)
{
    struct replay *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
    *ret_replayed = (struct policy_replayed){.answer_us = NAN, .cost_usd = NAN};
    arena_init(&p->scratch, SCRATCH_MAX);
    enum err e = read_record(p, record, ret_replayed);
    if (e == ERR_OK)
        e = decide_again(p, set, vm, ret_replayed);
    for (size_t i = 0; i < p->group_count; i++)
        policy_pools_clear(&p->groups[i]);
    arena_fini(&p->scratch);
    free(p);
    return e;
}
