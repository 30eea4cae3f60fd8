/* Sets of documents: read all, put in order, found by name and by request. Made when documents
 * change; matching is per request and allocates nothing. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/rng.h"
#include "policy/document_head.h"

#define SET_BYTES_MAX (256u << 20)
#define TREE_BYTES_MAX (YAML_ARENA_SIZE + (16u << 20)) /* and the tests of one document */
#define HEADS_MAX (2 * POLICY_SOURCES_MAX)
#define NEAR_MAX 4

/* What matching looks at, side by side. */
struct entry {
    const struct policy_rule *rule;
    uint64_t salt; /* of the name: rollouts of two policies take different requests */
};

struct policy_set {
    struct arena arena; /* which holds this, too */
    struct policy_program *programs;
    struct policy_head *heads; /* by name, newest first */
    size_t head_count;
    struct entry *entries;
    size_t rule_count;
    const struct policy_strategy **strategies;
    size_t strategy_count;
    struct policy_wanted match_reads;
};

/* --- reading */

struct maker {
    struct policy_making making;
    struct policy_reader reader;
    struct arena tree;
    struct buf heads;
};

static void read_one(struct maker *m, const struct policy_source *source, bool *ret_is_empty)
{
    struct policy_reader *r = &m->reader;
    struct policy_head head = {
        .name = source->name, .version = source->version, .source = r->source};
    struct yaml_problem problem;
    const struct yaml_item *root;
    *ret_is_empty = false;
    if (r->text.size > POLICY_DOCUMENT_BYTES_MAX) {
        policy_mistake_at(r->mistakes, r->source, r->line_offset + 1, 1,
                          "larger than a policy can be (%d KiB)", POLICY_DOCUMENT_BYTES_MAX / 1024);
        return;
    }
    arena_reset(&m->tree);
    enum err e = yaml_tree_parse(r->text, &m->tree, &root, &problem);
    if (e == ERR_INVALID || e == ERR_LIMIT)
        policy_mistake_at(r->mistakes, r->source, problem.line + r->line_offset, problem.column,
                          "%s", problem.text);
    else if (e != ERR_OK)
        r->failure = e;
    *ret_is_empty = e == ERR_OK && yaml_item_is_null(root);
    if (e != ERR_OK || *ret_is_empty)
        return;
    policy_read_document(r, root, &head);
    if (!head.rule && !head.strategy)
        return;
    if (buf_append(&m->heads, bytes_of(&head, sizeof head)) != ERR_OK)
        r->failure = ERR_NO_MEMORY;
}

static void read_source(struct maker *m, const struct policy_source *source)
{
    struct bytes rest = source->text;
    bool has_any = false;
    m->reader.line_offset = 0;
    while (rest.size > 0 && m->reader.failure == ERR_OK &&
           m->reader.mistakes->count < POLICY_MISTAKES_MAX) {
        unsigned lines;
        bool is_empty;
        m->reader.text = yaml_next_document(rest, &lines);
        read_one(m, source, &is_empty);
        has_any |= !is_empty;
        m->reader.line_offset += lines;
        rest = bytes_skip(rest, m->reader.text.size);
    }
    if (!has_any)
        policy_mistake_at(m->reader.mistakes, m->reader.source, 1, 1, "there is no document");
}

static int compare_heads(const void *one, const void *other)
{
    const struct policy_head *a = one, *b = other;
    int by_name = bytes_compare(a->name, b->name);
    if (by_name)
        return by_name;
    if (a->version != b->version)
        return a->version > b->version ? -1 : 1;
    return a->source != b->source ? (a->source > b->source) - (a->source < b->source)
                                  : (a->line > b->line) - (a->line < b->line);
}

