/* A replica: the committed log from others. It asks the nearest node that is ahead (else a voter,
 * which answers when there is something new), checks each record's place in the chain, and takes a
 * range over once a checkpoint that a voter signed covers its last record.
 *
 *   asking ──range──> checked ──(a checkpoint covers it)──> stored ──> applied ──> asking …
 *      └──(no longer kept there)──> a snapshot, part by part ──> installed ──> asking …
 *
 * Nothing is applied that no checkpoint covers. A checkpoint counts if its signer votes by the
 * configuration that this replica has applied. A replica that has nothing yet takes the first one
 * of a node that the fetched log itself names as a voter, and says so.
 *
 * Failure modes: whoever gives records that are not of our log, or a checkpoint that is not a
 * voter's, is a liar: named in the log and avoided for an hour; whoever has no room, is behind, is
 * lost, or is certified by another clock than ours: another is asked; an entry of a later version
 * stops this replica; while the disk is full nothing is asked for. */
#include "node/rules/inner.h"

#define LIAR_MS (3600 * 1000ull)
#define BUSY_MS 3000
#define PENDING_MAX (16u << 20)
#define AGAIN_MS 100
#define SNAPSHOT_ENTRIES 10000

static void on_timer(struct io_timer *timer)
{
    pull_look(LIST_ENTRY(timer, struct rules, pull.timer));
}

void pull_again(struct rules *r, uint64_t delay_ms)
{
    if (r->pull.is_on)
        io_timer_start(r->cfg.loop, &r->pull.timer, delay_ms, on_timer);
}

static void accuse(struct rules *r, const char *what, enum err e)
{
    struct peer *p = mesh_peer_find(r->mesh, &r->pull.source);
    r->pull.lies++;
    LOG(r->cfg.log, LOG_ERROR, "replica_source_lies", LOG_STR("peer", p ? p->name : "?"),
        LOG_STR("what", what), LOG_ERR(e), LOG_UINT("index", r->pull.tip.index));
    TRACE(r->cfg.trace, r->cfg.identity->cert.name, "replica_source_lies",
          LOG_STR("peer", p ? p->name : "?"), LOG_STR("what", what));
    source_avoid(r, &r->pull.source, LIAR_MS);
}

/* --- writing while there is no core */

static void write_down(struct rules *r, struct raft_write *write, uint64_t stored_to)
{
    write->token = r->pull.awaited = ++r->pull.token;
    r->pull.stored_to = stored_to;
    persist_write(r, write);
}

static void forget_pending(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    buf_clear(&p->pending);
    p->pending_count = 0;
    p->tip = r->applied; /* what is stored beyond it is applied first: pull_look waits */
}

static void store_pending(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    struct raft_write write = {.records = buf_bytes(&p->pending),
                               .first_index = p->tip.index - p->pending_count + 1,
                               .record_count = p->pending_count};
    write_down(r, &write, p->tip.index);
    buf_clear(&p->pending);
    p->pending_count = 0;
}

void pull_on_stored(struct rules *r, uint64_t token)
{
    struct rules_pull *p = &r->pull;
    if (!p->is_on || token < p->awaited || p->awaited == 0)
        return;
    p->awaited = 0;
    if (p->has_snapshot && p->offset == p->snapshot.size) {
        dump_install(r, &p->snapshot);
        return;
    }
    if (p->stored_to > r->apply.to)
        r->apply.to = p->stored_to;
    p->stored_to = 0;
    apply_kick(r);
    pull_look(r);
}

/* --- checked */

static enum err take_record(struct rules *r, struct bytes *rest)
{
    struct rules_pull *p = &r->pull;
    struct raft_entry entry;
    TRY(raft_entry_read(rest, &entry));
    if (entry.index != p->tip.index + 1 || entry.term < p->tip.term ||
        memcmp(entry.prev, p->tip.hash, sizeof entry.prev) != 0)
        return ERR_CONFLICT;
    if (p->pending.size + entry.record.size > PENDING_MAX)
        return ERR_LIMIT;
    TRY(buf_append(&p->pending, entry.record));
    p->pending_count++;
    p->tip.index = entry.index;
    p->tip.term = entry.term;
    raft_entry_hash(entry.record, p->tip.hash);
    if (entry.kind != RAFT_CONFIG)
        return ERR_OK;
    p->tip.config_index = entry.index;
    return raft_config_decode(entry.payload, &p->tip.config);
}

