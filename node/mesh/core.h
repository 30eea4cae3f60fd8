/* struct mesh: what the files of this folder share. Nobody else includes it. */
#ifndef NODE_MESH_CORE_H
#define NODE_MESH_CORE_H

#include "base/state.h"
#include "node/mesh/abroad.h"
#include "node/mesh/contact.h"
#include "node/mesh/counts.h"
#include "node/mesh/events.h"
#include "node/mesh/gossip_driver.h"
#include "node/mesh/keys.h"
#include "node/mesh/link.h"
#include "node/mesh/peer.h"
#include "node/mesh/publish.h"
#include "node/mesh/remember.h"
#include "node/mesh/upkeep.h"

#define MESH_OUT_SIZE_MAX (1024 * 1024)
#define MESH_LINES_MAX 20 /* log lines a second of each kind that others can cause at will */

enum mesh_lines { MESH_LINES_MEMBERS, MESH_LINES_REFUSALS, MESH_LINES_COUNT };

struct mesh {
    struct mesh_cfg cfg; /* `advertise` and `contacts` are not looked at after mesh_open */
    const struct mesh_ops *ops;
    void *owner;
    struct rng rng;
    uint8_t static_secret[CRYPTO_DH_SIZE]; /* X25519, of this process */
    uint8_t static_public[CRYPTO_PUBLIC_SIZE];
    struct io_listener *listener; /* NULL once draining */
    struct io_addr listen;
    char advertised[FACTS_ADDR_MAX]; /* "": this node only dials out */
    bool draining;
    bool has_left; /* it said goodbye */
    bool closing;

    struct list links; /* in the order they were made */
    struct list gone_links;
    struct io_task reap;
    uint64_t up_count;

    struct peer_slot *peers[MESH_PEERS_MAX]; /* by id */
    size_t peer_count;
    struct list parted; /* rows that gossip has forgotten, while somebody may hold pointers */
    struct contact *contacts;
    size_t contact_count;
    struct gossip_driver gossip;
    struct keys keys;
    struct events events;
    struct publish publish;
    struct facts_rules rules;
    struct abroad abroad;
    struct upkeep upkeep;
    struct remember remember;

    struct buf out;                   /* one write of one link; empty between calls */
    uint8_t plain[NOISE_MESSAGE_MAX]; /* one opened record */

    uint64_t stalled_ms; /* when this process noticed that it had been paused; 0: never */
    uint64_t refusal_logged_ms;
    uint64_t farewells_ms; /* since when they are counted */
    uint32_t farewells;    /* told to strangers */
    struct mesh_counts counts;
    struct {
        uint64_t since_ms;
        uint32_t count;
    } lines[MESH_LINES_COUNT];
};

static inline uint64_t mesh_now_ms(const struct mesh *m)
{
    return io_now_ms(m->cfg.loop);
}
static inline const char *mesh_own_name(const struct mesh *m)
{
    return m->cfg.identity->cert.name;
}
static inline bool mesh_only_dials(const struct mesh *m)
{
    return m->advertised[0] == 0;
}
/* The level for one more line of this kind: debug past MESH_LINES_MAX in a second. */
static inline enum log_level mesh_level(struct mesh *m, enum mesh_lines kind, enum log_level level)
{
    uint64_t now_ms = mesh_now_ms(m);
    if (now_ms - m->lines[kind].since_ms >= 1000) {
        m->lines[kind].since_ms = now_ms;
        m->lines[kind].count = 0;
    }
    return m->lines[kind].count++ < MESH_LINES_MAX ? level : LOG_DEBUG;
}

/* All of them, or those alone over which no handshake is done yet. */
void mesh_end_links(struct mesh *m, bool open_ones_too, enum err reason);

/* The callbacks of every link's HTTP/2 sessions (streams.c); a session's owner is its link. */
extern const struct h2_ops mesh_h2_ops;

#endif
