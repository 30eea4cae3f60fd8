/* Tests of registry/schema, registry/json and registry/row: the tables agree with wire.proto, with
 * the structs, and with what is printed and stored. */
#include "registry_world.h"

#include "registry/row.h"
#include "registry/wire.pb-c.h"

#include <ctype.h>

static const ProtobufCMessageDescriptor *descriptor_of(enum registry_kind kind)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(&registry__op__descriptor, 10 + (unsigned)kind);
    return f ? f->descriptor : NULL;
}

static void agrees(const struct registry_group *group, const ProtobufCMessageDescriptor *d)
{
    assert_int_equal(d->n_fields, group->field_count);
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        const ProtobufCFieldDescriptor *to = &d->fields[i];
        bool is_list = f->type >= REGISTRY_TYPE_LABELS;
        assert_string_equal(f->name, to->name);
        assert_int_equal(to->id, i + 1);
        assert_int_equal(to->label == PROTOBUF_C_LABEL_REPEATED, is_list);
        switch (f->type) {
        case REGISTRY_TYPE_NUMBER: assert_int_equal(to->type, PROTOBUF_C_TYPE_UINT64); break;
        case REGISTRY_TYPE_WORD: assert_int_equal(to->type, PROTOBUF_C_TYPE_UINT32); break;
        case REGISTRY_TYPE_ID:
        case REGISTRY_TYPE_KEY:
        case REGISTRY_TYPE_DIGEST: assert_int_equal(to->type, PROTOBUF_C_TYPE_BYTES); break;
        case REGISTRY_TYPE_GROUPS:
            assert_int_equal(to->type, PROTOBUF_C_TYPE_MESSAGE);
            agrees(f->group, to->descriptor);
            break;
        default: assert_int_equal(to->type, PROTOBUF_C_TYPE_STRING);
        }
    }
}

static void the_schema_stands_in_the_order_of_the_wire(void **state)
{
    (void)state;
    for (int kind = 1; kind < REGISTRY_KINDS; kind++) {
        const struct registry_schema *schema = registry_schema((enum registry_kind)kind);
        const ProtobufCMessageDescriptor *d = descriptor_of((enum registry_kind)kind);
        assert_non_null(schema);
        if (kind == REGISTRY_POLICY_VERSION)
            assert_null(d);
        else
            agrees(&schema->group, d);
    }
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (int kind = 1; kind < REGISTRY_KINDS; kind++) {
        const char *name = registry_kind_name((enum registry_kind)kind);
        assert_int_equal(registry_kind_of(TEXT(name)), kind);
    }
    assert_int_equal(registry_kind_of(TEXT("")), 0);
    assert_int_equal(registry_kind_of(TEXT("nothing")), 0);
    assert_null(registry_schema((enum registry_kind)0));
    assert_string_equal(registry_kind_name(REGISTRY_KINDS), "?");
}

static void fields_fit_their_rows(void **state)
{
    (void)state;
    for (int kind = 1; kind < REGISTRY_KINDS; kind++) {
        const struct registry_group *group = &registry_schema((enum registry_kind)kind)->group;
        size_t states = 0;
        assert_true(group->size <= sizeof(union registry_document));
        assert_true(registry_row_key_parts((enum registry_kind)kind) <= 2);
        for (size_t i = 0; i < group->field_count; i++) {
            const struct registry_field *f = &group->fields[i];
            states += (f->flags & REGISTRY_STATE) != 0;
            assert_true(f->offset < group->size && f->count_offset < group->size);
            assert_true(f->type < REGISTRY_TYPE_LABELS || f->max <= UINT8_MAX);
            if (f->flags & REGISTRY_STATE)
                assert_int_equal(f->type, REGISTRY_TYPE_WORD);
        }
        assert_true(states <= 1);
    }
}

/* --- JSON --- */

