/* Writes fields into a line of fixed size. While fields are written the line is a little shorter
 * than its storage, so that whatever happens there is room to cut it cleanly and to close it: a
 * JSON line stays valid JSON. Called by base/log and base/trace. */
#include "base/log_fields.h"

#include "base/utf8.h"

#define TAIL_SIZE 24 /* the longest end: ...","more":"..."} and a newline */

void log_fields_begin(struct log_fields *f)
{
    buf_init_fixed(&f->line, f->storage, LOG_FIELDS_LINE_SIZE - TAIL_SIZE);
    f->is_cut = false;
}

/* The tail is reserved: this cannot fail before the end of the line is reached. */
static void append_tail(struct log_fields *f, const char *tail)
{
    f->line.capacity = f->line.size_max = LOG_FIELDS_LINE_SIZE;
    CHECK(buf_append_str(&f->line, tail) == ERR_OK);
}

/* As much of the text as there is room for, cut between characters; false when it was cut. */
static bool append_escaped(struct log_fields *f, struct bytes text)
{
    uint8_t escaped[UTF8_ESCAPED_SIZE_MAX];
    while (text.size) {
        size_t room = f->line.size_max - f->line.size;
        size_t plain = utf8_plain_size(text);
        size_t size = plain < room ? plain : room;
        enum err e = buf_append(&f->line, bytes_of(text.data, size));
        text = bytes_skip(text, size);
        if (e == ERR_OK && text.size) {
            size = utf8_take_escaped(&text, escaped);
            e = buf_append(&f->line, bytes_of(escaped, size));
        }
        if (e != ERR_OK)
            return false;
    }
    return true;
}

static void append_quoted(struct log_fields *f, struct bytes text)
{
    if (append_escaped(f, text) && buf_append_byte(&f->line, '"') == ERR_OK)
        return;
    append_tail(f, "...\"");
    f->is_cut = true;
}

static bool is_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!utf8_is_plain(text.data[i]) || text.data[i] == ' ' || text.data[i] == '=')
            return false;
    return text.size > 0;
}

/* The value of a field that is text; false: it is a number, a flag or null, written bare by
 * append_bare. */
static bool text_of(const struct log_field *field, char id_text[ID_TEXT_SIZE],
                    struct bytes *ret_text)
{
    switch (field->kind) {
    case LOG_KIND_STR:
        if (field->as.str)
            *ret_text = bytes_from_str(field->as.str);
        return field->as.str;
    case LOG_KIND_BYTES: *ret_text = field->as.bytes; return true;
    case LOG_KIND_ERR: *ret_text = bytes_from_str(err_word(field->as.err)); return true;
    case LOG_KIND_ID:
        if (!field->as.id)
            return false;
        id_to_text(field->as.id, id_text);
        *ret_text = bytes_of(id_text, ID_TEXT_SIZE - 1);
        return true;
    case LOG_KIND_INT:
    case LOG_KIND_UINT:
    case LOG_KIND_BOOL: break;
    }
    return false;
}

static enum err append_bare(struct buf *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_INT: return buf_append_decimal_signed(line, field->as.i64);
    case LOG_KIND_UINT: return buf_append_decimal(line, field->as.u64);
    case LOG_KIND_BOOL: return buf_append_str(line, field->as.flag ? "true" : "false");
    case LOG_KIND_STR:
    case LOG_KIND_BYTES:
    case LOG_KIND_ERR:
    case LOG_KIND_ID: break;
    }
    return buf_append_str(line, "null");
}

static enum err append_json_key(struct buf *line, const char *key)
{
    TRY(buf_append_str(line, line->size ? ",\"" : "{\""));
    TRY(buf_append_json_escaped(line, bytes_from_str(key)));
    return buf_append_str(line, "\":");
}

static enum err append_json_field(struct log_fields *f, const struct log_field *field)
{
    char id_text[ID_TEXT_SIZE];
    struct bytes text;
    TRY(append_json_key(&f->line, field->key));
    if (!text_of(field, id_text, &text))
        return append_bare(&f->line, field);
    TRY(buf_append_byte(&f->line, '"'));
    append_quoted(f, text);
    return ERR_OK;
}

void log_fields_json(struct log_fields *f, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count && !f->is_cut; i++) {
        size_t size_before = f->line.size;
        if (append_json_field(f, &fields[i]) == ERR_OK)
            continue;
        f->line.size = size_before;
        append_tail(f, size_before ? ",\"more\":\"...\"" : "{\"more\":\"...\"");
        f->is_cut = true;
    }
}

struct bytes log_fields_json_end(struct log_fields *f)
{
    append_tail(f, f->line.size ? "}\n" : "{}\n");
    return buf_bytes(&f->line);
}

void log_fields_text_word(struct log_fields *f, struct bytes word)
{
    if (f->is_cut || append_escaped(f, word))
        return;
    append_tail(f, "...");
    f->is_cut = true;
}

static enum err append_text_field(struct log_fields *f, const struct log_field *field)
{
    char id_text[ID_TEXT_SIZE];
    struct bytes text;
    TRY(buf_append_byte(&f->line, ' '));
    TRY(buf_append_json_escaped(&f->line, bytes_from_str(field->key)));
    TRY(buf_append_byte(&f->line, '='));
    if (!text_of(field, id_text, &text))
        return append_bare(&f->line, field);
    if (is_word(text) && buf_append(&f->line, text) == ERR_OK)
        return ERR_OK;
    TRY(buf_append_byte(&f->line, '"'));
    append_quoted(f, text);
    return ERR_OK;
}

void log_fields_text(struct log_fields *f, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count && !f->is_cut; i++) {
        size_t size_before = f->line.size;
        if (append_text_field(f, &fields[i]) == ERR_OK)
            continue;
        f->line.size = size_before;
        append_tail(f, " ...");
        f->is_cut = true;
    }
}

struct bytes log_fields_text_end(struct log_fields *f)
{
    append_tail(f, "\n");
    return buf_bytes(&f->line);
}
