/* Values of the configuration by type: durations and sizes with units, numbers in a range, words,
 * names and addresses. Addresses are taken apart by node/io/addr, URLs by url.c. */
#include "node/config/value.h"

#include "node/config/config.h"
#include "node/config/found.h"
#include "node/config/url.h"
#include "node/io/addr.h"

struct unit {
    const char *text;
    uint64_t factor;
};

/* Largest first, so that writing finds the shortest form. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit size_units[] = {
    {"GiB", 1ull << 30},
    {"MiB", 1ull << 20},
    {"KiB", 1ull << 10},
    {"", 1},
};
#define UNIT_COUNT(units) (sizeof(units) / sizeof((units)[0]))

static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_names[] = {"auto", "text", "json",
                                           NULL}; /* as the enum in config.h */
static const char *const kind_names[] = {"auto", "openai", "llamacpp", NULL}; /* likewise */
/* Known engines that have no adapter yet; all but the last speak OpenAI's surface too. */
static const char *const kinds_to_come[] = {"vllm", "sglang", "ollama", "tgi", "kserve", NULL};

/* lint-allow: prefixes: it belongs to the enum of config.h and is called so there */
const char *backend_kind_name(enum backend_kind k)
{
    return k <= BACKEND_LLAMACPP ? kind_names[k] : "unknown";
}

static const char *const hardware_names[] = {"auto", "gpu", "npu", "cpu", NULL}; /* as the enum */
static const char *const flag_names[] = {"false", "true", NULL};

/* lint-allow: prefixes: it belongs to the enum of config.h and is called so there */
const char *backend_hardware_name(enum backend_hardware h)
{
    return h <= HARDWARE_CPU ? hardware_names[h] : "unknown";
}

static bool parse_with_unit(struct bytes text, const struct unit *units, size_t count,
                            uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    uint64_t number;
    if (!bytes_to_u64(bytes_of(text.data, digits), &number))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!bytes_equal(bytes_skip(text, digits), bytes_from_str(units[i].text)))
            continue;
        return !__builtin_mul_overflow(number, units[i].factor, ret_value);
    }
    return false;
}

bool value_parse_duration(struct bytes text, uint64_t *ret_ms)
{
    uint64_t value;
    if (!parse_with_unit(text, duration_units, UNIT_COUNT(duration_units), &value))
        return false;
    *ret_ms = value;
    return true;
}

bool value_parse_size(struct bytes text, uint64_t *ret_bytes)
{
    uint64_t value;
    if (!parse_with_unit(text, size_units, UNIT_COUNT(size_units), &value))
        return false;
    *ret_bytes = value;
    return true;
}

static enum err write_with_unit(uint64_t value, const struct unit *units, size_t count,
                                struct buf *out)
{
    size_t i = 0;
    while (i + 1 < count && (value == 0 || value % units[i].factor != 0))
        i++;
    TRY(buf_append_decimal(out, value / units[i].factor));
    return buf_append_str(out, units[i].text);
}

static enum err write_unit_value(enum schema_type type, uint64_t value, struct buf *out)
{
    if (type == SCHEMA_SIZE)
        return write_with_unit(value, size_units, UNIT_COUNT(size_units), out);
    if (type == SCHEMA_DURATION)
        return write_with_unit(value, duration_units, UNIT_COUNT(duration_units), out);
    return buf_append_decimal(out, value);
}

/* --- what was expected */

/* "from 1KiB to 1GiB", or "1" alone where there is no choice. */
static void say_range(const struct schema_row *row, struct buf *why)
{
    uint8_t storage[64];
    struct buf min;
    struct buf max;
    buf_init_fixed(&min, storage, 32);
    buf_init_fixed(&max, storage + 32, 32);
    if (write_unit_value(row->type, row->min, &min) != ERR_OK ||
        write_unit_value(row->type, row->max, &max) != ERR_OK)
        return;
    if (row->min != row->max)
        found_say(why, "from %.*s to ", (int)min.size, (char *)min.data);
    found_say(why, "%.*s", (int)max.size, (char *)max.data);
}

static enum err refuse_number(const struct schema_row *row, struct bytes found, struct buf *why)
{
    if (row->type == SCHEMA_SIZE)
        found_say(why, "expected a size such as 64KiB, 16MiB or 4096, ");
    else if (row->type == SCHEMA_DURATION)
        found_say(why, "expected a duration with its unit, such as 250ms, 2s, 5m or 1h, ");
    else
        found_say(why, "expected %s", row->min == row->max ? "" : "a whole number ");
    say_range(row, why);
    if (row->note)
        found_say(why, " (%s)", row->note);
    return found_refuse(why, "", found);
}

