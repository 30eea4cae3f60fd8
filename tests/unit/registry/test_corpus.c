/* The samples in tests/fuzz/corpus/registry_* are what today's encoders make: what was signed,
 * logged or saved once must read the same for ever. With --write they are written; only a new
 * sample may need that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/registry_scratch.h"

static bool writes;

static void same_as(const char *name, struct bytes bytes)
{
    char path[512];
    uint8_t *data = malloc(REGISTRY_PROPOSAL_MAX);
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", GV_SOURCE_DIR, name);
    FILE *file = fopen(path, writes ? "wb" : "rb");
    assert_non_null(file);
    if (writes) {
        assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    } else {
        size_t size = fread(data, 1, REGISTRY_PROPOSAL_MAX, file);
        assert_int_equal(size, bytes.size);
        assert_memory_equal(data, bytes.data, size);
    }
    assert_int_equal(fclose(file), 0);
    free(data);
}

/* --- operations, each as a signed command and as a record for fuzz_registry_apply --- */

struct sample {
    const char *name;
    uint8_t author; /* number in the scratch registry */
    struct registry_op op;
};

static size_t samples(struct scratch *s, struct sample *all)
{
    struct person *p = s->people;
    size_t count = 0;
    struct registry_op version = op_version("m", "v3"), node = op_node(&p[5], "b1");
    version.doc.version.digest[1] = 2;
    version.doc.version.formats[0] = TEXT("gguf");
    version.doc.version.accelerators[0] = TEXT("cuda");
    version.doc.version.regions[0] = TEXT("eu-west");
    version.doc.version.format_count = version.doc.version.accelerator_count = 1;
    version.doc.version.region_count = 1;
    version.doc.version.memory_bytes = 24ull << 30;
    node.doc.node.accelerators[0] = (struct registry_accelerator){TEXT("cuda"), 2, 24ull << 30};
    node.doc.node.accelerator_count = 1;
    struct registry_op setting = op_setting("x.a", "2");
    setting.has_if_rev = true;
    setting.if_rev = 2;
    all[count++] = (struct sample){"node", 3, node};
    all[count++] = (struct sample){"admin", 0, op_admin(&p[6], "carol", REGISTRY_OPERATOR)};
    all[count++] = (struct sample){"admin_revoke", 1, op_move(op_admin(&p[2], "", 0), 1)};
    all[count++] = (struct sample){"invitation", 1, op_invitation(&p[5], 5)};
    all[count++] = (struct sample){"model", 2, op_model("meta/llama:8b")};
    all[count++] = (struct sample){"version", 2, version};
    all[count++] = (struct sample){"alias", 2, op_alias("best", "m", "v2", 3, "v1", 1)};
    all[count++] = (struct sample){"tenant", 2, op_tenant("other")};
    all[count++] = (struct sample){"tenant_rm", 2, op_remove(op_tenant("acme"))};
    all[count++] = (struct sample){"key", 2, op_key("acme", "gvk_2")};
    all[count++] = (struct sample){"policy", 1, op_policy("p", "a: 2\n")};
    all[count++] = (struct sample){"setting", 1, setting};
    all[count++] = (struct sample){"gossip_key", 1, op_gossip_key(2)};
    all[count++] = (struct sample){"voters", 1, op_voters(3, NULL, 0)};
    all[count++] = (struct sample){"cosign", 1, op_cosign("residency", 1, &p[1].id, 1)};
    all[count++] = (struct sample){"node_revoke", 1, op_move(op_node(&p[4], ""), 2)};
    return count;
}

static void one(struct scratch *s, const struct sample *sample)
{
    char name[64];
    struct registry_signed command;
    struct arena arena;
    struct buf wire, record;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    buf_init(&record, REGISTRY_COMMAND_MAX);
    arena_init(&arena, REGISTRY_ARENA_MAX);
    s->people[sample->author].sequence = sample->author <= 1 ? 1 : 0;
    scratch_sign(s, sample->author, &sample->op, 1, &wire);
    snprintf(name, sizeof(name), "registry_command/%s", sample->name);
    same_as(name, buf_bytes(&wire));
    assert_int_equal(registry_command_decode(buf_bytes(&wire), &arena, &command), ERR_OK);
    assert_int_equal(buf_append_byte(&record, (uint8_t)(sample->author + 1)), ERR_OK);
    assert_int_equal(buf_append(&record, command.record), ERR_OK);
    snprintf(name, sizeof(name), "registry_apply/%s", sample->name);
    same_as(name, buf_bytes(&record));
    arena_fini(&arena);
    buf_fini(&wire);
    buf_fini(&record);
}

static void commands_read_as_ever(void **state)
{
    struct scratch *s = *state;
    struct sample all[32];
    size_t count = samples(s, all);
    for (size_t i = 0; i < count; i++)
        one(s, &all[i]);
}

static void proposals_read_as_ever(void **state)
{
    struct scratch *s = *state;
    struct registry_op op = op_model("n");
    struct buf wire, cosigned, raw;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    buf_init(&cosigned, REGISTRY_COMMAND_MAX);
    buf_init(&raw, REGISTRY_PROPOSAL_MAX);
    s->people[1].sequence = 1;
    scratch_sign(s, 1, &op, 1, &wire);
    assert_int_equal(registry_command_cosign(buf_bytes(&wire), s->people[2].secret, &cosigned),
                     ERR_OK);
    same_as("registry_command/cosigned", buf_bytes(&cosigned));
    const struct bytes commands[] = {buf_bytes(&wire), buf_bytes(&cosigned), BYTES("junk")};
    assert_int_equal(buf_append_byte(&raw, 0), ERR_OK);
    assert_int_equal(registry_proposal_encode(NOW_MS + 1, commands, 3, &raw), ERR_OK);
    same_as("registry_apply/proposal", buf_bytes(&raw));
    same_as("registry_command/proposal", bytes_skip(buf_bytes(&raw), 1));
    buf_fini(&wire);
    buf_fini(&cosigned);
    buf_fini(&raw);
}

static void snapshots_read_as_ever(void **state)
{
    struct scratch *s = *state;
    struct registry_save *save;
    struct buf bytes;
    uint64_t size;
    assert_int_equal(registry_save_open(s->r, &save, &size), ERR_OK);
    buf_init(&bytes, size);
    assert_int_equal(registry_save_read(save, 0, size, &bytes), ERR_OK);
    same_as("registry_snapshot/little", buf_bytes(&bytes));
    buf_fini(&bytes);
    registry_save_close(save);
}

int main(int argc, char **argv)
{
    struct scratch s = {.index = 0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(commands_read_as_ever, &s),
        cmocka_unit_test_prestate(proposals_read_as_ever, &s),
        cmocka_unit_test_prestate(snapshots_read_as_ever, &s),
    };
    writes = argc > 1 && strcmp(argv[1], "--write") == 0;
    scratch_open(&s);
    scratch_fill(&s);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_close(&s);
    return failed;
}
