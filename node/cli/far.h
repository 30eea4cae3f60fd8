/* A node elsewhere: --node URL, and what makes it listen to us, signed requests (RFC 9421). */
#ifndef NODE_CLI_FAR_H
#define NODE_CLI_FAR_H

#include "node/cli/command.h"

#define FAR_FIELDS_MAX 2048
#define FAR_HOST_MAX 256

struct far {
    char host[FAR_HOST_MAX], authority[FAR_HOST_MAX + 8]; /* as in the Host field */
    uint16_t port;
};
/* http://HOST:PORT. Says what is wrong. */
MUST_CHECK enum cli_exit far_parse(const char *url, struct far *ret_far);
/* Appends the fields that sign a request with the administrator's key. Says what is wrong. */
MUST_CHECK enum cli_exit far_sign(const struct cli *cli, const struct far *far, const char *method,
                                  const char *target, struct bytes content, struct buf *fields);

#endif
