/* Certificate chains and single certificates from hostile bytes. What decodes must encode to the
 * same bytes again. */
#include "node/trust/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_record(struct bytes record)
{
    struct cert cert;
    uint8_t space[CERT_RECORD_MAX];
    struct buf again;
    if (trust_wire_cert_decode(record, &cert) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(trust_wire_cert_encode(&cert, &again) == ERR_OK);
    CHECK(bytes_equal(record, buf_bytes(&again)));
}

static void one_chain(struct bytes wire)
{
    struct trust_wire_link links[CERT_CHAIN_MAX];
    uint8_t space[CERT_CHAIN_SIZE_MAX];
    struct buf again;
    size_t count;
    if (trust_wire_chain_decode(wire, links, &count) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    for (size_t i = 0; i < count; i++) {
        if (links[i].record.size > CERT_RECORD_MAX)
            return;
        CHECK(trust_wire_chain_append(&links[i], &again) == ERR_OK);
        one_record(links[i].record);
    }
    CHECK(bytes_equal(wire, buf_bytes(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ROOT[CRYPTO_PUBLIC_SIZE] = {1};
    struct bytes wire = bytes_of(data, size);
    struct cert_chain chain;
    CHECK(crypto_init() == ERR_OK);
    one_chain(wire);
    one_record(wire);
    if (cert_chain_decode(wire, &chain) == ERR_OK)
        CHECK(chain.count >= 1 && cert_leaf(&chain)->kind != 0);
    CHECK(cert_chain_verify(wire, ROOT, 1795000000000ull, &chain) != ERR_OK);
    return 0;
}
