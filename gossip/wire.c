/* The bytes of wire.h, and the only file that includes msgpack. The library packs and unpacks one
 * scalar at a time: what begins with any other byte than that of an unsigned integer or a bin never
 * reaches it, hence no container, no depth and no allocation. Called by the rest of gossip/. A long
 * file, because the library has one door and each part is read beside how it is written. */
#include "gossip/wire.h"

#include <msgpack/pack.h>
#include <msgpack/unpack.h>

#define EXPONENT_MAX 8
#define KINDS_LIMIT (UINT64_C(1) << GOSSIP_KINDS)

_Static_assert(1 << EXPONENT_MAX == GOSSIP_DIGEST_MAX, "every bucket may be in one DIGEST");

/* --- writing --------------------------------------------------------------------------------- */

/* Errors stick; writer_end takes back what an unfinished part left. */
struct writer {
    msgpack_packer packer;
    struct buf *out;
    size_t size_before;
    enum err e;
};

static int on_packed(void *data, const char *bytes, size_t size)
{
    struct writer *w = data;
    w->e = buf_append(w->out, bytes_of(bytes, size));
    return w->e == ERR_OK ? 0 : -1;
}

static void writer_init(struct writer *w, struct buf *out)
{
    *w = (struct writer){.out = out, .size_before = out->size};
    msgpack_packer_init(&w->packer, w, on_packed);
}

static enum err writer_end(struct writer *w)
{
    if (w->e != ERR_OK)
        w->out->size = w->size_before;
    return w->e;
}

static void put_uint(struct writer *w, uint64_t value)
{
    if (w->e == ERR_OK)
        msgpack_pack_uint64(&w->packer, value);
}

static void put_bin(struct writer *w, struct bytes value)
{
    if (w->e == ERR_OK)
        msgpack_pack_bin_with_body(&w->packer, value.data, value.size);
}

static void put_ref(struct writer *w, const struct gossip_ref *ref)
{
    put_bin(w, bytes_of(ref->bytes, GOSSIP_REF_SIZE));
}

static void put_signature(struct writer *w, const uint8_t *signature)
{
    put_bin(w, bytes_of(signature, CRYPTO_SIGNATURE_SIZE));
}

enum err gossip_wire_put_probe(struct buf *b, enum gossip_part_type type, uint64_t cookie)
{
    struct writer w;
    CHECK(type == GOSSIP_PART_PING || type == GOSSIP_PART_NACK);
    writer_init(&w, b);
    put_uint(&w, type);
    put_uint(&w, cookie);
    return writer_end(&w);
}

enum err gossip_wire_put_ack(struct buf *b, uint64_t cookie, const struct gossip_coordinate *c)
{
    struct writer w;
    uint8_t bytes[GOSSIP_COORDINATE_SIZE];
    gossip_coordinate_encode(c, bytes);
    writer_init(&w, b);
    put_uint(&w, GOSSIP_PART_ACK);
    put_uint(&w, cookie);
    put_bin(&w, bytes_of(bytes, sizeof bytes));
    return writer_end(&w);
}

enum err gossip_wire_put_ping_req(struct buf *b, uint64_t cookie, struct gossip_ref ref)
{
    struct writer w;
    writer_init(&w, b);
    put_uint(&w, GOSSIP_PART_PING_REQ);
    put_uint(&w, cookie);
    put_ref(&w, &ref);
    return writer_end(&w);
}

enum err gossip_wire_put_record(struct buf *b, struct gossip_ref owner, uint32_t hop,
                                uint64_t age_ms, struct bytes signed_bytes,
                                const uint8_t *signature)
{
    struct writer w;
    CHECK(hop <= GOSSIP_HOP_MAX);
    if (signed_bytes.size > GOSSIP_SIGNED_MAX)
        return ERR_LIMIT;
    writer_init(&w, b);
    put_uint(&w, GOSSIP_PART_RECORD);
    put_ref(&w, &owner);
    put_uint(&w, hop);
    put_uint(&w, age_ms);
    put_bin(&w, signed_bytes);
    put_signature(&w, signature);
    return writer_end(&w);
}

