/* What status, nodes and models say. The mesh is played by this file: it holds a handful of peers
 * and answers the few questions that node/admin asks of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "node/admin/admin.h"

struct mesh {
    struct peer peers[4];
    size_t count;
};

size_t mesh_peer_count(const struct mesh *m)
{
    return m->count;
}

struct peer *mesh_peer(const struct mesh *m, size_t index)
{
    return (struct peer *)&m->peers[index];
}

struct peer *mesh_peer_find(const struct mesh *m, const struct id *id)
{
    for (size_t i = 0; i < m->count; i++)
        if (id_equal(&m->peers[i].id, id))
            return (struct peer *)&m->peers[i];
    return NULL;
}

bool mesh_peer_is_listed(const struct peer *p)
{
    return p != NULL;
}

bool mesh_peer_is_usable(const struct peer *p)
{
    return p->state == PEER_ALIVE && !p->draining;
}

const char *peer_state_name(enum peer_state s)
{
    static const char *const names[] = {"down", "alive", "suspect", "left"};
    return names[s];
}

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct facts_model self_models[] = {
    {.name = TEXT("qwen2.5-0.5b-instruct"),
     .owned_by = TEXT("llamacpp"),
     .created = 1700000000,
     .loaded = true,
     .context = 4096,
     .slots = 2},
    {.name = TEXT("tiny"), .version = TEXT("v2"), .context = -1, .slots = -1},
};
static const struct facts_backend self_backends[] = {
    {.name = TEXT("llama"),
     .kind = TEXT("llamacpp"),
     .state = FACTS_BACKEND_UP,
     .hardware = FACTS_HARDWARE_GPU,
     .figures = {.known = 1u << FIGURE_GPU_LOAD | 1u << FIGURE_GPU_CELSIUS | 1u << FIGURE_KV |
                          1u << FIGURE_TTFT_P99 | 1u << FIGURE_ERRORS | 1u << FIGURE_LATENCY_P50 |
                          1u << FIGURE_TOKENS_PER_S,
                 .values = {[FIGURE_GPU_LOAD] = 83,
                            [FIGURE_GPU_CELSIUS] = 71,
                            [FIGURE_KV] = 5,
                            [FIGURE_TTFT_P99] = 12,
                            [FIGURE_LATENCY_P50] = 340,
                            [FIGURE_TOKENS_PER_S] = 41,
                            [FIGURE_ERRORS] = 7}},
     .models = self_models,
     .model_count = 2},
};
static const struct facts_label self_labels[] = {
    {TEXT("site"), TEXT("shop-14")},
    {TEXT("empty"), TEXT("")},
};
static const struct facts_model peer_models[] = {
    {.name = TEXT("big \"one\""), .owned_by = TEXT("vendor"), .context = -1, .slots = -1},
    {.name = TEXT("tiny"), .version = TEXT("v2"), .context = -1, .slots = -1},
};
static const struct facts_backend peer_backends[] = {
    {.name = TEXT("a"),
     .kind = TEXT("openai"),
     .state = FACTS_BACKEND_UP,
     .models = peer_models,
     .model_count = 2},
    {.name = TEXT("b"),
     .kind = TEXT("openai"),
     .state = FACTS_BACKEND_UP,
     .models = &peer_models[1],
     .model_count = 1},
    {.name = TEXT("c"),
     .kind = TEXT("auto"),
     .state = FACTS_BACKEND_DOWN,
     .models = self_models,
     .model_count = 1},
};

struct world {
    struct identity identity;
    struct facts self;
    struct facts peer;
    struct mesh mesh;
    struct rules_status rules;
    struct admin_view view;
    struct buf out;
    char text[8192];
};

static void set_text(char text[CERT_NAME_MAX + 1], const char *value)
{
    bytes_to_str(bytes_from_str(value), text, CERT_NAME_MAX + 1);
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof(w));
    set_text(w.identity.cert.name, "edge-1");
    set_text(w.identity.cert.region, "eu");
    w.identity.cert.tier = TIER_EDGE;
    memset(&w.identity.mesh, 0xab, sizeof(w.identity.mesh));
    memset(&w.identity.node, 0x01, sizeof(w.identity.node));
    w.self = (struct facts){.name = TEXT("edge-1"),
                            .region = TEXT("eu"),
                            .zone = TEXT("shop"),
                            .tier = TIER_EDGE,
                            .version = TEXT("0.1.0"),
                            .mesh_addr = TEXT("127.0.0.1:7300"),
                            .http_addr = TEXT("127.0.0.1:7380"),
                            .boot_ms = 1,
                            .rules = {.is_known = true, .epoch = 9, .is_voter = true},
                            .load = {1, 0, 4},
                            .labels = self_labels,
                            .label_count = 2,
                            .spot = true,
                            .backends = self_backends,
                            .backend_count = 1};
    w.peer = (struct facts){.name = TEXT("lies"),
                            .version = TEXT("0.1.0"),
                            .boot_ms = 1,
                            .load = {3, 2, 8},
                            .backends = peer_backends,
                            .backend_count = 3};
    w.mesh.count = 2;
    set_text(w.mesh.peers[0].name, "zeta");
    set_text(w.mesh.peers[0].region, "us");
    w.mesh.peers[0].tier = TIER_CLOUD;
    w.mesh.peers[0].state = PEER_ALIVE;
    w.mesh.peers[0].incarnation = 1800;
    w.mesh.peers[0].rtt_us = 1234;
    w.mesh.peers[0].facts = &w.peer;
    w.mesh.peers[0].facts_ms = 9500;
    w.mesh.peers[0].load = w.peer.load;
    w.mesh.peers[0].load_ms = 9500;
    set_text(w.mesh.peers[1].name, "alpha");
    w.mesh.peers[1].tier = TIER_REGIONAL;
    set_text(w.mesh.peers[1].region, "eu");
    w.mesh.peers[1].state = PEER_DOWN;
    w.view = (struct admin_view){.identity = &w.identity,
                                 .mesh = &w.mesh,
                                 .self = &w.self,
                                 .rules = &w.rules,
                                 .state = "ready",
                                 .now_ms = 10000,
                                 .started_ms = 4500,
                                 .incarnation = 1700,
                                 .inflight = 3};
    buf_init(&w.out, sizeof(w.text) - 1);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    buf_fini(&w->out);
    return 0;
}

static const char *text(struct world *w)
{
    bytes_to_str(buf_bytes(&w->out), w->text, sizeof(w->text));
    return w->text;
}

static void status_has_every_key_of_the_contract(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_status_json(&w->view, &w->out), ERR_OK);
    assert_string_equal(
        text(w),
        "{\"node\":\"edge-1\",\"mesh\":\"abababababababababababababababab\",\"state\":\"ready\","
        "\"epoch\":0,\"applied\":0,\"state_hash\":null,\"leader\":null,\"voters\":[],"
        "\"rules\":{\"role\":\"replica\",\"quorum\":false,\"commit\":0,\"term\":null,\"age_ms\":0,"
        "\"admitted\":false,\"refused\":null,\"refused_because\":null,\"stopped\":null,"
        "\"disk_full\":false,\"diverged\":false},\"alive\":2,\"uptime_s\":5,\"inflight\":3}");
}

static void status_names_the_voters_and_says_what_is_wrong(void **state)
{
    struct world *w = *state;
    w->view.epoch = 7;
    w->rules = (struct rules_status){.epoch = 7,
                                     .applied = 12,
                                     .commit = 13,
                                     .term = 2,
                                     .has_hash = true,
                                     .has_leader = true,
                                     .leader = w->mesh.peers[0].id,
                                     .is_member = true,
                                     .is_voter = true,
                                     .has_quorum = true,
                                     .age_ms = 40,
                                     .voters = {w->identity.node, w->mesh.peers[0].id},
                                     .voter_count = 2,
                                     .refusal = ERR_REVOKED,
                                     .refused_because = "it was",
                                     .stopped = ERR_CORRUPT,
                                     .is_disk_full = true,
                                     .is_diverged = true};
    memset(&w->rules.voters[2], 0x33, sizeof(w->rules.voters[2]));
    w->rules.voter_count = 3;
    assert_int_equal(admin_status_json(&w->view, &w->out), ERR_OK);
    assert_string_equal(
        text(w),
        "{\"node\":\"edge-1\",\"mesh\":\"abababababababababababababababab\",\"state\":\"ready\","
        "\"epoch\":7,\"applied\":12,\"state_hash\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\",\"leader\":\"zeta\","
        "\"voters\":[\"edge-1\",\"zeta\",\"33333333333333333333333333333333\"],"
        "\"rules\":{\"role\":\"voter\",\"quorum\":true,\"commit\":13,\"term\":2,\"age_ms\":40,"
        "\"admitted\":false,\"refused\":\"revoked\",\"refused_because\":\"it was\","
        "\"stopped\":\"corrupt\",\"disk_full\":true,\"diverged\":true},\"alive\":2,\"uptime_s\":5,"
        "\"inflight\":3}");
}

#define SELF_ROW                                                                                   \
    "{\"self\":true,\"name\":\"edge-1\",\"id\":\"01010101010101010101010101010101\",\"tier\":"     \
    "\"edge\","                                                                                    \
    "\"region\":\"eu\",\"zone\":\"shop\",\"state\":\"alive\",\"conflict\":null,\"incarnation\":"   \
    "1700,\"age_ms\":0,"                                                                           \
    "\"rtt_ms\":null,"                                                                             \
    "\"version\":\"0.1.0\",\"mesh\":\"127.0.0.1:7300\",\"http\":\"127.0.0.1:7380\",\"epoch\":9,"   \
    "\"voter\":true,"                                                                              \
    "\"load\":{\"inflight\":1,\"queued\":0,\"utilization\":0.250},\"backends\":[{\"name\":"        \
    "\"llama\","                                                                                   \
    "\"kind\":\"llamacpp\",\"state\":\"up\",\"models\":[{\"name\":\"qwen2.5-0.5b-instruct\","      \
    "\"version\":null,"                                                                            \
    "\"loaded\":true,\"context\":4096,\"slots\":2},{\"name\":\"tiny\",\"version\":\"v2\","         \
    "\"loaded\":false,"                                                                            \
    "\"context\":null,\"slots\":null}],\"hardware\":\"gpu\",\"gpu\":{\"load\":0.830,"              \
    "\"memory\":null,\"temperature_c\":71},\"kv\":0.050,\"ttft_ms\":{\"p50\":null,\"p99\":12},"    \
    "\"latency_ms\":{\"p50\":340,\"p99\":null},\"tokens_per_s\":41,"                               \
    "\"error_rate\":0.007}],\"labels\":{\"site\":\"shop-14\",\"empty\":\"\"},\"spot\":true}"

static void nodes_begin_with_this_node_and_go_on_by_name(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_nodes_json(&w->view, &w->out), ERR_OK);
    const char *self = strstr(text(w), SELF_ROW);
    const char *alpha = strstr(text(w), "\"name\":\"alpha\"");
    const char *zeta = strstr(text(w), "\"name\":\"zeta\"");
    assert_non_null(self);
    assert_ptr_equal(self, w->text + strlen("{\"nodes\":["));
    assert_true(self < alpha && alpha < zeta);
}

static void a_peer_without_facts_is_null_where_nothing_is_known(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_nodes_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(
        text(w),
        "{\"self\":false,\"name\":\"alpha\",\"id\":\"00000000000000000000000000000000\","
        "\"tier\":\"regional\",\"region\":\"eu\",\"zone\":null,\"state\":\"down\",\"conflict\":"
        "null,"
        "\"incarnation\":null,\"age_ms\":null,\"rtt_ms\":null,\"version\":null,\"mesh\":null,"
        "\"http\":null,\"epoch\":null,\"voter\":null,\"load\":{\"inflight\":null,\"queued\":null,"
        "\"utilization\":null},\"backends\":null,\"labels\":null,\"spot\":null}"));
}

static void a_peer_is_named_by_its_certificate_and_aged_by_the_clock(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_nodes_json(&w->view, &w->out), ERR_OK);
    assert_null(strstr(text(w), "lies"));
    assert_non_null(
        strstr(w->text,
               "\"name\":\"zeta\",\"id\":\"00000000000000000000000000000000\",\"tier\":\"cloud\","
               "\"region\":\"us\",\"zone\":\"\",\"state\":\"alive\",\"conflict\":null,"
               "\"incarnation\":1800,"
               "\"age_ms\":500,\"rtt_ms\":1.234,\"version\":\"0.1.0\",\"mesh\":null,"
               "\"http\":null,\"epoch\":null,\"voter\":null,\"load\":{\"inflight\":3,\"queued\":2,"
               "\"utilization\":0.375}"));
}

static void scrapers_find_everybody_with_an_address(void **state)
{
    struct world *w = *state;
    w->peer.http_addr = BYTES("0.0.0.0:7390");
    w->peer.mesh_addr = BYTES("10.0.0.7:7300");
    assert_int_equal(admin_sd_json(&w->view, &w->out), ERR_OK);
    assert_int_equal(buf_append_byte(&w->out, 0), ERR_OK);
    assert_string_equal((const char *)w->out.data,
                        "[{\"targets\":[\"127.0.0.1:7380\"],\"labels\":{\"node\":\"edge-1\","
                        "\"tier\":\"edge\",\"region\":\"eu\",\"zone\":\"shop\"}},"
                        "{\"targets\":[\"10.0.0.7:7390\"],\"labels\":{\"node\":\"zeta\","
                        "\"tier\":\"cloud\",\"region\":\"us\",\"zone\":\"\"}}]");
}

static void a_name_that_two_live_nodes_have_is_shown_at_both(void **state)
{
    struct world *w = *state;
    set_text(w->mesh.peers[0].name, "edge-1");
    set_text(w->mesh.peers[1].name, "edge-1"); /* it is down: its machine was set up anew */
    assert_int_equal(admin_nodes_json(&w->view, &w->out), ERR_OK);
    const char *found = text(w);
    for (int i = 0; i < 2; i++) {
        found = strstr(found, "\"state\":\"alive\",\"conflict\":\"name\"");
        assert_non_null(found++);
    }
    assert_non_null(strstr(w->text, "\"state\":\"down\",\"conflict\":null"));
}

