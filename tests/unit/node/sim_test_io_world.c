/* The simulated world itself: determinism, turns, tasks, timers, clocks, workers, names.
 * Streams are in sim_test_io_stream.c and sim_test_io_faults.c. */
#include "tests/unit/node/sim_test_io_pair.h"

#include "node/io/datagram.h"

/* --- determinism: a busy scenario, its trace, byte for byte */

struct recording {
    struct pair *pair;
    struct buf lines;
};

static uint64_t recording_now_us(void *ctx)
{
    struct recording *r = ctx;
    return r->pair ? sim_world_now_us(r->pair->world) : 0;
}

static void recording_sink(void *ctx, struct bytes line)
{
    struct recording *r = ctx;
    assert_int_equal(buf_append(&r->lines, line), ERR_OK);
}

static void on_noise(void *owner, const struct io_addr *from, struct bytes data)
{
    (void)owner;
    (void)from;
    (void)data;
}

static void send_noise(struct pair *w)
{
    struct sim_link link = {.latency_min_us = 100,
                            .latency_max_us = 3000,
                            .jitter_us = 500,
                            .loss = 0.2,
                            .duplicate = 0.2,
                            .reorder = 0.2};
    struct io_datagram *a, *b;
    struct io_addr addr;
    sim_link_set(w->world, NULL, NULL, &link);
    sim_host_ip(w->world, "a", &addr);
    assert_int_equal(io_datagram_open(w->a, &addr, on_noise, NULL, &a), ERR_OK);
    assert_int_equal(io_datagram_open(w->b, &w->addr, on_noise, NULL, &b), ERR_OK);
    for (int i = 0; i < 100; i++)
        io_datagram_send(a, &w->addr, BYTES("noise"));
    run_for(w, SECOND);
    io_datagram_close(a);
    io_datagram_close(b);
}

static void record(uint64_t seed, struct buf *ret_lines)
{
    struct recording r = {0};
    struct trace trace = {recording_now_us, recording_sink, &r};
    struct sim_config config;
    sim_config_init(&config, seed);
    config.trace = &trace;
    config.trace_packets = true;
    buf_init(&r.lines, 16 << 20);
    struct pair *w = pair_create(&config);
    r.pair = w;
    w->server.echoes = true;
    pair_open(w);
    peer_send_many(&w->client, 200000);
    run_for(w, 5 * MS);
    sim_partition(w->world, "a", "b");
    run_for(w, 3 * SECOND);
    sim_heal(w->world, "a", "b");
    run_for(w, 20 * SECOND);
    send_noise(w);
    r.pair = NULL; /* destroying is traced too, at no time */
    pair_destroy(w);
    *ret_lines = r.lines;
}

static void the_same_seed_gives_the_same_trace_and_another_does_not(void **state)
{
    struct buf first, again, other;
    (void)state;
    record(7, &first);
    record(7, &again);
    record(8, &other);
    assert_true(first.size > 10000);
    assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&again)));
    assert_false(bytes_equal(buf_bytes(&first), buf_bytes(&other)));
    buf_fini(&first);
    buf_fini(&again);
    buf_fini(&other);
}

/* --- turns */

struct order {
    struct io_loop *loop;
    struct io_task task;
    struct io_timer timer;
    char seen[32];
    size_t count;
};

static void note(struct order *o, char what)
{
    assert_true(o->count < sizeof o->seen - 1);
    o->seen[o->count++] = what;
}

static void on_task(struct io_task *task)
{
    note(LIST_ENTRY(task, struct order, task), 'T');
}

static void on_order_timer(struct io_timer *timer)
{
    struct order *o = LIST_ENTRY(timer, struct order, timer);
    note(o, 't');
    io_task_post(o->loop, &o->task);
}

static void on_letter(void *owner, const struct io_addr *from, struct bytes data)
{
    struct order *o = owner;
    (void)from;
    note(o, (char)data.data[0]);
    io_task_post(o->loop, &o->task);
}

/* Three letters for two sockets arrive at one instant: one turn, one run of the task for all of
 * them. */
static void tasks_run_once_after_each_batch_of_events(void **state)
{
    struct pair *w = *state;
    struct sim_link link = {.latency_min_us = 1000, .latency_max_us = 1000};
    struct order o = {.loop = w->b};
    struct io_datagram *a, *b, *c;
    struct io_addr addr, other;
    sim_link_set(w->world, NULL, NULL, &link);
    io_task_init(&o.task, on_task);
    sim_host_ip(w->world, "a", &addr);
    assert_int_equal(io_datagram_open(w->a, &addr, on_noise, NULL, &a), ERR_OK);
    sim_host_ip(w->world, "b", &addr);
    addr.port = 9;
    assert_int_equal(io_datagram_open(w->b, &addr, on_letter, &o, &b), ERR_OK);
    other = addr;
    other.port = 10;
    assert_int_equal(io_datagram_open(w->b, &other, on_letter, &o, &c), ERR_OK);
    io_datagram_send(a, &addr, BYTES("1"));
    io_datagram_send(a, &addr, BYTES("2"));
    io_datagram_send(a, &other, BYTES("3"));
    run_for(w, SECOND);
    assert_string_equal(o.seen, "123T");
    io_datagram_send(a, &addr, BYTES("4"));
    io_timer_start(w->b, &o.timer, 5, on_order_timer);
    run_for(w, SECOND);
    assert_string_equal(o.seen, "123T4TtT");
    io_datagram_close(a);
    io_datagram_close(b);
    io_datagram_close(c);
}

