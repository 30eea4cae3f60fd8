/* See wire.h. Called by forward.c and checkpoint.c, which judge what the values mean. */
#include "node/rules/wire.h"

#include "node/rules/wire.pb-c.h"
#include "node/trust/codec.h"

/* --- answers */

/* A word that this program does not know is a refusal all the same. */
static enum err err_of_word(struct bytes word)
{
    if (word.size == 0)
        return ERR_OK;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        if (bytes_equal(word, bytes_from_str(err_word((enum err)e))))
            return (enum err)e;
    return ERR_UNSUPPORTED;
}

enum err wire_answer_encode(const struct wire_answer *a, struct buf *out)
{
    const struct registry_result *r = &a->result;
    Rules__Answer m = RULES__ANSWER__INIT;
    if (r->err != ERR_OK)
        m.reason = codec_bytes(bytes_from_str(err_word(r->err)));
    m.index = r->index;
    m.epoch = r->epoch;
    m.field = codec_bytes(bytes_from_str(r->fault.field));
    m.what = codec_bytes(bytes_from_str(r->fault.what));
    if (!id_is_zero(&r->author))
        m.author = codec_id(&r->author);
    m.sequence = r->sequence;
    m.changed = r->changed;
    m.is_repeat = r->is_repeat;
    if (!id_is_zero(&a->leader))
        m.leader = codec_id(&a->leader);
    return codec_encode(&m, WIRE_ANSWER_MAX, out);
}

static bool copy_id_or_none(ProtobufCBinaryData from, struct id *ret_id)
{
    return from.len == 0 || codec_copy_id(from, ret_id);
}

static bool copy_text(ProtobufCBinaryData from, char *ret_text, size_t size)
{
    if (from.len >= size || (from.len > 0 && memchr(from.data, 0, from.len)))
        return false;
    bytes_to_str(bytes_of(from.data, from.len), ret_text, size);
    return true;
}

static bool answer_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Rules__Answer *m = message;
    struct wire_answer *a = ret_value;
    (void)d;
    *a =
        (struct wire_answer){.result = {.err = err_of_word(bytes_of(m->reason.data, m->reason.len)),
                                        .index = m->index,
                                        .epoch = m->epoch,
                                        .sequence = m->sequence,
                                        .changed = m->changed,
                                        .is_repeat = m->is_repeat}};
    return copy_text(m->field, a->result.fault.field, sizeof a->result.fault.field) &&
           copy_text(m->what, a->result.fault.what, sizeof a->result.fault.what) &&
           copy_id_or_none(m->author, &a->result.author) && copy_id_or_none(m->leader, &a->leader);
}

enum err wire_answer_decode(struct bytes data, struct wire_answer *ret_answer)
{
    struct wire_answer a;
    TRY(codec_decode(data, &rules__answer__descriptor, WIRE_ANSWER_MAX, answer_from_message, &a));
    *ret_answer = a;
    return ERR_OK;
}

/* --- checkpoints */

enum err wire_checkpoint_encode(const struct checkpoint *c, struct buf *out)
{
    Rules__Checkpoint m = RULES__CHECKPOINT__INIT;
    m.mesh = codec_id(&c->mesh);
    m.index = c->index;
    m.term = c->term;
    m.chain = codec_binary(c->chain, sizeof c->chain);
    if (c->has_state)
        m.state_hash = codec_binary(c->state_hash, sizeof c->state_hash);
    m.epoch = c->epoch;
    m.time_ms = c->time_ms;
    return codec_encode(&m, CHECKPOINT_SIZE_MAX, out);
}

static bool checkpoint_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Rules__Checkpoint *m = message;
    struct checkpoint *c = ret_value;
    (void)d;
    *c = (struct checkpoint){.index = m->index,
                             .term = m->term,
                             .has_state = m->state_hash.len > 0,
                             .epoch = m->epoch,
                             .time_ms = m->time_ms};
    return codec_copy_id(m->mesh, &c->mesh) && codec_copy(m->chain, c->chain, sizeof c->chain) &&
           (!c->has_state || codec_copy(m->state_hash, c->state_hash, sizeof c->state_hash));
}

enum err wire_checkpoint_decode(struct bytes record, struct checkpoint *ret_checkpoint)
{
    struct checkpoint c;
    TRY(codec_decode(record, &rules__checkpoint__descriptor, CHECKPOINT_SIZE_MAX,
                     checkpoint_from_message, &c));
    *ret_checkpoint = c;
    return ERR_OK;
}

enum err wire_signed_encode(const struct wire_signed *s, struct buf *out)
{
    Rules__SignedCheckpoint m = RULES__SIGNED_CHECKPOINT__INIT;
    m.record = codec_bytes(s->record);
    m.signature = codec_binary(s->signature, sizeof s->signature);
    m.certificates = codec_bytes(s->certificates);
    return codec_encode(&m, CHECKPOINT_SIZE_MAX, out);
}

static bool signed_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Rules__SignedCheckpoint *m = message;
    struct wire_signed *s = ret_value;
    s->record = codec_borrow(d, m->record);
    s->certificates = codec_borrow(d, m->certificates);
    return codec_copy(m->signature, s->signature, sizeof s->signature);
}

enum err wire_signed_decode(struct bytes data, struct wire_signed *ret_signed)
{
    struct wire_signed s;
    TRY(codec_decode(data, &rules__signed_checkpoint__descriptor, CHECKPOINT_SIZE_MAX,
                     signed_from_message, &s));
    *ret_signed = s;
    return ERR_OK;
}
