/* Zone data and texts of time from anywhere: no crash, and what is shown reads back as the same.
 * The input is zone data, a POSIX rule, a duration and a timestamp alike. */
#include "policy/cel_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(enum cel_kind kind, struct bytes text)
{
    struct cel_value v, again;
    uint8_t storage[64];
    struct buf out;
    if (policy_cel_parse_time(kind, text, &v) != ERR_OK)
        return;
    buf_init_fixed(&out, storage, sizeof(storage));
    CHECK((kind == CEL_DURATION ? policy_cel_duration_show(v.integer, &out)
                                : policy_cel_timestamp_show(v, &out)) == ERR_OK);
    CHECK(policy_cel_parse_time(kind, buf_bytes(&out), &again) == ERR_OK);
    CHECK(policy_cel_equal(v, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = {CEL_SECOND_MIN, -1,         0,
                                      1234567890,     2540000000, CEL_SECOND_MAX};
    struct bytes text = bytes_of(data, size);
    int64_t offset;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        (void)policy_cel_tzif_offset(text, moments[i], &offset);
        (void)policy_cel_rule_offset(text, moments[i], &offset);
    }
    check_text(CEL_DURATION, text);
    check_text(CEL_TIMESTAMP, text);
    return 0;
}
