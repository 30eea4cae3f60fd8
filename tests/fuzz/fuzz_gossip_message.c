/* Any bytes as a gossip message: each part is refused, or said again in exactly the bytes that were
 * read, since there is one form of everything. */
#include "gossip/wire.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t storage[GOSSIP_MESSAGE_MAX + GOSSIP_RECORD_OVERHEAD];
static uint8_t signed_storage[GOSSIP_SIGNED_MAX];

static void say_record(const struct gossip_part *p, struct buf *b)
{
    struct buf signed_bytes;
    struct gossip_signed alone;
    buf_init_fixed(&signed_bytes, signed_storage, sizeof signed_storage);
    CHECK(gossip_wire_read_signed(p->signed_bytes, &alone) == ERR_OK);
    CHECK(alone.version == p->record.version && alone.payload.size <= GOSSIP_PAYLOAD_MAX);
    CHECK(gossip_wire_put_signed(&signed_bytes, &p->record) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&signed_bytes), p->signed_bytes));
    CHECK(gossip_wire_put_record(b, p->ref, p->hop, p->age_ms, buf_bytes(&signed_bytes),
                                 p->signature) == ERR_OK);
}

static enum err say_head(const struct gossip_part *p, struct buf *b)
{
    switch (p->type) {
    case GOSSIP_PART_PING:
    case GOSSIP_PART_NACK: return gossip_wire_put_probe(b, p->type, p->cookie);
    case GOSSIP_PART_ACK: return gossip_wire_put_ack(b, p->cookie, &p->coordinate);
    case GOSSIP_PART_PING_REQ: return gossip_wire_put_ping_req(b, p->cookie, p->ref);
    case GOSSIP_PART_RECORD: say_record(p, b); return ERR_OK;
    case GOSSIP_PART_ACCUSATION:
        return gossip_wire_put_accusation(b, p->ref, p->incarnation, p->accuser, p->signature);
    case GOSSIP_PART_DIGEST: return gossip_wire_put_digest(b, p->exponent, p->count);
    case GOSSIP_PART_VERSIONS: return gossip_wire_put_versions(b, p->count);
    case GOSSIP_PART_WANT: return gossip_wire_put_want(b, p->count);
    }
    return ERR_INTERNAL;
}

/* Reads an item and says it again. */
static enum err repeat_item(struct bytes *rest, struct gossip_part *p, struct buf *b)
{
    struct gossip_entry entry;
    uint32_t index, count = p->count;
    uint64_t hash;
    if (p->type == GOSSIP_PART_DIGEST) {
        TRY(gossip_wire_bucket(rest, p, &index, &hash));
        CHECK(gossip_wire_put_bucket(b, index, hash) == ERR_OK);
    } else {
        TRY(gossip_wire_entry(rest, p, &entry));
        enum err e = p->type == GOSSIP_PART_WANT ? gossip_wire_put_wanted(b, entry.ref, entry.kinds)
                                                 : gossip_wire_put_entry(b, &entry);
        CHECK(e == ERR_OK);
    }
    CHECK(p->count == count - 1);
    return ERR_OK;
}

/* Reads a part with its items and says it again, as far as it can be read. */
static enum err repeat_part(struct bytes *rest, struct buf *b)
{
    struct gossip_part part;
    TRY(gossip_wire_next(rest, &part));
    CHECK(say_head(&part, b) == ERR_OK);
    while (part.count)
        TRY(repeat_item(rest, &part, b));
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size < GOSSIP_MESSAGE_MAX ? size : GOSSIP_MESSAGE_MAX);
    struct bytes message = rest;
    struct buf b;
    enum err e = ERR_OK;
    buf_init_fixed(&b, storage, sizeof storage);
    while (rest.size && e == ERR_OK)
        e = repeat_part(&rest, &b);
    CHECK(e == ERR_OK || e == ERR_INVALID);
    message.size -= rest.size; /* what was read */
    CHECK(bytes_equal(buf_bytes(&b), message));
    return 0;
}
