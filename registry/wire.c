/* Commands and proposals as canonical protobuf; see wire.h. Documents are converted field by field
 * along the schema, which stands in the order of wire.proto: protobuf-c's descriptors say where
 * each of its fields is. A decoded message is encoded again and compared with what came. */
#include "registry/wire.h"

#include "registry/fields.h"
#include "registry/wire.pb-c.h"

#define OP_DOCUMENTS 10 /* a kind's document is the field 10 + kind of Op */

/* --- messages seen through their descriptors --- */

static void *member_of(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (uint8_t *)m + f->offset;
}

static const void *const_member_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (const uint8_t *)m + f->offset;
}

static size_t *count_of(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (size_t *)(void *)((uint8_t *)m + f->quantifier_offset);
}

static size_t const_count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return *(const size_t *)(const void *)((const uint8_t *)m + f->quantifier_offset);
}

static ProtobufCMessage *new_message(const ProtobufCMessageDescriptor *descriptor,
                                     struct arena *arena)
{
    ProtobufCMessage *m = arena_alloc(arena, descriptor->sizeof_message);
    if (m)
        descriptor->message_init(m);
    return m;
}

static ProtobufCBinaryData binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)data};
}

/* --- documents out --- */

static ProtobufCMessage *message_from(const struct registry_group *group, const void *document,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      struct arena *arena);

static bool list_out(const struct registry_field *f, const void *document, ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *to, struct arena *arena)
{
    const uint8_t *items = registry_field_of(f, document);
    size_t count = registry_field_count(f, document);
    void **pointers = arena_alloc(arena, count * sizeof(void *));
    if (!pointers)
        return false;
    for (size_t i = 0; i < count; i++) {
        pointers[i] =
            f->type == REGISTRY_TYPE_GROUPS
                ? (void *)message_from(f->group, items + i * f->group->size, to->descriptor, arena)
                : arena_str(arena, ((const struct bytes *)(const void *)items)[i]);
        if (!pointers[i])
            return false;
    }
    *count_of(m, to) = count;
    *(void ***)member_of(m, to) = pointers;
    return true;
}

static bool field_out(const struct registry_field *f, const void *document, ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *to, struct arena *arena)
{
    const void *value = registry_field_of(f, document);
    if (registry_field_is_list(f))
        return list_out(f, document, m, to, arena);
    if (registry_field_is_text(f)) {
        char *text = arena_str(arena, *(const struct bytes *)value);
        *(char **)member_of(m, to) = text;
        return text != NULL;
    }
    if (f->type == REGISTRY_TYPE_NUMBER)
        *(uint64_t *)member_of(m, to) = *(const uint64_t *)value;
    else if (f->type == REGISTRY_TYPE_WORD)
        *(uint32_t *)member_of(m, to) = *(const uint32_t *)value;
    else if (!registry_field_is_empty(f, document))
        *(ProtobufCBinaryData *)member_of(m, to) = binary(value, registry_field_fixed_size(f));
    return true;
}

static ProtobufCMessage *message_from(const struct registry_group *group, const void *document,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      struct arena *arena)
{
    CHECK(descriptor->n_fields == group->field_count);
    ProtobufCMessage *m = new_message(descriptor, arena);
    for (size_t i = 0; m && i < group->field_count; i++)
        if (!field_out(&group->fields[i], document, m, &descriptor->fields[i], arena))
            return NULL;
    return m;
}

/* --- encoding --- */

static enum err encode(const void *message, size_t size_max, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > size_max)
        return ERR_LIMIT;
    if (size == 0) /* every field left out: there may be no buffer to write to */
        return ERR_OK;
    TRY(buf_reserve(out, size));
    out->size += protobuf_c_message_pack(message, out->data + out->size);
    return ERR_OK;
}

