/* Writing JSON into a buffer, piece by piece, commas included. The first error sticks and is asked
 * for once, at the end: json_end. Used by the files of this folder. */
#ifndef NODE_ADMIN_JSON_H
#define NODE_ADMIN_JSON_H

#include "base/buf.h"

struct json {
    struct buf *out;
    size_t start; /* out's size before: json_end cuts back to it on failure */
    enum err error;
    bool needs_comma;
};

void json_begin(struct json *j, struct buf *out);
/* The first error, or ERR_OK. After an error `out` is as it was before. */
MUST_CHECK enum err json_end(struct json *j);

void json_open(struct json *j, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_key(struct json *j, const char *key);
void json_key_text(struct json *j, struct bytes key);
void json_null(struct json *j);
void json_bool(struct json *j, bool value);
void json_uint(struct json *j, uint64_t value);
void json_text(struct json *j, struct bytes text);
void json_number(struct json *j, const char *text); /* as JSON writes numbers */
/* thousandths / 1000 as a decimal number. */
void json_milli(struct json *j, uint64_t thousandths);

/* Key and value at once; the _or_null forms write null for what is not known. */
void json_put_text(struct json *j, const char *key, struct bytes text);
void json_put_str(struct json *j, const char *key, const char *text);
void json_put_text_or_null(struct json *j, const char *key, struct bytes text); /* empty: null */
void json_put_uint(struct json *j, const char *key, uint64_t value);
void json_put_count_or_null(struct json *j, const char *key, int64_t value); /* negative: null */
void json_put_bool(struct json *j, const char *key, bool value);
void json_put_null(struct json *j, const char *key);

#endif
