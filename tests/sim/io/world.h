/* The simulated world: hosts, a network between them, one clock. Implements node/io/ (same headers,
 * chosen at link time), so whole nodes run in one process, as fast as the machine can, repeatably.
 *
 * Everything that happens is decided by the seed and by the order of calls: one queue of events
 * ordered by (time, sequence). No real clock, thread, socket or pointer order has a say.
 *
 * A host is an io_loop with an address and clocks of its own. Its kernel (arrivals,
 * acknowledgements, retries) goes on while its process is paused; the process runs in *turns*:
 * what is ready, then timers, then tasks, as a real loop does.
 *
 * Hosts are named in every call here; NULL for a name of a pair means every host made so far. */
#ifndef TESTS_SIM_IO_WORLD_H
#define TESTS_SIM_IO_WORLD_H

#include "base/err.h"
#include "base/trace.h"
#include "node/io/addr.h"
#include "node/io/loop.h"

#define SIM_HOSTS_MAX 256
#define SIM_NAME_SIZE 64

struct sim_world;

/* One direction between two hosts. The defaults are sim_config_init's. */
struct sim_link {
    uint32_t latency_min_us; /* 200: the pair's latency is drawn between the two when it is set */
    uint32_t latency_max_us; /* 2,000 */
    uint32_t jitter_us;      /* 100: each packet takes up to this much longer */
    double loss;             /* 0: a datagram vanishes; a stream's segment comes one retry later */
    double datagram_loss;    /* 0: of datagrams alone, as where UDP is not let through */
    double duplicate;        /* 0: datagrams only */
    double reorder;          /* 0: a datagram is held back so that later ones overtake it */
    uint64_t bytes_per_s;    /* 0: no limit; shared by everything on this direction */
};

struct sim_config {
    uint64_t seed;
    const struct trace *trace;  /* NULL: none; outlives the world */
    bool trace_packets;         /* false: every packet and every read gets a trace line, too */
    struct sim_link link;       /* between hosts */
    struct sim_link local;      /* a host with itself: 5 to 30 us */
    uint32_t window_bytes;      /* 65,536: what a stream's reader holds before its peer must wait */
    uint32_t send_buffer_bytes; /* 65,536: what the kernel takes before io_stream_queued grows */
    double split;               /* 0.25: a read lends only a random part of what is there */
    double short_write;         /* 0.1: the kernel takes only a part, the rest in the next turn */
    double reset_discards;      /* 0.5: a reset also destroys what had arrived unread */
    uint64_t wall_ms;           /* wall clock of every host at time 0: 2026-01-01 */
    uint32_t stream_timeout_min_ms, stream_timeout_max_ms;   /* 60,000 to 120,000 unanswered */
    uint32_t connect_timeout_min_ms, connect_timeout_max_ms; /* 20,000 to 130,000 */
    uint32_t retry_max_ms;                                   /* 10,000: longest pause of a retry */
    uint32_t work_min_us, work_max_us;                       /* 50 to 20,000 */
    uint32_t resolve_min_us, resolve_max_us;                 /* 100 to 50,000 */
};

void sim_config_init(struct sim_config *config, uint64_t seed);

MUST_CHECK enum err sim_world_create(const struct sim_config *config, struct sim_world **ret_world);
/* Destroys the loops that are left, too. CHECK-fails when anything is open on one of them. */
void sim_world_destroy(struct sim_world *world);
/* Microseconds since the world began. */
uint64_t sim_world_now_us(const struct sim_world *world);
/* One event or one turn of one host; false when nothing is left that could ever happen. */
bool sim_world_step(struct sim_world *world);
/* Everything up to and including t_us; the time is then t_us. */
void sim_world_run_until(struct sim_world *world, uint64_t t_us);
/* Calls fn at t_us (not before now), outside every host's turn: faults, clients' next moves. */
void sim_world_at(struct sim_world *world, uint64_t t_us, void (*fn)(void *ctx), void *ctx);
/* Streams, listeners, sockets, timers, tasks, works, resolves and signals not closed, on all hosts;
 * streams that close gracefully do not count. Each is named on stderr when `print`. */
size_t sim_world_leaks(const struct sim_world *world, bool print);
/* Events and turns so far. */
uint64_t sim_world_step_count(const struct sim_world *world);

/* --- hosts */

/* ip NULL: 10.0.0.N, N counted from 1. The same name again, after its loop was destroyed, is the
 * same host started again: ip (NULL) and links stay, monotonic time is new, old connections are
 * unknown to it. ERR_EXISTS: it is up, or the ip is another's. ERR_LIMIT: SIM_HOSTS_MAX.
 * io_loop_destroy ends an orderly process: its listeners are gone, the host still refuses. */
MUST_CHECK enum err sim_host_create(struct sim_world *world, const char *name, const char *ip,
                                    struct io_loop **ret_loop);
struct io_loop *sim_host_loop(struct sim_world *world, const char *name); /* NULL: none now */
const char *sim_host_name(const struct io_loop *loop);
void sim_host_ip(struct sim_world *world, const char *name, struct io_addr *ret_ip); /* port 0 */

/* Its process stops (SIGSTOP) and goes on; its kernel does not stop. */
void sim_host_pause(struct sim_world *world, const char *name);
void sim_host_resume(struct sim_world *world, const char *name);

enum sim_crash {
    SIM_CRASH_KILL,  /* kill -9: as if every stream had been closed at once */
    SIM_CRASH_RESET, /* every stream is reset */
    SIM_CRASH_POWER  /* silence: peers learn nothing until they send after the host is back */
};
/* From now on nothing runs on the loop and nothing it does has an effect. The owner then destroys
 * its node (closing everything, as ever) and the loop, or sim_loop_abandon()s it. Also allowed from
 * inside the host's own turn. */
void sim_host_crash(struct sim_world *world, const char *name, enum sim_crash how);
/* Frees a crashed loop with all objects on it, whatever is open: its user is never heard again. */
void sim_loop_abandon(struct io_loop *loop);
/* io_loop_stop was called. */
bool sim_loop_is_stopped(const struct io_loop *loop);

/* Moves the wall clock; the monotonic one never jumps. */
void sim_host_step_clock(struct sim_world *world, const char *name, int64_t by_ms);
/* File descriptors its process may have open; what comes beyond fails with ERR_FD_LIMIT, or is
 * accepted and dropped. SIZE_MAX at first. */
void sim_host_limit_fds(struct sim_world *world, const char *name, size_t count_max);
/* New connections are refused although a listener is there. */
void sim_host_refuse(struct sim_world *world, const char *name, bool refuses);

/* --- the network */

void sim_link_set(struct sim_world *world, const char *from, const char *to,
                  const struct sim_link *link);
/* Packets of this one direction vanish. Streams hold their bytes and retry: healed soon, all comes;
 * else they fail with ERR_TIMEOUT, and so do connects. */
void sim_link_block(struct sim_world *world, const char *from, const char *to);
void sim_link_heal(struct sim_world *world, const char *from, const char *to);
/* Both directions. A host is never cut off from itself. */
void sim_partition(struct sim_world *world, const char *a, const char *b);
void sim_heal(struct sim_world *world, const char *a, const char *b);

enum sim_reset { SIM_RESET_BOTH, SIM_RESET_FIRST /* only the end on host `a` learns of it */ };
/* Breaks each open stream between the two with this probability. */
void sim_streams_reset(struct sim_world *world, const char *a, const char *b, double probability,
                       enum sim_reset which);

/* Resolution: host names and "localhost" are known; others as set here. ip NULL: fails with `e`. */
void sim_name_set(struct sim_world *world, const char *name, const char *ip, enum err e);

#endif
