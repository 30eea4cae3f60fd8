/* The generator, the mutator and the scanner's examination, see json_case.h. */
#include "tests/support/json_case.h"

static void put(struct buf *text, const char *piece)
{
    CHECK(buf_append_str(text, piece) == ERR_OK);
}

static void put_byte(struct buf *text, unsigned byte)
{
    CHECK(buf_append_byte(text, (uint8_t)byte) == ERR_OK);
}

static bool one_in(struct rng *rng, unsigned n)
{
    return rng_below(rng, n) == 0;
}

#define PICK(rng, table) (table)[rng_below((rng), sizeof(table) / sizeof((table)[0]))]

static void blanks(struct rng *rng, struct buf *text)
{
    while (one_in(rng, 4))
        put_byte(text, (unsigned char)" \t\r\n"[rng_below(rng, 4)]);
}

static void unicode_escape(struct rng *rng, struct buf *text, unsigned unit)
{
    CHECK(buf_printf(text, one_in(rng, 2) ? "\\u%04x" : "\\u%04X", unit) == ERR_OK);
}

/* Pieces that look like what is searched for, escaped so that they are not. */
static void string_piece(struct rng *rng, struct buf *text)
{
    static const char *const traps[] = {"\\\"model\\\":\\\"evil\\\"",
                                        "\\\\",
                                        "\\\"",
                                        "\\/",
                                        "\\b\\f\\n\\r\\t",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\\\\\\\"",
                                        "model",
                                        "stream",
                                        "true",
                                        "null",
                                        "\x7F",
                                        "//",
                                        "/*"};
    static const char *const letters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8D\x87", "\xFF",
                                          "\xC3"};
    switch (rng_below(rng, 8)) {
    case 0: put(text, PICK(rng, traps)); break;
    case 1: put(text, PICK(rng, letters)); break;
    case 2: unicode_escape(rng, text, (unsigned)rng_between(rng, 1, 0xD7FF)); break;
    case 3:
        unicode_escape(rng, text, 0xD800 + (unsigned)rng_below(rng, 0x400));
        unicode_escape(rng, text, 0xDC00 + (unsigned)rng_below(rng, 0x400));
        break;
    case 4:
        if (one_in(rng, 8)) /* a lone surrogate, or a NUL */
            unicode_escape(rng, text,
                           one_in(rng, 3) ? 0 : 0xD800 + (unsigned)rng_below(rng, 0x800));
        break;
    default:
        for (uint64_t n = rng_below(rng, one_in(rng, 10) ? 60 : 6); n > 0; n--)
            put_byte(text, (unsigned char)"abcdefghijklmno xyz.-_0"[rng_below(rng, 23)]);
    }
}

static void string(struct rng *rng, struct buf *text)
{
    put_byte(text, '"');
    for (uint64_t n = rng_below(rng, one_in(rng, 50) ? 40 : 5); n > 0; n--)
        string_piece(rng, text);
    put_byte(text, '"');
}

/* Sometimes with a letter or two written as an escape. */
static void name(struct rng *rng, struct buf *text, const char *plain)
{
    bool bend = one_in(rng, 4);
    put_byte(text, '"');
    for (; *plain; plain++) {
        if (bend && one_in(rng, 3))
            unicode_escape(rng, text, (unsigned char)*plain);
        else
            put_byte(text, (unsigned char)*plain);
    }
    put_byte(text, '"');
}

static void key(struct rng *rng, struct buf *text, bool ours)
{
    static const char *const routing[] = {"model", "stream", "max_tokens", "max_completion_tokens"};
    static const char *const others[] = {"Model",    "mode",   "models",   "model ", "streams",
                                         "messages", "prompt", "",         "n",      "max_token",
                                         "user",     "tools",  "metadata", "role"};
    if (ours)
        name(rng, text, PICK(rng, routing));
    else if (one_in(rng, 3))
        string(rng, text);
    else
        name(rng, text, PICK(rng, others));
}

