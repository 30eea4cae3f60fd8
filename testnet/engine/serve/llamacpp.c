/* llama.cpp's own views: slots and properties, in the shape of build b10434 and the years around
 * it. The sampling parameters are those of a request that set none. */
#include "node/admin/json.h"
#include "testnet/engine/serve/routes.h"

#define VIEW_MAX (1024 * 1024)

static void put_list(struct json *j, const char *key, const char *const *items, size_t count)
{
    json_key(j, key);
    json_open(j, '[');
    for (size_t i = 0; i < count; i++)
        json_text(j, bytes_from_str(items[i]));
    json_close(j, ']');
}

static void put_numbers(struct json *j)
{
    static const struct {
        const char *key;
        uint64_t milli;
    } numbers[] = {
        {"temperature", 800},
        {"dynatemp_range", 0},
        {"dynatemp_exponent", 1000},
        {"top_p", 950},
        {"min_p", 50},
        {"xtc_probability", 0},
        {"xtc_threshold", 100},
        {"typical_p", 1000},
        {"repeat_penalty", 1000},
        {"presence_penalty", 0},
        {"frequency_penalty", 0},
        {"dry_multiplier", 0},
        {"dry_base", 1750},
        {"mirostat_tau", 5000},
        {"mirostat_eta", 100},
        {"adaptive_decay", 900},
    };
    static const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"seed", 4294967295},
        {"top_k", 40},
        {"repeat_last_n", 64},
        {"dry_allowed_length", 2},
        {"dry_penalty_last_n", 64},
        {"mirostat", 0},
        {"n_keep", 0},
        {"n_discard", 0},
        {"n_probs", 0},
        {"min_keep", 0},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        json_key(j, numbers[i].key);
        json_milli(j, numbers[i].milli);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_put_uint(j, counts[i].key, counts[i].value);
}

static void put_minus_one(struct json *j, const char *key)
{
    json_key(j, key);
    json_uint(j, 1);
    if (j->error == ERR_OK) { /* the writer of JSON knows no negative numbers */
        j->out->data[j->out->size - 1] = '-';
        j->error = buf_append_byte(j->out, '1');
    }
}

