/* Cuts an expression into words. Strings and numbers are decoded by cel_literal.c; numbers only
 * when the parser knows whether a minus sign belongs to them. */
#include "policy/cel_lexer.h"

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The byte at `at`, 0 past the end. */
static uint8_t peek(struct bytes source, size_t at)
{
    return at < source.size ? source.data[at] : 0;
}

static uint32_t skip_blanks(struct bytes source, uint32_t at)
{
    while (at < source.size) {
        uint8_t c = source.data[at];
        if (c == '/' && peek(source, at + 1) == '/') {
            while (at < source.size && source.data[at] != '\n')
                at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            at++;
        } else {
            break;
        }
    }
    return at;
}

static size_t digits(struct bytes source, size_t at)
{
    size_t count = 0;
    while (is_digit(peek(source, at + count)))
        count++;
    return count;
}

/* How many bytes of a number start at `at`. */
static size_t number_size(struct bytes source, size_t at)
{
    size_t size;
    uint8_t second = peek(source, at + 1);
    if (peek(source, at) == '0' && (second == 'x' || second == 'X') &&
        is_hex(peek(source, at + 2))) {
        for (size = 2; is_hex(peek(source, at + size));)
            size++;
    } else {
        size = digits(source, at);
        if (peek(source, at + size) == '.' && digits(source, at + size + 1))
            size += 1 + digits(source, at + size + 1);
        uint8_t exponent = peek(source, at + size);
        if (exponent == 'e' || exponent == 'E') {
            uint8_t sign = peek(source, at + size + 1);
            size_t lead = sign == '+' || sign == '-' ? 2 : 1;
            size_t count = digits(source, at + size + lead);
            size += count ? lead + count : 0;
        }
    }
    uint8_t suffix = peek(source, at + size);
    return size + (suffix == 'u' || suffix == 'U');
}

/* Does a string start here? Prefixes are r, b and br in either case. */
static bool is_string(struct bytes source, size_t at)
{
    uint8_t c = peek(source, at);
    if (c == 'b' || c == 'B')
        c = peek(source, ++at);
    if (c == 'r' || c == 'R')
        c = peek(source, ++at);
    return c == '"' || c == '\'';
}

static size_t word_size(struct bytes source, size_t at)
{
    size_t size = 0;
    while (is_letter(peek(source, at + size)) || is_digit(peek(source, at + size)))
        size++;
    return size;
}

static size_t punct_size(struct bytes source, size_t at)
{
    static const char *const puncts[] = {"&&", "||", "==", "!=", "<=", ">=", ".?", "<", ">",
                                         "!",  "+",  "-",  "*",  "/",  "%",  "?",  ":", ",",
                                         ".",  "(",  ")",  "[",  "]",  "{",  "}"};
    struct bytes rest = bytes_skip(source, at);
    for (size_t i = 0; i < sizeof(puncts) / sizeof(puncts[0]); i++)
        if (bytes_starts_with(rest, bytes_from_str(puncts[i])))
            return strlen(puncts[i]);
    return 0;
}

/* `a-b.c/d e` between backticks. */
static enum err lex_quoted(struct cel_job *job, uint32_t *at, struct cel_token *token)
{
    uint32_t end = *at + 1;
    for (;; end++) {
        uint8_t c = peek(job->source, end);
        if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '/' && c != ' ')
            break;
    }
    if (peek(job->source, end) != '`' || end == *at + 1)
        return policy_cel_fail(job, CEL_PARSE, *at,
                               "a quoted name holds letters, digits, '_', '.', '-', '/' and "
                               "blanks, and ends with '`'");
    token->kind = CEL_TOK_QUOTED;
    token->text = bytes_of(job->source.data + *at + 1, end - *at - 1);
    *at = end + 1;
    return ERR_OK;
}

enum err policy_cel_lex(struct cel_job *job, uint32_t *at, struct cel_token *ret_token)
{
    struct bytes source = job->source;
    struct cel_token token = {.offset = skip_blanks(source, *at)};
    uint32_t start = token.offset;
    uint8_t c = peek(source, start);
    uint32_t size = 0;
    *at = start;
    if (start >= source.size) {
        token.kind = CEL_TOK_END;
    } else if (is_string(source, start)) {
        token.kind = CEL_TOK_LITERAL;
        TRY(policy_cel_lex_string(job, start, &token.value, &size));
    } else if (is_digit(c) || (c == '.' && is_digit(peek(source, start + 1)))) {
        token.kind = CEL_TOK_LITERAL;
        token.value.kind = CEL_NULL; /* until policy_cel_lex_number */
        size = (uint32_t)number_size(source, start);
        if (is_letter(peek(source, start + size)))
            return policy_cel_fail(job, CEL_PARSE, start + size, "a number ends in a letter");
    } else if (is_letter(c)) {
        token.kind = CEL_TOK_IDENT;
        size = (uint32_t)word_size(source, start);
    } else if (c == '`') {
        TRY(lex_quoted(job, at, &token));
        *ret_token = token;
        return ERR_OK;
    } else {
        token.kind = CEL_TOK_PUNCT;
        size = (uint32_t)punct_size(source, start);
        if (!size)
            return policy_cel_fail(job, CEL_PARSE, start, "a character that has no meaning here");
    }
    token.text = bytes_of(bytes_skip(source, start).data, size);
    *at = start + size;
    *ret_token = token;
    return ERR_OK;
}
