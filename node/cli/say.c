/* Error lines and the mapping from errors to exit statuses; see say.h. Every command ends here when
 * something went wrong. */
#include "node/cli/say.h"

#include <stdarg.h>
#include <stdio.h>

enum cli_exit say_error(enum cli_exit code, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    fprintf(stderr, "grapevine: %s\n", line);
    return code;
}

static const char *advice_for(enum err e)
{
    switch (e) {
    case ERR_DISK_FULL: return "free some space there and try again";
    case ERR_PERMISSION: return "run as its owner, or name another place";
    case ERR_NOT_FOUND: return "check the path";
    case ERR_EXISTS: return "remove it, or name another place";
    case ERR_LIMIT: return "it is longer than it can be; check that it is the right one";
    case ERR_FD_LIMIT: return "raise the limit of open files";
    default: return "check the disk and the path";
    }
}

enum cli_exit say_file_error(enum err e, const char *path)
{
    return say_error(CLI_FAILED, "%s: %s: %s", err_text(e), path, advice_for(e));
}

enum cli_exit say_exit_of(enum err e)
{
    switch (e) {
    case ERR_OK: return CLI_DONE;
    case ERR_USAGE: return CLI_USAGE;
    case ERR_BAD_SIGNATURE:
    case ERR_WRONG_MESH:
    case ERR_CERT_EXPIRED:
    case ERR_CERT_SCOPE: return CLI_REFUSED;
    case ERR_EOF:
    case ERR_REFUSED:
    case ERR_RESET:
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
    case ERR_RESOLVE: return CLI_UNREACHABLE;
    default: return CLI_FAILED;
    }
}
