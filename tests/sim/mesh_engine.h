/* A scripted inference engine: an HTTP/1.1 server on the simulated io that knows every job,
 * compares what reaches it with what was sent, answers as the job says, or misbehaves as its mode
 * says. */
#ifndef TESTS_SIM_MESH_ENGINE_H
#define TESTS_SIM_MESH_ENGINE_H

#include "base/list.h"
#include "node/http/parser.h"
#include "node/io/stream.h"
#include "tests/sim/mesh_calm.h"
#include "tests/sim/mesh_job.h"

#define ENGINE_MODELS_MAX 4
#define ENGINE_PORT 8081

enum engine_mode {
    ENGINE_WELL,
    ENGINE_DOWN,      /* nobody listens, connections are gone */
    ENGINE_HANGS,     /* takes requests, answers when it is well again */
    ENGINE_HANGS_ALL, /* probes, too */
    ENGINE_CLOSES,    /* ends the connection instead of answering */
    ENGINE_BREAKS,    /* ... in the middle of the answer */
    ENGINE_SAYS_500,
    ENGINE_SAYS_503,
    ENGINE_SAYS_429,
    ENGINE_LOADS,     /* 503 to probes, too */
    ENGINE_GARBAGE,   /* no HTTP */
    ENGINE_ENDLESS,   /* a head without end */
    ENGINE_TOO_SHORT, /* fewer bytes than it promised, then the end */
    ENGINE_TOO_LONG,  /* bytes after the answer */
    ENGINE_SLOW,
    ENGINE_MODES
};
const char *engine_mode_name(enum engine_mode m);

struct town;

struct engine {
    struct town *town;
    size_t index;
    size_t node; /* whose backend it is */
    char name[32];
    const char *models[ENGINE_MODELS_MAX];
    size_t model_count;
    struct io_loop *loop;
    struct io_listener *listener;
    struct list conns;
    enum engine_mode mode;
    uint64_t served;
    uint64_t idle_ms; /* it ends connections that idle for so long */
    struct calm well;
};

void engine_start(struct engine *e);
void engine_set_mode(struct engine *e, enum engine_mode mode);
/* Ends everything; its loop stays. */
void engine_stop(struct engine *e);
bool engine_has_model(const struct engine *e, const char *model);
/* Requests whose connection is still open. */
size_t engine_running(const struct engine *e);

/* --- between mesh_engine.c and mesh_engine_answer.c */
struct engine_conn {
    struct engine *engine;
    struct list node;
    struct io_stream *stream;
    struct http_parser *parser;
    struct io_timer timer;
    struct job *job;   /* NULL: none, or a probe */
    char target[32];   /* of a probe */
    size_t body_at;    /* request bytes seen */
    bool is_answering; /* or about to */
    bool has_head;     /* of the answer is written */
    bool is_faulty;    /* misbehaves this time */
    bool hangs;
    bool is_over; /* nothing more is written */
    bool is_feeding, is_doomed;
    enum engine_mode mode; /* when the request came */
    size_t at;             /* answer bytes written */
    size_t break_at;
    struct buf rest;
};
void engine_conn_end(struct engine_conn *c);
/* The answer is complete: on with the next request. */
void engine_conn_next(struct engine_conn *c);
/* The request is whole. */
void engine_answer_start(struct engine_conn *c);
void engine_answer_go_on(struct engine_conn *c);

#endif
