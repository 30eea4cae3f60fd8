/* Durations and timestamps as text, both ways, exactly. */
#include "policy/cel_time.h"

#include "policy/cel_vm.h"

/* --- reading */

static struct cel_value no_duration(void)
{
    return policy_cel_error(CEL_E_ARGUMENT, "not a duration such as \"1h30m\" or \"250ms\"");
}

static struct cel_value no_timestamp(void)
{
    return policy_cel_error(CEL_E_ARGUMENT, "not a timestamp as in RFC 3339");
}

/* Takes the unit off *text; its nanoseconds, or 0. */
static int64_t take_unit(struct bytes *text)
{
    static const struct {
        const char *name;
        int64_t nanos;
    } units[] = {
        {"ns", 1},       {"us", 1000},     {"\xc2\xb5s", 1000},     {"\xce\xbcs", 1000},
        {"ms", 1000000}, {"s", CEL_NANOS}, {"m", 60LL * CEL_NANOS}, {"h", 3600LL * CEL_NANOS}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct bytes name = bytes_from_str(units[i].name);
        if (bytes_starts_with(*text, name)) {
            *text = bytes_skip(*text, name.size);
            return units[i].nanos;
        }
    }
    return 0;
}

static bool is_digit(struct bytes text)
{
    return text.size && text.data[0] >= '0' && text.data[0] <= '9';
}

/* One "12.5ms" off *text, added to *sum, which is kept negative: its range is the wider one. */
static bool take_term(struct bytes *text, int64_t *sum, bool *ret_overflow)
{
    int64_t whole = 0, fraction = 0, scale = 1, term;
    bool has_digits = false, overflow = false;
    for (; is_digit(*text); *text = bytes_skip(*text, 1), has_digits = true)
        overflow |= __builtin_mul_overflow(whole, (int64_t)10, &whole) ||
                    __builtin_sub_overflow(whole, (int64_t)(text->data[0] - '0'), &whole);
    if (text->size && text->data[0] == '.') {
        *text = bytes_skip(*text, 1);
        for (; is_digit(*text); *text = bytes_skip(*text, 1), has_digits = true) {
            if (scale < INT64_C(100000000000000)) { /* beyond, nothing reaches a nanosecond */
                fraction = fraction * 10 + (text->data[0] - '0');
                scale *= 10;
            }
        }
    }
    int64_t unit = take_unit(text);
    if (!has_digits || !unit)
        return false;
    overflow |= __builtin_mul_overflow(whole, unit, &term) ||
                __builtin_sub_overflow(term, (int64_t)((__int128)fraction * unit / scale), &term) ||
                __builtin_add_overflow(*sum, term, sum);
    *ret_overflow |= overflow;
    return true;
}

struct cel_value policy_cel_duration_parse(struct bytes text)
{
    bool negative = text.size && text.data[0] == '-', overflow = false;
    int64_t sum = 0;
    if (text.size && (negative || text.data[0] == '+'))
        text = bytes_skip(text, 1);
    if (bytes_equal(text, BYTES("0")))
        return policy_cel_duration(0);
    do {
        if (!take_term(&text, &sum, &overflow))
            return no_duration();
    } while (text.size);
    if (overflow || (!negative && sum == INT64_MIN))
        return policy_cel_error(CEL_E_RANGE, "duration out of range: some 292 years");
    return policy_cel_duration(negative ? sum : -sum);
}

/* Exactly `count` digits and then `after` (0: anything) off *text. */
static bool take_number(struct bytes *text, size_t count, char after, int *ret_number)
{
    int number = 0;
    if (text->size < count + (after != 0))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(bytes_skip(*text, i)))
            return false;
        number = number * 10 + (text->data[i] - '0');
    }
    if (after &&
        (text->data[count] | (after >= 'A' ? 0x20 : 0)) != (after | (after >= 'A' ? 0x20 : 0)))
        return false;
    *text = bytes_skip(*text, count + (after != 0));
    *ret_number = number;
    return true;
}

/* ".123" off *text, if it is there. */
static bool take_fraction(struct bytes *text, uint32_t *ret_nanos)
{
    uint32_t scale = CEL_NANOS;
    *ret_nanos = 0;
    if (!text->size || text->data[0] != '.')
        return true;
    *text = bytes_skip(*text, 1);
    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); *text = bytes_skip(*text, 1)) {
        scale /= 10;
        *ret_nanos += (uint32_t)(text->data[0] - '0') * scale;
    }
    return true;
}

/* "Z" or "+05:30", to the end. */
static bool take_offset(struct bytes text, int64_t *ret_seconds)
{
    int hours, minutes;
    *ret_seconds = 0;
    if (text.size == 1)
        return (text.data[0] | 0x20) == 'z';
    if (text.size != 6 || (text.data[0] != '+' && text.data[0] != '-'))
        return false;
    bool negative = text.data[0] == '-';
    text = bytes_skip(text, 1);
    if (!take_number(&text, 2, ':', &hours) || !take_number(&text, 2, 0, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ret_seconds = (negative ? -60 : 60) * (hours * 60 + minutes);
    return true;
}

static int days_of_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leaps);
}

struct cel_value policy_cel_timestamp_parse(struct bytes text)
{
    int year, month, day, hour, minute, second;
    uint32_t nanos;
    int64_t offset;
    if (!take_number(&text, 4, '-', &year) || !take_number(&text, 2, '-', &month) ||
        !take_number(&text, 2, 'T', &day) || !take_number(&text, 2, ':', &hour) ||
        !take_number(&text, 2, ':', &minute) || !take_number(&text, 2, 0, &second) ||
        !take_fraction(&text, &nanos) || !take_offset(text, &offset))
        return no_timestamp();
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return no_timestamp();
    int64_t days = policy_cel_days(year, month - 1, day);
    return policy_cel_timestamp(days * 86400 + hour * 3600 + minute * 60 + second - offset, nanos);
}

enum err policy_cel_parse_time(enum cel_kind kind, struct bytes text, struct cel_value *ret_value)
{
    struct cel_value v =
        kind == CEL_DURATION ? policy_cel_duration_parse(text) : policy_cel_timestamp_parse(text);
    if (policy_cel_failed(v))
        return ERR_INVALID;
    *ret_value = v;
    return ERR_OK;
}

/* --- writing */

static enum err show_fraction(uint32_t nanos, struct buf *out)
{
    char digits[16];
    int count = 9;
    if (!nanos)
        return ERR_OK;
    for (; nanos % 10 == 0; count--)
        nanos /= 10;
    digits[count] = 0;
    for (int i = count - 1; i >= 0; i--, nanos /= 10)
        digits[i] = (char)('0' + nanos % 10);
    return buf_printf(out, ".%s", digits);
}

enum err policy_cel_duration_show(int64_t nanos, struct buf *out)
{
    uint64_t magnitude = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
    TRY(buf_append_str(out, nanos < 0 ? "-" : ""));
    TRY(buf_append_decimal(out, magnitude / CEL_NANOS));
    TRY(show_fraction((uint32_t)(magnitude % CEL_NANOS), out));
    return buf_append_byte(out, 's');
}

enum err policy_cel_timestamp_show(struct cel_value v, struct buf *out)
{
    struct cel_civil c = policy_cel_civil(v.integer);
    TRY(buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year, c.month + 1, c.day, c.hour,
                   c.minute, c.second));
    TRY(show_fraction(v.size, out));
    return buf_append_byte(out, 'Z');
}
