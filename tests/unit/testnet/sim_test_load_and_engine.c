/* Load generator and emulated engine in one process, over the simulated io: seconds of load in no
 * time, reads cut anyhow, networks that break; and the same seed gives the same run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/engine/serve/server.h"
#include "testnet/load/run.h"
#include "tests/sim/io/world.h"

#include <stdlib.h>

struct town {
    struct sim_world *world;
    struct io_loop *client, *host;
    struct server server;
    struct run run;
    bool is_done;
    uint64_t digest; /* of all results in order */
    uint32_t ended_count;
};

static void on_listening(void *owner, const struct io_addr *addr) {}

static void on_reclaimed(void *owner)
{
    struct town *t = owner;
    server_close(&t->server);
}

static void on_ended(void *owner, const struct server_ended *ended)
{
    ((struct town *)owner)->ended_count++;
}

static void on_result(void *owner, const struct tally_result *r, const char *mark,
                      const char *request_id, const char *node)
{
    struct town *t = owner;
    uint64_t parts[] = {r->number, r->first_us, r->done_us, r->tokens, (uint64_t)r->outcome};
    for (size_t i = 0; i < 5; i++)
        t->digest = (t->digest ^ parts[i]) * 1099511628211u;
}

static void on_done(void *owner)
{
    ((struct town *)owner)->is_done = true;
}

static struct server_cfg engine_cfg(enum say_like like)
{
    struct server_cfg cfg = {.like = like};
    cfg.engine = (struct engine_cfg){.profile = profile_find(BYTES("a100")),
                                     .model_count = 1,
                                     .block_tokens = like == SAY_LLAMACPP ? 1 : 16,
                                     .sequences_max = like == SAY_LLAMACPP ? 4 : 64,
                                     .waiting_max = 500,
                                     .chunk_tokens = 2048,
                                     .loaded_max = 1,
                                     .answer_tokens = 30,
                                     .speed = 1,
                                     .seed = 3};
    cfg.engine.models[0].name = "m";
    cfg.engine.models[0].shape = *shape_find(BYTES("llama-3.1-8b"));
    return cfg;
}

static struct run_cfg load_cfg(double rate, uint64_t seconds)
{
    struct run_cfg cfg = {.timeout_ms = 20000, .open_max = 1000, .checks_marks = true};
    cfg.plan = (struct plan_cfg){
        .kind = PLAN_POISSON, .rate = rate, .duration_us = seconds * 1000000, .seed = 5};
    cfg.talk = (struct talk_cfg){.models = {"m"},
                                 .model_count = 1,
                                 .turns = 3,
                                 .waiting_max = 100,
                                 .groups = 2,
                                 .shared_tokens = 100,
                                 .prompt_tokens = 20,
                                 .output_tokens = 30,
                                 .tenant_count = 1,
                                 .is_stream = true,
                                 .seed = 6};
    cfg.target_count = 1;
    return cfg;
}

static struct town *open_town(uint64_t seed, enum say_like like, struct run_cfg cfg)
{
    struct sim_config config;
    struct town *t = calloc(1, sizeof *t);
    assert_non_null(t);
    sim_config_init(&config, seed);
    assert_int_equal(sim_world_create(&config, &t->world), ERR_OK);
    assert_int_equal(sim_host_create(t->world, "client", NULL, &t->client), ERR_OK);
    assert_int_equal(sim_host_create(t->world, "host", NULL, &t->host), ERR_OK);
    struct server_cfg server = engine_cfg(like);
    sim_host_ip(t->world, "host", &server.listen);
    server.listen.port = 80;
    t->server.owner = t->run.owner = t;
    t->server.on_listening = on_listening;
    t->server.on_reclaimed = on_reclaimed;
    t->server.on_ended = on_ended;
    t->run.on_result = on_result;
    t->run.on_done = on_done;
    assert_int_equal(server_open(&t->server, t->host, &server), ERR_OK);
    cfg.targets[0] = server.listen;
    run_init(&t->run, t->client, &cfg);
    run_start(&t->run);
    return t;
}

static void until_done(struct town *t)
{
    uint64_t limit_us = sim_world_now_us(t->world) + 300 * 1000000ull;
    while (!t->is_done && sim_world_now_us(t->world) < limit_us)
        assert_true(sim_world_step(t->world));
    assert_true(t->is_done);
}

static void close_town(struct town *t)
{
    run_fini(&t->run);
    if (t->server.listener)
        server_close(&t->server);
    assert_int_equal(sim_world_leaks(t->world, true), 0);
    sim_world_destroy(t->world);
    free(t);
}

