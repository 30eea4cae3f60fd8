/* Values of flags, checked; see options.h. */
#include "testnet/engine/options.h"

#include <stdlib.h>

const struct flag options_table[] = {
    {"--like", "NAME", "vllm (default), llamacpp or kserve: whose paths, words and manners", false},
    {"--profile", "NAME", "the accelerator (default a100); --list shows all", false},
    {"--model", "NAME[=SHAPE]", "a model it serves (default llama-3.1-8b); repeatable", true},
    {"--aliases", "A,B", "further names of the first model", false},
    {"--host", "ADDRESS", "to listen on (default 127.0.0.1)", false},
    {"--port", "N", "0 (default) takes a free one and tells it", false},
    {"--sequences", "N", "batch limit, or llama.cpp's slots (default: the profile's)", false},
    {"--queue", "N", "requests that may wait (default 1024); more get 503", false},
    {"--chunk", "N", "tokens of one step (default 2048)", false},
    {"--kv-tokens", "N", "KV cache, in tokens of all sequences (default: what memory gives)",
     false},
    {"--loaded", "N", "models in memory at once (default: all)", false},
    {"--answer-tokens", "N", "mean length of answers (default 128)", false},
    {"--speed", "X", "so many times faster than the profile (default 1)", false},
    {"--seed", "N", "of answers and faults (default 1)", false},
    {"--cold", NULL, "models are loaded at the start", false},
    {"--api-key", "KEY", "asked for as a bearer token", false},
    {"--fault", "JSON", "in force from the start, as for POST /faults; repeatable", true},
    {"--history", "FILE", "one line of JSON for each request that was computed", false},
    {"--list", NULL, "print profiles and shapes", false},
    {"--help", NULL, "print this", false},
    {NULL, NULL, NULL, false},
};

static enum err refuse(struct buf *message, const char *flag, const char *value, const char *todo)
{
    if (buf_printf(message, "%s: %.80s: %s", flag, value, todo) != ERR_OK)
        return ERR_USAGE; /* a message that does not fit stays empty */
    return ERR_USAGE;
}

static enum err read_count(const struct flags *flags, const char *name, uint64_t lowest,
                           uint64_t highest, uint32_t *ret_value, struct buf *message)
{
    uint64_t value;
    const char *text = flags_get(flags, name);
    if (!text)
        return ERR_OK;
    if (!bytes_to_u64(bytes_from_str(text), &value) || value < lowest || value > highest)
        return refuse(message, name, text, "no whole number in its range");
    *ret_value = (uint32_t)value;
    return ERR_OK;
}

static enum err read_like(const struct flags *flags, struct options *o, struct buf *message)
{
    static const char *const names[] = {"vllm", "llamacpp", "kserve"};
    const char *text = flags_get(flags, "--like");
    if (!text)
        return ERR_OK;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            o->server.like = (enum say_like)i;
            return ERR_OK;
        }
    return refuse(message, "--like", text, "vllm, llamacpp or kserve");
}

static enum err read_profile(const struct flags *flags, struct options *o, struct buf *message)
{
    const char *text = flags_get(flags, "--profile");
    struct engine_cfg *cfg = &o->server.engine;
    cfg->profile = profile_find(bytes_from_str(text ? text : "a100"));
    return cfg->profile ? ERR_OK : refuse(message, "--profile", text, "--list shows them all");
}

static enum err add_model(struct options *o, const char *text, struct buf *message)
{
    struct engine_cfg *cfg = &o->server.engine;
    struct bytes whole = bytes_from_str(text);
    size_t equals = bytes_find(whole, '=');
    struct bytes name = bytes_of(whole.data, equals);
    const struct shape *shape =
        shape_find(equals < whole.size ? bytes_skip(whole, equals + 1) : name);
    if (cfg->model_count == ENGINE_MODELS_MAX)
        return refuse(message, "--model", text, "too many models");
    if (name.size == 0 || name.size >= OPTIONS_NAME_SIZE || memchr(name.data, '"', name.size))
        return refuse(message, "--model", text, "no name of a model");
    if (!shape)
        return refuse(message, "--model", text, "NAME=SHAPE; --list shows the shapes");
    char *kept = o->names[cfg->model_count];
    bytes_to_str(name, kept, OPTIONS_NAME_SIZE);
    cfg->models[cfg->model_count++] = (struct engine_model_cfg){.name = kept, .shape = *shape};
    return ERR_OK;
}

