/* Timers, idle lists and tasks on the real loop: order, moving, stopping, ending from callbacks. */
#include "test_io_fixture.h"

#include "node/io/timers.h"

#include <unistd.h>

#define TIMER_COUNT 300

struct alarm {
    struct io_timer timer;
    int fired;
    int place; /* in the order of firing */
};

static int next_place; /* reset by each test that looks at the order */

static void note_fire(struct io_timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    assert_false(io_timer_is_running(timer));
    assert_true(io_now_ms(timer->loop) >= timer->deadline_ms);
    a->fired++;
    a->place = next_place++;
}

static void timers_fire_by_deadline_then_by_start(void **state)
{
    struct world *w = *state;
    struct alarm *alarms = calloc(TIMER_COUNT, sizeof *alarms);
    next_place = 0;
    for (int i = 0; i < TIMER_COUNT; i++)
        io_timer_start(w->loop, &alarms[i].timer, (uint64_t)(i * 7919 % 20), note_fire);
    for (int i = 0; i < TIMER_COUNT; i += 5)
        io_timer_stop(&alarms[i].timer);
    RUN_UNTIL(w->loop, next_place == TIMER_COUNT - TIMER_COUNT / 5);
    for (int i = 0; i < TIMER_COUNT; i++) {
        assert_int_equal(alarms[i].fired, i % 5 != 0);
        for (int j = 0; j < i && alarms[i].fired; j++) {
            bool i_is_later = alarms[i].timer.deadline_ms >= alarms[j].timer.deadline_ms;
            if (alarms[j].fired)
                assert_int_equal(alarms[i].place > alarms[j].place, i_is_later);
        }
    }
    free(alarms);
}

static void note_order(struct io_timer *timer)
{
    ((struct alarm *)timer)->place = next_place++;
}

/* The heap itself, with a clock of the test's own. */
static void timers_stopped_in_any_order_leave_the_rest_in_order(void **state)
{
    struct world *w = *state;
    struct io_timers *timers = io_loop_timers(w->loop);
    struct alarm *alarms = calloc(TIMER_COUNT, sizeof *alarms);
    uint64_t random = 1;
    next_place = 0;
    for (int i = 0; i < TIMER_COUNT * 20; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct alarm *a = &alarms[(random >> 33) % TIMER_COUNT];
        if ((random >> 20) % 3)
            io_timer_start(w->loop, &a->timer, (random >> 40) % 100000, note_order);
        else
            io_timer_stop(&a->timer);
    }
    size_t count = timers->count;
    while (timers->count) {
        uint64_t next_ms = io_timers_next(timers);
        for (int i = 0; i < TIMER_COUNT; i++)
            if (io_timer_is_running(&alarms[i].timer))
                assert_true(alarms[i].timer.deadline_ms >= next_ms);
        assert_int_equal(io_timers_run(timers, next_ms - 1), 0);
        assert_true(io_timers_run(timers, next_ms) > 0);
        assert_true(io_timers_next(timers) > next_ms);
    }
    assert_true(count > TIMER_COUNT / 3);
    assert_int_equal(next_place, count);
    free(alarms);
}

static void starting_a_running_timer_moves_it(void **state)
{
    struct world *w = *state;
    struct alarm a = {0}, b = {0}, c = {0};
    next_place = 0;
    io_timer_start(w->loop, &a.timer, 1, note_fire);
    io_timer_start(w->loop, &b.timer, 60000, note_fire);
    io_timer_start(w->loop, &c.timer, 20, note_fire);
    io_timer_start(w->loop, &a.timer, 30, note_fire);
    io_timer_start(w->loop, &b.timer, 5, note_fire);
    RUN_UNTIL(w->loop, next_place == 3);
    assert_int_equal(b.place, 0);
    assert_int_equal(c.place, 1);
    assert_int_equal(a.place, 2);
    assert_int_equal(a.fired, 1);
}

static void a_timer_never_fires_inside_its_start_nor_too_early(void **state)
{
    struct world *w = *state;
    struct alarm a = {0}, b = {0};
    next_place = 0;
    io_timer_start(w->loop, &a.timer, 0, note_fire);
    assert_int_equal(a.fired, 0);
    uint64_t begin_ms = io_now_ms(w->loop);
    io_timer_start(w->loop, &b.timer, 30, note_fire);
    RUN_UNTIL(w->loop, b.fired);
    assert_true(io_now_ms(w->loop) >= begin_ms + 30);
    assert_int_equal(a.place, 0);
}

