/* The dialect of each kind of request, ids and embeddings; see say.h. */
#include "testnet/engine/say/say.h"

#include "base/crypto.h"
#include "base/rng.h"
#include "node/admin/json.h"
#include "testnet/engine/say/anthropic.h"
#include "testnet/engine/say/openai.h"

#include <math.h>
#include <stdio.h>

static bool is_anthropic(const struct say *s)
{
    return s->kind == SAY_MESSAGES;
}

enum err say_begin(const struct say *s, struct buf *out)
{
    return is_anthropic(s) ? anthropic_begin(s, out) : openai_begin(s, out);
}

enum err say_piece(const struct say *s, struct bytes text, struct buf *out)
{
    return is_anthropic(s) ? anthropic_piece(s, text, out) : openai_piece(s, text, out);
}

enum err say_end(const struct say *s, struct buf *out)
{
    return is_anthropic(s) ? anthropic_end(s, out) : openai_end(s, out);
}

enum err say_whole(const struct say *s, struct bytes text, struct buf *out)
{
    return is_anthropic(s) ? anthropic_whole(s, text, out) : openai_whole(s, text, out);
}

void say_make_id(struct say *s, uint64_t high, uint64_t low)
{
    const char *prefix = s->kind == SAY_EMBEDDING                           ? "embd-"
                         : s->like == SAY_VLLM && s->kind == SAY_COMPLETION ? "cmpl-"
                                                                            : "chatcmpl-";
    snprintf(s->id, sizeof s->id, "%s%016llx%016llx", prefix, (unsigned long long)high,
             (unsigned long long)low);
}

/* --- embeddings */

/* A vector of length 1 that only the seed decides. */
static void draw_vector(uint64_t seed, uint32_t width, float *ret_values)
{
    struct rng rng;
    double square = 0;
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < width; i++) {
        ret_values[i] = (float)(rng_unit(&rng) * 2 - 1);
        square += (double)ret_values[i] * ret_values[i];
    }
    for (uint32_t i = 0; i < width; i++)
        ret_values[i] = (float)(ret_values[i] / sqrt(square));
}

static void put_numbers(struct json *j, const float *values, uint32_t width)
{
    json_open(j, '[');
    for (uint32_t i = 0; i < width && j->error == ERR_OK; i++)
        j->error = buf_printf(j->out, "%s%.7g", i ? "," : "", (double)values[i]);
    json_close(j, ']');
}

static enum err append_little_endian(struct buf *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; i++)
        TRY(buf_append_byte(out, (uint8_t)(bits >> (8 * i))));
    return ERR_OK;
}

/* RFC 4648's first alphabet, padded, as OpenAI's clients read it. */
static enum err append_base64(struct buf *out, struct bytes data)
{
    size_t start = out->size;
    TRY(crypto_base64_append(out, data));
    for (size_t i = start; i < out->size; i++) {
        uint8_t *byte = &out->data[i];
        *byte = *byte == '-' ? '+' : *byte == '_' ? '/' : *byte;
    }
    while ((out->size - start) % 4)
        TRY(buf_append_byte(out, '='));
    return ERR_OK;
}

static enum err append_numbers(struct buf *out, const float *values, uint32_t width)
{
    struct buf raw;
    enum err e = ERR_OK;
    buf_init(&raw, width * sizeof *values);
    for (uint32_t i = 0; i < width && e == ERR_OK; i++)
        e = append_little_endian(&raw, values[i]);
    if (e == ERR_OK)
        e = append_base64(out, buf_bytes(&raw));
    buf_fini(&raw);
    return e;
}

/* A string that the writer of JSON has begun and ended is opened again at its end. */
static void put_base64(struct json *j, const float *values, uint32_t width)
{
    json_text(j, BYTES(""));
    if (j->error != ERR_OK)
        return;
    j->out->size--;
    j->error = append_numbers(j->out, values, width);
    if (j->error == ERR_OK)
        j->error = buf_append_byte(j->out, '"');
}

#define WIDTH_MAX 16384

enum err say_embeddings(const struct say *s, const uint64_t *seeds, size_t count, uint32_t width,
                        bool as_base64, struct buf *out)
{
    float values[WIDTH_MAX];
    struct json j;
    CHECK(width <= WIDTH_MAX);
    json_begin(&j, out);
    json_open(&j, '{');
    if (s->like == SAY_VLLM)
        json_put_str(&j, "id", s->id);
    json_put_str(&j, "object", "list");
    if (s->like == SAY_VLLM)
        json_put_uint(&j, "created", s->created_s);
    json_put_str(&j, "model", s->model);
    json_key(&j, "data");
    json_open(&j, '[');
    for (size_t i = 0; i < count; i++) {
        draw_vector(seeds[i], width, values);
        json_open(&j, '{');
        json_put_str(&j, "object", "embedding");
        json_put_uint(&j, "index", i);
        json_key(&j, "embedding");
        if (as_base64)
            put_base64(&j, values, width);
        else
            put_numbers(&j, values, width);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_key(&j, "usage");
    json_open(&j, '{');
    json_put_uint(&j, "prompt_tokens", s->times.prompt);
    json_put_uint(&j, "total_tokens", s->times.prompt);
    json_close(&j, '}');
    json_close(&j, '}');
    return json_end(&j);
}

enum err say_infer(const struct say *s, const uint64_t *seeds, size_t count, struct buf *out)
{
    float values[SAY_INFER_WIDTH];
    struct json j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_put_str(&j, "model_name", s->model);
    json_put_str(&j, "model_version", "1");
    json_put_str(&j, "id", s->id);
    json_key(&j, "outputs");
    json_open(&j, '[');
    for (size_t i = 0; i < count; i++) {
        draw_vector(seeds[i], SAY_INFER_WIDTH, values);
        json_open(&j, '{');
        char name[32];
        snprintf(name, sizeof name, "output_%zu", i);
        json_put_str(&j, "name", name);
        json_put_str(&j, "datatype", "FP32");
        json_key(&j, "shape");
        json_open(&j, '[');
        json_uint(&j, 1);
        json_uint(&j, SAY_INFER_WIDTH);
        json_close(&j, ']');
        json_key(&j, "data");
        put_numbers(&j, values, SAY_INFER_WIDTH);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    return json_end(&j);
}