static void a_task_posted_from_outside_runs_soon_and_can_be_cancelled(void **state)
{
    struct pair *w = *state;
    struct order o = {.loop = w->a};
    io_task_init(&o.task, on_task);
    io_task_post(w->a, &o.task);
    io_task_post(w->a, &o.task);
    assert_int_equal(o.count, 0);
    run_for(w, 0);
    assert_string_equal(o.seen, "T");
    io_task_post(w->a, &o.task);
    io_task_cancel(&o.task);
    run_for(w, SECOND);
    assert_string_equal(o.seen, "T");
}

struct last {
    struct order *order;
    struct io_task task;
};

static void on_last(struct io_task *task)
{
    note(LIST_ENTRY(task, struct last, task)->order, 'L');
}

static void a_task_posted_last_runs_behind_the_others(void **state)
{
    struct pair *w = *state;
    struct order o = {.loop = w->a};
    struct last last = {.order = &o};
    io_task_init(&o.task, on_task);
    io_task_init(&last.task, on_last);
    io_task_post_last(w->a, &last.task);
    io_task_post(w->a, &o.task);
    run_for(w, 0);
    assert_string_equal(o.seen, "TL");
    io_task_post_last(w->a, &last.task);
    io_task_cancel(&last.task);
    run_for(w, SECOND);
    assert_string_equal(o.seen, "TL");
}

static void timers_fire_at_their_millisecond(void **state)
{
    struct pair *w = *state;
    struct order o = {.loop = w->a};
    io_task_init(&o.task, on_task);
    uint64_t start_ms = io_now_ms(w->a);
    io_timer_start(w->a, &o.timer, 3600 * 1000, on_order_timer);
    run_for(w, 3599 * SECOND);
    assert_int_equal(o.count, 0);
    while (o.count == 0)
        assert_true(sim_world_step(w->world));
    assert_int_equal(io_now_ms(w->a), start_ms + 3600 * 1000);
    io_timer_start(w->a, &o.timer, 10, on_order_timer);
    io_timer_stop(&o.timer);
    run_for(w, SECOND);
    assert_string_equal(o.seen, "tT");
}

static void hosts_have_clocks_of_their_own(void **state)
{
    struct pair *w = *state;
    assert_true(io_now_us(w->a) != io_now_us(w->b));
    assert_int_equal(io_wall_ms(w->a), io_wall_ms(w->b));
    uint64_t mono_ms = io_now_ms(w->a), wall_ms = io_wall_ms(w->a);
    sim_host_step_clock(w->world, "a", -3600 * 1000);
    assert_int_equal(io_wall_ms(w->a), wall_ms - 3600 * 1000);
    assert_int_equal(io_now_ms(w->a), mono_ms);
    run_for(w, 10 * SECOND);
    assert_int_equal(io_wall_ms(w->a), wall_ms - 3590 * 1000);
    assert_int_equal(io_wall_ms(w->b), wall_ms + 10 * 1000);
}

static void note_call(void *ctx)
{
    struct order *o = ctx;
    note(o, 'c');
    io_task_post(o->loop, &o->task);
}

static void calls_of_the_scenario_come_at_their_time(void **state)
{
    struct pair *w = *state;
    struct order o = {.loop = w->a};
    io_task_init(&o.task, on_task);
    sim_world_at(w->world, sim_world_now_us(w->world) + 2 * SECOND, note_call, &o);
    run_for(w, SECOND);
    assert_int_equal(o.count, 0);
    run_for(w, SECOND);
    assert_string_equal(o.seen, "cT");
}

/* --- workers and names */

struct job {
    bool worked;
    int done;
};

static void job_work(void *ctx)
{
    ((struct job *)ctx)->worked = true;
}

static void job_done(void *ctx)
{
    struct job *job = ctx;
    assert_true(job->worked);
    job->done++;
}

static void work_is_done_later_and_at_most_64_wait(void **state)
{
    struct pair *w = *state;
    struct job job = {0};
    for (int i = 0; i < 64; i++)
        assert_int_equal(io_work(w->a, job_work, job_done, &job), ERR_OK);
    assert_int_equal(io_work(w->a, job_work, job_done, &job), ERR_LIMIT);
    assert_int_equal(io_work(w->b, job_work, job_done, &job), ERR_OK);
    assert_int_equal(job.done, 0);
    run_for(w, SECOND);
    assert_int_equal(job.done, 65);
}