enum err gossip_wire_put_accusation(struct buf *b, struct gossip_ref subject, uint64_t incarnation,
                                    struct gossip_ref accuser, const uint8_t *signature)
{
    struct writer w;
    writer_init(&w, b);
    put_uint(&w, GOSSIP_PART_ACCUSATION);
    put_ref(&w, &subject);
    put_uint(&w, incarnation);
    put_ref(&w, &accuser);
    put_signature(&w, signature);
    return writer_end(&w);
}

enum err gossip_wire_put_digest(struct buf *b, uint32_t exponent, uint32_t count)
{
    struct writer w;
    CHECK(exponent <= EXPONENT_MAX && count <= GOSSIP_DIGEST_MAX);
    writer_init(&w, b);
    put_uint(&w, GOSSIP_PART_DIGEST);
    put_uint(&w, exponent);
    put_uint(&w, count);
    return writer_end(&w);
}

enum err gossip_wire_put_bucket(struct buf *b, uint32_t index, uint64_t hash)
{
    struct writer w;
    CHECK(index < GOSSIP_DIGEST_MAX);
    writer_init(&w, b);
    put_uint(&w, index);
    put_uint(&w, hash);
    return writer_end(&w);
}

static enum err put_entries_head(struct buf *b, enum gossip_part_type type, uint32_t count)
{
    struct writer w;
    CHECK(count <= GOSSIP_ENTRIES_MAX);
    writer_init(&w, b);
    put_uint(&w, type);
    put_uint(&w, count);
    return writer_end(&w);
}

enum err gossip_wire_put_versions(struct buf *b, uint32_t count)
{
    return put_entries_head(b, GOSSIP_PART_VERSIONS, count);
}

enum err gossip_wire_put_entry(struct buf *b, const struct gossip_entry *e)
{
    struct writer w;
    CHECK(e->kinds < KINDS_LIMIT && e->flags <= GOSSIP_ENTRY_DOWN);
    writer_init(&w, b);
    put_ref(&w, &e->ref);
    put_uint(&w, e->flags);
    put_uint(&w, e->incarnation);
    put_uint(&w, e->kinds);
    for (unsigned kind = 0; kind < GOSSIP_KINDS; kind++) {
        if (!(e->kinds >> kind & 1u))
            continue;
        CHECK(e->versions[kind].incarnation <= e->incarnation);
        put_uint(&w, e->incarnation - e->versions[kind].incarnation);
        put_uint(&w, e->versions[kind].version);
    }
    return writer_end(&w);
}

enum err gossip_wire_put_want(struct buf *b, uint32_t count)
{
    return put_entries_head(b, GOSSIP_PART_WANT, count);
}

enum err gossip_wire_put_wanted(struct buf *b, struct gossip_ref ref, uint32_t kinds)
{
    struct writer w;
    CHECK(kinds < KINDS_LIMIT);
    writer_init(&w, b);
    put_ref(&w, &ref);
    put_uint(&w, kinds);
    return writer_end(&w);
}

enum err gossip_wire_put_signed(struct buf *b, const struct gossip_signed *s)
{
    struct writer w;
    CHECK(s->kind < GOSSIP_KINDS);
    if (s->payload.size > GOSSIP_PAYLOAD_MAX)
        return ERR_LIMIT;
    writer_init(&w, b);
    put_uint(&w, s->kind);
    put_uint(&w, s->incarnation);
    put_uint(&w, s->version);
    put_uint(&w, s->issued_s);
    put_bin(&w, s->payload);
    return writer_end(&w);
}

/* --- reading --------------------------------------------------------------------------------- */

/* Bytes before a bin's body, or all of an integer, in their shortest form. */
static size_t bin_head_size(size_t size)
{
    if (size <= UINT8_MAX)
        return 2;
    return size <= UINT16_MAX ? 3 : 5;
}

static size_t uint_size(uint64_t value)
{
    if (value <= INT8_MAX)
        return 1;
    if (value <= UINT8_MAX)
        return 2;
    if (value <= UINT16_MAX)
        return 3;
    return value <= UINT32_MAX ? 5 : 9;
}

/* The library makes a zone where it is given none, for a bin too, and loses it. It takes nothing
 * out of one for a scalar, so that an empty one does. */
