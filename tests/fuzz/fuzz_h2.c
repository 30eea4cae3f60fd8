/* HTTP/2 sessions against anything. The first byte chooses: a server or a client that is fed the
 * rest as bytes of its peer, after a proper beginning or not; or a client and a server joined by
 * memory, the rest being a script of what their owners do, with bytes flipped on the way if it says
 * so. Nothing may crash, leak or call back out of order (tests/support/h2_pair.h checks that); an
 * undisturbed pair comes to rest. */
#include "tests/support/h2_pair.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h2_cfg cfg = {
    .streams_max = 4,
    .stream_window = 65535,
    .connection_window = 131072,
    .head_max = 1024,
};

static const struct http_head get = {
    .method = HTTP_GET, .target = {(const uint8_t *)"/x", 2}, .host = {(const uint8_t *)"h", 1}};

static enum err drain_output(struct pair_side *side)
{
    for (int i = 0; i < 10000; i++) {
        struct bytes piece;
        TRY(h2_pull(side->h, &piece));
        if (piece.size == 0)
            return ERR_OK;
    }
    return ERR_OK; /* a peer may make us send for ever, not loop without asking */
}

static void answer_all(struct pair_side *side, bool server)
{
    struct http_head ok = {.status = 200};
    for (size_t i = 0; server && i < side->count; i++) {
        struct pair_stream *ps = &side->streams[i];
        if (ps->s && h2_respond(ps->s, &ok, i % 2) == ERR_OK && i % 2 == 0) {
            ps->to_send = i * 1000;
            pair_must(h2_send(ps->s, BYTES("x")));
        }
    }
}

/* One session fed the input in pieces. */
static void run_alone(struct bytes input, bool server, bool begun)
{
    struct pair *p = pair_create(cfg, cfg);
    struct pair_side *side = server ? &p->server : &p->client;
    enum err e = ERR_OK;
    if (!server)
        for (int i = 0; i < 3; i++)
            pair_request(p, &get, i % 2);
    if (begun && server)
        e = h2_feed(side->h, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    if (begun && e == ERR_OK)
        e = h2_feed(side->h, bytes_of("\0\0\0\4\0\0\0\0\0", 9));
    while (input.size && e == ERR_OK) {
        size_t piece = input.size < 100 ? input.size : 100;
        e = h2_feed(side->h, bytes_of(input.data, piece));
        input = bytes_skip(input, piece);
        answer_all(side, server);
        if (e == ERR_OK)
            e = drain_output(side);
    }
    pair_destroy(p);
}

static struct pair_stream *pick(struct pair_side *side, uint8_t n)
{
    struct pair_stream *ps = side->count ? &side->streams[n % side->count] : NULL;
    return ps && ps->s ? ps : NULL;
}

static void act_on_stream(struct pair_stream *ps, uint8_t action, uint8_t n)
{
    struct http_head ok = {.status = 200 + n % 100};
    struct http_field field = {HTTP_OTHER, BYTES("trailer-field"), BYTES("value")};
    struct http_head trailers = {.fields = &field, .field_count = 1};
    static const uint8_t zeros[4096] = {0};
    enum err e = ERR_OK;
    switch (action) {
    case 0: e = h2_send(ps->s, bytes_of(zeros, (size_t)n * 16)); break;
    case 1: e = h2_end(ps->s, n & 1 ? &trailers : NULL); break;
    case 2: pair_cancel(ps); break;
    case 3: e = h2_respond(ps->s, &ok, n & 1); break;
    case 4: ps->hold_credit = !ps->hold_credit; break;
    case 5: h2_consume(ps->s, (size_t)n * 256); break;
    case 6:
        ps->cancel_on_data = n & 1;
        ps->cancel_on_head = n & 2;
        break;
    default: break;
    }
    CHECK(e == ERR_OK || e == ERR_LIMIT || e == ERR_INVALID);
}

static void act(struct pair *p, uint8_t what, uint8_t n)
{
    struct pair_side *side = what & 0x80 ? &p->server : &p->client;
    uint8_t action = what & 15;
    struct pair_stream *ps = pick(side, n);
    if (action < 8 && ps)
        act_on_stream(ps, action, n >> 4);
    else if (action == 8 && p->client.count < PAIR_STREAMS_MAX)
        (void)pair_request(p, &get, n & 1);
    else if (action == 9)
        side->refuse = n & 1 ? ERR_OVERLOADED : ERR_OK;
    else if (action == 10)
        side->cancel_requests = n & 1;
    else if (action == 11 && n == 0)
        h2_drain(side->h);
}

/* One piece over, with a byte changed where `flip` is not 0. */
static enum err move_flipped(struct pair_side *from, struct pair_side *to, uint8_t flip)
{
    struct bytes piece;
    TRY(h2_pull(from->h, &piece));
    uint8_t *copy = (uint8_t *)malloc(piece.size + 1);
    CHECK(copy);
    if (piece.size)
        memcpy(copy, piece.data, piece.size);
    if (flip && piece.size)
        copy[flip % piece.size] ^= flip;
    enum err e = h2_feed(to->h, bytes_of(copy, piece.size));
    free(copy);
    return e;
}

/* Undisturbed sessions must come to rest without an error. */
static void run_pair(struct bytes script, bool flips)
{
    struct pair *p = pair_create(cfg, cfg);
    enum err e = ERR_OK;
    for (; script.size >= 2 && e == ERR_OK; script = bytes_skip(script, 2)) {
        uint8_t what = script.data[0], n = script.data[1];
        if ((what & 15) < 12) {
            act(p, what, n);
            continue;
        }
        uint8_t flip = flips && (what & 15) == 15 ? n : 0;
        struct pair_side *from = what & 0x80 ? &p->server : &p->client;
        e = move_flipped(from, from == &p->client ? &p->server : &p->client, flip);
    }
    if (e == ERR_OK)
        e = pair_pump(p);
    CHECK(flips || e == ERR_OK);
    pair_destroy(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
    case 1: run_pair(rest, data[0] % 6 == 1); break;
    default: run_alone(rest, data[0] & 1, data[0] % 6 >= 4); break;
    }
    return 0;
}
