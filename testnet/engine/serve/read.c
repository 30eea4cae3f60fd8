/* Reads requests by cJSON, see read.h. A chat becomes one run of tokens: each message begins with a
 * special token and its role, as templates do, so that what two conversations share is a common
 * prefix here, too. */
#include "testnet/engine/serve/read.h"

#include "testnet/engine/core/tokens.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static enum err refuse(struct buf *message, const char *text)
{
    if (buf_append_str(message, text) != ERR_OK)
        return ERR_INVALID_REQUEST; /* without words */
    return ERR_INVALID_REQUEST;
}

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- tokens */

static enum err push(struct ask *a, uint32_t value)
{
    if (a->token_count == READ_TOKENS_MAX)
        return ERR_LIMIT;
    if ((a->token_count & (a->token_count - 1)) == 0) { /* full at each power of two */
        size_t capacity = a->token_count ? a->token_count * 2 : 1;
        uint32_t *tokens = realloc(a->tokens, capacity * sizeof *tokens);
        if (!tokens)
            return ERR_NO_MEMORY;
        a->tokens = tokens;
    }
    a->tokens[a->token_count++] = value;
    return ERR_OK;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Keeps the last mark of the text. */
static void find_mark(struct ask *a, struct bytes text)
{
    for (size_t i; (i = bytes_find(text, '#')) < text.size; text = bytes_skip(text, i + 1)) {
        struct bytes mark = bytes_skip(text, i);
        size_t size = 1;
        while (size < mark.size && size < READ_MARK_SIZE && is_hex(mark.data[size]))
            size++;
        if (size == READ_MARK_SIZE)
            bytes_to_str(mark, a->mark, sizeof a->mark);
    }
}

static enum err push_text(struct ask *a, const char *string)
{
    struct bytes text = bytes_from_str(string), piece;
    find_mark(a, text);
    while ((piece = tokens_next(&text)).size)
        TRY(push(a, tokens_value(piece)));
    return ERR_OK;
}

/* A string, or typed parts of which those of text count. */
static enum err push_content(struct ask *a, const cJSON *content, struct buf *message)
{
    if (cJSON_IsString(content))
        return push_text(a, content->valuestring);
    if (content && !cJSON_IsArray(content) && !cJSON_IsNull(content))
        return refuse(message, "Expected 'content' to be a string or an array");
    const cJSON *part;
    cJSON_ArrayForEach(part, content)
    {
        const cJSON *text = get(part, "text");
        if (cJSON_IsString(text))
            TRY(push_text(a, text->valuestring));
    }
    return ERR_OK;
}

static enum err push_message(struct ask *a, const char *role, const cJSON *content,
                             struct buf *message)
{
    TRY(push(a, TOKEN_START));
    TRY(push_text(a, role));
    TRY(push_content(a, content, message));
    return push(a, TOKEN_END);
}

static enum err read_messages(struct ask *a, const cJSON *root, struct buf *message)
{
    const cJSON *messages = get(root, "messages"), *system = get(root, "system"), *m;
    if (!messages)
        return refuse(message, "'messages' is required");
    if (!cJSON_IsArray(messages))
        return refuse(message, "Expected 'messages' to be an array");
    if (system)
        TRY(push_message(a, "system", system, message));
    cJSON_ArrayForEach(m, messages)
    {
        const cJSON *role = get(m, "role");
        if (!cJSON_IsString(role)) {
            (void)refuse(message, "Failed to parse messages: Missing 'role' in message");
            return ERR_INVALID;
        }
        TRY(push_message(a, role->valuestring, get(m, "content"), message));
    }
    TRY(push(a, TOKEN_START));
    return push_text(a, "assistant");
}

/* A string or an array of token numbers. */
static enum err push_prompt(struct ask *a, const cJSON *prompt, struct buf *message)
{
    if (cJSON_IsString(prompt))
        return push_text(a, prompt->valuestring);
    const cJSON *number;
    cJSON_ArrayForEach(number, prompt)
    {
        if (!cJSON_IsNumber(number) || number->valuedouble < 0 || number->valuedouble > 1e9)
            return refuse(message, "a prompt is a string or an array of token numbers");
        TRY(push(a, (uint32_t)number->valuedouble));
    }
    return cJSON_IsArray(prompt) ? ERR_OK : refuse(message, "key 'prompt' not found");
}

static enum err read_prompt(struct ask *a, const cJSON *root, struct buf *message)
{
    const cJSON *prompt = get(root, "prompt");
    bool is_list = cJSON_IsArray(prompt) && prompt->child && !cJSON_IsNumber(prompt->child);
    if (is_list && cJSON_GetArraySize(prompt) != 1)
        return refuse(message, "this engine takes one prompt at a time");
    TRY(push_prompt(a, is_list ? prompt->child : prompt, message));
    return a->token_count ? ERR_OK : push(a, TOKEN_START);
}

/* The tokens since `start` are one input: what comes out for it depends on them alone. */
static enum err end_input(struct ask *a, size_t start)
{
    uint64_t seed = 14695981039346656037u;
    if (a->input_count == SAY_INPUTS_MAX)
        return ERR_LIMIT;
    for (size_t i = start; i < a->token_count; i++)
        seed = (seed ^ a->tokens[i]) * 1099511628211u;
    a->input_seeds[a->input_count++] = seed;
    return ERR_OK;
}

static enum err push_input(struct ask *a, const cJSON *input, struct buf *message)
{
    size_t start = a->token_count;
    TRY(push(a, TOKEN_START));
    TRY(push_prompt(a, input, message));
    return end_input(a, start);
}

static enum err read_inputs(struct ask *a, const cJSON *root, struct buf *message)
{
    const cJSON *input = get(root, "input"), *item, *format = get(root, "encoding_format");
    a->as_base64 = cJSON_IsString(format) && strcmp(format->valuestring, "base64") == 0;
    if (!input)
        return refuse(message, "\"input\" or \"content\" must be provided");
    if (!cJSON_IsArray(input) || cJSON_IsNumber(input->child))
        return push_input(a, input, message);
    cJSON_ArrayForEach(item, input) TRY(push_input(a, item, message));
    return a->input_count ? ERR_OK : refuse(message, "\"input\" must not be empty");
}

/* --- KServe: a tensor's elements stand for tokens */

static enum err push_elements(struct ask *a, const cJSON *data, unsigned depth)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, data)
    {
        if (cJSON_IsArray(item) && depth < 8)
            TRY(push_elements(a, item, depth + 1));
        else if (cJSON_IsString(item))
            TRY(push_text(a, item->valuestring));
        else if (cJSON_IsNumber(item))
            TRY(push(a, tokens_value(bytes_of(&item->valuedouble, sizeof item->valuedouble))));
    }
    return ERR_OK;
}

