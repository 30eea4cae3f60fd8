/* Decodes literals: numbers, and strings with their prefixes, quotes and escapes. Called by the
 * lexer and the parser. Texts without escapes are slices of the source, copied once. */
#include "policy/cel_lexer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "policy/cel_text.h"

#define NUMBER_SIZE_MAX 400

static enum err parse_integer(const char *text, bool is_hex, bool negative, bool is_unsigned,
                              struct cel_value *ret_value)
{
    errno = 0;
    uint64_t magnitude = strtoull(is_hex ? text + 2 : text, NULL, is_hex ? 16 : 10);
    if (errno)
        return ERR_INVALID;
    if (is_unsigned) {
        if (negative && magnitude)
            return ERR_INVALID;
        *ret_value = (struct cel_value){.kind = CEL_UINT, .uinteger = magnitude};
        return ERR_OK;
    }
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return ERR_INVALID;
    *ret_value = (struct cel_value){.kind = CEL_INT};
    ret_value->uinteger = negative ? 0 - magnitude : magnitude;
    return ERR_OK;
}

enum err policy_cel_lex_number(struct cel_job *job, struct cel_token *token, bool negative)
{
    char text[NUMBER_SIZE_MAX];
    if (token->text.size >= sizeof(text))
        return policy_cel_fail(job, CEL_PARSE, token->offset, "a number of over %d characters",
                               NUMBER_SIZE_MAX - 1);
    bytes_to_str(token->text, text, sizeof(text));
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char last = text[token->text.size - 1];
    bool is_unsigned = last == 'u' || last == 'U';
    if (is_unsigned)
        text[token->text.size - 1] = 0;
    if (!is_hex && strpbrk(text, ".eE")) {
        double real = strtod(text, NULL);
        if (is_unsigned || isinf(real))
            return policy_cel_fail(job, CEL_PARSE, token->offset, "not a double: %.40s%s", text,
                                   is_unsigned ? "u" : "");
        token->value = (struct cel_value){.kind = CEL_DOUBLE, .real = negative ? -real : real};
        return ERR_OK;
    }
    if (parse_integer(text, is_hex, negative, is_unsigned, &token->value) != ERR_OK)
        return policy_cel_fail(job, CEL_PARSE, token->offset, "%s%.40s is out of range of %s",
                               negative ? "-" : "", text, is_unsigned ? "uint" : "int");
    return ERR_OK;
}

struct literal {
    bool is_bytes;
    bool is_raw;
    uint8_t quote;
    uint32_t quote_size; /* 1 or 3 */
    uint32_t start;      /* of what is between the quotes */
    uint32_t end;
};

static bool ends_at(struct bytes source, const struct literal *l, size_t at)
{
    for (size_t i = 0; i < l->quote_size; i++)
        if (at + i >= source.size || source.data[at + i] != l->quote)
            return false;
    return true;
}

/* Finds both ends of the string. */
static enum err measure(struct cel_job *job, uint32_t at, struct literal *l)
{
    struct bytes source = job->source;
    uint32_t first = at;
    *l = (struct literal){.is_bytes = source.data[at] == 'b' || source.data[at] == 'B'};
    at += l->is_bytes;
    l->is_raw = source.data[at] == 'r' || source.data[at] == 'R';
    at += l->is_raw;
    l->quote = source.data[at];
    l->quote_size = 3;
    if (!ends_at(source, l, at))
        l->quote_size = 1;
    l->start = at = at + l->quote_size;
    while (!ends_at(source, l, at)) {
        bool breaks = at < source.size && (source.data[at] == '\n' || source.data[at] == '\r');
        if (at >= source.size || (breaks && l->quote_size == 1))
            return policy_cel_fail(job, CEL_PARSE, first, "a string that does not end%s",
                                   breaks ? " on its line; use ''' or \"\"\"" : "");
        at += source.data[at] == '\\' && !l->is_raw && at + 1 < source.size ? 2 : 1;
    }
    l->end = at;
    return ERR_OK;
}

static enum err bad_escape(struct cel_job *job, size_t at, const char *why)
{
    return policy_cel_fail(job, CEL_PARSE, (uint32_t)at, "%s", why);
}

/* `count` digits of the base, at `at`. */
static bool read_digits(struct bytes text, size_t at, size_t count, unsigned base,
                        uint32_t *ret_value)
{
    uint32_t value = 0;
    for (size_t i = at; i < at + count; i++) {
        uint8_t c = i < text.size ? text.data[i] : 0;
        uint8_t low = c | 0x20;
        unsigned digit = c >= '0' && c <= '9'       ? c - (unsigned)'0'
                         : low >= 'a' && low <= 'f' ? low - 'a' + 10u
                                                    : 99;
        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    *ret_value = value;
    return true;
}

/* One escape, source[*at] being the character after the backslash; appends what it stands for. */
static enum err unescape(struct cel_job *job, const struct literal *l, size_t *at, struct buf *out)
{
    static const char names[] = "abfnrtv\\?\"'`";
    static const char means[] = "\a\b\f\n\r\t\v\\?\"'`";
    struct bytes text = bytes_of(job->source.data, l->end);
    uint8_t c = *at < text.size ? text.data[*at] : 0;
    const char *found = c ? strchr(names, c) : NULL;
    uint32_t code;
    if (found) {
        *at += 1;
        return buf_append_byte(out, (uint8_t)means[found - names]);
    }
    bool is_octal = c >= '0' && c <= '3';
    bool is_byte = c == 'x' || c == 'X' || is_octal;
    size_t count = c == 'U' ? 8 : c == 'u' ? 4 : is_octal ? 3 : 2;
    if (!is_byte && c != 'u' && c != 'U')
        return bad_escape(job, *at - 1, "an escape that there is not");
    *at += !is_octal;
    if (!read_digits(text, *at, count, is_octal ? 8 : 16, &code))
        return bad_escape(job, *at, "an escape with too few digits");
    *at += count;
    if (l->is_bytes && !is_byte)
        return bad_escape(job, *at - count, "\\u and \\U are for strings, not for bytes");
    if (l->is_bytes)
        return buf_append_byte(out, (uint8_t)code);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return bad_escape(job, *at - count, "an escape that is not a Unicode character");
    return policy_cel_append_code(out, code);
}

static enum err decode(struct cel_job *job, const struct literal *l, struct buf *out)
{
    const uint8_t *data = job->source.data;
    size_t at = l->start;
    while (at < l->end) {
        if (data[at] == '\\' && !l->is_raw) {
            at++;
            TRY(unescape(job, l, &at, out));
        } else if (data[at] == '\r') { /* line ends are "\n" wherever the text was written */
            TRY(buf_append_byte(out, '\n'));
            at += at + 1 < l->end && data[at + 1] == '\n' ? 2 : 1;
        } else {
            TRY(buf_append_byte(out, data[at++]));
        }
    }
    return ERR_OK;
}

enum err policy_cel_lex_string(struct cel_job *job, uint32_t at, struct cel_value *ret_value,
                               uint32_t *ret_size)
{
    struct literal l;
    struct buf out;
    TRY(measure(job, at, &l));
    size_t size_max = l.end - l.start;
    uint8_t *storage = arena_alloc(job->arena, size_max + 1);
    if (!storage)
        return ERR_NO_MEMORY;
    buf_init_fixed(&out, storage, size_max + 1);
    TRY(decode(job, &l, &out));
    *ret_value = policy_cel_string(buf_bytes(&out));
    if (l.is_bytes)
        ret_value->kind = CEL_BYTES;
    *ret_size = l.end + l.quote_size - at;
    return ERR_OK;
}
