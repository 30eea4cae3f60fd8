/* struct mesh: what the files of this folder share. Nobody else includes it. */
#ifndef NODE_MESH_CORE_H
#define NODE_MESH_CORE_H

#include "base/state.h"
#include "node/mesh/contact.h"
#include "node/mesh/link.h"
#include "node/mesh/peer.h"

#define MESH_ADVERTISED_MAX 270
#define MESH_OUT_SIZE_MAX (1024 * 1024)

struct mesh {
    struct mesh_cfg cfg; /* `advertise` and `contacts` are not looked at after mesh_open */
    const struct mesh_ops *ops;
    void *owner;
    struct rng rng;
    uint8_t static_secret[CRYPTO_DH_SIZE]; /* X25519, of this process */
    uint8_t static_public[CRYPTO_PUBLIC_SIZE];
    struct io_listener *listener; /* NULL once draining */
    struct io_addr listen;
    char advertised[MESH_ADVERTISED_MAX];
    bool draining;
    bool closing;

    struct list links; /* in the order they were made */
    struct list gone_links;
    struct io_task reap;
    uint64_t up_count;

    struct peer_slot *peers[MESH_PEERS_MAX];
    size_t peer_count;
    struct contact *contacts;
    size_t contact_count;

    struct buf out;                   /* one write of one link; empty between calls */
    uint8_t plain[NOISE_MESSAGE_MAX]; /* one opened record */

    struct io_timer facts_timer;
    struct buf facts_wire;
    uint64_t facts_pushed_ms;
    uint64_t stalled_ms; /* when this process noticed that it had been paused; 0: never */
    uint64_t refusal_logged_ms;
    uint64_t farewells_ms; /* since when they are counted */
    uint32_t farewells;    /* told to strangers */
    struct mesh_counts counts;
};

static inline uint64_t mesh_now_ms(const struct mesh *m)
{
    return io_now_ms(m->cfg.loop);
}
static inline const char *mesh_own_name(const struct mesh *m)
{
    return m->cfg.identity->cert.name;
}

/* The callbacks of every link's HTTP/2 sessions (streams.c); a session's owner is its link. */
extern const struct h2_ops mesh_h2_ops;

#endif