static enum err parse_number(const struct schema_row *row, struct bytes text, bool quoted,
                             uint64_t *ret_value)
{
    uint64_t value;
    bool is_right;
    if (row->type == SCHEMA_SIZE)
        is_right = value_parse_size(text, &value);
    else if (row->type == SCHEMA_DURATION)
        is_right = value_parse_duration(text, &value);
    else
        is_right = !quoted && bytes_to_u64(text, &value);
    if (!is_right || value < row->min || value > row->max)
        return ERR_INVALID;
    *ret_value = value;
    return ERR_OK;
}

static bool find_word(const char *const *words, struct bytes text, int *ret_index)
{
    for (int i = 0; words[i]; i++) {
        if (bytes_equal(bytes_from_str(words[i]), text)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static enum err parse_kind(struct bytes text, enum backend_kind *ret_kind, struct buf *why)
{
    int index;
    if (find_word(kind_names, text, &index)) {
        *ret_kind = (enum backend_kind)index;
        return ERR_OK;
    }
    if (!find_word(kinds_to_come, text, &index))
        return found_refuse(why, "expected auto, openai or llamacpp", text);
    found_say(why, "kind %s is not supported yet", kinds_to_come[index]);
    if (kinds_to_come[index + 1])
        found_say(why, "; its OpenAI surface works with kind: openai");
    return ERR_INVALID;
}

static enum err parse_tier(struct bytes text, enum tier *ret_tier, struct buf *why)
{
    enum tier tier;
    if (tier_parse(text, &tier) != ERR_OK || tier == TIER_ANY)
        return found_refuse(why, "expected edge, regional or cloud", text);
    *ret_tier = tier;
    return ERR_OK;
}

static enum err copy_text(struct bytes text, char *ret_text, size_t size, const char *expected,
                          struct buf *why)
{
    if (text.size >= size)
        return found_refuse(why, expected, text);
    bytes_to_str(text, ret_text, size);
    return ERR_OK;
}

static enum err parse_name(const struct schema_row *row, struct bytes text, char *ret_name,
                           struct buf *why)
{
    bool is_fine = text.size ? cert_name_is_valid(text) : row->type == SCHEMA_ZONE;
    if (!is_fine)
        return found_refuse(why, "expected a name of up to 63 of a-z, 0-9 and -, not at its ends",
                            text);
    return copy_text(text, ret_name, CERT_NAME_MAX + 1, "expected a shorter name", why);
}

static enum err parse_version(struct bytes text, char *ret_version, struct buf *why)
{
    bool is_fine = text.size <= CONFIG_VERSION_MAX;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        is_fine &= c > 0x20 && c < 0x7f && c != '/' && c != '=' && c != ',';
    }
    if (!is_fine)
        return found_refuse(why, "expected up to 63 visible characters without / = and ,", text);
    return copy_text(text, ret_version, CONFIG_VERSION_MAX + 1, "expected a shorter version", why);
}

static enum err parse_address(const struct schema_row *row, struct bytes text, char *ret_text,
                              struct buf *why)
{
    struct io_addr addr;
    const char *expected = "expected HOST:PORT that can be dialled, such as 203.0.113.7:7300";
    bool is_fine;
    if (row->type == SCHEMA_LISTEN) {
        expected = "expected IP:PORT, such as 127.0.0.1:7380 or \"[::1]:7380\"";
        is_fine = io_addr_parse(text, &addr) == ERR_OK && addr.family != IO_UNIX;
    } else {
        is_fine = url_dialable_is_valid(text);
    }
    if (row->type == SCHEMA_ADVERTISE) {
        expected = "expected HOST:PORT that can be dialled, such as 203.0.113.7:7300, or none";
        is_fine = is_fine || text.size == 0 || bytes_equal(text, BYTES("none"));
    }
    return is_fine ? copy_text(text, ret_text, CONFIG_TEXT_MAX, "expected a shorter address", why)
                   : found_refuse(why, expected, text);
}

static enum err parse_notice(struct bytes text, char *ret_text, struct buf *why)
{
    struct url_parts parts;
    if (text.size > 0 && url_split(text, &parts) != ERR_OK)
        return found_refuse(why, "expected http://HOST[:PORT]/PATH[?QUERY], or nothing", text);
    return copy_text(text, ret_text, CONFIG_TEXT_MAX, "expected a shorter URL", why);
}

static enum err parse_word(const char *const *words, const char *expected, struct bytes text,
                           int *ret_index, struct buf *why)
{
    return find_word(words, text, ret_index) ? ERR_OK : found_refuse(why, expected, text);
}

static enum err parse_gpu(const struct schema_row *row, struct bytes text, bool quoted,
                          uint32_t *ret_gpu, struct buf *why)
{
    uint64_t index = CONFIG_GPU_AUTO;
    bool is_auto = bytes_equal(text, BYTES("auto"));
    if (!is_auto && (quoted || !bytes_to_u64(text, &index) || index > row->max))
        return found_refuse(why, "expected auto or the index of a GPU from 0 to 63", text);
    *ret_gpu = (uint32_t)index;
    return ERR_OK;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum err value_parse_label_key(struct bytes text, char *ret_key, struct buf *why)
{
    bool is_fine = text.size > 0 && text.size <= CONFIG_LABEL_MAX && is_alnum(text.data[0]) &&
                   is_alnum(text.data[text.size - 1]);
    for (size_t i = 0; is_fine && i < text.size; i++)
        is_fine = is_alnum(text.data[i]) || memchr("-_./", text.data[i], 4);
    if (!is_fine)
        return found_refuse(why,
                            "expected a label's key: up to 63 letters, digits and - _ . /, not "
                            "these at its ends",
                            text);
    return copy_text(text, ret_key, CONFIG_LABEL_MAX + 1, "expected a shorter key", why);
}

enum err value_parse_label(struct bytes text, char *ret_value, struct buf *why)
{
    bool is_fine = text.size <= CONFIG_LABEL_MAX;
    for (size_t i = 0; is_fine && i < text.size; i++)
        is_fine = text.data[i] >= 0x20 && text.data[i] < 0x7f;
    if (!is_fine)
        return found_refuse(why, "expected a label's value: up to 63 ASCII characters", text);
    return copy_text(text, ret_value, CONFIG_LABEL_MAX + 1, "expected a shorter value", why);
}

enum err value_parse(const struct schema_row *row, struct bytes text, bool quoted, void *owner,
                     struct buf *why)
{
    void *field = (char *)owner + row->offset;
    uint64_t number = 0;
    int index = 0;
    switch (row->type) {
    case SCHEMA_NAME:
    case SCHEMA_ZONE: return parse_name(row, text, field, why);
    case SCHEMA_TIER: return parse_tier(text, field, why);
    case SCHEMA_LISTEN:
    case SCHEMA_ADVERTISE:
    case SCHEMA_PEER: return parse_address(row, text, field, why);
    case SCHEMA_URL: return url_parse(text, owner, why);
    case SCHEMA_NOTICE: return parse_notice(text, field, why);
    case SCHEMA_KIND: return parse_kind(text, field, why);
    case SCHEMA_VERSION: return parse_version(text, field, why);
    case SCHEMA_GPU: return parse_gpu(row, text, quoted, field, why);
    case SCHEMA_HARDWARE:
        TRY(parse_word(hardware_names, "expected gpu, npu, cpu or auto", text, &index, why));
        *(enum backend_hardware *)field = (enum backend_hardware)index;
        return ERR_OK;
    case SCHEMA_FLAG:
        TRY(parse_word(flag_names, "expected true or false", text, &index, why));
        *(bool *)field = index == 1;
        return ERR_OK;
    case SCHEMA_LEVEL:
        TRY(parse_word(level_names, "expected debug, info, warn or error", text, &index, why));
        *(enum log_level *)field = (enum log_level)index;
        return ERR_OK;
    case SCHEMA_FORMAT:
        TRY(parse_word(format_names, "expected text, json or auto", text, &index, why));
        ((struct config *)owner)->log_format = index;
        return ERR_OK;
    case SCHEMA_COUNT:
    case SCHEMA_SIZE:
    case SCHEMA_DURATION:
        if (parse_number(row, text, quoted, &number) != ERR_OK)
            return refuse_number(row, text, why);
        if (row->type == SCHEMA_COUNT)
            *(uint32_t *)field = (uint32_t)number;
        else
            *(uint64_t *)field = number;
        return ERR_OK;
    default: return ERR_INTERNAL;
    }
}

enum err value_write(const struct schema_row *row, const void *owner, struct buf *out)
{
    const void *field = (const char *)owner + row->offset;
    switch (row->type) {
    case SCHEMA_TIER: return buf_append_str(out, tier_name(*(const enum tier *)field));
    case SCHEMA_KIND:
        return buf_append_str(out, backend_kind_name(*(const enum backend_kind *)field));
    case SCHEMA_HARDWARE:
        return buf_append_str(out, backend_hardware_name(*(const enum backend_hardware *)field));
    case SCHEMA_FLAG: return buf_append_str(out, flag_names[*(const bool *)field]);
    case SCHEMA_GPU:
        if (*(const uint32_t *)field == CONFIG_GPU_AUTO)
            return buf_append_str(out, "auto");
        return buf_append_decimal(out, *(const uint32_t *)field);
    case SCHEMA_LEVEL: return buf_append_str(out, level_names[*(const enum log_level *)field]);
    case SCHEMA_FORMAT:
        return buf_append_str(out, format_names[((const struct config *)owner)->log_format]);
    case SCHEMA_COUNT: return buf_append_decimal(out, *(const uint32_t *)field);
    case SCHEMA_SIZE:
    case SCHEMA_DURATION: return write_unit_value(row->type, *(const uint64_t *)field, out);
    case SCHEMA_SECTION:
    case SCHEMA_PEERS:
    case SCHEMA_LABELS:
    case SCHEMA_BACKENDS: return ERR_INTERNAL;
    default: return buf_append_str(out, field);
    }
}
