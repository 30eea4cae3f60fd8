/* Inside the registry: rows as bytes. A key is the kind and the fields marked IN_KEY, a zero
 * between two; a value is
 *
 *   version 1 | rev 8 | time_ms 8 | author 16 | the fields in the schema's order | hash 32
 *
 * with big-endian numbers: texts and lists of a size (4) or count (1) and their bytes, words of one
 * byte. The hash (hash.h) is the row's part of the state's: a rotten page is noticed where an
 * operation is about the row, by snapshots and by scans. */
#ifndef REGISTRY_ROW_H
#define REGISTRY_ROW_H

#include "registry/registry.h"

#include "base/kv.h"

#define REGISTRY_ROW_HASH_SIZE CRYPTO_HASH_SIZE
#define REGISTRY_ROW_MAX (REGISTRY_DOCUMENT_MAX + 4096) /* of a value */
#define REGISTRY_AUTHOR_KIND 200 /* rows of authors.c: sequences, last results */

struct registry_key_bytes {
    uint8_t data[KV_KEY_SIZE_MAX];
    size_t size;
};
static inline struct bytes registry_key_view(const struct registry_key_bytes *key)
{
    return bytes_of(key->data, key->size);
}

/* INVALID: longer than keys are. `parts`: 1 or 2 (then there is a zero, also before nothing). */
MUST_CHECK enum err registry_row_key(uint8_t kind, struct bytes first, struct bytes second,
                                     unsigned parts, struct registry_key_bytes *ret_key);
/* Of a document whose form was checked. */
MUST_CHECK enum err registry_row_key_of(enum registry_kind kind, const union registry_document *doc,
                                        struct registry_key_bytes *ret_key);
unsigned registry_row_key_parts(enum registry_kind kind); /* 0, 1 or 2 */
/* The key as people write it, "model/version": appends, cut where it does not fit. */
void registry_row_name(enum registry_kind kind, const union registry_document *doc,
                       struct buf *out);

/* Appends a value without its hash. */
MUST_CHECK enum err registry_row_encode(const struct registry_row *row, struct buf *out);
/* Texts point into `value`. CORRUPT. */
MUST_CHECK enum err registry_row_decode(enum registry_kind kind, struct bytes value,
                                        struct registry_row *ret_row);
/* Whether two values without hashes have the same fields, whoever wrote them and when. */
bool registry_row_same_fields(struct bytes a, struct bytes b);

#endif
