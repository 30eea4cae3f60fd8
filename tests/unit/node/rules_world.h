/* Members of a mesh that have rules and nothing else, on hosts of a simulated world. Each keeps its
 * log in a folder of its own, in memory. */
#ifndef TESTS_UNIT_NODE_RULES_WORLD_H
#define TESTS_UNIT_NODE_RULES_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/rules/rules.h"
#include "tests/sim/io/world.h"
#include "tests/support/trust_fixture.h"

#define MEMBERS_MAX 5
#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define ADMIN_KEY 2

struct member {
    struct world *world;
    size_t index;
    char dir[96];
    struct identity identity;
    struct log log;
    struct buf log_text;
    struct facts facts;
    struct io_loop *loop;
    struct mesh *mesh;
    struct rules *rules;
    const char *contacts[MEMBERS_MAX];
    size_t contact_count;
    uint32_t changed;
};

struct world {
    struct sim_world *sim;
    struct fixture mesh;
    struct fixture_key admin;
    char dir[64];
    struct member members[MEMBERS_MAX];
    size_t count; /* that exist */
    uint64_t sequence;
    uint64_t snapshot_entries;
};

struct asked {
    struct rules_call call;
    bool is_done;
    struct registry_result result;
};

static const char *const member_hosts[MEMBERS_MAX] = {"a", "b", "c", "d", "e"};

/* --- what a member says */

static inline uint64_t member_wall_ms(void *ctx)
{
    return io_wall_ms(((struct member *)ctx)->loop);
}

static inline void member_log(void *ctx, struct bytes line)
{
    struct member *m = ctx;
    if (getenv("RULES_LOG"))
        fprintf(stderr, "%s: %.*s", member_hosts[m->index], (int)line.size,
                (const char *)line.data);
    assert_int_equal(buf_append(&m->log_text, line), ERR_OK);
}

static inline bool member_said(const struct member *m, const char *text)
{
    return memmem(m->log_text.data, m->log_text.size, text, strlen(text)) != NULL;
}

static inline const struct facts *member_facts(void *owner)
{
    struct member *m = owner;
    m->facts.rules = m->mesh ? *mesh_rules(m->mesh) : (struct facts_rules){0};
    return &m->facts;
}

static inline enum err member_on_request(void *owner, struct peer *peer, struct h2_stream *s,
                                         const struct http_head *head, bool ended,
                                         struct mesh_stream **ret_stream)
{
    struct member *m = owner;
    if (!m->rules || !rules_owns(head->target))
        return ERR_NO_SUCH_PATH;
    return rules_accept(m->rules, peer, s, head, ended, ret_stream);
}

static inline void member_on_peer(void *owner, struct peer *peer)
{
    struct member *m = owner;
    (void)peer;
    if (m->rules)
        rules_on_peers(m->rules);
}

static inline enum err member_admit(void *owner, const struct id *node)
{
    const struct member *m = owner;
    return m->rules ? rules_admit(m->rules, node) : ERR_OK;
}

static const struct mesh_ops member_mesh_ops = {.on_request = member_on_request,
                                                .facts = member_facts,
                                                .on_peer = member_on_peer,
                                                .admit = member_admit};

static inline void member_on_change(void *owner, uint32_t kinds)
{
    struct member *m = owner;
    m->changed |= kinds;
    if (m->mesh)
        mesh_review_admission(m->mesh);
}

static const struct rules_ops member_rules_ops = {.on_change = member_on_change};

/* --- running */

static inline void world_run(struct world *w, uint64_t us)
{
    sim_world_run_until(w->sim, sim_world_now_us(w->sim) + us);
}

