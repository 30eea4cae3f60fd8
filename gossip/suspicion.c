/* Who says that whom is dead, and when that is believed. An accusation is signed by its accuser and
 * holds against one incarnation; every member judges for itself: down, once GOSSIP_ACCUSERS
 * distinct accusers stand (or all there are, in a small region) and the suspect had its time to
 * refute; or after a longer time, when nobody joins us but we ourselves cannot reach it.
 *
 * A suspicion makes a few members probe the suspect at once, chosen by its id and the time, so that
 * a true one is confirmed within a second and a false one by nobody. Failure modes: a liar (his
 * accusations alone never suffice; those that were refuted count against him), a refutation that
 * gets lost (repair brings it), an accuser that is forgotten (his accusation stands). */
#include "gossip/inner.h"

#define CONFIRM_MS 1000   /* then others are asked to confirm */
#define LOOK_MS 1000      /* between two looks at one member abroad because others accuse it */
#define ACCUSERS_ABROAD 2 /* of our three gateways, one may know nothing of it */
#define ANSWER_MS 100     /* between two of our answers to one accuser */
#define SPEAKS_MS 5000
#define REFUTE_MS 400       /* between two refutations of ours */
#define ASHAMED_MS 10000    /* between two that cost us health */
#define ACCUSATIONS_MAX 128 /* taken from one accuser in a minute: half of a region may die */
#define FALSE_ALARMS_MAX 16 /* refuted ones of a minute: he is not listened to any more */

static struct bytes to_sign(struct gossip *g, const struct gossip_row *subject,
                            const struct id *accuser)
{
    struct buf b = gossip_to_sign(g, "grapevine accusation 1", &subject->member.id);
    enum err e = buf_append_u64(&b, subject->member.incarnation);
    if (e == ERR_OK)
        e = buf_append(&b, bytes_of(accuser->bytes, sizeof(accuser->bytes)));
    CHECK(e == ERR_OK);
    return buf_bytes(&b);
}

static bool stands(const struct gossip_row *row, const struct id *accuser)
{
    for (size_t i = 0; i < row->accusation_count; i++)
        if (id_equal(&row->accusations[i].accuser, accuser))
            return true;
    return false;
}

/* --- confirming */

/* A few members in the ring, others in each second. */
static bool is_ours_to_confirm(struct gossip *g, const struct gossip_row *row)
{
    gossip_ring_refresh(g);
    if (row->is_abroad)
        return g->self->member.is_gateway;
    uint64_t parts[2] = {row->member.incarnation, (g->now_ms - row->suspect_ms) / CONFIRM_MS};
    uint8_t key[16];
    memcpy(key, row->member.id.bytes, sizeof(key));
    uint64_t start = crypto_siphash(key, bytes_of(parts, sizeof(parts))) % g->ring_count;
    uint64_t distance = (g->self->ring_position + g->ring_count - start) % g->ring_count;
    return distance <= GOSSIP_CONFIRMERS;
}

static void confirm(struct gossip *g, struct gossip_row *row)
{
    if (row->is_accused_by_us || is_ours_to_confirm(g, row))
        gossip_probe_now(g, row);
    gossip_sooner(&g->suspicion_due_ms, g->now_ms + CONFIRM_MS);
}

/* --- accusing */

static void begin(struct gossip *g, struct gossip_row *row)
{
    if (row->member.state != GOSSIP_ALIVE)
        return;
    row->suspect_ms = g->now_ms;
    g->counts.suspicions++;
    gossip_row_move(g, row, GOSSIP_SUSPECT, ERR_TIMEOUT);
}

static void add(struct gossip *g, struct gossip_row *row, const struct id *accuser,
                const uint8_t *signature)
{
    struct gossip_accusation *a = &row->accusations[row->accusation_count];
    a->accuser = *accuser;
    memcpy(a->signature, signature, sizeof(a->signature));
    gossip_rumour_add(g, row, GOSSIP_KINDS + (unsigned)row->accusation_count);
    row->accusation_count++;
    begin(g, row);
    if (g->now_ms - row->suspect_ms > GOSSIP_SUSPECT_MAX_MS)
        row->suspect_ms = g->now_ms; /* the old ones came to nothing: it has its time again */
    gossip_sooner(&g->suspicion_due_ms, row->suspect_ms + GOSSIP_SUSPECT_MIN_MS);
}

