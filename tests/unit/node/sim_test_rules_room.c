/* Tests of node/rules on disks without room: real file systems of a few pages, below members in a
 * simulated world. Who lacks room leads no more and applies nothing, the others go on, and when
 * there is room it catches up by itself. Skipped where nothing may be mounted. */
#include "rules_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#define LONG_COUNT 16    /* settings of one command, together more than three pages */
#define COMMANDS_MAX 900 /* a disk of these sizes is full before */

static void path_in(const struct member *m, const char *folder, const char *name,
                    char ret_path[192])
{
    snprintf(ret_path, 192, "%s/%s%s", m->dir, folder, name);
}

/* Before anything is made that a test would leave behind. */
static void skip_without_mounts(void)
{
    char path[] = "/tmp/rules-room-XXXXXX";
    assert_non_null(mkdtemp(path));
    bool can = mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0;
    assert_true(!can || umount(path) == 0);
    assert_int_equal(rmdir(path), 0);
    if (!can)
        skip();
}

/* A disk of its own for a member that did not start yet, or for one of its folders. */
static void mount_disk(const struct member *m, const char *folder, const char *options)
{
    char path[192];
    path_in(m, folder, "", path);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    assert_int_equal(mount("tmpfs", path, "tmpfs", 0, options), 0);
}

static void end(struct world *w, struct member *m, const char *folder)
{
    char path[192];
    member_stop(m);
    path_in(m, folder, "", path);
    assert_int_equal(umount(path), 0);
    world_fini(w);
}

static void fill_disk(const struct member *m, const char *folder)
{
    static const uint8_t page[4096];
    char path[192];
    path_in(m, folder, "/ballast", path);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof page) == (ssize_t)sizeof page)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void free_disk(const struct member *m, const char *folder)
{
    char path[192];
    path_in(m, folder, "/ballast", path);
    assert_int_equal(unlink(path), 0);
}

static void submit_long(struct member *m, unsigned number, struct asked *a)
{
    struct registry_op ops[LONG_COUNT];
    char keys[LONG_COUNT][16], value[800];
    struct buf wire;
    memset(value, 'v', sizeof value);
    for (unsigned i = 0; i < LONG_COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "x.long%u", number % 20 * LONG_COUNT + i);
        ops[i] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
        ops[i].doc.setting = (struct registry_setting){.key = bytes_from_str(keys[i]),
                                                       .value = bytes_of(value, sizeof value)};
    }
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    *a = (struct asked){.call.on_done = asked_on_done};
    world_sign(m->world, &m->world->admin, ++m->world->sequence, ops, LONG_COUNT, &wire);
    assert_int_equal(rules_submit(m->rules, &a->call, buf_bytes(&wire)), ERR_OK);
    buf_fini(&wire);
}

static void put_long(struct member *m, unsigned number)
{
    struct asked a;
    submit_long(m, number, &a);
    WORLD_UNTIL(m->world, a.is_done);
    if (a.result.err != ERR_OK)
        fail_msg("%u: %s: %s", number, err_word(a.result.err), a.result.fault.what);
}

static bool is_full(const struct member *m)
{
    return member_status(m).is_disk_full;
}

/* Until `m` is full; commands are brought to `to`. */
static unsigned put_until_full(const struct member *m, struct member *to)
{
    unsigned n = 0;
    while (!is_full(m) && n < COMMANDS_MAX)
        put_long(to, n++);
    assert_true(is_full(m));
    assert_true(member_said(m, "rules_disk_full"));
    return n;
}

/* --- a leader */

static void check_a_leader(uint64_t seed, bool is_durable, const char *folder, const char *options)
{
    struct world w;
    skip_without_mounts();
    world_init(&w, seed, 3);
    struct member *full = &w.members[0], *other = &w.members[1];
    w.is_durable = is_durable;
    mount_disk(full, folder, options);
    world_start(&w);
    member_vote(full, 3);
    WORLD_UNTIL(&w, member_status(other).is_voter && member_status(&w.members[2]).is_voter);
    assert_true(member_status(full).is_leader);
    member_put(full, "x.before", "1");
    fill_disk(full, folder);
    unsigned n = put_until_full(full, other);
    WORLD_UNTIL(&w, !member_status(full).is_leader && member_status(other).has_quorum);
    for (unsigned i = 0; i < 20; i++)
        put_long(i % 2 ? other : full, n++);
    assert_true(member_has(full, "x.before"));
    assert_int_equal(member_status(full).stopped, ERR_OK);
    world_run(&w, 5 * SECOND);
    assert_true(is_full(full) && !world_is_one(&w, 3));
    free_disk(full, folder);
    WORLD_UNTIL(&w, !is_full(full) && world_is_one(&w, 3));
    assert_true(member_said(full, "rules_disk_has_room"));
    assert_false(member_said(full, "rules_stopped"));
    put_long(full, n);
    WORLD_UNTIL(&w, world_is_one(&w, 3));
    end(&w, full, folder);
}

