/* Answers on the control socket that go on or set something in motion: events to fast and slow
 * readers, leaving, key rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lane_fixture.h"
#include "node/ingress/local.h"
#include "node/mesh/orders.h"

struct reader { /* the sink of an answer */
    int status;
    struct buf in;
    bool has_ended, was_aborted;
    size_t queued;
};

static struct reader r;

static enum err sink_begin(struct exchange *x, const struct http_head *answer)
{
    r.status = answer->status;
    return ERR_OK;
}

static void sink_data(struct exchange *x, struct bytes data)
{
    assert_int_equal(buf_append(&r.in, data), ERR_OK);
}

static void sink_end(struct exchange *x, struct bytes receipts)
{
    r.has_ended = true;
}

static void sink_abort(struct exchange *x, enum err reason)
{
    r.was_aborted = true;
}

static size_t sink_queued(const struct exchange *x)
{
    return r.queued;
}

static const struct sink_ops sink = {sink_begin, sink_data, sink_end, sink_abort, sink_queued};

static int leaves, status_when_leaving;

static void on_leave(void *owner)
{
    leaves++;
    status_when_leaving = r.status;
}

static int setup(void **state)
{
    lane_setup(state);
    struct lane_world *lw = *state;
    struct lane *lane = &lw->lane;
    lw->mesh.cfg.identity = &lw->identity;
    events_init(&lw->mesh.events);
    list_init(&lw->mesh.keys.posts);
    list_init(&lane->exchanges);
    list_init(&lane->idle_exchanges);
    body_pool_init(&lane->bodies, 1 << 20);
    lane->on_leave = on_leave;
    r = (struct reader){.status = 0};
    buf_init(&r.in, 1 << 20);
    leaves = 0;
    return 0;
}

static int teardown(void **state)
{
    struct lane_world *lw = *state;
    assert_true(list_is_empty(&lw->lane.exchanges));
    assert_true(list_is_empty(&lw->mesh.events.readers));
    for (struct list *it; (it = list_pop_front(&lw->lane.idle_exchanges));) {
        struct exchange *x = LIST_ENTRY(it, struct exchange, node);
        arena_fini(&x->arena);
        free(x);
    }
    body_pool_fini(&lw->lane.bodies);
    buf_fini(&r.in);
    return lane_teardown(state);
}

static struct exchange *request(struct lane_world *lw, enum http_method method, const char *target)
{
    struct exchange *x;
    const struct api_endpoint *e = api_find(bytes_from_str(target), API_CONTROL);
    assert_non_null(e);
    assert_int_equal(exchange_create(&lw->lane, e, NULL, &sink, NULL, &x), ERR_OK);
    x->head = (struct http_head){.method = method, .target = bytes_from_str(target)};
    return x;
}

static enum err run(struct exchange *x)
{
    return x->endpoint->answer(x, api_path(x->head.target));
}

static void add(struct lane_world *lw, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++) {
        struct event e = {.time_ms = number, .kind = EVENT_LEFT, .node = "edge-2"};
        events_add(&lw->mesh.events, &e);
    }
}

static size_t lines(void)
{
    size_t count = 0;
    for (size_t i = 0; i < r.in.size; i++)
        count += r.in.data[i] == '\n';
    return count;
}

/* Whether exactly the events of these times came, in order. */
static bool got(uint64_t first, uint64_t last)
{
    struct bytes rest = buf_bytes(&r.in);
    for (uint64_t number = first; number <= last; number++) {
        char start[48];
        snprintf(start, sizeof(start), "{\"time_ms\":%llu,", (unsigned long long)number);
        if (!bytes_starts_with(rest, bytes_from_str(start)))
            return false;
        rest = bytes_skip(rest, bytes_find(rest, '\n') + 1);
    }
    return rest.size == 0;
}

/* --- events */