static void a_process_that_is_there_twice_says_so(void **state)
{
    struct world *w = *state;
    w->view.has_conflict = true;
    assert_int_equal(admin_nodes_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(text(w), "\"state\":\"alive\",\"conflict\":\"identity\""));
}

static void models_are_listed_with_their_versions_and_nodes(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_models_json(&w->view, &w->out), ERR_OK);
    assert_string_equal(text(w),
                        "{\"models\":[{\"name\":\"big "
                        "\\\"one\\\"\",\"versions\":[{\"version\":null,\"nodes\":[\"zeta\"],"
                        "\"regions\":[]}],"
                        "\"aliases\":[]},{\"name\":\"qwen2.5-0.5b-instruct\",\"versions\":[{"
                        "\"version\":null,\"nodes\":[\"edge-1\"],\"regions\":[]}],"
                        "\"aliases\":[]},{\"name\":\"tiny\",\"versions\":[{\"version\":\"v2\","
                        "\"nodes\":[\"edge-1\",\"zeta\"],\"regions\":[]}],"
                        "\"aliases\":[]}]}");
}

static void openai_models_are_listed_once_with_their_owner(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_openai_models_json(&w->view, &w->out), ERR_OK);
    assert_string_equal(text(w), "{\"object\":\"list\",\"data\":[{\"id\":\"big "
                                 "\\\"one\\\"\",\"object\":\"model\",\"created\":0,"
                                 "\"owned_by\":\"vendor\"},{\"id\":\"qwen2.5-0.5b-instruct\","
                                 "\"object\":\"model\",\"created\":1700000000,"
                                 "\"owned_by\":\"llamacpp\"},{\"id\":\"tiny\",\"object\":\"model\","
                                 "\"created\":0,\"owned_by\":\"grapevine\"}]}");
}

