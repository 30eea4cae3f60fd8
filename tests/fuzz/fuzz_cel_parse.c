/* The parser on anything: what it accepts it can write again, and what it wrote parses to the same
 * tree and is written the same. */
#include "policy/cel_ast.h"
#include "tests/support/cel_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (8u << 20)

static enum err parse(struct bytes text, struct arena *arena, struct cel_node **ret_root)
{
    static const struct cel_env env = {0};
    struct cel_problem problem;
    struct cel_job job = {.env = &env, .source = text, .arena = arena, .problem = &problem};
    enum err e = policy_cel_parse(&job, ret_root);
    if (e == ERR_INVALID)
        cel_fuzz_check_problem(&problem, text);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arenas[2];
    struct cel_node *roots[2];
    struct cel_problem problem;
    struct buf out, again;
    struct bytes text = bytes_of(data, size);
    arena_init(&arenas[0], TEXT_MAX);
    arena_init(&arenas[1], TEXT_MAX);
    buf_init(&out, TEXT_MAX);
    buf_init(&again, TEXT_MAX);
    enum err e = policy_cel_reformat(text, &out, &problem);
    if (e == ERR_OK && out.size <= POLICY_CEL_SOURCE_MAX) {
        CHECK(parse(text, &arenas[0], &roots[0]) == ERR_OK);
        CHECK(parse(buf_bytes(&out), &arenas[1], &roots[1]) == ERR_OK);
        CHECK(policy_cel_same_tree(roots[0], roots[1]));
        CHECK(policy_cel_reformat(buf_bytes(&out), &again, &problem) == ERR_OK);
        CHECK(bytes_equal(buf_bytes(&out), buf_bytes(&again)));
    } else if (e == ERR_INVALID) {
        cel_fuzz_check_problem(&problem, text);
    }
    buf_fini(&out);
    buf_fini(&again);
    arena_fini(&arenas[0]);
    arena_fini(&arenas[1]);
    return 0;
}
