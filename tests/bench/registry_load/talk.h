/* What a client of the load generator says over one connection, to one system or the other: one
 * question at a time. registry_load.c has the sockets and the clock. */
#ifndef TESTS_BENCH_REGISTRY_LOAD_TALK_H
#define TESTS_BENCH_REGISTRY_LOAD_TALK_H

#include "base/buf.h"

#define LOAD_VALUE_SIZE 256
#define LOAD_CLIENTS_MAX 1024

enum talk_result { TALK_MORE, TALK_DONE, TALK_FAILED };

struct talk {
    /* Before anything else. `total` questions are likely. Ends the program when it cannot. */
    void (*prepare)(const char *dir, size_t clients, size_t total);
    void *(*open)(struct buf *out);
    void (*close)(void *state);
    /* Question `n` of a client, the same bytes each time it is asked. */
    void (*ask)(void *state, size_t client, uint64_t n, struct buf *out);
    /* FAILED: refused, or nonsense; the reason is on stderr. */
    enum talk_result (*take)(void *state, struct bytes in, struct buf *out);
};

extern const struct talk talk_etcd_put, talk_etcd_get, talk_mesh_put, talk_mesh_get;
/* Makes the clients of mesh_put administrators, and three nodes voters: prints the answer. */
void talk_mesh_found(const char *dir, const char *socket_path, size_t clients);

_Noreturn void load_die(const char *what, const char *why);
/* Connected, blocking; -1. "host:port", or the path of a unix socket. */
int load_dial(const char *address);

#endif
