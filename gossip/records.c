/* What owners say: making ours, judging theirs. The cheap questions come first: who is it about, is
 * it new (most copies are not); only then the signature, once per version, then the time it claims,
 * then what it says. What is believed is kept as it came, byte for byte, and handed on so.
 *
 * Failure modes: an owner that is not known (its NODE record is asked for by repair), a forged or
 * altered record, one from the future, a payload outside the owner's certificate, two records under
 * one version (the first stays, the second is counted), our own key speaking elsewhere. */
#include "gossip/inner.h"

#include <stdlib.h>

#define REFUSED_MAX 64 /* parts of one sender in a minute; then it is not listened to */
#define BLAME_MS 60000
#define VERSIONS_PER_SECOND 24 /* of one owner: loads on sharp changes, and some others */
#define AGE_SLACK_MS GOSSIP_SKEW_MS
#define TWIN_LIFE_S 600 /* sequences, too, go above those of a twin that lived as long */
#define SETTLE_MS 20000
#define JUMP_MS 3000 /* two processes of one key must not chase each other at full speed */
#define INCARNATION_AHEAD_MAX_S (1ull << 32) /* they begin at the clock and count refutations */

/* --- keeping */

static enum err reserve(struct gossip_stored *s, size_t size)
{
    if (size <= s->capacity)
        return ERR_OK;
    size_t capacity = (size + 63) / 64 * 64;
    uint8_t *data = realloc(s->data, capacity);
    if (!data)
        return ERR_NO_MEMORY;
    s->data = data;
    s->capacity = capacity;
    return ERR_OK;
}

static enum err keep(struct gossip_row *row, const struct gossip_signed *said,
                     struct bytes signed_bytes, const uint8_t *signature, uint64_t made_ms)
{
    struct gossip_stored *s = &row->stored[said->kind];
    struct gossip_record *r = &row->member.records[said->kind];
    TRY(reserve(s, signed_bytes.size + CRYPTO_SIGNATURE_SIZE));
    memcpy(s->data, signed_bytes.data, signed_bytes.size);
    memcpy(s->data + signed_bytes.size, signature, CRYPTO_SIGNATURE_SIZE);
    s->signed_size = signed_bytes.size;
    size_t payload_at = signed_bytes.size - said->payload.size; /* it stands last */
    *r = (struct gossip_record){.payload = bytes_of(s->data + payload_at, said->payload.size),
                                .incarnation = said->incarnation,
                                .version = said->version,
                                .made_ms = made_ms};
    return ERR_OK;
}

/* --- signing */

struct buf gossip_to_sign(struct gossip *g, const char *domain, const struct id *about)
{
    struct buf b;
    buf_init_fixed(&b, g->to_verify, GOSSIP_TO_SIGN_HEAD + GOSSIP_SIGNED_MAX);
    enum err e = buf_append(&b, bytes_of(domain, strlen(domain) + 1));
    if (e == ERR_OK)
        e = buf_append(&b, bytes_of(g->cfg.mesh.bytes, sizeof(g->cfg.mesh.bytes)));
    if (e == ERR_OK)
        e = buf_append(&b, bytes_of(about->bytes, sizeof(about->bytes)));
    CHECK(e == ERR_OK && b.size <= GOSSIP_TO_SIGN_HEAD);
    return b;
}

static struct bytes to_sign(struct gossip *g, const struct id *owner, struct bytes signed_bytes)
{
    struct buf b = gossip_to_sign(g, "grapevine gossip 1", owner);
    CHECK(buf_append(&b, signed_bytes) == ERR_OK); /* the decoder let no more pass */
    return buf_bytes(&b);
}

/* Our own NODE record is judged as others judge it: better here than nowhere heard. */
static enum err judge_own(struct gossip *g, enum gossip_kind kind, struct bytes payload)
{
    struct gossip_owner owner = {0};
    struct gossip_row *self = g->self;
    if (kind != GOSSIP_NODE)
        return ERR_OK;
    TRY(g->cfg.ops->check(g->cfg.ctx, kind, NULL, NULL, payload, g->wall_ms, &owner));
    if (self->only_dials != owner.only_dials) {
        self->only_dials = owner.only_dials;
        gossip_scope_rank(g, self);
        g->ring_stale = true;
    }
    return ERR_OK;
}

