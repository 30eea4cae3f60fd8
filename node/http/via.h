/* The name under which a mesh passes requests on to inference servers, in their Via field (RFC 9110
 * section 7.6.3). A request that comes back with it was sent by this mesh itself: a backend's URL
 * leads, perhaps by way of other proxies, to one of its own nodes. */
#ifndef NODE_HTTP_VIA_H
#define NODE_HTTP_VIA_H

#include "base/id.h"
#include "node/http/http.h"

#define HTTP_VIA_SIZE (sizeof "1.1 grapevine-" + ID_TEXT_SIZE)

/* The field's value. */
void http_via_text(const struct id *mesh, char ret_text[HTTP_VIA_SIZE]);
/* One of the head's Via fields names this mesh. */
bool http_via_names(const struct http_head *head, const struct id *mesh);

#endif
