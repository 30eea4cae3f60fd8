/* Octets in field values, as a peer may send them: what unpacks packs back to the same value, and
 * any bytes at all come back from packing. The value lies in a block of its own size, so that a
 * read beyond its end is seen. */
#include "node/http/octets.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes value)
{
    struct buf octets, packed, back;
    buf_init(&octets, 1 << 16);
    buf_init(&packed, 1 << 17);
    buf_init(&back, 1 << 17);
    if (http_octets_unpack(value, &octets) == ERR_OK) {
        CHECK(http_octets_pack(&packed, buf_bytes(&octets)) == ERR_OK);
        CHECK(bytes_equal(buf_bytes(&packed), value));
    } else {
        CHECK(octets.size == 0);
    }
    buf_clear(&packed);
    CHECK(http_octets_pack(&packed, value) == ERR_OK);
    CHECK(http_octets_unpack(buf_bytes(&packed), &back) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&back), value));
    buf_fini(&octets);
    buf_fini(&packed);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    check(bytes_of(copy, size));
    for (size_t i = 0; i < size; i++)
        copy[i] |= 0x80; /* most values have all top bits set, which is rarely found by chance */
    check(bytes_of(copy, size));
    free(copy);
    return 0;
}