static void a_leader_without_room_for_the_registry_is_replaced_and_catches_up(void **state)
{
    check_a_leader(21, false, "registry", "size=1m");
}

/* Said early: with room for what is under way. */
static void a_leader_without_room_for_the_log_is_replaced_and_catches_up(void **state)
{
    check_a_leader(22, true, "raft", "size=20m");
}

/* Not allocated, so it is said by a commit that fails. */
static void a_leader_whose_commit_finds_no_room_is_replaced_and_catches_up(void **state)
{
    check_a_leader(23, false, "raft", "size=1m");
}

/* --- the only voter: what it could not do is not guessed, and goes on when there is room */

static void check_the_only_voter(uint64_t seed, const char *folder)
{
    struct world w;
    struct asked a = {.is_done = true};
    skip_without_mounts();
    world_init(&w, seed, 1);
    struct member *m = &w.members[0];
    mount_disk(m, folder, "size=1m");
    world_start(&w);
    fill_disk(m, folder);
    for (unsigned n = 0; n < COMMANDS_MAX && !is_full(m); n++) {
        submit_long(m, n, &a);
        WORLD_UNTIL(&w, a.is_done);
    }
    assert_true(is_full(m));
    assert_true(a.result.err == ERR_UNKNOWN_OUTCOME || a.result.err == ERR_TIMEOUT);
    assert_false(member_status(m).has_quorum);
    free_disk(m, folder);
    WORLD_UNTIL(&w, member_status(m).is_leader && !is_full(m));
    member_put(m, "x.after", "1");
    member_crash(m);
    member_start(m);
    WORLD_UNTIL(&w, member_has(m, "x.after"));
    end(&w, m, folder);
}

static void the_only_voter_goes_on_when_the_registry_has_room(void **state)
{
    check_the_only_voter(24, "registry");
}

static void the_only_voter_goes_on_when_the_log_has_room(void **state)
{
    check_the_only_voter(25, "raft");
}

/* --- a replica; the others keep so little that it needs a snapshot afterwards */

static void check_a_replica(uint64_t seed, bool is_durable, const char *folder, const char *options)
{
    struct world w;
    skip_without_mounts();
    world_init(&w, seed, 2);
    w.snapshot_entries = 40;
    w.is_durable = is_durable;
    struct member *replica = &w.members[1];
    mount_disk(replica, folder, options);
    world_start(&w);
    member_put(replica, "x.before", "1");
    WORLD_UNTIL(&w, world_is_one(&w, 2));
    fill_disk(replica, folder);
    unsigned n = put_until_full(replica, &w.members[0]);
    for (unsigned i = 0; i < 100; i++)
        put_long(&w.members[0], n++);
    assert_int_equal(member_status(replica).stopped, ERR_OK);
    assert_true(member_has(replica, "x.before"));
    world_run(&w, 3 * SECOND);
    assert_false(world_is_one(&w, 2));
    free_disk(replica, folder);
    WORLD_UNTIL(&w, world_is_one(&w, 2) && !is_full(replica));
    assert_true(member_said(replica, "snapshot_installed"));
    assert_false(member_said(replica, "replica_source_lies"));
    end(&w, replica, folder);
}

static void a_replica_without_room_for_the_registry_catches_up(void **state)
{
    check_a_replica(26, false, "registry", "size=1m");
}

static void a_replica_without_room_for_anything_catches_up(void **state)
{
    check_a_replica(27, true, "", "size=24m");
}

static void a_replica_whose_commit_finds_no_room_catches_up(void **state)
{
    check_a_replica(28, false, "", "size=2m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_without_room_for_the_registry_is_replaced_and_catches_up),
        cmocka_unit_test(a_leader_without_room_for_the_log_is_replaced_and_catches_up),
        cmocka_unit_test(a_leader_whose_commit_finds_no_room_is_replaced_and_catches_up),
        cmocka_unit_test(the_only_voter_goes_on_when_the_registry_has_room),
        cmocka_unit_test(the_only_voter_goes_on_when_the_log_has_room),
        cmocka_unit_test(a_replica_without_room_for_the_registry_catches_up),
        cmocka_unit_test(a_replica_without_room_for_anything_catches_up),
        cmocka_unit_test(a_replica_whose_commit_finds_no_room_catches_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
