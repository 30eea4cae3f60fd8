/* Orders on their way to whoever can answer them, and those that peers bring: POST
 * /mesh/v1/rules/command?hops=N with the signed command as the body, /mesh/v1/rules/read?hops=N
 * with none; answered 200 with an Answer (wire.proto). A node that does not lead hands a command
 * on, at most HOPS_MAX times in all, then it says who may lead.
 *
 * Failure modes: nobody is known to lead (asked again shortly), no link (likewise: upkeep dials), a
 * link that ends under it (it may have happened: asked again, which is harmless). */
#include "node/rules/inner.h"

#include "node/rules/wire.h"

#define HOPS_MAX 4 /* out of a region by one of its gateways, and to the leader */
#define AGAIN_MS 50
#define HINT_MS 3000

/* --- whom to ask */

static struct peer *linked(const struct rules *r, const struct id *id)
{
    struct peer *p = id_is_zero(id) ? NULL : mesh_peer_find(r->mesh, id);
    return p && p->link ? p : NULL;
}

static struct peer *raft_leader(const struct rules *r)
{
    struct raft_status s;
    if (!r->raft)
        return NULL;
    raft_status(r->raft, &s);
    return linked(r, &s.leader);
}

static bool votes(const struct rules *r, const struct peer *p, bool knows_voter)
{
    if (knows_voter)
        return compare_names_voter(&r->applied.config, &p->id);
    return p->facts && p->facts->rules.is_known && p->facts->rules.is_voter;
}

/* Somebody who votes. A node that knows of no voter, or only of such that are no peers of its (of
 * other regions a node knows few), asks anybody: whoever that is knows others. A voter that is a
 * peer without a link is waited for. */
static struct peer *anybody(struct rules *r)
{
    struct peer *voter = NULL, *other = NULL;
    bool knows_voter = compare_knows_voter(r), has_voter = false;
    size_t seen = 0, seen_voters = 0;
    for (size_t i = 0; i < mesh_peer_count(r->mesh); i++) {
        struct peer *p = mesh_peer(r->mesh, i);
        if (p->state != PEER_ALIVE)
            continue;
        bool is_voter = votes(r, p, knows_voter);
        has_voter |= is_voter && knows_voter;
        if (p->link && is_voter && rng_below(&r->rng, ++seen_voters) == 0)
            voter = p;
        else if (p->link && !is_voter && rng_below(&r->rng, ++seen) == 0)
            other = p;
    }
    return voter || has_voter ? voter : other;
}

/* A member goes by raft's word alone: who claims to lead may be anybody. But not while its core can
 * write nothing down, not even whom it follows. */
static struct peer *target_of(struct order *o)
{
    struct rules *r = o->rules;
    struct peer *p = raft_leader(r);
    if (p || (r->raft && !r->is_log_full))
        return p;
    if (rules_now_ms(r) - r->orders.hint_ms < HINT_MS)
        p = linked(r, &r->orders.hint);
    if (!p)
        p = compare_leader(r);
    if (!p || !p->link)
        p = anybody(r);
    return p;
}

/* --- ours */

static void take_hint(struct rules *r, const struct id *leader)
{
    r->orders.hint = *leader;
    r->orders.hint_ms = rules_now_ms(r);
}

static void take_answer(struct order *o, const struct wire_answer *a)
{
    if (a->result.err == ERR_NOT_LEADER) {
        take_hint(o->rules, &a->leader);
        orders_again(o, id_is_zero(&a->leader) ? AGAIN_MS : AGAIN_MS / 5);
        return;
    }
    if (err_class(a->result.err) == ERR_CLASS_RETRY) { /* of this moment */
        o->may_have_happened |= a->result.err == ERR_UNKNOWN_OUTCOME;
        orders_again(o, 2 * AGAIN_MS);
        return;
    }
    o->result = a->result;
    if (!o->is_read || a->result.err != ERR_OK) {
        orders_done(o, a->result.err);
        return;
    }
    o->index = a->result.index;
    o->state = ORDER_INDEXED;
    if (o->index <= o->rules->head.index)
        orders_done(o, ERR_OK);
    else
        pull_look(o->rules);
}

