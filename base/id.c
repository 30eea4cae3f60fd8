/* Identifiers: made, compared, and written as hex. Every module that names a node, a mesh or a
 * request uses them. */
#include "base/id.h"

#include "base/crypto.h"

struct id id_random(void)
{
    struct id id;
    crypto_random(id.bytes, ID_SIZE);
    return id;
}

struct id id_of_public_key(const uint8_t key[32])
{
    struct id id;
    uint8_t hash[CRYPTO_HASH_SIZE];
    crypto_hash(bytes_of(key, CRYPTO_PUBLIC_SIZE), hash);
    memcpy(id.bytes, hash, ID_SIZE);
    return id;
}

bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, ID_SIZE) == 0;
}

bool id_is_zero(const struct id *a)
{
    static const struct id zero;
    return id_equal(a, &zero);
}

int id_compare(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, ID_SIZE);
}

void id_to_text(const struct id *a, char ret_text[ID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < ID_SIZE; i++) {
        ret_text[2 * i] = digits[a->bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[a->bytes[i] & 15];
    }
    ret_text[ID_TEXT_SIZE - 1] = '\0';
}

enum err id_from_text(struct bytes text, struct id *ret_id)
{
    return crypto_hex_decode(text, ret_id->bytes, ID_SIZE);
}
