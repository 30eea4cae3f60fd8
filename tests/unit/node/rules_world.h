/* A simulated mesh with rules: its founding, its commands, its beginning and end. */
#ifndef TESTS_UNIT_NODE_RULES_WORLD_H
#define TESTS_UNIT_NODE_RULES_WORLD_H

#include "rules_host.h"

/* --- commands */

static inline void world_sign(struct world *w, const struct fixture_key *author, uint64_t sequence,
                              const struct registry_op *ops, size_t count, struct buf *out)
{
    struct registry_fault fault;
    struct registry_command command = {.mesh = w->members[0].identity.mesh,
                                       .sequence = sequence,
                                       .not_after_ms = FIXTURE_NOW_MS + FIXTURE_DAY_MS,
                                       .ops = ops,
                                       .op_count = count};
    enum err e = registry_command_sign(&command, author->secret, &fault, out);
    if (e != ERR_OK)
        fail_msg("%s: %s", fault.field, fault.what);
}

static inline void asked_on_done(struct rules_call *call, const struct registry_result *result)
{
    struct asked *a = (struct asked *)call;
    a->is_done = true;
    a->result = *result;
}

static inline void member_submit(struct member *m, const struct registry_op *op, struct asked *a)
{
    struct buf wire;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    *a = (struct asked){.call.on_done = asked_on_done};
    world_sign(m->world, &m->world->admin, ++m->world->sequence, op, 1, &wire);
    assert_int_equal(rules_submit(m->rules, &a->call, buf_bytes(&wire)), ERR_OK);
    buf_fini(&wire);
}

/* A setting, committed through m. */
static inline void member_put(struct member *m, const char *key, const char *value)
{
    struct asked a;
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    op.doc.setting =
        (struct registry_setting){.key = bytes_from_str(key), .value = bytes_from_str(value)};
    member_submit(m, &op, &a);
    WORLD_UNTIL(m->world, a.is_done);
    if (a.result.err != ERR_OK)
        fail_msg("%s: %s: %s", key, err_word(a.result.err), a.result.fault.what);
}

static inline bool member_has(const struct member *m, const char *key)
{
    struct registry_row row;
    const struct registry_reader *reader = rules_reader(m->rules);
    return reader && registry_get(reader, REGISTRY_SETTING, bytes_from_str(key), bytes_of(NULL, 0),
                                  &row) == ERR_OK;
}

static inline void member_vote(struct member *m, size_t count)
{
    struct asked a;
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    for (size_t i = 0; i < count; i++)
        op.doc.voters.nodes[i].id = m->world->members[i].identity.node;
    op.doc.voters.node_count = count;
    member_submit(m, &op, &a);
    WORLD_UNTIL(m->world, a.is_done);
    assert_int_equal(a.result.err, ERR_OK);
}

/* --- founding: all members that exist are admitted, the first votes */

static inline void world_found_at(struct world *w, struct member *founder)
{
    struct registry_op ops[MEMBERS_MAX + 2];
    struct buf genesis;
    size_t n = 0;
    ops[n] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN};
    ops[n].doc.admin = (struct registry_admin){.id = id_of_public_key(w->admin.public_key),
                                               .name = BYTES("admin"),
                                               .role = REGISTRY_OPERATOR};
    memcpy(ops[n++].doc.admin.key, w->admin.public_key, CRYPTO_PUBLIC_SIZE);
    for (size_t i = 0; i < w->count; i++) {
        const struct cert *cert = &w->members[i].identity.cert;
        ops[n] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_NODE};
        ops[n].doc.node = (struct registry_node){.id = w->members[i].identity.node,
                                                 .name = bytes_from_str(cert->name),
                                                 .tier = cert->tier,
                                                 .region = bytes_from_str(cert->region),
                                                 .not_after_ms = cert->not_after_ms};
        memcpy(ops[n++].doc.node.key, cert->subject, CRYPTO_PUBLIC_SIZE);
    }
    ops[n] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    ops[n].doc.voters =
        (struct registry_voters){.nodes = {{founder->identity.node}}, .node_count = 1};
    n++;
    buf_init(&genesis, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->mesh.root, 1, ops, n, &genesis);
    assert_int_equal(rules_found(founder->dir, &founder->identity, !w->is_durable, FIXTURE_NOW_MS,
                                 buf_bytes(&genesis)),
                     ERR_OK);
    buf_fini(&genesis);
}

static inline void world_init(struct world *w, uint64_t seed, size_t members)
{
    struct sim_config config;
    *w = (struct world){0};
    assert_int_equal(crypto_init(), ERR_OK);
    crypto_seed_for_simulation(seed);
    sim_config_init(&config, seed);
    config.wall_ms = FIXTURE_NOW_MS;
    assert_int_equal(sim_world_create(&config, &w->sim), ERR_OK);
    fixture_init(&w->mesh, 1);
    fixture_key(ADMIN_KEY, &w->admin);
    snprintf(w->dir, sizeof w->dir, "%s/rules-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    for (size_t i = 0; i < members; i++)
        world_member(w);
}

static inline void world_start(struct world *w)
{
    world_found_at(w, &w->members[0]);
    for (size_t i = 0; i < w->count; i++)
        member_start(&w->members[i]);
    WORLD_UNTIL(w, member_status(&w->members[0]).is_leader && world_is_one(w, w->count));
}

static inline void world_fini(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        member_stop(&w->members[i]);
        buf_fini(&w->members[i].log_text);
    }
    world_run(w, 5 * SECOND);
    assert_int_equal(sim_world_leaks(w->sim, true), 0);
    sim_world_destroy(w->sim);
    assert_int_equal(nftw(w->dir, world_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