static void models_of_unusable_peers_are_not_offered(void **state)
{
    struct world *w = *state;
    w->mesh.peers[0].draining = true;
    assert_int_equal(admin_openai_models_json(&w->view, &w->out), ERR_OK);
    assert_null(strstr(text(w), "big"));
    buf_clear(&w->out);
    assert_int_equal(admin_models_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(text(w), "big"));
    buf_clear(&w->out);
    w->mesh.peers[0].state = PEER_DOWN;
    assert_int_equal(admin_models_json(&w->view, &w->out), ERR_OK);
    assert_null(strstr(text(w), "big"));
}

static void models_of_other_regions_are_listed_with_them(void **state)
{
    struct world *w = *state;
    struct summary_model models[2] = {{.name = TEXT("far"), .capacity = 1, .nodes = 1},
                                      {.name = TEXT("tiny"), .version = TEXT("v2"), .nodes = 1}};
    struct summary_region region = {.name = "us", .gateway_count = 1, .believed = {models, 2, 0}};
    struct summary_view view = {.regions = &region, .region_count = 1};
    memset(&w->mesh.peers[0].id, 0x05, sizeof(w->mesh.peers[0].id));
    region.gateways[0] = w->mesh.peers[0].id;
    w->view.abroad = &view;
    assert_int_equal(admin_models_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(text(w), "{\"name\":\"far\",\"versions\":[{\"version\":null,"
                                    "\"nodes\":[],\"regions\":[\"us\"]}]"));
    assert_non_null(strstr(text(w), "\"nodes\":[\"edge-1\",\"zeta\"],\"regions\":[\"us\"]}"));
    buf_clear(&w->out);
    assert_int_equal(admin_openai_models_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(text(w), "{\"id\":\"far\",\"object\":\"model\",\"created\":0,"
                                    "\"owned_by\":\"grapevine\"}"));
    buf_clear(&w->out);
    w->mesh.peers[0].draining = true; /* nobody leads there now */
    assert_int_equal(admin_openai_models_json(&w->view, &w->out), ERR_OK);
    assert_null(strstr(text(w), "far"));
    buf_clear(&w->out);
    assert_int_equal(admin_models_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(text(w), "far"));
}

