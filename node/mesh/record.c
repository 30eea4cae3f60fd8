/* Frames and sealed records of a link, and the numbers of the reasons with which it ends. Called by
 * node/mesh/link_in and link_out; the handshake's frames go through the same cutter. */
#include "node/mesh/record.h"

/* --- frames */

void record_frames_init(struct record_frames *f)
{
    f->is_used = false;
    buf_init(&f->partial, RECORD_FRAME_MAX);
}

void record_frames_fini(struct record_frames *f)
{
    buf_fini(&f->partial);
}

static size_t length_at(const uint8_t *head)
{
    return (size_t)head[0] << 8 | head[1];
}

/* Moves bytes to the partial frame until it has `size`; false when data ran out before. */
static enum err gather(struct record_frames *f, struct bytes *data, size_t size, bool *ret_enough)
{
    size_t missing = size - f->partial.size;
    size_t n = data->size < missing ? data->size : missing;
    TRY(buf_append(&f->partial, bytes_of(data->data, n)));
    *data = bytes_skip(*data, n);
    *ret_enough = n == missing;
    return ERR_OK;
}

static enum err next_gathered(struct record_frames *f, struct bytes *data, bool *ret_found,
                              struct bytes *ret_frame)
{
    bool enough = true;
    if (f->partial.size < RECORD_HEAD_SIZE)
        TRY(gather(f, data, RECORD_HEAD_SIZE, &enough));
    if (enough)
        TRY(gather(f, data, RECORD_HEAD_SIZE + length_at(f->partial.data), &enough));
    *ret_found = f->is_used = enough;
    if (enough)
        *ret_frame = bytes_skip(buf_bytes(&f->partial), RECORD_HEAD_SIZE);
    return ERR_OK;
}

enum err record_frames_next(struct record_frames *f, struct bytes *data, bool *ret_found,
                            struct bytes *ret_frame)
{
    if (f->is_used)
        buf_clear(&f->partial);
    f->is_used = false;
    bool is_whole = f->partial.size == 0 && data->size >= RECORD_HEAD_SIZE &&
                    data->size - RECORD_HEAD_SIZE >= length_at(data->data);
    if (!is_whole)
        return next_gathered(f, data, ret_found, ret_frame);
    *ret_frame = bytes_of(data->data + RECORD_HEAD_SIZE, length_at(data->data));
    *data = bytes_skip(*data, RECORD_HEAD_SIZE + ret_frame->size);
    *ret_found = true;
    return ERR_OK;
}

/* --- writing */

void record_writer_init(struct record_writer *w, const struct noise_cipher *cipher, uint64_t now_ms)
{
    *w = (struct record_writer){.cipher = *cipher, .keyed_ms = now_ms};
}

void record_writer_fini(struct record_writer *w)
{
    crypto_wipe(w, sizeof(*w));
}

static enum err begin(struct record_writer *w, struct buf *out, enum record_type type)
{
    CHECK(type != RECORD_NONE);
    size_t at = out->size;
    uint8_t head[RECORD_HEAD_SIZE + 1] = {0, 0, (uint8_t)type};
    TRY(buf_append(out, bytes_of(head, sizeof(head))));
    w->open_type = type;
    w->open_at = at;
    return ERR_OK;
}

enum err record_end(struct record_writer *w, struct buf *out)
{
    if (w->open_type == RECORD_NONE)
        return ERR_OK;
    TRY(buf_reserve(out, CRYPTO_TAG_SIZE));
    uint8_t *head = out->data + w->open_at;
    size_t plain_size = out->size - w->open_at - RECORD_HEAD_SIZE;
    size_t size = plain_size + CRYPTO_TAG_SIZE;
    CHECK(size <= NOISE_MESSAGE_MAX);
    TRY(noise_cipher_seal(&w->cipher, bytes_of(head + RECORD_HEAD_SIZE, plain_size),
                          head + RECORD_HEAD_SIZE));
    head[0] = (uint8_t)(size >> 8);
    head[1] = (uint8_t)size;
    out->size += CRYPTO_TAG_SIZE;
    w->bytes += size;
    w->open_type = RECORD_NONE;
    return ERR_OK;
}