void gossip_accuse(struct gossip *g, struct gossip_row *row)
{
    row->is_accused_by_us = true;
    gossip_sooner(&g->suspicion_due_ms, row->suspect_ms + GOSSIP_SUSPECT_MAX_MS);
    if (row->accusation_count == GOSSIP_ACCUSERS || stands(row, &g->self->member.id))
        return;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    g->cfg.ops->sign(g->cfg.ctx, to_sign(g, row, &g->self->member.id), signature);
    add(g, row, &g->self->member.id, signature);
}

static enum err judge_accuser(struct gossip *g, struct gossip_row *accuser)
{
    gossip_blame_roll(g, accuser);
    bool is_too_much =
        accuser->accused >= ACCUSATIONS_MAX || accuser->false_alarms >= FALSE_ALARMS_MAX;
    return is_too_much ? ERR_OVERLOADED : ERR_OK;
}

static bool is_true(struct gossip *g, const struct gossip_row *subject,
                    const struct gossip_row *accuser, const struct gossip_part *part)
{
    struct bytes message = to_sign(g, subject, &accuser->member.id);
    return g->cfg.ops->verify(g->cfg.ctx, accuser->member.key, message, part->signature);
}

static enum err judge(struct gossip *g, struct gossip_row *subject, struct gossip_row *accuser,
                      const struct gossip_part *part)
{
    if (accuser == subject)
        return ERR_INVALID;
    TRY(judge_accuser(g, accuser));
    return is_true(g, subject, accuser, part) ? ERR_OK : ERR_BAD_SIGNATURE;
}

/* Every region judges by its own members' word: two regions that lost each other would else make
 * each other's members down at home, by way of a third. Of those abroad its gateways know. */
static bool is_witness(const struct gossip_row *subject, const struct gossip_row *accuser)
{
    bool can_know = accuser->member.is_gateway || !subject->is_abroad;
    return can_know && gossip_is_live(accuser) && !accuser->is_abroad;
}

/* Whoever tells us what we are accused of gets the refutation, before anybody else: he may be on
 * the other side of a partition that has just healed, and hold us for down. */
static void answer_for_ourselves(struct gossip *g, const struct gossip_from *from)
{
    if (from->row && g->now_ms - from->row->answered_ms < ANSWER_MS)
        return;
    if (from->row)
        from->row->answered_ms = g->now_ms;
    (void)gossip_message(g);
    if (gossip_records_put(g, g->self, GOSSIP_LOAD, 0, gossip_message_room(g)))
        gossip_answer(g, from);
}

/* Not more often than every REFUTE_MS: who accuses us all the time must not make us speak as often,
 * nor run our incarnation up. */
static void refute_in_time(struct gossip *g)
{
    uint64_t at_ms = g->refuted_ms ? g->refuted_ms + REFUTE_MS : g->now_ms;
    if (g->now_ms >= at_ms)
        gossip_refute(g);
    else
        gossip_sooner(&g->refute_due_ms, at_ms);
}

/* What is said of us we answer, whoever says it, and however often he was wrong: he may hold us for
 * down as we hold him. An accuser whom we do not know is one of another region's; who passes his
 * word on vouches for it, and could as well have accused us himself. */
static void on_own_accusation(struct gossip *g, const struct gossip_from *from,
                              const struct gossip_row *accuser, const struct gossip_part *part)
{
    bool is_vouched = accuser || !from->row || from->row->is_abroad;
    if (part->incarnation > g->self->member.incarnation || accuser == g->self || !is_vouched)
        return;
    if (part->incarnation == g->self->member.incarnation) {
        if (accuser && !is_true(g, g->self, accuser, part)) {
            g->counts.accusations_refused++;
            gossip_refuse(g, &from->id, ERR_BAD_SIGNATURE);
            return;
        }
        refute_in_time(g);
    }
    answer_for_ourselves(g, from);
}

/* Somebody at home, no gateway now, holds against a member abroad what its region never heard: it
 * is told, and what it answers reaches everybody. */