static void put_params(struct json *j, int64_t output_max)
{
    static const char *const off[] = {"ignore_eos",           "stream",
                                      "reasoning_in_content", "timings_per_token",
                                      "post_sampling_probs",  "backend_sampling"};
    static const char *const samplers[] = {"penalties", "dry",   "top_n_sigma",
                                           "top_k",     "typ_p", "top_p",
                                           "min_p",     "xtc",   "temperature"};
    json_key(j, "params");
    json_open(j, '{');
    put_numbers(j);
    put_minus_one(j, "top_n_sigma");
    put_minus_one(j, "adaptive_target");
    for (size_t i = 0; i < 2; i++) {
        const char *key = i ? "n_predict" : "max_tokens";
        if (output_max < 0)
            put_minus_one(j, key);
        else
            json_put_uint(j, key, (uint64_t)output_max);
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        json_put_bool(j, off[i], false);
    json_put_str(j, "chat_format", "Content-only");
    json_put_str(j, "reasoning_format", "none");
    json_put_str(j, "generation_prompt", "");
    put_list(j, "samplers", samplers, sizeof samplers / sizeof samplers[0]);
    json_put_str(j, "speculative.types", "none");
    put_list(j, "lora", NULL, 0);
    json_close(j, '}');
}

/* A slot that has not worked yet tells less; here an idle one is as if it never had. */
static void put_slot(struct json *j, uint32_t index, uint32_t context,
                     const struct engine_slot *slot, bool is_busy)
{
    json_open(j, '{');
    json_put_uint(j, "id", index);
    json_put_uint(j, "n_ctx", context);
    json_put_bool(j, "speculative", false);
    json_put_bool(j, "is_processing", is_busy);
    if (slot->id) {
        json_put_uint(j, "id_task", slot->id);
        json_put_uint(j, "n_prompt_tokens", slot->prompt);
        json_put_uint(j, "n_prompt_tokens_processed", slot->computed);
        json_put_uint(j, "n_prompt_tokens_cache", slot->cached);
        put_params(j, slot->decoded + slot->left);
        json_key(j, "next_token");
        json_open(j, '[');
        json_open(j, '{');
        json_put_bool(j, "has_next_token", true);
        json_put_bool(j, "has_new_line", false);
        json_put_uint(j, "n_remain", slot->left);
        json_put_uint(j, "n_decoded", slot->decoded);
        json_close(j, '}');
        json_close(j, ']');
    }
    json_close(j, '}');
}

static enum err write_slots(struct server *s, uint32_t *ret_idle, struct buf *out)
{
    struct json j;
    struct engine_model_view m;
    struct engine_slot slot;
    const struct fault *lie = faults_find(&s->faults, FAULT_LIE);
    server_model(s, 0, &m);
    *ret_idle = 0;
    json_begin(&j, out);
    json_open(&j, '[');
    for (uint32_t i = 0; i < s->cfg.engine.sequences_max; i++) {
        engine_slot(s->engine, 0, i, &slot);
        bool is_busy = lie ? lie->shows_full : slot.id != 0;
        *ret_idle += !is_busy;
        put_slot(&j, i, m.context, &slot, is_busy);
    }
    json_close(&j, ']');
    return json_end(&j);
}

void routes_slots(struct conn *c)
{
    struct buf body;
    uint32_t idle;
    buf_init(&body, VIEW_MAX);
    enum err e = write_slots(c->server, &idle, &body);
    bool must_be_idle = bytes_equal(routes_argument(c, BYTES("fail_on_no_slot")), BYTES("1"));
    if (e == ERR_OK && must_be_idle && idle == 0)
        routes_refuse(c, &(struct say_error){.status = 503, .text = "no slot available"});
    else
        conn_answer(
            c, &(struct conn_answer){.status = e == ERR_OK ? 200 : 500, .body = buf_bytes(&body)});
    buf_fini(&body);
}

static void put_flags(struct json *j, const char *key, const char *const *off, size_t count,
                      const char *on)
{
    json_key(j, key);
    json_open(j, '{');
    for (size_t i = 0; i < count; i++)
        json_put_bool(j, off[i], false);
    if (on)
        json_put_bool(j, on, true);
    json_close(j, '}');
}

static enum err write_props(struct server *s, struct buf *out)
{
    static const char *const modalities[] = {"vision", "video", "audio"};
    struct json j;
    struct engine_model_view m;
    server_model(s, 0, &m);
    json_begin(&j, out);
    json_open(&j, '{');
    json_key(&j, "default_generation_settings");
    json_open(&j, '{');
    put_params(&j, -1);
    json_put_uint(&j, "n_ctx", m.context);
    json_close(&j, '}');
    json_put_uint(&j, "total_slots", s->cfg.engine.sequences_max);
    json_put_str(&j, "model_alias", m.name);
    json_put_str(&j, "model_ftype", m.shape->weight_bits == 16 ? "F16" : "Q4_1");
    json_put_str(&j, "model_path", m.name);
    put_flags(&j, "modalities", modalities, 3, NULL);
    json_put_str(&j, "media_marker", "<__media__>");
    json_put_bool(&j, "endpoint_slots", true);
    json_put_bool(&j, "endpoint_props", true);
    json_put_bool(&j, "endpoint_metrics", true);
    json_put_str(&j, "chat_template", "{{ messages }}");
    put_flags(&j, "chat_template_caps", NULL, 0, "supports_system_role");
    json_put_str(&j, "bos_token", "<|im_start|>");
    json_put_str(&j, "eos_token", "<|im_end|>");
    json_put_str(&j, "build_info", "b0-emulated");
    json_put_bool(&j, "is_sleeping", false);
    json_close(&j, '}');
    return json_end(&j);
}

void routes_props(struct conn *c)
{
    struct buf body;
    buf_init(&body, VIEW_MAX);
    enum err e = write_props(c->server, &body);
    conn_answer(c,
                &(struct conn_answer){.status = e == ERR_OK ? 200 : 500, .body = buf_bytes(&body)});
    buf_fini(&body);
}
