/* A registry in a temporary directory, founded as `init` does it, and short ways to speak to it. */
#ifndef TESTS_REGISTRY_WORLD_H
#define TESTS_REGISTRY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/registry_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    char root_dir[64], dir[96];
    struct registry_cfg cfg;
    struct registry *r;
    struct person people[PEOPLE];
    uint64_t time_ms, index;
    struct registry_result result; /* of the last command */
};

static inline void world_open(struct world *w)
{
    assert_int_equal(registry_open(&w->cfg, &w->r), ERR_OK);
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
        .dir = w->dir, .map_size = 512 << 20, .mesh = w->people[ROOT].id, .no_sync = true};
    memcpy(w->cfg.root, w->people[ROOT].key, CRYPTO_PUBLIC_SIZE);
    world_open(w);
}

static inline void world_fini(struct world *w)
{
    static const char *const files[] = {"data/data.mdb", "data/lock.mdb", "data/lock"};
    char path[128];
    registry_close(w->r);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", w->root_dir, files[i]);
        unlink(path);
    }
    rmdir(w->dir);
    assert_int_equal(rmdir(w->root_dir), 0);
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
    struct registry_entry entry = {w->index + 1, 1, {7}, buf_bytes(&proposal)};
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

static inline void world_reopen(struct world *w)
{
    registry_close(w->r);
    world_open(w);
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
    struct registry_op ops[] = {op_admin(&p[ALICE], "alice", REGISTRY_OPERATOR),
                                op_node(&p[ERIN], "a1"), op_voters(0, &p[ERIN].id, 1),
                                op_gossip_key(1)};
    assert_int_equal(world_say(w, ROOT, ops, 4), ERR_OK);
    assert_int_equal(w->result.epoch, 1);
}

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