static void pass_on_abroad(struct gossip *g, struct gossip_row *subject,
                           const struct gossip_part *part)
{
    struct buf *b = gossip_message(g);
    CHECK(gossip_wire_put_accusation(b, part->ref, part->incarnation, part->accuser,
                                     part->signature) == ERR_OK);
    gossip_post(g, subject);
}

/* Its own region notices first who is dead there: no evidence to us, but a reason to look at once,
 * since a gateway abroad comes in turn only now and then. */
static void look_abroad(struct gossip *g, struct gossip_row *subject,
                        const struct gossip_part *part)
{
    bool is_news = subject->is_abroad && subject->member.state == GOSSIP_ALIVE &&
                   part->incarnation == subject->member.incarnation;
    if (!is_news || g->now_ms - subject->doubted_ms < LOOK_MS)
        return;
    subject->doubted_ms = g->now_ms;
    gossip_probe_now(g, subject);
}

void gossip_suspicion_on_accusation(struct gossip *g, const struct gossip_from *from,
                                    const struct gossip_part *part)
{
    struct gossip_row *subject = gossip_row_by_ref(g, part->ref);
    struct gossip_row *accuser = gossip_row_by_ref(g, part->accuser);
    if (subject == g->self) {
        on_own_accusation(g, from, accuser, part);
        return;
    }
    if (subject)
        look_abroad(g, subject, part);
    if (!subject || !accuser || part->incarnation != subject->member.incarnation ||
        accuser == g->self || subject->accusation_count == GOSSIP_ACCUSERS ||
        !gossip_is_live(subject) || stands(subject, &accuser->member.id))
        return; /* nothing new, or about what we do not know (yet): repair will tell */
    bool is_for_us = is_witness(subject, accuser);
    if (!is_for_us && !(subject->is_abroad && g->self->member.is_gateway))
        return;
    enum err e = judge(g, subject, accuser, part);
    if (e != ERR_OK) {
        g->counts.accusations_refused++;
        gossip_refuse(g, from->row ? &from->row->member.id : NULL, e);
        return;
    }
    accuser->accused++;
    if (!is_for_us) {
        pass_on_abroad(g, subject, part);
        return;
    }
    add(g, subject, &accuser->member.id, part->signature);
    confirm(g, subject);
}

/* --- judging */

static size_t accusers_needed(const struct gossip *g, const struct gossip_row *row)
{
    /* who could accuse it, ourselves among them */
    size_t others = row->is_abroad ? g->home_gateways : g->ring_count - 1;
    size_t enough = row->is_abroad ? ACCUSERS_ABROAD : GOSSIP_ACCUSERS;
    if (others == 0)
        return 1;
    return others < enough ? others : enough;
}

static void withdraw(struct gossip *g, struct gossip_row *row)
{
    gossip_rumours_drop_accusations(g, row);
    row->accusation_count = 0;
    row->is_accused_by_us = false;
    gossip_row_move(g, row, GOSSIP_ALIVE, ERR_OK);
}

/* It spoke, and too few say that they do not reach it. Who is no gateway hears nobody abroad: whom
 * he holds for suspect there is refuted, proven or forgotten (scope.c). */
static void absolve(struct gossip *g, struct gossip_row *row)
{
    bool is_silent = row->member.heard_ms <= row->suspect_ms;
    if (is_silent || row->is_accused_by_us)
        return;
    withdraw(g, row);
}

/* It spoke to us since it is suspected, and not long ago: one way at least is open. */
static bool speaks(const struct gossip *g, const struct gossip_row *row)
{
    return row->member.heard_ms > row->suspect_ms && g->now_ms - row->member.heard_ms < SPEAKS_MS;
}

/* Of a gateway no more its region tells us nothing, not even where it is now. */
static bool is_of_concern(const struct gossip_row *row)
{
    return !row->is_abroad || row->member.is_gateway;
}

