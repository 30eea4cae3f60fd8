/* Any bytes as an order of a fault: read with a bound, or refused with words. */
#include <stdlib.h>

#include "testnet/engine/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault;
    struct buf message;
    uint8_t storage[256];
    buf_init_fixed(&message, storage, sizeof storage);
    enum err e = faults_read(bytes_of(data, size), &fault, &message);
    CHECK(e == ERR_OK || (e == ERR_INVALID && message.size > 0));
    if (e == ERR_OK) {
        CHECK(fault.kind < FAULT_NONE && (fault.count > 0 || fault.for_us > 0));
        CHECK(fault.count <= FAULTS_COUNT_MAX);
    }
    return 0;
}
