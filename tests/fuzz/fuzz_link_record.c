/* The acceptor's side of a link against anything. The first byte chooses who sends the rest:
 *   0  a stranger: raw bytes instead of a handshake
 *   1  somebody who speaks Noise: the bytes are the hello
 *   2  an attacker on the wire: raw bytes after a good handshake; no record may open
 *   3  a hostile member: the bytes are records (type, u16 length, body), well sealed; HTTP/2
 * inside */
#include "node/http/h2.h"
#include "node/mesh/handshake.h"
#include "node/mesh/record.h"
#include "tests/support/trust_fixture.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t keys[4][32] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}};
static uint8_t plain[NOISE_MESSAGE_MAX];

static void acceptor_init(struct handshake *h)
{
    static struct identity identity;
    if (!identity.chain_size) {
        struct fixture f;
        fixture_init(&f, 1);
        fixture_identity(&f, 101, "cloud-1", TIER_CLOUD, "eu-west", &identity);
    }
    handshake_init(h, &(struct handshake_cfg){.identity = &identity,
                                              .static_secret = keys[0],
                                              .test_ephemeral_secret = keys[1]});
}

/* --- 0: a stranger */

static void read_as_acceptor(struct bytes data)
{
    struct handshake h;
    struct record_frames frames;
    struct buf out;
    bool found = true;
    enum err e = ERR_OK;
    acceptor_init(&h);
    record_frames_init(&frames);
    buf_init(&out, 16384);
    while (e == ERR_OK && found) {
        struct bytes frame;
        CHECK(record_frames_next(&frames, &data, &found, &frame) == ERR_OK);
        if (found)
            e = handshake_read(&h, frame, FIXTURE_NOW_MS, &out);
    }
    buf_fini(&out);
    record_frames_fini(&frames);
    handshake_fini(&h);
}

/* --- 1: somebody who speaks Noise */

static void speak_hello(struct bytes hello)
{
    static const char label[] = "grapevine link 1";
    uint8_t prologue[sizeof(label) + ID_SIZE];
    struct handshake h;
    struct noise n;
    struct buf wire, answer, payload;
    buf_init(&wire, 1 << 17);
    buf_init(&answer, 1 << 17);
    buf_init(&payload, 1 << 17);
    acceptor_init(&h);
    memcpy(prologue, label, sizeof(label));
    memcpy(prologue + sizeof(label), h.identity->mesh.bytes, ID_SIZE);
    noise_init(&n, &(struct noise_cfg){.initiator = true,
                                       .prologue = bytes_of(prologue, sizeof(prologue)),
                                       .static_secret = keys[2],
                                       .test_ephemeral_secret = keys[3]});
    CHECK(noise_write(&n, bytes_of(h.identity->mesh.bytes, ID_SIZE), &wire) == ERR_OK);
    CHECK(handshake_read(&h, buf_bytes(&wire), FIXTURE_NOW_MS, &answer) == ERR_OK);
    CHECK(noise_read(&n, bytes_skip(buf_bytes(&answer), RECORD_HEAD_SIZE), &payload) == ERR_OK);
    buf_clear(&wire);
    if (noise_write(&n, hello, &wire) == ERR_OK) {
        enum err e = handshake_read(&h, buf_bytes(&wire), FIXTURE_NOW_MS, &answer);
        CHECK(e != ERR_OK || h.is_done);
    }
    buf_fini(&wire);
    buf_fini(&answer);
    buf_fini(&payload);
    noise_fini(&n);
    handshake_fini(&h);
}

/* --- 2: an attacker on the wire */

static void read_raw_records(struct bytes data)
{
    struct noise_cipher cipher = {.key = {2}}; /* nothing in the corpus is sealed with it */
    struct record_frames frames;
    bool found = true;
    record_frames_init(&frames);
    while (found) {
        struct bytes frame, body;
        enum record_type type;
        CHECK(record_frames_next(&frames, &data, &found, &frame) == ERR_OK);
        if (found)
            CHECK(record_open(&cipher, frame, plain, &type, &body) != ERR_OK);
    }
    record_frames_fini(&frames);
}

