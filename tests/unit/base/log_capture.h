/* What the tests of base/log and base/trace share: a sink that keeps the last line, a clock that
 * stands still, and a strict check that a line is one flat JSON object. */
#ifndef TESTS_UNIT_BASE_LOG_CAPTURE_H
#define TESTS_UNIT_BASE_LOG_CAPTURE_H

#include "base/bytes.h"
#include "base/utf8.h"

#include <ctype.h>

struct log_capture {
    uint64_t now;
    int lines;
    size_t size;
    char line[4096];
};

static uint64_t log_capture_now(void *ctx)
{
    return ((struct log_capture *)ctx)->now;
}

static void log_capture_sink(void *ctx, struct bytes line)
{
    struct log_capture *capture = ctx;
    capture->lines++;
    capture->size = line.size;
    bytes_to_str(line, capture->line, sizeof capture->line);
}

static const char *skip_json_string(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p == '\\') {
            p++;
            if (*p == 'u') {
                for (int i = 0; i < 4; i++)
                    if (!isxdigit((unsigned char)*++p))
                        return NULL;
            } else if (!*p || !strchr("\"\\/bfnrt", *p)) {
                return NULL;
            }
        }
    }
    return p + 1;
}

static const char *skip_json_value(const char *p)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*p == '"')
        return skip_json_string(p);
    for (int i = 0; i < 3; i++)
        if (strncmp(p, words[i], strlen(words[i])) == 0)
            return p + strlen(words[i]);
    const char *start = p += *p == '-';
    while (isdigit((unsigned char)*p))
        p++;
    return p > start ? p : NULL;
}

static bool log_capture_is_json_line(const struct log_capture *capture)
{
    const char *p = capture->line;
    if (strlen(p) != capture->size || !utf8_is_valid(bytes_from_str(p)) || *p != '{')
        return false;
    do {
        p = skip_json_string(p + 1);
        if (!p || *p != ':')
            return false;
        p = skip_json_value(p + 1);
    } while (p && *p == ',');
    return p && strcmp(p, "}\n") == 0;
}

#endif
