/* Values of flags, checked; see options.h. */
#include "testnet/load/options.h"

#include <stdlib.h>

const struct flag options_table[] = {
    {"--target", "URL", "http://ADDRESS:PORT[/PREFIX], taken in turn; repeatable", true},
    {"--model", "NAME", "to ask for; repeatable", true},
    {"--api", "NAME", "chat (default), completions or messages", false},
    {"--rate", "N", "requests a second, on average (default 10)", false},
    {"--duration", "S", "of the load (default 10); a trace may be longer", false},
    {"--warm-up", "S", "at the beginning, not counted (default 0)", false},
    {"--arrivals", "KIND", "poisson (default), constant, or bursts:ON_MS/OFF_MS", false},
    {"--trace", "FILE", "arrivals from a file: OFFSET_MS [PROMPT_TOKENS [OUTPUT_TOKENS]]", false},
    {"--turns", "N", "of a conversation, on average (default 1)", false},
    {"--groups", "N", "of conversations that share a first message (default 0: none)", false},
    {"--shared-tokens", "N", "length of that message (default 256)", false},
    {"--prompt-tokens", "N", "of a turn, on average (default 32)", false},
    {"--output-tokens", "N", "limit of an answer, on average (default 32)", false},
    {"--whole", NULL, "ask for whole answers, not streams", false},
    {"--ignore-stop", NULL, "answers exactly as long as their limit (vLLM, llama.cpp)", false},
    {"--marks", NULL, "an answer must repeat its prompt's mark, as the testnet's engine does",
     false},
    {"--key", "KEY", "API key of a tenant; repeatable", true},
    {"--slo", "LIST", "first=MS,token=MS,whole=MS: what counts as good", false},
    {"--timeout", "S", "of a request (default 60)", false},
    {"--open", "N", "requests under way at once (default 10000)", false},
    {"--connections", "N", "to a target at once; requests wait for them (default: no limit)",
     false},
    {"--abandon", "SHARE", "of clients that leave at the first piece of a stream (default 0)",
     false},
    {"--precise", NULL, "start on the microsecond; burns a core", false},
    {"--seed", "N", "of arrivals and prompts (default 1)", false},
    {"--history", "FILE", "one line of JSON for each request", false},
    {"-o", "FORMAT", "text (default) or json", false},
    {"--help", NULL, "print this", false},
    {NULL, NULL, NULL, false},
};

#define OPEN_MAX 100000

static enum err refuse(struct buf *message, const char *flag, const char *value, const char *todo)
{
    if (buf_printf(message, "%s: %.80s: %s", flag, value, todo) != ERR_OK)
        return ERR_USAGE; /* a message that does not fit stays empty */
    return ERR_USAGE;
}

static enum err read_number(const struct flags *flags, const char *name, double lowest,
                            double highest, double *ret_value, struct buf *message)
{
    char *end;
    const char *text = flags_get(flags, name);
    if (!text)
        return ERR_OK;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= lowest) || !(value <= highest))
        return refuse(message, name, text, "no number in its range");
    *ret_value = value;
    return ERR_OK;
}

static enum err read_count(const struct flags *flags, const char *name, double lowest,
                           double highest, uint32_t *ret_value, struct buf *message)
{
    double value = *ret_value;
    TRY(read_number(flags, name, lowest, highest, &value, message));
    *ret_value = (uint32_t)value;
    return ERR_OK;
}

/* --- targets */

bool options_may_load(const struct io_addr *a)
{
    bool is_testnet = a->family == IO_IPV4 && a->ip[0] == 198 && (a->ip[1] & 0xFE) == 18;
    return a->family != IO_UNIX && (is_testnet || io_addr_is_loopback(a));
}

