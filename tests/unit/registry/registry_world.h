/* A registry in a temporary directory, keys for whoever speaks to it, and short ways to say things.
 * Keys are made from numbers, so everything is the same in every run. */
#ifndef TESTS_REGISTRY_WORLD_H
#define TESTS_REGISTRY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/registry.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW_MS 1800000000000ull
#define HOUR_MS 3600000ull
#define NO_BYTES ((struct bytes){0})
#define TEXT(str) bytes_from_str(str)
#define ID_BYTES(id) bytes_of((id).bytes, ID_SIZE)

struct person {
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct id id;
    uint64_t sequence; /* of the last command */
};

enum { ROOT, ALICE, BOB, CAROL, DAVE, ERIN, PEOPLE };

struct world {
    char root_dir[64], dir[96];
    struct registry_cfg cfg;
    struct registry *r;
    struct person people[PEOPLE];
    uint64_t time_ms, index;
    struct registry_result result; /* of the last command */
};

static inline void person_init(struct person *p, uint8_t number)
{
    uint8_t seed[CRYPTO_SEED_SIZE] = {number, 7};
    crypto_sign_keypair_from_seed(seed, p->key, p->secret);
    p->id = id_of_public_key(p->key);
    p->sequence = 0;
}

static inline void world_open(struct world *w)
{
    assert_int_equal(registry_open(&w->cfg, &w->r), ERR_OK);
}

static inline void world_reopen(struct world *w)
{
    registry_close(w->r);
    world_open(w);
}

static inline void world_init(struct world *w)
{
    assert_int_equal(crypto_init(), ERR_OK);
    *w = (struct world){.time_ms = NOW_MS};
    for (uint8_t i = 0; i < PEOPLE; i++)
        person_init(&w->people[i], (uint8_t)(i + 1));
    snprintf(w->root_dir, sizeof(w->root_dir), "/tmp/test_registry.XXXXXX");
    assert_non_null(mkdtemp(w->root_dir));
    snprintf(w->dir, sizeof(w->dir), "%s/data", w->root_dir);
    w->cfg = (struct registry_cfg){
        .dir = w->dir, .map_size = 256 << 20, .mesh = w->people[ROOT].id, .no_sync = true};
    memcpy(w->cfg.root, w->people[ROOT].key, CRYPTO_PUBLIC_SIZE);
    world_open(w);
}

static inline int world_remove_one(const char *path, const struct stat *s, int flag,
                                   struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void world_fini(struct world *w)
{
    registry_close(w->r);
    nftw(w->root_dir, world_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- saying things --- */

static inline void world_sign(struct world *w, struct person *p, uint64_t sequence,
                              const struct registry_op *ops, size_t count, struct buf *out)
{
    struct registry_fault fault;
    struct registry_command c = {.mesh = w->cfg.mesh,
                                 .sequence = sequence,
                                 .not_after_ms = w->time_ms + HOUR_MS,
                                 .ops = ops,
                                 .op_count = count};
    assert_int_equal(registry_command_sign(&c, p->secret, &fault, out), ERR_OK);
}

/* Applies one entry of one signed command and commits it. What the entry itself gives. */
static inline enum err world_apply_entry(struct world *w, struct bytes command)
{
    struct registry_applied applied;
    struct buf proposal;
    buf_init(&proposal, REGISTRY_PROPOSAL_MAX);
    assert_int_equal(registry_proposal_encode(w->time_ms, &command, 1, &proposal), ERR_OK);
    struct registry_entry entry = {
        .index = w->index + 1, .term = 1, .proposal = buf_bytes(&proposal)};
    entry.chain[0] = (uint8_t)entry.index;
    assert_int_equal(registry_begin(w->r), ERR_OK);
    enum err e = registry_apply(w->r, &entry, &applied);
    if (e == ERR_OK) {
        assert_int_equal(applied.count, 1);
        w->result = applied.results[0];
        w->index++;
        assert_int_equal(registry_commit(w->r), ERR_OK);
    } else {
        registry_abort(w->r);
    }
    buf_fini(&proposal);
    return e;
}

/* The verdict on a signed command. */
static inline enum err world_apply(struct world *w, struct bytes command)
{
    assert_int_equal(world_apply_entry(w, command), ERR_OK);
    return w->result.err;
}

static inline enum err world_say(struct world *w, int person, const struct registry_op *ops,
                                 size_t count)
{
    struct buf out;
    struct person *p = &w->people[person];
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, p, ++p->sequence, ops, count, &out);
    enum err e = world_apply(w, buf_bytes(&out));
    buf_fini(&out);
    return e;
}

static inline enum err world_do(struct world *w, int person, struct registry_op op)
{
    return world_say(w, person, &op, 1);
}

/* --- operations --- */

static inline struct registry_op op_admin(const struct person *p, const char *name,
                                          enum registry_role role)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN};
    op.doc.admin = (struct registry_admin){.id = p->id, .name = TEXT(name), .role = role};
    memcpy(op.doc.admin.key, p->key, CRYPTO_PUBLIC_SIZE);
    return op;
}

