/* Members on hosts of a simulated world: made, started, crashed, wiped. Each keeps its log in a
 * folder of its own, in memory. */
#ifndef TESTS_UNIT_NODE_RULES_HOST_H
#define TESTS_UNIT_NODE_RULES_HOST_H

#include "rules_member.h"

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
                            .is_volatile = !m->world->is_durable,
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

/* As `cp -r` by an operator, of a member that does not run. */
static inline void world_copy_folder(const char *from, const char *to)
{
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("cp", "cp", "-r", "--sparse=always", "-T", from, to, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
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

#endif