static void number(struct rng *rng, struct buf *text)
{
    static const char *const forms[] = {"0",
                                        "-0",
                                        "1",
                                        "-1",
                                        "0.5",
                                        "-0.25",
                                        "1e5",
                                        "1E+5",
                                        "2e-3",
                                        "0e0",
                                        "1.0",
                                        "100",
                                        "4096",
                                        "9.99e9",
                                        "-7E2",
                                        "1e400",
                                        "999999999999999999999"};
    if (one_in(rng, 2))
        CHECK(buf_append_decimal(text, rng_below(rng, 1u << rng_below(rng, 31))) == ERR_OK);
    else
        put(text, PICK(rng, forms));
    if (one_in(rng, 200))
        for (int i = 0; i < 70; i++)
            put_byte(text, text->data[text->size - 1] == '0' ? 'e' : '1');
}

static void value(struct rng *rng, struct buf *text, unsigned depth);

static void object(struct rng *rng, struct buf *text, unsigned depth)
{
    uint64_t count = rng_below(rng, depth == 0 ? 8 : 4);
    bool first = true;
    put_byte(text, '{');
    blanks(rng, text);
    for (uint64_t i = 0; i < count || (depth == 0 && one_in(rng, 6)); i++, first = false) {
        if (!first)
            put_byte(text, ',');
        blanks(rng, text);
        key(rng, text, one_in(rng, depth == 0 ? 3 : 5));
        blanks(rng, text);
        put_byte(text, ':');
        value(rng, text, depth + 1);
    }
    put_byte(text, '}');
}

static void array(struct rng *rng, struct buf *text, unsigned depth)
{
    put_byte(text, '[');
    blanks(rng, text);
    for (uint64_t n = rng_below(rng, 4), i = 0; i < n; i++) {
        if (i > 0)
            put_byte(text, ',');
        value(rng, text, depth + 1);
    }
    put_byte(text, ']');
}

static void value(struct rng *rng, struct buf *text, unsigned depth)
{
    static const char *const words[] = {"true", "false", "null"};
    blanks(rng, text);
    switch (rng_below(rng, depth < 6 ? 7 : 5)) {
    case 0: put(text, PICK(rng, words)); break;
    case 1:
    case 2: number(rng, text); break;
    case 5: object(rng, text, depth); break;
    case 6: array(rng, text, depth); break;
    default: string(rng, text);
    }
    blanks(rng, text);
}

/* Arrays in arrays, around the scanner's limit. */
static void deep(struct rng *rng, struct buf *text)
{
    uint64_t depth = rng_between(rng, SCAN_DEPTH_MAX - 3, SCAN_DEPTH_MAX + 2);
    put(text, "{\"model\":\"m\",\"x\":");
    for (uint64_t i = 0; i < depth; i++)
        put_byte(text, '[');
    for (uint64_t i = 0; i < depth; i++)
        put_byte(text, ']');
    put_byte(text, '}');
}

void json_case_generate(struct rng *rng, struct buf *text)
{
    blanks(rng, text);
    if (one_in(rng, 300)) {
        deep(rng, text);
    } else if (one_in(rng, 30)) {
        value(rng, text, 0);
    } else {
        size_t start = text->size;
        object(rng, text, 0);
        if (!one_in(rng, 4) && text->data[start + 1] != '}') { /* most requests name a model */
            text->size--;
            put(text, ",\"model\":");
            string(rng, text);
            put_byte(text, '}');
        }
    }
    blanks(rng, text);
}

static unsigned odd_byte(struct rng *rng)
{
    static const char bytes[] = "{}[],:\"\\0123456789.eE+-tfnu \t\n\0\x01\x1F/";
    return one_in(rng, 6) ? (unsigned)rng_below(rng, 256)
                          : (unsigned char)bytes[rng_below(rng, sizeof bytes - 1)];
}