/* --- 3: a hostile member */

static void on_output(void *owner)
{
    *(bool *)owner = true;
}

static enum err on_request(void *owner, struct h2_stream *s, const struct http_head *head,
                           bool ended)
{
    struct http_head answer = {.status = 200, .content_length = -1};
    h2_stream_set_owner(s, owner);
    if (head->target.size > 100)
        return ERR_LIMIT;
    if (ended)
        return h2_respond(s, &answer, true);
    return ERR_OK;
}

static void on_goaway(void *owner)
{
    *(bool *)owner = true;
}

static void on_head(void *owner, struct h2_stream *s, const struct http_head *head, bool ended)
{
    (void)owner, (void)s, (void)head, (void)ended;
    abort(); /* a server is sent no answers */
}

static void on_data(void *owner, struct h2_stream *s, struct bytes data)
{
    (void)owner;
    h2_consume(s, data.size);
}

static void on_end(void *owner, struct h2_stream *s, const struct http_head *trailers)
{
    struct http_head answer = {.status = 200, .content_length = -1};
    (void)owner, (void)trailers;
    if (h2_respond(s, &answer, true) != ERR_OK)
        h2_cancel(s);
}

static void on_want(void *owner, struct h2_stream *s)
{
    (void)owner, (void)s;
}

static void on_closed(void *owner, struct h2_stream *s, enum err reason)
{
    (void)owner, (void)s, (void)reason;
}

static const struct h2_ops ops = {on_output, on_request, on_goaway, on_head,
                                  on_data,   on_end,     on_want,   on_closed};

static enum err pull_all(struct h2 *h)
{
    for (;;) {
        struct bytes piece;
        TRY(h2_pull(h, &piece));
        if (!piece.size)
            return ERR_OK;
    }
}

static enum err read_sealed(struct noise_cipher *reader, struct bytes frame, struct h2 *h)
{
    enum record_type type;
    struct bytes body;
    TRY(record_open(reader, frame, plain, &type, &body));
    if (type == RECORD_DIALLER)
        TRY(h2_feed(h, body));
    return pull_all(h);
}

static void read_member(struct bytes data)
{
    struct noise_cipher key = {.key = {1}};
    struct record_writer writer;
    struct buf wire;
    struct h2 *h;
    bool flag;
    struct h2_cfg cfg = {.server = true,
                         .streams_max = 8,
                         .stream_window = 65536,
                         .connection_window = 1 << 20,
                         .head_max = 16384};
    CHECK(h2_create(&cfg, &ops, &flag, &h) == ERR_OK);
    record_writer_init(&writer, &key, 0);
    buf_init(&wire, 1 << 17);
    for (enum err e = ERR_OK; e == ERR_OK && data.size >= 3;) {
        size_t size = ((size_t)data.data[1] << 8 | data.data[2]) % (RECORD_BODY_MAX + 1);
        struct bytes body = bytes_skip(data, 3);
        body.size = body.size < size ? body.size : size;
        enum record_type type = (enum record_type)(data.data[0] ? data.data[0] : RECORD_CLOSE + 1);
        buf_clear(&wire);
        CHECK(record_put_whole(&writer, &wire, type, body) == ERR_OK);
        if (type == RECORD_REKEY)
            noise_cipher_rekey(&writer.cipher);
        e = read_sealed(&key, bytes_skip(buf_bytes(&wire), RECORD_HEAD_SIZE), h);
        CHECK(e != ERR_BAD_SIGNATURE);
        data = bytes_skip(data, 3 + body.size);
    }
    h2_destroy(h);
    buf_fini(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (crypto_init() != ERR_OK || size == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: read_as_acceptor(rest); break;
    case 1: speak_hello(rest); break;
    case 2: read_raw_records(rest); break;
    default: read_member(rest); break;
    }
    return 0;
}