void gossip_records_publish(struct gossip *g, enum gossip_kind kind, struct bytes payload)
{
    struct gossip_row *self = g->self;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    struct gossip_signed said = {.kind = kind,
                                 .incarnation = self->member.incarnation,
                                 .version = self->member.records[kind].version + 1,
                                 .issued_s = g->wall_ms / 1000,
                                 .payload = payload};
    struct buf *b = gossip_message(g);
    enum err e = payload.size > GOSSIP_PAYLOAD_MAX ? ERR_LIMIT : judge_own(g, kind, payload);
    if (e == ERR_OK)
        e = gossip_wire_put_signed(b, &said);
    if (e != ERR_OK) {
        gossip_refuse(g, &self->member.id, e);
        return;
    }
    g->cfg.ops->sign(g->cfg.ctx, to_sign(g, &self->member.id, buf_bytes(b)), signature);
    e = keep(self, &said, buf_bytes(b), signature, g->now_ms);
    buf_clear(b);
    if (e != ERR_OK) {
        gossip_refuse(g, &self->member.id, e);
        return;
    }
    gossip_row_digest(g, self);
    if (kind == GOSSIP_SUMMARY)
        gossip_fanout_abroad(g, kind);
    else if (kind != GOSSIP_LOAD)
        gossip_rumour_add(g, self, kind);
}

/* Payloads live in what publishing writes to: each is copied first. */
static void publish_again(struct gossip *g, enum gossip_kind kind)
{
    struct bytes payload = g->self->member.records[kind].payload;
    if (!gossip_has_record(g->self, kind))
        return;
    uint8_t *copy = malloc(payload.size ? payload.size : 1);
    if (!copy)
        return;
    if (payload.size)
        memcpy(copy, payload.data, payload.size);
    gossip_records_publish(g, kind, bytes_of(copy, payload.size));
    free(copy);
}

void gossip_records_refresh(struct gossip *g)
{
    const struct gossip_record *r = &g->self->member.records[GOSSIP_NODE];
    bool is_old = g->now_ms - r->made_ms > GOSSIP_NODE_REFRESH_MS;
    bool is_settled = g->settle_ms && g->now_ms >= g->settle_ms;
    if (gossip_has_record(g->self, GOSSIP_NODE) && (is_old || is_settled))
        publish_again(g, GOSSIP_NODE);
    if (!is_settled)
        return;
    /* Two processes of one key may have said different things under one version, and whoever heard
     * the other one first would keep that for good. */
    publish_again(g, GOSSIP_INVENTORY);
    g->settle_ms = 0;
}

/* --- judging */

int gossip_order(uint64_t incarnation, uint64_t version, const struct gossip_record *r)
{
    if (incarnation != r->incarnation)
        return incarnation < r->incarnation ? -1 : 1;
    return version < r->version ? -1 : version > r->version;
}

static int compare(const struct gossip_signed *said, const struct gossip_record *r)
{
    return gossip_order(said->incarnation, said->version, r);
}

void gossip_blame_roll(struct gossip *g, struct gossip_row *row)
{
    uint64_t minutes = (g->now_ms - row->blame_since_ms) / BLAME_MS;
    if (minutes == 0)
        return;
    row->blame_since_ms += minutes * BLAME_MS;
    row->false_alarms = minutes < 31 ? row->false_alarms >> minutes : 0;
    row->accused = row->refused = 0;
}

bool gossip_is_blamed(struct gossip *g, struct gossip_row *sender)
{
    if (!sender)
        return false;
    gossip_blame_roll(g, sender);
    return sender->refused >= REFUSED_MAX;
}

/* Charged to the sender only where he could have known better: not for our limits, our memory or
 * our clock. */
static void refuse(struct gossip *g, const struct gossip_from *from, const struct gossip_row *row,
                   enum err reason)
{
    struct gossip_row *sender = gossip_row_find(g, &from->id);
    bool is_his_fault =
        reason == ERR_BAD_SIGNATURE || reason == ERR_INVALID || reason == ERR_CERT_SCOPE;
    g->counts.records_refused++;
    if (sender && is_his_fault)
        sender->refused++;
    gossip_refuse(g, row ? &row->member.id : &from->id, reason);
}