/* Whose word counts. The first one of all, and the first after all known voters were replaced
 * while this node was away, cannot be proven by what it has: then the fetched log's own voters
 * count, whose certificates are the mesh's. Commands in it are signed by administrators in any
 * case: such a log could leave out, never invent. */
static enum err check_signer(struct rules *r, const struct id *signer)
{
    if (compare_names_voter(&r->applied.config, signer))
        return ERR_OK;
    bool is_anchor = r->head.index == 0 || !compare_knows_voter(r);
    if (!is_anchor || !compare_names_voter(&r->pull.tip.config, signer) ||
        rules_admit(r, signer) != ERR_OK)
        return ERR_NOT_ALLOWED;
    LOG(r->cfg.log, LOG_INFO, "rules_anchored", LOG_ID("voter", signer),
        LOG_UINT("index", r->pull.tip.index));
    return ERR_OK;
}

static enum err take_checkpoint(struct rules *r, struct bytes wire)
{
    struct rules_pull *p = &r->pull;
    struct checkpoint c;
    struct checkpoint_signed s;
    TRY(checkpoint_verify(wire, r->cfg.identity, io_wall_ms(r->cfg.loop), &c, &s));
    TRY(check_signer(r, &s.signer));
    if (c.index != p->tip.index || memcmp(c.chain, p->tip.hash, sizeof c.chain) != 0)
        return ERR_CONFLICT;
    p->expected = c;
    r->serve.newest = s;
    return ERR_OK;
}

static enum err take_range(struct rules *r, struct bytes body, const char **ret_what)
{
    struct checkpoint_range range;
    *ret_what = "form";
    TRY(checkpoint_range_decode(body, &range));
    if (range.commit > r->known_commit)
        r->known_commit = range.commit;
    *ret_what = "chain";
    struct bytes rest = range.records;
    while (rest.size > 0)
        TRY(take_record(r, &rest));
    r->pull.ranges++;
    r->pull.bytes += range.records.size;
    *ret_what = "checkpoint";
    if (range.checkpoint.size == 0 || r->pull.pending_count == 0)
        return ERR_OK;
    TRY(take_checkpoint(r, range.checkpoint));
    store_pending(r);
    return ERR_OK;
}

static void on_bad_range(struct rules *r, enum err e, const char *what)
{
    forget_pending(r);
    if (e == ERR_UNSUPPORTED)
        core_stop(r, e, false, "the log has entries that this program does not know");
    else if (e == ERR_LIMIT || e == ERR_NO_MEMORY || e == ERR_NOT_ALLOWED ||
             e == ERR_CERT_EXPIRED) {
        LOG(r->cfg.log, LOG_DEBUG, "range_not_taken", LOG_STR("what", what), LOG_ERR(e));
        source_avoid(r, &r->pull.source, BUSY_MS);
    } else {
        accuse(r, what, e);
    }
    pull_again(r, AGAIN_MS);
}

/* --- snapshots */

static void ask_part(struct rules *r, struct peer *peer);
static void ask_range(struct rules *r, struct peer *peer);

static enum err take_part(struct rules *r, struct bytes body)
{
    struct rules_pull *p = &r->pull;
    struct raft_message m;
    struct raft_snapshot s;
    TRY(raft_message_decode(body, &m, &s));
    if (m.type != RAFT_CHUNK || !m.snapshot || m.data.size == 0)
        return ERR_INVALID;
    if (s.base.index <= r->head.index)
        return ERR_EXISTS;
    bool is_same = p->has_snapshot && s.base.index == p->snapshot.base.index &&
                   s.size == p->snapshot.size &&
                   memcmp(s.content, p->snapshot.content, sizeof s.content) == 0;
    if (!is_same)
        p->offset = 0;
    if (m.offset != p->offset || m.data.size > s.size - p->offset)
        return ERR_INVALID;
    p->snapshot = s;
    p->has_snapshot = true;
    struct raft_write write = {.part = &p->snapshot, .offset = m.offset, .data = m.data};
    p->offset += m.data.size;
    write_down(r, &write, 0);
    return ERR_OK;
}

/* Its snapshot is older than what is here, so its log has what follows, although the log of whoever
 * sent us for a snapshot had not. */
static void take_log(struct rules *r)
{
    struct peer *peer = mesh_peer_find(r->mesh, &r->pull.source);
    r->pull.has_snapshot = false;
    if (peer)
        ask_range(r, peer);
    else
        pull_again(r, AGAIN_MS);
}

