/* Time zones. Fixed offsets are read here; named zones come as TZif data (RFC 8536) that whoever
 * made the environment hands in, so that nothing here opens files or knows a global zone. Moments
 * behind the last listed change follow the rule at the end of the data (POSIX TZ). */
#include "policy/cel_time.h"

#define HEADER_SIZE 44
#define ZONE_NAME_MAX 64

/* --- TZif */

struct header {
    uint32_t utc_count, std_count, leap_count, time_count, type_count, char_count;
};

/* Reads the header that `data` starts with, and the size of the block behind it. */
static bool read_header(struct bytes data, size_t time_size, struct header *h, uint64_t *ret_size)
{
    if (data.size < HEADER_SIZE || memcmp(data.data, "TZif", 4) != 0)
        return false;
    uint32_t *counts[] = {&h->utc_count,  &h->std_count,  &h->leap_count,
                          &h->time_count, &h->type_count, &h->char_count};
    for (size_t i = 0; i < 6; i++)
        *counts[i] = (uint32_t)bytes_big_endian(data.data + 20 + 4 * i, 4);
    *ret_size = (uint64_t)h->time_count * (time_size + 1) + (uint64_t)h->type_count * 6 +
                h->char_count + (uint64_t)h->leap_count * (time_size + 4) + h->std_count +
                h->utc_count;
    return true;
}

static bool offset_of_type(struct bytes block, const struct header *h, size_t type,
                           int64_t *ret_offset)
{
    if (type >= h->type_count)
        return false;
    const uint8_t *at = block.data + (uint64_t)h->time_count * 9 + type * 6;
    *ret_offset = (int32_t)(uint32_t)bytes_big_endian(at, 4);
    return true;
}

