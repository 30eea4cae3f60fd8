/* Reads an engine's metrics line by line, in one pass; see engine_metrics.h. Called by probe.c. */
#include "node/egress/engine_metrics.h"

#include <math.h>
#include <stdlib.h>

#define NUMBER_SIZE_MAX 39 /* of a value's text; more digits mean nothing */
#define REQUESTS_MAX 1000000.0

enum slot { RUNNING, WAITING, KV, GPU_LOAD, GPU_USED, GPU_FREE, GPU_TOTAL, GPU_CELSIUS, SLOTS };

static const struct {
    const char *name;
    enum slot slot;
    double scale;
} names[] = {
    {"vllm:num_requests_running", RUNNING, 1},
    {"vllm:num_requests_waiting", WAITING, 1},
    {"vllm:kv_cache_usage_perc", KV, 100},
    {"vllm:gpu_cache_usage_perc", KV, 100}, /* its older name; newer versions say both */
    {"sglang:num_running_reqs", RUNNING, 1},
    {"sglang:num_queue_reqs", WAITING, 1},
    {"sglang:token_usage", KV, 100},
    {"llamacpp:requests_processing", RUNNING, 1},
    {"llamacpp:requests_deferred", WAITING, 1},
    {"llamacpp:kv_cache_usage_ratio", KV, 100}, /* older builds */
    {"tgi_batch_current_size", RUNNING, 1},
    {"tgi_queue_size", WAITING, 1},
    {"trtllm_num_requests_running", RUNNING, 1},
    {"trtllm_num_requests_waiting", WAITING, 1},
    {"trtllm_kv_cache_utilization", KV, 100},
    {"nv_inference_pending_request_count", WAITING, 1},
    {"DCGM_FI_DEV_GPU_UTIL", GPU_LOAD, 1},
    {"DCGM_FI_DEV_FB_USED", GPU_USED, 1048576},
    {"DCGM_FI_DEV_FB_FREE", GPU_FREE, 1048576},
    {"DCGM_FI_DEV_GPU_TEMP", GPU_CELSIUS, 1},
    {"nv_gpu_utilization", GPU_LOAD, 100},
    {"nv_gpu_memory_used_bytes", GPU_USED, 1},
    {"nv_gpu_memory_total_bytes", GPU_TOTAL, 1},
};

struct total {
    double value; /* NAN once one of its values cannot be */
    bool is_said;
};

/* --- text */

static struct bytes take_line(struct bytes *text)
{
    struct bytes line = bytes_of(text->data, bytes_find(*text, '\n'));
    *text = bytes_skip(*text, line.size + 1);
    return line;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes take_word(struct bytes *line)
{
    while (line->size > 0 && is_blank(line->data[0]))
        *line = bytes_skip(*line, 1);
    size_t size = 0;
    while (size < line->size && !is_blank(line->data[size]) && line->data[size] != '{')
        size++;
    struct bytes word = bytes_of(line->data, size);
    *line = bytes_skip(*line, size);
    return word;
}

/* Where a quoted text that begins at `at` ends: behind its quote, or at the end of the line. */
static size_t end_of_quoted(struct bytes line, size_t at)
{
    for (at++; at < line.size && line.data[at] != '"'; at++)
        at += line.data[at] == '\\';
    return at < line.size ? at + 1 : line.size;
}

/* Takes "{...}" if it is there. *ret_gpu: the text of its label gpu, empty without one. */
static void take_labels(struct bytes *line, struct bytes *ret_gpu)
{
    size_t name = 1, at = 1;
    *ret_gpu = bytes_of(NULL, 0);
    if (line->size == 0 || line->data[0] != '{')
        return;
    while (at < line->size && line->data[at] != '}') {
        if (line->data[at] != '"') {
            name = line->data[at] == ',' ? at + 1 : name;
            at++;
            continue;
        }
        size_t end = end_of_quoted(*line, at);
        if (bytes_equal(bytes_trim(bytes_of(line->data + name, at - name)), BYTES("gpu=")))
            *ret_gpu = bytes_of(line->data + at + 1, end > at + 2 ? end - at - 2 : 0);
        at = end;
    }
    *line = bytes_skip(*line, at + 1);
}

/* NAN: it is none, or none that a gauge could have. */
static double number_of(struct bytes word)
{
    char text[NUMBER_SIZE_MAX + 1];
    char *end = text;
    if (word.size == 0 || word.size > NUMBER_SIZE_MAX)
        return NAN;
    for (size_t i = 0; i < word.size; i++)
        if (!memchr("0123456789+-.eE", word.data[i], 15))
            return NAN;
    bytes_to_str(word, text, sizeof(text));
    double value = strtod(text, &end);
    return end == text + word.size && isfinite(value) && value >= 0 ? value : NAN;
}

/* --- meaning */

static bool is_of_gpu(struct bytes label, uint32_t gpu)
{
    uint64_t index;
    return gpu == ENGINE_METRICS_ALL_GPUS || label.size == 0 || !bytes_to_u64(label, &index) ||
           index == gpu;
}

/* Requests and memory add up; of the others the largest counts. */
static void add(struct total *total, enum slot slot, double value)
{
    bool adds_up = slot == RUNNING || slot == WAITING || (slot >= GPU_USED && slot <= GPU_TOTAL);
    if (!total->is_said)
        total->value = value;
    else if (isnan(total->value) || isnan(value))
        total->value = NAN;
    else if (adds_up || value > total->value)
        total->value = value + (adds_up ? total->value : 0);
    total->is_said = true;
}

static void read_line(struct bytes line, uint32_t gpu, struct total totals[SLOTS])
{
    struct bytes name = take_word(&line), label;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!bytes_equal(name, bytes_from_str(names[i].name)))
            continue;
        take_labels(&line, &label);
        if (is_of_gpu(label, gpu))
            add(&totals[names[i].slot], names[i].slot,
                number_of(take_word(&line)) * names[i].scale);
        return;
    }
}

static double value_of(const struct total *total)
{
    return total->is_said ? total->value : NAN;
}

static bool requests_of(const struct total *total, uint32_t *ret_requests)
{
    double value = value_of(total);
    if (!(value >= 0 && value <= REQUESTS_MAX))
        return false;
    *ret_requests = (uint32_t)(value + 0.5);
    return true;
}

static double memory_of(const struct total totals[SLOTS])
{
    double used = value_of(&totals[GPU_USED]), free = value_of(&totals[GPU_FREE]);
    double all = totals[GPU_TOTAL].is_said ? totals[GPU_TOTAL].value : used + free;
    return all > 0 ? used * 100 / all : NAN;
}

void engine_metrics_read(struct bytes text, uint32_t gpu, struct engine_metrics *ret_metrics)
{
    struct engine_metrics m = {.has_running = false};
    struct total totals[SLOTS] = {{0}};
    while (text.size > 0)
        read_line(take_line(&text), gpu, totals);
    m.has_running = requests_of(&totals[RUNNING], &m.running);
    m.has_waiting = requests_of(&totals[WAITING], &m.waiting);
    figures_set(&m.figures, FIGURE_KV, value_of(&totals[KV]));
    figures_set(&m.figures, FIGURE_GPU_LOAD, value_of(&totals[GPU_LOAD]));
    figures_set(&m.figures, FIGURE_GPU_MEMORY, memory_of(totals));
    figures_set(&m.figures, FIGURE_GPU_CELSIUS, value_of(&totals[GPU_CELSIUS]));
    *ret_metrics = m;
}
