/* Prometheus text of a lane: shape, sums, labels from tables, bounded size. */
#include "lane_fixture.h"

#include "node/ingress/answer.h"

static char *page_of(struct lane_world *w)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(metrics_write(&w->lane, &out), ERR_OK);
    char *text = malloc(out.size + 1);
    assert_non_null(text);
    bytes_to_str(buf_bytes(&out), text, out.size + 1);
    buf_fini(&out);
    return text;
}

static void assert_line(const char *page, const char *line)
{
    char wrapped[300];
    snprintf(wrapped, sizeof wrapped, "\n%s\n", line);
    if (!strstr(page, wrapped))
        fail_msg("no line: %s", line);
}

static void counters_stand_under_path_and_status(void **state)
{
    struct lane_world *w = *state;
    struct metrics *m = &w->lane.metrics;
    const struct api_endpoint *chat = api_find(BYTES("/v1/chat/completions"), API_CLIENT);
    metrics_request(m, chat, 200);
    metrics_request(m, chat, 200);
    metrics_request(m, chat, 499);
    metrics_request(m, NULL, 404);
    metrics_request(m, chat, 418);
    metrics_request(m, chat, 0);
    m->failures[ERR_OVERLOADED] = 3;
    char *page = page_of(w);
    assert_line(page, "grapevine_requests_total{path=\"/v1/chat/completions\",status=\"200\"} 2");
    assert_line(page, "grapevine_requests_total{path=\"/v1/chat/completions\",status=\"499\"} 1");
    assert_line(page, "grapevine_requests_total{path=\"/v1/chat/completions\",status=\"other\"} 2");
    assert_line(page, "grapevine_requests_total{path=\"other\",status=\"404\"} 1");
    assert_line(page, "grapevine_failures_total{reason=\"overloaded\"} 3");
    free(page);
}

static void every_status_that_errors_have_has_a_label(void **state)
{
    struct lane_world *w = *state;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        metrics_request(&w->lane.metrics, NULL, answer_status((enum err)e));
    char *page = page_of(w);
    assert_null(strstr(page, "status=\"other\""));
    free(page);
}

static void buckets_are_cumulative_and_end_in_the_count(void **state)
{
    struct lane_world *w = *state;
    struct metrics_histogram *h = &w->lane.metrics.duration;
    metrics_observe(h, 0);
    metrics_observe(h, 500); /* at a bound: below it */
    metrics_observe(h, 501);
    metrics_observe(h, 3000000);
    metrics_observe(h, 999000000);
    char *page = page_of(w);
    assert_line(page, "grapevine_request_duration_seconds_bucket{le=\"0.0005\"} 2");
    assert_line(page, "grapevine_request_duration_seconds_bucket{le=\"0.001\"} 3");
    assert_line(page, "grapevine_request_duration_seconds_bucket{le=\"2.5\"} 3");
    assert_line(page, "grapevine_request_duration_seconds_bucket{le=\"5\"} 4");
    assert_line(page, "grapevine_request_duration_seconds_bucket{le=\"120\"} 4");
    assert_line(page, "grapevine_request_duration_seconds_bucket{le=\"+Inf\"} 5");
    assert_line(page, "grapevine_request_duration_seconds_sum 1002.001001");
    assert_line(page, "grapevine_request_duration_seconds_count 5");
    free(page);
}