static void the_largest_delay_does_not_wrap(void **state)
{
    struct world *w = *state;
    struct alarm a = {0};
    io_timer_start(w->loop, &a.timer, UINT64_MAX, note_fire);
    run_for(w->loop, 5);
    assert_int_equal(a.fired, 0);
    assert_true(io_timer_is_running(&a.timer));
    io_timer_stop(&a.timer);
}

static void fail_the_test(struct io_timer *timer)
{
    (void)timer;
    fail_msg("the nearer timer did not fire before the far one");
}

static void nap(void *ctx)
{
    (void)ctx;
    usleep(30000); /* meanwhile the loop has gone to sleep until the far timer */
}

static void start_near_timer(void *ctx)
{
    struct io_timer *near = ctx;
    io_timer_start(near->loop, near, 5, on_turn_over);
}

static void a_nearer_timer_started_while_the_loop_sleeps_is_not_late(void **state)
{
    struct world *w = *state;
    struct io_timer far = {0}, near = {.loop = w->loop};
    io_timer_start(w->loop, &far, PATIENCE_MS, fail_the_test);
    assert_int_equal(io_work(w->loop, nap, start_near_timer, &near), ERR_OK);
    io_loop_run(w->loop);
    io_timer_stop(&far);
}

static void restart_at_once(struct io_timer *timer)
{
    ((struct alarm *)timer)->fired++;
    io_timer_start(timer->loop, timer, 0, restart_at_once);
}

static void a_timer_restarting_itself_at_once_lets_others_live(void **state)
{
    struct world *w = *state;
    struct alarm a = {0};
    io_timer_start(w->loop, &a.timer, 0, restart_at_once);
    run_for(w->loop, 20); /* its stop timer still fires */
    assert_true(a.fired > 2);
    io_timer_stop(&a.timer);
}

static struct alarm victim;
static void stop_the_victim(struct io_timer *timer)
{
    (void)timer;
    io_timer_stop(&victim.timer);
}

static void a_timer_stopped_by_an_earlier_callback_does_not_fire(void **state)
{
    struct world *w = *state;
    struct io_timer first = {0};
    victim = (struct alarm){0};
    io_timer_start(w->loop, &first, 5, stop_the_victim);
    io_timer_start(w->loop, &victim.timer, 5, note_fire);
    run_for(w->loop, 20);
    assert_int_equal(victim.fired, 0);
    io_timer_stop(&victim.timer);
}

/* --- idle lists */

struct entry {
    struct io_idle idle;
    struct io_idle_list *list;
    int fired;
    uint64_t fired_ms;
    uint64_t touched_ms;
};

static void note_idle(struct io_idle *idle)
{
    struct entry *e = (struct entry *)idle;
    e->fired++;
    e->fired_ms = io_now_ms(e->list->loop);
}

static void touch(struct io_idle_list *l, struct entry *e, void (*on_idle)(struct io_idle *))
{
    e->list = l;
    e->touched_ms = io_now_ms(l->loop);
    io_idle_touch(l, &e->idle, on_idle);
}

static void an_idle_entry_fires_once_and_a_touched_one_later(void **state)
{
    struct world *w = *state;
    struct io_idle_list l;
    struct entry a = {.fired = 0}, b = {.fired = 0}, c = {.fired = 0};
    io_idle_list_init(&l, w->loop, 40);
    touch(&l, &a, note_idle);
    touch(&l, &b, note_idle);
    touch(&l, &c, note_idle);
    run_for(w->loop, 20);
    a.fired = c.fired = 0; /* on a machine that stalled they may have been due already */
    touch(&l, &a, note_idle);
    io_idle_stop(&c.idle);
    io_idle_stop(&c.idle);
    RUN_UNTIL(w->loop, a.fired && b.fired);
    run_for(w->loop, 60);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 1);
    assert_int_equal(c.fired, 0);
    assert_true(a.fired_ms >= a.touched_ms + 40);
    assert_true(b.fired_ms >= b.touched_ms + 40);
    io_idle_list_fini(&l);
}

static void touch_again(struct io_idle *idle)
{
    struct entry *e = (struct entry *)idle;
    note_idle(idle);
    touch(e->list, e, touch_again);
}

