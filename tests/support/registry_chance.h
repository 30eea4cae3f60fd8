/* Operations at random, over few names so that they meet: right ones, wrong ones, and ones that
 * depend on what stands. Everything comes from the given numbers. */
#ifndef TESTS_REGISTRY_CHANCE_H
#define TESTS_REGISTRY_CHANCE_H

#include "base/rng.h"
#include "tests/support/registry_ops.h"

enum { CHANCE_PEOPLE = 16 };

static const char *const chance_names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static const char *const chance_aliases[] = {"fast", "cheap", "best", "a"};
static const char *const chance_regions[] = {"eu-west", "eu-east", "us", ""};
static const char *const chance_settings[] = {
    "x.a", "x.b", "mesh.name", "voters.replace_after_ms", "x.longish", "unknown.x"};
static const char *const chance_values[] = {"1", "true", "false", "20000", "some text", ""};
static const char *const chance_words[] = {"setting.put", "voters.put", "residency", "model.rm",
                                           "no.such"};

#define CHANCE_PICK(rng, list) ((list)[rng_below((rng), sizeof(list) / sizeof((list)[0]))])

static inline const char *chance_name(struct rng *rng)
{
    return CHANCE_PICK(rng, chance_names);
}

static inline struct registry_op chance_put_of_mesh(struct rng *rng, const struct person *people)
{
    const struct person *p = &people[2 + rng_below(rng, CHANCE_PEOPLE - 2)]; /* one stays */
    struct id ids[4];
    for (size_t i = 0; i < 4; i++)
        ids[i] = people[1 + rng_below(rng, CHANCE_PEOPLE - 1)].id;
    struct registry_op op;
    switch (rng_below(rng, 8)) {
    case 0: return op_admin(p, chance_name(rng), (enum registry_role)1 + rng_below(rng, 5));
    case 1: return op_invitation(p, rng_below(rng, 4));
    case 2: return op_setting(CHANCE_PICK(rng, chance_settings), CHANCE_PICK(rng, chance_values));
    case 3: return op_gossip_key(2 + rng_below(rng, 8));
    case 4: return op_voters(rng_chance(rng, 0.3) ? rng_below(rng, 9) : 0, ids, rng_below(rng, 4));
    case 5:
        return op_cosign(CHANCE_PICK(rng, chance_words), rng_below(rng, 4), ids, rng_below(rng, 5));
    default:
        op = op_node(p, chance_name(rng));
        op.doc.node.tier = (uint32_t)(1 + rng_below(rng, 4));
        op.doc.node.region = TEXT(CHANCE_PICK(rng, chance_regions));
        return op;
    }
}

static inline struct registry_op chance_put_of_models(struct rng *rng)
{
    struct registry_op op;
    const char *model = CHANCE_PICK(rng, chance_names);
    switch (rng_below(rng, 8)) {
    case 0: return op_model(model);
    case 1:
        return op_alias(CHANCE_PICK(rng, chance_aliases), model, chance_name(rng),
                        rng_below(rng, 100), rng_chance(rng, 0.5) ? chance_name(rng) : NULL,
                        rng_below(rng, 100));
    case 2:
        op = op_tenant(chance_name(rng));
        op.doc.tenant.region_count = rng_below(rng, 3);
        for (size_t i = 0; i < op.doc.tenant.region_count; i++)
            op.doc.tenant.regions[i] = TEXT(CHANCE_PICK(rng, chance_regions));
        return op;
    case 3:
        model = chance_name(rng);
        return op_key(model, rng_chance(rng, 0.8) ? model : chance_name(rng));
    case 4: return op_policy(chance_name(rng), CHANCE_PICK(rng, chance_values));
    case 5:
        op = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_QUOTA};
        op.doc.quota = (struct registry_quota){.tenant = TEXT(chance_name(rng)),
                                               .model = TEXT(rng_chance(rng, 0.5) ? model : ""),
                                               .concurrent = rng_below(rng, 9)};
        return op;
    case 6:
        op = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_PRICE};
        op.doc.price = (struct registry_price){
            .name = TEXT(chance_name(rng)), .model = TEXT(model), .per_request = rng_below(rng, 9)};
        return op;
    default:
        op = op_version(model, chance_name(rng));
        op.doc.version.stage = (uint32_t)rng_below(rng, rng_chance(rng, 0.1) ? 5 : 3);
        op.doc.version.region_count = rng_below(rng, 3);
        for (size_t i = 0; i < op.doc.version.region_count; i++)
            op.doc.version.regions[i] = TEXT(chance_regions[rng_below(rng, 3)]);
        return op;
    }
}

static inline struct registry_op chance_op(struct rng *rng, const struct person *people)
{
    struct registry_op op =
        rng_chance(rng, 0.4) ? chance_put_of_mesh(rng, people) : chance_put_of_models(rng);
    if (rng_chance(rng, 0.15))
        op = op_remove(op);
    else if (rng_chance(rng, 0.2))
        op = op_move(op, (uint32_t)rng_below(rng, rng_chance(rng, 0.1) ? 4 : 2));
    if (rng_chance(rng, 0.03)) {
        op.has_if_rev = true;
        op.if_rev = rng_below(rng, 50);
    }
    return op;
}

#endif
