/* How a scripted peer (hop_peer.h) asks: a signed envelope for a whole body, of which it sends what
 * its test wants. */
#ifndef TESTS_UNIT_NODE_HOP_ASK_H
#define TESTS_UNIT_NODE_HOP_ASK_H

#include "base/digest.h"
#include "tests/unit/node/hop_peer.h"
#include "tests/unit/node/signed_alone.h"

#define HOP_BODY "{\"model\":\"m\",\"messages\":[]}"
#define HOP_TARGET "/v1/chat/completions"

static inline struct envelope hop_envelope(struct hop_peer *p, struct peer *to, struct bytes body)
{
    struct digest digest;
    struct envelope e = {.mesh = p->identity.mesh,
                         .origin = p->identity.node,
                         .sender = p->identity.node,
                         .receiver = to->id,
                         .boot_ms = FIXTURE_NOW_MS,
                         .sequence = to->next_sequence++,
                         .issued_ms = io_wall_ms(p->loop),
                         .deadline_ms = 600000,
                         .hop = 1,
                         .target = BYTES(HOP_TARGET),
                         .model = BYTES("m")};
    FIXTURE_SET(e.request_id, "hop-request");
    FIXTURE_SET(e.path[0], "peer");
    digest_init(&digest);
    digest_update(&digest, body);
    digest_final(&digest, e.body_hash);
    return e;
}

/* Encodes, signs alone in a batch, seals and packs. */
static inline void hop_seal(struct hop_peer *p, const struct envelope *e, struct buf *text)
{
    struct batch_proof proof;
    struct buf record, wire;
    buf_init(&record, ENVELOPE_RECORD_MAX);
    buf_init(&wire, ENVELOPE_WIRE_MAX);
    assert_int_equal(envelope_encode(e, &record), ERR_OK);
    sign_alone(BATCH_ENVELOPE, buf_bytes(&record), p->identity.secret, &proof);
    assert_int_equal(envelope_seal(buf_bytes(&record), &proof, &wire), ERR_OK);
    assert_int_equal(http_octets_pack(text, buf_bytes(&wire)), ERR_OK);
    buf_fini(&record);
    buf_fini(&wire);
}

/* Opens a request with this sealed envelope (empty: none), and sends nothing of its body. */
static inline struct hop_stream *hop_ask_with(struct hop_peer *p, int index, const struct side *to,
                                              struct bytes envelope)
{
    struct hop_stream *s = &p->asks[index];
    struct http_field field = {HTTP_GRAPEVINE_ENVELOPE, http_name_text(HTTP_GRAPEVINE_ENVELOPE),
                               envelope};
    struct http_head head = {.method = HTTP_POST,
                             .target = BYTES(HOP_TARGET),
                             .host = BYTES("grapevine"),
                             .content_length = -1,
                             .fields = &field,
                             .field_count = envelope.size > 0};
    *s = (struct hop_stream){.ms = {.ops = &hop_stream_ops}, .peer = p};
    assert_int_equal(mesh_stream_open(hop_peer_of(p, to), &head, false, &s->ms), ERR_OK);
    return s;
}

/* Likewise, with an envelope as it should be. */
static inline struct hop_stream *hop_ask(struct hop_peer *p, int index, const struct side *to,
                                         struct bytes body)
{
    struct buf text;
    struct envelope e = hop_envelope(p, hop_peer_of(p, to), body);
    buf_init(&text, 2 * ENVELOPE_WIRE_MAX);
    hop_seal(p, &e, &text);
    struct hop_stream *s = hop_ask_with(p, index, to, buf_bytes(&text));
    buf_fini(&text);
    return s;
}

static inline void hop_send(struct hop_stream *s, struct bytes piece)
{
    assert_int_equal(h2_send(s->ms.h2, piece), ERR_OK);
}

#endif
