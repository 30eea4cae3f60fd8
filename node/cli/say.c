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

enum cli_exit say_into(struct buf *message, enum cli_exit code, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct bytes said = bytes_from_str(text);
    size_t room = message->size_max - message->size;
    if (said.size > room)
        said.size = room;
    if (buf_append(message, said) != ERR_OK)
        return code; /* no memory: the exit status still says it */
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

enum cli_exit say_file_error_into(struct buf *message, enum err e, const char *path)
{
    return say_into(message, CLI_FAILED, "%s: %s: %s", err_text(e), path, advice_for(e));
}

static bool is_plain(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";
    return path[0] && path[strspn(path, plain)] == 0;
}

const char *say_quoted(const char *path, char ret_text[SAY_QUOTED_MAX])
{
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)ret_text, SAY_QUOTED_MAX - 1);
    enum err e = is_plain(path) ? buf_append_str(&out, path) : buf_append_byte(&out, '\'');
    for (const char *c = path; e == ERR_OK && !is_plain(path) && *c; c++)
        e = *c == '\'' ? buf_append_str(&out, "'\\''") : buf_append_byte(&out, (uint8_t)*c);
    if (e == ERR_OK && !is_plain(path))
        e = buf_append_byte(&out, '\'');
    ret_text[out.size] = 0;
    return ret_text;
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
