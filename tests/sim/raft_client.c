/* Clients: each does one thing after another on a register (write, compare-and-set, read through
 * ReadIndex at any node), follows hints, repeats with the same sequence number what it does not
 * know the outcome of, and at last gives up: then the operation stays open in its history, and the
 * client goes on under a new name. */
#include "tests/sim/raft_parts.h"

typedef unsigned long long ull;

static void again_at(struct raft_world *w, size_t number, uint64_t at_ms)
{
    struct raft_happening h = {.type = RAFT_HAPPENS_CLIENT, .a = number};
    w->clients[number].next_ms = at_ms;
    world_at(w, at_ms, &h);
}

void client_kick(struct raft_world *w, size_t number)
{
    again_at(w, number, w->now_ms + rng_below(&w->rng, 50));
}

static size_t number_of(const struct raft_world *w, const struct raft_client *c)
{
    return (size_t)(c - w->clients);
}

static void trace_op(struct raft_world *w, const struct raft_client *c, const char *event)
{
    static const char *const types[] = {"read", "write", "cas"};
    const struct raft_op *op = c->op;
    if (!w->options.trace)
        return;
    fprintf(w->options.trace,
            "{\"t_ms\":%llu,\"client\":%llu,\"event\":\"%s\",\"op\":\"%s\",\"key\":%llu,"
            "\"value\":%llu,\"expected\":%llu,\"result\":%llu}\n",
            (ull)w->now_ms, (ull)op->client, event, types[op->type], (ull)op->key, (ull)op->value,
            (ull)op->expected, (ull)op->result);
}

/* --- one operation */

static void new_name(struct raft_world *w, struct raft_client *c)
{
    c->name = w->next_client < RAFT_SESSIONS ? w->next_client++ : RAFT_SESSIONS;
    c->sequence = 0;
}

static void begin_op(struct raft_world *w, struct raft_client *c)
{
    struct raft_op *op = &w->ops[w->op_count++];
    uint64_t key = rng_below(&w->rng, RAFT_KEYS);
    if (w->features.reads)
        key = 0;
    unsigned kind = (unsigned)rng_below(&w->rng, 10);
    *op = (struct raft_op){.client = c->name, .key = key, .called = ++w->order};
    op->type = kind < (w->features.reads ? 6 : 4) ? RAFT_OP_READ
               : kind < 7                         ? RAFT_OP_WRITE
                                                  : RAFT_OP_CAS;
    op->value = c->name << 20 | ++c->sequence;
    if (w->is_calm) /* reads alone must be answered, too */
        op->type = w->features.ends_with_reads ? RAFT_OP_READ : RAFT_OP_WRITE;
    if (op->type == RAFT_OP_READ)
        op->value = 0;
    for (size_t i = 0; i < w->node_count && op->type == RAFT_OP_CAS; i++)
        if (rng_below(&w->rng, 3) == 0)
            op->expected = w->nodes[i].machine.values[key];
    c->op = op;
    c->attempts = 0;
    c->was_tried = false;
    trace_op(w, c, "invoke");
}

static void end_op(struct raft_world *w, struct raft_client *c)
{
    c->op->returned = ++w->order;
    w->stats.acknowledged += c->op->type != RAFT_OP_READ;
    w->stats.reads += c->op->type == RAFT_OP_READ;
    trace_op(w, c, "return");
    c->op = NULL;
    c->at = NULL;
    c->tag = c->index = 0;
    again_at(w, number_of(w, c), w->now_ms + rng_below(&w->rng, w->is_calm ? 5 : 40));
}

/* Not known whether it happened, or known that it did not. */
static void give_up(struct raft_world *w, struct raft_client *c)
{
    if (c->was_tried && c->op->type != RAFT_OP_READ) {
        c->op->is_unknown = true;
        w->stats.unknown++;
        trace_op(w, c, "unknown");
        new_name(w, c);
    } else {
        c->op->key = RAFT_KEYS; /* of no register: it never happened */
        trace_op(w, c, "fail");
    }
    c->op = NULL;
    c->at = NULL;
    c->tag = c->index = 0;
}

/* --- one attempt */

static struct raft_node *choose_node(struct raft_world *w, const struct raft_client *c)
{
    struct raft_node *leader = world_leader(w);
    bool is_write = c->op->type != RAFT_OP_READ;
    if (leader && rng_below(&w->rng, 10) < (is_write ? 8u : 3u))
        return leader;
    struct raft_node *n = &w->nodes[rng_below(&w->rng, w->node_count)];
    return n->core ? n : NULL;
}

