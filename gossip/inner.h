/* What the files of this folder offer each other, file by file. Nobody else includes it.
 *
 *   gossip.c     step, deadline, queries            members.c    rows, states, the ring
 *   receive.c    messages that came, part by part   post.c       messages that go
 *   probe.c      SWIM's probes, local health        suspicion.c  accusations, verdicts, refutation
 *   records.c    what owners say, ours and theirs   rumours.c    news: eager rounds, piggyback
 *   scope.c      own region, and other regions' gateways
 *   fanout.c     loads through the grid             repair.c     digests, versions, wants */
#ifndef GOSSIP_INNER_H
#define GOSSIP_INNER_H

#include "gossip/core.h"

static inline struct gossip_ref gossip_ref_of(const struct id *id)
{
    struct gossip_ref ref;
    memcpy(ref.bytes, id->bytes, sizeof(ref.bytes));
    return ref;
}
static inline bool gossip_is_live(const struct gossip_row *row)
{
    return row->member.state == GOSSIP_ALIVE || row->member.state == GOSSIP_SUSPECT;
}
static inline void gossip_sooner(uint64_t *due_ms, uint64_t at_ms)
{
    if (at_ms < *due_ms)
        *due_ms = at_ms;
}

/* --- gossip.c */
/* Counts it, and shows the first few of a step. `from` may be NULL. */
void gossip_refuse(struct gossip *g, const struct id *from, enum err reason);
/* Shown by this step. */
void gossip_tell_news(struct gossip *g, const struct gossip_row *row, enum gossip_kind kind);
/* The incarnation is persisted some way ahead, before anything is sent under it. */
void gossip_persist_ahead(struct gossip *g);

/* --- members.c */
struct gossip_row *gossip_row_find(const struct gossip *g, const struct id *id);
/* NULL: nobody, or two of this prefix. */
struct gossip_row *gossip_row_by_ref(const struct gossip *g, struct gossip_ref ref);
/* Index of the first row of an id from this prefix on. */
size_t gossip_row_lower_bound(const struct gossip *g, const uint8_t *prefix, size_t size);
/* `said`: its NODE record; NULL for ourselves. LIMIT: no row is left that may be forgotten;
 * NO_MEMORY; REPLAYED: it was forgotten with this incarnation or a greater one, and has not signed
 * anything since. The row is alive and told as new. */
MUST_CHECK enum err gossip_row_add(struct gossip *g, const struct id *id,
                                   const struct gossip_owner *owner,
                                   const struct gossip_signed *said, struct gossip_row **ret_row);
void gossip_row_move(struct gossip *g, struct gossip_row *row, enum gossip_state next,
                     enum err reason);
/* The row's versions or state changed: keeps its bucket's hash true. */
void gossip_row_digest(struct gossip *g, struct gossip_row *row);
bool gossip_has_expired(const struct gossip *g, const struct gossip_row *row); /* its chain */
/* Forgets who was down or gone for long, and makes down whose certificate ended. */
void gossip_members_reap(struct gossip *g);
void gossip_members_free(struct gossip *g);
/* Brings ring and order up to date. */
void gossip_ring_refresh(struct gossip *g);
/* Up to `max` distinct live members at random that can be told things, without us and without `but`
 * (may be NULL). */
size_t gossip_members_pick(struct gossip *g, const struct gossip_row *but, size_t max,
                           struct gossip_row **ret_rows);

/* --- scope.c */
/* Whether a peer is told of the row. peer may be NULL: not known yet. */
bool gossip_may_know(const struct gossip *g, const struct gossip_row *peer,
                     const struct gossip_row *row);
bool gossip_would_be_gateway(const struct gossip *g, const struct gossip_owner *owner,
                             const struct id *id);
/* Its region or the way it is reached are new. */
void gossip_scope_rank(const struct gossip *g, struct gossip_row *row);
/* Tells other regions of ourselves, once we are a gateway. */
void gossip_scope_introduce(struct gossip *g);
/* Part of gossip_ring_refresh. */
void gossip_scope_refresh(struct gossip *g);
/* Of another region, and no gateway any more. */
bool gossip_is_stranger(const struct gossip *g, const struct gossip_row *row);
/* Whom we, if we are a gateway, probe next in other regions; NULL: nobody. */
struct gossip_row *gossip_next_abroad(struct gossip *g);
size_t gossip_gateways_at_home(const struct gossip *g, const struct gossip_row *but, size_t max,
                               struct gossip_row **ret_rows);
/* At most `max` gateways' versions, in `room` bytes. */
void gossip_scope_put_versions(struct gossip *g, size_t max, size_t room);

/* --- post.c: g->message is what is being built */
struct buf *gossip_message(struct gossip *g); /* empties it */
/* Bytes that fit into a datagram beside what is in the message. */
size_t gossip_message_room(const struct gossip *g);
/* Sends it as a datagram if the member takes those, else over a link; then it is empty. */
void gossip_post(struct gossip *g, struct gossip_row *row);
void gossip_post_datagram(struct gossip *g, struct gossip_row *row); /* it has an address */
void gossip_post_link(struct gossip *g, struct gossip_row *row);
/* The row's keys; false: it has none (its key is no point). */
bool gossip_post_keys(struct gossip *g, struct gossip_row *row);
uint64_t gossip_post_sequence(struct gossip *g);

/* --- receive.c */
void gossip_receive_datagram(struct gossip *g, const struct gossip_event *e);
void gossip_receive_link(struct gossip *g, const struct gossip_event *e);
/* Where answers to the message being read go. */
struct gossip_from {
    bool has_pinged, has_digest; /* the message contained one already */
    struct gossip_row *row;      /* NULL: a link's other end that has no row yet */
    struct id id;
    bool over_link;
    struct gossip_addr addr;
};
/* Sends g->message back the way the other one came. */
void gossip_answer(struct gossip *g, const struct gossip_from *from);

