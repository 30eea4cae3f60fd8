/* Tests of registry/commands, registry/wire and registry/form: what is signed comes back as it was,
 * in one form only; what has the wrong form is named. */
#include "registry_world.h"

static struct registry_command one(const struct registry_op *op)
{
    return (struct registry_command){
        .mesh = {{1}}, .sequence = 7, .not_after_ms = NOW_MS, .ops = op, .op_count = 1};
}

static void people(struct person *p, size_t count)
{
    assert_int_equal(crypto_init(), ERR_OK);
    for (size_t i = 0; i < count; i++)
        person_init(&p[i], (uint8_t)(i + 1));
}

/* Everything of every kind, as large as it may be. */
static size_t full_ops(struct person *p, char *document, struct registry_op *ops)
{
    size_t count = 0;
    struct id ids[2] = {p[0].id, p[1].id};
    memset(document, 'd', REGISTRY_DOCUMENT_MAX);
    document[REGISTRY_DOCUMENT_MAX] = '\0';
    struct registry_op node = op_node(&p[0], "n1");
    node.doc.node.zone = TEXT("z");
    node.doc.node.memory_bytes = REGISTRY_NUMBER_MAX;
    node.doc.node.accelerators[0] = (struct registry_accelerator){TEXT("cuda"), 8, 80ull << 30};
    node.doc.node.accelerator_count = 1;
    node.has_if_rev = true;
    ops[count++] = node;
    ops[count++] = op_move(op_node(&p[0], ""), REGISTRY_DRAINED);
    ops[count++] = op_admin(&p[1], "adam", REGISTRY_VIEWER);
    ops[count++] = op_invitation(&p[1], 3);
    ops[count] = op_model("meta/llama:8b");
    ops[count++].doc.model.licence = TEXT(document);
    struct registry_op version = op_version("meta/llama:8b", "v1");
    version.doc.version.digest[3] = 9;
    version.doc.version.format_count = version.doc.version.region_count = 2;
    version.doc.version.formats[0] = version.doc.version.regions[0] = TEXT("gguf");
    version.doc.version.formats[1] = version.doc.version.regions[1] = TEXT("onnx");
    ops[count++] = version;
    ops[count++] = op_alias("a", "m", "v1", 1000000, "v2", 1);
    ops[count] = op_tenant("acme");
    ops[count].doc.tenant.title = TEXT("Ac\xc3\xa9 \"Ltd\"");
    ops[count].doc.tenant.model_count = 1;
    ops[count++].doc.tenant.models[0] = TEXT("a");
    ops[count++] = op_key("acme", "gvk_1");
    ops[count++] = op_policy("p", "spec:\n\ta: 1\n");
    ops[count++] = op_setting("x.y", "");
    ops[count++] = op_gossip_key(4);
    ops[count++] = op_voters(0, ids, 2);
    ops[count++] = op_cosign("admin.put", 2, ids, 2);
    ops[count++] = op_remove(op_cosign("admin.put", 0, NULL, 0));
    return count;
}

static void a_command_comes_back_as_it_was(void **state)
{
    struct person p[2];
    struct registry_op *ops = calloc(32, sizeof(*ops));
    char *document = malloc(REGISTRY_DOCUMENT_MAX + 1);
    struct registry_fault fault;
    struct registry_signed s;
    struct arena arena;
    struct buf wire, again;
    (void)state;
    people(p, 2);
    struct registry_command c = one(ops);
    c.op_count = full_ops(p, document, ops);
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    buf_init(&again, REGISTRY_COMMAND_MAX);
    arena_init(&arena, REGISTRY_ARENA_MAX);
    assert_int_equal(registry_command_sign(&c, p[0].secret, &fault, &wire), ERR_OK);
    assert_int_equal(registry_command_decode(buf_bytes(&wire), &arena, &s), ERR_OK);
    assert_int_equal(registry_command_verify(&s), ERR_OK);
    assert_memory_equal(s.command.author, p[0].key, sizeof(p[0].key));
    assert_int_equal(s.command.sequence, 7);
    assert_int_equal(s.command.op_count, c.op_count);
    assert_true(s.command.ops[0].has_if_rev);
    assert_int_equal(s.command.ops[0].if_rev, 0);
    assert_true(bytes_equal(s.command.ops[4].doc.model.licence, TEXT(document)));
    assert_int_equal(registry_command_sign(&s.command, p[0].secret, &fault, &again), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&wire), buf_bytes(&again))); /* every field is the same */
    arena_fini(&arena);
    buf_fini(&wire);
    buf_fini(&again);
    free(document);
    free(ops);
}