static void try_write(struct raft_client *c)
{
    uint8_t payload[64];
    struct raft_command command = {.client = c->name,
                                   .sequence = c->op->value & 0xfffff,
                                   .is_cas = c->op->type == RAFT_OP_CAS,
                                   .key = (uint8_t)c->op->key,
                                   .value = c->op->value,
                                   .expected = c->op->expected};
    size_t size = machine_encode(&command, payload);
    struct raft_proposal p = {.tag = c->tag, .payload = bytes_of(payload, size)};
    struct raft_event e = {.type = RAFT_PROPOSE, .proposals = &p, .count = 1};
    shell_step(c->at, &e);
}

static void try_op(struct raft_world *w, struct raft_client *c)
{
    c->attempts++;
    c->index = 0;
    c->tag = ++w->next_tag;
    c->give_up_ms = w->now_ms + 200 + rng_below(&w->rng, 400);
    again_at(w, number_of(w, c), c->give_up_ms);
    c->at = choose_node(w, c);
    if (!c->at || w->now_ms < c->at->paused_until_ms) {
        c->at = NULL;
        again_at(w, number_of(w, c), w->now_ms + 20);
        return;
    }
    struct raft_event e = {.type = RAFT_READ_INDEX, .tag = c->tag};
    if (c->op->type == RAFT_OP_READ)
        shell_step(c->at, &e);
    else
        try_write(c);
}

static bool is_done(const struct raft_world *w, const struct raft_client *c)
{
    return !c->op && (w->op_count == RAFT_OPS || c->name >= RAFT_SESSIONS);
}

void client_run(struct raft_world *w, size_t number)
{
    struct raft_client *c = &w->clients[number];
    if (w->now_ms < c->next_ms || is_done(w, c))
        return;
    if (c->op && c->at) { /* this attempt took too long */
        c->was_tried = true;
        c->at = NULL;
    }
    if (c->op && c->attempts >= (w->is_calm ? 1000u : 4u))
        give_up(w, c);
    if (!c->op && (is_done(w, c) || (w->is_calm && c->is_last_done)))
        return;
    if (!c->op) {
        c->is_last_done = w->is_calm;
        begin_op(w, c);
    }
    try_op(w, c);
}

bool clients_are_idle(const struct raft_world *w)
{
    for (size_t i = 0; i < RAFT_CLIENTS; i++)
        if (w->clients[i].op || (!w->clients[i].is_last_done && !is_done(w, &w->clients[i])))
            return false;
    return true;
}

/* --- answers */

void client_outcome(struct raft_node *n, const struct raft_outcome *o)
{
    struct raft_world *w = n->world;
    for (size_t i = 0; i < RAFT_CLIENTS && o->tag; i++) {
        struct raft_client *c = &w->clients[i];
        if (!c->op || c->tag != o->tag || c->at != n)
            continue;
        if (o->err == ERR_OK) {
            c->index = o->index;
            c->term = o->term;
            return;
        }
        c->at = NULL;
        again_at(w, i, w->now_ms + 5 + rng_below(&w->rng, 30));
    }
}

void client_read(struct raft_node *n, const struct raft_read_result *result)
{
    struct raft_world *w = n->world;
    for (size_t i = 0; i < RAFT_CLIENTS; i++) {
        struct raft_client *c = &w->clients[i];
        if (!c->op || c->tag != result->tag || c->at != n)
            continue;
        if (result->err == ERR_OK) {
            c->op->result = n->machine.values[c->op->key];
            end_op(w, c);
            return;
        }
        c->at = NULL;
        again_at(w, i, w->now_ms + 5 + rng_below(&w->rng, 30));
    }
}

void client_applied(struct raft_node *n, const struct raft_entry *e, uint64_t result)
{
    struct raft_world *w = n->world;
    for (size_t i = 0; i < RAFT_CLIENTS; i++) {
        struct raft_client *c = &w->clients[i];
        if (!c->op || c->at != n || c->index != e->index)
            continue;
        if (c->term != e->term) { /* another entry took its place: this attempt never happened */
            c->at = NULL;
            again_at(w, i, w->now_ms + 5);
            continue;
        }
        c->op->result = result;
        end_op(w, c);
    }
}
