/* The door to llhttp, which reads chunked messages beside our own checks: parser.c gives it the
 * start line, Transfer-Encoding and every byte of the body after checking them, and the two must
 * agree. A message framed by nothing or by one Content-Length of digits can be read in one way only
 * and is spared the second walk, which costs 15 instructions a byte.
 *
 * Only framing.c includes <llhttp.h>, whose constants clash with http.h's: nothing of either shows
 * here. */
#ifndef NODE_HTTP_FRAMING_H
#define NODE_HTTP_FRAMING_H

#include "base/bytes.h"
#include "base/err.h"

struct framing;

/* NULL when out of memory. */
struct framing *framing_create(bool answers);
void framing_destroy(struct framing *f);
/* A new message begins. */
void framing_reset(struct framing *f);

/* The next bytes. `body_size` of them, all or none, are body: anything else is a disagreement. */
MUST_CHECK enum err framing_feed(struct framing *f, struct bytes data, size_t body_size);

bool framing_head_is_complete(const struct framing *f);
bool framing_is_complete(const struct framing *f);
/* Why the last call failed. */
const char *framing_detail(const struct framing *f);
const char *framing_library_version(void);

#endif
