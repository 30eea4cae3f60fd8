/* Backends that are this mesh itself: found out by their probes, refused when they ask. And a node
 * without file descriptors, which says so. */
#include "tests/unit/node/hop_world.h"

#define ASK_MODELS "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"

static struct buf lines; /* what the edge logged */

static void keep_line(void *ctx, struct bytes line)
{
    (void)ctx;
    assert_int_equal(buf_append(&lines, line), ERR_OK);
}

static int times_logged(const char *text)
{
    int count = 0;
    size_t size = strlen(text);
    for (size_t at = 0; at + size <= lines.size; at++)
        count += memcmp(lines.data + at, text, size) == 0;
    return count;
}

static int setup_logged(void **state)
{
    struct world *w = make_world(false);
    buf_init(&lines, 1 << 20);
    w->edge.log.sink = keep_line;
    *state = w;
    return 0;
}

static int teardown_logged(void **state)
{
    teardown(state);
    buf_fini(&lines);
    return 0;
}

static void back_to(struct side *edge, const struct io_addr *addr)
{
    struct config_backend *b = &edge->config.backends[edge->config.backend_count++];
    FIXTURE_SET(b->name, "wrong");
    const uint8_t *ip = addr->ip;
    snprintf(b->host, sizeof b->host, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    snprintf(b->url, sizeof b->url, "http://%u.%u.%u.%u:7380", ip[0], ip[1], ip[2], ip[3]);
    b->port = 7380;
    b->kind = BACKEND_AUTO;
    b->concurrency = 4;
}

/* It is down, which was said once; what others serve is served. */
static void assert_is_found_out(struct world *w)
{
    ask_control(w, &w->edge, "GET /mesh/v1/nodes HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "{\"name\":\"wrong\""));
    assert_true(got(w, "{\"name\":\"wrong\",\"kind\":\"auto\",\"state\":\"down\""));
    assert_int_equal(times_logged("backend_is_this_mesh"), 1);
    assert_int_equal(times_logged("leads back to a node of this mesh"), 1);
    ask(w, CHAT);
    UNTIL(w, got(w, "{\"a\":1}\n"));
    assert_true(got(w, "grapevine-path: edge,rack\r\n"));
    assert_int_equal(w->chats, 1);
}

static void a_backend_that_is_the_node_itself_is_down(void **state)
{
    struct world *w = *state;
    struct io_addr self = {.ip = {127, 0, 0, 1}};
    back_to(&w->edge, &self);
    open_nodes(w);
    run_for(w, 5 * SECOND);
    assert_is_found_out(w);
}

static void a_backend_that_is_another_node_of_the_mesh_is_down(void **state)
{
    struct world *w = *state;
    struct io_addr rack;
    FIXTURE_SET(w->rack.config.listen_http, "0.0.0.0:7380");
    sim_host_ip(w->sim, "rack", &rack);
    back_to(&w->edge, &rack);
    open_nodes(w);
    run_for(w, 5 * SECOND);
    assert_is_found_out(w);
}

static void ask_via(struct world *w, const char *via)
{
    char request[300];
    snprintf(request, sizeof request,
             "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nvia: 1.1 front, %s\r\n"
             "content-length: 27\r\n\r\n{\"model\":\"m\",\"messages\":[]}",
             via);
    ask(w, request);
}

static void keep_via(struct end *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

/* A proxy between the two may answer probes by itself. */
static void a_request_that_this_mesh_sent_is_refused(void **state)
{
    struct world *w = *state;
    char mesh[ID_TEXT_SIZE], via[100];
    w->on_chat = keep_via;
    open_nodes(w);
    id_to_text(&w->edge.identity.mesh, mesh);
    snprintf(via, sizeof via, "1.1 grapevine-%s", mesh);
    ask_via(w, via);
    UNTIL(w, got(w, "\"code\":\"backend_failed\""));
    assert_true(got(w, "HTTP/1.1 502 "));
    assert_true(got(w, "this mesh itself sent the request"));
    assert_int_equal(w->chats, 0);
    mesh[0] = mesh[0] == 'a' ? 'b' : 'a'; /* another mesh may be in front of this one */
    snprintf(via, sizeof via, "1.1 grapevine-%s", mesh);
    ask_via(w, via);
    UNTIL(w, got(w, "HTTP/1.1 200 "));
    assert_int_equal(w->chats, 1);
}

static void connections_dropped_for_want_of_descriptors_are_told(void **state)
{
    struct world *w = *state;
    struct io_addr edge;
    FIXTURE_SET(w->edge.config.listen_http, "0.0.0.0:7380");
    open_nodes(w);
    sim_host_ip(w->sim, "edge", &edge);
    edge.port = 7380;
    sim_host_limit_fds(w->sim, "edge", 1); /* fewer than it has open */
    for (int i = 0; i < 5; i++) {
        ask_from(w, w->rack.loop, &edge, ASK_MODELS);
        UNTIL(w, w->client.is_over);
    }
    run_for(w, 3 * SECOND);
    assert_in_range(times_logged("connections_dropped"), 1, 3);
    assert_true(times_logged("fd_limit") > 0);
    sim_host_limit_fds(w->sim, "edge", SIZE_MAX);
    ask_from(w, w->rack.loop, &edge, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "grapevine_retries_total"));
    assert_true(got(w, "grapevine_connections_dropped_total 5\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_logged, teardown_logged)
    const struct CMUnitTest tests[] = {
        TEST(a_backend_that_is_the_node_itself_is_down),
        TEST(a_backend_that_is_another_node_of_the_mesh_is_down),
        TEST(a_request_that_this_mesh_sent_is_refused),
        TEST(connections_dropped_for_want_of_descriptors_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
