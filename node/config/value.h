/* One value of the configuration: text to field and back, by its schema row. Used by read.c (files
 * and --set), write.c and config_defaults. */
#ifndef NODE_CONFIG_VALUE_H
#define NODE_CONFIG_VALUE_H

#include "base/buf.h"
#include "node/config/schema.h"

/* Sets the row's field in `owner` (struct config, or struct config_backend). `quoted`: it stood in
 * quotes, so it is not a number. INVALID, and `why` then holds what was expected and found:
 * "expected edge, regional or cloud, found \"moon\"". Lists and sections are not values. */
MUST_CHECK enum err value_parse(const struct schema_row *row, struct bytes text, bool quoted,
                                void *owner, struct buf *why);
/* The field as text that value_parse takes back; no quotes. */
MUST_CHECK enum err value_write(const struct schema_row *row, const void *owner, struct buf *out);

/* One label: room for CONFIG_LABEL_MAX + 1 bytes. INVALID and why, as above. */
MUST_CHECK enum err value_parse_label_key(struct bytes text, char *ret_key, struct buf *why);
MUST_CHECK enum err value_parse_label(struct bytes text, char *ret_value, struct buf *why);

/* "250ms" "2s" "5m" "1h" "7d"; "16MiB" "32KiB" "1GiB" "4096". False: malformed or too large for 64
 * bits. */
bool value_parse_duration(struct bytes text, uint64_t *ret_ms);
bool value_parse_size(struct bytes text, uint64_t *ret_bytes);

#endif
