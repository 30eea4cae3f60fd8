/* Key rings from hostile bytes: the signed form, and the bytes as the record inside. What decodes
 * must encode to the same again, and what was not signed must not verify. */
#include "node/trust/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_record(struct bytes record)
{
    struct keyring ring;
    uint8_t space[KEYRING_RECORD_MAX];
    struct buf again;
    if (trust_wire_keyring_decode(record, &ring) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(trust_wire_keyring_encode(&ring, &again) == ERR_OK);
    CHECK(bytes_equal(record, buf_bytes(&again)));
}

static void one_signed(struct bytes wire)
{
    struct trust_wire_signed s;
    uint8_t space[KEYRING_SIZE_MAX];
    struct buf again;
    if (trust_wire_signed_decode(wire, &s) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(trust_wire_signed_encode(&s, &again) == ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&again)));
    one_record(s.record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t root[CRYPTO_PUBLIC_SIZE] = {1};
    struct keyring ring, verified;
    struct bytes input = bytes_of(data, size);
    CHECK(crypto_init() == ERR_OK);
    one_signed(input);
    one_record(input);
    bool is_ring = keyring_decode(input, &ring) == ERR_OK;
    CHECK(!is_ring || !keyring_is_newer(&ring, &ring));
    CHECK(keyring_verify(input, root, 1795000000000ull, &verified) != ERR_OK);
    return 0;
}