void json_case_mutate(struct rng *rng, struct buf *text)
{
    for (uint64_t n = rng_between(rng, 1, 3); n > 0 && text->size > 0; n--) {
        size_t at = (size_t)rng_below(rng, text->size);
        switch (rng_below(rng, 5)) {
        case 0: text->data[at] = (uint8_t)odd_byte(rng); break;
        case 1:
            memmove(text->data + at, text->data + at + 1, text->size - at - 1);
            text->size--;
            break;
        case 2:
            put_byte(text, 0);
            memmove(text->data + at + 1, text->data + at, text->size - at - 1);
            text->data[at] = (uint8_t)odd_byte(rng);
            break;
        case 3:
            if (one_in(rng, 2))
                text->size = at;
            break;
        default: put_byte(text, odd_byte(rng));
        }
    }
}

/* --- what the scanner has to say */

enum err json_case_expected(const struct json_truth *truth, enum err *ret_other)
{
    bool is_bad = truth->flaw != JSON_FINE || truth->depth > SCAN_DEPTH_MAX;
    bool is_refused = !truth->is_object || truth->model_size > SCAN_MODEL_MAX;
    for (int k = 0; k < JSON_KEYS; k++)
        is_refused |= truth->count[k] > 1;
    *ret_other = is_bad && is_refused ? ERR_INVALID_REQUEST : ERR_OK;
    if (is_bad)
        return ERR_INVALID_JSON;
    if (is_refused)
        return ERR_INVALID_REQUEST;
    bool has_model = truth->kind[JSON_MODEL] == SCAN_STRING && truth->model_size > 0 &&
                     !memchr(truth->model, '\0', truth->model_size);
    return has_model ? ERR_OK : ERR_MISSING_MODEL;
}

static enum err scan_cut(struct scan *s, struct rng *rng, struct bytes text)
{
    uint64_t longest = one_in(rng, 4) ? 1 : rng_between(rng, 1, text.size + 1);
    scan_init(s);
    while (text.size > 0) {
        size_t size = (size_t)rng_between(rng, 0, longest);
        if (size > text.size)
            size = text.size;
        enum err e = scan_feed(s, bytes_of(text.data, size));
        if (e != ERR_OK)
            return e;
        text = bytes_skip(text, size);
    }
    return scan_finish(s);
}

static enum err scan_whole(struct scan *s, struct bytes text)
{
    scan_init(s);
    enum err e = scan_feed(s, text);
    return e == ERR_OK ? scan_finish(s) : e;
}

static void check_same(const struct scan *a, const struct scan *b)
{
    CHECK(a->model_kind == b->model_kind && a->stream_kind == b->stream_kind);
    CHECK(bytes_equal(bytes_of(a->model, a->model_size), bytes_of(b->model, b->model_size)));
    CHECK(a->max_tokens == b->max_tokens && a->text_bytes == b->text_bytes);
    CHECK(a->offset == b->offset && a->detail == b->detail);
}

static void check_max_tokens(const struct scan *s, const struct json_truth *truth)
{
    double largest = -1;
    for (int k = JSON_MAX_TOKENS; k <= JSON_MAX_COMPLETION_TOKENS; k++)
        if (truth->kind[k] == SCAN_NUMBER && truth->is_digits[k] && truth->number[k] > largest)
            largest = truth->number[k];
    if (largest < 1e15)
        CHECK((double)s->max_tokens == largest);
    else
        CHECK(s->max_tokens >= 1000000000000000);
}

enum err json_case_check(struct rng *rng, struct bytes text, const struct json_truth *truth)
{
    struct scan whole, cut;
    enum err other;
    enum err expected = json_case_expected(truth, &other);
    enum err e = scan_whole(&whole, text);
    CHECK(e == expected || (other != ERR_OK && e == other));
    CHECK(scan_cut(&cut, rng, text) == e);
    check_same(&whole, &cut);
    CHECK(e == ERR_OK || whole.detail);
    CHECK(whole.offset <= text.size);
    if (e != ERR_OK && e != ERR_MISSING_MODEL)
        return e;
    CHECK(whole.offset == text.size && whole.text_bytes <= text.size);
    CHECK(whole.model_kind == truth->kind[JSON_MODEL]);
    CHECK(whole.stream_kind == truth->kind[JSON_STREAM]);
    CHECK(bytes_equal(bytes_of(whole.model, whole.model_size),
                      bytes_of(truth->model, truth->model_size)));
    check_max_tokens(&whole, truth);
    return e;
}
