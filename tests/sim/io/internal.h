/* What the files of the simulated io share. Nobody else includes it: scenarios see world.h, nodes
 * see node/io/.
 *
 *   queue.c      events in order of (time, sequence)
 *   world.c      the world, stepping          host.c      hosts: addresses, crash, pause
 *   loop.c       io_loop_*, turns, tasks      net.c       links, faults, departures
 *   packet.c     a connection's memory        conn.c      streams' kernel half: segments
 *   connect.c    opening and breaking         stream.c    io_stream_*
 *   listener.c   io_listener_*                datagram.c  io_datagram_*
 *   work.c       io_work, io_resolve, signals */
#ifndef TESTS_SIM_IO_INTERNAL_H
#define TESTS_SIM_IO_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "node/io/datagram.h"
#include "node/io/stream.h"
#include "node/io/timers.h"
#include "tests/sim/io/world.h"

/* --- queue.c: a heap of events that live inside what they belong to */
struct sim_event {
    size_t heap_index; /* 1-based; 0: not queued */
    void (*run)(struct sim_world *world, struct sim_event *event);
};
struct sim_slot {
    uint64_t t_us;
    uint64_t sequence;
    struct sim_event *event;
};
struct sim_queue {
    struct sim_slot *slots;
    size_t count;
    size_t capacity;
    uint64_t sequence;
};
void sim_queue_fini(struct sim_queue *q);
void sim_queue_add(struct sim_queue *q, uint64_t t_us, struct sim_event *event);
void sim_queue_remove(struct sim_queue *q, struct sim_event *event); /* harmless when not queued */
/* UINT64_MAX when empty. */
static inline uint64_t sim_queue_next_us(const struct sim_queue *q)
{
    return q->count ? q->slots[1].t_us : UINT64_MAX;
}
struct sim_event *sim_queue_pop(struct sim_queue *q); /* not empty */

/* --- the world */
struct sim_path {
    struct sim_link link;
    uint64_t latency_us;
    uint64_t free_us; /* when the last byte under way has left: bandwidth */
    bool is_blocked;
};
#define SIM_IP_KEY_SIZE 17
struct sim_host {
    struct sim_world *world;
    struct io_loop *loop; /* NULL: no process */
    size_t index;
    char name[SIM_NAME_SIZE];
    struct io_addr ip;
    uint8_t ip_key[SIM_IP_KEY_SIZE];
    bool is_powered;
    bool is_paused;
    bool is_refusing;
    size_t fd_max;
    uint64_t mono_offset_us;
    int64_t wall_offset_ms;
    uint16_t next_port;
};
struct sim_packet;
struct sim_world {
    struct sim_config config;
    struct rng rng;
    struct sim_queue queue;
    uint64_t now_us;
    uint64_t step_count;
    uint64_t turns_at_now; /* guard against a world that spins without time passing */
    struct list runnable;  /* loops whose turn comes before time goes on */
    struct list conns;
    struct list calls;   /* sim_world_at */
    struct list letters; /* datagrams under way */
    struct list name_list;
    struct sim_packet *free_packets;
    struct sim_packet_slab *packet_slabs;
    uint64_t conn_sequence;
    struct sim_host *hosts[SIM_HOSTS_MAX]; /* in order of creation, kept for ever */
    size_t host_count;
    struct map hosts_by_ip;
    struct map names;
    struct sim_path *paths; /* [from * SIM_HOSTS_MAX + to] */
};
static inline struct sim_path *sim_path_of(struct sim_world *w, const struct sim_host *from,
                                           const struct sim_host *to)
{
    return &w->paths[from->index * SIM_HOSTS_MAX + to->index];
}

/* --- host.c */
struct sim_host *sim_host_find(struct sim_world *w, const char *name);    /* CHECK-fails: unknown */
MUST_CHECK enum err sim_ip_parse(const char *ip, struct io_addr *ret_ip); /* no port, no brackets */
/* Whom `a` means on `self`: loopback, any and unix are itself; NULL: nobody. */
struct sim_host *sim_host_by_addr(struct sim_host *self, const struct io_addr *a);
/* May a socket of this host be bound here? */
bool sim_host_owns(const struct sim_host *h, const struct io_addr *a);
/* A socket bound to `bound` hears what is sent to `to`. */
bool sim_addr_hears(const struct io_addr *bound, const struct io_addr *to);
/* The ip of h as seen by itself or others, with this port. */
void sim_host_source(const struct sim_host *h, const struct io_addr *to, uint16_t port,
                     struct io_addr *ret_from);
uint16_t sim_host_next_port(struct sim_host *h); /* of the ephemeral ones */

/* --- loop.c */
struct sim_ready { /* something the process is told in its next turn */
    struct list node;
    void (*run)(struct sim_ready *ready);
};
struct io_loop {
    struct sim_world *world;
    struct sim_host *host;
    struct io_timers timers;
    struct sim_event wake; /* queued for the earliest timer */
    uint64_t wake_us;
    struct list runnable; /* in world->runnable */
    struct list ready, batch, tasks, last_tasks;
    struct list streams, lingering, listeners, datagrams, signals, resolves, works;
    size_t work_count;
    size_t resolve_count;
    size_t fd_count;
    bool is_in_turn;
    bool is_dead;
    bool is_stopped;
    uint8_t read_buffer[IO_READ_SIZE];
};
MUST_CHECK enum err sim_loop_create(struct sim_host *h, struct io_loop **ret_loop);
void sim_loop_turn(struct io_loop *loop);
/* Gives the loop a turn soon (it may be in one: then another). */
void sim_loop_wake(struct io_loop *loop);
void sim_loop_sleep(struct io_loop *loop); /* no turn until woken: paused or dead */
void sim_ready_init(struct sim_ready *ready, void (*run)(struct sim_ready *ready));
void sim_ready_post(struct io_loop *loop, struct sim_ready *ready);
size_t sim_loop_leaks(const struct io_loop *loop, bool print);
MUST_CHECK enum err sim_loop_take_fd(struct io_loop *loop);
void sim_loop_free(struct io_loop *loop);

/* --- net.c */
enum sim_departure { SIM_UNDER_WAY, SIM_LOST, SIM_CLOGGED /* waits longer than queue_max_us */ };
enum sim_departure sim_net_depart(struct sim_host *from, struct sim_host *to, size_t size,
                                  uint64_t queue_max_us, uint64_t *ret_arrival_us);
/* A packet that would arrive now does so. */
bool sim_net_arrives(struct sim_host *from, struct sim_host *to);

/* --- what a crash, an abandoned loop and the end of the world ask of the other files */
void sim_conns_crash(struct sim_host *h, enum sim_crash how);
void sim_conns_free(struct sim_world *w); /* with their packets */
void sim_streams_close(struct list *streams);
void sim_listeners_abandon(struct io_loop *loop);
void sim_datagrams_crash(struct io_loop *loop); /* what waits unread is gone */
void sim_datagrams_abandon(struct io_loop *loop);
void sim_works_abandon(struct io_loop *loop); /* resolves and signals, too */
void sim_work_finish_all(struct io_loop *loop);
void sim_letters_free(struct sim_world *w);
void sim_names_free(struct sim_world *w);

#endif
