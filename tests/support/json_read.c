/* The strict reader behind json_case.h. */
#include "tests/support/json_case.h"

#include <stdlib.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    unsigned depth;
    struct json_truth *truth;
    uint8_t text[JSON_CASE_TEXT_MAX]; /* of the string that was read last */
    size_t text_size;
};

static const char *const key_names[JSON_KEYS] = {"model", "stream", "max_tokens",
                                                 "max_completion_tokens"};

static bool value(struct reader *r, int key);

static bool flaw(struct reader *r, enum json_flaw f)
{
    if (r->truth->flaw == JSON_FINE)
        r->truth->flaw = f;
    return false;
}

static int peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : -1;
}

static void blanks(struct reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
        r->at++;
}

/* Something else should stand here. */
static bool unexpected(struct reader *r)
{
    int c = peek(r);
    return flaw(r, c >= 0 && c < 0x20 ? JSON_FLAW_BLANK : JSON_FLAW_OTHER);
}

static bool take(struct reader *r, char c)
{
    blanks(r);
    if (peek(r) != c)
        return unexpected(r);
    r->at++;
    return true;
}

static void keep(struct reader *r, const void *data, size_t size)
{
    if (size <= sizeof r->text - r->text_size) {
        memcpy(r->text + r->text_size, data, size);
        r->text_size += size;
    }
}

static void keep_code_point(struct reader *r, unsigned c)
{
    uint8_t one[] = {(uint8_t)c};
    uint8_t two[] = {(uint8_t)(0xC0 | c >> 6), (uint8_t)(0x80 | c % 64)};
    uint8_t three[] = {(uint8_t)(0xE0 | c >> 12), (uint8_t)(0x80 | c / 64 % 64),
                       (uint8_t)(0x80 | c % 64)};
    uint8_t four[] = {(uint8_t)(0xF0 | c >> 18), (uint8_t)(0x80 | c / 4096 % 64),
                      (uint8_t)(0x80 | c / 64 % 64), (uint8_t)(0x80 | c % 64)};
    if (c < 0x80)
        keep(r, one, 1);
    else if (c < 0x800)
        keep(r, two, 2);
    else if (c < 0x10000)
        keep(r, three, 3);
    else
        keep(r, four, 4);
}

static bool hex4(struct reader *r, unsigned *ret_unit)
{
    char digits[5] = "";
    size_t n = 0;
    while (n < 4 && r->at < r->end && *r->at && strchr("0123456789abcdefABCDEF", *r->at))
        digits[n++] = (char)*r->at++;
    *ret_unit = (unsigned)strtoul(digits, NULL, 16);
    return n == 4 || flaw(r, JSON_FLAW_HEX);
}

