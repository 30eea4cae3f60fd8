/* A stand-in for a tokenizer and a vocabulary. A token is a piece of text of at most TOKEN_BYTES
 * that ends before the next blank, which is about what BPE makes of English; its value is a hash of
 * those bytes. What the engine writes is made of whole tokens, so that an answer that comes back as
 * part of the next prompt is the same tokens again, as with a real model. */
#ifndef TESTNET_ENGINE_CORE_TOKENS_H
#define TESTNET_ENGINE_CORE_TOKENS_H

#include "base/bytes.h"

#define TOKEN_BYTES 6
#define TOKEN_START 1u /* of a message; its role follows */
#define TOKEN_END 2u
#define TOKEN_WORDS 128 /* words that answers are made of */

/* The value of one piece, never one of the special ones. */
uint32_t tokens_value(struct bytes piece);
/* Cuts the first piece off; empty when nothing is left. */
struct bytes tokens_next(struct bytes *rest);
size_t tokens_count(struct bytes text);
/* Writes at most `room` values; returns how many the text has. */
size_t tokens_of(struct bytes text, uint32_t *ret_values, size_t room);
/* Word `index` (below TOKEN_WORDS) as it stands at the start of an answer or behind another. */
struct bytes tokens_word(uint32_t index, bool at_start);

#endif
