/* See octets.h. Used for envelopes (egress/peer_call, ingress/peer_conn) and receipts. Seven octets
 * become eight bytes. */
#include "node/http/octets.h"

enum err http_octets_pack(struct buf *out, struct bytes data)
{
    TRY(buf_reserve(out, http_octets_packed_size(data.size)));
    uint8_t *to = out->data + out->size;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < data.size; i++) {
        bits = bits << 8 | data.data[i];
        held += 8;
        while (held >= 7) {
            held -= 7;
            *to++ = (uint8_t)(0x80 | (bits >> held & 0x7F));
        }
        bits &= (1u << held) - 1;
    }
    if (held > 0)
        *to++ = (uint8_t)(0x80 | (bits << (7 - held) & 0x7F));
    out->size = (size_t)(to - out->data);
    return ERR_OK;
}

enum err http_octets_unpack(struct bytes value, struct buf *out)
{
    size_t size = value.size * 7 / 8;
    if (http_octets_packed_size(size) != value.size)
        return ERR_INVALID;
    TRY(buf_reserve(out, size));
    uint8_t *to = out->data + out->size;
    uint32_t bits = 0;
    unsigned held = 0;
    uint8_t all = 0x80;
    for (size_t i = 0; i < value.size; i++) {
        all &= value.data[i];
        bits = bits << 7 | (value.data[i] & 0x7Fu);
        held += 7;
        if (held >= 8) {
            held -= 8;
            *to++ = (uint8_t)(bits >> held);
        }
        bits &= (1u << held) - 1;
    }
    if (!all || bits != 0)
        return ERR_INVALID;
    out->size += size;
    return ERR_OK;
}
