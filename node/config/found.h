/* The wording of refusals: "expected X, found "Y"", appended to a message that a reader sees. A
 * message that is full stays cut; that is no error of its own. Shared by value.c, url.c and read.c.
 */
#ifndef NODE_CONFIG_FOUND_H
#define NODE_CONFIG_FOUND_H

#include "base/buf.h"

void found_say(struct buf *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `expected`, then what was found, quoted, escaped and cut to a readable length. Returns
 * INVALID. */
enum err found_refuse(struct buf *why, const char *expected, struct bytes found);

#endif
