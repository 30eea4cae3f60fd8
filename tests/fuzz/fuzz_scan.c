/* The scanner on hostile bodies: it must say what a strict reader says, however the body is cut.
 * The first byte seeds the cuts. */
#include "tests/support/json_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_truth truth;
    struct rng rng;
    if (size == 0)
        return 0;
    rng_init(&rng, data[0]);
    struct bytes text = bytes_of(data + 1, size - 1);
    json_case_read(text, &truth);
    (void)json_case_check(&rng, text, &truth);
    return 0;
}