static void one_openai_model_can_be_asked_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(admin_openai_model_json(&w->view, BYTES("tiny"), &w->out), ERR_OK);
    assert_string_equal(
        text(w), "{\"id\":\"tiny\",\"object\":\"model\",\"created\":0,\"owned_by\":\"grapevine\"}");
    assert_int_equal(admin_openai_model_json(&w->view, BYTES("tin"), &w->out), ERR_NOT_FOUND);
    assert_int_equal(admin_openai_model_json(&w->view, BYTES(""), &w->out), ERR_NOT_FOUND);
}

static void an_empty_mesh_has_empty_lists(void **state)
{
    struct world *w = *state;
    w->mesh.count = 0;
    w->self.backend_count = 0;
    w->self.load = (struct facts_load){0};
    assert_int_equal(admin_models_json(&w->view, &w->out), ERR_OK);
    assert_string_equal(text(w), "{\"models\":[]}");
    buf_clear(&w->out);
    assert_int_equal(admin_openai_models_json(&w->view, &w->out), ERR_OK);
    assert_string_equal(text(w), "{\"object\":\"list\",\"data\":[]}");
    buf_clear(&w->out);
    assert_int_equal(admin_nodes_json(&w->view, &w->out), ERR_OK);
    assert_non_null(strstr(text(w), "\"utilization\":null},\"backends\":[],\"labels\":{"));
}