/* The number of changes at or before the moment. */
static size_t changes_before(struct bytes block, const struct header *h, int64_t seconds)
{
    size_t low = 0, high = h->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((int64_t)bytes_big_endian(block.data + middle * 8, 8) <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool policy_cel_tzif_offset(struct bytes tzif, int64_t seconds, int64_t *ret_offset)
{
    struct header h;
    uint64_t size;
    if (!read_header(tzif, 4, &h, &size) || tzif.data[4] < '2' || size > tzif.size)
        return false; /* version 1 has 32-bit times only; nobody writes it any more */
    tzif = bytes_skip(tzif, HEADER_SIZE + (size_t)size);
    if (!read_header(tzif, 8, &h, &size) || size > tzif.size - HEADER_SIZE)
        return false;
    struct bytes block = bytes_skip(tzif, HEADER_SIZE);
    struct bytes rule = bytes_skip(block, (size_t)size);
    size_t before = changes_before(block, &h, seconds);
    if (before == h.time_count && rule.size > 2 && rule.data[0] == '\n') {
        rule = bytes_skip(rule, 1);
        rule.size = bytes_find(rule, '\n');
        if (policy_cel_rule_offset(rule, seconds, ret_offset))
            return true;
    }
    size_t type = before ? block.data[(uint64_t)h.time_count * 8 + before - 1] : 0;
    return offset_of_type(block, &h, type, ret_offset);
}

/* --- POSIX rules */

static bool take_int(struct bytes *text, int *ret_value)
{
    int value = 0;
    size_t digits = 0;
    while (text->size && text->data[0] >= '0' && text->data[0] <= '9' && digits++ < 5) {
        value = value * 10 + (text->data[0] - '0');
        *text = bytes_skip(*text, 1);
    }
    *ret_value = value;
    return digits > 0;
}

static bool take_char(struct bytes *text, char c)
{
    if (!text->size || text->data[0] != (uint8_t)c)
        return false;
    *text = bytes_skip(*text, 1);
    return true;
}

/* "<+0330>" or "CET". */
static bool take_zone_name(struct bytes *text)
{
    size_t size = 0;
    if (take_char(text, '<')) {
        *text = bytes_skip(*text, bytes_find(*text, '>'));
        return take_char(text, '>');
    }
    while (size < text->size && (text->data[size] | 0x20) >= 'a' &&
           (text->data[size] | 0x20) <= 'z')
        size++;
    *text = bytes_skip(*text, size);
    return size >= 3;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool take_time(struct bytes *text, int64_t *ret_seconds)
{
    int parts[3] = {0};
    bool negative = take_char(text, '-');
    if (!negative)
        (void)take_char(text, '+');
    if (!take_int(text, &parts[0]))
        return false;
    for (size_t i = 1; i < 3 && take_char(text, ':'); i++)
        if (!take_int(text, &parts[i]))
            return false;
    *ret_seconds = (negative ? -1 : 1) * ((int64_t)parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return true;
}

/* The day "Mm.w.d", "Jn" or "n" of a year, in days since 1970. */
static bool take_day(struct bytes *text, int64_t year, int64_t *ret_day)
{
    int month, week, weekday, day;
    if (take_char(text, 'J')) {
        bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (!take_int(text, &day))
            return false;
        *ret_day = policy_cel_days(year, 0, 1) + day - 1 + (leaps && day >= 60);
        return true;
    }
    if (!take_char(text, 'M')) {
        if (!take_int(text, &day))
            return false;
        *ret_day = policy_cel_days(year, 0, 1) + day;
        return true;
    }
    if (!take_int(text, &month) || !take_char(text, '.') || !take_int(text, &week) ||
        !take_char(text, '.') || !take_int(text, &weekday) || month < 1 || month > 12 || week < 1 ||
        week > 5 || weekday > 6)
        return false;
    int64_t first = policy_cel_days(year, month - 1, 1);
    int64_t after = month == 12 ? policy_cel_days(year + 1, 0, 1) : policy_cel_days(year, month, 1);
    *ret_day =
        first + ((weekday - policy_cel_civil(first * 86400).weekday) % 7 + 7) % 7 + 7 * (week - 1);
    while (*ret_day >= after) /* week 5 is the last one, which may be the fourth */
        *ret_day -= 7;
    return true;
}

/* ",M3.2.0/2": when a change comes, by the clock that ends with it. */
static bool take_change(struct bytes *text, int64_t year, int64_t *ret_seconds)
{
    int64_t day, time = 7200;
    if (!take_char(text, ',') || !take_day(text, year, &day))
        return false;
    if (take_char(text, '/') && !take_time(text, &time))
        return false;
    *ret_seconds = day * 86400 + time;
    return true;
}

bool policy_cel_rule_offset(struct bytes rule, int64_t seconds, int64_t *ret_offset)
{
    int64_t standard, summer, starts, ends;
    if (!take_zone_name(&rule) || !take_time(&rule, &standard))
        return false;
    standard = -standard; /* POSIX counts west of UTC */
    *ret_offset = standard;
    if (!rule.size)
        return true;
    summer = standard + 3600;
    if (!take_zone_name(&rule))
        return false;
    if (rule.size && rule.data[0] != ',') {
        if (!take_time(&rule, &summer))
            return false;
        summer = -summer;
    }
    int64_t year = policy_cel_civil(seconds + standard).year;
    if (!take_change(&rule, year, &starts) || !take_change(&rule, year, &ends))
        return false;
    starts -= standard;
    ends -= summer;
    bool is_summer =
        starts < ends ? seconds >= starts && seconds < ends : seconds >= starts || seconds < ends;
    *ret_offset = is_summer ? summer : standard;
    return true;
}

/* --- zones by their names */

static bool fixed_offset(struct bytes zone, int64_t *ret_offset)
{
    int hours, minutes;
    bool negative = take_char(&zone, '-');
    if (!negative)
        (void)take_char(&zone, '+');
    if (!take_int(&zone, &hours) || !take_char(&zone, ':') || zone.size != 2 ||
        !take_int(&zone, &minutes) || zone.size || hours > 23 || minutes > 59)
        return false;
    *ret_offset = (negative ? -60 : 60) * (hours * 60 + minutes);
    return true;
}

bool policy_cel_zone_offset(const struct cel_env *env, struct bytes zone, int64_t seconds,
                            int64_t *ret_offset)
{
    if (zone.size == 0 || zone.size > ZONE_NAME_MAX)
        return false;
    if (bytes_equal(zone, BYTES("UTC")) || bytes_equal(zone, BYTES("GMT")) ||
        bytes_equal(zone, BYTES("Z"))) {
        *ret_offset = 0;
        return true;
    }
    if (fixed_offset(zone, ret_offset))
        return true;
    return env->zone && policy_cel_tzif_offset(env->zone(env->zone_ctx, zone), seconds, ret_offset);
}
