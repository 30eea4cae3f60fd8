/* Expressions of every kind, checked and unchecked, against facts of every type and some that are
 * absent: nothing crashes, no evaluation exceeds its bound, checked and unchecked agree, a value
 * has the type that the checker said, the whole is what its parts say. The first byte picks the
 * bound, the second the container. */
#include "tests/support/cel_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cel_problem problem;
    struct cel_program *checked = NULL, *unchecked = NULL;
    if (size < 2)
        return 0;
    struct bytes text = bytes_of(data + 2, size - 2);
    struct cel_env env = cel_fuzz_env(data[1] & 1);
    uint64_t budget = data[0] & 1 ? 200 : 20000;
    if (policy_cel_compile(&env, text, &checked, &problem) != ERR_OK)
        cel_fuzz_check_problem(&problem, text);
    env.disable_check = true;
    if (policy_cel_compile(&env, text, &unchecked, &problem) != ERR_OK)
        cel_fuzz_check_problem(&problem, text);
    CHECK(!checked || unchecked);
    if (checked)
        cel_fuzz_check_program(checked, budget, true);
    if (unchecked)
        cel_fuzz_check_program(unchecked, budget, false);
    if (checked)
        cel_fuzz_compare(checked, unchecked);
    policy_cel_program_destroy(checked);
    policy_cel_program_destroy(unchecked);
    return 0;
}