static void no_flipped_bit_verifies(void **state)
{
    struct person p[2];
    struct registry_fault fault;
    struct buf wire, cosigned;
    size_t decoded = 0;
    (void)state;
    people(p, 2);
    struct registry_op op = op_setting("x.y", "1");
    struct registry_command c = one(&op);
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    buf_init(&cosigned, REGISTRY_COMMAND_MAX);
    assert_int_equal(registry_command_sign(&c, p[0].secret, &fault, &wire), ERR_OK);
    assert_int_equal(registry_command_cosign(buf_bytes(&wire), p[1].secret, &cosigned), ERR_OK);
    for (size_t bit = 0; bit < cosigned.size * 8; bit++) {
        struct registry_signed s;
        struct arena arena;
        arena_init(&arena, REGISTRY_ARENA_MAX);
        cosigned.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (registry_command_decode(buf_bytes(&cosigned), &arena, &s) == ERR_OK) {
            decoded++;
            assert_int_equal(registry_command_verify(&s), ERR_BAD_SIGNATURE);
        }
        cosigned.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        arena_fini(&arena);
    }
    assert_true(decoded > 1000); /* most of it is keys and signatures */
    buf_fini(&wire);
    buf_fini(&cosigned);
}

static void only_the_canonical_form_is_a_command(void **state)
{
    struct registry_signed s;
    struct arena arena;
    struct registry_fault fault;
    struct person p[1];
    struct buf wire;
    (void)state;
    people(p, 1);
    struct registry_op op = op_setting("x.y", "1");
    struct registry_command c = one(&op);
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    arena_init(&arena, REGISTRY_ARENA_MAX);
    assert_int_equal(registry_command_sign(&c, p[0].secret, &fault, &wire), ERR_OK);
    size_t size = wire.size;
    static const char *const tails[] = {"\x20", "\x22\x01x" /* unknown */, "\x12\x01x" /* twice */,
                                        "\x1a\x02\x0a" /* cut */};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        wire.size = size;
        assert_int_equal(buf_append_str(&wire, tails[i]), ERR_OK);
        assert_int_equal(registry_command_decode(buf_bytes(&wire), &arena, &s), ERR_INVALID);
    }
    wire.size = size;
    assert_int_equal(registry_command_decode(buf_bytes(&wire), &arena, &s), ERR_OK);
    static const uint8_t again[] = {2 << 3 | 2, CRYPTO_SIGNATURE_SIZE}; /* the last one counts */
    assert_int_equal(buf_append(&wire, bytes_of(again, sizeof(again))), ERR_OK);
    assert_int_equal(buf_append(&wire, bytes_of(s.signature, CRYPTO_SIGNATURE_SIZE)), ERR_OK);
    assert_int_equal(registry_command_decode(buf_bytes(&wire), &arena, &s), ERR_INVALID);
    for (size_t i = 0; i < size; i++)
        assert_int_not_equal(registry_command_decode(bytes_of(wire.data, i), &arena, &s), ERR_OK);
    arena_fini(&arena);
    buf_fini(&wire);
}

static void nobody_signs_twice(void **state)
{
    struct person p[2];
    struct registry_fault fault;
    struct buf wire, more, again;
    (void)state;
    people(p, 2);
    struct registry_op op = op_setting("x.y", "1");
    struct registry_command c = one(&op);
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    buf_init(&more, REGISTRY_COMMAND_MAX);
    buf_init(&again, REGISTRY_COMMAND_MAX);
    assert_int_equal(registry_command_sign(&c, p[0].secret, &fault, &wire), ERR_OK);
    assert_int_equal(registry_command_cosign(buf_bytes(&wire), p[0].secret, &more), ERR_EXISTS);
    assert_int_equal(registry_command_cosign(buf_bytes(&wire), p[1].secret, &more), ERR_OK);
    assert_int_equal(registry_command_cosign(buf_bytes(&more), p[1].secret, &again), ERR_EXISTS);
    assert_int_equal(registry_command_cosign(BYTES("junk"), p[1].secret, &again), ERR_INVALID);
    buf_fini(&wire);
    buf_fini(&more);
    buf_fini(&again);
}