static void on_part(struct rules_ask *ask, enum err e)
{
    struct rules *r = ask->rules;
    if (!r->pull.is_on)
        return;
    if (e == ERR_OK && ask->status == 200) {
        e = take_part(r, buf_bytes(&ask->in));
        if (e == ERR_OK)
            return;
        if (e == ERR_EXISTS) {
            take_log(r);
            return;
        }
        accuse(r, "snapshot", e);
    } else {
        LOG(r->cfg.log, LOG_DEBUG, "snapshot_part_refused", LOG_ERR(e),
            LOG_INT("status", ask->status), LOG_BYTES("word", buf_bytes(&ask->in)));
        source_avoid(r, &r->pull.source, BUSY_MS);
    }
    pull_again(r, AGAIN_MS);
}

static void ask_part(struct rules *r, struct peer *peer)
{
    struct rules_pull *p = &r->pull;
    struct raft_message get = {.type = RAFT_GET, .offset = p->offset};
    struct buf wire;
    if (p->has_snapshot) {
        get.index = p->snapshot.base.index;
        memcpy(get.content, p->snapshot.content, sizeof get.content);
    }
    buf_init(&wire, RAFT_MESSAGE_MAX);
    enum err e = raft_message_encode(&get, &wire);
    if (e == ERR_OK)
        e = ask_start(r, &p->ask, peer, BYTES("snapshot"), buf_bytes(&wire), RAFT_MESSAGE_MAX,
                      on_part);
    source_asked(r, peer);
    if (e != ERR_OK)
        pull_again(r, AGAIN_MS);
    buf_fini(&wire);
}

/* Only a voter's: what it holds no checkpoint covers. */
static void begin_snapshot(struct rules *r)
{
    r->pull.has_snapshot = true;
    r->pull.snapshot = (struct raft_snapshot){.size = 0};
    r->pull.offset = 0;
}

/* The state is the snapshot's: the log begins after it. */
void pull_on_installed(struct rules *r, enum err e)
{
    struct rules_pull *p = &r->pull;
    p->has_snapshot = false;
    if (!p->is_on)
        return;
    if (e != ERR_OK) {
        bool is_ours = e == ERR_DISK_FULL || e == ERR_IO || e == ERR_NO_MEMORY;
        if (!is_ours)
            accuse(r, "snapshot", e);
        pull_again(r, is_ours ? RULES_SECOND_MS : AGAIN_MS);
        return;
    }
    r->apply.to = r->head.index;
    struct raft_write write = {.reset = &p->snapshot.base, .made = &p->snapshot};
    forget_pending(r);
    r->serve.newest.size = 0;
    p->saved = p->snapshot.base;
    write_down(r, &write, 0);
}

/* The records before the snapshot that was made before this one go. */
void pull_on_saved(struct rules *r, const struct raft_event *made)
{
    struct rules_pull *p = &r->pull;
    struct raft_snapshot s = {.base = r->dump.base, .size = made->size};
    struct raft_write write = {.made = &s};
    memcpy(s.content, made->content, sizeof s.content);
    if (!p->is_on)
        return;
    if (p->saved.index > 0)
        write.trim = &p->saved;
    write.token = ++p->token;
    persist_write(r, &write);
    p->saved = r->dump.base;
}

/* --- asking */

static void on_range(struct rules_ask *ask, enum err e)
{
    struct rules *r = ask->rules;
    const char *what = "";
    if (!r->pull.is_on || !rules_goes_on(r))
        return;
    if (e == ERR_OK && ask->status == 410) {
        begin_snapshot(r);
        pull_again(r, 0);
        return;
    }
    if (e != ERR_OK || ask->status != 200) {
        LOG(r->cfg.log, LOG_DEBUG, "range_refused", LOG_ERR(e), LOG_INT("status", ask->status),
            LOG_BYTES("word", buf_bytes(&ask->in)));
        source_avoid(r, &r->pull.source, BUSY_MS);
        pull_again(r, AGAIN_MS);
        return;
    }
    r->heard_ms = rules_now_ms(r);
    e = take_range(r, buf_bytes(&ask->in), &what);
    if (e != ERR_OK)
        on_bad_range(r, e, what);
    else if (r->pull.awaited == 0)
        pull_again(r, 0);
}