static void documents_are_printed_as_json(void **state)
{
    struct person p;
    struct buf out;
    (void)state;
    assert_int_equal(crypto_init(), ERR_OK);
    person_init(&p, 1);
    buf_init(&out, 4096);
    struct registry_op op = op_version("m", "v1");
    op.doc.version.digest[0] = 0xab;
    op.doc.version.regions[0] = TEXT("eu-west");
    op.doc.version.region_count = 1;
    assert_int_equal(registry_json_append(&registry_schema(op.kind)->group, &op.doc, &out), ERR_OK);
    assert_int_equal(buf_append_byte(&out, 0), ERR_OK);
    assert_string_equal((char *)out.data,
                        "{\"model\":\"m\",\"name\":\"v1\",\"digest\":\"ab"
                        "00000000000000000000000000000000000000000000000000000000000000\","
                        "\"formats\":[],\"accelerators\":[],\"memory_bytes\":0,"
                        "\"regions\":[\"eu-west\"],\"stage\":\"production\"}");
    buf_clear(&out);
    op = op_alias("a\"", "m", "v1", 9, NULL, 0);
    assert_int_equal(registry_json_append(&registry_schema(op.kind)->group, &op.doc, &out), ERR_OK);
    assert_int_equal(buf_append_byte(&out, 0), ERR_OK);
    assert_string_equal((char *)out.data,
                        "{\"name\":\"a\\\"\",\"targets\":[{\"model\":\"m\",\"version\":\"v1\","
                        "\"weight\":9}]}");
    buf_clear(&out);
    op = op_node(&p, "n");
    op.doc.node.state = REGISTRY_DRAINED;
    assert_int_equal(registry_json_append(&registry_schema(op.kind)->group, &op.doc, &out), ERR_OK);
    assert_int_equal(buf_append_byte(&out, 0), ERR_OK);
    assert_non_null(strstr((char *)out.data, "\"state\":\"drained\",\"invitation\":null}"));
    buf_fini(&out);
}

static void secrets_are_not_printed(void **state)
{
    struct buf out;
    struct registry_op op = op_gossip_key(3);
    (void)state;
    buf_init(&out, 16);
    assert_int_equal(registry_json_append(&registry_schema(op.kind)->group, &op.doc, &out), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), BYTES("{\"number\":3}")));
    op = op_policy("p", "long enough not to fit");
    assert_int_equal(registry_json_append(&registry_schema(op.kind)->group, &op.doc, &out),
                     ERR_LIMIT);
    assert_int_equal(out.size, 12); /* nothing half printed */
    buf_fini(&out);
}

/* --- rows --- */

static void a_row_comes_back_and_no_part_of_it_does(void **state)
{
    struct registry_row row = {.kind = REGISTRY_TENANT, .rev = 5, .time_ms = NOW_MS}, back;
    struct buf value, again;
    (void)state;
    row.doc = op_tenant("acme").doc;
    row.doc.tenant.models[0] = TEXT("a");
    row.doc.tenant.models[1] = TEXT("b");
    row.doc.tenant.model_count = 2;
    row.author.bytes[3] = 4;
    buf_init(&value, REGISTRY_ROW_MAX);
    buf_init(&again, REGISTRY_ROW_MAX);
    assert_int_equal(registry_row_encode(&row, &value), ERR_OK);
    size_t size = value.size;
    uint8_t hash[REGISTRY_ROW_HASH_SIZE] = {0};
    assert_int_equal(buf_append(&value, bytes_of(hash, sizeof(hash))), ERR_OK);
    assert_int_equal(registry_row_decode(REGISTRY_TENANT, buf_bytes(&value), &back), ERR_OK);
    assert_int_equal(back.rev, 5);
    assert_int_equal(back.doc.tenant.model_count, 2);
    assert_int_equal(registry_row_encode(&back, &again), ERR_OK);
    assert_true(bytes_equal(bytes_of(value.data, size), buf_bytes(&again)));
    for (size_t cut = 0; cut < value.size; cut++)
        assert_int_equal(registry_row_decode(REGISTRY_TENANT, bytes_of(value.data, cut), &back),
                         ERR_CORRUPT);
    assert_int_equal(registry_row_decode(REGISTRY_MODEL, buf_bytes(&value), &back), ERR_CORRUPT);
    assert_int_equal(registry_row_decode(REGISTRY_KINDS, buf_bytes(&value), &back), ERR_CORRUPT);
    buf_fini(&value);
    buf_fini(&again);
}

static void rows_have_names_as_people_write_them(void **state)
{
    struct registry_op version = op_version("m", "v1"), key = op_key("acme", "gvk_1");
    struct buf out;
    char hex[ID_TEXT_SIZE];
    (void)state;
    buf_init(&out, 256);
    registry_row_name(version.kind, &version.doc, &out);
    assert_true(bytes_equal(buf_bytes(&out), BYTES("m/v1")));
    buf_clear(&out);
    registry_row_name(key.kind, &key.doc, &out);
    id_to_text(&key.doc.key.id, hex);
    assert_memory_equal(out.data, "acme/", 5);
    assert_memory_equal(out.data + 5, hex, 32);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_stands_in_the_order_of_the_wire),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(fields_fit_their_rows),
        cmocka_unit_test(documents_are_printed_as_json),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(a_row_comes_back_and_no_part_of_it_does),
        cmocka_unit_test(rows_have_names_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
