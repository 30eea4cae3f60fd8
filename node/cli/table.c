/* Tables on stdout; see table.h. Used by status and ls. */
#include "node/cli/table.h"

#include "base/utf8.h"

#define TEXT_MAX (64 * 1024 * 1024)

/* Characters, taken as one column each. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* Printable, and cut at a character's end. */
static size_t clean(struct bytes text, char ret_cell[TABLE_CELL_MAX])
{
    size_t size = 0;
    while (text.size) {
        size_t step = utf8_size(text);
        bool is_fine = step > 1 ? text.data[0] != 0xc2 || text.data[1] >= 0xa0
                                : step == 1 && text.data[0] >= 0x20 && text.data[0] != 0x7f;
        if (size + (is_fine ? step : 1) >= TABLE_CELL_MAX)
            break;
        if (is_fine)
            memcpy(ret_cell + size, text.data, step);
        else
            ret_cell[size] = '?';
        size += is_fine ? step : 1;
        text = bytes_skip(text, step ? step : 1);
    }
    ret_cell[size] = 0;
    return size;
}

void table_init(struct table *t, const char *const *headers)
{
    *t = (struct table){.columns = 0};
    buf_init(&t->text, TEXT_MAX);
    while (headers[t->columns])
        t->columns++;
    CHECK(t->columns > 0 && t->columns <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < t->columns; i++)
        table_add(t, headers[i]);
}

void table_add(struct table *t, const char *text)
{
    char cell[TABLE_CELL_MAX];
    size_t size = clean(bytes_from_str(text && text[0] ? text : "-"), cell);
    if (buf_append(&t->text, bytes_of(cell, size + 1)) != ERR_OK)
        return;
    size_t width = width_of(cell);
    size_t column = t->cells++ % t->columns;
    if (width > t->widths[column])
        t->widths[column] = width;
}

void table_print(const struct table *t, FILE *out)
{
    const char *cell = (const char *)t->text.data;
    for (size_t i = 0; i < t->cells; i++) {
        size_t column = i % t->columns;
        bool is_last = column + 1 == t->columns;
        size_t padding = is_last ? 0 : t->widths[column] - width_of(cell) + 2;
        fprintf(out, "%s%*s%s", cell, (int)padding, "", is_last ? "\n" : "");
        cell += strlen(cell) + 1;
    }
}

void table_fini(struct table *t)
{
    buf_fini(&t->text);
}

void table_age(uint64_t ms, char ret_text[24])
{
    uint64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(ret_text, 24, "%llums", (unsigned long long)ms);
    else if (s < 60)
        snprintf(ret_text, 24, "%llu.%llus", (unsigned long long)s,
                 (unsigned long long)(ms % 1000 / 100));
    else if (s < 3600)
        snprintf(ret_text, 24, "%llum", (unsigned long long)(s / 60));
    else if (s < 48 * 3600)
        snprintf(ret_text, 24, "%lluh", (unsigned long long)(s / 3600));
    else
        snprintf(ret_text, 24, "%llud", (unsigned long long)(s / 86400));
}
