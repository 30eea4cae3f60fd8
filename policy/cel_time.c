/* Arithmetic of durations and timestamps, and the calendar. Leaving a type's range is an error. */
#include "policy/cel_time.h"

#include "policy/cel_vm.h"

#define DAY 86400

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

/* Days from civil and back: years of 400 count 146,097 days; counted from March, leap days come
 * last. */
int64_t policy_cel_days(int64_t year, int month, int day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t of_era = y - era * 400;
    int64_t from_march = (month + 10) % 12;
    int64_t of_year = (153 * from_march + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct cel_civil policy_cel_civil(int64_t seconds)
{
    struct cel_civil c;
    int64_t days = floor_div(seconds, DAY);
    int rest = (int)(seconds - days * DAY);
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    c.month = (int)((from_march + 2) % 12);
    c.year = era * 400 + year + (c.month < 2);
    c.day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    c.hour = rest / 3600;
    c.minute = rest / 60 % 60;
    c.second = rest % 60;
    c.weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    c.yearday = (int)(days - policy_cel_days(c.year, 0, 1));
    return c;
}

static struct cel_value out_of_range(const char *text)
{
    return policy_cel_error(CEL_E_RANGE, text);
}

struct cel_value policy_cel_duration(int64_t nanos)
{
    return (struct cel_value){.kind = CEL_DURATION, .integer = nanos};
}

struct cel_value policy_cel_timestamp(int64_t seconds, uint32_t nanos)
{
    if (seconds < CEL_SECOND_MIN || seconds > CEL_SECOND_MAX)
        return out_of_range("timestamp out of range: years 1 to 9999");
    return (struct cel_value){.kind = CEL_TIMESTAMP, .size = nanos, .integer = seconds};
}

struct cel_value policy_cel_duration_add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? out_of_range("duration out of range")
                                              : policy_cel_duration(sum);
}

/* Seconds and nanoseconds apart: neither sum overflows. */
static struct cel_value shift(struct cel_value t, int64_t seconds, int64_t nanos)
{
    int64_t sum = (int64_t)t.size + nanos;
    int64_t carry = floor_div(sum, CEL_NANOS);
    return policy_cel_timestamp(t.integer + seconds + carry, (uint32_t)(sum - carry * CEL_NANOS));
}

struct cel_value policy_cel_time_add(struct cel_value timestamp, int64_t nanos)
{
    return shift(timestamp, nanos / CEL_NANOS, nanos % CEL_NANOS);
}

struct cel_value policy_cel_time_sub(struct cel_value timestamp, int64_t nanos)
{
    return shift(timestamp, -(nanos / CEL_NANOS), -(nanos % CEL_NANOS));
}

struct cel_value policy_cel_time_between(struct cel_value a, struct cel_value b)
{
    int64_t nanos;
    if (__builtin_mul_overflow(a.integer - b.integer, (int64_t)CEL_NANOS, &nanos) ||
        __builtin_add_overflow(nanos, (int64_t)a.size - (int64_t)b.size, &nanos))
        return out_of_range("duration out of range");
    return policy_cel_duration(nanos);
}