static void the_last_events_come_first_and_new_ones_follow(void **state)
{
    struct lane_world *lw = *state;
    add(lw, 1, 30);
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events?last=5");
    assert_int_equal(run(x), ERR_OK);
    assert_int_equal(r.status, 200);
    assert_true(got(26, 30));
    add(lw, 31, 33);
    assert_true(got(26, 33));
    assert_false(r.has_ended || io_timer_is_running(&x->deadline));
    exchange_abandon(x, ERR_CLIENT_GONE);
    add(lw, 34, 34);
    assert_true(got(26, 33));
}

static void twenty_are_shown_where_nobody_says_how_many(void **state)
{
    struct lane_world *lw = *state;
    add(lw, 1, 30);
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events");
    assert_int_equal(run(x), ERR_OK);
    assert_true(got(11, 30));
    exchange_abandon(x, ERR_CLIENT_GONE);
}

static void a_query_that_makes_no_sense_is_refused(void **state)
{
    static const char *const targets[] = {"/mesh/v1/events?last=", "/mesh/v1/events?last=-1",
                                          "/mesh/v1/events?first=1"};
    struct lane_world *lw = *state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct exchange *x = request(lw, HTTP_GET, targets[i]);
        assert_int_equal(run(x), ERR_INVALID_REQUEST);
        exchange_abandon(x, ERR_INVALID_REQUEST);
    }
}

static void an_event_is_one_line_of_json(void **state)
{
    struct lane_world *lw = *state;
    struct event e = {.time_ms = 5,
                      .kind = EVENT_DOWN,
                      .node = "edge-2",
                      .id = {{0xab}},
                      .incarnation = 7,
                      .reason = ERR_TIMEOUT,
                      .accusers = {"edge-1", "edge-3"},
                      .accuser_count = 2};
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events?last=0");
    assert_int_equal(run(x), ERR_OK);
    events_add(&lw->mesh.events, &e);
    struct bytes want = BYTES("{\"time_ms\":5,\"event\":\"down\",\"node\":\"edge-2\","
                              "\"id\":\"ab000000000000000000000000000000\",\"incarnation\":7,"
                              "\"reason\":\"timeout\",\"accusers\":[\"edge-1\",\"edge-3\"]}\n");
    assert_true(bytes_equal(buf_bytes(&r.in), want));
    exchange_abandon(x, ERR_CLIENT_GONE);
}

static void what_is_not_known_is_null(void **state)
{
    struct lane_world *lw = *state;
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events?last=0");
    assert_int_equal(run(x), ERR_OK);
    add(lw, 1, 1);
    assert_non_null(memmem(r.in.data, r.in.size, "\"incarnation\":null,\"reason\":null,", 33));
    exchange_abandon(x, ERR_CLIENT_GONE);
}

/* However hostile a name is, its line fits. */
static void the_longest_line_fits(void **state)
{
    struct lane_world *lw = *state;
    struct event e = {.time_ms = UINT64_MAX,
                      .kind = EVENT_FORGOTTEN,
                      .incarnation = UINT64_MAX,
                      .reason = ERR_VERSION_NOT_SUPPORTED,
                      .accuser_count = GOSSIP_ACCUSERS};
    memset(e.node, 1, GOSSIP_NAME_MAX);
    for (size_t i = 0; i < GOSSIP_ACCUSERS; i++)
        memset(e.accusers[i], 1, GOSSIP_NAME_MAX);
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events?last=0");
    assert_int_equal(run(x), ERR_OK);
    events_add(&lw->mesh.events, &e);
    assert_int_equal(lines(), 1);
    exchange_abandon(x, ERR_CLIENT_GONE);
}

static void a_reader_that_pauses_gets_everything_when_it_goes_on(void **state)
{
    struct lane_world *lw = *state;
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events?last=0");
    assert_int_equal(run(x), ERR_OK);
    r.queued = 1;
    add(lw, 1, EVENTS_KEPT);
    assert_true(got(1, 1));
    exchange_drained(x);
    assert_true(got(1, 2)); /* its socket takes one at a time */
    r.queued = 0;
    exchange_drained(x);
    assert_true(got(1, EVENTS_KEPT));
    exchange_abandon(x, ERR_CLIENT_GONE);
}

