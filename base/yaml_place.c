/* Where in a document a character of a scalar stands, in any style of scalars. A scalar and what
 * stands for it differ in blanks (folding, indentation) and escapes alone, so the n-th character
 * that is no blank is found by counting such characters. Called by whoever reports a mistake inside
 * a scalar. */
#include "base/yaml.h"

#include "base/utf8.h"

struct cursor {
    struct bytes rest;
    unsigned line, column;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes one character. */
static void step(struct cursor *c)
{
    size_t size = utf8_size(c->rest);
    bool is_line_end = c->rest.data[0] == '\n' ||
                       (c->rest.data[0] == '\r' && (c->rest.size == 1 || c->rest.data[1] != '\n'));
    c->rest = bytes_skip(c->rest, size ? size : 1);
    c->column = is_line_end ? 1 : c->column + 1;
    c->line += is_line_end;
}

static void step_times(struct cursor *c, size_t count)
{
    for (; count && c->rest.size; count--)
        step(c);
}

/* Characters of what stands at the cursor for one of the scalar. 0: it is a blank, or stands for
 * one or for none, and is *ret_skip long. */
static size_t unit_size(const struct cursor *c, uint8_t style, size_t *ret_skip)
{
    uint8_t first = c->rest.data[0];
    uint8_t second = c->rest.size > 1 ? c->rest.data[1] : 0;
    *ret_skip = 1;
    if (is_blank(first))
        return 0;
    if (style == '\'' && first == '\'')
        return 2;
    if (style != '"' || first != '\\')
        return 1;
    *ret_skip = 2;
    if (second == 'n' || second == 't' || second == 'r' || is_blank(second))
        return 0;
    return second == 'x' ? 4 : second == 'u' ? 6 : second == 'U' ? 10 : 2;
}

/* To the next unit that stands for a character. */
static void skip_blanks(struct cursor *c, uint8_t style)
{
    size_t skip;
    while (c->rest.size && unit_size(c, style, &skip) == 0)
        step_times(c, skip);
}

static size_t count_solid(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += !is_blank(text.data[i]) && (text.data[i] & 0xc0) != 0x80;
    return count;
}

static struct cursor start_of(struct bytes text, const struct yaml_item *item, uint8_t *ret_style)
{
    struct cursor c = {.rest = text, .line = 1, .column = 1};
    if (bytes_starts_with(text, BYTES("\xef\xbb\xbf")))
        c.rest = bytes_skip(text, 3);
    while (c.rest.size &&
           (c.line < item->line || (c.line == item->line && c.column < item->column)))
        step(&c);
    *ret_style = item->quoted && c.rest.size ? c.rest.data[0] : 0;
    if (*ret_style == '|' || *ret_style == '>')
        while (c.rest.size && c.line == item->line)
            step(&c);
    else if (*ret_style)
        step(&c);
    return c;
}

void yaml_place_of(struct bytes text, const struct yaml_item *item, size_t offset,
                   unsigned *ret_line, unsigned *ret_column)
{
    uint8_t style;
    size_t skip;
    struct cursor c = start_of(text, item, &style);
    size_t before = count_solid(bytes_of(item->text.data, offset));
    bool is_solid = offset < item->text.size && !is_blank(item->text.data[offset]);
    for (size_t i = 0; i < before && c.rest.size; i++) {
        skip_blanks(&c, style);
        if (c.rest.size)
            step_times(&c, unit_size(&c, style, &skip));
    }
    if (is_solid || before == 0)
        skip_blanks(&c, style);
    *ret_line = c.line;
    *ret_column = c.column;
}
