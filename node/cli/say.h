/* What the CLI tells its caller: exit statuses and errors on stderr, one line each:
 * "grapevine: WHAT: WHERE: WHAT TO DO" (contract.md section 2). */
#ifndef NODE_CLI_SAY_H
#define NODE_CLI_SAY_H

#include "base/err.h"

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
/* A file or directory could not be read, made or written: what is wrong, its path, and advice. */
enum cli_exit say_file_error(enum err e, const char *path);
/* Which status an error ends with. */
enum cli_exit say_exit_of(enum err e);

#endif