static bool is_high(unsigned unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}
static bool is_low(unsigned unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

/* After the backslash and the u. */
static bool unicode_escape(struct reader *r)
{
    unsigned unit, low;
    if (!hex4(r, &unit))
        return false;
    while (is_high(unit) && r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        if (!hex4(r, &low))
            return false;
        if (is_low(low)) {
            keep_code_point(r, 0x10000 + (unit - 0xD800) * 0x400 + (low - 0xDC00));
            return true;
        }
        r->truth->has_lone_surrogate = true;
        keep_code_point(r, 0xFFFD);
        unit = low;
    }
    bool lone = is_high(unit) || is_low(unit);
    r->truth->has_lone_surrogate |= lone;
    r->truth->has_nul |= unit == 0;
    keep_code_point(r, lone ? 0xFFFD : unit);
    return true;
}

static bool escape(struct reader *r)
{
    static const char plain[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *found = c > 0 ? strchr(plain, c) : NULL;
    if (c != 'u' && !found)
        return flaw(r, JSON_FLAW_OTHER);
    r->at++;
    if (c == 'u')
        return unicode_escape(r);
    keep(r, meant + (found - plain), 1);
    return true;
}

static bool string(struct reader *r)
{
    r->text_size = 0;
    if (!take(r, '"'))
        return false;
    for (;;) {
        int c = peek(r);
        if (c < 0)
            return flaw(r, JSON_FLAW_OTHER);
        if (c < 0x20)
            return flaw(r, JSON_FLAW_CONTROL);
        r->at++;
        if (c == '"')
            return true;
        uint8_t byte = (uint8_t)c;
        if (c != '\\')
            keep(r, &byte, 1);
        else if (!escape(r))
            return false;
    }
}

static size_t digits(struct reader *r)
{
    size_t n = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; n++)
        r->at++;
    return n;
}

static bool number(struct reader *r, int key)
{
    char text[400] = "";
    const uint8_t *start = r->at;
    if (peek(r) == '-')
        r->at++;
    const uint8_t *first = r->at;
    size_t whole = digits(r);
    bool fine = whole > 0 && (*first != '0' || whole == 1);
    bool is_digits = first == start;
    if (fine && peek(r) == '.') {
        r->at++;
        is_digits = false;
        fine = digits(r) > 0;
    }
    if (fine && (peek(r) == 'e' || peek(r) == 'E')) {
        r->at++;
        is_digits = false;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        fine = digits(r) > 0;
    }
    if (!fine || (peek(r) > 0 && strchr("0123456789+-.eE", peek(r))))
        return flaw(r, JSON_FLAW_NUMBER);
    size_t size = (size_t)(r->at - start);
    r->truth->has_long_number |= size > 60;
    if (key < 0)
        return true;
    bytes_to_str(bytes_of(start, size), text, sizeof text);
    r->truth->is_digits[key] = is_digits;
    r->truth->number[key] = strtod(text, NULL);
    return true;
}

static bool literal(struct reader *r, const char *word)
{
    for (; *word; word++, r->at++)
        if (peek(r) != *word)
            return flaw(r, JSON_FLAW_OTHER);
    return true;
}

static int key_of(const struct reader *r)
{
    for (int k = 0; k < JSON_KEYS; k++)
        if (bytes_equal(bytes_of(r->text, r->text_size), bytes_from_str(key_names[k])))
            return k;
    return -1;
}

/* Whether some reader would take it for one: case is no difference to engines written in Go. */
static int key_like(const struct reader *r)
{
    for (int k = 0; k < JSON_KEYS; k++)
        if (bytes_equal_nocase(bytes_of(r->text, r->text_size), bytes_from_str(key_names[k])))
            return k;
    return -1;
}

static bool member(struct reader *r)
{
    blanks(r);
    if (!string(r))
        return false;
    int key = r->depth == 1 ? key_of(r) : -1;
    int like = r->depth == 1 ? key_like(r) : -1;
    if (like >= 0)
        r->truth->count[like]++;
    return take(r, ':') && value(r, key);
}

static bool container(struct reader *r, bool object)
{
    r->at++;
    if (++r->depth > r->truth->depth)
        r->truth->depth = r->depth;
    if (r->depth > JSON_CASE_DEPTH_MAX)
        return flaw(r, JSON_FLAW_DEPTH);
    char end = object ? '}' : ']';
    blanks(r);
    bool more = peek(r) != end;
    while (more) {
        if (!(object ? member(r) : value(r, -1)))
            return false;
        blanks(r);
        more = peek(r) == ',';
        if (more)
            r->at++;
    }
    r->depth--;
    return take(r, end);
}

static void note(struct reader *r, int key, enum scan_found kind)
{
    if (key >= 0)
        r->truth->kind[key] = kind;
}

static bool value(struct reader *r, int key)
{
    blanks(r);
    int c = peek(r);
    switch (c) {
    case '{':
    case '[': note(r, key, SCAN_CONTAINER); return container(r, c == '{');
    case '"':
        note(r, key, SCAN_STRING);
        if (!string(r))
            return false;
        if (key == JSON_MODEL) {
            memcpy(r->truth->model, r->text, r->text_size);
            r->truth->model_size = r->text_size;
        }
        return true;
    case 't': note(r, key, SCAN_TRUE); return literal(r, "true");
    case 'f': note(r, key, SCAN_FALSE); return literal(r, "false");
    case 'n': note(r, key, SCAN_NULL); return literal(r, "null");
    default:
        if (c != '-' && (c < '0' || c > '9'))
            return unexpected(r);
        note(r, key, SCAN_NUMBER);
        return number(r, key);
    }
}

void json_case_read(struct bytes text, struct json_truth *ret_truth)
{
    static const uint8_t nothing[1];
    const uint8_t *data = text.size ? text.data : nothing;
    struct reader r = {.at = data, .end = data + text.size, .truth = ret_truth};
    memset(ret_truth, 0, sizeof *ret_truth);
    if (bytes_starts_with(text, BYTES("\xEF\xBB\xBF"))) {
        ret_truth->flaw = JSON_FLAW_BLANK;
        return;
    }
    blanks(&r);
    ret_truth->is_object = peek(&r) == '{';
    if (!value(&r, -1))
        return;
    blanks(&r);
    if (r.at < r.end)
        unexpected(&r);
}
