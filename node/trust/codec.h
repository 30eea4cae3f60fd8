/* Canonical protobuf: messages out, and back only if they come out byte for byte when they are
 * encoded again, so that one value has one encoding and nothing unknown rides along under a
 * signature. What is encoded and what it means is wire.c's; nobody else includes this. */
#ifndef NODE_TRUST_CODEC_H
#define NODE_TRUST_CODEC_H

#include "base/buf.h"
#include "base/id.h"

#include <protobuf-c/protobuf-c.h>

/* Enough for any envelope: struct, scratch of the parser (1.5 KiB), copies of 1 KiB of fields. */
#define CODEC_SPACE 4096
#define CODEC_ALIGN 16
#define CODEC_PLACES 32 /* more than any message here has fields */

/* --- encoding */

/* Appends. LIMIT: more than size_max bytes, or than fit; NO_MEMORY. */
MUST_CHECK enum err codec_encode(const void *message, size_t size_max, struct buf *out);
/* protobuf-c's structs are not const; encoding only reads them. */
ProtobufCBinaryData codec_binary(const void *data, size_t size);
ProtobufCBinaryData codec_bytes(struct bytes b);
ProtobufCBinaryData codec_id(const struct id *id);
char *codec_text(const char *str);

/* --- decoding: on the stack, the heap only for inputs larger than requests carry */

/* Where the copy of a field stands in the wire. */
struct codec_place {
    const uint8_t *copy;
    size_t offset;
};

struct codec {
    ProtobufCAllocator allocator;
    struct bytes wire;
    ProtobufCMessage *message;
    struct codec_place places[CODEC_PLACES];
    size_t place_count;
    size_t used;
    bool spilled;
    _Alignas(CODEC_ALIGN) uint8_t space[CODEC_SPACE];
};

/* The message, valid until codec_end; NULL when malformed (nothing to end then). `space` keeps
 * copies: whoever decodes a secret wipes it. */
const void *codec_begin(struct codec *d, const ProtobufCMessageDescriptor *descriptor,
                        struct bytes wire, size_t size_max);
void codec_end(struct codec *d);

/* Fills in a struct from a message; false: a size is wrong. */
typedef bool codec_convert(const struct codec *d, const void *message, void *ret_value);
/* For messages that become one struct: INVALID. *ret_value is garbage on failure: callers pass a
 * scratch one. */
MUST_CHECK enum err codec_decode(struct bytes wire, const ProtobufCMessageDescriptor *descriptor,
                                 size_t size_max, codec_convert *convert, void *ret_value);

/* False: another size. */
bool codec_copy(ProtobufCBinaryData from, void *ret_data, size_t size);
bool codec_copy_id(ProtobufCBinaryData from, struct id *ret_id);
bool codec_copy_text(const char *from, char *ret_text, size_t size);
/* The field's place in the input. */
struct bytes codec_borrow(const struct codec *d, ProtobufCBinaryData part);

#endif
