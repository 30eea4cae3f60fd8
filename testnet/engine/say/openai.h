/* OpenAI's dialect; the other half of say.c beside anthropic.h. Users: say.c. */
#ifndef TESTNET_ENGINE_SAY_OPENAI_H
#define TESTNET_ENGINE_SAY_OPENAI_H

#include "testnet/engine/say/say.h"

MUST_CHECK enum err openai_begin(const struct say *s, struct buf *out);
MUST_CHECK enum err openai_piece(const struct say *s, struct bytes text, struct buf *out);
MUST_CHECK enum err openai_end(const struct say *s, struct buf *out);
MUST_CHECK enum err openai_whole(const struct say *s, struct bytes text, struct buf *out);

#endif
