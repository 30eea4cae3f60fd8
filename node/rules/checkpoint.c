/* See checkpoint.h. */
#include "node/rules/checkpoint.h"

#include "node/rules/wire.h"

#define LABEL "grapevine checkpoint 1" /* signed with its NUL */
#define RECORD_MAX 256

/* What is signed: label, NUL, record. */
static enum err signed_text(struct bytes record, struct buf *out)
{
    TRY(buf_append(out, bytes_of(LABEL, sizeof(LABEL))));
    return buf_append(out, record);
}

enum err checkpoint_sign(const struct checkpoint *c, const struct identity *identity,
                         struct checkpoint_signed *ret_signed)
{
    uint8_t record_space[RECORD_MAX], text_space[RECORD_MAX + sizeof(LABEL)];
    struct buf record, text, wire;
    struct checkpoint_signed s = {.index = c->index, .signer = identity->node};
    buf_init_fixed(&record, record_space, sizeof record_space);
    buf_init_fixed(&text, text_space, sizeof text_space);
    buf_init_fixed(&wire, s.wire, sizeof s.wire);
    TRY(wire_checkpoint_encode(c, &record));
    TRY(signed_text(buf_bytes(&record), &text));
    struct wire_signed parts = {.record = buf_bytes(&record),
                                .certificates = bytes_of(identity->chain, identity->chain_size)};
    crypto_sign(identity->secret, buf_bytes(&text), parts.signature);
    TRY(wire_signed_encode(&parts, &wire));
    s.size = wire.size;
    *ret_signed = s;
    return ERR_OK;
}

static enum err verify_signature(const struct wire_signed *s, const struct cert *signer)
{
    uint8_t space[RECORD_MAX + sizeof(LABEL)];
    struct buf text;
    buf_init_fixed(&text, space, sizeof space);
    TRY(signed_text(s->record, &text));
    return crypto_verify(signer->subject, buf_bytes(&text), s->signature) ? ERR_OK
                                                                          : ERR_BAD_SIGNATURE;
}

enum err checkpoint_verify(struct bytes wire, const struct identity *identity, uint64_t now_ms,
                           struct checkpoint *ret_checkpoint, struct checkpoint_signed *ret_signed)
{
    struct wire_signed s;
    struct cert_chain chain;
    struct checkpoint c;
    TRY(wire_signed_decode(wire, &s));
    TRY(cert_chain_verify(s.certificates, identity->root, now_ms, &chain));
    if (cert_leaf(&chain)->kind != CERT_NODE)
        return ERR_CERT_SCOPE;
    TRY(verify_signature(&s, cert_leaf(&chain)));
    TRY(wire_checkpoint_decode(s.record, &c));
    if (!id_equal(&c.mesh, &identity->mesh))
        return ERR_WRONG_MESH;
    *ret_checkpoint = c;
    ret_signed->size = wire.size;
    ret_signed->index = c.index;
    ret_signed->signer = id_of_public_key(cert_leaf(&chain)->subject);
    memcpy(ret_signed->wire, wire.data, wire.size);
    return ERR_OK;
}

/* --- ranges */

enum err checkpoint_range_encode(const struct checkpoint_range *range, struct buf *out)
{
    CHECK(range->checkpoint.size <= CHECKPOINT_SIZE_MAX);
    TRY(buf_append_u64(out, range->commit));
    TRY(buf_append_u16(out, (uint16_t)range->checkpoint.size));
    TRY(buf_append(out, range->checkpoint));
    return buf_append(out, range->records);
}

enum err checkpoint_range_decode(struct bytes wire, struct checkpoint_range *ret_range)
{
    uint64_t commit = 0;
    if (wire.size < 10)
        return ERR_INVALID;
    for (int i = 0; i < 8; i++)
        commit = commit << 8 | wire.data[i];
    size_t size = (size_t)wire.data[8] << 8 | wire.data[9];
    wire = bytes_skip(wire, 10);
    if (size > CHECKPOINT_SIZE_MAX || size > wire.size)
        return ERR_INVALID;
    *ret_range = (struct checkpoint_range){.commit = commit,
                                           .checkpoint = bytes_of(wire.data, size),
                                           .records = bytes_skip(wire, size)};
    return ERR_OK;
}