static enum err add_target(struct run_cfg *cfg, const char *url, struct buf *message)
{
    struct bytes text = bytes_from_str(url);
    struct io_addr *addr = &cfg->targets[cfg->target_count];
    if (cfg->target_count == TALLY_TARGETS_MAX)
        return refuse(message, "--target", url, "too many targets");
    if (!bytes_starts_with(text, BYTES("http://")))
        return refuse(message, "--target", url, "http://ADDRESS:PORT[/PREFIX]");
    text = bytes_skip(text, 7);
    size_t slash = bytes_find(text, '/');
    struct bytes prefix = bytes_skip(text, slash);
    if (prefix.size > 0 && prefix.data[prefix.size - 1] == '/')
        prefix.size--;
    if (io_addr_parse(bytes_of(text.data, slash), addr) != ERR_OK || addr->port == 0 ||
        prefix.size >= sizeof cfg->prefixes[0])
        return refuse(message, "--target", url, "a numeric ADDRESS:PORT is needed");
    if (!options_may_load(addr))
        return refuse(message, "--target", url,
                      "refused: neither loopback nor in 198.18.0.0/15; this is a tool of the "
                      "testnet");
    bytes_to_str(prefix, cfg->prefixes[cfg->target_count++], sizeof cfg->prefixes[0]);
    return ERR_OK;
}

static enum err read_targets(const struct flags *flags, struct run_cfg *cfg, struct buf *message)
{
    size_t cursor = 0;
    for (const char *url; (url = flags_next(flags, "--target", &cursor));)
        TRY(add_target(cfg, url, message));
    return cfg->target_count ? ERR_OK : refuse(message, "--target", "URL", "where to?");
}

static enum err read_models(const struct flags *flags, struct talk_cfg *talk, struct buf *message)
{
    size_t cursor = 0;
    for (const char *name; (name = flags_next(flags, "--model", &cursor));) {
        if (talk->model_count == TALK_MODELS_MAX)
            return refuse(message, "--model", name, "too many models");
        talk->models[talk->model_count++] = name;
    }
    return talk->model_count ? ERR_OK : refuse(message, "--model", "NAME", "which one?");
}

static enum err read_keys(const struct flags *flags, struct run_cfg *cfg, struct buf *message)
{
    size_t cursor = 0;
    uint32_t *count = &cfg->talk.tenant_count;
    for (const char *key; (key = flags_next(flags, "--key", &cursor));) {
        if (*count == TALLY_TENANTS_MAX || strlen(key) >= RUN_KEY_SIZE || strpbrk(key, "\r\n"))
            return refuse(message, "--key", key, "too many keys, or no key");
        bytes_to_str(bytes_from_str(key), cfg->keys[(*count)++], RUN_KEY_SIZE);
    }
    *count = *count ? *count : 1;
    return ERR_OK;
}

/* --- shape of the load */

static enum err read_bursts(const char *text, struct plan_cfg *plan, struct buf *message)
{
    uint64_t on_ms = 0, off_ms = 0;
    struct bytes rest = bytes_from_str(text + 7);
    size_t slash = bytes_find(rest, '/');
    if (!bytes_to_u64(bytes_of(rest.data, slash), &on_ms) || on_ms == 0 || on_ms > 3600000 ||
        !bytes_to_u64(bytes_skip(rest, slash + 1), &off_ms) || off_ms > 3600000)
        return refuse(message, "--arrivals", text, "bursts:ON_MS/OFF_MS");
    plan->kind = PLAN_BURSTS;
    plan->on_us = on_ms * 1000;
    plan->off_us = off_ms * 1000;
    return ERR_OK;
}

static enum err read_arrivals(const struct flags *flags, struct plan_cfg *plan, struct buf *message)
{
    const char *text = flags_get(flags, "--arrivals");
    plan->kind = flags_has(flags, "--trace") ? PLAN_TRACE : PLAN_POISSON;
    if (!text)
        return ERR_OK;
    if (plan->kind == PLAN_TRACE)
        return refuse(message, "--arrivals", text, "a trace has its own");
    if (strncmp(text, "bursts:", 7) == 0)
        return read_bursts(text, plan, message);
    if (strcmp(text, "constant") == 0)
        plan->kind = PLAN_CONSTANT;
    else if (strcmp(text, "poisson") != 0)
        return refuse(message, "--arrivals", text, "poisson, constant or bursts:ON_MS/OFF_MS");
    return ERR_OK;
}

