/* A registry in a temporary directory for programs that are not cmocka's: founded, with a little of
 * most kinds in it. The directory goes at exit. */
#ifndef TESTS_REGISTRY_SCRATCH_H
#define TESTS_REGISTRY_SCRATCH_H

#include "tests/support/registry_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct scratch {
    char root_dir[64], dir[96];
    struct registry_cfg cfg;
    struct registry *r;
    struct person people[8]; /* 0: the root, 1: an operator, 2: a registrar, 3: an invitation */
    uint64_t index;
};

static inline void scratch_open(struct scratch *s)
{
    CHECK(crypto_init() == ERR_OK);
    for (uint8_t i = 0; i < 8; i++)
        person_init(&s->people[i], (uint8_t)(i + 1));
    snprintf(s->root_dir, sizeof(s->root_dir), "/tmp/registry_scratch.XXXXXX");
    CHECK(mkdtemp(s->root_dir));
    snprintf(s->dir, sizeof(s->dir), "%s/data", s->root_dir);
    s->cfg = (struct registry_cfg){
        .dir = s->dir, .map_size = 64 << 20, .mesh = s->people[0].id, .no_sync = true};
    memcpy(s->cfg.root, s->people[0].key, CRYPTO_PUBLIC_SIZE);
    CHECK(registry_open(&s->cfg, &s->r) == ERR_OK);
}

static inline void scratch_close(struct scratch *s)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "lock"};
    char path[128];
    registry_close(s->r);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
        unlink(path);
    }
    rmdir(s->dir);
    rmdir(s->root_dir);
}

static inline void scratch_sign(struct scratch *s, size_t person, const struct registry_op *ops,
                                size_t count, struct buf *out)
{
    struct registry_fault fault;
    struct person *p = &s->people[person];
    struct registry_command c = {.mesh = s->cfg.mesh,
                                 .sequence = person == 3 ? 0 : ++p->sequence,
                                 .not_after_ms = NOW_MS + HOUR_MS,
                                 .ops = ops,
                                 .op_count = count};
    CHECK(registry_command_sign(&c, p->secret, &fault, out) == ERR_OK);
}

/* Inside a batch, as the next entry. */
static inline enum err scratch_apply(struct scratch *s, struct bytes proposal,
                                     struct registry_applied *ret_applied)
{
    struct registry_entry entry = {s->index + 1, 1, {7}, proposal};
    return registry_apply(s->r, &entry, ret_applied);
}

static inline void scratch_do(struct scratch *s, size_t person, const struct registry_op *ops,
                              size_t count)
{
    struct registry_applied applied;
    struct buf wire, proposal;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    buf_init(&proposal, REGISTRY_PROPOSAL_MAX);
    scratch_sign(s, person, ops, count, &wire);
    struct bytes command = buf_bytes(&wire);
    CHECK(registry_proposal_encode(NOW_MS, &command, 1, &proposal) == ERR_OK);
    CHECK(registry_begin(s->r) == ERR_OK);
    CHECK(scratch_apply(s, buf_bytes(&proposal), &applied) == ERR_OK);
    CHECK(applied.results[0].err == ERR_OK);
    CHECK(registry_commit(s->r) == ERR_OK);
    s->index++;
    buf_fini(&wire);
    buf_fini(&proposal);
}

static inline void scratch_fill(struct scratch *s)
{
    struct person *p = s->people;
    struct registry_op founding[] = {
        op_admin(&p[1], "alice", REGISTRY_OPERATOR), op_admin(&p[2], "bob", REGISTRY_REGISTRAR),
        op_node(&p[4], "a1"), op_voters(0, &p[4].id, 1), op_gossip_key(1)};
    struct registry_op more[] = {op_invitation(&p[3], 2),
                                 op_model("m"),
                                 op_version("m", "v1"),
                                 op_version("m", "v2"),
                                 op_alias("fast", "m", "v1", 90, "v2", 10),
                                 op_tenant("acme"),
                                 op_key("acme", "gvk_1"),
                                 op_policy("p", "a: 1\n"),
                                 op_setting("x.a", "1"),
                                 op_cosign("node.rm", 1, &p[1].id, 1)};
    scratch_do(s, 0, founding, 5);
    scratch_do(s, 1, more, 10);
}

#endif
