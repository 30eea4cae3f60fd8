/* Durations (nanoseconds in an int64) and timestamps (seconds since 1970 and nanoseconds, years 1
 * to 9999): their texts, arithmetic, fields and zones. Inside policy/cel_* only. */
#ifndef POLICY_CEL_TIME_H
#define POLICY_CEL_TIME_H

#include "base/buf.h"
#include "policy/cel.h"

#define CEL_SECOND_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define CEL_SECOND_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define CEL_NANOS 1000000000

/* A moment on a calendar. */
struct cel_civil {
    int64_t year;
    int month; /* 0 to 11 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
    int weekday; /* 0: Sunday */
    int yearday; /* 0 to 365 */
};
struct cel_civil policy_cel_civil(int64_t seconds);
/* Days since 1970-01-01; month 0 to 11. */
int64_t policy_cel_days(int64_t year, int month, int day);

struct cel_value policy_cel_duration(int64_t nanos);
/* An error when it is out of range. */
struct cel_value policy_cel_timestamp(int64_t seconds, uint32_t nanos);
struct cel_value policy_cel_duration_add(int64_t a, int64_t b);
struct cel_value policy_cel_time_add(struct cel_value timestamp, int64_t nanos);
struct cel_value policy_cel_time_sub(struct cel_value timestamp, int64_t nanos);
struct cel_value policy_cel_time_between(struct cel_value a, struct cel_value b);

/* "1h30m", "-1.5s", "250ms". An error when it is not one or out of range. */
struct cel_value policy_cel_duration_parse(struct bytes text);
/* RFC 3339. */
struct cel_value policy_cel_timestamp_parse(struct bytes text);
/* "5400s", "-1.5s"; RFC 3339 in UTC with as many decimals as needed. */
MUST_CHECK enum err policy_cel_duration_show(int64_t nanos, struct buf *out);
MUST_CHECK enum err policy_cel_timestamp_show(struct cel_value v, struct buf *out);

/* Seconds east of UTC at that moment in the zone "+05:30", "UTC" or one that the environment knows.
 * False: there is no such zone. */
bool policy_cel_zone_offset(const struct cel_env *env, struct bytes zone, int64_t seconds,
                            int64_t *ret_offset);
/* The same from TZif data (RFC 8536). False: it is malformed. */
bool policy_cel_tzif_offset(struct bytes tzif, int64_t seconds, int64_t *ret_offset);
/* The same from a rule as TZif files end with: "CET-1CEST,M3.5.0,M10.5.0/3". */
bool policy_cel_rule_offset(struct bytes rule, int64_t seconds, int64_t *ret_offset);

#endif