enum err record_put(struct record_writer *w, struct buf *out, enum record_type type,
                    struct bytes body)
{
    if (w->open_type != type)
        TRY(record_end(w, out));
    while (body.size) {
        if (w->open_type == RECORD_NONE)
            TRY(begin(w, out, type));
        size_t used = out->size - w->open_at - RECORD_HEAD_SIZE - 1;
        size_t n = RECORD_BODY_MAX - used < body.size ? RECORD_BODY_MAX - used : body.size;
        TRY(buf_append(out, bytes_of(body.data, n)));
        body = bytes_skip(body, n);
        if (used + n == RECORD_BODY_MAX)
            TRY(record_end(w, out));
    }
    return ERR_OK;
}

enum err record_put_whole(struct record_writer *w, struct buf *out, enum record_type type,
                          struct bytes body)
{
    TRY(record_end(w, out));
    TRY(begin(w, out, type));
    TRY(buf_append(out, body));
    return record_end(w, out);
}

enum err record_put_rekey(struct record_writer *w, struct buf *out, uint64_t now_ms)
{
    TRY(record_put_whole(w, out, RECORD_REKEY, BYTES("")));
    noise_cipher_rekey(&w->cipher);
    w->bytes = 0;
    w->keyed_ms = now_ms;
    return ERR_OK;
}

/* --- reading */

static bool body_fits(uint8_t type, size_t size)
{
    switch (type) {
    case RECORD_DIALLER:
    case RECORD_ACCEPTOR: return size > 0;
    case RECORD_PING:
    case RECORD_PONG: return size == RECORD_PING_SIZE;
    case RECORD_REKEY: return size == 0;
    case RECORD_CLOSE: return size == 1;
    default: return false;
    }
}

enum err record_open(struct noise_cipher *cipher, struct bytes frame, uint8_t *plain,
                     enum record_type *ret_type, struct bytes *ret_body)
{
    if (frame.size < 1 + CRYPTO_TAG_SIZE || frame.size > NOISE_MESSAGE_MAX)
        return ERR_PROTOCOL;
    TRY(noise_cipher_open(cipher, frame, plain));
    size_t size = frame.size - CRYPTO_TAG_SIZE - 1;
    if (!body_fits(plain[0], size))
        return ERR_PROTOCOL;
    if (plain[0] == RECORD_REKEY)
        noise_cipher_rekey(cipher);
    *ret_type = (enum record_type)plain[0];
    *ret_body = bytes_of(plain + 1, size);
    return ERR_OK;
}

/* --- reasons */

static const struct {
    uint8_t code;
    enum err reason;
} reasons[] = {
    {1, ERR_DRAINING},      {2, ERR_DUPLICATE_LINK}, {3, ERR_PROTOCOL},   {4, ERR_WRONG_MESH},
    {5, ERR_BAD_SIGNATURE}, {6, ERR_CERT_EXPIRED},   {7, ERR_CERT_SCOPE}, {8, ERR_CLOCK_SKEW},
    {9, ERR_SELF_LINK},     {10, ERR_LIMIT},         {11, ERR_TIMEOUT},   {12, ERR_INVALID},
    {13, ERR_EOF},          {14, ERR_INTERNAL},      {15, ERR_LINK_LOST}, {16, ERR_IDLE},
    {17, ERR_REVOKED},      {18, ERR_NOT_ADMITTED},
};

uint8_t record_reason_encode(enum err reason)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].reason == reason)
            return reasons[i].code;
    }
    return record_reason_encode(ERR_INTERNAL);
}

enum err record_reason_decode(uint8_t code)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code)
            return reasons[i].reason;
    }
    return ERR_PROTOCOL;
}