static void add_fault(struct town *t, const char *json)
{
    struct fault fault;
    struct buf message;
    uint8_t storage[128];
    buf_init_fixed(&message, storage, sizeof storage);
    assert_int_equal(faults_read(bytes_from_str(json), &fault, &message), ERR_OK);
    assert_int_equal(server_add_fault(&t->server, &fault), ERR_OK);
}

static void every_answer_comes_whole_and_is_its_own(void **state)
{
    static const enum say_like likes[] = {SAY_VLLM, SAY_LLAMACPP};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct town *t = open_town(seed, likes[seed % 2], load_cfg(5, 10));
        until_done(t);
        assert_in_range(t->run.tally.count, 30, 75);
        assert_true(t->run.tally.outcomes[TALLY_OK] == t->run.tally.count);
        assert_int_equal(t->ended_count, t->run.tally.count);
        close_town(t);
    }
}

static void the_same_seed_gives_the_same_run_to_the_microsecond(void **state)
{
    uint64_t digests[3];
    for (int i = 0; i < 3; i++) {
        struct town *t = open_town(i == 2 ? 8 : 7, SAY_VLLM, load_cfg(20, 5));
        until_done(t);
        digests[i] = t->digest;
        close_town(t);
    }
    assert_true(digests[0] == digests[1]);
    assert_true(digests[0] != digests[2]);
}

static void faults_end_as_what_they_are_and_nothing_leaks(void **state)
{
    struct town *t = open_town(11, SAY_VLLM, load_cfg(20, 10));
    add_fault(t, "{\"fault\":\"reset\",\"count\":5,\"after\":2,\"chance\":0.3}");
    add_fault(t, "{\"fault\":\"error\",\"count\":5,\"chance\":0.3}");
    add_fault(t, "{\"fault\":\"garbage\",\"count\":5,\"chance\":0.3}");
    add_fault(t, "{\"fault\":\"hang\",\"count\":2,\"chance\":0.3}");
    add_fault(t, "{\"fault\":\"freeze\",\"for_ms\":2000}");
    until_done(t);
    const uint64_t *n = t->run.tally.outcomes;
    assert_true(n[TALLY_RESET] + n[TALLY_CUT] == 5);
    assert_true(n[TALLY_SERVER_ERROR] == 5);
    assert_true(n[TALLY_MALFORMED] == 5);
    assert_true(n[TALLY_TIMEOUT] == 2);
    assert_true(n[TALLY_OK] == t->run.tally.count - 17);
    close_town(t);
}

static void a_network_that_breaks_is_survived_by_both(void **state)
{
    for (uint64_t seed = 20; seed < 30; seed++) {
        struct town *t = open_town(seed, SAY_VLLM, load_cfg(30, 5));
        for (uint64_t s = 1; s < 5; s++) {
            sim_world_run_until(t->world, s * 1000000);
            sim_streams_reset(t->world, "client", "host", 0.5, SIM_RESET_BOTH);
        }
        sim_partition(t->world, "client", "host");
        until_done(t);
        assert_true(t->run.tally.failed > 0 && t->run.tally.outcomes[TALLY_OK] > 0);
        assert_true(t->run.tally.outcomes[TALLY_MIXED_UP] == 0);
        sim_heal(t->world, "client", "host");
        sim_world_run_until(t->world, sim_world_now_us(t->world) + 200 * 1000000ull);
        struct engine_model_view m;
        engine_model(t->server.engine, 0, &m);
        assert_int_equal(m.running + m.waiting, 0);
        assert_int_equal(m.blocks_used, 0);
        close_town(t);
    }
}

static void clients_that_leave_free_the_engine(void **state)
{
    struct run_cfg cfg = load_cfg(20, 5);
    cfg.abandoned = 0.5;
    cfg.talk.output_tokens = 2000;
    cfg.talk.ignores_stop = true;
    cfg.timeout_ms = 60000;
    struct town *t = open_town(31, SAY_VLLM, cfg);
    until_done(t);
    const struct tally *tally = &t->run.tally;
    assert_in_range(tally->outcomes[TALLY_ABANDONED], 30, 70);
    assert_true(tally->failed == 0);
    assert_int_equal(t->ended_count, tally->count);
    close_town(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_comes_whole_and_is_its_own),
        cmocka_unit_test(the_same_seed_gives_the_same_run_to_the_microsecond),
        cmocka_unit_test(faults_end_as_what_they_are_and_nothing_leaks),
        cmocka_unit_test(a_network_that_breaks_is_survived_by_both),
        cmocka_unit_test(clients_that_leave_free_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
