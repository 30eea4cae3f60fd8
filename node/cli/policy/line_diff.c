/* Longest common subsequence of lines by a table, after equal lines at both ends are set aside:
 * documents of policies are short. See line_diff.h. */
#include "node/cli/policy/line_diff.h"

#include <stdlib.h>

struct lines {
    struct bytes *items;
    size_t count;
};

/* One line of the outcome. */
struct edit {
    char mark; /* ' ', '-', '+' */
    struct bytes line;
};

struct edits {
    struct edit *items;
    size_t count;
};

static enum err split(struct bytes text, struct lines *ret_lines)
{
    size_t count = 1;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    struct lines lines = {calloc(count, sizeof *lines.items), 0};
    if (!lines.items)
        return ERR_NO_MEMORY;
    while (text.size > 0) {
        size_t end = bytes_find(text, '\n');
        lines.items[lines.count++] = bytes_of(text.data, end);
        text = bytes_skip(text, end + 1);
    }
    *ret_lines = lines;
    return ERR_OK;
}

static void add(struct edits *e, char mark, struct bytes line)
{
    e->items[e->count++] = (struct edit){mark, line};
}

/* table[i * (b + 1) + k]: lines in common of a from i on and b from k on. */
static uint16_t *common_table(const struct bytes *a, size_t a_count, const struct bytes *b,
                              size_t b_count)
{
    size_t width = b_count + 1;
    uint16_t *table = calloc((a_count + 1) * width, sizeof *table);
    for (size_t i = a_count; table && i-- > 0;)
        for (size_t k = b_count; k-- > 0;) {
            uint16_t down = table[(i + 1) * width + k], right = table[i * width + k + 1];
            table[i * width + k] = bytes_equal(a[i], b[k])
                                       ? (uint16_t)(table[(i + 1) * width + k + 1] + 1)
                                   : down > right ? down
                                                  : right;
        }
    return table;
}

static enum err compare(const struct bytes *a, size_t a_count, const struct bytes *b,
                        size_t b_count, struct edits *edits)
{
    size_t i = 0, k = 0, width = b_count + 1;
    if (a_count <= LINE_DIFF_LINES_MAX && b_count <= LINE_DIFF_LINES_MAX) {
        uint16_t *table = common_table(a, a_count, b, b_count);
        if (!table)
            return ERR_NO_MEMORY;
        while (i < a_count && k < b_count) {
            if (bytes_equal(a[i], b[k])) {
                add(edits, ' ', a[i++]);
                k++;
            } else if (table[(i + 1) * width + k] >= table[i * width + k + 1]) {
                add(edits, '-', a[i++]);
            } else {
                add(edits, '+', b[k++]);
            }
        }
        free(table);
    }
    while (i < a_count)
        add(edits, '-', a[i++]);
    while (k < b_count)
        add(edits, '+', b[k++]);
    return ERR_OK;
}

static enum err make_edits(const struct lines *a, const struct lines *b, struct edits *edits)
{
    size_t head = 0, tail = 0;
    size_t shorter = a->count < b->count ? a->count : b->count;
    while (head < shorter && bytes_equal(a->items[head], b->items[head]))
        add(edits, ' ', a->items[head++]);
    while (tail < shorter - head &&
           bytes_equal(a->items[a->count - 1 - tail], b->items[b->count - 1 - tail]))
        tail++;
    TRY(compare(a->items + head, a->count - head - tail, b->items + head, b->count - head - tail,
                edits));
    for (size_t i = tail; i > 0; i--)
        add(edits, ' ', a->items[a->count - i]);
    return ERR_OK;
}

/* Behind the last line of the hunk that begins at `start`: changes closer to each other than twice
 * the context are in one. */
static size_t hunk_end(const struct edits *e, size_t start)
{
    size_t last = start, i;
    for (i = start; i < e->count && i - last <= 2 * LINE_DIFF_CONTEXT + 1; i++)
        if (e->items[i].mark != ' ')
            last = i;
    size_t end = last + 1 + LINE_DIFF_CONTEXT;
    return end < e->count ? end : e->count;
}

static enum err write_hunk(const struct edits *e, size_t start, size_t end, const size_t before[2],
                           struct buf *out)
{
    size_t counts[2] = {0, 0};
    for (size_t i = start; i < end; i++) {
        counts[0] += e->items[i].mark != '+';
        counts[1] += e->items[i].mark != '-';
    }
    TRY(buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", before[0] + (counts[0] > 0), counts[0],
                   before[1] + (counts[1] > 0), counts[1]));
    for (size_t i = start; i < end; i++) {
        TRY(buf_append_byte(out, (uint8_t)e->items[i].mark));
        TRY(buf_append(out, e->items[i].line));
        TRY(buf_append_byte(out, '\n'));
    }
    return ERR_OK;
}

static enum err write_hunks(const struct edits *e, struct buf *out)
{
    size_t before[2] = {0, 0}, written = 0;
    for (size_t i = 0; i < e->count; i++) {
        if (e->items[i].mark == ' ')
            continue;
        size_t start = i - written > LINE_DIFF_CONTEXT ? i - LINE_DIFF_CONTEXT : written;
        size_t end = hunk_end(e, i);
        for (; written < start; written++) {
            before[0]++;
            before[1]++;
        }
        TRY(write_hunk(e, start, end, before, out));
        for (; written < end; written++) {
            before[0] += e->items[written].mark != '+';
            before[1] += e->items[written].mark != '-';
        }
        i = end - 1;
    }
    return ERR_OK;
}

enum err line_diff(struct bytes from, struct bytes to, struct buf *out)
{
    struct lines a = {NULL, 0}, b = {NULL, 0};
    struct edits edits = {NULL, 0};
    enum err e = split(from, &a);
    if (e == ERR_OK)
        e = split(to, &b);
    if (e == ERR_OK)
        edits.items = calloc(a.count + b.count + 1, sizeof *edits.items);
    if (e == ERR_OK && !edits.items)
        e = ERR_NO_MEMORY;
    if (e == ERR_OK)
        e = make_edits(&a, &b, &edits);
    if (e == ERR_OK)
        e = write_hunks(&edits, out);
    free(edits.items);
    free(a.items);
    free(b.items);
    return e;
}
