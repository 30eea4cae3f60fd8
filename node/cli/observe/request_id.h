/* Is a text a request id, as answers carry them in x-request-id? */
#ifndef NODE_CLI_OBSERVE_REQUEST_ID_H
#define NODE_CLI_OBSERVE_REQUEST_ID_H

#include "node/trust/envelope.h"

static inline bool cli_is_request_id(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size > 0 && size <= REQUEST_ID_MAX;
}

#endif
