/* protobuf-c made canonical; see codec.h. A decoded message is encoded again and compared with what
 * came. Called by wire.c alone. */
#include "node/trust/codec.h"

#include "base/crypto.h"

#include <stdlib.h>

/* --- encoding --- */

enum err codec_encode(const void *message, size_t size_max, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > size_max)
        return ERR_LIMIT;
    TRY(buf_reserve(out, size));
    out->size += protobuf_c_message_pack(message, out->data + out->size);
    return ERR_OK;
}

ProtobufCBinaryData codec_binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)data};
}

ProtobufCBinaryData codec_bytes(struct bytes b)
{
    return codec_binary(b.data, b.size);
}

ProtobufCBinaryData codec_id(const struct id *id)
{
    return codec_binary(id->bytes, ID_SIZE);
}

char *codec_text(const char *str)
{
    return (char *)(uintptr_t)str;
}

/* --- decoding --- */

/* Spilled blocks carry their size in front, to be wiped when freed: a token holds a secret. */
static void *spill_block(struct codec *d, size_t size)
{
    uint8_t *block = malloc(CODEC_ALIGN + size);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    d->spilled = true;
    return block + CODEC_ALIGN;
}

static void *alloc_block(void *ctx, size_t size)
{
    struct codec *d = ctx;
    size_t start = (d->used + CODEC_ALIGN - 1) / CODEC_ALIGN * CODEC_ALIGN;
    if (start > sizeof(d->space) || size > sizeof(d->space) - start)
        return spill_block(d, size);
    d->used = start + size;
    return d->space + start;
}

static bool is_in_space(const struct codec *d, const void *data)
{
    uintptr_t address = (uintptr_t)data, space = (uintptr_t)d->space;
    return address >= space && address <= space + sizeof(d->space);
}

static void free_block(void *ctx, void *data)
{
    struct codec *d = ctx;
    if (is_in_space(d, data))
        return;
    uint8_t *block = (uint8_t *)data - CODEC_ALIGN;
    size_t size;
    memcpy(&size, block, sizeof(size));
    crypto_wipe(block, CODEC_ALIGN + size);
    free(block);
}

/* A sink for the second encoding. */
struct comparison {
    ProtobufCBuffer base;
    struct codec *decoder;
    size_t offset;
    bool is_equal;
};

static void comparison_append(ProtobufCBuffer *base, size_t size, const uint8_t *data)
{
    struct comparison *c = (struct comparison *)base;
    struct codec *d = c->decoder;
    struct bytes rest = bytes_skip(d->wire, c->offset);
    if (d->place_count < CODEC_PLACES && (d->spilled || is_in_space(d, data)))
        d->places[d->place_count++] = (struct codec_place){data, c->offset};
    c->is_equal = c->is_equal && bytes_starts_with(rest, bytes_of(data, size));
    c->offset += size;
}

static bool is_canonical(struct codec *d)
{
    if (d->message->n_unknown_fields)
        return false;
    struct comparison c = {.base.append = comparison_append, .decoder = d, .is_equal = true};
    protobuf_c_message_pack_to_buffer(d->message, &c.base);
    return c.is_equal && c.offset == d->wire.size;
}

void codec_end(struct codec *d)
{
    if (d->message && d->spilled)
        protobuf_c_message_free_unpacked(d->message, &d->allocator);
    d->message = NULL;
}

const void *codec_begin(struct codec *d, const ProtobufCMessageDescriptor *descriptor,
                        struct bytes wire, size_t size_max)
{
    if (wire.size > size_max)
        return NULL;
    d->allocator = (ProtobufCAllocator){alloc_block, free_block, d};
    d->wire = wire;
    d->used = 0;
    d->spilled = false;
    d->place_count = 0;
    d->message = protobuf_c_message_unpack(descriptor, &d->allocator, wire.size, wire.data);
    if (d->message && !is_canonical(d))
        codec_end(d);
    return d->message;
}

bool codec_copy(ProtobufCBinaryData from, void *ret_data, size_t size)
{
    if (from.len != size)
        return false;
    if (size)
        memcpy(ret_data, from.data, size);
    return true;
}

bool codec_copy_id(ProtobufCBinaryData from, struct id *ret_id)
{
    return codec_copy(from, ret_id->bytes, ID_SIZE);
}

bool codec_copy_text(const char *from, char *ret_text, size_t size)
{
    size_t length = strlen(from);
    if (length >= size)
        return false;
    memcpy(ret_text, from, length + 1);
    return true;
}

/* protobuf-c copies; callers are promised a place in the input. A message with more fields than
 * places is hostile; even so the bytes are in the wire, and wherever equal ones are found is as
 * good. */
struct bytes codec_borrow(const struct codec *d, ProtobufCBinaryData part)
{
    if (part.len == 0)
        return (struct bytes){0};
    for (size_t i = 0; i < d->place_count; i++)
        if (d->places[i].copy == part.data)
            return bytes_of(d->wire.data + d->places[i].offset, part.len);
    const void *found = memmem(d->wire.data, d->wire.size, part.data, part.len);
    CHECK(found);
    return bytes_of(found, part.len);
}

enum err codec_decode(struct bytes wire, const ProtobufCMessageDescriptor *descriptor,
                      size_t size_max, codec_convert *convert, void *ret_value)
{
    struct codec d;
    const void *message = codec_begin(&d, descriptor, wire, size_max);
    if (!message)
        return ERR_INVALID;
    bool is_valid = convert(&d, message, ret_value);
    codec_end(&d);
    return is_valid ? ERR_OK : ERR_INVALID;
}