static Registry__Op *op_message(const struct registry_op *op, struct arena *arena)
{
    const struct registry_schema *schema = registry_schema(op->kind);
    const ProtobufCFieldDescriptor *to = protobuf_c_message_descriptor_get_field(
        &registry__op__descriptor, OP_DOCUMENTS + (unsigned)op->kind);
    Registry__Op *m = (Registry__Op *)new_message(&registry__op__descriptor, arena);
    if (!schema || !to || !m)
        return NULL;
    m->verb = op->verb;
    m->if_rev_plus_1 = op->has_if_rev ? op->if_rev + 1 : 0;
    m->state = op->state;
    ProtobufCMessage *document = message_from(&schema->group, &op->doc, to->descriptor, arena);
    *(ProtobufCMessage **)member_of(&m->base, to) = document;
    return document ? m : NULL;
}

enum err registry_wire_command_encode(const struct registry_command *command, struct arena *arena,
                                      struct buf *out)
{
    Registry__Command m = REGISTRY__COMMAND__INIT;
    m.mesh = binary(command->mesh.bytes, ID_SIZE);
    m.author = binary(command->author, CRYPTO_PUBLIC_SIZE);
    m.sequence = command->sequence;
    m.not_after_ms = command->not_after_ms;
    m.n_ops = command->op_count;
    m.ops = arena_alloc(arena, command->op_count * sizeof(*m.ops));
    if (!m.ops)
        return ERR_LIMIT;
    for (size_t i = 0; i < command->op_count; i++) {
        m.ops[i] = op_message(&command->ops[i], arena);
        if (!m.ops[i])
            return ERR_LIMIT;
    }
    return encode(&m, REGISTRY_COMMAND_MAX, out);
}

enum err registry_wire_signed_encode(const struct registry_signed *s, struct arena *arena,
                                     struct buf *out)
{
    Registry__SignedCommand m = REGISTRY__SIGNED_COMMAND__INIT;
    Registry__Cosignature *pointers[REGISTRY_SIGNERS_MAX];
    CHECK(s->cosignature_count <= REGISTRY_SIGNERS_MAX);
    for (size_t i = 0; i < s->cosignature_count; i++) {
        const struct registry_cosignature *c = &s->cosignatures[i];
        pointers[i] = arena_alloc(arena, sizeof(*pointers[i]));
        if (!pointers[i])
            return ERR_LIMIT;
        registry__cosignature__init(pointers[i]);
        pointers[i]->key = binary(c->key, sizeof(c->key));
        pointers[i]->signature = binary(c->signature, sizeof(c->signature));
    }
    m.record = binary(s->record.data, s->record.size);
    m.signature = binary(s->signature, sizeof(s->signature));
    m.n_cosignatures = s->cosignature_count;
    m.cosignatures = pointers;
    return encode(&m, REGISTRY_COMMAND_MAX, out);
}

enum err registry_wire_proposal_encode(uint64_t time_ms, const struct bytes *commands, size_t count,
                                       struct arena *arena, struct buf *out)
{
    Registry__Proposal m = REGISTRY__PROPOSAL__INIT;
    m.time_ms = time_ms;
    m.n_commands = count;
    m.commands = arena_alloc(arena, count * sizeof(*m.commands));
    if (!m.commands)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        m.commands[i] = binary(commands[i].data, commands[i].size);
    return encode(&m, REGISTRY_PROPOSAL_MAX, out);
}

/* --- decoding: messages live in the arena --- */

struct decoder {
    struct arena *arena;
    bool memory_is_short;
    bool has_unknown; /* fields, or kinds */
};

static void *alloc_block(void *ctx, size_t size)
{
    struct decoder *d = ctx;
    void *block = arena_alloc(d->arena, size);
    if (!block && size <= d->arena->size_max - d->arena->used)
        d->memory_is_short = true;
    return block;
}

static void free_block(void *ctx, void *block)
{
    (void)ctx;
    (void)block;
}

struct comparison {
    ProtobufCBuffer base;
    struct bytes wire;
    size_t offset;
    bool is_equal;
};

static void compare_part(ProtobufCBuffer *base, size_t size, const uint8_t *data)
{
    struct comparison *c = (struct comparison *)base;
    struct bytes rest = bytes_skip(c->wire, c->offset);
    c->is_equal = c->is_equal && bytes_starts_with(rest, bytes_of(data, size));
    c->offset += size;
}