static enum err unpack(struct bytes in, msgpack_object *ret_object, size_t *ret_used)
{
    msgpack_zone zone = {0};
    size_t used = 0;
    msgpack_unpack_return rc =
        msgpack_unpack((const char *)in.data, in.size, &used, &zone, ret_object);
    if (rc != MSGPACK_UNPACK_SUCCESS && rc != MSGPACK_UNPACK_EXTRA_BYTES)
        return ERR_INVALID;
    *ret_used = used;
    return ERR_OK;
}

static enum err take_uint(struct bytes *in, uint64_t max, uint64_t *ret_value)
{
    msgpack_object object;
    size_t used;
    bool is_uint =
        in->size && (in->data[0] <= 0x7f || (in->data[0] >= 0xcc && in->data[0] <= 0xcf));
    if (!is_uint)
        return ERR_INVALID;
    TRY(unpack(*in, &object, &used));
    if (object.type != MSGPACK_OBJECT_POSITIVE_INTEGER || object.via.u64 > max ||
        used != uint_size(object.via.u64))
        return ERR_INVALID;
    *in = bytes_skip(*in, used);
    *ret_value = object.via.u64;
    return ERR_OK;
}

static enum err take_u32(struct bytes *in, uint32_t max, uint32_t *ret_value)
{
    uint64_t value;
    TRY(take_uint(in, max, &value));
    *ret_value = (uint32_t)value;
    return ERR_OK;
}

static enum err take_bin(struct bytes *in, size_t size_max, struct bytes *ret_value)
{
    msgpack_object object;
    size_t used;
    bool is_bin = in->size && in->data[0] >= 0xc4 && in->data[0] <= 0xc6;
    if (!is_bin)
        return ERR_INVALID;
    TRY(unpack(*in, &object, &used));
    size_t size = object.via.bin.size;
    if (object.type != MSGPACK_OBJECT_BIN || size > size_max || used != bin_head_size(size) + size)
        return ERR_INVALID;
    *ret_value = bytes_of(in->data + used - size, size);
    *in = bytes_skip(*in, used);
    return ERR_OK;
}

static enum err take_ref(struct bytes *in, struct gossip_ref *ret_ref)
{
    struct bytes value;
    TRY(take_bin(in, GOSSIP_REF_SIZE, &value));
    if (value.size != GOSSIP_REF_SIZE)
        return ERR_INVALID;
    memcpy(ret_ref->bytes, value.data, GOSSIP_REF_SIZE);
    return ERR_OK;
}

static enum err take_signature(struct bytes *in, const uint8_t **ret_signature)
{
    struct bytes value;
    TRY(take_bin(in, CRYPTO_SIGNATURE_SIZE, &value));
    if (value.size != CRYPTO_SIGNATURE_SIZE)
        return ERR_INVALID;
    *ret_signature = value.data;
    return ERR_OK;
}

enum err gossip_wire_read_signed(struct bytes signed_bytes, struct gossip_signed *ret_signed)
{
    struct gossip_signed s;
    uint32_t kind;
    TRY(take_u32(&signed_bytes, GOSSIP_KINDS - 1, &kind));
    s.kind = (enum gossip_kind)kind;
    TRY(take_uint(&signed_bytes, UINT64_MAX, &s.incarnation));
    TRY(take_uint(&signed_bytes, UINT64_MAX, &s.version));
    TRY(take_uint(&signed_bytes, UINT64_MAX, &s.issued_s));
    TRY(take_bin(&signed_bytes, GOSSIP_PAYLOAD_MAX, &s.payload));
    if (signed_bytes.size)
        return ERR_INVALID;
    *ret_signed = s;
    return ERR_OK;
}

static enum err take_ack(struct bytes *in, struct gossip_part *p)
{
    struct bytes coordinate;
    TRY(take_uint(in, UINT64_MAX, &p->cookie));
    TRY(take_bin(in, GOSSIP_COORDINATE_SIZE, &coordinate));
    return gossip_coordinate_decode(coordinate, &p->coordinate);
}

static enum err take_ping_req(struct bytes *in, struct gossip_part *p)
{
    TRY(take_uint(in, UINT64_MAX, &p->cookie));
    return take_ref(in, &p->ref);
}