static void proposals_come_back_and_are_bounded(void **state)
{
    struct bytes commands[REGISTRY_COMMANDS_MAX + 1];
    struct registry_proposal proposal;
    struct arena arena;
    struct buf wire;
    (void)state;
    for (size_t i = 0; i <= REGISTRY_COMMANDS_MAX; i++)
        commands[i] = TEXT("command");
    buf_init(&wire, REGISTRY_PROPOSAL_MAX);
    arena_init(&arena, REGISTRY_ARENA_MAX);
    assert_int_equal(registry_proposal_encode(NOW_MS, commands, REGISTRY_COMMANDS_MAX + 1, &wire),
                     ERR_LIMIT);
    assert_int_equal(registry_proposal_encode(NOW_MS, commands, REGISTRY_COMMANDS_MAX, &wire),
                     ERR_OK);
    assert_int_equal(registry_proposal_decode(buf_bytes(&wire), &arena, &proposal), ERR_OK);
    assert_int_equal(proposal.count, REGISTRY_COMMANDS_MAX);
    assert_int_equal(proposal.time_ms, NOW_MS);
    assert_true(bytes_equal(proposal.commands[255], TEXT("command")));
    buf_fini(&wire);
    buf_init(&wire, REGISTRY_PROPOSAL_MAX);
    assert_int_equal(registry_proposal_encode(0, NULL, 0, &wire), ERR_OK);
    assert_int_equal(wire.size, 0);
    assert_int_equal(registry_proposal_decode(buf_bytes(&wire), &arena, &proposal), ERR_OK);
    assert_int_equal(proposal.count, 0);
    assert_int_equal(registry_proposal_decode(BYTES("\x1a\x01x"), &arena, &proposal),
                     ERR_UNSUPPORTED);
    assert_int_equal(registry_proposal_decode(BYTES("\x1a"), &arena, &proposal), ERR_INVALID);
    arena_fini(&arena);
    buf_fini(&wire);
}

/* --- form --- */

struct mistake {
    struct registry_op op;
    const char *field;
};

static void a_wrong_form_is_named(void **state)
{
    struct person p[1];
    struct registry_fault fault;
    struct buf wire;
    char long_name[REGISTRY_MODEL_MAX + 2];
    (void)state;
    people(p, 1);
    memset(long_name, 'n', sizeof(long_name));
    long_name[REGISTRY_MODEL_MAX + 1] = '\0';
    struct mistake mistakes[] = {
        {op_model(""), "ops[0].model.name"},
        {op_model("a b"), "ops[0].model.name"},
        {op_model("a=b"), "ops[0].model.name"},
        {op_model(long_name), "ops[0].model.name"},
        {op_tenant("Acme"), "ops[0].tenant.name"},
        {op_tenant("-a"), "ops[0].tenant.name"},
        {op_alias("a", "m", "v", 0, NULL, 0), "ops[0].alias.targets[0].weight"},
        {op_alias("a", "m", "v", 1, "w", 1000001), "ops[0].alias.targets[1].weight"},
        {op_setting("x.y", "\x01"), "ops[0].setting.value"},
        {op_setting("x.y", "\xff"), "ops[0].setting.value"},
        {op_model("node-state"), "ops[0].model.parameters"},
        {op_version("m", "v"), "ops[0].version.stage"},
        {op_version("m", "v"), "ops[0].version.regions"},
        {op_version("m", "v"), "ops[0].version.regions[1]"},
        {op_node(&p[0], "n"), "ops[0].node.state"},
        {op_policy("p", "x"), "ops[0].policy.version"},
        {op_remove(op_model("m")), "ops[0].model.task"},
        {op_move(op_model("m"), 0), "ops[0].state"},
        {op_move(op_node(&p[0], ""), 3), "ops[0].state"},
        {op_model("m"), "ops[0].state"},
        {op_model("m"), "ops[0].verb"},
        {op_model("m"), "ops[0].kind"},
    };
    mistakes[10].op.doc.model.parameters = REGISTRY_NUMBER_MAX + 1;
    mistakes[11].op.doc.version.stage = 4;
    mistakes[12].op.doc.version.region_count = REGISTRY_REGIONS_MAX + 1;
    mistakes[13].op.doc.version.region_count = 2;
    mistakes[13].op.doc.version.regions[0] = TEXT("eu");
    mistakes[14].op.doc.node.state = REGISTRY_DRAINED;
    mistakes[15].op.doc.policy.version = 3;
    mistakes[16].op.doc.model.task = TEXT("chat");
    mistakes[19].op.state = 1;
    mistakes[20].op.verb = (enum registry_verb)0;
    mistakes[21].op.kind = (enum registry_kind)0;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct registry_command c = one(&mistakes[i].op);
        memset(&fault, 0, sizeof(fault));
        assert_int_equal(registry_command_sign(&c, p[0].secret, &fault, &wire), ERR_INVALID);
        assert_string_equal(fault.field, mistakes[i].field);
        assert_true(strlen(fault.what) > 5);
    }
    struct registry_command c = one(&mistakes[0].op);
    c.op_count = 0;
    assert_int_equal(registry_command_sign(&c, p[0].secret, &fault, &wire), ERR_INVALID);
    buf_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_comes_back_as_it_was),
        cmocka_unit_test(no_flipped_bit_verifies),
        cmocka_unit_test(only_the_canonical_form_is_a_command),
        cmocka_unit_test(nobody_signs_twice),
        cmocka_unit_test(proposals_come_back_and_are_bounded),
        cmocka_unit_test(a_wrong_form_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
