/* Fields of timestamps, in UTC or a zone, and parts of durations. */
#include "policy/cel_lib.h"
#include "policy/cel_time.h"

enum field { YEAR, MONTH, DATE, DAY_OF_MONTH, WEEKDAY, YEARDAY, HOUR, MINUTE, SECOND, MILLISECOND };

static struct cel_value pick(const struct cel_civil *c, uint32_t nanos, enum field field)
{
    switch (field) {
    case YEAR: return policy_cel_int(c->year);
    case MONTH: return policy_cel_int(c->month);
    case DATE: return policy_cel_int(c->day);
    case DAY_OF_MONTH: return policy_cel_int(c->day - 1);
    case WEEKDAY: return policy_cel_int(c->weekday);
    case YEARDAY: return policy_cel_int(c->yearday);
    case HOUR: return policy_cel_int(c->hour);
    case MINUTE: return policy_cel_int(c->minute);
    case SECOND: return policy_cel_int(c->second);
    default: return policy_cel_int(nanos / 1000000);
    }
}

/* A duration is told as a whole in that unit; only its milliseconds are those within the second, as
 * the language has it. */
static struct cel_value pick_duration(int64_t nanos, enum field field)
{
    switch (field) {
    case HOUR: return policy_cel_int(nanos / (INT64_C(3600) * CEL_NANOS));
    case MINUTE: return policy_cel_int(nanos / (INT64_C(60) * CEL_NANOS));
    case SECOND: return policy_cel_int(nanos / CEL_NANOS);
    case MILLISECOND: return policy_cel_int(nanos / 1000000 % 1000);
    default: return policy_cel_no_overload();
    }
}

/* The field of args[0], in the zone args[1] if there is one. */
static struct cel_value field_of(const struct cel_args *in, enum field field)
{
    int64_t offset = 0;
    struct cel_value t = in->args[0];
    if (t.kind == CEL_DURATION && in->count == 1)
        return pick_duration(t.integer, field);
    if (t.kind != CEL_TIMESTAMP || (in->count == 2 && in->args[1].kind != CEL_STRING))
        return policy_cel_no_overload();
    if (in->count == 2 &&
        !policy_cel_zone_offset(in->vm->program->env, policy_cel_bytes(in->args[1]), t.integer,
                                &offset))
        return policy_cel_error(CEL_E_ARGUMENT, "unknown time zone");
    struct cel_civil c = policy_cel_civil(t.integer + offset);
    return pick(&c, t.size, field);
}

struct cel_value policy_cel_fn_full_year(const struct cel_args *in)
{
    return field_of(in, YEAR);
}

struct cel_value policy_cel_fn_month(const struct cel_args *in)
{
    return field_of(in, MONTH);
}

struct cel_value policy_cel_fn_date(const struct cel_args *in)
{
    return field_of(in, DATE);
}

struct cel_value policy_cel_fn_day_of_month(const struct cel_args *in)
{
    return field_of(in, DAY_OF_MONTH);
}

struct cel_value policy_cel_fn_day_of_week(const struct cel_args *in)
{
    return field_of(in, WEEKDAY);
}

struct cel_value policy_cel_fn_day_of_year(const struct cel_args *in)
{
    return field_of(in, YEARDAY);
}

struct cel_value policy_cel_fn_hours(const struct cel_args *in)
{
    return field_of(in, HOUR);
}

struct cel_value policy_cel_fn_minutes(const struct cel_args *in)
{
    return field_of(in, MINUTE);
}

struct cel_value policy_cel_fn_seconds(const struct cel_args *in)
{
    return field_of(in, SECOND);
}

struct cel_value policy_cel_fn_milliseconds(const struct cel_args *in)
{
    return field_of(in, MILLISECOND);
}