static void an_entry_may_touch_itself_when_it_fires(void **state)
{
    struct world *w = *state;
    struct io_idle_list l;
    struct entry a = {.fired = 0};
    io_idle_list_init(&l, w->loop, 5);
    touch(&l, &a, touch_again);
    RUN_UNTIL(w->loop, a.fired == 3);
    io_idle_stop(&a.idle);
    io_idle_list_fini(&l);
}

static void end_the_list(struct io_idle *idle)
{
    struct entry *e = (struct entry *)idle;
    struct io_idle_list *l = e->list;
    e->fired++;
    io_idle_stop(&e[1].idle); /* its neighbour, due at the same time */
    io_idle_list_fini(l);
    free(l);
}

static void the_list_may_be_ended_by_an_entry_that_fires(void **state)
{
    struct world *w = *state;
    struct io_idle_list *l = malloc(sizeof *l);
    struct entry pair[2] = {{.fired = 0}};
    io_idle_list_init(l, w->loop, 5);
    touch(l, &pair[0], end_the_list);
    touch(l, &pair[1], note_idle);
    RUN_UNTIL(w->loop, pair[0].fired);
    run_for(w->loop, 10);
    assert_int_equal(pair[1].fired, 0);
}

static void many_entries_due_together_all_fire(void **state)
{
    struct world *w = *state;
    struct io_idle_list l;
    struct entry *entries = calloc(1000, sizeof *entries);
    io_idle_list_init(&l, w->loop, 10);
    for (int i = 0; i < 1000; i++)
        touch(&l, &entries[i], note_idle);
    RUN_UNTIL(w->loop, list_is_empty(&l.entries));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(entries[i].fired, 1);
    io_idle_list_fini(&l);
    free(entries);
}

/* --- tasks */

struct chore {
    struct io_task task;
    struct io_loop *loop;
    struct chore *next;
    int runs;
};

static void run_chore(struct io_task *task)
{
    struct chore *c = (struct chore *)task;
    c->runs++;
    if (c->next)
        io_task_post(c->loop, &c->next->task);
}

static void a_task_posted_often_runs_once_and_not_at_once(void **state)
{
    struct world *w = *state;
    struct chore c = {.loop = w->loop};
    io_task_init(&c.task, run_chore);
    for (int i = 0; i < 5; i++)
        io_task_post(w->loop, &c.task);
    assert_int_equal(c.runs, 0);
    run_for(w->loop, 1);
    assert_int_equal(c.runs, 1);
    io_task_post(w->loop, &c.task);
    run_for(w->loop, 1);
    assert_int_equal(c.runs, 2);
}

static void a_cancelled_task_does_not_run(void **state)
{
    struct world *w = *state;
    struct chore c = {.loop = w->loop};
    io_task_init(&c.task, run_chore);
    io_task_post(w->loop, &c.task);
    io_task_cancel(&c.task);
    io_task_cancel(&c.task);
    run_for(w->loop, 1);
    assert_int_equal(c.runs, 0);
}

static void a_task_posted_by_a_task_runs_before_the_loop_sleeps(void **state)
{
    struct world *w = *state;
    struct chore b = {.loop = w->loop}, a = {.loop = w->loop, .next = &b};
    io_task_init(&a.task, run_chore);
    io_task_init(&b.task, run_chore);
    io_task_post(w->loop, &a.task);
    io_loop_stop(w->loop); /* not even one turn */
    io_loop_run(w->loop);
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 1);
}

static void count_what_came_before(struct io_task *task)
{
    struct chore *c = (struct chore *)task;
    c->runs = c->next->runs + c->next->next->runs;
}

static void a_task_posted_last_finds_what_the_others_made(void **state)
{
    struct world *w = *state;
    struct chore b = {.loop = w->loop}, a = {.loop = w->loop, .next = &b};
    struct chore last = {.loop = w->loop, .next = &a};
    io_task_init(&a.task, run_chore);
    io_task_init(&b.task, run_chore);
    io_task_init(&last.task, count_what_came_before);
    io_task_post_last(w->loop, &last.task);
    io_task_post(w->loop, &a.task); /* which posts b */
    io_loop_stop(w->loop);          /* not even one turn */
    io_loop_run(w->loop);
    assert_int_equal(last.runs, 2);
}

static void a_task_that_posts_itself_for_ever_does_not_stop_the_loop(void **state)
{
    struct world *w = *state;
    struct chore a = {.loop = w->loop, .next = &a};
    io_task_init(&a.task, run_chore);
    io_task_post(w->loop, &a.task);
    run_for(w->loop, 5);
    assert_true(a.runs > 1);
    io_task_cancel(&a.task);
}