/* --- probe.c */
void gossip_probe_run(struct gossip *g);
uint64_t gossip_probe_deadline_ms(const struct gossip *g);
/* In other regions gateways probe gateways, once those have introduced themselves. */
bool gossip_may_probe(const struct gossip *g, const struct gossip_row *row);
void gossip_probe_now(struct gossip *g, struct gossip_row *row); /* out of turn */
void gossip_probe_on_ping(struct gossip *g, struct gossip_from *from, uint64_t cookie);
void gossip_probe_on_ack(struct gossip *g, const struct gossip_from *from,
                         const struct gossip_part *part);
void gossip_probe_on_nack(struct gossip *g, uint64_t cookie);
void gossip_probe_on_request(struct gossip *g, const struct gossip_from *from,
                             const struct gossip_part *part);
/* We were stopped: nothing that is under way says anything about others. */
void gossip_probe_on_stall(struct gossip *g, uint64_t stalled_ms);
void gossip_probe_drop(struct gossip *g, const struct gossip_row *row); /* it is going away */
void gossip_health_add(struct gossip *g, int points);

/* --- suspicion.c */
void gossip_accuse(struct gossip *g, struct gossip_row *row);
void gossip_suspicion_on_accusation(struct gossip *g, const struct gossip_from *from,
                                    const struct gossip_part *part);
void gossip_suspicion_run(struct gossip *g);
void gossip_suspicion_on_stall(struct gossip *g, uint64_t stalled_ms);
/* Its owner spoke with a greater incarnation. */
void gossip_suspicion_clear(struct gossip *g, struct gossip_row *row);
/* Appends one of the accusations, if there is room; or all of them, as far as they fit. */
bool gossip_suspicion_put_one(struct gossip *g, const struct gossip_row *row, size_t index);
void gossip_suspicion_put(struct gossip *g, const struct gossip_row *row);
/* Raises our incarnation and says so to all. */
void gossip_refute(struct gossip *g);

/* --- records.c */
/* Begins what is signed or verified: what it is, the mesh, whom it is about. Until the next one. */
struct buf gossip_to_sign(struct gossip *g, const char *domain, const struct id *about);
void gossip_records_publish(struct gossip *g, enum gossip_kind kind, struct bytes payload);
void gossip_records_on_record(struct gossip *g, const struct gossip_from *from,
                              const struct gossip_part *part);
/* Below 0: older than the record; above: newer. */
int gossip_order(uint64_t incarnation, uint64_t version, const struct gossip_record *r);
void gossip_records_refresh(struct gossip *g); /* signs ours anew before it is too old */
/* Appends the record to the message if there is room (of a datagram; of a link message). */
bool gossip_records_put(struct gossip *g, const struct gossip_row *row, enum gossip_kind kind,
                        uint32_t hop, size_t room);
size_t gossip_records_size(const struct gossip_row *row, enum gossip_kind kind); /* as a part */
static inline bool gossip_has_record(const struct gossip_row *row, enum gossip_kind kind)
{
    return row->member.records[kind].version != 0;
}

/* Begins its counters anew when their minute is over. */
void gossip_blame_roll(struct gossip *g, struct gossip_row *row);
/* Too much of what it sent was refused: it is not listened to for a while. */
bool gossip_is_blamed(struct gossip *g, struct gossip_row *sender);
/* --- rumours.c */
void gossip_rumour_add(struct gossip *g, struct gossip_row *row, unsigned what);
void gossip_rumours_run(struct gossip *g);
/* Appends what is most worth telling the peer, as far as it fits. */
void gossip_rumours_put(struct gossip *g, const struct gossip_row *peer);
void gossip_rumours_drop(struct gossip *g, const struct gossip_row *row);
/* Its accusations are void. */
void gossip_rumours_drop_accusations(struct gossip *g, const struct gossip_row *row);

/* --- fanout.c */
void gossip_fanout_publish(struct gossip *g, struct bytes payload, bool is_urgent);
/* A new one: straight from its owner (hop 1), from another region (2), or handed on (0). */
void gossip_fanout_on_record(struct gossip *g, struct gossip_row *row, enum gossip_kind kind,
                             uint32_t hop);
/* Ours, to one gateway of each other region, which hands it on. */
void gossip_fanout_abroad(struct gossip *g, enum gossip_kind kind);
/* Our load, at once and to all, under the incarnation that was raised. */
void gossip_fanout_refute(struct gossip *g);
void gossip_fanout_run(struct gossip *g);
uint64_t gossip_fanout_deadline_ms(const struct gossip *g);
void gossip_fanout_drop(struct gossip *g, const struct gossip_row *row);

/* --- repair.c */
/* One bucket, in turn; to a peer of another region some gateways' versions. */
void gossip_repair_put_digest(struct gossip *g, const struct gossip_row *peer);
void gossip_repair_sync(struct gossip *g,
                        const struct gossip_from *to); /* all buckets, and our NODE */
void gossip_repair_on_digest(struct gossip *g, struct gossip_from *from, struct bytes *message,
                             struct gossip_part *part, enum err *ret_err);
void gossip_repair_on_versions(struct gossip *g, const struct gossip_from *from,
                               struct bytes *message, struct gossip_part *part, enum err *ret_err);
void gossip_repair_on_want(struct gossip *g, const struct gossip_from *from, struct bytes *message,
                           struct gossip_part *part, enum err *ret_err);
void gossip_repair_entry(const struct gossip_row *row, struct gossip_entry *ret_entry);

#endif
