/* Anthropic's dialect; the other half of say.c beside openai.h. Users: say.c. */
#ifndef TESTNET_ENGINE_SAY_ANTHROPIC_H
#define TESTNET_ENGINE_SAY_ANTHROPIC_H

#include "testnet/engine/say/say.h"

MUST_CHECK enum err anthropic_begin(const struct say *s, struct buf *out);
MUST_CHECK enum err anthropic_piece(const struct say *s, struct bytes text, struct buf *out);
MUST_CHECK enum err anthropic_end(const struct say *s, struct buf *out);
MUST_CHECK enum err anthropic_whole(const struct say *s, struct bytes text, struct buf *out);

#endif
