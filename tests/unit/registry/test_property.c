/* The same log gives the same state: random commands go to two registries. One applies them
 * plainly. The other is stopped, aborted, asked what would become, and replaced by a snapshot;
 * results, rows and hash stay the same, and the hash is the one that a scan finds.
 *
 * usage: test_property [COMMANDS [SEED]] */
#include "registry_world.h"

#include "tests/support/registry_chance.h"

#define BATCH_MAX 24
#define OLD 32 /* commands that are said again at times */

struct twins {
    struct world plain, shaken;
    struct person people[CHANCE_PEOPLE];
    struct rng rng;
    struct buf old[OLD];         /* signed commands */
    struct buf batch[BATCH_MAX]; /* proposals of one command each */
    size_t batch_count;
    uint64_t index; /* of the last entry before the batch */
    struct registry_result results[BATCH_MAX];
    size_t accepted, refused;
    uint64_t wanted, seed;
};

/* --- commands --- */

/* A form that a client would not sign is left out. */
static bool sign_random(struct twins *t, struct buf *out)
{
    struct registry_op ops[4];
    struct registry_fault fault;
    size_t author = rng_chance(&t->rng, 0.7) ? 1 : rng_below(&t->rng, CHANCE_PEOPLE);
    struct person *p = &t->people[author];
    struct registry_command c = {.mesh = t->plain.cfg.mesh,
                                 .sequence = p->sequence + 1,
                                 .not_after_ms = t->plain.time_ms + HOUR_MS,
                                 .ops = ops,
                                 .op_count =
                                     rng_chance(&t->rng, 0.7) ? 1 : 1 + rng_below(&t->rng, 4)};
    if (author == 0 && rng_chance(&t->rng, 0.8))
        return false;
    for (size_t i = 0; i < c.op_count; i++)
        ops[i] = chance_op(&t->rng, t->people);
    if (author > 1 && rng_chance(&t->rng, 0.3))
        c.sequence = 0; /* as invitations have it */
    else if (rng_chance(&t->rng, 0.1))
        c.sequence = rng_below(&t->rng, p->sequence + 2);
    if (rng_chance(&t->rng, 0.05))
        c.not_after_ms = t->plain.time_ms - 1;
    buf_clear(out);
    if (registry_command_sign(&c, p->secret, &fault, out) != ERR_OK)
        return false;
    if (c.sequence > p->sequence)
        p->sequence = c.sequence;
    return true;
}

static struct bytes next_command(struct twins *t)
{
    struct buf *slot = &t->old[rng_below(&t->rng, OLD)];
    if (slot->size > 0 && rng_chance(&t->rng, 0.1)) /* again, at times altered */
        return buf_bytes(slot);
    while (!sign_random(t, slot))
        ;
    if (rng_chance(&t->rng, 0.3)) {
        struct buf more;
        buf_init(&more, REGISTRY_COMMAND_MAX);
        const struct person *p = &t->people[rng_below(&t->rng, CHANCE_PEOPLE)];
        if (registry_command_cosign(buf_bytes(slot), p->secret, &more) == ERR_OK) {
            buf_clear(slot);
            assert_int_equal(buf_append(slot, buf_bytes(&more)), ERR_OK);
        }
        buf_fini(&more);
    }
    return buf_bytes(slot);
}

static void make_batch(struct twins *t)
{
    t->index = t->plain.index;
    t->batch_count = 1 + rng_below(&t->rng, BATCH_MAX);
    for (size_t i = 0; i < t->batch_count; i++) {
        struct bytes command = next_command(t);
        t->plain.time_ms += rng_below(&t->rng, 1000);
        buf_clear(&t->batch[i]);
        assert_int_equal(registry_proposal_encode(t->plain.time_ms, &command, 1, &t->batch[i]),
                         ERR_OK);
    }
}

/* --- applying --- */

static void apply_one(struct twins *t, struct world *w, size_t i, struct registry_result *result)
{
    struct registry_applied applied;
    struct registry_head before = world_head(w), after;
    struct registry_entry entry = {t->index + 1 + i, 1, {(uint8_t)i}, buf_bytes(&t->batch[i])};
    assert_int_equal(registry_apply(w->r, &entry, &applied), ERR_OK);
    assert_int_equal(applied.count, 1);
    *result = applied.results[0];
    after = world_head(w);
    bool has_changed = result->err == ERR_OK && result->changed && !result->is_repeat;
    assert_int_equal(after.epoch - before.epoch, has_changed);
    if (!has_changed)
        assert_memory_equal(before.rows, after.rows, sizeof(before.rows));
}

