/* The scanner behind scan.h: a push state machine over JSON text. Long strings, the bulk of a
 * prompt, are skipped 64 bytes at a time; everything else is a switch per byte. Called by the
 * ingress for each piece of a body. */
#include "node/ingress/scan.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    ST_VALUE,        /* a value must come */
    ST_VALUE_OR_END, /* after [ */
    ST_KEY,          /* after , in an object */
    ST_KEY_OR_END,   /* after { */
    ST_COLON,
    ST_NEXT, /* after a value: , or the end of the container */
    ST_STRING,
    ST_ESCAPE,
    ST_UNICODE,
    ST_NUMBER,
    ST_LITERAL,
    ST_DONE,
    ST_FAILED,
};

enum { NUM_SIGN, NUM_ZERO, NUM_INT, NUM_DOT, NUM_FRACTION, NUM_E, NUM_E_SIGN, NUM_EXP };

enum { KEY_NONE, KEY_MODEL, KEY_STREAM, KEY_MAX_TOKENS, KEY_MAX_COMPLETION_TOKENS };

#define BEGINS_HERE UINT64_MAX /* only scan_feed knows where that is */

static const char *const key_names[] = {"", "model", "stream", "max_tokens",
                                        "max_completion_tokens"};

void scan_init(struct scan *s)
{
    s->model_kind = s->stream_kind = SCAN_ABSENT;
    s->model_size = 0;
    s->model_start = s->model_end = 0;
    s->model[0] = '\0';
    s->max_tokens = -1;
    s->text_bytes = s->offset = 0;
    s->detail = NULL;
    s->state = ST_VALUE;
    s->key = KEY_NONE;
    s->seen = 0;
    s->is_key = s->capturing = s->overflow = s->is_negative = false;
    s->surrogate = 0;
    s->depth = 0;
    s->text_size = 0;
}

static enum err fail(struct scan *s, enum err e, const char *detail)
{
    s->state = ST_FAILED;
    s->detail = detail;
    return e;
}

static enum err bad(struct scan *s, const char *detail)
{
    return fail(s, ERR_INVALID_JSON, detail);
}

static bool top_is_object(const struct scan *s)
{
    uint32_t level = s->depth - 1;
    return (s->is_object[level / 64] >> (level % 64)) & 1;
}

static void capture(struct scan *s, const uint8_t *data, size_t size)
{
    if (s->overflow || size > sizeof s->text - s->text_size) {
        s->overflow = true;
        return;
    }
    memcpy(s->text + s->text_size, data, size);
    s->text_size += size;
}

