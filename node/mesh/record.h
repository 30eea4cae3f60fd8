/* What runs inside a link's TCP stream: frames (u16 big-endian length, then that many bytes), and
 * after the handshake one sealed record per frame: a type byte and a body, under one cipher per
 * direction that is rekeyed by bytes and by time. Byte for byte in README.md. Pure: called by
 * node/mesh/link_in and link_out. */
#ifndef NODE_MESH_RECORD_H
#define NODE_MESH_RECORD_H

#include "node/mesh/noise.h"

#define RECORD_HEAD_SIZE 2
#define RECORD_BODY_MAX (16 * 1024) /* of those we write; the wire allows what a frame holds */
#define RECORD_FRAME_MAX (RECORD_HEAD_SIZE + NOISE_MESSAGE_MAX)
#define RECORD_OVERHEAD (RECORD_HEAD_SIZE + 1 + CRYPTO_TAG_SIZE)

enum record_type {
    RECORD_NONE,
    RECORD_DIALLER,  /* bytes of the HTTP/2 session whose client is the dialler */
    RECORD_ACCEPTOR, /* bytes of the HTTP/2 session whose client is the acceptor */
    RECORD_PING,     /* 8 bytes, to be sent back */
    RECORD_PONG,     /* the same 8 bytes */
    RECORD_REKEY,    /* empty; the records after it are under the next key */
    RECORD_CLOSE,    /* 1 byte: why; the last record */
};
#define RECORD_PING_SIZE 8

/* --- frames: cuts a byte stream into frames, whatever pieces it comes in. Whole frames are not
 * copied. */
struct record_frames {
    struct buf partial;
    bool is_used; /* the last frame handed out lies in `partial` */
};
void record_frames_init(struct record_frames *f);
void record_frames_fini(struct record_frames *f);
/* Takes bytes off the front of *data. *ret_found: *ret_frame is the next frame (without its
 * length), valid until the next call and while the data is; else all of *data was taken.
 * NO_MEMORY. */
MUST_CHECK enum err record_frames_next(struct record_frames *f, struct bytes *data, bool *ret_found,
                                       struct bytes *ret_frame);

/* --- writing */
struct record_writer {
    struct noise_cipher cipher;
    uint64_t bytes; /* under this key */
    uint64_t keyed_ms;
    enum record_type open_type; /* RECORD_NONE: no record is open */
    size_t open_at;             /* where it begins in the output */
};
void record_writer_init(struct record_writer *w, const struct noise_cipher *cipher,
                        uint64_t now_ms);
void record_writer_fini(struct record_writer *w);
/* Appends body bytes to records of this type in `out`: to the open one if it is of this type, in as
 * many as are needed. The last one stays open for more until record_end; no other function may be
 * called meanwhile, and `out` may only be appended to by these functions. LIMIT, NO_MEMORY. */
MUST_CHECK enum err record_put(struct record_writer *w, struct buf *out, enum record_type type,
                               struct bytes body);
/* Seals the open record, if there is one. */
MUST_CHECK enum err record_end(struct record_writer *w, struct buf *out);
/* A whole small record. */
MUST_CHECK enum err record_put_whole(struct record_writer *w, struct buf *out,
                                     enum record_type type, struct bytes body);
/* Writes the rekey notice and changes the key. */
MUST_CHECK enum err record_put_rekey(struct record_writer *w, struct buf *out, uint64_t now_ms);

/* --- reading: opens one frame into `plain` (room for NOISE_MESSAGE_MAX bytes); *ret_body points
 * into it. A rekey notice has taken effect when this returns. PROTOCOL: no such type, or a body of
 * the wrong size; BAD_SIGNATURE. */
MUST_CHECK enum err record_open(struct noise_cipher *cipher, struct bytes frame, uint8_t *plain,
                                enum record_type *ret_type, struct bytes *ret_body);

/* Reasons on the wire: numbers that never change, unlike enum err. */
uint8_t record_reason_encode(enum err reason);
/* PROTOCOL for a number that we do not know. */
enum err record_reason_decode(uint8_t code);

#endif