static enum err judge_time(const struct gossip *g, const struct gossip_signed *said, bool is_new)
{
    uint64_t limit_s = UINT64_MAX / 2000;
    if (said->incarnation > g->latest_wall_ms / 1000 + INCARNATION_AHEAD_MAX_S ||
        said->issued_s > limit_s || said->issued_s * 1000 > g->latest_wall_ms + GOSSIP_SKEW_MS)
        return ERR_CLOCK_SKEW;
    bool is_old = said->issued_s * 1000 + GOSSIP_RECORD_AGE_MAX_MS < g->wall_ms;
    return is_new && is_old ? ERR_REPLAYED : ERR_OK;
}

static bool verify(struct gossip *g, const struct id *owner, const uint8_t *key,
                   const struct gossip_part *part)
{
    struct bytes message = to_sign(g, owner, part->signed_bytes);
    return g->cfg.ops->verify(g->cfg.ctx, key, message, part->signature);
}

/* Each new version costs everybody a signature: an owner has so many in a second. */
static bool is_too_often(const struct gossip *g, struct gossip_row *row)
{
    if (g->now_ms - row->taken_since_ms >= 1000) {
        row->taken_since_ms = g->now_ms;
        row->taken = 0;
    }
    return row->taken++ >= VERSIONS_PER_SECOND;
}

/* Under one version there is one record: the first one stays, whatever else its owner signed. */
static void note_equivocation(struct gossip *g, const struct gossip_from *from,
                              struct gossip_row *row, const struct gossip_part *part)
{
    const struct gossip_stored *s = &row->stored[part->record.kind];
    bool is_same = memcmp(s->data + s->signed_size, part->signature, CRYPTO_SIGNATURE_SIZE) == 0;
    if (is_same || compare(&part->record, &row->member.records[part->record.kind]) != 0 ||
        is_too_often(g, row))
        return;
    bool is_true = verify(g, &row->member.id, row->member.key, part);
    refuse(g, from, row, is_true ? ERR_EXISTS : ERR_BAD_SIGNATURE);
}

/* --- our own key */

/* Another NODE payload than ours under our key, of after our start: what we said before, or what
 * another process says, which the shell can tell from it. */
static bool may_name_twin(const struct gossip *g, const struct gossip_signed *said)
{
    const struct gossip_record *ours = &g->self->member.records[GOSSIP_NODE];
    return said->kind == GOSSIP_NODE && said->issued_s * 1000 > g->cfg.wall_ms &&
           !bytes_equal(said->payload, ours->payload);
}

static void name_twin(struct gossip *g, struct bytes node)
{
    buf_clear(&g->twin);
    if (buf_append(&g->twin, node) != ERR_OK)
        buf_clear(&g->twin); /* no memory: it will speak again */
}

/* Who speaks under our key is our past, when the persisted incarnation was lost, or a copy of our
 * directory that runs elsewhere: either way we go above it. */
static void hear_ourselves(struct gossip *g, const struct gossip_from *from,
                           const struct gossip_part *part)
{
    const struct gossip_signed *said = &part->record;
    const struct gossip_record *ours = &g->self->member.records[said->kind];
    bool is_newer = said->incarnation >= g->self->member.incarnation && compare(said, ours) > 0;
    bool is_name = may_name_twin(g, said);
    if ((!is_newer && !is_name) || is_too_often(g, g->self))
        return;
    if (!verify(g, &g->self->member.id, g->cfg.key, part)) {
        refuse(g, from, g->self, ERR_BAD_SIGNATURE);
        return;
    }
    if (is_name)
        name_twin(g, said->payload);
    if (!is_newer)
        return;
    g->identity_conflict |= said->issued_s * 1000 > g->cfg.wall_ms;
    g->settle_ms = g->now_ms + SETTLE_MS;
    if (said->incarnation == UINT64_MAX || g->now_ms < g->jump_after_ms)
        return;
    g->jump_after_ms = g->now_ms + rng_between(&g->rng, JUMP_MS / 2, JUMP_MS);
    g->self->member.incarnation = said->incarnation + 1;
    g->first_incarnation = said->incarnation + TWIN_LIFE_S - g->uptime_ms / 1000;
    gossip_persist_ahead(g);
    publish_again(g, GOSSIP_NODE);
    publish_again(g, GOSSIP_INVENTORY);
    gossip_fanout_refute(g);
}

