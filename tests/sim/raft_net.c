/* The network between the nodes: each message is a letter of its own, lost, doubled, late or cut
 * off as the features of the seed and the faults of the moment say. In some worlds every letter
 * passes through its bytes. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

static struct bytes copy_bytes(struct bytes b)
{
    if (b.size == 0)
        return bytes_of(NULL, 0);
    uint8_t *copy = malloc(b.size);
    CHECK(copy);
    memcpy(copy, b.data, b.size);
    return bytes_of(copy, b.size);
}

struct raft_letter *letter_copy(const struct raft_message *m)
{
    struct raft_letter *l = malloc(sizeof(*l));
    CHECK(l);
    l->next = NULL;
    l->after = 0;
    l->message = *m;
    l->message.records = copy_bytes(m->records);
    l->message.data = copy_bytes(m->data);
    if (m->snapshot) {
        l->snapshot = *m->snapshot;
        l->message.snapshot = &l->snapshot;
    }
    return l;
}

void letter_free(struct raft_letter *l)
{
    if (!l)
        return;
    free((void *)(uintptr_t)l->message.records.data);
    free((void *)(uintptr_t)l->message.data.data);
    free(l);
}

static struct raft_letter *through_bytes(struct raft_world *w, struct raft_letter *l)
{
    struct buf bytes;
    struct raft_message m;
    struct raft_snapshot snapshot;
    buf_init(&bytes, RAFT_MESSAGE_MAX);
    enum err err = raft_message_encode(&l->message, &bytes);
    if (err == ERR_OK)
        err = raft_message_decode(buf_bytes(&bytes), &m, &snapshot);
    if (err != ERR_OK)
        world_break(w, "messages_have_bytes", "%s: %s", raft_message_name(l->message.type),
                    err_word(err));
    struct raft_letter *copy = l;
    if (err == ERR_OK) {
        m.from = l->message.from;
        m.to = l->message.to;
        copy = letter_copy(&m);
        letter_free(l);
    }
    buf_fini(&bytes);
    return copy;
}

static uint64_t delay_ms(struct raft_world *w)
{
    uint64_t delay = rng_between(&w->rng, 1, 6);
    if (!w->is_calm && world_chance(w, w->features.tail))
        delay += rng_below(&w->rng, world_chance(w, 100) ? 2000 : 100);
    return delay;
}

static void post(struct raft_world *w, struct raft_letter *l, struct raft_node *from,
                 struct raft_node *to)
{
    uint64_t at_ms = w->now_ms + delay_ms(w);
    uint64_t clogged_ms = w->clogged_until_ms[from->number][to->number];
    struct raft_happening h = {.type = RAFT_HAPPENS_LETTER, .node = to, .letter = l};
    world_at(w, at_ms > clogged_ms ? at_ms : clogged_ms, &h);
}

void net_send(struct raft_world *w, struct raft_letter *l)
{
    struct raft_node *from = world_node(w, &l->message.from), *to = world_node(w, &l->message.to);
    bool is_lost = !w->is_calm && world_chance(w, w->features.drop);
    if (!to || w->cut[from->number][to->number] || is_lost) {
        letter_free(l);
        return;
    }
    if (w->features.through_bytes)
        l = through_bytes(w, l);
    if (!w->is_calm && world_chance(w, w->features.duplicate))
        post(w, letter_copy(&l->message), from, to);
    post(w, l, from, to);
}
