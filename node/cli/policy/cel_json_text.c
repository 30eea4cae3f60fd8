/* Documents with U+0000 in their strings, which cJSON cannot hold: the escape \u0000 is replaced by
 * that of a character which the document does not have, and put back when a string is read. */
#include "node/cli/policy/cel_json.h"

#include <stdio.h>

/* U+FDD0 to U+FDEF are characters that no text has. */
#define FIRST 0xfdd0
#define COUNT 32

static bool has(struct bytes text, const char *what, size_t size)
{
    return text.size && memmem(text.data, text.size, what, size);
}

/* Chooses the stand-in; false when the document has them all. */
static bool choose(struct bytes text, uint8_t nul[3], char escape[7])
{
    for (unsigned code = FIRST; code < FIRST + COUNT; code++) {
        char lower[7], upper[7];
        snprintf(lower, sizeof(lower), "\\u%04x", code);
        snprintf(upper, sizeof(upper), "\\u%04X", code);
        nul[0] = (uint8_t)(0xe0 | code >> 12);
        nul[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        nul[2] = (uint8_t)(0x80 | (code & 0x3f));
        memcpy(escape, lower, 7);
        if (!has(text, (const char *)nul, 3) && !has(text, lower, 6) && !has(text, upper, 6))
            return true;
    }
    return false;
}

/* The document with the stand-in's escape wherever \u0000 stands; backslashes come in pairs. */
static struct bytes replaced(struct arena *arena, struct bytes text, const char *escape)
{
    uint8_t *copy = arena_alloc(arena, text.size + 1);
    if (!copy)
        return (struct bytes){0};
    memcpy(copy, text.data, text.size);
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (copy[i] != '\\')
            continue;
        if (i + 6 <= text.size && memcmp(copy + i, "\\u0000", 6) == 0)
            memcpy(copy + i, escape, 6);
        i++;
    }
    return bytes_of(copy, text.size);
}

enum err cel_json_parse(struct cel_json *doc, struct bytes text)
{
    char escape[7];
    doc->root = NULL;
    memset(doc->nul, 0, sizeof(doc->nul));
    if (has(text, "\\u0000", 6)) {
        if (!choose(text, doc->nul, escape))
            return ERR_INVALID;
        text = replaced(doc->arena, text, escape);
        if (!text.data)
            return ERR_NO_MEMORY;
    }
    doc->root = cJSON_ParseWithLength((const char *)text.data, text.size);
    return doc->root ? ERR_OK : ERR_INVALID;
}

void cel_json_free(struct cel_json *doc)
{
    cJSON_Delete(doc->root);
    doc->root = NULL;
}

struct bytes cel_json_text(const struct cel_json *doc, const cJSON *json)
{
    struct bytes text = bytes_from_str(json->valuestring);
    if (!doc->nul[0])
        return text;
    uint8_t *copy = arena_alloc(doc->arena, text.size + 1);
    size_t size = 0;
    if (!copy)
        return bytes_of(NULL, 1);
    for (size_t i = 0; i < text.size; i++) {
        bool is_nul = i + 3 <= text.size && memcmp(text.data + i, doc->nul, 3) == 0;
        copy[size++] = is_nul ? 0 : text.data[i];
        i += is_nul ? 2 : 0;
    }
    return bytes_of(copy, size);
}