/* --- theirs */

static void take_owner(struct gossip *g, struct gossip_row *row, const struct gossip_owner *owner)
{
    bool is_elsewhere = strcmp(row->member.region, owner->region) != 0 ||
                        row->only_dials != owner->only_dials || owner->only_dials;
    if (is_elsewhere) /* gateways and guests, too, follow from it */
        g->ring_stale = true;
    memcpy(row->member.name, owner->name, sizeof(row->member.name));
    memcpy(row->member.region, owner->region, sizeof(row->member.region));
    row->not_after_ms = owner->not_after_ms;
    row->only_dials = owner->only_dials;
    row->via_count = owner->via_count;
    memcpy(row->via, owner->via, sizeof(row->via));
    gossip_scope_rank(g, row);
}

static enum err judge_known(struct gossip *g, const struct gossip_row *row,
                            const struct gossip_part *part, struct gossip_owner *ret_owner)
{
    const struct gossip_signed *said = &part->record;
    bool is_node = said->kind == GOSSIP_NODE;
    TRY(judge_time(g, said, false));
    if (!is_node && gossip_has_expired(g, row))
        return ERR_CERT_EXPIRED;
    if (!verify(g, &row->member.id, row->member.key, part))
        return ERR_BAD_SIGNATURE;
    TRY(g->cfg.ops->check(g->cfg.ctx, said->kind, row->member.name, row->member.region,
                          said->payload, g->wall_ms, is_node ? ret_owner : NULL));
    bool is_its_key = !is_node || memcmp(ret_owner->key, row->member.key, CRYPTO_PUBLIC_SIZE) == 0;
    return is_its_key ? ERR_OK : ERR_BAD_SIGNATURE;
}

static enum err meet(struct gossip *g, const struct gossip_part *part,
                     struct gossip_owner *ret_owner, struct gossip_row **ret_row)
{
    const struct gossip_signed *said = &part->record;
    TRY(judge_time(g, said, true));
    TRY(g->cfg.ops->check(g->cfg.ctx, GOSSIP_NODE, NULL, NULL, said->payload, g->wall_ms,
                          ret_owner));
    struct id id = id_of_public_key(ret_owner->key);
    if (memcmp(id.bytes, part->ref.bytes, GOSSIP_REF_SIZE) != 0)
        return ERR_INVALID;
    if (gossip_row_find(g, &id))
        return ERR_EXISTS;
    bool is_at_home = strcmp(ret_owner->region, g->region) == 0;
    if (!is_at_home && !gossip_would_be_gateway(g, ret_owner, &id))
        return ERR_OK; /* no business of ours */
    if (!verify(g, &id, ret_owner->key, part))
        return ERR_BAD_SIGNATURE;
    return gossip_row_add(g, &id, ret_owner, said, ret_row);
}

static void raise_incarnation(struct gossip *g, struct gossip_row *row, uint64_t incarnation)
{
    if (incarnation <= row->member.incarnation)
        return;
    row->member.incarnation = incarnation;
    gossip_suspicion_clear(g, row);
}

static void pass_on(struct gossip *g, struct gossip_row *row, const struct gossip_part *part,
                    bool is_refutation)
{
    bool is_often = part->record.kind == GOSSIP_LOAD || part->record.kind == GOSSIP_SUMMARY;
    if (!is_often || is_refutation)
        gossip_rumour_add(g, row, part->record.kind);
    else
        gossip_fanout_on_record(g, row, part->record.kind, part->hop);
}

/* Hops say how old it is, unsigned: not older than its owner's clock has it, give or take. */
static uint64_t age_of(const struct gossip *g, const struct gossip_part *part)
{
    uint64_t issued_ms = part->record.issued_s * 1000;
    uint64_t most_ms = g->wall_ms > issued_ms ? g->wall_ms - issued_ms : 0;
    uint64_t age_ms = part->age_ms < most_ms + AGE_SLACK_MS ? part->age_ms : most_ms + AGE_SLACK_MS;
    return age_ms < g->now_ms ? age_ms : g->now_ms;
}

