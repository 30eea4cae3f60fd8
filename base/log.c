/* One log line: time, level, event, fields. Time is computed here from the milliseconds of the
 * caller's clock, because the C library's calendar functions read time zones and are not needed for
 * UTC. */
#include "base/log.h"

#include "base/log_fields.h"

#define MS_PER_DAY UINT64_C(86400000)
#define WALL_MS_MAX UINT64_C(253402300799999) /* the last millisecond of the year 9999 */
#define TIME_SIZE 24                          /* 2026-11-22T17:19:03.123Z */

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_shouts[] = {"DEBUG", "INFO", "WARN", "ERROR"};

static unsigned level_index(enum log_level level)
{
    return (unsigned)level <= LOG_ERROR ? (unsigned)level : (unsigned)LOG_ERROR;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level_index(level)];
}

enum err log_level_parse(struct bytes name, enum log_level *ret_level)
{
    for (unsigned i = 0; i <= LOG_ERROR; i++)
        if (bytes_equal(name, bytes_from_str(level_names[i]))) {
            *ret_level = (enum log_level)i;
            return ERR_OK;
        }
    return ERR_INVALID;
}

struct date {
    unsigned year, month, day;
};

/* Counts years from March, so that the leap day is the last day of a year, in cycles of 400 years
 * (146,097 days), after which the calendar repeats. */
static struct date date_of(uint64_t days_since_1970)
{
    unsigned days = (unsigned)days_since_1970 + 719468; /* since the 1st of March of the year 0 */
    unsigned cycle = days / 146097, day_of_cycle = days % 146097;
    unsigned leaps = day_of_cycle / 1460 - day_of_cycle / 36524 + day_of_cycle / 146096;
    unsigned year = (day_of_cycle - leaps) / 365;
    unsigned day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* from March = 0; 153 days are five months */
    unsigned january_on = month >= 10;
    return (struct date){
        .year = cycle * 400 + year + january_on,
        .month = month + 3 - 12 * january_on,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

static char *put_digits(char *out, unsigned value, int digits, char after)
{
    for (int i = digits; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    out[digits] = after;
    return out + digits + 1;
}

static void put_time(char ret_text[TIME_SIZE], uint64_t wall_ms)
{
    if (wall_ms > WALL_MS_MAX)
        wall_ms = WALL_MS_MAX;
    struct date date = date_of(wall_ms / MS_PER_DAY);
    unsigned ms = (unsigned)(wall_ms % MS_PER_DAY);
    char *p = put_digits(ret_text, date.year, 4, '-');
    p = put_digits(p, date.month, 2, '-');
    p = put_digits(p, date.day, 2, 'T');
    p = put_digits(p, ms / 3600000, 2, ':');
    p = put_digits(p, ms / 60000 % 60, 2, ':');
    p = put_digits(p, ms / 1000 % 60, 2, '.');
    put_digits(p, ms % 1000, 3, 'Z');
}

static struct bytes write_json(struct log_fields *f, const struct log *log, enum log_level level,
                               const char *event, struct bytes time, const struct log_field *fields,
                               size_t count)
{
    log_fields_json(f, &LOG_BYTES("ts", time), 1);
    log_fields_json(f, &LOG_STR("level", log_level_name(level)), 1);
    if (log->node)
        log_fields_json(f, &LOG_STR("node", log->node), 1);
    log_fields_json(f, &LOG_STR("event", event), 1);
    log_fields_json(f, fields, count);
    return log_fields_json_end(f);
}

static struct bytes write_text(struct log_fields *f, enum log_level level, const char *event,
                               struct bytes time, const struct log_field *fields, size_t count)
{
    log_fields_text_word(f, time);
    log_fields_text_word(f, BYTES(" "));
    log_fields_text_word(f, bytes_from_str(level_shouts[level_index(level)]));
    log_fields_text_word(f, BYTES(" "));
    log_fields_text_word(f, bytes_from_str(event));
    log_fields_text(f, fields, count);
    return log_fields_text_end(f);
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count)
{
    if (level < log->level)
        return;
    struct log_fields f;
    char time_text[TIME_SIZE];
    put_time(time_text, log->wall_ms(log->ctx));
    struct bytes time = bytes_of(time_text, TIME_SIZE);
    log_fields_begin(&f);
    struct bytes line = log->format == LOG_JSON
                            ? write_json(&f, log, level, event, time, fields, count)
                            : write_text(&f, level, event, time, fields, count);
    log->sink(log->ctx, line);
}