static void backends_and_peers_are_labelled(void **state)
{
    struct lane_world *w = *state;
    struct backend *b = lane_add_backend(w, "m");
    b->inflight = 3;
    b->queued = 2;
    b->served = 10;
    b->failed = 1;
    b->queue.priorities[queue_priority_of(-1)].count = 2;
    b->waits[queue_priority_of(-1)] =
        (struct backend_waits){.shed = {3, 4}, .admitted = 5, .waited_us = 1000001};
    lane_add_backend(w, "m")->state = BACKEND_DOWN;
    lane_add_peer(w, "m")->rtt_us = 1234;
    lane_add_peer(w, "m")->state = PEER_SUSPECT;
    char *page = page_of(w);
    assert_line(page, "grapevine_backend_up{backend=\"backend-1\"} 1");
    assert_line(page, "grapevine_backend_up{backend=\"backend-2\"} 0");
    assert_line(page, "grapevine_backend_inflight{backend=\"backend-1\"} 3");
    assert_line(page, "grapevine_backend_queued{backend=\"backend-1\"} 2");
    assert_line(page, "grapevine_backend_requests_total{backend=\"backend-1\",result=\"ok\"} 10");
    assert_line(page,
                "grapevine_backend_requests_total{backend=\"backend-1\",result=\"failed\"} 1");
    static const char *const of_queue[] = {
        "waiting{backend=\"backend-1\",priority=\"-1\"} 2",
        "admitted_total{backend=\"backend-1\",priority=\"-1\"} 5",
        "wait_seconds_total{backend=\"backend-1\",priority=\"-1\"} 1.000001",
        "shed_total{backend=\"backend-1\",priority=\"-1\",reason=\"full\"} 3",
        "shed_total{backend=\"backend-1\",priority=\"-1\",reason=\"displaced\"} 4",
    };
    for (size_t i = 0; i < sizeof of_queue / sizeof of_queue[0]; i++) {
        char line[120];
        snprintf(line, sizeof line, "grapevine_queue_%s", of_queue[i]);
        assert_line(page, line);
    }
    assert_line(page, "grapevine_peers{state=\"alive\"} 1");
    assert_line(page, "grapevine_peers{state=\"suspect\"} 1");
    assert_line(page, "grapevine_members{state=\"alive\"} 0"); /* no gossip in this lane */
    assert_line(page, "grapevine_gossip_packets_total{way=\"datagram_in\"} 0");
    assert_line(page, "grapevine_gossip_records_total{verdict=\"new\"} 0");
    assert_line(page, "grapevine_region_summaries{verdict=\"outvoted\"} 0");
    assert_line(page, "grapevine_region_models 0");
    assert_line(page, "grapevine_gossip_load_age_seconds_bucket{le=\"+Inf\"} 0");
    assert_line(page, "grapevine_peer_rtt_seconds{peer=\"peer-1\"} 0.001234");
    assert_null(strstr(page, "grapevine_peer_rtt_seconds{peer=\"peer-2\"}"));
    free(page);
}

static size_t family_size(const char *line)
{
    size_t n = strcspn(line, "{ ");
    static const char *const tails[] = {"_bucket", "_sum", "_count"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        size_t t = strlen(tails[i]);
        if (n > t && strncmp(line + n - t, tails[i], t) == 0 && strncmp(line, "grapevine_re", 12))
            return strncmp(line, "grapevine_time", 14) ? n : n - t;
    }
    return n;
}

/* Each family: HELP, TYPE, then only its own samples, and it never comes again. */
static void the_page_keeps_to_the_exposition_format(void **state)
{
    struct lane_world *w = *state;
    lane_add_backend(w, "m");
    lane_add_peer(w, "m")->rtt_us = 1;
    metrics_request(&w->lane.metrics, NULL, 200);
    char *page = page_of(w);
    char seen[100][80];
    size_t count = 0;
    char family[80] = "";
    bool has_type = false;
    for (char *line = page, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (strncmp(line, "# HELP ", 7) == 0) {
            size_t n = strcspn(line + 7, " ");
            assert_true(n < sizeof family && count < 100);
            snprintf(family, sizeof family, "%.*s", (int)n, line + 7);
            for (size_t i = 0; i < count; i++)
                assert_string_not_equal(seen[i], family);
            memcpy(seen[count++], family, sizeof family);
            has_type = false;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
            has_type = true;
        } else {
            assert_true(has_type);
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
            assert_true(family_size(line) >= strlen(family));
            assert_non_null(strrchr(line, ' '));
        }
    }
    assert_true(count > 20);
    free(page);
}

static void a_page_that_does_not_fit_is_an_error(void **state)
{
    struct lane_world *w = *state;
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(metrics_write(&w->lane, &out), ERR_LIMIT);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LANE_TEST(counters_stand_under_path_and_status),
        LANE_TEST(every_status_that_errors_have_has_a_label),
        LANE_TEST(buckets_are_cumulative_and_end_in_the_count),
        LANE_TEST(backends_and_peers_are_labelled),
        LANE_TEST(the_page_keeps_to_the_exposition_format),
        LANE_TEST(a_page_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
