/* The error table as strings and classes, and the mapping from errno.
 * Every module uses it; it knows nobody. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct err_row {
    const char *word;
    const char *english;
    enum err_class class;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define ERR_ROW(constant, word, english, class) {word, english, ERR_CLASS_##class},
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *err_row_of(enum err e)
{
    return &err_rows[(unsigned)e < ERR_COUNT ? e : ERR_INTERNAL];
}

const char *err_word(enum err e)
{
    return err_row_of(e)->word;
}

const char *err_text(enum err e)
{
    return err_row_of(e)->english;
}

enum err_class err_class(enum err e)
{
    return err_row_of(e)->class;
}

enum err err_from_errno(int saved_errno)
{
    switch (saved_errno) {
    case ENOMEM: return ERR_NO_MEMORY;
    case EINVAL: return ERR_INVALID;
    case ENOENT:
    case ENOTDIR: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT: return ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_PERMISSION;
    case EAGAIN:
    case EBUSY:
    case ETXTBSY: return ERR_LOCKED;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT: return ERR_UNSUPPORTED;
    case ECANCELED: return ERR_CANCELLED;
    case ECONNREFUSED: return ERR_REFUSED;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE: return ERR_RESET;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN: return ERR_UNREACHABLE;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case EADDRINUSE: return ERR_ADDRESS_IN_USE;
    case EADDRNOTAVAIL: return ERR_ADDRESS_INVALID;
    case EMFILE:
    case ENFILE: return ERR_FD_LIMIT;
    case ENAMETOOLONG:
    case EMSGSIZE:
    case EFBIG:
    case ENOBUFS: return ERR_LIMIT;
    default: return ERR_IO;
    }
}

_Noreturn void err_check_failed(const char *file, int line, const char *cond)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, cond);
    abort();
}