static enum err read_models(const struct flags *flags, struct options *o, struct buf *message)
{
    size_t cursor = 0;
    for (const char *text; (text = flags_next(flags, "--model", &cursor));)
        TRY(add_model(o, text, message));
    return o->server.engine.model_count ? ERR_OK : add_model(o, "llama-3.1-8b", message);
}

static enum err read_address(const struct flags *flags, struct options *o, struct buf *message)
{
    char text[IO_ADDR_TEXT_SIZE];
    const char *host = flags_get(flags, "--host"), *port = flags_get(flags, "--port");
    struct buf joined;
    buf_init_fixed(&joined, (uint8_t *)text, sizeof text);
    if (buf_printf(&joined, "%.64s:%.8s", host ? host : "127.0.0.1", port ? port : "0") != ERR_OK ||
        io_addr_parse(buf_bytes(&joined), &o->server.listen) != ERR_OK)
        return refuse(message, "--host, --port", host ? host : port, "no address to listen on");
    return ERR_OK;
}

static enum err read_speed(const struct flags *flags, struct options *o, struct buf *message)
{
    char *end;
    const char *text = flags_get(flags, "--speed");
    o->server.engine.speed = text ? strtod(text, &end) : 1;
    if (text && (end == text || *end || !(o->server.engine.speed >= 0.001) ||
                 !(o->server.engine.speed <= 10000)))
        return refuse(message, "--speed", text, "a number from 0.001 to 10000");
    return ERR_OK;
}

static enum err read_faults(const struct flags *flags, struct options *o, struct buf *message)
{
    size_t cursor = 0;
    for (const char *text; (text = flags_next(flags, "--fault", &cursor));) {
        if (o->fault_count == OPTIONS_FAULTS_MAX)
            return refuse(message, "--fault", text, "too many faults");
        enum err e = faults_read(bytes_from_str(text), &o->faults[o->fault_count++], message);
        if (e != ERR_OK)
            return ERR_USAGE;
    }
    return ERR_OK;
}

static enum err read_counts(const struct flags *flags, struct options *o, struct buf *message)
{
    struct engine_cfg *cfg = &o->server.engine;
    uint32_t seed = 1;
    TRY(read_count(flags, "--sequences", 1, ENGINE_SEQUENCES_MAX, &cfg->sequences_max, message));
    TRY(read_count(flags, "--queue", 1, 8192, &cfg->waiting_max, message));
    TRY(read_count(flags, "--chunk", 1, 1 << 20, &cfg->chunk_tokens, message));
    TRY(read_count(flags, "--kv-tokens", 64, 1 << 30, &cfg->kv_tokens, message));
    TRY(read_count(flags, "--loaded", 1, cfg->model_count, &cfg->loaded_max, message));
    TRY(read_count(flags, "--answer-tokens", 1, 100000, &cfg->answer_tokens, message));
    TRY(read_count(flags, "--seed", 0, UINT32_MAX, &seed, message));
    cfg->seed = seed;
    return ERR_OK;
}

enum err options_read(const struct flags *flags, struct options *o, struct buf *message)
{
    struct engine_cfg *cfg = &o->server.engine;
    *o = (struct options){.fault_count = 0};
    TRY(read_like(flags, o, message));
    TRY(read_profile(flags, o, message));
    TRY(read_models(flags, o, message));
    TRY(read_address(flags, o, message));
    TRY(read_speed(flags, o, message));
    cfg->block_tokens = o->server.like == SAY_LLAMACPP ? 1 : 16;
    cfg->sequences_max = cfg->profile->sequences_max;
    if (o->server.like == SAY_LLAMACPP && cfg->sequences_max > 4)
        cfg->sequences_max = 4; /* its default since 2025 */
    cfg->waiting_max = 1024;
    cfg->chunk_tokens = 2048;
    cfg->loaded_max = (uint32_t)cfg->model_count;
    cfg->answer_tokens = 128;
    cfg->starts_cold = flags_has(flags, "--cold");
    TRY(read_counts(flags, o, message));
    o->server.api_key = flags_get(flags, "--api-key");
    o->server.aliases = flags_get(flags, "--aliases");
    return read_faults(flags, o, message);
}