static void capture_code_point(struct scan *s, uint32_t c)
{
    uint8_t out[4];
    size_t n = 0;
    if (c < 0x80) {
        out[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        out[n++] = (uint8_t)(0xC0 | c >> 6);
        out[n++] = (uint8_t)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out[n++] = (uint8_t)(0xE0 | c >> 12);
        out[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[n++] = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        out[n++] = (uint8_t)(0xF0 | c >> 18);
        out[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        out[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[n++] = (uint8_t)(0x80 | (c & 0x3F));
    }
    capture(s, out, n);
}

/* A high surrogate that no low one followed stands for U+FFFD, as WTF-8-safe decoders do. */
static void settle_surrogate(struct scan *s)
{
    if (s->surrogate) {
        s->surrogate = 0;
        if (s->capturing)
            capture_code_point(s, 0xFFFD);
    }
}

static void note_value(struct scan *s, enum scan_found kind)
{
    if (s->depth != 1)
        return;
    if (s->key == KEY_MODEL)
        s->model_kind = kind;
    else if (s->key == KEY_STREAM)
        s->stream_kind = kind;
    s->key = kind == SCAN_NUMBER || kind == SCAN_STRING ? s->key : KEY_NONE;
}

static void begin_string(struct scan *s, bool is_key)
{
    s->state = ST_STRING;
    s->is_key = is_key;
    s->capturing = s->depth == 1 && (is_key || s->key == KEY_MODEL);
    if (s->capturing && !is_key)
        s->model_start = BEGINS_HERE;
    s->overflow = false;
    s->text_size = 0;
    s->surrogate = 0;
}

static enum err open_container(struct scan *s, bool object)
{
    if (s->depth == SCAN_DEPTH_MAX)
        return bad(s, "it is nested too deeply");
    if (s->depth == 0 && !object)
        return fail(s, ERR_INVALID_REQUEST, "the body must be a JSON object");
    note_value(s, SCAN_CONTAINER);
    uint64_t bit = 1ull << (s->depth % 64);
    if (object)
        s->is_object[s->depth / 64] |= bit;
    else
        s->is_object[s->depth / 64] &= ~bit;
    s->depth++;
    s->state = object ? ST_KEY_OR_END : ST_VALUE_OR_END;
    return ERR_OK;
}

static void close_container(struct scan *s)
{
    s->depth--;
    s->state = s->depth == 0 ? ST_DONE : ST_NEXT;
}

static enum err end_key(struct scan *s)
{
    s->state = ST_COLON;
    if (s->depth != 1)
        return ERR_OK;
    s->key = KEY_NONE;
    if (s->overflow || s->text_size > SCAN_KEY_MAX)
        return ERR_OK;
    struct bytes text = bytes_of(s->text, s->text_size);
    uint8_t like = KEY_NONE; /* engines written in Go take keys without regard to case */
    for (uint8_t k = KEY_MODEL; k < sizeof key_names / sizeof key_names[0]; k++)
        if (bytes_equal_nocase(text, bytes_from_str(key_names[k])))
            like = k;
    if (like == KEY_NONE)
        return ERR_OK;
    if (s->seen & 1u << like)
        return fail(s, ERR_INVALID_REQUEST, "a key that decides routing comes twice");
    s->seen |= (uint8_t)(1u << like);
    if (bytes_equal(text, bytes_from_str(key_names[like])))
        s->key = like;
    return ERR_OK;
}

static enum err end_string(struct scan *s)
{
    settle_surrogate(s);
    if (s->is_key)
        return end_key(s);
    if (s->capturing) {
        if (s->overflow)
            return fail(s, ERR_INVALID_REQUEST, "the model's name is longer than 256 bytes");
        memcpy(s->model, s->text, s->text_size);
        s->model[s->text_size] = '\0';
        s->model_size = s->text_size;
    }
    s->key = KEY_NONE;
    s->state = ST_NEXT;
    return ERR_OK;
}

static enum err begin_value(struct scan *s, uint8_t c)
{
    switch (c) {
    case '{': return open_container(s, true);
    case '[': return open_container(s, false);
    case '"':
        if (s->depth == 0)
            break;
        note_value(s, SCAN_STRING);
        begin_string(s, false);
        return ERR_OK;
    case 't':
    case 'f':
    case 'n':
        if (s->depth == 0)
            break;
        note_value(s, c == 't' ? SCAN_TRUE : c == 'f' ? SCAN_FALSE : SCAN_NULL);
        s->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
        s->state = ST_LITERAL;
        return ERR_OK;
    default:
        if (c != '-' && (c < '0' || c > '9'))
            return bad(s, "a value is expected here");
        if (s->depth == 0)
            break;
        note_value(s, SCAN_NUMBER);
        s->state = ST_NUMBER;
        s->number = c == '-' ? NUM_SIGN : c == '0' ? NUM_ZERO : NUM_INT;
        s->integer = c == '-' ? 0 : c - '0';
        s->is_negative = c == '-';
        return ERR_OK;
    }
    return fail(s, ERR_INVALID_REQUEST, "the body must be a JSON object");
}

/* Next sub-state of a number for this byte, or -1: the number ends before it. */
static int number_next(uint8_t number, uint8_t c)
{
    bool digit = c >= '0' && c <= '9';
    switch (number) {
    case NUM_SIGN: return c == '0' ? NUM_ZERO : digit ? NUM_INT : -1;
    case NUM_ZERO: return c == '.' ? NUM_DOT : (c | 32) == 'e' ? NUM_E : -1;
    case NUM_INT: return digit ? NUM_INT : c == '.' ? NUM_DOT : (c | 32) == 'e' ? NUM_E : -1;
    case NUM_DOT: return digit ? NUM_FRACTION : -1;
    case NUM_FRACTION: return digit ? NUM_FRACTION : (c | 32) == 'e' ? NUM_E : -1;
    case NUM_E: return c == '+' || c == '-' ? NUM_E_SIGN : digit ? NUM_EXP : -1;
    default: return digit ? NUM_EXP : -1;
    }
}

static enum err end_number(struct scan *s)
{
    bool whole = s->number == NUM_ZERO || s->number == NUM_INT;
    if (!whole && s->number != NUM_FRACTION && s->number != NUM_EXP)
        return bad(s, "the number is not complete");
    bool is_limit = s->key == KEY_MAX_TOKENS || s->key == KEY_MAX_COMPLETION_TOKENS;
    if (whole && s->depth == 1 && is_limit && !s->is_negative && s->integer > s->max_tokens)
        s->max_tokens = s->integer;
    s->key = KEY_NONE;
    s->state = ST_NEXT;
    return ERR_OK;
}

/* Eats digits; returns the bytes used (0: the byte at hand ends the number). */
static size_t feed_number(struct scan *s, struct bytes data)
{
    size_t i = 0;
    for (; i < data.size; i++) {
        int next = number_next(s->number, data.data[i]);
        if (next < 0)
            break;
        if (next == NUM_INT && s->integer < INT64_MAX / 16)
            s->integer = s->integer * 10 + (data.data[i] - '0');
        s->number = (uint8_t)next;
    }
    return i;
}

#if defined(__SSE2__)
/* All ones where a byte ends plain string content. */
static __m128i ends_plain(const uint8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hit =
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v));
}

static bool has_end(const uint8_t *p64)
{
    __m128i first = _mm_or_si128(ends_plain(p64), ends_plain(p64 + 16));
    __m128i second = _mm_or_si128(ends_plain(p64 + 32), ends_plain(p64 + 48));
    return _mm_movemask_epi8(_mm_or_si128(first, second)) != 0;
}
#endif

/* Index of the first byte that is not plain string content. */
static size_t string_span(const uint8_t *p, size_t size)
{
    size_t i = 0;
#if defined(__SSE2__)
    while (i + 64 <= size && !has_end(p + i))
        i += 64;
    for (; i + 16 <= size; i += 16) {
        int mask = _mm_movemask_epi8(ends_plain(p + i));
        if (mask)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    while (i < size && p[i] != '"' && p[i] != '\\' && p[i] >= 0x20)
        i++;
    return i;
}

static enum err feed_string(struct scan *s, struct bytes data, size_t *ret_used)
{
    size_t n = string_span(data.data, data.size);
    if (n > 0) {
        settle_surrogate(s);
        if (s->capturing)
            capture(s, data.data, n);
        if (!s->is_key)
            s->text_bytes += n;
    }
    *ret_used = n;
    if (n == data.size)
        return ERR_OK;
    *ret_used = n + 1;
    if (data.data[n] == '"')
        return end_string(s);
    if (data.data[n] == '\\') {
        s->state = ST_ESCAPE;
        return ERR_OK;
    }
    return bad(s, "a control character stands in a string");
}

static enum err feed_escape(struct scan *s, uint8_t c)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        s->state = ST_UNICODE;
        s->after_escape = 4;
        s->unit = 0;
        return ERR_OK;
    }
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return bad(s, "an escape in a string is not one of JSON's");
    settle_surrogate(s);
    if (s->capturing)
        capture(s, (const uint8_t *)&to[at - from], 1);
    s->state = ST_STRING;
    return ERR_OK;
}

static enum err feed_unicode(struct scan *s, uint8_t c)
{
    uint32_t digit;
    if (c >= '0' && c <= '9')
        digit = c - '0';
    else if ((c | 32) >= 'a' && (c | 32) <= 'f')
        digit = (uint32_t)(c | 32) - 'a' + 10;
    else
        return bad(s, "\\u needs four hex digits");
    s->unit = s->unit << 4 | digit;
    if (--s->after_escape > 0)
        return ERR_OK;
    s->state = ST_STRING;
    bool low = s->unit >= 0xDC00 && s->unit <= 0xDFFF;
    if (low && s->surrogate) {
        uint32_t c32 = 0x10000 + ((s->surrogate - 0xD800) << 10) + (s->unit - 0xDC00);
        s->surrogate = 0;
        if (s->capturing)
            capture_code_point(s, c32);
        return ERR_OK;
    }
    settle_surrogate(s);
    if (s->unit >= 0xD800 && s->unit <= 0xDBFF)
        s->surrogate = s->unit;
    else if (s->capturing)
        capture_code_point(s, low ? 0xFFFD : s->unit);
    return ERR_OK;
}

static enum err feed_next(struct scan *s, uint8_t c)
{
    bool object = top_is_object(s);
    if (c == ',') {
        s->state = object ? ST_KEY : ST_VALUE;
        return ERR_OK;
    }
    if (c != (object ? '}' : ']'))
        return bad(s, object ? "a comma or } is expected here" : "a comma or ] is expected here");
    close_container(s);
    return ERR_OK;
}

static enum err begin_key(struct scan *s, uint8_t c)
{
    if (c != '"')
        return bad(s, "a key in quotes is expected here");
    begin_string(s, true);
    return ERR_OK;
}

/* One byte outside strings, numbers and blanks. */
static enum err feed_structure(struct scan *s, uint8_t c)
{
    switch (s->state) {
    case ST_VALUE_OR_END:
        if (c == ']') {
            close_container(s);
            return ERR_OK;
        }
        return begin_value(s, c);
    case ST_VALUE: return begin_value(s, c);
    case ST_KEY_OR_END:
        if (c != '}')
            return begin_key(s, c);
        close_container(s);
        return ERR_OK;
    case ST_KEY: return begin_key(s, c);
    case ST_COLON:
        if (c != ':')
            return bad(s, "a colon is expected here");
        s->state = ST_VALUE;
        return ERR_OK;
    case ST_NEXT: return feed_next(s, c);
    case ST_LITERAL:
        if (c != (uint8_t)*s->literal)
            return bad(s, "true, false or null is expected here");
        if (*++s->literal == '\0')
            s->state = ST_NEXT;
        return ERR_OK;
    case ST_ESCAPE: return feed_escape(s, c);
    case ST_UNICODE: return feed_unicode(s, c);
    case ST_DONE: return bad(s, "something follows the JSON object");
    default: return ERR_INVALID_JSON;
    }
}

static bool skips_blanks(const struct scan *s)
{
    return s->state <= ST_NEXT || s->state == ST_DONE;
}

enum err scan_feed(struct scan *s, struct bytes data)
{
    size_t i = 0;
    enum err e = ERR_OK;
    uint64_t start = s->offset;
    while (i < data.size && e == ERR_OK) {
        uint8_t c = data.data[i];
        if (s->state == ST_STRING) {
            size_t used = 0;
            bool is_model = s->capturing && !s->is_key;
            e = feed_string(s, bytes_skip(data, i), &used);
            i += used;
            if (is_model && s->state == ST_NEXT)
                s->model_end = start + i;
        } else if (s->state == ST_NUMBER) {
            i += feed_number(s, bytes_skip(data, i));
            if (i < data.size && (e = end_number(s)) != ERR_OK)
                i++; /* the byte that is wrong counts, as elsewhere */
        } else {
            i++;
            if (!(skips_blanks(s) && (c == ' ' || c == '\n' || c == '\r' || c == '\t')))
                e = feed_structure(s, c);
            if (s->model_start == BEGINS_HERE)
                s->model_start = start + i - 1;
        }
    }
    s->offset = start + i;
    return e;
}

enum err scan_finish(struct scan *s)
{
    if (s->state == ST_FAILED)
        return ERR_INVALID_JSON;
    if (s->state != ST_DONE)
        return bad(s, s->offset == 0 ? "the body is empty" : "the body ends in the middle");
    if (s->model_kind == SCAN_STRING && s->model_size > 0 && !memchr(s->model, '\0', s->model_size))
        return ERR_OK;
    s->detail = s->model_kind == SCAN_ABSENT   ? "you must provide a model parameter"
                : s->model_kind == SCAN_STRING ? "the model parameter is empty or holds a NUL"
                                               : "the model parameter must be a string";
    return ERR_MISSING_MODEL;
}
