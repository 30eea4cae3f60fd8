/* What the CLI tells its caller: exit statuses and errors on stderr, one line each:
 * "grapevine: WHAT: WHERE: WHAT TO DO" (contract.md section 2). */
#ifndef NODE_CLI_SAY_H
#define NODE_CLI_SAY_H

#include "base/buf.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_REFUSED = 3,     /* a signature, a role or a rule says no */
    CLI_UNREACHABLE = 4, /* nobody answers, or not in time */
};

/* Prints the line ("grapevine: " and the newline are added; control characters become "?") and
 * returns `code`. */
enum cli_exit say_error(enum cli_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same words at the end of a message, for whoever says them elsewhere. */
enum cli_exit say_into(struct buf *message, enum cli_exit code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A file or directory could not be read, made or written: what is wrong, its path, and advice. */
enum cli_exit say_file_error(enum err e, const char *path);
enum cli_exit say_file_error_into(struct buf *message, enum err e, const char *path);
/* A path as a shell takes it for one word: in quotes where it needs them. Cut where it does not
 * fit. */
#define SAY_QUOTED_MAX (4096 + 256)
const char *say_quoted(const char *path, char ret_text[SAY_QUOTED_MAX]);
/* Which status an error ends with. */
enum cli_exit say_exit_of(enum err e);

#endif