/* Where fewer than GOSSIP_ACCUSERS could accuse, it takes longer, and silence towards us. */
static void judge_suspect(struct gossip *g, struct gossip_row *row)
{
    size_t needed = accusers_needed(g, row);
    uint64_t min_ms = row->suspect_ms + GOSSIP_SUSPECT_MIN_MS +
                      (GOSSIP_ACCUSERS - needed) * GOSSIP_SUSPECT_MIN_MS / 2;
    uint64_t max_ms = row->suspect_ms + GOSSIP_SUSPECT_MAX_MS;
    bool is_proven = row->accusation_count >= needed && g->now_ms >= min_ms &&
                     (needed == GOSSIP_ACCUSERS || !speaks(g, row));
    bool is_ours =
        row->is_accused_by_us && g->now_ms >= max_ms && gossip_may_probe(g, row) && !speaks(g, row);
    if ((is_proven || is_ours) && is_of_concern(row)) {
        gossip_row_move(g, row, GOSSIP_DOWN, ERR_TIMEOUT);
        return;
    }
    if (g->now_ms >= max_ms)
        absolve(g, row);
    if (row->member.state == GOSSIP_SUSPECT)
        confirm(g, row);
    if (g->now_ms < min_ms)
        gossip_sooner(&g->suspicion_due_ms, min_ms);
    if (g->now_ms < max_ms)
        gossip_sooner(&g->suspicion_due_ms, max_ms);
}

void gossip_suspicion_run(struct gossip *g)
{
    g->suspicion_due_ms = UINT64_MAX;
    gossip_ring_refresh(g);
    for (size_t i = 0; i < g->row_count && g->counts.members[GOSSIP_SUSPECT] > 0; i++)
        if (g->rows[i]->member.state == GOSSIP_SUSPECT)
            judge_suspect(g, g->rows[i]);
}

/* Others have judged meanwhile, if that was long: what we held against somebody is not told any
 * more, as it would be news to those who have met him since. */
void gossip_suspicion_on_stall(struct gossip *g, uint64_t stalled_ms)
{
    for (size_t i = 0; i < g->row_count; i++) {
        struct gossip_row *row = g->rows[i];
        row->suspect_ms += row->member.state == GOSSIP_SUSPECT ? stalled_ms : 0;
        if (row->member.state == GOSSIP_SUSPECT && stalled_ms > GOSSIP_SUSPECT_MAX_MS)
            withdraw(g, row);
    }
    if (g->suspicion_due_ms != UINT64_MAX)
        g->suspicion_due_ms += stalled_ms;
}

/* --- refuting */

void gossip_suspicion_clear(struct gossip *g, struct gossip_row *row)
{
    bool was_suspect = row->member.state == GOSSIP_SUSPECT;
    for (size_t i = 0; i < row->accusation_count && was_suspect; i++) {
        struct gossip_row *accuser = gossip_row_find(g, &row->accusations[i].accuser);
        if (accuser && accuser->false_alarms < 2 * FALSE_ALARMS_MAX)
            accuser->false_alarms++;
    }
    g->counts.false_alarms += was_suspect;
    gossip_rumours_drop_accusations(g, row);
    row->accusation_count = 0;
    row->is_accused_by_us = false;
    row->member.heard_ms = g->now_ms;
    gossip_row_move(g, row, GOSSIP_ALIVE, ERR_OK);
}

bool gossip_suspicion_put_one(struct gossip *g, const struct gossip_row *row, size_t index)
{
    const struct gossip_accusation *a = &row->accusations[index];
    if (gossip_message_room(g) < GOSSIP_ACCUSATION_SIZE_MAX)
        return false;
    CHECK(gossip_wire_put_accusation(&g->message, gossip_ref_of(&row->member.id),
                                     row->member.incarnation, gossip_ref_of(&a->accuser),
                                     a->signature) == ERR_OK);
    return true;
}

void gossip_suspicion_put(struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = 0; i < row->accusation_count; i++)
        if (!gossip_suspicion_put_one(g, row, i))
            return;
}

void gossip_refute(struct gossip *g)
{
    g->refuted_ms = g->now_ms;
    g->refute_due_ms = UINT64_MAX;
    g->self->member.incarnation++;
    gossip_persist_ahead(g);
    g->counts.refutations++;
    gossip_fanout_refute(g);
    if (g->ashamed_ms && g->now_ms - g->ashamed_ms < ASHAMED_MS)
        return; /* a liar's accusations would keep us slow */
    g->ashamed_ms = g->now_ms;
    gossip_health_add(g, 1);
}