static void check_some(struct twins *t, struct world *w)
{
    struct registry_result result;
    struct registry_head before = world_head(w), after;
    const struct buf *slot = &t->old[rng_below(&t->rng, OLD)];
    assert_int_equal(registry_check(w->r, t->plain.time_ms, buf_bytes(slot), &result), ERR_OK);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void apply_plainly(struct twins *t)
{
    assert_int_equal(registry_begin(t->plain.r), ERR_OK);
    for (size_t i = 0; i < t->batch_count; i++) {
        apply_one(t, &t->plain, i, &t->results[i]);
        t->accepted += t->results[i].err == ERR_OK;
        t->refused += t->results[i].err != ERR_OK;
    }
    assert_int_equal(registry_commit(t->plain.r), ERR_OK);
    t->plain.index += t->batch_count;
}

static void same_result(const struct registry_result *a, const struct registry_result *b)
{
    assert_int_equal(a->err, b->err);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->changed, b->changed);
    assert_int_equal(a->is_repeat, b->is_repeat);
    assert_string_equal(a->fault.field, b->fault.field);
    assert_string_equal(a->fault.what, b->fault.what);
}

/* From `first` on, until the end or until it is stopped: what was not committed comes again. */
static void apply_shaken(struct twins *t)
{
    struct world *w = &t->shaken;
    size_t done = 0;
    while (done < t->batch_count) {
        size_t end = done + 1 + rng_below(&t->rng, t->batch_count - done);
        assert_int_equal(registry_begin(w->r), ERR_OK);
        for (size_t i = done; i < end; i++) {
            struct registry_result result;
            if (rng_chance(&t->rng, 0.2))
                check_some(t, w);
            apply_one(t, w, i, &result);
            same_result(&t->results[i], &result);
        }
        if (rng_chance(&t->rng, 0.2)) {
            registry_abort(w->r);
            continue;
        }
        if (rng_chance(&t->rng, 0.05)) { /* with the batch open */
            world_reopen(w);
            continue;
        }
        assert_int_equal(registry_commit(w->r), ERR_OK);
        done = end;
    }
}

/* --- comparing --- */

static void save_all(struct world *w, struct buf *out)
{
    struct registry_save *save;
    uint64_t size;
    assert_int_equal(registry_save_open(w->r, &save, &size), ERR_OK);
    buf_init(out, size);
    assert_int_equal(registry_save_read(save, 0, size, out), ERR_OK);
    registry_save_close(save);
}

static void compare(struct twins *t, bool replaces)
{
    struct registry_head a = world_head(&t->plain), b = world_head(&t->shaken);
    struct buf plain, shaken;
    assert_memory_equal(&a, &b, sizeof(a));
    world_check_hash(&t->plain);
    save_all(&t->plain, &plain);
    save_all(&t->shaken, &shaken);
    assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&shaken)));
    if (replaces) {
        struct registry_load *load;
        assert_int_equal(registry_load_begin(t->shaken.r, &load), ERR_OK);
        assert_int_equal(registry_load_append(load, buf_bytes(&plain)), ERR_OK);
        assert_int_equal(registry_load_finish(load), ERR_OK);
        world_check_hash(&t->shaken);
    }
    buf_fini(&plain);
    buf_fini(&shaken);
}

static void the_same_log_gives_the_same_state(void **state)
{
    struct twins *t = *state;
    world_init(&t->plain);
    world_init(&t->shaken);
    for (uint8_t i = 0; i < CHANCE_PEOPLE; i++)
        person_init(&t->people[i], (uint8_t)(i + 1));
    world_found(&t->plain);
    world_found(&t->shaken);
    t->people[0].sequence = 1;
    rng_init(&t->rng, t->seed);
    for (size_t i = 0; i < OLD; i++)
        buf_init(&t->old[i], REGISTRY_COMMAND_MAX);
    for (size_t i = 0; i < BATCH_MAX; i++)
        buf_init(&t->batch[i], REGISTRY_PROPOSAL_MAX);
    while (t->accepted + t->refused < t->wanted) {
        make_batch(t);
        apply_plainly(t);
        apply_shaken(t);
        if (rng_chance(&t->rng, 0.1))
            compare(t, rng_chance(&t->rng, 0.5));
    }
    compare(t, true);
    print_message("%zu commands took effect, %zu were refused\n", t->accepted, t->refused);
    assert_true(t->accepted > t->wanted / 10); /* it is not all noise */
    for (size_t i = 0; i < OLD; i++)
        buf_fini(&t->old[i]);
    for (size_t i = 0; i < BATCH_MAX; i++)
        buf_fini(&t->batch[i]);
    world_fini(&t->plain);
    world_fini(&t->shaken);
}

int main(int argc, char **argv)
{
    struct twins *t = calloc(1, sizeof(*t));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(the_same_log_gives_the_same_state, t),
    };
    t->wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
    t->seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(t);
    return failed;
}
