/* The bytes of what nodes say about the rules (wire.proto): structs in, canonical protobuf out, and
 * back. The only file of this folder that knows protobuf. Encoders append: LIMIT, NO_MEMORY;
 * decoders: INVALID, NO_MEMORY. */
#ifndef NODE_RULES_WIRE_H
#define NODE_RULES_WIRE_H

#include "node/rules/checkpoint.h"
#include "registry/registry.h"

#define WIRE_ANSWER_MAX 1024

struct wire_answer {
    struct registry_result result;
    struct id leader; /* zero: not said */
};
MUST_CHECK enum err wire_answer_encode(const struct wire_answer *a, struct buf *out);
MUST_CHECK enum err wire_answer_decode(struct bytes data, struct wire_answer *ret_answer);

MUST_CHECK enum err wire_checkpoint_encode(const struct checkpoint *c, struct buf *out);
MUST_CHECK enum err wire_checkpoint_decode(struct bytes record, struct checkpoint *ret_checkpoint);

struct wire_signed { /* points into what was decoded */
    struct bytes record, certificates;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};
MUST_CHECK enum err wire_signed_encode(const struct wire_signed *s, struct buf *out);
MUST_CHECK enum err wire_signed_decode(struct bytes data, struct wire_signed *ret_signed);

#endif
