/* One pass over a JSON request body, in pieces as they arrive: finds what routing needs at its true
 * place (a key of the top-level object, never inside a string or a nested value) and checks the
 * whole text against RFC 8259. It keeps nothing of the body and allocates nothing. Escapes in keys
 * and in the model's name are decoded.
 *
 * A key that decides routing may not come twice: parsers differ on which one counts, and a proxy
 * and an engine that disagree are a way around policy. The same holds for keys that differ in case
 * only. */
#ifndef NODE_INGRESS_SCAN_H
#define NODE_INGRESS_SCAN_H

#include "base/bytes.h"
#include "base/err.h"

#define SCAN_DEPTH_MAX 512
#define SCAN_KEY_MAX 24    /* longer keys are none of ours */
#define SCAN_MODEL_MAX 256 /* bytes, decoded */

enum scan_found {
    SCAN_ABSENT,
    SCAN_FALSE,
    SCAN_TRUE,
    SCAN_NULL,
    SCAN_STRING,
    SCAN_NUMBER,
    SCAN_CONTAINER
};

struct scan {
    /* results */
    enum scan_found model_kind;
    char model[SCAN_MODEL_MAX + 1]; /* decoded, when SCAN_STRING */
    size_t model_size;
    uint64_t model_start, model_end; /* of its text in the body, quotes included */
    enum scan_found stream_kind;
    int64_t max_tokens;  /* the larger of max_tokens and max_completion_tokens, where they are plain
                            digits (exact below 10^17); -1: neither is */
    uint64_t text_bytes; /* bytes inside string values: what a prompt is made of */
    uint64_t offset;     /* bytes seen; on error: where it is */
    const char *detail;  /* on error, English */
    /* machine */
    uint8_t state;
    uint8_t after_escape; /* number of hex digits still expected, in \u */
    uint8_t number;       /* sub-state of a number */
    uint8_t key;          /* which of our keys the value at depth 1 belongs to */
    uint8_t seen;         /* bits of keys seen */
    bool is_key;          /* the string being read is a key */
    bool capturing;       /* ... and its decoded bytes are collected in text */
    bool overflow;        /* the capture did not fit */
    bool is_negative;     /* the number being read */
    const char *literal;  /* rest of true, false, null */
    uint32_t unit;        /* \u code unit being read */
    uint32_t surrogate;   /* high surrogate waiting for its low one */
    int64_t integer;
    uint32_t depth;
    uint64_t is_object[SCAN_DEPTH_MAX / 64]; /* bit per level */
    char text[SCAN_MODEL_MAX];
    size_t text_size;
};

void scan_init(struct scan *s);
/* INVALID_JSON or INVALID_REQUEST (a key of ours twice); s->detail and s->offset say what and
 * where. */
MUST_CHECK enum err scan_feed(struct scan *s, struct bytes data);
/* The body is complete: INVALID_JSON when it is not one whole JSON object, MISSING_MODEL without a
 * usable model. */
MUST_CHECK enum err scan_finish(struct scan *s);

#endif