static const void *decode(struct decoder *d, const ProtobufCMessageDescriptor *descriptor,
                          struct bytes wire, size_t size_max)
{
    if (wire.size > size_max)
        return NULL;
    ProtobufCAllocator allocator = {alloc_block, free_block, d};
    ProtobufCMessage *m = protobuf_c_message_unpack(descriptor, &allocator, wire.size, wire.data);
    if (!m)
        return NULL;
    struct comparison c = {.base.append = compare_part, .wire = wire, .is_equal = true};
    protobuf_c_message_pack_to_buffer(m, &c.base);
    d->has_unknown = d->has_unknown || m->n_unknown_fields > 0;
    return c.is_equal && c.offset == wire.size ? m : NULL;
}

static enum err failure_of(const struct decoder *d)
{
    return d->memory_is_short ? ERR_NO_MEMORY : ERR_INVALID;
}

static bool needed_in(ProtobufCBinaryData from, void *ret_value, size_t size)
{
    if (from.len != size)
        return false;
    memcpy(ret_value, from.data, size);
    return true;
}

/* Zeros are left out, so that a value has one form. */
static bool fixed_in(ProtobufCBinaryData from, void *ret_value, size_t size)
{
    static const uint8_t zeros[32];
    if (from.len == 0) {
        memset(ret_value, 0, size);
        return true;
    }
    return needed_in(from, ret_value, size) && memcmp(from.data, zeros, size) != 0;
}

static bool document_in(struct decoder *d, const struct registry_group *group,
                        const ProtobufCMessage *m, void *document);

static bool list_in(struct decoder *d, const struct registry_field *f, const ProtobufCMessage *m,
                    const ProtobufCFieldDescriptor *from, void *document)
{
    uint8_t *items = registry_field_in(f, document);
    void *const *pointers = *(void *const *const *)const_member_of(m, from);
    size_t count = const_count_of(m, from);
    if (count > f->max)
        return false;
    registry_field_set_count(f, document, count);
    for (size_t i = 0; i < count; i++) {
        if (f->type != REGISTRY_TYPE_GROUPS)
            ((struct bytes *)(void *)items)[i] = bytes_from_str(pointers[i]);
        else if (!document_in(d, f->group, pointers[i], items + i * f->group->size))
            return false;
    }
    return true;
}

static bool field_in(struct decoder *d, const struct registry_field *f, const ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *from, void *document)
{
    void *value = registry_field_in(f, document);
    const void *member = const_member_of(m, from);
    if (registry_field_is_list(f))
        return list_in(d, f, m, from, document);
    if (registry_field_is_text(f))
        *(struct bytes *)value = bytes_from_str(*(const char *const *)member);
    else if (f->type == REGISTRY_TYPE_NUMBER)
        *(uint64_t *)value = *(const uint64_t *)member;
    else if (f->type == REGISTRY_TYPE_WORD)
        *(uint32_t *)value = *(const uint32_t *)member;
    else
        return fixed_in(*(const ProtobufCBinaryData *)member, value, registry_field_fixed_size(f));
    return true;
}

static bool document_in(struct decoder *d, const struct registry_group *group,
                        const ProtobufCMessage *m, void *document)
{
    d->has_unknown = d->has_unknown || m->n_unknown_fields > 0;
    for (size_t i = 0; i < group->field_count; i++)
        if (!field_in(d, &group->fields[i], m, &m->descriptor->fields[i], document))
            return false;
    return true;
}

/* Exactly one document. */
static bool op_in(struct decoder *d, const Registry__Op *m, struct registry_op *op)
{
    const ProtobufCMessageDescriptor *descriptor = &registry__op__descriptor;
    const ProtobufCMessage *document = NULL;
    d->has_unknown = d->has_unknown || m->base.n_unknown_fields > 0;
    memset(op, 0, sizeof(*op));
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &descriptor->fields[i];
        const ProtobufCMessage *here = NULL;
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            here = *(ProtobufCMessage *const *)const_member_of(&m->base, f);
        if (here && document)
            return false;
        if (here) {
            document = here;
            op->kind = (enum registry_kind)(f->id - OP_DOCUMENTS);
        }
    }
    op->verb = (enum registry_verb)m->verb;
    op->has_if_rev = m->if_rev_plus_1 > 0;
    op->if_rev = op->has_if_rev ? m->if_rev_plus_1 - 1 : 0;
    op->state = m->state;
    if (m->verb > REGISTRY_REMOVE)
        d->has_unknown = true;
    if (!document)
        return d->has_unknown; /* of a kind that a newer program knows */
    return document_in(d, &registry_schema(op->kind)->group, document, &op->doc);
}

