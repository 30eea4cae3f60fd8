/* Backend URLs and addresses to dial, checked and taken apart. Used by value.c and config.c, and by
 * reclaim.c for the one that it asks. */
#ifndef NODE_CONFIG_URL_H
#define NODE_CONFIG_URL_H

#include "base/buf.h"

struct config_backend;

struct url_parts {
    struct bytes host, target; /* of the text; the target is "/" at least, with a query if any */
    uint16_t port;
};

/* HOST:PORT that can be dialled: port at least 1, a name or an address that is not 0.0.0.0 or ::.
 */
bool url_dialable_is_valid(struct bytes text);
/* Fills url, host, port and prefix. INVALID, with `why` as value_parse gives it. */
MUST_CHECK enum err url_parse(struct bytes text, struct config_backend *ret_backend,
                              struct buf *why);
/* Any http:// URL without user and fragment. INVALID. */
MUST_CHECK enum err url_split(struct bytes text, struct url_parts *ret_parts);

#endif
