/* Commands and proposals from hostile bytes. What decodes must encode to the same again, and
 * whatever it says can be judged and printed. */
#include "registry/form.h"
#include "registry/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_op(const struct registry_op *op, size_t index)
{
    struct registry_fault fault = {.what = ""};
    struct buf json;
    enum err e = registry_form_check(op, index, &fault);
    CHECK(e == ERR_OK || (e == ERR_INVALID && fault.what[0]));
    CHECK(registry_op_word(op)[0] && registry_op_role(op) <= REGISTRY_OPERATOR);
    if (e != ERR_OK)
        return;
    buf_init(&json, 8 << 20);
    CHECK(registry_json_append(&registry_schema(op->kind)->group, &op->doc, &json) == ERR_OK);
    buf_fini(&json);
}

static void one_command(struct bytes wire, struct arena *arena)
{
    struct registry_signed s;
    struct buf again;
    if (registry_command_decode(wire, arena, &s) != ERR_OK)
        return;
    buf_init(&again, REGISTRY_COMMAND_MAX);
    CHECK(registry_wire_signed_encode(&s, arena, &again) == ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&again)));
    buf_clear(&again);
    CHECK(registry_wire_command_encode(&s.command, arena, &again) == ERR_OK);
    CHECK(bytes_equal(s.record, buf_bytes(&again)));
    buf_fini(&again);
    for (size_t i = 0; i < s.command.op_count; i++)
        one_op(&s.command.ops[i], i);
}

static void one_proposal(struct bytes wire, struct arena *arena)
{
    struct registry_proposal proposal;
    struct buf again;
    if (registry_proposal_decode(wire, arena, &proposal) != ERR_OK)
        return;
    buf_init(&again, REGISTRY_PROPOSAL_MAX);
    CHECK(registry_proposal_encode(proposal.time_ms, proposal.commands, proposal.count, &again) ==
          ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&again)));
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    CHECK(crypto_init() == ERR_OK);
    arena_init(&arena, 2 * REGISTRY_ARENA_MAX);
    one_command(bytes_of(data, size), &arena);
    arena_reset(&arena);
    one_proposal(bytes_of(data, size), &arena);
    arena_fini(&arena);
    return 0;
}
