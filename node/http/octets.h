/* Octets as a field value: seven bits to a byte, the top bit set (obs-text of RFC 9110
 * section 5.5), so that any bytes travel in a header block of ours. A seventh larger, where base64
 * is a third; and HPACK's Huffman code, which would be tried on base64 at both ends, is never
 * shorter for these. Only between nodes: the peers of a link are both this program. */
#ifndef NODE_HTTP_OCTETS_H
#define NODE_HTTP_OCTETS_H

#include "base/buf.h"

static inline size_t http_octets_packed_size(size_t size)
{
    return (size * 8 + 6) / 7;
}

/* Appends. LIMIT. */
MUST_CHECK enum err http_octets_pack(struct buf *out, struct bytes data);
/* Appends the octets of a value. INVALID: a byte below 0x80, a length that no data gives, or
 * non-zero padding. */
MUST_CHECK enum err http_octets_unpack(struct bytes value, struct buf *out);

#endif
