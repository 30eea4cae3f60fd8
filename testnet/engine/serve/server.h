/* The emulated engine as a server: the core, its clock, its faults, its connections and jobs, on
 * one loop. The handlers of paths are in routes.c; main.c makes one of these. */
#ifndef TESTNET_ENGINE_SERVE_SERVER_H
#define TESTNET_ENGINE_SERVE_SERVER_H

#include "base/list.h"
#include "base/map.h"
#include "node/io/addr.h"
#include "node/io/loop.h"
#include "testnet/engine/core/engine.h"
#include "testnet/engine/faults.h"
#include "testnet/engine/say/say.h"

#define SERVER_JOBS_MAX 100000
#define SERVER_IDLE_MS 5000 /* both uvicorn and llama.cpp close then */

struct conn;
struct job;

struct server_cfg {
    enum say_like like;
    struct io_addr listen;
    struct engine_cfg engine;
    const char *api_key; /* NULL: none is asked for */
    const char *aliases; /* of the first model, comma-separated; NULL */
};

/* What came of one request that reached the core. */
struct server_ended {
    uint64_t id;
    const char *mark, *model, *outcome; /* "done" "failed" "abandoned" "broken" (by a fault) */
    uint32_t prompt, cached, output;    /* tokens */
};

struct server {
    struct io_loop *loop;
    struct server_cfg cfg;
    struct engine *engine;
    struct io_listener *listener; /* NULL while vLLM loads */
    struct faults faults;
    struct rng rng; /* ids */
    struct io_timer tick, expiry;
    struct io_idle_list idle;
    struct list conns;
    struct map jobs; /* by id */
    uint64_t job_count;
    struct buf cancelled; /* ids, to be told to the core after the present effects */
    bool in_effects;
    uint64_t started_s;       /* wall */
    uint64_t memory_until_us; /* out of memory till then; 0 */
    void (*on_listening)(void *owner, const struct io_addr *addr);
    void (*on_reclaimed)(void *owner); /* the machine is taken away now */
    void (*on_ended)(void *owner, const struct server_ended *ended);
    void *owner;
};

/* on_listening comes once, when it serves: from here, or later when a cold vLLM has loaded. Errors
 * of engine_create and io_listen. */
MUST_CHECK enum err server_open(struct server *s, struct io_loop *loop,
                                const struct server_cfg *cfg);
void server_close(struct server *s);

/* One step of the core, with its effects carried out. now_us is filled in. */
void server_step(struct server *s, struct engine_event *event);
/* The core forgets this request; also allowed while effects are carried out. */
void server_cancel(struct server *s, uint64_t id);
/* LIMIT: too many are in force. */
MUST_CHECK enum err server_add_fault(struct server *s, const struct fault *fault);
void server_clear_faults(struct server *s);

/* What the server shows of model `index`, lies included. */
void server_model(const struct server *s, size_t index, struct engine_model_view *ret_view);
/* The model a request names; false: there is none. llama.cpp's only one answers to any name. */
bool server_find_model(const struct server *s, const char *name, size_t *ret_index);

#endif