static void ask_range(struct rules *r, struct peer *peer)
{
    char text[48];
    struct buf target;
    buf_init_fixed(&target, (uint8_t *)text, sizeof text);
    CHECK(buf_printf(&target, "log?from=%llu", (unsigned long long)r->pull.tip.index + 1) ==
          ERR_OK);
    enum err e = ask_start(r, &r->pull.ask, peer, buf_bytes(&target), bytes_of(NULL, 0),
                           ASK_BODY_MAX, on_range);
    source_asked(r, peer);
    if (e != ERR_OK)
        pull_again(r, AGAIN_MS);
}

void pull_look(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    if (p->is_on && p->ask.is_open && source_is_late(r))
        ask_cancel(&p->ask);
    bool is_busy =
        p->ask.is_open || p->awaited != 0 || r->dump.has_install || r->dump.is_installing;
    if (!p->is_on || is_busy || !rules_goes_on(r) || room_is_full(r))
        return;
    if (p->tip.index < r->apply.to && r->apply.to > r->head.index)
        return; /* pull_on_applied goes on */
    if (p->tip.index < r->head.index)
        forget_pending(r);
    struct peer *peer = source_choose(r, NULL);
    if (!peer)
        return; /* once a second, and with what gossip brings */
    if (!peer->link) {
        p->source = peer->id; /* a link is wanted; want_links */
        mesh_want_links(r->mesh, &peer->id, 1);
        pull_again(r, AGAIN_MS);
    } else if (p->has_snapshot) {
        ask_part(r, peer);
    } else {
        ask_range(r, peer);
    }
}

void pull_on_applied(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    const struct checkpoint *c = &p->expected;
    if (!p->is_on)
        return;
    if (c->has_state && c->index == r->head.index &&
        memcmp(c->state_hash, r->head.hash, sizeof c->state_hash) != 0) {
        r->is_diverged = true;
        core_stop(r, ERR_CORRUPT, false, "the state is not the one that a voter signed");
        return;
    }
    uint64_t entries = r->cfg.snapshot_entries ? r->cfg.snapshot_entries : SNAPSHOT_ENTRIES;
    if (r->head.index >= p->saved.index + entries && !r->dump.is_saving)
        dump_want(r);
    pull_look(r);
}

/* --- becoming a member, and ceasing to be one */

void pull_on_called(struct rules *r, const struct raft_message *message)
{
    bool is_leaders = message->type == RAFT_APPEND || message->type == RAFT_OFFER;
    if (!is_leaders || !rules_goes_on(r) || r->apply.is_busy || r->dump.has_install ||
        r->dump.is_installing || r->dump.is_saving || r->is_committing ||
        r->apply.to > r->head.index)
        return; /* raft says it again */
    pull_stop(r);
    enum err e = core_create(r);
    if (e != ERR_OK) {
        core_stop(r, e, true, "the log, as a member");
        return;
    }
    LOG(r->cfg.log, LOG_INFO, "rules_member", LOG_ID("leader", &message->from));
    core_step(r, &(struct raft_event){.type = RAFT_TICK});
    core_message(r, message);
}

/* --- life */

void pull_init(struct rules *r)
{
    buf_init(&r->pull.pending, PENDING_MAX);
}

/* What a replica stored was covered. What a member stored may never have been committed. */
static void review_stored(struct rules *r, const struct raft_boot *boot)
{
    struct raft_write write = {.truncate_from = r->head.index + 1};
    if (boot->hard.store == 0)
        r->apply.to = boot->last;
    else
        write_down(r, &write, 0);
}

/* A part of a snapshot that is here already is not fetched again. */
void pull_start(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    struct raft_boot boot;
    p->is_on = true;
    p->token = p->awaited = 0;
    p->has_snapshot = false;
    raft_store_boot(r->store, r->head.index, &boot);
    if (boot.staged && boot.staged->base.index > r->head.index) {
        p->has_snapshot = true;
        p->snapshot = *boot.staged;
        p->offset = boot.staged_size;
    }
    p->saved = r->snapshot.size > 0 ? r->snapshot.base : (struct raft_base){.index = 0};
    forget_pending(r);
    if (boot.last > r->head.index)
        review_stored(r, &boot);
    apply_kick(r);
    pull_again(r, 0);
}

void pull_stop(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    p->is_on = false;
    io_timer_stop(&p->timer);
    ask_cancel(&p->ask);
    buf_clear(&p->pending);
    p->pending_count = 0;
    p->awaited = 0;
}
