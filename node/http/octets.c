/* See octets.h. Used for envelopes (egress/peer_call, ingress/peer_conn) and receipts. Seven octets
 * become eight bytes: 56 bits are spread to eight groups of seven by three shifts each way. */
#include "node/http/octets.h"

#include <endian.h>

#define TOP_BITS 0x8080808080808080ull

/* Big-endian. A whole word is one load and one store: this runs over every record of a hop. */
static uint64_t load_word(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return be64toh(word);
}

static void store_word(uint64_t word, uint8_t *to)
{
    word = htobe64(word);
    memcpy(to, &word, sizeof word);
}

static uint64_t load(const uint8_t *from, unsigned size)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < size; i++)
        word = word << 8 | from[i];
    return word;
}

static void store(uint64_t word, uint8_t *to, unsigned size)
{
    for (unsigned i = size; i-- > 0; word >>= 8)
        to[i] = (uint8_t)word;
}

static uint64_t spread(uint64_t x)
{
    x = (x & 0x000000000FFFFFFFull) | (x & 0x00FFFFFFF0000000ull) << 4;
    x = (x & 0x00003FFF00003FFFull) | (x & 0x0FFFC0000FFFC000ull) << 2;
    return (x & 0x007F007F007F007Full) | (x & 0x3F803F803F803F80ull) << 1 | TOP_BITS;
}

static uint64_t gather(uint64_t x)
{
    x = (x & 0x007F007F007F007Full) | (x & 0x7F007F007F007F00ull) >> 1;
    x = (x & 0x00003FFF00003FFFull) | (x & 0x3FFF00003FFF0000ull) >> 2;
    return (x & 0x000000000FFFFFFFull) | (x & 0x0FFFFFFF00000000ull) >> 4;
}

enum err http_octets_pack(struct buf *out, struct bytes data)
{
    size_t packed = http_octets_packed_size(data.size);
    if (packed == 0)
        return ERR_OK;
    TRY(buf_reserve(out, packed));
    uint8_t *to = out->data + out->size;
    out->size += packed;
    for (; data.size >= 8; data = bytes_skip(data, 7), to += 8)
        store_word(spread(load_word(data.data) >> 8), to);
    for (; data.size >= 7; data = bytes_skip(data, 7), to += 8)
        store_word(spread(load(data.data, 7)), to);
    if (data.size > 0) { /* n octets in n + 1 bytes, padded with zero bits */
        unsigned rest = (unsigned)data.size;
        uint64_t word = spread(load(data.data, rest) << 8 * (7 - rest));
        store(word >> 8 * (7 - rest), to, rest + 1);
    }
    return ERR_OK;
}

enum err http_octets_unpack(struct bytes value, struct buf *out)
{
    size_t size = value.size * 7 / 8;
    if (http_octets_packed_size(size) != value.size)
        return ERR_INVALID;
    if (size == 0)
        return ERR_OK;
    TRY(buf_reserve(out, size));
    uint8_t *to = out->data + out->size;
    uint64_t all = TOP_BITS;
    uint64_t padding = 0;
    for (; value.size >= 16; value = bytes_skip(value, 8), to += 7) {
        uint64_t word = load_word(value.data);
        all &= word;
        store_word(gather(word) << 8, to); /* the eighth byte is the next one's first */
    }
    for (; value.size >= 8; value = bytes_skip(value, 8), to += 7) {
        uint64_t word = load_word(value.data);
        all &= word;
        store(gather(word), to, 7);
    }
    if (value.size > 0) {
        unsigned rest = (unsigned)value.size;
        uint64_t word = load(value.data, rest) << 8 * (8 - rest);
        all &= word | TOP_BITS >> 8 * rest;
        word = gather(word);
        padding = word & ((1ull << 8 * (8 - rest)) - 1);
        store(word >> 8 * (8 - rest), to, rest - 1);
    }
    if (all != TOP_BITS || padding != 0)
        return ERR_INVALID;
    out->size += size;
    return ERR_OK;
}
