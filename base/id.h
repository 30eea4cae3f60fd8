/* 128-bit identifiers: nodes and meshes (hash of a public key), requests (random). */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/bytes.h"
#include "base/err.h"

#define ID_SIZE 16
#define ID_TEXT_SIZE 33 /* 32 lower-case hex digits and a NUL */

struct id {
    uint8_t bytes[ID_SIZE];
};

struct id id_random(void);
/* The first 16 bytes of BLAKE2b-256 of an Ed25519 public key. */
struct id id_of_public_key(const uint8_t key[32]);
bool id_equal(const struct id *a, const struct id *b);
bool id_is_zero(const struct id *a);
int id_compare(const struct id *a, const struct id *b);
void id_to_text(const struct id *a, char ret_text[ID_TEXT_SIZE]);
/* ERR_INVALID unless exactly 32 hex digits. */
MUST_CHECK enum err id_from_text(struct bytes text, struct id *ret_id);

#endif
