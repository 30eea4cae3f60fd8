/* The table of paths: which face offers what, and to which methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/ingress/api.h"

static const char *found(const char *target, enum api_face face)
{
    const struct api_endpoint *e = api_find(bytes_from_str(target), face);
    return e ? e->path : "(none)";
}

static void inference_paths_are_for_clients_and_peers(void **state)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings",
                                        "/v1/responses",        "/v1/messages",    "/v1/rerank"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct api_endpoint *e = api_find(bytes_from_str(paths[i]), API_CLIENT);
        assert_non_null(e);
        assert_string_equal(e->path, paths[i]);
        assert_int_equal(e->kind, API_INFER);
        assert_int_equal(e->methods, 1u << HTTP_POST);
        assert_ptr_equal(api_find(bytes_from_str(paths[i]), API_PEER), e);
        assert_null(api_find(bytes_from_str(paths[i]), API_CONTROL));
    }
}

static void local_paths_stay_local(void **state)
{
    static const char *const paths[] = {"/v1/models", "/livez", "/readyz", "/metrics"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct api_endpoint *e = api_find(bytes_from_str(paths[i]), API_CLIENT);
        assert_non_null(e);
        assert_int_equal(e->kind, API_LOCAL);
        assert_non_null(e->answer);
        assert_ptr_equal(api_find(bytes_from_str(paths[i]), API_CONTROL), e);
        assert_null(api_find(bytes_from_str(paths[i]), API_PEER));
    }
}

static void what_operators_read_takes_their_signature(void **state)
{
    static const char *const paths[] = {
        "/mesh/v1/status",     "/mesh/v1/nodes",    "/mesh/v1/models",        "/mesh/v1/receipts/x",
        "/mesh/v1/registry/a", "/mesh/v1/commands", "/mesh/v1/events?last=1", "/mesh/v1/watch",
        "/mesh/v1/voters",     "/mesh/v1/log",      "/mesh/v1/snapshot"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct api_endpoint *e = api_find(bytes_from_str(paths[i]), API_CONTROL);
        assert_non_null(e);
        assert_ptr_equal(api_find(bytes_from_str(paths[i]), API_CLIENT), e);
        assert_int_equal(e->faces & (API_SIGNED | API_CLIENT), API_SIGNED);
        assert_null(api_find(bytes_from_str(paths[i]), API_PEER));
    }
}

static void what_operators_order_of_a_node_is_ordered_there(void **state)
{
    static const char *const paths[] = {"/mesh/v1/leave", "/mesh/v1/gossip-keys",
                                        "/mesh/v1/gossip-keys/status"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_non_null(api_find(bytes_from_str(paths[i]), API_CONTROL));
        assert_null(api_find(bytes_from_str(paths[i]), API_CLIENT));
        assert_null(api_find(bytes_from_str(paths[i]), API_PEER));
    }
}

static void a_query_is_cut_off_and_paths_are_exact(void **state)
{
    assert_string_equal(found("/livez?verbose=1", API_CLIENT), "/livez");
    assert_string_equal(found("/v1/chat/completions?x", API_CLIENT), "/v1/chat/completions");
    assert_string_equal(found("/livez/", API_CLIENT), "(none)");
    assert_string_equal(found("/livezz", API_CLIENT), "(none)");
    assert_string_equal(found("/Livez", API_CLIENT), "(none)");
    assert_string_equal(found("/v1/chat/completions/x", API_CLIENT), "(none)");
    assert_string_equal(found("/", API_CLIENT), "(none)");
    assert_string_equal(found("", API_CLIENT), "(none)");
    assert_string_equal(found("*", API_CLIENT), "(none)");
}

static void one_model_is_below_the_models(void **state)
{
    assert_string_equal(found("/v1/models/org/name", API_CLIENT), "/v1/models");
    assert_string_equal(found("/v1/models/", API_CLIENT), "/v1/models");
    assert_string_equal(found("/v1/models?limit=5", API_CLIENT), "/v1/models");
    assert_string_equal(found("/v1/modelsx", API_CLIENT), "(none)");
}

static void every_row_has_a_place_for_its_metrics(void **state)
{
    size_t count = 0;
    for (const struct api_endpoint *e; (e = api_at(count)); count++) {
        assert_int_equal(api_index(e), count);
        assert_non_null(e->allow);
        assert_true(e->faces != 0 && e->methods != 0);
    }
    assert_true(count > 0 && count <= API_COUNT);
    assert_int_equal(api_index(NULL), API_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_paths_are_for_clients_and_peers),
        cmocka_unit_test(local_paths_stay_local),
        cmocka_unit_test(what_operators_read_takes_their_signature),
        cmocka_unit_test(what_operators_order_of_a_node_is_ordered_there),
        cmocka_unit_test(a_query_is_cut_off_and_paths_are_exact),
        cmocka_unit_test(one_model_is_below_the_models),
        cmocka_unit_test(every_row_has_a_place_for_its_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