static bool ops_in(struct decoder *d, const Registry__Command *m, struct registry_command *command)
{
    if (m->n_ops > REGISTRY_OPS_MAX)
        return false;
    struct registry_op *ops = alloc_block(d, m->n_ops * sizeof(*ops));
    if (!ops)
        return false;
    for (size_t i = 0; i < m->n_ops; i++)
        if (!op_in(d, m->ops[i], &ops[i]))
            return false;
    command->ops = ops;
    command->op_count = m->n_ops;
    return true;
}

static enum err command_in(struct decoder *d, struct registry_signed *s)
{
    const Registry__Command *m =
        decode(d, &registry__command__descriptor, s->record, REGISTRY_COMMAND_MAX);
    struct registry_command *command = &s->command;
    *command = (struct registry_command){.op_count = 0};
    if (!m || !needed_in(m->mesh, command->mesh.bytes, ID_SIZE) ||
        !needed_in(m->author, command->author, CRYPTO_PUBLIC_SIZE))
        return failure_of(d);
    command->sequence = m->sequence;
    command->not_after_ms = m->not_after_ms;
    bool is_valid = ops_in(d, m, command);
    if (is_valid && !d->has_unknown)
        return ERR_OK;
    command->op_count = 0;
    return is_valid ? ERR_UNSUPPORTED : failure_of(d);
}

static bool cosignatures_in(struct decoder *d, const Registry__SignedCommand *m,
                            struct registry_signed *s)
{
    if (m->n_cosignatures > REGISTRY_SIGNERS_MAX)
        return false;
    s->cosignature_count = m->n_cosignatures;
    for (size_t i = 0; i < m->n_cosignatures; i++) {
        struct registry_cosignature *c = &s->cosignatures[i];
        const Registry__Cosignature *from = m->cosignatures[i];
        d->has_unknown = d->has_unknown || from->base.n_unknown_fields > 0;
        if (!needed_in(from->key, c->key, sizeof(c->key)) ||
            !needed_in(from->signature, c->signature, sizeof(c->signature)))
            return false;
    }
    return true;
}

enum err registry_wire_signed_decode(struct bytes wire, struct arena *arena,
                                     struct registry_signed *ret_signed)
{
    struct decoder d = {.arena = arena};
    const Registry__SignedCommand *m =
        decode(&d, &registry__signed_command__descriptor, wire, REGISTRY_COMMAND_MAX);
    if (!m || !needed_in(m->signature, ret_signed->signature, CRYPTO_SIGNATURE_SIZE) ||
        !cosignatures_in(&d, m, ret_signed))
        return failure_of(&d);
    if (d.has_unknown) /* outside of what is signed: anybody may have put it there */
        return ERR_INVALID;
    ret_signed->record = bytes_of(m->record.data, m->record.len);
    return command_in(&d, ret_signed);
}

enum err registry_wire_proposal_decode(struct bytes payload, struct arena *arena,
                                       struct registry_proposal *ret_proposal)
{
    struct decoder d = {.arena = arena};
    const Registry__Proposal *m =
        decode(&d, &registry__proposal__descriptor, payload, REGISTRY_PROPOSAL_MAX);
    if (m && d.has_unknown)
        return ERR_UNSUPPORTED;
    if (!m || m->n_commands > REGISTRY_COMMANDS_MAX || m->time_ms > REGISTRY_NUMBER_MAX)
        return failure_of(&d);
    struct bytes *commands = alloc_block(&d, m->n_commands * sizeof(*commands));
    if (!commands)
        return failure_of(&d);
    for (size_t i = 0; i < m->n_commands; i++)
        commands[i] = bytes_of(m->commands[i].data, m->commands[i].len);
    *ret_proposal = (struct registry_proposal){
        .time_ms = m->time_ms, .commands = commands, .count = m->n_commands};
    return ERR_OK;
}
