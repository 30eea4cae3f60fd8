/* What a text inside a signed record may hold. Limits of length are the records'. */
#ifndef NODE_TRUST_TEXT_H
#define NODE_TRUST_TEXT_H

#include "base/bytes.h"

/* No control characters; any other byte, whatever the encoding. Empty is fine. */
bool trust_text_is_plain(struct bytes text);
/* At least one byte, all of them visible ASCII: no space. */
bool trust_text_is_visible(struct bytes text);

#endif