static enum err read_plan(const struct flags *flags, struct run_cfg *cfg, struct buf *message)
{
    struct plan_cfg *plan = &cfg->plan;
    double duration_s = flags_has(flags, "--trace") ? 0 : 10, warm_up_s = 0, timeout_s = 60;
    double seed = 1;
    plan->rate = 10;
    TRY(read_arrivals(flags, plan, message));
    TRY(read_number(flags, "--rate", 0.001, 1e6, &plan->rate, message));
    TRY(read_number(flags, "--duration", 0.1, 86400, &duration_s, message));
    TRY(read_number(flags, "--warm-up", 0, 86400, &warm_up_s, message));
    TRY(read_number(flags, "--timeout", 0.1, 3600, &timeout_s, message));
    TRY(read_number(flags, "--seed", 0, 4294967295.0, &seed, message));
    plan->duration_us = (uint64_t)(duration_s * 1e6);
    plan->seed = (uint64_t)seed;
    cfg->talk.seed = plan->seed + 1; /* another row of numbers than the arrivals' */
    cfg->tally.warm_up_us = (uint64_t)(warm_up_s * 1e6);
    cfg->timeout_ms = (uint64_t)(timeout_s * 1e3);
    return ERR_OK;
}

static enum err read_api(const struct flags *flags, struct talk_cfg *talk, struct buf *message)
{
    static const char *const names[] = {"chat", "completions", "messages"};
    const char *text = flags_get(flags, "--api");
    for (size_t i = 0; text && i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            talk->api = (enum talk_api)i;
            return ERR_OK;
        }
    return text ? refuse(message, "--api", text, "chat, completions or messages") : ERR_OK;
}

static enum err read_talk(const struct flags *flags, struct run_cfg *cfg, struct buf *message)
{
    struct talk_cfg *talk = &cfg->talk;
    talk->turns = 1;
    talk->shared_tokens = 256;
    talk->prompt_tokens = talk->output_tokens = 32;
    cfg->open_max = 10000;
    TRY(read_api(flags, talk, message));
    TRY(read_count(flags, "--turns", 1, 1000, &talk->turns, message));
    TRY(read_count(flags, "--groups", 0, 1000000, &talk->groups, message));
    TRY(read_count(flags, "--shared-tokens", 1, 200000, &talk->shared_tokens, message));
    TRY(read_count(flags, "--prompt-tokens", 1, 200000, &talk->prompt_tokens, message));
    TRY(read_count(flags, "--output-tokens", 1, 200000, &talk->output_tokens, message));
    TRY(read_count(flags, "--open", 1, OPEN_MAX, &cfg->open_max, message));
    TRY(read_number(flags, "--abandon", 0, 1, &cfg->abandoned, message));
    TRY(read_count(flags, "--connections", 1, OPEN_MAX, &cfg->connections, message));
    talk->waiting_max = cfg->open_max;
    talk->is_stream = !flags_has(flags, "--whole");
    talk->ignores_stop = flags_has(flags, "--ignore-stop");
    cfg->checks_marks = flags_has(flags, "--marks");
    cfg->spins = flags_has(flags, "--precise");
    return ERR_OK;
}

static enum err read_slo(const struct flags *flags, struct tally_slo *slo, struct buf *message)
{
    static const char *const names[] = {"first=", "token=", "whole="};
    uint64_t *limits[] = {&slo->first_us, &slo->per_token_us, &slo->whole_us};
    const char *text = flags_get(flags, "--slo");
    struct bytes rest = bytes_from_str(text ? text : "");
    while (rest.size > 0) {
        struct bytes item = bytes_of(rest.data, bytes_find(rest, ','));
        uint64_t limit_ms = 0;
        size_t i = 0;
        while (i < 3 && !bytes_starts_with(item, bytes_from_str(names[i])))
            i++;
        if (i == 3 || !bytes_to_u64(bytes_skip(item, 6), &limit_ms) || limit_ms > 86400000)
            return refuse(message, "--slo", text, "first=MS,token=MS,whole=MS");
        *limits[i] = limit_ms * 1000;
        rest = bytes_skip(rest, item.size + 1);
    }
    return ERR_OK;
}

enum err options_read(const struct flags *flags, struct run_cfg *cfg, struct buf *message)
{
    const char *format = flags_get(flags, "-o");
    memset(cfg, 0, sizeof *cfg);
    if (format && strcmp(format, "json") != 0 && strcmp(format, "text") != 0)
        return refuse(message, "-o", format, "text or json");
    TRY(read_targets(flags, cfg, message));
    TRY(read_models(flags, &cfg->talk, message));
    TRY(read_keys(flags, cfg, message));
    TRY(read_plan(flags, cfg, message));
    TRY(read_talk(flags, cfg, message));
    return read_slo(flags, &cfg->tally.slo, message);
}