#define WORLD_UNTIL(w, cond)                                                                       \
    do {                                                                                           \
        uint64_t give_up_us_ = sim_world_now_us((w)->sim) + 60 * SECOND;                           \
        while (!(cond)) {                                                                          \
            if (sim_world_now_us((w)->sim) > give_up_us_)                                          \
                fail_msg("never came true: %s", #cond);                                            \
            world_run((w), 5 * MS);                                                                \
        }                                                                                          \
    } while (0)

/* Every member lists every other one that was made before it. */
static inline struct member *world_member(struct world *w)
{
    static const char *const addresses[MEMBERS_MAX] = {"a:7300", "b:7300", "c:7300", "d:7300",
                                                       "e:7300"};
    struct member *m = &w->members[w->count];
    char name[] = "node-a";
    name[5] = member_hosts[w->count][0];
    *m = (struct member){.world = w, .index = w->count};
    fixture_identity(&w->mesh, (uint8_t)(100 + m->index), name, TIER_EDGE, "eu-west", &m->identity);
    for (size_t i = 0; i < w->count; i++)
        m->contacts[m->contact_count++] = addresses[i];
    snprintf(m->dir, sizeof m->dir, "%s/%s", w->dir, name);
    assert_int_equal(mkdir(m->dir, 0700), 0);
    buf_init(&m->log_text, 16 << 20);
    m->log =
        (struct log){.level = LOG_INFO, .wall_ms = member_wall_ms, .sink = member_log, .ctx = m};
    w->count++;
    return m;
}

static inline void member_start(struct member *m)
{
    struct buf message;
    uint8_t space[512];
    buf_init_fixed(&message, space, sizeof space);
    assert_int_equal(sim_host_create(m->world->sim, member_hosts[m->index], NULL, &m->loop),
                     ERR_OK);
    m->facts = (struct facts){.name = bytes_from_str(m->identity.cert.name),
                              .region = BYTES("eu-west"),
                              .tier = TIER_EDGE,
                              .version = BYTES("0.1.0"),
                              .boot_ms = io_wall_ms(m->loop)};
    struct rules_cfg cfg = {.loop = m->loop,
                            .identity = &m->identity,
                            .log = &m->log,
                            .seed = m->index + 1,
                            .dir = m->dir,
                            .is_volatile = true,
                            .snapshot_entries = m->world->snapshot_entries};
    enum err e = rules_open(&cfg, &member_rules_ops, m, &message, &m->rules);
    if (e != ERR_OK)
        fail_msg("rules_open: %s: %.*s", err_word(e), (int)message.size, (char *)message.data);
    struct mesh_cfg mesh = {.loop = m->loop,
                            .identity = &m->identity,
                            .log = &m->log,
                            .seed = m->index + 1,
                            .contacts = m->contacts,
                            .contact_count = m->contact_count,
                            .advertise = NULL,
                            .streams_max = 256,
                            .stream_window = 1 << 20,
                            .request_window = 1 << 20,
                            .gossip_key = {7},
                            .incarnation = io_wall_ms(m->loop) / 1000,
                            .admission = RULES_COMMAND_TARGET};
    char address[16];
    snprintf(address, sizeof address, "%s:7300", member_hosts[m->index]);
    mesh.advertise = address;
    assert_int_equal(io_addr_parse(BYTES("0.0.0.0:7300"), &mesh.listen), ERR_OK);
    assert_int_equal(mesh_open(&mesh, &member_mesh_ops, m, &m->mesh), ERR_OK);
    rules_attach(m->rules, m->mesh);
}

static inline void member_close(struct member *m)
{
    struct rules *rules = m->rules;
    m->rules = NULL;
    rules_close(rules);
    mesh_close(m->mesh);
    m->mesh = NULL;
    io_loop_destroy(m->loop);
    m->loop = NULL;
}

static inline void member_stop(struct member *m)
{
    if (m->loop)
        member_close(m);
}

static inline void member_crash(struct member *m)
{
    sim_host_crash(m->world->sim, member_hosts[m->index], SIM_CRASH_KILL);
    member_close(m);
}

static inline int world_remove_one(const char *path, const struct stat *info, int kind,
                                   struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static inline void member_wipe(struct member *m)
{
    assert_int_equal(nftw(m->dir, world_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(mkdir(m->dir, 0700), 0);
}

static inline struct rules_status member_status(const struct member *m)
{
    struct rules_status s = {.epoch = 0};
    if (m->rules)
        rules_status(m->rules, &s);
    return s;
}

static inline bool world_is_one(const struct world *w, size_t count)
{
    struct rules_status first = member_status(&w->members[0]);
    for (size_t i = 1; i < count; i++) {
        struct rules_status s = member_status(&w->members[i]);
        if (s.applied != first.applied || memcmp(s.hash, first.hash, sizeof s.hash) != 0)
            return false;
    }
    return first.applied > 0;
}

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
    assert_int_equal(
        rules_found(founder->dir, &founder->identity, true, FIXTURE_NOW_MS, buf_bytes(&genesis)),
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