static void an_answer_that_does_not_fit_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    uint8_t storage[100];
    struct buf small;
    buf_init_fixed(&small, storage, sizeof(storage));
    assert_int_equal(buf_append_str(&small, "before"), ERR_OK);
    assert_int_equal(admin_nodes_json(&w->view, &small), ERR_LIMIT);
    assert_int_equal(admin_openai_models_json(&w->view, &small), ERR_LIMIT);
    assert_int_equal(small.size, 6);
}

static void near_models_are_few_typing_errors_or_a_beginning_away(void **state)
{
    struct world *w = *state;
    char near[64];
    admin_near_models(&w->view, BYTES("tinny"), near, sizeof(near));
    assert_string_equal(near, "tiny");
    admin_near_models(&w->view, BYTES("Qwen2.5"), near, sizeof(near));
    assert_string_equal(near, "qwen2.5-0.5b-instruct");
    admin_near_models(&w->view, BYTES("gpt-4o"), near, sizeof(near));
    assert_string_equal(near, "");
    admin_near_models(&w->view, BYTES(""), near, sizeof(near));
    assert_string_equal(near, "");
    admin_near_models(&w->view, BYTES("qwen2.5"), near, 8);
    assert_string_equal(near, "");
    admin_near_models(&w->view, BYTES("tinny"), near, 1);
    assert_string_equal(near, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(status_has_every_key_of_the_contract),
        TEST(status_names_the_voters_and_says_what_is_wrong),
        TEST(nodes_begin_with_this_node_and_go_on_by_name),
        TEST(a_peer_without_facts_is_null_where_nothing_is_known),
        TEST(a_peer_is_named_by_its_certificate_and_aged_by_the_clock),
        TEST(scrapers_find_everybody_with_an_address),
        TEST(a_name_that_two_live_nodes_have_is_shown_at_both),
        TEST(a_process_that_is_there_twice_says_so),
        TEST(models_are_listed_with_their_versions_and_nodes),
        TEST(openai_models_are_listed_once_with_their_owner),
        TEST(models_of_unusable_peers_are_not_offered),
        TEST(models_of_other_regions_are_listed_with_them),
        TEST(one_openai_model_can_be_asked_for),
        TEST(an_empty_mesh_has_empty_lists),
        TEST(an_answer_that_does_not_fit_leaves_nothing_behind),
        TEST(near_models_are_few_typing_errors_or_a_beginning_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