static void a_reader_that_is_overrun_is_told_and_cut_off(void **state)
{
    struct lane_world *lw = *state;
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/events?last=0");
    assert_int_equal(run(x), ERR_OK);
    r.queued = 1;
    add(lw, 1, EVENTS_KEPT + 1);
    assert_int_equal(lines(), 1);
    assert_false(r.has_ended);
    add(lw, EVENTS_KEPT + 2, 3 * EVENTS_KEPT);
    assert_true(r.has_ended);
    assert_int_equal(lines(), 2);
    assert_non_null(memmem(r.in.data, r.in.size, "\"event\":\"cut_off\"", 17));
    assert_non_null(memmem(r.in.data, r.in.size, "\"missed\":1}\n", 12));
}

/* --- orders */

static void leaving_is_answered_before_it_begins(void **state)
{
    struct lane_world *lw = *state;
    assert_int_equal(run(request(lw, HTTP_POST, "/mesh/v1/leave")), ERR_OK);
    assert_int_equal(leaves, 1);
    assert_int_equal(status_when_leaving, 200);
    assert_true(bytes_equal(buf_bytes(&r.in), BYTES("{\"node\":\"edge-1\",\"state\":\"leaving\","
                                                    "\"members\":1,\"inflight\":0}\n")));
}

static void without_a_ring_there_is_none_to_show(void **state)
{
    struct lane_world *lw = *state;
    struct exchange *x = request(lw, HTTP_GET, "/mesh/v1/gossip-keys");
    assert_int_equal(run(x), ERR_NOT_FOUND);
    exchange_abandon(x, ERR_NOT_FOUND);
    assert_int_equal(run(request(lw, HTTP_GET, "/mesh/v1/gossip-keys/status")), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&r.in),
                            BYTES("{\"version\":null,\"made_ms\":null,\"keys\":0,\"members\":1,"
                                  "\"having\":0}\n")));
}

static enum err post(struct lane_world *lw, const char *target, size_t size)
{
    uint8_t body[2 * KEYRING_SIZE_MAX] = {1};
    struct exchange *x = request(lw, HTTP_POST, target);
    assert_int_equal(exchange_body(x, bytes_of(body, size)), ERR_OK);
    enum err e = run(x);
    exchange_abandon(x, e);
    return e;
}

static void a_body_that_is_no_ring_is_refused(void **state)
{
    struct lane_world *lw = *state;
    assert_int_equal(post(lw, "/mesh/v1/gossip-keys", 0), ERR_INVALID_REQUEST);
    assert_int_equal(post(lw, "/mesh/v1/gossip-keys", 100), ERR_INVALID_REQUEST);
    assert_int_equal(post(lw, "/mesh/v1/gossip-keys", KEYRING_SIZE_MAX + 1), ERR_BODY_TOO_LARGE);
    assert_int_equal(post(lw, "/mesh/v1/gossip-keys/status", 1), ERR_NO_SUCH_PATH);
    assert_int_equal(post(lw, "/mesh/v1/gossip-keys/else", 1), ERR_NO_SUCH_PATH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_events_come_first_and_new_ones_follow),
        TEST(twenty_are_shown_where_nobody_says_how_many),
        TEST(a_query_that_makes_no_sense_is_refused),
        TEST(an_event_is_one_line_of_json),
        TEST(what_is_not_known_is_null),
        TEST(the_longest_line_fits),
        TEST(a_reader_that_pauses_gets_everything_when_it_goes_on),
        TEST(a_reader_that_is_overrun_is_told_and_cut_off),
        TEST(leaving_is_answered_before_it_begins),
        TEST(without_a_ring_there_is_none_to_show),
        TEST(a_body_that_is_no_ring_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
