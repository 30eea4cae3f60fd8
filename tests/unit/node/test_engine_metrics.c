/* Engines' own metrics: of each engine the names that count, and of garbage nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "node/egress/engine_metrics.h"

static struct engine_metrics read_text(const char *text)
{
    struct engine_metrics m;
    engine_metrics_read(bytes_from_str(text), ENGINE_METRICS_ALL_GPUS, &m);
    return m;
}

/* -1: not known. */
static int64_t figure(const struct engine_metrics *m, enum figure which)
{
    uint32_t value;
    return figures_get(&m->figures, which, &value) ? (int64_t)value : -1;
}

static int64_t running(const struct engine_metrics *m)
{
    return m->has_running ? (int64_t)m->running : -1;
}

static int64_t waiting(const struct engine_metrics *m)
{
    return m->has_waiting ? (int64_t)m->waiting : -1;
}

static void every_engine_is_read_by_its_own_names(void **state)
{
    static const struct {
        const char *text;
        int64_t running, waiting, kv;
    } rows[] = {
        {"# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
         "# TYPE vllm:num_requests_running gauge\n"
         "vllm:num_requests_running{engine=\"0\",model_name=\"a\"} 3.0\n"
         "vllm:num_requests_running{engine=\"1\",model_name=\"a\"} 4.0\n"
         "vllm:num_requests_waiting{engine=\"0\",model_name=\"a\"} 2.0\n"
         "vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 77.0\n"
         "vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n"
         "vllm:kv_cache_usage_perc{engine=\"1\"} 0.504\n"
         "vllm:gpu_cache_usage_perc{engine=\"0\"} 0.1\n",
         7, 2, 50},
        {"sglang:num_running_reqs{model_name=\"m\"} 5\nsglang:num_queue_reqs 1\n"
         "sglang:token_usage{model_name=\"m\"} 1\n",
         5, 1, 100},
        {"llamacpp:requests_processing 2\nllamacpp:requests_deferred 0\n", 2, 0, -1},
        {"tgi_batch_current_size 8\r\ntgi_queue_size 9\r\n", 8, 9, -1},
        {"trtllm_num_requests_running 1\ntrtllm_num_requests_waiting 2\n"
         "trtllm_kv_cache_utilization 0\n",
         1, 2, 0},
        {"nv_inference_pending_request_count{model=\"a\",version=\"1\"} 4\n"
         "nv_inference_pending_request_count{model=\"b\",version=\"1\"} 1\n",
         -1, 5, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct engine_metrics m = read_text(rows[i].text);
        assert_int_equal(running(&m), rows[i].running);
        assert_int_equal(waiting(&m), rows[i].waiting);
        assert_int_equal(figure(&m, FIGURE_KV), rows[i].kv);
        assert_int_equal(figure(&m, FIGURE_GPU_LOAD), -1);
    }
}

#define DCGM(gpu, load, used, free, celsius)                                                       \
    "DCGM_FI_DEV_GPU_UTIL{gpu=\"" gpu "\",modelName=\"H100\"} " load "\n"                          \
    "DCGM_FI_DEV_FB_USED{UUID=\"GPU-1\",gpu=\"" gpu "\"} " used "\n"                               \
    "DCGM_FI_DEV_FB_FREE{UUID=\"GPU-1\", gpu=\"" gpu "\"} " free "\n"                              \
    "DCGM_FI_DEV_GPU_TEMP{gpu=\"" gpu "\"} " celsius "\n"

static void gpus_are_read_by_the_names_of_dcgm_and_triton(void **state)
{
    struct engine_metrics m = read_text(DCGM("0", "83", "60000", "20000", "71"));
    assert_int_equal(figure(&m, FIGURE_GPU_LOAD), 83);
    assert_int_equal(figure(&m, FIGURE_GPU_MEMORY), 75);
    assert_int_equal(figure(&m, FIGURE_GPU_CELSIUS), 71);
    m = read_text("nv_gpu_utilization{gpu_uuid=\"x\"} 0.5\nnv_gpu_memory_used_bytes 10e9\n"
                  "nv_gpu_memory_total_bytes 80e9\n");
    assert_int_equal(figure(&m, FIGURE_GPU_LOAD), 50);
    assert_int_equal(figure(&m, FIGURE_GPU_MEMORY), 13);
    assert_int_equal(figure(&m, FIGURE_GPU_CELSIUS), -1);
}

static void of_several_gpus_the_named_one_counts_or_the_busiest(void **state)
{
    static const char text[] = DCGM("0", "10", "10", "90", "40") DCGM("1", "70", "70", "30", "80");
    struct engine_metrics m;
    engine_metrics_read(bytes_from_str(text), 0, &m);
    assert_int_equal(figure(&m, FIGURE_GPU_LOAD), 10);
    assert_int_equal(figure(&m, FIGURE_GPU_MEMORY), 10);
    engine_metrics_read(bytes_from_str(text), 1, &m);
    assert_int_equal(figure(&m, FIGURE_GPU_LOAD), 70);
    assert_int_equal(figure(&m, FIGURE_GPU_CELSIUS), 80);
    engine_metrics_read(bytes_from_str(text), 2, &m);
    assert_int_equal(figure(&m, FIGURE_GPU_LOAD), -1);
    m = read_text(text);
    assert_int_equal(figure(&m, FIGURE_GPU_LOAD), 70);
    assert_int_equal(figure(&m, FIGURE_GPU_MEMORY), 40);
    assert_int_equal(figure(&m, FIGURE_GPU_CELSIUS), 80);
}

/* Never 0, and never what the other series say: the sum would be wrong. */
static void a_value_that_cannot_be_makes_the_metric_not_known(void **state)
{
    static const char *const wrong[] = {
        "",      "x",   "NaN",  "+Inf",
        "-1",    "1x",  "0x10", "1e999",
        "--1",   "1e7", "{a=1", "1.2.3",
        "\"2\"", "e",   "nan",  "00000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "vllm:num_requests_running{engine=\"0\"} %s\nvllm:num_requests_waiting 2\n",
                 wrong[i]);
        struct engine_metrics m = read_text(text);
        assert_int_equal(running(&m), -1);
        assert_int_equal(waiting(&m), 2);
        snprintf(text, sizeof(text),
                 "vllm:num_requests_running{engine=\"1\"} 3\n"
                 "vllm:num_requests_running{engine=\"0\"} %s\n"
                 "vllm:num_requests_running{engine=\"2\"} 3\n",
                 wrong[i]);
        m = read_text(text);
        assert_int_equal(running(&m), -1);
    }
    struct engine_metrics m = read_text("vllm:kv_cache_usage_perc 1.5\nDCGM_FI_DEV_GPU_UTIL 101\n"
                                        "DCGM_FI_DEV_GPU_TEMP 4000\nDCGM_FI_DEV_FB_USED 5\n");
    assert_int_equal(m.figures.known, 0);
    m = read_text("DCGM_FI_DEV_FB_USED 0\nDCGM_FI_DEV_FB_FREE 0\n");
    assert_int_equal(m.figures.known, 0);
}

static void what_is_around_a_value_does_not_matter(void **state)
{
    struct engine_metrics m = read_text(
        "  tgi_queue_size\t3 1395066363000\n\n# tgi_queue_size 4\nx{a=\"tgi_queue_size 5\n"
        "vllm:num_requests_running{model_name=\"a } \\\" gpu=\",b=\"\\\\\"} 6 # {id=\"1\"} 9\n"
        "vllm:num_requests_running_total 99\n\xff\xfe{\x01\n}");
    assert_int_equal(waiting(&m), 3);
    assert_int_equal(running(&m), 6);
    m = read_text("");
    assert_int_equal(running(&m), -1);
    m = read_text("<html>tgi_queue_size 3</html>");
    assert_int_equal(waiting(&m), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_engine_is_read_by_its_own_names),
        cmocka_unit_test(gpus_are_read_by_the_names_of_dcgm_and_triton),
        cmocka_unit_test(of_several_gpus_the_named_one_counts_or_the_busiest),
        cmocka_unit_test(a_value_that_cannot_be_makes_the_metric_not_known),
        cmocka_unit_test(what_is_around_a_value_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
