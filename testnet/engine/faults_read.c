/* Orders of faults from JSON, by cJSON (declared in faults.h). Strict: an unknown or misplaced
 * field is refused, so that a scenario never breaks less than it says. */
#include "testnet/engine/faults.h"

#include <cjson/cJSON.h>

static enum err refuse(struct buf *message, const char *what, const char *key)
{
    if (buf_printf(message, "%s: %.64s", what, key) != ERR_OK)
        return ERR_INVALID; /* a message that does not fit stays empty */
    return ERR_INVALID;
}

static enum fault_kind kind_of(const char *word)
{
    int kind = 0;
    while (kind < FAULT_NONE && strcmp(faults_word((enum fault_kind)kind), word) != 0)
        kind++;
    return (enum fault_kind)kind;
}

static const struct number {
    const char *key;
    double lowest, highest;
    uint32_t kinds; /* that have it */
} numbers[] = {
#define OF(kind) (1u << (kind))
    {"count", 1, FAULTS_COUNT_MAX, OF(FAULT_SLOW) - 1},
    {"for_ms", 1, FAULTS_FOR_MS_MAX, OF(FAULT_NONE) - 1},
    {"chance", 0, 1, OF(FAULT_SLOW) - 1},
    {"factor", 1, 1000, OF(FAULT_SLOW)},
    {"celsius", 1, 200, OF(FAULT_HEAT)},
    {"status", 400, 599, OF(FAULT_ERROR)},
    {"retry_after_s", 0, 3600, OF(FAULT_BUSY)},
    {"after", 0, 1000000, OF(FAULT_RESET) | OF(FAULT_CUT)},
#undef OF
};

static void set(struct fault *f, size_t which, double value)
{
    switch (which) {
    case 0: f->count = (uint32_t)value; break;
    case 1: f->for_us = (uint64_t)(value * 1000); break;
    case 2: f->chance = value; break;
    case 3: f->factor = value; break;
    case 4: f->celsius = value; break;
    case 5: f->status = (int)value; break;
    case 6: f->retry_after_s = (uint32_t)value; break;
    default: f->after = (uint32_t)value;
    }
}

static enum err read_shows(const cJSON *item, struct fault *f, struct buf *message)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    f->shows_full = strcmp(text, "full") == 0;
    if (f->kind != FAULT_LIE || (!f->shows_full && strcmp(text, "idle") != 0))
        return refuse(message, "for a lie, \"idle\" or \"full\"", item->string);
    return ERR_OK;
}

static enum err read_field(const cJSON *item, struct fault *f, struct buf *message)
{
    if (strcmp(item->string, "fault") == 0)
        return ERR_OK;
    if (strcmp(item->string, "shows") == 0)
        return read_shows(item, f, message);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct number *n = &numbers[i];
        if (strcmp(item->string, n->key) != 0)
            continue;
        if (!(n->kinds & 1u << f->kind))
            return refuse(message, "not of this fault", n->key);
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= n->lowest) ||
            !(item->valuedouble <= n->highest))
            return refuse(message, "no number in its range", n->key);
        set(f, i, item->valuedouble);
        return ERR_OK;
    }
    return refuse(message, "unknown field", item->string);
}

static enum err read_fault(const cJSON *root, struct fault *f, struct buf *message)
{
    const cJSON *word = cJSON_GetObjectItemCaseSensitive(root, "fault");
    if (!cJSON_IsString(word))
        return refuse(message, "an object with a text named", "fault");
    f->kind = kind_of(word->valuestring);
    if (f->kind == FAULT_NONE)
        return refuse(message, "no such fault", word->valuestring);
    const cJSON *item;
    cJSON_ArrayForEach(item, root) TRY(read_field(item, f, message));
    if (!f->count && !f->for_us)
        return refuse(message, "no bound: give it a count or", "for_ms");
    return ERR_OK;
}

enum err faults_read(struct bytes json, struct fault *ret_fault, struct buf *message)
{
    struct fault f = {
        .chance = 1, .factor = 2, .celsius = 95, .status = 500, .retry_after_s = 1, .after = 3};
    cJSON *root = cJSON_ParseWithLength((const char *)json.data, json.size);
    enum err e = cJSON_IsObject(root) ? read_fault(root, &f, message)
                                      : refuse(message, "not a JSON object", "order");
    cJSON_Delete(root);
    if (e == ERR_OK)
        *ret_fault = f;
    return e;
}