static void post_until_many(struct io_task *task)
{
    struct chore *c = (struct chore *)task;
    if (++c->runs < 10000) /* more than one turn runs */
        io_task_post(c->loop, task);
    else
        io_loop_stop(c->loop);
}

static void the_loop_does_not_sleep_while_tasks_wait(void **state)
{
    struct world *w = *state;
    struct chore c = {.loop = w->loop};
    io_task_init(&c.task, post_until_many);
    io_task_post(w->loop, &c.task);
    io_loop_run(w->loop);
    assert_int_equal(c.runs, 10000);
}

struct poster {
    struct io_timer timer;
    struct chore chore;
};
static void post_from_timer(struct io_timer *timer)
{
    io_task_post(timer->loop, &((struct poster *)timer)->chore.task);
}
static void run_and_stop(struct io_task *task)
{
    struct chore *c = (struct chore *)task;
    c->runs++;
    io_loop_stop(c->loop);
}

/* With nothing else on the loop it would sleep for ever if the task waited for the next event. */
static void a_task_posted_by_a_timer_does_not_wait_for_the_next_event(void **state)
{
    struct world *w = *state;
    struct poster p = {.chore.loop = w->loop};
    io_task_init(&p.chore.task, run_and_stop);
    io_timer_start(w->loop, &p.timer, 5, post_from_timer);
    io_loop_run(w->loop);
    assert_int_equal(p.chore.runs, 1);
}

static struct chore read_chore;
static void post_on_read(struct peer *peer, enum peer_event event)
{
    (void)peer;
    if (event == PEER_READ)
        io_task_post(read_chore.loop, &read_chore.task);
}

static void a_task_posted_by_a_read_does_not_wait_for_the_next_event(void **state)
{
    struct world *w = *state;
    world_pair(w);
    read_chore = (struct chore){.loop = w->loop};
    io_task_init(&read_chore.task, run_and_stop);
    w->server.hook = post_on_read;
    peer_send(&w->client, "x");
    io_loop_run(w->loop);
    assert_int_equal(read_chore.runs, 1);
}

static void the_clocks_move_and_agree(void **state)
{
    struct world *w = *state;
    uint64_t ms = io_now_ms(w->loop), us = io_now_us(w->loop);
    run_for(w->loop, 20);
    assert_true(io_now_ms(w->loop) >= ms + 20);
    assert_true(io_now_us(w->loop) > us);
    assert_true(io_wall_ms(w->loop) > 1600000000000ull);
    assert_true(strlen(io_library_version()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(timers_fire_by_deadline_then_by_start),
        WORLD_TEST(timers_stopped_in_any_order_leave_the_rest_in_order),
        WORLD_TEST(starting_a_running_timer_moves_it),
        WORLD_TEST(a_nearer_timer_started_while_the_loop_sleeps_is_not_late),
        WORLD_TEST(a_timer_never_fires_inside_its_start_nor_too_early),
        WORLD_TEST(the_largest_delay_does_not_wrap),
        WORLD_TEST(a_timer_restarting_itself_at_once_lets_others_live),
        WORLD_TEST(a_timer_stopped_by_an_earlier_callback_does_not_fire),
        WORLD_TEST(an_idle_entry_fires_once_and_a_touched_one_later),
        WORLD_TEST(an_entry_may_touch_itself_when_it_fires),
        WORLD_TEST(the_list_may_be_ended_by_an_entry_that_fires),
        WORLD_TEST(many_entries_due_together_all_fire),
        WORLD_TEST(a_task_posted_often_runs_once_and_not_at_once),
        WORLD_TEST(a_cancelled_task_does_not_run),
        WORLD_TEST(a_task_posted_by_a_task_runs_before_the_loop_sleeps),
        WORLD_TEST(a_task_posted_last_finds_what_the_others_made),
        WORLD_TEST(a_task_that_posts_itself_for_ever_does_not_stop_the_loop),
        WORLD_TEST(the_loop_does_not_sleep_while_tasks_wait),
        WORLD_TEST(a_task_posted_by_a_timer_does_not_wait_for_the_next_event),
        WORLD_TEST(a_task_posted_by_a_read_does_not_wait_for_the_next_event),
        WORLD_TEST(the_clocks_move_and_agree),
    };
    return cmocka_run_group_tests_name("io_timers", tests, io_group_setup, NULL);
}
