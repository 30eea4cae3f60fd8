/* The ring of events: what is kept, what readers get, and what they are told they missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/mesh/events.h"

struct reading {
    struct events_reader reader;
    int calls;
};

static struct events ev;

static int setup(void **state)
{
    events_init(&ev);
    return 0;
}

static void on_event(struct events_reader *reader)
{
    LIST_ENTRY(reader, struct reading, reader)->calls++;
}

static void add(uint64_t number)
{
    struct event e = {.time_ms = number, .kind = EVENT_DOWN};
    events_add(&ev, &e);
}

static void add_all(uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        add(number);
}

static void expect(struct reading *r, uint64_t first, uint64_t last)
{
    const struct event *e;
    for (uint64_t number = first; number <= last; number++) {
        e = events_read(&ev, &r->reader);
        assert_non_null(e);
        assert_int_equal(e->time_ms, number);
    }
    assert_null(events_read(&ev, &r->reader));
}

static void a_reader_begins_with_the_newest_and_follows(void **state)
{
    struct reading r = {.reader.on_event = on_event};
    add_all(1, 10);
    events_subscribe(&ev, &r.reader, 3);
    expect(&r, 8, 10);
    add_all(11, 12);
    assert_int_equal(r.calls, 2);
    expect(&r, 11, 12);
    events_unsubscribe(&r.reader);
    add(13);
    assert_int_equal(r.calls, 2);
}

static void more_than_there_are_is_all_there_are(void **state)
{
    struct reading r = {.reader.on_event = on_event};
    events_subscribe(&ev, &r.reader, 5);
    expect(&r, 1, 0);
    events_unsubscribe(&r.reader);
    add_all(1, 2);
    events_subscribe(&ev, &r.reader, EVENTS_KEPT);
    expect(&r, 1, 2);
    events_unsubscribe(&r.reader);
}

static void only_so_many_are_kept(void **state)
{
    struct reading r = {.reader.on_event = on_event};
    add_all(1, EVENTS_KEPT + 7);
    events_subscribe(&ev, &r.reader, EVENTS_KEPT + 7);
    assert_int_equal(events_missed(&ev, &r.reader), 0);
    expect(&r, 8, EVENTS_KEPT + 7);
    events_unsubscribe(&r.reader);
}

static void a_reader_that_is_overrun_knows_by_how_much(void **state)
{
    struct reading r = {.reader.on_event = on_event};
    events_subscribe(&ev, &r.reader, 0);
    add_all(1, EVENTS_KEPT);
    assert_int_equal(events_missed(&ev, &r.reader), 0);
    add_all(EVENTS_KEPT + 1, EVENTS_KEPT + 5);
    assert_int_equal(events_missed(&ev, &r.reader), 5);
    expect(&r, 6, EVENTS_KEPT + 5);
    assert_int_equal(events_missed(&ev, &r.reader), 0);
    events_unsubscribe(&r.reader);
}

static void unsubscribe_self(struct events_reader *reader)
{
    LIST_ENTRY(reader, struct reading, reader)->calls++;
    events_unsubscribe(reader);
}

static void a_reader_may_leave_when_it_is_called(void **state)
{
    struct reading one = {.reader.on_event = unsubscribe_self}, two = {.reader.on_event = on_event};
    events_subscribe(&ev, &one.reader, 0);
    events_subscribe(&ev, &two.reader, 0);
    add_all(1, 2);
    assert_int_equal(one.calls, 1);
    assert_int_equal(two.calls, 2);
    events_unsubscribe(&two.reader);
}

/* --- what gossip's changes are called */

static const char *kind_of(struct gossip_change c)
{
    uint64_t count = ev.count;
    if (!events_add_change(&ev, 5, &c, NULL))
        return "";
    assert_int_equal(ev.count, count + 1);
    return events_kind_name(ev.kept[count % EVENTS_KEPT].kind);
}

static void changes_have_their_names(void **state)
{
    const enum gossip_state alive = GOSSIP_ALIVE, suspect = GOSSIP_SUSPECT, down = GOSSIP_DOWN,
                            left = GOSSIP_LEFT;
    const struct gossip_change joined = {.is_new = true, .to = alive},
                               was_down = {.is_new = true, .to = down},
                               forgotten = {.from = down, .to = down, .is_forgotten = true};
    assert_string_equal(kind_of(joined), "joined");
    assert_string_equal(kind_of(was_down), "down");
    assert_string_equal(kind_of(forgotten), "forgotten");
    assert_string_equal(kind_of((struct gossip_change){.from = alive, .to = suspect}), "suspect");
    assert_string_equal(kind_of((struct gossip_change){.from = suspect, .to = down}), "down");
    assert_string_equal(kind_of((struct gossip_change){.from = suspect, .to = alive}), "back");
    assert_string_equal(kind_of((struct gossip_change){.from = left, .to = alive}), "back");
    assert_string_equal(kind_of((struct gossip_change){.from = alive, .to = left}), "left");
    assert_string_equal(kind_of((struct gossip_change){.from = alive, .to = alive}), "");
}

static void accusers_are_kept_by_name(void **state)
{
    const char *const names[] = {"edge-2", "edge-3"};
    struct gossip_change c = {.name = "edge-1",
                              .from = GOSSIP_SUSPECT,
                              .to = GOSSIP_DOWN,
                              .reason = ERR_TIMEOUT,
                              .incarnation = 7,
                              .accuser_count = 2};
    assert_true(events_add_change(&ev, 1234, &c, names));
    const struct event *e = &ev.kept[0];
    assert_int_equal(e->time_ms, 1234);
    assert_string_equal(e->node, "edge-1");
    assert_int_equal(e->incarnation, 7);
    assert_int_equal(e->reason, ERR_TIMEOUT);
    assert_int_equal(e->accuser_count, 2);
    assert_string_equal(e->accusers[0], "edge-2");
    assert_string_equal(e->accusers[1], "edge-3");
}

static void a_conflict_that_goes_on_is_told_seldom(void **state)
{
    struct id id = {{1}};
    events_add_conflict(&ev, 1000, &id, "edge-1");
    events_add_conflict(&ev, 1000 + EVENTS_CONFLICT_MS - 1, &id, "edge-1");
    assert_int_equal(ev.count, 1);
    events_add_conflict(&ev, 1000 + EVENTS_CONFLICT_MS, &id, "edge-1");
    assert_int_equal(ev.count, 2);
    assert_int_equal(ev.kept[1].kind, EVENT_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reader_begins_with_the_newest_and_follows, setup),
        cmocka_unit_test_setup(more_than_there_are_is_all_there_are, setup),
        cmocka_unit_test_setup(only_so_many_are_kept, setup),
        cmocka_unit_test_setup(a_reader_that_is_overrun_knows_by_how_much, setup),
        cmocka_unit_test_setup(a_reader_may_leave_when_it_is_called, setup),
        cmocka_unit_test_setup(changes_have_their_names, setup),
        cmocka_unit_test_setup(accusers_are_kept_by_name, setup),
        cmocka_unit_test_setup(a_conflict_that_goes_on_is_told_seldom, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
