/* A ring of events; see events.h. Knows nothing of the mesh around it. */
#include "node/mesh/events.h"

const char *events_kind_name(enum event_kind kind)
{
    static const char *const names[] = {
        [EVENT_JOINED] = "joined",     [EVENT_SUSPECT] = "suspect",
        [EVENT_DOWN] = "down",         [EVENT_BACK] = "back",
        [EVENT_LEFT] = "left",         [EVENT_FORGOTTEN] = "forgotten",
        [EVENT_CONFLICT] = "conflict", [EVENT_POLICY_WITHDRAWN] = "policy_withdrawn",
    };
    return names[kind];
}

void events_init(struct events *ev)
{
    ev->count = 0;
    list_init(&ev->readers);
}

void events_add(struct events *ev, const struct event *e)
{
    ev->kept[ev->count++ % EVENTS_KEPT] = *e;
    LIST_EACH_SAFE(it, tmp, &ev->readers)
    {
        struct events_reader *reader = LIST_ENTRY(it, struct events_reader, node);
        reader->on_event(reader);
    }
}

/* --- what is told of gossip's changes */

static void set_name(char to[GOSSIP_NAME_MAX + 1], const char *name)
{
    bytes_to_str(bytes_from_str(name), to, GOSSIP_NAME_MAX + 1);
}

/* One that was down or had left before we heard of it did not join. */
static enum event_kind kind_of(const struct gossip_change *c)
{
    static const enum event_kind kinds[] = {[GOSSIP_ALIVE] = EVENT_BACK,
                                            [GOSSIP_SUSPECT] = EVENT_SUSPECT,
                                            [GOSSIP_DOWN] = EVENT_DOWN,
                                            [GOSSIP_LEFT] = EVENT_LEFT};
    if (c->is_forgotten)
        return EVENT_FORGOTTEN;
    return c->is_new && c->to == GOSSIP_ALIVE ? EVENT_JOINED : kinds[c->to];
}

bool events_add_change(struct events *ev, uint64_t wall_ms, const struct gossip_change *c,
                       const char *const names[])
{
    if (!c->is_new && !c->is_forgotten && c->from == c->to)
        return false;
    struct event e = {.time_ms = wall_ms,
                      .kind = kind_of(c),
                      .id = c->id,
                      .incarnation = c->incarnation,
                      .reason = c->reason,
                      .accuser_count = c->accuser_count};
    set_name(e.node, c->name);
    for (size_t i = 0; i < c->accuser_count; i++)
        set_name(e.accusers[i], names[i]);
    events_add(ev, &e);
    return true;
}

void events_add_conflict(struct events *ev, uint64_t wall_ms, const struct id *id, const char *name)
{
    const struct event *newest = ev->count ? &ev->kept[(ev->count - 1) % EVENTS_KEPT] : NULL;
    if (newest && newest->kind == EVENT_CONFLICT && wall_ms - newest->time_ms < EVENTS_CONFLICT_MS)
        return;
    struct event e = {.time_ms = wall_ms, .kind = EVENT_CONFLICT, .id = *id, .reason = ERR_EXISTS};
    set_name(e.node, name);
    events_add(ev, &e);
}

void events_add_policy(struct events *ev, uint64_t wall_ms, const char *policy, uint64_t version,
                       const char *guard)
{
    struct event e = {
        .time_ms = wall_ms, .kind = EVENT_POLICY_WITHDRAWN, .version = version, .guard = guard};
    bytes_to_str(bytes_from_str(policy), e.policy, sizeof e.policy);
    events_add(ev, &e);
}

/* --- readers */

static uint64_t oldest(const struct events *ev)
{
    return ev->count > EVENTS_KEPT ? ev->count - EVENTS_KEPT : 0;
}

void events_subscribe(struct events *ev, struct events_reader *reader, size_t last)
{
    uint64_t kept = ev->count - oldest(ev);
    reader->next = ev->count - (last < kept ? last : kept);
    list_push_back(&ev->readers, &reader->node);
}

void events_unsubscribe(struct events_reader *reader)
{
    list_remove(&reader->node);
}

uint64_t events_missed(const struct events *ev, const struct events_reader *reader)
{
    uint64_t first = oldest(ev);
    return reader->next < first ? first - reader->next : 0;
}

const struct event *events_read(const struct events *ev, struct events_reader *reader)
{
    reader->next += events_missed(ev, reader);
    return reader->next < ev->count ? &ev->kept[reader->next++ % EVENTS_KEPT] : NULL;
}
