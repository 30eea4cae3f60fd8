/* Structured, leveled log. Knows no clock and no file: both come from outside. An event has a short
 * name (snake_case, stable: people grep for it) and typed fields; the sink gets one finished line.
 * Lines are written by base/log_fields, which base/trace shares. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_kind {
    LOG_KIND_STR,
    LOG_KIND_BYTES,
    LOG_KIND_INT,
    LOG_KIND_UINT,
    LOG_KIND_ERR,
    LOG_KIND_ID,
    LOG_KIND_BOOL,
};
struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        const char *str;    /* NULL is printed as null, as is a NULL id */
        struct bytes bytes; /* printed as text, escaped */
        int64_t i64;
        uint64_t u64;
        enum err err; /* printed as its word */
        const struct id *id;
        bool flag;
    } as;
};

#define LOG_STR(k, v) ((struct log_field){(k), LOG_KIND_STR, {.str = (v)}})
#define LOG_BYTES(k, v) ((struct log_field){(k), LOG_KIND_BYTES, {.bytes = (v)}})
#define LOG_INT(k, v) ((struct log_field){(k), LOG_KIND_INT, {.i64 = (int64_t)(v)}})
#define LOG_UINT(k, v) ((struct log_field){(k), LOG_KIND_UINT, {.u64 = (uint64_t)(v)}})
#define LOG_ERR(v) ((struct log_field){"reason", LOG_KIND_ERR, {.err = (v)}})
#define LOG_ID(k, v) ((struct log_field){(k), LOG_KIND_ID, {.id = (v)}})
#define LOG_BOOL(k, v) ((struct log_field){(k), LOG_KIND_BOOL, {.flag = (v)}})

struct log {
    enum log_level level; /* lines below it are dropped */
    enum log_format format;
    uint64_t (*wall_ms)(void *ctx);             /* milliseconds since 1970 */
    void (*sink)(void *ctx, struct bytes line); /* with its newline; one call per line */
    void *ctx;
    const char *node; /* printed in every JSON line when not NULL */
};

/* One line, at most 2 KiB (cut, marked with "..."); never allocates.
 * text: 2026-11-22T17:19:03.123Z INFO link_up peer=edge-1 rtt_ms=3
 * json: {"ts":"...","level":"info","event":"link_up","peer":"edge-1","rtt_ms":3}
 * In text, a value that is not plain printable ASCII stands in quotes, escaped as in JSON. A JSON
 * line is valid JSON whatever the fields hold; a cut string ends in ..., dropped fields leave
 * "more":"...". */
void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count);

#define LOG(log, level, event, ...)                                                                \
    log_write((log), (level), (event), (const struct log_field[]){__VA_ARGS__},                    \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

const char *log_level_name(enum log_level level);
/* "debug" "info" "warn" "error"; ERR_INVALID. */
MUST_CHECK enum err log_level_parse(struct bytes name, enum log_level *ret_level);

#endif
