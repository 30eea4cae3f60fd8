/* Sealed envelopes and their records from hostile bytes. A signature cannot be guessed, so
 * records are decoded without it too. What decodes must encode to the same bytes again. */
#include "node/trust/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct bytes part, struct bytes whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void one_record(struct bytes record)
{
    struct envelope e;
    uint8_t space[ENVELOPE_RECORD_MAX];
    struct buf again;
    if (trust_wire_envelope_decode(record, &e) != ERR_OK)
        return;
    CHECK(is_inside(e.target, record) && is_inside(e.model, record) && is_inside(e.tenant, record));
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(trust_wire_envelope_encode(&e, &again) == ERR_OK);
    CHECK(bytes_equal(record, buf_bytes(&again)));

    struct envelope_window window;
    struct envelope_expect expect = {e.mesh, e.receiver, e.sender, e.issued_ms};
    envelope_window_init(&window);
    if (envelope_check(&e, &expect, &window) == ERR_OK)
        CHECK(envelope_check(&e, &expect, &window) == ERR_REPLAYED);
}

static void one_sealed(struct bytes wire)
{
    struct bytes record;
    struct batch_proof proof;
    uint8_t space[ENVELOPE_WIRE_MAX];
    struct buf again;
    if (trust_wire_sealed_decode(wire, &record, &proof) != ERR_OK)
        return;
    CHECK(is_inside(record, wire));
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(trust_wire_sealed_encode(record, &proof, &again) == ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&again)));
    one_record(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t SIGNER[CRYPTO_PUBLIC_SIZE] = {1};
    struct bytes wire = bytes_of(data, size);
    struct envelope e;
    CHECK(crypto_init() == ERR_OK);
    one_sealed(wire);
    one_record(wire);
    CHECK(envelope_open(wire, SIGNER, NULL, &e) != ERR_OK);
    return 0;
}