/* The first head of that name or behind. */
static size_t lower_bound(const struct policy_set *set, struct bytes name)
{
    size_t low = 0, high = set->head_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(set->heads[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct policy_head *find_head(const struct policy_set *set, struct bytes name,
                                           bool is_rule)
{
    for (size_t i = lower_bound(set, name); i < set->head_count; i++) {
        const struct policy_head *head = &set->heads[i];
        if (!bytes_equal(head->name, name))
            return NULL;
        if (is_rule ? head->rule != NULL : head->strategy != NULL)
            return head;
    }
    return NULL;
}

static struct bytes near_strategy(const struct policy_set *set, struct bytes name)
{
    static const struct bytes presets[] = {{(const uint8_t *)"latency-first", 13},
                                           {(const uint8_t *)"cost-optimized", 14},
                                           {(const uint8_t *)"availability-first", 18}};
    struct bytes near = BYTES("");
    unsigned best = NEAR_MAX;
    for (size_t i = 0; i < 3 + set->strategy_count; i++) {
        struct bytes other = i < 3 ? presets[i] : set->strategies[i - 3]->name;
        unsigned distance = bytes_distance(name, other);
        near = distance < best ? other : near;
        best = distance < best ? distance : best;
    }
    return near;
}

static void resolve(struct policy_set *set, const struct policy_reference *reference,
                    struct policy_mistakes *mistakes)
{
    const struct policy_head *head = find_head(set, reference->name, false);
    *reference->strategy = head ? head->strategy : policy_preset(reference->name);
    if (*reference->strategy)
        return;
    struct bytes near = near_strategy(set, reference->name);
    policy_mistake_at(mistakes, reference->source, reference->line, reference->column,
                      "%s: no strategy %.*s%s%.*s%s", reference->path, (int)reference->name.size,
                      (const char *)reference->name.data, near.size ? "; did you mean " : "",
                      (int)near.size, (const char *)near.data, near.size ? "?" : "");
}

static void refuse_twins(const struct policy_set *set, struct policy_mistakes *mistakes)
{
    for (size_t i = 1; i < set->head_count; i++) {
        const struct policy_head *a = &set->heads[i - 1], *b = &set->heads[i];
        if (bytes_equal(a->name, b->name) && a->version == b->version)
            policy_mistake_at(mistakes, b->source, b->line, b->column,
                              "metadata.name: another document is called %.*s, too",
                              (int)b->name.size, (const char *)b->name.data);
    }
}

/* What newer versions take of a rollout is not an older one's. */
static void stack_rollouts(struct policy_set *set)
{
    uint32_t above = 0;
    for (size_t i = 0; i < set->head_count; i++) {
        struct policy_head *head = &set->heads[i];
        if (i == 0 || !bytes_equal(set->heads[i - 1].name, head->name))
            above = 0;
        if (!head->rule)
            continue;
        head->rule->rollout_above = above;
        if (head->rule->rollout_percent > above)
            above = head->rule->rollout_percent;
    }
}

static int compare_entries(const void *one, const void *other)
{
    const struct policy_rule *a = ((const struct entry *)one)->rule;
    const struct policy_rule *b = ((const struct entry *)other)->rule;
    if (a->specificity != b->specificity)
        return a->specificity > b->specificity ? -1 : 1;
    int by_name = bytes_compare(a->name, b->name);
    return by_name ? by_name : (a->version < b->version) - (a->version > b->version);
}

/* FNV-1a: spreads names, no more is asked of it. */
static uint64_t salt_of(struct bytes name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 0x100000001b3u;
    return hash;
}

static enum err arrange(struct policy_set *set, struct maker *m)
{
    size_t count = m->heads.size / sizeof(struct policy_head);
    set->heads = arena_alloc(&set->arena, (count + 1) * sizeof *set->heads);
    set->entries = arena_alloc(&set->arena, (count + 1) * sizeof *set->entries);
    set->strategies = arena_alloc(&set->arena, (count + 1) * sizeof(void *));
    if (!set->heads || !set->entries || !set->strategies)
        return ERR_NO_MEMORY;
    if (count)
        memcpy(set->heads, m->heads.data, m->heads.size);
    set->head_count = count;
    qsort(set->heads, count, sizeof *set->heads, compare_heads);
    for (size_t i = 0; i < count; i++) {
        const struct policy_head *head = &set->heads[i];
        if (head->rule)
            set->entries[set->rule_count++] = (struct entry){head->rule, salt_of(head->name)};
        else
            set->strategies[set->strategy_count++] = head->strategy;
        if (head->rule)
            set->match_reads.bits |= head->rule->match.reads[POLICY_REQUEST].bits;
    }
    qsort(set->entries, set->rule_count, sizeof *set->entries, compare_entries);
    stack_rollouts(set);
    return ERR_OK;
}

static enum err make(struct policy_set *set, struct maker *m, const struct policy_source *sources,
                     size_t count)
{
    struct policy_mistakes *mistakes = m->reader.mistakes;
    for (size_t i = 0; i < count && m->reader.failure == ERR_OK; i++) {
        m->reader.source = i;
        read_source(m, &sources[i]);
    }
    set->programs = m->making.programs;
    TRY(m->reader.failure);
    TRY(arrange(set, m));
    refuse_twins(set, mistakes);
    for (const struct policy_reference *reference = m->making.references; reference;
         reference = reference->next)
        resolve(set, reference, mistakes);
    policy_mistakes_sort(mistakes);
    return mistakes->count ? ERR_INVALID : ERR_OK;
}

enum err policy_set_create(const struct policy_source *sources, size_t count,
                           struct policy_set **ret_set, struct policy_mistakes *ret_mistakes)
{
    struct arena arena;
    ret_mistakes->count = 0;
    if (count > POLICY_SOURCES_MAX)
        return ERR_LIMIT;
    arena_init(&arena, SET_BYTES_MAX);
    struct policy_set *set = arena_calloc(&arena, sizeof *set);
    if (!set)
        return ERR_NO_MEMORY;
    set->arena = arena;
    struct maker m = {
        .making.arena = &set->arena,
        .reader = {.making = &m.making, .scratch = &m.tree, .mistakes = ret_mistakes}};
    arena_init(&m.tree, TREE_BYTES_MAX);
    buf_init(&m.heads, HEADS_MAX * sizeof(struct policy_head));
    enum err e = policy_cel_vm_create(POLICY_VM_BYTES, &m.making.vm);
    if (e == ERR_OK)
        e = make(set, &m, sources, count);
    if (e == ERR_OK)
        *ret_set = set;
    else
        policy_set_destroy(set);
    policy_cel_vm_destroy(m.making.vm);
    buf_fini(&m.heads);
    arena_fini(&m.tree);
    return e;
}

void policy_set_destroy(struct policy_set *set)
{
    if (!set)
        return;
    for (struct policy_program *p = set->programs; p; p = p->next)
        policy_cel_program_destroy(p->program);
    struct arena arena = set->arena; /* which holds the set */
    arena_fini(&arena);
}

/* --- asking */

size_t policy_set_count(const struct policy_set *set)
{
    return set->rule_count;
}

const struct policy_rule *policy_set_rule(const struct policy_set *set, size_t index)
{
    CHECK(index < set->rule_count);
    return set->entries[index].rule;
}

const struct policy_rule *policy_set_find(const struct policy_set *set, struct bytes name)
{
    const struct policy_head *head = find_head(set, name, true);
    return head ? head->rule : NULL;
}

size_t policy_set_strategy_count(const struct policy_set *set)
{
    return set->strategy_count;
}

const struct policy_strategy *policy_set_strategy(const struct policy_set *set, size_t index)
{
    CHECK(index < set->strategy_count);
    return set->strategies[index];
}

void policy_set_withdraw(struct policy_set *set, struct bytes name, uint64_t version)
{
    for (size_t i = 0; i < set->head_count; i++) {
        struct policy_rule *rule = set->heads[i].rule;
        if (rule && rule->version == version && rule->rollout_percent < 100 &&
            bytes_equal(rule->name, name))
            rule->rollout_percent = 0;
    }
    stack_rollouts(set);
}

static bool takes_key(const struct entry *entry, uint64_t key)
{
    const struct policy_rule *rule = entry->rule;
    struct rng rng;
    if (rule->rollout_above == 0 && rule->rollout_percent == 100)
        return true;
    rng_init(&rng, key ^ entry->salt);
    uint64_t bucket = rng_below(&rng, 100);
    return bucket >= rule->rollout_above && bucket < rule->rollout_percent;
}

const struct policy_rule *policy_set_match(const struct policy_set *set, struct cel_vm *vm,
                                           const struct policy_request *request)
{
    struct policy_values values;
    const struct cel_value *const facts[POLICY_GROUPS] = {[POLICY_REQUEST] = values.slots};
    policy_facts_fill(POLICY_REQUEST, request, set->match_reads, &values);
    for (size_t i = 0; i < set->rule_count; i++)
        if (takes_key(&set->entries[i], request->key) &&
            policy_holds(&set->entries[i].rule->match, POLICY_ALL_PARTS, vm, facts))
            return set->entries[i].rule;
    return policy_rule_default();
}
