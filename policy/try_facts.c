/* Facts that tests give, into the structs that decisions read: the table of facts backwards. */
#include "policy/try_facts.h"

#include <math.h>

#include "policy/cel_text.h"

#define NEAR_MAX 4
#define FACT_NAME_MAX 64

static struct bytes fact_name(size_t i)
{
    return bytes_from_str(policy_facts[i].name);
}

static const struct policy_fact *find_fact(struct bytes name)
{
    for (size_t i = 0; i < policy_fact_count; i++)
        if (bytes_equal(name, fact_name(i)))
            return &policy_facts[i];
    return NULL;
}

static void set_unknown(const struct policy_fact *f, void *field)
{
    switch (f->encoding) {
    case POLICY_COUNT:
    case POLICY_TRUTH:
    case POLICY_MS: *(int64_t *)field = -1; break;
    case POLICY_REAL:
    case POLICY_SHARE:
    case POLICY_AMOUNT:
    case POLICY_US: *(double *)field = NAN; break;
    default: break; /* zero is empty, false, ordinary */
    }
}

void policy_facts_unknown(enum policy_group group, void *owner)
{
    for (size_t i = 0; i < policy_fact_count; i++)
        if (policy_facts[i].group == group)
            set_unknown(&policy_facts[i], (uint8_t *)owner + policy_facts[i].offset);
}

/* --- single facts */

static void read_text(struct policy_reader *r, const struct yaml_item *v, void *field)
{
    struct bytes text;
    if (policy_read_scalar(r, v, &text))
        *(struct bytes *)field = text;
}

static void read_tier(struct policy_reader *r, const struct yaml_item *v, void *field)
{
    struct bytes text;
    if (!policy_read_scalar(r, v, &text))
        return;
    *(enum policy_tier *)field = policy_tier_of(text);
    if (*(enum policy_tier *)field == POLICY_TIER_UNKNOWN)
        policy_mistake(r, v, "expected edge, regional or cloud");
}

static void read_truth(struct policy_reader *r, const struct yaml_item *v, void *field)
{
    bool is_true;
    if (policy_read_bool(r, v, &is_true))
        *(int64_t *)field = is_true;
}

static void read_integer(struct policy_reader *r, const struct yaml_item *v, void *field)
{
    if (v->kind != YAML_SCALAR || v->quoted || !policy_cel_parse_int(v->text, field))
        policy_mistake(r, v, "expected a whole number");
}

static void read_count(struct policy_reader *r, const struct yaml_item *v, void *field)
{
    uint64_t count;
    if (policy_read_count(r, v, 0, 1000000000000, &count))
        *(int64_t *)field = (int64_t)count;
}

static void read_time(struct policy_reader *r, const struct yaml_item *v,
                      enum policy_encoding encoding, void *field)
{
    struct cel_value value;
    enum cel_kind kind = encoding == POLICY_WALL ? CEL_TIMESTAMP : CEL_DURATION;
    if (v->kind != YAML_SCALAR || policy_cel_parse_time(kind, v->text, &value) != ERR_OK ||
        (kind == CEL_DURATION && value.integer < 0)) {
        policy_mistake(r, v, "expected %s",
                       kind == CEL_DURATION ? "a duration such as 50ms or 1.5s"
                                            : "a time such as 2026-01-31T12:00:00Z");
        return;
    }
    if (encoding == POLICY_US)
        *(double *)field = (double)value.integer / 1000;
    else if (encoding == POLICY_MS)
        *(int64_t *)field = value.integer / 1000000;
    else
        *(int64_t *)field = value.integer * 1000 + value.size / 1000000;
}

/* Into the pairs of a request or candidate; their count lies behind the pointer to them. */
static void read_pairs(struct policy_reader *r, const struct yaml_item *v,
                       const struct policy_pair **ret_pairs, size_t *ret_count)
{
    size_t count = 0;
    if (v->kind != YAML_MAP) {
        policy_mistake(r, v, "expected a mapping, found %s", yaml_item_describe(v));
        return;
    }
    struct policy_pair *pairs = arena_alloc(r->scratch, POLICY_PAIRS_MAX * sizeof *pairs);
    if (!pairs) {
        r->failure = ERR_NO_MEMORY;
        return;
    }
    for (const struct yaml_item *item = v->first; item && count < POLICY_PAIRS_MAX;
         item = item->next) {
        size_t up = policy_path_down(r, item->key->text, SIZE_MAX);
        pairs[count].name = item->key->text;
        count += policy_read_scalar(r, item, &pairs[count].value);
        policy_path_up(r, up);
    }
    *ret_pairs = pairs;
    *ret_count = count;
}

