/* Command-line flags by table: `--name VALUE`, `--name=VALUE`, `-o VALUE`, `--help`; everything
 * else is a word. "-" is a word (stdin), "--" ends the flags, and a public key is a word also where
 * it begins with a dash. Values are not interpreted here. */
#ifndef NODE_CLI_FLAGS_H
#define NODE_CLI_FLAGS_H

#include "base/buf.h"

#define FLAGS_GIVEN_MAX 256
#define FLAGS_WORDS_MAX 8

struct flag {
    const char *name;  /* "--dir"; a table ends with NULL */
    const char *value; /* what its value is called in the help; NULL: it takes none */
    const char *help;
    bool many; /* may be repeated */
};

struct flags {
    struct {
        const struct flag *flag;
        const char *value; /* "" for a flag without one */
    } given[FLAGS_GIVEN_MAX];
    size_t given_count;
    const char *words[FLAGS_WORDS_MAX];
    size_t word_count;
};

/* USAGE, and `message` says what was wrong: an unknown flag (with a near one), a missing value, a
 * flag given twice, too many words. The strings of argv are borrowed. */
MUST_CHECK enum err flags_parse(int argc, char *const *argv, const struct flag *table,
                                struct flags *ret_flags, struct buf *message);
/* The value, or NULL when it was not given. */
const char *flags_get(const struct flags *f, const char *name);
bool flags_has(const struct flags *f, const char *name);
/* Values of a repeated flag in order: start with *cursor = 0; NULL at the end. */
const char *flags_next(const struct flags *f, const char *name, size_t *cursor);
/* The entry of `names` (NULL at its end) that `word` was probably meant to be, or NULL. */
const char *flags_near(const char *word, const char *const *names);

#endif
