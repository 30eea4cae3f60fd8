/* A connection's memory: its bytes, its packets under way, its references. What packets mean is
 * conn.c's and connect.c's. Packets come from slabs that live as long as the world. */
#include "tests/sim/io/conn.h"

#include <stdlib.h>

#define SLAB_COUNT 256
#define CAPACITY_FIRST 512
#define HEADERS_SIZE 40

struct sim_packet {
    struct sim_event event;
    struct sim_packet *next_free;
    struct io_stream *from;
    enum sim_packet_kind kind;
    uint64_t start;
    uint64_t end;
};
struct sim_packet_slab {
    struct sim_packet_slab *next;
    struct sim_packet packets[SLAB_COUNT];
};

static struct sim_packet *take_packet(struct sim_world *w)
{
    if (!w->free_packets) {
        struct sim_packet_slab *slab = calloc(1, sizeof *slab);
        CHECK(slab != NULL);
        slab->next = w->packet_slabs;
        w->packet_slabs = slab;
        for (size_t i = SLAB_COUNT; i-- > 0;) {
            slab->packets[i].next_free = w->free_packets;
            w->free_packets = &slab->packets[i];
        }
    }
    struct sim_packet *packet = w->free_packets;
    w->free_packets = packet->next_free;
    return packet;
}

static void trace_packet(struct io_stream *from, const char *event, const struct sim_packet *packet)
{
    static const char *const kinds[] = {"syn", "syn_ack", "data", "ack", "rst"};
    const struct sim_world *w = from->conn->world;
    if (w->config.trace_packets)
        TRACE(w->config.trace, from->host->name, event, LOG_STR("kind", kinds[packet->kind]),
              LOG_UINT("stream", from->conn->id), LOG_STR("to", sim_end_peer(from)->host->name),
              LOG_UINT("start", packet->start), LOG_UINT("end", packet->end));
}

static void on_arrival(struct sim_world *w, struct sim_event *event)
{
    struct sim_packet *packet = LIST_ENTRY(event, struct sim_packet, event);
    struct io_stream *from = packet->from;
    struct io_stream *to = sim_end_peer(from);
    struct sim_conn *c = from->conn;
    bool arrives = sim_net_arrives(from->host, to->host);
    trace_packet(from, arrives ? "packet" : "packet_lost", packet);
    packet->next_free = w->free_packets;
    w->free_packets = packet;
    if (arrives)
        sim_conn_receive(to, packet->kind, packet->start, packet->end);
    sim_conn_unref(c);
}

/* A lost segment is not simulated as such: it comes later by what noticing and repeating costs, and
 * everything behind it waits. */
static uint64_t loss_delay_us(struct sim_world *w, const struct sim_path *path)
{
    if (path->link.loss <= 0 || !rng_chance(&w->rng, path->link.loss))
        return 0;
    return 2 * path->latency_us + 10000;
}

void sim_conn_send(struct io_stream *s, enum sim_packet_kind kind, uint64_t start, uint64_t end)
{
    struct sim_world *w = s->conn->world;
    struct sim_host *to = sim_end_peer(s)->host;
    size_t size = kind == SIM_DATA ? (size_t)(end - start) + HEADERS_SIZE : 0;
    uint64_t arrival_us;
    if (!to) /* nobody has this address */
        return;
    if (sim_net_depart(s->host, to, size, UINT64_MAX, &arrival_us) != SIM_UNDER_WAY)
        return; /* the retry mends it */
    arrival_us += loss_delay_us(w, sim_path_of(w, s->host, to));
    if (arrival_us < s->out.last_arrival_us)
        arrival_us = s->out.last_arrival_us;
    s->out.last_arrival_us = arrival_us;
    struct sim_packet *packet = take_packet(w);
    *packet = (struct sim_packet){
        .event.run = on_arrival, .from = s, .kind = kind, .start = start, .end = end};
    sim_conn_ref(s->conn);
    sim_queue_add(&w->queue, arrival_us, &packet->event);
}

/* --- connections */

enum err sim_conn_create(struct sim_world *w, struct sim_conn **ret_conn)
{
    struct sim_conn *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NO_MEMORY;
    c->world = w;
    c->id = ++w->conn_sequence;
    c->ref_count = 1; /* the caller's */
    for (size_t i = 0; i < 2; i++) {
        c->ends[i].conn = c;
        sim_stream_init(&c->ends[i]);
    }
    list_push_back(&w->conns, &c->node);
    *ret_conn = c;
    return ERR_OK;
}

static void free_conn(struct sim_conn *c)
{
    list_remove(&c->node);
    free(c->ends[0].out.data);
    free(c->ends[1].out.data);
    free(c);
}

void sim_conns_free(struct sim_world *w)
{
    LIST_EACH_SAFE(it, tmp, &w->conns)
    free_conn(LIST_ENTRY(it, struct sim_conn, node));
    while (w->packet_slabs) {
        struct sim_packet_slab *slab = w->packet_slabs;
        w->packet_slabs = slab->next;
        free(slab);
    }
}

void sim_conn_ref(struct sim_conn *c)
{
    c->ref_count++;
}

void sim_conn_unref(struct sim_conn *c)
{
    if (--c->ref_count == 0)
        free_conn(c);
}

/* --- bytes */

static bool make_room(struct sim_pipe *p, size_t held, size_t extra)
{
    if (p->capacity - p->head - held >= extra)
        return true;
    if (p->capacity - held >= extra && p->head >= held) { /* moving costs less than was consumed */
        memcpy(p->data, p->data + p->head, held);
        p->head = 0;
        return true;
    }
    size_t capacity = p->capacity ? p->capacity : CAPACITY_FIRST;
    while (capacity < held + extra)
        capacity *= 2;
    uint8_t *data = malloc(capacity);
    if (!data)
        return false;
    if (held)
        memcpy(data, p->data + p->head, held);
    free(p->data);
    p->data = data;
    p->head = 0;
    p->capacity = capacity;
    return true;
}

enum err sim_pipe_append(struct sim_pipe *p, struct bytes data)
{
    size_t held = (size_t)(p->total - p->read);
    if (data.size == 0)
        return ERR_OK;
    if (!make_room(p, held, data.size))
        return ERR_NO_MEMORY;
    memcpy(p->data + p->head + held, data.data, data.size);
    p->total += data.size;
    return ERR_OK;
}

void sim_pipe_consume(struct sim_pipe *p, uint64_t size)
{
    p->read += size;
    p->head += (size_t)size;
    if (p->read == p->total)
        p->head = 0;
}