static void unfinished_work_is_done_before_its_loop_goes(void **state)
{
    struct pair *w = *state;
    struct job job = {0};
    assert_int_equal(io_work(w->b, job_work, job_done, &job), ERR_OK);
    io_loop_destroy(w->b);
    assert_int_equal(job.done, 1);
}

struct answer {
    int count;
    enum err e;
    struct io_addr addr;
};

static void on_resolved(void *owner, enum err e, const struct io_addr *addr)
{
    struct answer *answer = owner;
    answer->count++;
    answer->e = e;
    if (addr)
        answer->addr = *addr;
}

static void resolve(struct pair *w, const char *host, struct answer *ret_answer)
{
    struct io_resolve *r;
    *ret_answer = (struct answer){0};
    assert_int_equal(io_resolve_start(w->a, host, 80, on_resolved, ret_answer, &r), ERR_OK);
    assert_int_equal(ret_answer->count, 0);
    run_for(w, SECOND);
    assert_int_equal(ret_answer->count, 1);
}

static void names_resolve_as_the_world_says(void **state)
{
    struct pair *w = *state;
    struct answer answer;
    char text[IO_ADDR_TEXT_SIZE];
    sim_name_set(w->world, "api.example", "10.0.0.77", ERR_OK);
    sim_name_set(w->world, "slow.example", NULL, ERR_TIMEOUT);
    resolve(w, "api.example", &answer);
    io_addr_to_text(&answer.addr, text);
    assert_string_equal(text, "10.0.0.77:80");
    resolve(w, "b", &answer);
    io_addr_to_text(&answer.addr, text);
    assert_string_equal(text, "10.0.0.2:80");
    resolve(w, "::1", &answer);
    assert_true(io_addr_is_loopback(&answer.addr));
    resolve(w, "slow.example", &answer);
    assert_int_equal(answer.e, ERR_TIMEOUT);
    resolve(w, "nowhere.example", &answer);
    assert_int_equal(answer.e, ERR_RESOLVE);
}

static void a_cancelled_resolve_is_silent(void **state)
{
    struct pair *w = *state;
    struct answer answer = {0};
    struct io_resolve *r;
    assert_int_equal(io_resolve_start(w->a, "b", 80, on_resolved, &answer, &r), ERR_OK);
    io_resolve_cancel(r);
    run_for(w, SECOND);
    assert_int_equal(answer.count, 0);
}

/* --- hosts */

static void a_host_starts_again_under_its_name_and_address(void **state)
{
    struct pair *w = *state;
    struct io_loop *other;
    struct io_addr before, after;
    sim_host_ip(w->world, "b", &before);
    assert_int_equal(sim_host_create(w->world, "b", NULL, &other), ERR_EXISTS);
    assert_int_equal(sim_host_create(w->world, "c", "10.0.0.2", &other), ERR_EXISTS);
    io_loop_destroy(w->b);
    assert_null(sim_host_loop(w->world, "b"));
    assert_int_equal(sim_host_create(w->world, "b", NULL, &w->b), ERR_OK);
    sim_host_ip(w->world, "b", &after);
    assert_true(io_addr_equal(&before, &after));
    assert_string_equal(sim_host_name(w->b), "b");
}

static void leaks_are_counted(void **state)
{
    struct pair *w = *state;
    struct order o = {.loop = w->a};
    assert_int_equal(sim_world_leaks(w->world, true), 0);
    pair_listen(w);
    assert_int_equal(sim_world_leaks(w->world, false), 1);
    pair_connect(w);
    io_timer_start(w->a, &o.timer, 1000, on_order_timer);
    assert_int_equal(sim_world_leaks(w->world, false), 3);
    io_timer_stop(&o.timer);
    peer_close(&w->client);
    assert_int_equal(sim_world_leaks(w->world, false), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_trace_and_another_does_not),
        PAIR_TEST(tasks_run_once_after_each_batch_of_events),
        PAIR_TEST(a_task_posted_last_runs_behind_the_others),
        PAIR_TEST(a_task_posted_from_outside_runs_soon_and_can_be_cancelled),
        PAIR_TEST(timers_fire_at_their_millisecond),
        PAIR_TEST(hosts_have_clocks_of_their_own),
        PAIR_TEST(calls_of_the_scenario_come_at_their_time),
        PAIR_TEST(work_is_done_later_and_at_most_64_wait),
        PAIR_TEST(unfinished_work_is_done_before_its_loop_goes),
        PAIR_TEST(names_resolve_as_the_world_says),
        PAIR_TEST(a_cancelled_resolve_is_silent),
        PAIR_TEST(a_host_starts_again_under_its_name_and_address),
        PAIR_TEST(leaks_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
