/* See digest.h. The direct interface instead of EVP's: no allocation and no look-up per digest. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include "base/err.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct digest),
               "struct digest holds libcrypto's state");

static SHA256_CTX *state_of(struct digest *d)
{
    return (SHA256_CTX *)(void *)d->opaque;
}

/* These fail only for contexts of another algorithm. */
void digest_init(struct digest *d)
{
    CHECK(SHA256_Init(state_of(d)) == 1);
}

void digest_update(struct digest *d, struct bytes data)
{
    if (data.size > 0)
        CHECK(SHA256_Update(state_of(d), data.data, data.size) == 1);
}

void digest_final(struct digest *d, uint8_t ret_digest[DIGEST_SIZE])
{
    CHECK(SHA256_Final(ret_digest, state_of(d)) == 1);
}
