/* Messages, whole and as named events. llama.cpp counts what came from its cache apart. */
#include "testnet/engine/say/anthropic.h"

#include "node/admin/json.h"

static const char *reason_of(const struct say *s)
{
    return s->was_stopped ? "end_turn" : "max_tokens";
}

static void put_usage(struct json *j, const struct say *s, uint32_t output)
{
    bool counts_cache = s->like == SAY_LLAMACPP;
    json_key(j, "usage");
    json_open(j, '{');
    if (counts_cache)
        json_put_uint(j, "cache_read_input_tokens", s->times.cached);
    json_put_uint(j, "input_tokens", s->times.prompt - (counts_cache ? s->times.cached : 0));
    json_put_uint(j, "output_tokens", output);
    json_close(j, '}');
}

/* The message object; `text` NULL: as it begins, without contents. */
static void put_message(struct json *j, const struct say *s, const struct bytes *text)
{
    json_open(j, '{');
    json_put_str(j, "id", s->id);
    json_put_str(j, "type", "message");
    json_put_str(j, "role", "assistant");
    json_key(j, "content");
    json_open(j, '[');
    if (text) {
        json_open(j, '{');
        json_put_str(j, "type", "text");
        json_put_text(j, "text", *text);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_put_str(j, "model", s->model);
    if (text)
        json_put_str(j, "stop_reason", reason_of(s));
    else
        json_put_null(j, "stop_reason");
    json_put_null(j, "stop_sequence");
    put_usage(j, s, text ? s->times.output : 0);
    json_close(j, '}');
}

static enum err begin_event(struct json *j, const char *name, struct buf *out)
{
    TRY(buf_printf(out, "event: %s\ndata: ", name));
    json_begin(j, out);
    json_open(j, '{');
    json_put_str(j, "type", name);
    return ERR_OK;
}

static enum err end_event(struct json *j, struct buf *out)
{
    json_close(j, '}');
    TRY(json_end(j));
    return buf_append_str(out, "\n\n");
}

static void put_typed(struct json *j, const char *key, const char *type, struct bytes text)
{
    json_key(j, key);
    json_open(j, '{');
    json_put_str(j, "type", type);
    json_put_text(j, "text", text);
    json_close(j, '}');
}

enum err anthropic_begin(const struct say *s, struct buf *out)
{
    struct json j;
    TRY(begin_event(&j, "message_start", out));
    json_key(&j, "message");
    put_message(&j, s, NULL);
    TRY(end_event(&j, out));
    TRY(begin_event(&j, "content_block_start", out));
    json_put_uint(&j, "index", 0);
    put_typed(&j, "content_block", "text", BYTES(""));
    return end_event(&j, out);
}

enum err anthropic_piece(const struct say *s, struct bytes text, struct buf *out)
{
    struct json j;
    (void)s;
    TRY(begin_event(&j, "content_block_delta", out));
    json_put_uint(&j, "index", 0);
    put_typed(&j, "delta", "text_delta", text);
    return end_event(&j, out);
}

enum err anthropic_end(const struct say *s, struct buf *out)
{
    struct json j;
    TRY(begin_event(&j, "content_block_stop", out));
    json_put_uint(&j, "index", 0);
    TRY(end_event(&j, out));
    TRY(begin_event(&j, "message_delta", out));
    json_key(&j, "delta");
    json_open(&j, '{');
    json_put_str(&j, "stop_reason", reason_of(s));
    json_put_null(&j, "stop_sequence");
    json_close(&j, '}');
    json_key(&j, "usage");
    json_open(&j, '{');
    json_put_uint(&j, "output_tokens", s->times.output);
    json_close(&j, '}');
    TRY(end_event(&j, out));
    TRY(begin_event(&j, "message_stop", out));
    return end_event(&j, out);
}

enum err anthropic_whole(const struct say *s, struct bytes text, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    put_message(&j, s, &text);
    return json_end(&j);
}
