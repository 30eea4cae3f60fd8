/* Reads answers by cJSON, see answer_read.h. Called by conn.c. */
#include "testnet/load/answer_read.h"

#include <cjson/cJSON.h>

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const cJSON *text_of(enum talk_api api, const cJSON *root, bool is_event)
{
    const cJSON *choice = cJSON_GetArrayItem(get(root, "choices"), 0);
    switch (api) {
    case TALK_CHAT: return get(get(choice, is_event ? "delta" : "message"), "content");
    case TALK_COMPLETIONS: return get(choice, "text");
    case TALK_MESSAGES:
        return get(is_event ? get(root, "delta") : cJSON_GetArrayItem(get(root, "content"), 0),
                   "text");
    }
    return NULL;
}

static int64_t tokens_of(enum talk_api api, const cJSON *root)
{
    const char *key = api == TALK_MESSAGES ? "output_tokens" : "completion_tokens";
    const cJSON *count = get(get(root, "usage"), key);
    return cJSON_IsNumber(count) && count->valuedouble >= 0 && count->valuedouble < 1e9
               ? (int64_t)count->valuedouble
               : -1;
}

static bool is_message_stop(const cJSON *root)
{
    const cJSON *type = get(root, "type");
    return cJSON_IsString(type) && strcmp(type->valuestring, "message_stop") == 0;
}

static enum err read(enum talk_api api, struct bytes json, bool is_event,
                     struct answer_piece *ret_piece, struct buf *text)
{
    enum err e = ERR_OK;
    cJSON *root = cJSON_ParseWithLength((const char *)json.data, json.size);
    if (!cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return ERR_PROTOCOL;
    }
    const cJSON *content = text_of(api, root, is_event);
    struct answer_piece piece = {.is_error = get(root, "error") != NULL,
                                 .is_end = is_event && is_message_stop(root),
                                 .has_text = cJSON_IsString(content) && *content->valuestring,
                                 .tokens = tokens_of(api, root)};
    if (piece.has_text)
        e = buf_append_str(text, content->valuestring);
    cJSON_Delete(root);
    if (e == ERR_OK)
        *ret_piece = piece;
    return e;
}

enum err answer_read_event(enum talk_api api, struct bytes data, struct answer_piece *ret_piece,
                           struct buf *text)
{
    if (!bytes_equal(data, BYTES("[DONE]")))
        return read(api, data, true, ret_piece, text);
    *ret_piece = (struct answer_piece){.is_end = true, .tokens = -1};
    return ERR_OK;
}

enum err answer_read_whole(enum talk_api api, struct bytes body, struct answer_piece *ret_piece,
                           struct buf *text)
{
    return read(api, body, false, ret_piece, text);
}
