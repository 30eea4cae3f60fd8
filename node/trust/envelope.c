/* Envelopes: encoding, sealing, opening, and the checks of a receiver. The bytes are wire.c's, the
 * signatures batch.c's. The egress to peers makes them, the ingress of links opens them: once per
 * forwarded request, so nothing here allocates. */
#include "node/trust/envelope.h"

#include "node/trust/text.h"
#include "node/trust/wire.h"

static bool shape_is_valid(const struct envelope *e)
{
    if (!trust_text_is_visible(bytes_from_str(e->request_id)) || e->hop == 0 || e->sequence == 0)
        return false;
    for (uint32_t i = 0; i < envelope_path_count(e); i++)
        if (!cert_name_is_valid(bytes_from_str(e->path[i])))
            return false;
    return e->target.size > 0 && trust_text_is_plain(e->target) && trust_text_is_plain(e->model) &&
           trust_text_is_plain(e->version) && trust_text_is_plain(e->tenant) &&
           trust_text_is_plain(e->asked_model) && trust_text_is_plain(bytes_from_str(e->region));
}

enum err envelope_encode(const struct envelope *e, struct buf *record)
{
    if (!shape_is_valid(e))
        return ERR_INVALID;
    return trust_wire_envelope_encode(e, record);
}

enum err envelope_seal(struct bytes record, const struct batch_proof *proof, struct buf *wire)
{
    return trust_wire_sealed_encode(record, proof, wire);
}

/* The signature before the record is looked into: a stranger's bytes reach fewer lines. */
enum err envelope_open(struct bytes wire, const uint8_t signer[CRYPTO_PUBLIC_SIZE],
                       struct batch_cache *cache, struct envelope *ret_envelope)
{
    struct bytes record;
    struct batch_proof proof;
    struct envelope envelope;
    TRY(trust_wire_sealed_decode(wire, &record, &proof));
    TRY(batch_verify(signer, BATCH_ENVELOPE, record, &proof, cache));
    TRY(trust_wire_envelope_decode(record, &envelope));
    if (!shape_is_valid(&envelope))
        return ERR_INVALID;
    *ret_envelope = envelope;
    return ERR_OK;
}

/* --- the receiver's window --- */

void envelope_window_init(struct envelope_window *w)
{
    *w = (struct envelope_window){0};
}

static void window_set(struct envelope_window *w, uint64_t sequence, bool is_seen)
{
    uint64_t bit = 1ull << (sequence % 64);
    uint64_t *word = &w->bits[sequence % ENVELOPE_WINDOW / 64];
    *word = is_seen ? *word | bit : *word & ~bit;
}

static bool window_has(const struct envelope_window *w, uint64_t sequence)
{
    return w->bits[sequence % ENVELOPE_WINDOW / 64] >> (sequence % 64) & 1;
}

/* The numbers between the old highest and the new one take over places of numbers that fell out. */
static void window_advance(struct envelope_window *w, uint64_t sequence)
{
    if (sequence - w->highest >= ENVELOPE_WINDOW)
        memset(w->bits, 0, sizeof(w->bits));
    else
        for (uint64_t s = w->highest + 1; s <= sequence && s != 0; s++)
            window_set(w, s, false);
    w->highest = sequence;
}

enum err envelope_window_accept(struct envelope_window *w, uint64_t boot_ms, uint64_t sequence)
{
    if (sequence == 0 || boot_ms < w->boot_ms)
        return ERR_REPLAYED;
    if (boot_ms > w->boot_ms) {
        envelope_window_init(w);
        w->boot_ms = boot_ms;
    }
    if (sequence > w->highest)
        window_advance(w, sequence);
    else if (w->highest - sequence >= ENVELOPE_WINDOW || window_has(w, sequence))
        return ERR_REPLAYED;
    window_set(w, sequence, true);
    return ERR_OK;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

enum err envelope_check(const struct envelope *e, const struct envelope_expect *expect,
                        struct envelope_window *window)
{
    if (!id_equal(&e->mesh, &expect->mesh))
        return ERR_WRONG_MESH;
    if (!id_equal(&e->receiver, &expect->self))
        return ERR_WRONG_AUDIENCE;
    if (!id_equal(&e->sender, &expect->peer))
        return ERR_BAD_SIGNATURE;
    if (distance(e->issued_ms, expect->wall_ms) > ENVELOPE_SKEW_MS)
        return ERR_CLOCK_SKEW;
    if (e->hop > ENVELOPE_HOPS_MAX)
        return ERR_HOP_LIMIT;
    if (e->deadline_ms == 0)
        return ERR_DEADLINE;
    return envelope_window_accept(window, e->boot_ms, e->sequence);
}