static void accept(struct gossip *g, struct gossip_row *row, const struct gossip_part *part)
{
    const struct gossip_signed *said = &part->record;
    uint64_t age_ms = age_of(g, part);
    bool is_refutation = said->incarnation > row->member.incarnation;
    if (keep(row, said, part->signed_bytes, part->signature, g->now_ms - age_ms) != ERR_OK)
        return;
    g->counts.records_new++;
    raise_incarnation(g, row, said->incarnation);
    if (said->kind == GOSSIP_LEAVE && said->incarnation == row->member.incarnation)
        gossip_row_move(g, row, GOSSIP_LEFT, ERR_OK);
    gossip_row_digest(g, row);
    gossip_tell_news(g, row, said->kind);
    pass_on(g, row, part, is_refutation);
}

/* Our contact was of another region, and named us the first member of our own. */
static void meet_home(struct gossip *g, struct gossip_row *row)
{
    if (row->is_abroad)
        return;
    gossip_ring_refresh(g);
    struct gossip_from to = {.row = row, .id = row->member.id, .over_link = true};
    if (g->order_count == 1)
        gossip_repair_sync(g, &to);
}

static void on_new(struct gossip *g, const struct gossip_from *from, const struct gossip_part *part)
{
    struct gossip_owner owner = {0};
    struct gossip_row *row = NULL;
    enum err e = meet(g, part, &owner, &row);
    if (e != ERR_OK) {
        refuse(g, from, NULL, e);
        return;
    }
    if (!row)
        return;
    take_owner(g, row, &owner);
    accept(g, row, part);
    meet_home(g, row);
}

static void on_known(struct gossip *g, const struct gossip_from *from, struct gossip_row *row,
                     const struct gossip_part *part)
{
    struct gossip_owner owner = {0};
    if (compare(&part->record, &row->member.records[part->record.kind]) <= 0) {
        g->counts.records_known++;
        note_equivocation(g, from, row, part);
        return;
    }
    if (is_too_often(g, row)) {
        gossip_refuse(g, &row->member.id, ERR_OVERLOADED);
        return;
    }
    enum err e = judge_known(g, row, part, &owner);
    if (e != ERR_OK) {
        refuse(g, from, row, e);
        return;
    }
    bool was_expired = row->member.state == GOSSIP_DOWN && row->accusation_count == 0;
    if (part->record.kind == GOSSIP_NODE)
        take_owner(g, row, &owner);
    accept(g, row, part);
    if (was_expired && part->record.kind == GOSSIP_NODE) /* its certificate was renewed */
        gossip_row_move(g, row, GOSSIP_ALIVE, ERR_OK);
}

void gossip_records_on_record(struct gossip *g, const struct gossip_from *from,
                              const struct gossip_part *part)
{
    struct gossip_row *row = gossip_row_by_ref(g, part->ref);
    if (part->record.version == 0) { /* stands for "none" everywhere */
        refuse(g, from, row, ERR_INVALID);
    } else if (row == g->self) {
        hear_ourselves(g, from, part);
    } else if (row) {
        on_known(g, from, row, part);
    } else if (part->record.kind == GOSSIP_NODE) {
        on_new(g, from, part);
    } /* else its NODE record will come, and then this by repair */
}

/* --- telling */

size_t gossip_records_size(const struct gossip_row *row, enum gossip_kind kind)
{
    return row->stored[kind].signed_size + GOSSIP_RECORD_OVERHEAD;
}

bool gossip_records_put(struct gossip *g, const struct gossip_row *row, enum gossip_kind kind,
                        uint32_t hop, size_t room)
{
    const struct gossip_stored *s = &row->stored[kind];
    if (!gossip_has_record(row, kind) || gossip_records_size(row, kind) > room)
        return false;
    enum err e =
        gossip_wire_put_record(&g->message, gossip_ref_of(&row->member.id), hop,
                               g->now_ms - row->member.records[kind].made_ms,
                               bytes_of(s->data, s->signed_size), s->data + s->signed_size);
    return e == ERR_OK;
}