static enum err take_record(struct bytes *in, struct gossip_part *p)
{
    TRY(take_ref(in, &p->ref));
    TRY(take_u32(in, GOSSIP_HOP_MAX, &p->hop));
    TRY(take_uint(in, UINT64_MAX, &p->age_ms));
    TRY(take_bin(in, GOSSIP_SIGNED_MAX, &p->signed_bytes));
    TRY(gossip_wire_read_signed(p->signed_bytes, &p->record));
    return take_signature(in, &p->signature);
}

static enum err take_accusation(struct bytes *in, struct gossip_part *p)
{
    TRY(take_ref(in, &p->ref));
    TRY(take_uint(in, UINT64_MAX, &p->incarnation));
    TRY(take_ref(in, &p->accuser));
    return take_signature(in, &p->signature);
}

static enum err take_digest_head(struct bytes *in, struct gossip_part *p)
{
    TRY(take_u32(in, EXPONENT_MAX, &p->exponent));
    return take_u32(in, GOSSIP_DIGEST_MAX, &p->count);
}

static enum err take_part(struct bytes *in, struct gossip_part *p)
{
    uint32_t type;
    TRY(take_u32(in, GOSSIP_PART_WANT, &type));
    p->type = (enum gossip_part_type)type;
    switch (p->type) {
    case GOSSIP_PART_PING:
    case GOSSIP_PART_NACK: return take_uint(in, UINT64_MAX, &p->cookie);
    case GOSSIP_PART_ACK: return take_ack(in, p);
    case GOSSIP_PART_PING_REQ: return take_ping_req(in, p);
    case GOSSIP_PART_RECORD: return take_record(in, p);
    case GOSSIP_PART_ACCUSATION: return take_accusation(in, p);
    case GOSSIP_PART_DIGEST: return take_digest_head(in, p);
    case GOSSIP_PART_VERSIONS:
    case GOSSIP_PART_WANT: return take_u32(in, GOSSIP_ENTRIES_MAX, &p->count);
    }
    return ERR_INVALID; /* type 0 */
}

enum err gossip_wire_next(struct bytes *message, struct gossip_part *ret_part)
{
    struct bytes in = *message;
    struct gossip_part part = {0};
    TRY(take_part(&in, &part));
    *ret_part = part;
    *message = in;
    return ERR_OK;
}

enum err gossip_wire_bucket(struct bytes *message, struct gossip_part *part, uint32_t *ret_index,
                            uint64_t *ret_hash)
{
    struct bytes in = *message;
    uint32_t index;
    uint64_t hash;
    CHECK(part->type == GOSSIP_PART_DIGEST && part->count > 0);
    TRY(take_u32(&in, (1u << part->exponent) - 1, &index));
    TRY(take_uint(&in, UINT64_MAX, &hash));
    part->count--;
    *message = in;
    *ret_index = index;
    *ret_hash = hash;
    return ERR_OK;
}

static enum err take_versions(struct bytes *in, struct gossip_entry *e)
{
    TRY(take_u32(in, GOSSIP_ENTRY_DOWN, &e->flags));
    TRY(take_uint(in, UINT64_MAX, &e->incarnation));
    TRY(take_u32(in, KINDS_LIMIT - 1, &e->kinds));
    for (unsigned kind = 0; kind < GOSSIP_KINDS; kind++) {
        uint64_t behind;
        if (!(e->kinds >> kind & 1u))
            continue;
        TRY(take_uint(in, e->incarnation, &behind));
        e->versions[kind].incarnation = e->incarnation - behind;
        TRY(take_uint(in, UINT64_MAX, &e->versions[kind].version));
    }
    return ERR_OK;
}

enum err gossip_wire_entry(struct bytes *message, struct gossip_part *part,
                           struct gossip_entry *ret_entry)
{
    struct bytes in = *message;
    struct gossip_entry e = {0};
    CHECK(part->count > 0);
    CHECK(part->type == GOSSIP_PART_VERSIONS || part->type == GOSSIP_PART_WANT);
    TRY(take_ref(&in, &e.ref));
    if (part->type == GOSSIP_PART_VERSIONS)
        TRY(take_versions(&in, &e));
    else
        TRY(take_u32(&in, KINDS_LIMIT - 1, &e.kinds));
    part->count--;
    *message = in;
    *ret_entry = e;
    return ERR_OK;
}