static void read_real(struct policy_reader *r, const struct yaml_item *v,
                      enum policy_encoding encoding, void *field)
{
    double min = encoding == POLICY_REAL ? -1e9 : 0;
    policy_read_real(r, v, min, encoding == POLICY_SHARE ? 1 : 1e9, field);
}

static void read_fact(struct policy_reader *r, const struct yaml_item *v,
                      const struct policy_fact *f, const struct policy_given *into)
{
    void *owner = into->owners[f->group];
    void *field = (uint8_t *)owner + f->offset;
    struct policy_request *request = into->owners[POLICY_REQUEST];
    struct policy_static *seldom = into->owners[POLICY_STATIC];
    switch (f->encoding) {
    case POLICY_TEXT: read_text(r, v, field); break;
    case POLICY_TIER: read_tier(r, v, field); break;
    case POLICY_BOOL: policy_read_bool(r, v, field); break;
    case POLICY_TRUTH: read_truth(r, v, field); break;
    case POLICY_INTEGER: read_integer(r, v, field); break;
    case POLICY_COUNT: read_count(r, v, field); break;
    case POLICY_REAL:
    case POLICY_SHARE:
    case POLICY_AMOUNT: read_real(r, v, f->encoding, field); break;
    case POLICY_MS:
    case POLICY_US:
    case POLICY_WALL: read_time(r, v, f->encoding, field); break;
    case POLICY_PAIRS:
        if (f->group == POLICY_REQUEST)
            read_pairs(r, v, &request->headers, &request->header_count);
        else
            read_pairs(r, v, &seldom->labels, &seldom->label_count);
        break;
    }
}

/* --- names */

static void refuse_name(struct policy_reader *r, const struct yaml_item *key, struct bytes name,
                        const struct policy_given *into)
{
    const char *near = NULL;
    unsigned best = NEAR_MAX;
    for (size_t i = 0; i < policy_fact_count; i++) {
        unsigned distance = bytes_distance(name, fact_name(i));
        if (distance >= best || !into->owners[policy_facts[i].group])
            continue;
        best = distance;
        near = policy_facts[i].name;
    }
    policy_mistake(r, key, "no such fact of %s%s%s%s", into->what, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

static void read_named(struct policy_reader *r, const struct yaml_item *item, struct bytes prefix,
                       const struct policy_given *into)
{
    char storage[FACT_NAME_MAX];
    struct buf name;
    buf_init_fixed(&name, (uint8_t *)storage, sizeof storage);
    bool fits = buf_append(&name, prefix) == ERR_OK && buf_append(&name, item->key->text) == ERR_OK;
    const struct policy_fact *fact = fits ? find_fact(buf_bytes(&name)) : NULL;
    if (fact && into->owners[fact->group])
        read_fact(r, item, fact, into);
    else if (!fact && item->kind == YAML_MAP && fits && buf_append_byte(&name, '.') == ERR_OK)
        policy_read_facts(r, item, buf_bytes(&name), into);
    else
        refuse_name(r, item->key, fits ? buf_bytes(&name) : item->key->text, into);
}

void policy_read_facts(struct policy_reader *r, const struct yaml_item *map, struct bytes prefix,
                       const struct policy_given *into)
{
    if (map->kind != YAML_MAP) {
        policy_mistake(r, map, "expected a mapping of facts, found %s", yaml_item_describe(map));
        return;
    }
    for (const struct yaml_item *item = map->first; item; item = item->next) {
        size_t up = policy_path_down(r, item->key->text, SIZE_MAX);
        const struct yaml_item *before = policy_stands_before(map, item);
        if (before)
            policy_mistake(r, item->key, "stands here twice, first in line %u",
                           before->key->line + r->line_offset);
        else
            read_named(r, item, prefix, into);
        policy_path_up(r, up);
    }
}
