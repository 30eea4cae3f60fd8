/* A message that functions under test append their words to, and taking them out again. */
#ifndef TESTS_UNIT_NODE_SAID_H
#define TESTS_UNIT_NODE_SAID_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#define SAID_MAX 1024

struct said {
    struct buf message;
    char text[SAID_MAX];
};

static inline void said_init(struct said *s)
{
    buf_init(&s->message, SAID_MAX - 1);
}

static inline void said_fini(struct said *s)
{
    buf_fini(&s->message);
}

/* What was said since the last time. */
static inline const char *said_take(struct said *s)
{
    bytes_to_str(buf_bytes(&s->message), s->text, sizeof s->text);
    buf_clear(&s->message);
    return s->text;
}

#endif