static void on_answer(struct rules_ask *ask, enum err e)
{
    struct order *o = LIST_ENTRY(ask, struct order, ask);
    struct wire_answer a;
    if (o->state != ORDER_ASKED)
        return;
    if (e == ERR_OK && ask->status == 200 &&
        wire_answer_decode(buf_bytes(&ask->in), &a) == ERR_OK) {
        take_answer(o, &a);
        return;
    }
    bool was_seen = e != ERR_REFUSED && (e != ERR_OK || ask->status == 200);
    o->may_have_happened |= was_seen;
    orders_again(o, 2 * AGAIN_MS);
}

void forward_order(struct order *o)
{
    struct rules *r = o->rules;
    struct peer *p = r->mesh && o->hops < HOPS_MAX ? target_of(o) : NULL;
    char target[32];
    struct buf text;
    if (!p && o->visit) {
        bool is_unknown = o->may_have_happened && !o->is_read;
        orders_done(o, is_unknown ? ERR_UNKNOWN_OUTCOME : ERR_NOT_LEADER);
        return;
    }
    buf_init_fixed(&text, (uint8_t *)target, sizeof target);
    CHECK(buf_printf(&text, "%s?hops=%u", o->is_read ? "read" : "command", o->hops + 1) == ERR_OK);
    o->state = ORDER_ASKED;
    if (!p || ask_start(r, &o->ask, p, buf_bytes(&text), o->command, WIRE_ANSWER_MAX, on_answer) !=
                  ERR_OK)
        orders_again(o, AGAIN_MS);
}

/* --- theirs */

static void on_gone(struct rules_visit *v)
{
    struct order *o = v->order;
    v->order = NULL;
    if (o)
        orders_drop(o);
}

static struct id leader_hint(const struct rules *r)
{
    struct rules_status s;
    rules_status(r, &s);
    return s.has_leader && !id_equal(&s.leader, rules_self(r)) ? s.leader
                                                               : (struct id){.bytes = {0}};
}

void forward_answer(struct order *o)
{
    struct rules_visit *v = o->visit;
    uint8_t space[WIRE_ANSWER_MAX];
    struct wire_answer a = {.result = o->result};
    struct buf out;
    o->visit = NULL;
    v->order = NULL;
    if (o->result.err == ERR_NOT_LEADER)
        a.leader = leader_hint(o->rules);
    buf_init_fixed(&out, space, sizeof space);
    if (wire_answer_encode(&a, &out) == ERR_OK)
        ask_answer(v, 200, buf_bytes(&out));
    else
        ask_refuse(v, ERR_INTERNAL);
}

static unsigned hops_of(struct bytes query)
{
    uint64_t hops = 1;
    if (bytes_starts_with(query, BYTES("hops=")) && bytes_to_u64(bytes_skip(query, 5), &hops) &&
        hops < HOPS_MAX)
        return (unsigned)hops;
    return query.size > 0 ? HOPS_MAX : 1;
}

/* Reads are for those who belong; a command is judged by its own signature. */
enum err forward_accept(struct rules *r, struct rules_visit *v, struct bytes query, bool is_read)
{
    struct order *o;
    struct bytes command = is_read ? bytes_of(NULL, 0) : buf_bytes(&v->in);
    if (is_read)
        TRY(rules_admit(r, &v->stream.peer->id));
    else if (command.size == 0 || command.size > REGISTRY_COMMAND_MAX)
        return ERR_INVALID;
    TRY(orders_create(r, command, &o));
    o->is_read = is_read;
    o->visit = v;
    o->hops = hops_of(query);
    v->order = o;
    v->on_gone = on_gone;
    return ERR_OK;
}
