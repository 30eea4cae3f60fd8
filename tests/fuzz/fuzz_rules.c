/* What nodes say about the rules, from hostile bytes: answers, checkpoints, ranges of the log. What
 * decodes must encode to the same again, and what was not signed must not verify. */
#include "node/rules/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_checkpoint(struct bytes record)
{
    struct checkpoint c;
    uint8_t space[CHECKPOINT_SIZE_MAX];
    struct buf again;
    if (wire_checkpoint_decode(record, &c) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof space);
    CHECK(wire_checkpoint_encode(&c, &again) == ERR_OK);
    CHECK(bytes_equal(record, buf_bytes(&again)));
}

static void one_signed(struct bytes wire)
{
    static const struct identity identity;
    struct wire_signed s;
    struct checkpoint c;
    struct checkpoint_signed kept;
    CHECK(checkpoint_verify(wire, &identity, UINT64_C(1795000000000), &c, &kept) != ERR_OK);
    if (wire_signed_decode(wire, &s) == ERR_OK)
        one_checkpoint(s.record);
}

static void one_answer(struct bytes wire)
{
    struct wire_answer a, same;
    uint8_t space[WIRE_ANSWER_MAX];
    struct buf again;
    if (wire_answer_decode(wire, &a) != ERR_OK || a.result.err == ERR_UNSUPPORTED)
        return;
    buf_init_fixed(&again, space, sizeof space);
    CHECK(wire_answer_encode(&a, &again) == ERR_OK);
    CHECK(wire_answer_decode(buf_bytes(&again), &same) == ERR_OK);
    CHECK(same.result.err == a.result.err && same.result.index == a.result.index);
}

static void one_range(struct bytes wire)
{
    struct checkpoint_range range;
    struct buf again;
    if (checkpoint_range_decode(wire, &range) != ERR_OK)
        return;
    buf_init(&again, wire.size);
    CHECK(checkpoint_range_encode(&range, &again) == ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&again)));
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    CHECK(crypto_init() == ERR_OK);
    one_signed(input);
    one_checkpoint(input);
    one_answer(input);
    one_range(input);
    return 0;
}