static inline struct registry_op op_node(const struct person *p, const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_NODE};
    op.doc.node = (struct registry_node){.id = p->id,
                                         .name = TEXT(name),
                                         .tier = REGISTRY_TIER_EDGE,
                                         .region = TEXT("eu-west"),
                                         .not_after_ms = NOW_MS + 1000 * HOUR_MS};
    memcpy(op.doc.node.key, p->key, CRYPTO_PUBLIC_SIZE);
    return op;
}

static inline struct registry_op op_invitation(const struct person *p, uint64_t uses)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_INVITATION};
    op.doc.invitation = (struct registry_invitation){.id = p->id,
                                                     .uses = uses,
                                                     .not_after_ms = NOW_MS + 24 * HOUR_MS,
                                                     .node_not_after_ms = NOW_MS + 2000 * HOUR_MS};
    memcpy(op.doc.invitation.key, p->key, CRYPTO_PUBLIC_SIZE);
    return op;
}

static inline struct registry_op op_model(const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_MODEL};
    op.doc.model = (struct registry_model){.name = TEXT(name), .task = TEXT("chat")};
    return op;
}

static inline struct registry_op op_version(const char *model, const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VERSION};
    op.doc.version = (struct registry_version){
        .model = TEXT(model), .name = TEXT(name), .stage = REGISTRY_PRODUCTION};
    return op;
}

/* One target, or two of one model. */
static inline struct registry_op op_alias(const char *name, const char *model, const char *first,
                                          uint64_t weight, const char *second,
                                          uint64_t second_weight)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_ALIAS};
    op.doc.alias = (struct registry_alias){.name = TEXT(name), .target_count = second ? 2 : 1};
    op.doc.alias.targets[0] = (struct registry_target){TEXT(model), TEXT(first), weight};
    if (second)
        op.doc.alias.targets[1] =
            (struct registry_target){TEXT(model), TEXT(second), second_weight};
    return op;
}

static inline struct registry_op op_tenant(const char *name)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_TENANT};
    op.doc.tenant = (struct registry_tenant){.name = TEXT(name)};
    return op;
}

static inline struct registry_op op_key(const char *tenant, const char *text)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_KEY};
    op.doc.key = (struct registry_key){.tenant = TEXT(tenant)};
    registry_api_key_hash(TEXT(text), op.doc.key.hash);
    memcpy(op.doc.key.id.bytes, op.doc.key.hash, ID_SIZE);
    return op;
}

static inline struct registry_op op_setting(const char *key, const char *value)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    op.doc.setting = (struct registry_setting){TEXT(key), TEXT(value)};
    return op;
}

static inline struct registry_op op_policy(const char *name, const char *document)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_POLICY};
    op.doc.policy = (struct registry_policy){.name = TEXT(name), .document = TEXT(document)};
    return op;
}

