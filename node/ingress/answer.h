/* Error answers: the one place where reasons become HTTP statuses and OpenAI-shaped bodies. */
#ifndef NODE_INGRESS_ANSWER_H
#define NODE_INGRESS_ANSWER_H

#include "base/buf.h"
#include "base/err.h"

/* 400..504; 500 for what no client should ever see. */
int answer_status(enum err reason);
/* Seconds for Retry-After, 0: none. */
unsigned answer_retry_after_s(enum err reason);
/* {"error":{"message","type","param","code"}}; detail (may be NULL) follows the reason's English.
 */
MUST_CHECK enum err answer_error_json(enum err reason, const char *detail, struct buf *out);
/* The reason behind a word, for answers that came from a peer; INTERNAL when unknown. */
enum err answer_reason_of(struct bytes word);

#endif
