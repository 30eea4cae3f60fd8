/* A record signed alone: a batch of one. */
#ifndef TESTS_UNIT_NODE_SIGNED_ALONE_H
#define TESTS_UNIT_NODE_SIGNED_ALONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/trust/batch.h"

static inline void sign_alone(enum batch_purpose purpose, struct bytes record,
                              const uint8_t secret[CRYPTO_SECRET_SIZE],
                              struct batch_proof *ret_proof)
{
    static struct batch batch;
    uint8_t leaf[CRYPTO_HASH_SIZE];
    uint32_t index = 0;
    batch_init(&batch, purpose);
    batch_leaf(record, leaf);
    assert_int_equal(batch_add(&batch, leaf, &index), ERR_OK);
    batch_sign(&batch, secret);
    batch_prove(&batch, index, ret_proof);
}

#endif
