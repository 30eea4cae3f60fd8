/* Patterns and texts from anywhere, apart at the first newline: no crash, and an answer within the
 * bound. */
#include "base/utf8.h"
#include "policy/cel_regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_cel_regex *regex;
    const char *why = NULL;
    bool found;
    struct bytes all = bytes_of(data, size);
    struct bytes pattern = bytes_of(data, bytes_find(all, '\n'));
    struct bytes text = bytes_skip(all, pattern.size + 1);
    if (!utf8_is_valid(pattern) || !utf8_is_valid(text))
        return 0; /* CEL's strings are UTF-8 */
    enum err e = policy_cel_regex_create(pattern, &regex, &why);
    if (e != ERR_OK) {
        CHECK(e == ERR_INVALID && why);
        return 0;
    }
    struct policy_cel_matcher *matcher = policy_cel_matcher_create();
    CHECK(matcher);
    e = policy_cel_regex_search(regex, matcher, text, CEL_REGEX_STEPS_MAX, &found);
    CHECK(e == ERR_OK || e == ERR_LIMIT);
    policy_cel_matcher_destroy(matcher);
    policy_cel_regex_destroy(regex);
    return 0;
}
