/* Names of the tiers (cert.h). */
#include "node/trust/cert.h"

static const char *const NAMES[] = {"any", "edge", "regional", "cloud"};
#define NAME_COUNT (sizeof(NAMES) / sizeof(NAMES[0]))

const char *tier_name(enum tier t)
{
    CHECK((size_t)t < NAME_COUNT);
    return NAMES[t];
}

enum err tier_parse(struct bytes text, enum tier *ret_tier)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (bytes_equal(text, bytes_from_str(NAMES[i]))) {
            *ret_tier = (enum tier)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}
