/* Values of CEL: what facts are given as, and what expressions give. Part of policy/cel.h. */
#ifndef POLICY_CEL_VALUE_H
#define POLICY_CEL_VALUE_H

#include "base/buf.h"

enum cel_kind {
    CEL_NULL,
    CEL_BOOL,
    CEL_INT,
    CEL_UINT,
    CEL_DOUBLE,
    CEL_STRING, /* UTF-8 */
    CEL_BYTES,
    CEL_DURATION,
    CEL_TIMESTAMP,
    CEL_TYPE, /* a type's name */
    CEL_LIST,
    CEL_MAP,
    CEL_OPTIONAL,
    CEL_ERROR = 128, /* this and above: failures */
    CEL_ABSENT,      /* in facts: not known. As a result: a fact that is not known was used */
};

/* Borrowed like struct bytes: what `data`, `items` and `text` point at is somebody else's. */
struct cel_value {
    uint8_t kind;  /* enum cel_kind */
    uint8_t error; /* CEL_ERROR: enum cel_error */
    uint16_t unused;
    uint32_t
        size; /* bytes, items, entries; OPTIONAL: 0 none, 1; TIMESTAMP: nanoseconds in [0, 1e9);
                    * failures: offset into the source */
    union {
        bool boolean;
        int64_t integer; /* INT; DURATION in nanoseconds; TIMESTAMP in seconds since 1970 */
        uint64_t uinteger;
        double real;
        const uint8_t *data;           /* STRING, BYTES, TYPE */
        const struct cel_value *items; /* LIST; MAP: key, value, key, value; OPTIONAL: its one */
        const char *text;              /* failures: English; ABSENT: the fact's name */
    };
};

enum cel_error {
    CEL_E_OVERLOAD, /* no such overload: a function does not take values of these types */
    CEL_E_NAME,     /* an unknown name or function; only where checking was disabled */
    CEL_E_KEY,      /* no such key, field or index */
    CEL_E_ARGUMENT, /* an argument out of its domain: division by zero, bad text, bad index */
    CEL_E_RANGE,    /* a result out of its type's range */
    CEL_E_BUDGET,   /* the cost bound is reached; ends the evaluation at once */
    CEL_E_MEMORY,   /* the vm's memory is used up; ends the evaluation at once */
};

struct cel_value policy_cel_string(struct bytes text);
struct bytes policy_cel_bytes(struct cel_value v); /* STRING, BYTES, TYPE */
/* CEL's equality: numbers across types, NaN unequal to all. Its cost is not bounded here. */
bool policy_cel_equal(struct cel_value a, struct cel_value b);
/* What duration(text) and timestamp(text) give; INVALID where they fail. */
MUST_CHECK enum err policy_cel_parse_time(enum cel_kind kind, struct bytes text,
                                          struct cel_value *ret_value);
/* As an expression would write it, for people. */
MUST_CHECK enum err policy_cel_show(struct cel_value v, struct buf *out);

#endif