static enum err read_tensors(struct ask *a, const cJSON *root, struct buf *message)
{
    const cJSON *inputs = get(root, "inputs"), *input;
    if (!cJSON_IsArray(inputs) || !inputs->child)
        return refuse(message, "'inputs' is required");
    cJSON_ArrayForEach(input, inputs)
    {
        size_t start = a->token_count;
        if (!cJSON_IsString(get(input, "name")) || !cJSON_IsArray(get(input, "shape")) ||
            !cJSON_IsString(get(input, "datatype")) || !cJSON_IsArray(get(input, "data")))
            return refuse(message, "an input has name, shape, datatype and data");
        TRY(push(a, TOKEN_START));
        TRY(push_elements(a, get(input, "data"), 0));
        TRY(end_input(a, start));
    }
    return ERR_OK;
}

/* --- the rest */

static enum err read_limit(struct ask *a, const cJSON *root, struct buf *message)
{
    static const char *const keys[] = {"max_completion_tokens", "max_tokens", "n_predict"};
    a->output_max = -1;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && a->output_max < 0; i++) {
        const cJSON *limit = get(root, keys[i]);
        if (!limit || cJSON_IsNull(limit))
            continue;
        if (!cJSON_IsNumber(limit))
            return refuse(message, "Field 'max_tokens': type must be number");
        if (limit->valuedouble >= 0 && limit->valuedouble < 1e9)
            a->output_max = (int64_t)limit->valuedouble;
    }
    const cJSON *n = get(root, "n");
    if (cJSON_IsNumber(n) && n->valuedouble > 1)
        return refuse(message, "this engine gives one choice");
    return ERR_OK;
}

static enum err read_options(struct ask *a, const cJSON *root, struct buf *message)
{
    const cJSON *model = get(root, "model"), *seed = get(root, "seed");
    if (cJSON_IsString(model))
        bytes_to_str(bytes_from_str(model->valuestring), a->model, sizeof a->model);
    a->is_stream = cJSON_IsTrue(get(root, "stream"));
    a->wants_usage = cJSON_IsTrue(get(get(root, "stream_options"), "include_usage"));
    a->ignores_stop = cJSON_IsTrue(get(root, "ignore_eos"));
    if (cJSON_IsNumber(seed) && seed->valuedouble >= 0 && seed->valuedouble < 9e15)
        a->seed = (uint64_t)seed->valuedouble;
    return read_limit(a, root, message);
}

static enum err read_kind(struct ask *a, const cJSON *root, struct buf *message)
{
    switch (a->kind) {
    case SAY_COMPLETION: return read_prompt(a, root, message);
    case SAY_EMBEDDING: return read_inputs(a, root, message);
    case SAY_INFER: return read_tensors(a, root, message);
    default: return read_messages(a, root, message);
    }
}

enum err read_ask(enum say_kind kind, struct bytes body, struct ask *ret_ask, struct buf *message)
{
    struct ask *a = ret_ask;
    *a = (struct ask){.kind = kind};
    cJSON *root = cJSON_ParseWithLength((const char *)body.data, body.size);
    if (!root)
        return ERR_INVALID_JSON;
    enum err e = read_options(a, root, message);
    if (e == ERR_OK)
        e = read_kind(a, root, message);
    cJSON_Delete(root);
    if (a->mark[0] && kind != SAY_EMBEDDING)
        a->echo_count = tokens_of(bytes_from_str(a->mark), a->echo, ENGINE_ECHO_MAX);
    return e;
}

void read_ask_fini(struct ask *ask)
{
    free(ask->tokens);
    ask->tokens = NULL;
}

enum err read_member(struct bytes body, const char *key, struct buf *out)
{
    cJSON *root = cJSON_ParseWithLength((const char *)body.data, body.size);
    const cJSON *item = get(root, key);
    enum err e = root ? ERR_OK : ERR_INVALID_JSON;
    if (cJSON_IsString(item))
        e = buf_append_str(out, item->valuestring);
    cJSON_Delete(root);
    return e;
}
