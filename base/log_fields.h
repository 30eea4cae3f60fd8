/* How the typed fields of base/log.h are written into one bounded line. Shared by base/log and
 * base/trace; nobody else needs it. */
#ifndef BASE_LOG_FIELDS_H
#define BASE_LOG_FIELDS_H

#include "base/buf.h"
#include "base/log.h"

#define LOG_FIELDS_LINE_SIZE 2048

struct log_fields {
    struct buf line;
    bool is_cut; /* no more room: everything further is dropped */
    uint8_t storage[LOG_FIELDS_LINE_SIZE];
};

void log_fields_begin(struct log_fields *f);
/* Members of a JSON object, the first one too; log_fields_json_end closes it. */
void log_fields_json(struct log_fields *f, const struct log_field *fields, size_t count);
struct bytes log_fields_json_end(struct log_fields *f);
/* One word; then " key=value" for each field. */
void log_fields_text_word(struct log_fields *f, struct bytes word);
void log_fields_text(struct log_fields *f, const struct log_field *fields, size_t count);
struct bytes log_fields_text_end(struct log_fields *f);

#endif