static inline struct registry_op op_voters(uint64_t automatic, const struct id *ids, size_t count)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    op.doc.voters = (struct registry_voters){.automatic = automatic, .node_count = count};
    for (size_t i = 0; i < count; i++)
        op.doc.voters.nodes[i].id = ids[i];
    return op;
}

static inline struct registry_op op_cosign(const char *operation, uint64_t count,
                                           const struct id *ids, size_t signers)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_COSIGN};
    op.doc.cosign = (struct registry_cosign){
        .operation = TEXT(operation), .count = count, .signer_count = signers};
    for (size_t i = 0; i < signers; i++)
        op.doc.cosign.signers[i].id = ids[i];
    return op;
}

static inline struct registry_op op_gossip_key(uint64_t number)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_GOSSIP_KEY};
    op.doc.gossip_key = (struct registry_gossip_key){.number = number, .key = {(uint8_t)number, 1}};
    return op;
}

/* The same row removed or moved: only what names it stays. */
static inline struct registry_op op_verb(struct registry_op put, enum registry_verb verb,
                                         uint32_t state)
{
    const struct registry_group *group = &registry_schema(put.kind)->group;
    struct registry_op op = {.verb = verb, .kind = put.kind, .state = state};
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        size_t size = f->type <= REGISTRY_TYPE_DOCUMENT ? sizeof(struct bytes)
                      : f->type == REGISTRY_TYPE_ID     ? ID_SIZE
                                                        : sizeof(uint64_t);
        if (f->flags & REGISTRY_IN_KEY)
            memcpy((uint8_t *)&op.doc + f->offset, (const uint8_t *)&put.doc + f->offset, size);
    }
    return op;
}

static inline struct registry_op op_remove(struct registry_op put)
{
    return op_verb(put, REGISTRY_REMOVE, 0);
}

static inline struct registry_op op_move(struct registry_op put, uint32_t state)
{
    return op_verb(put, REGISTRY_MOVE, state);
}

/* --- looking --- */

static inline struct registry_reader *world_reader(struct world *w)
{
    struct registry_reader *reader;
    assert_int_equal(registry_reader_open(w->r, &reader), ERR_OK);
    return reader;
}

static inline struct registry_head world_head(struct world *w)
{
    struct registry_head head;
    registry_head(w->r, &head);
    return head;
}

/* Only numbers and ids of ret_row may be looked at: its texts are gone. */
static inline enum err world_get(struct world *w, enum registry_kind kind, struct bytes first,
                                 struct bytes second, struct registry_row *ret_row)
{
    struct registry_reader *reader = world_reader(w);
    enum err e = registry_get(reader, kind, first, second, ret_row);
    registry_reader_close(reader);
    return e;
}

static inline void world_check_hash(struct world *w)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct registry_head head = world_head(w);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_rehash(reader, hash), ERR_OK);
    registry_reader_close(reader);
    assert_memory_equal(hash, head.hash, CRYPTO_HASH_SIZE);
}

/* The mesh as `init` founds it: alice is its operator, node a1 (erin's key) votes. */
static inline void world_found(struct world *w)
{
    struct person *p = w->people;
    struct registry_op ops[] = {
        op_admin(&p[ALICE], "alice", REGISTRY_OPERATOR),
        op_node(&p[ERIN], "a1"),
        op_voters(0, &p[ERIN].id, 1),
        op_gossip_key(1),
    };
    assert_int_equal(world_say(w, ROOT, ops, 4), ERR_OK);
    assert_int_equal(w->result.epoch, 1);
}

/* One more administrator. */
static inline void world_hire(struct world *w, int person, const char *name,
                              enum registry_role role)
{
    assert_int_equal(world_do(w, ALICE, op_admin(&w->people[person], name, role)), ERR_OK);
}

/* cmocka's set-up and tear-down around a founded world. */
static inline int world_set_up(void **state)
{
    struct world *w = malloc(sizeof(*w));
    world_init(w);
    world_found(w);
    *state = w;
    return 0;
}

static inline int world_tear_down(void **state)
{
    world_check_hash(*state);
    world_fini(*state);
    free(*state);
    return 0;
}

#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

#endif
