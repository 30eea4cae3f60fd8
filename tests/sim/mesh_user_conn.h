/* A user's connection. Shared by mesh_user.c (answers, endings) and mesh_user_send.c (requests). */
#ifndef TESTS_SIM_MESH_USER_CONN_H
#define TESTS_SIM_MESH_USER_CONN_H

#include "node/http/parser.h"
#include "node/io/stream.h"
#include "tests/sim/mesh_job.h"

#define USER_PIPELINE_MAX 3
#define USER_GIVE_UP_US (40 * TOWN_SECOND) /* twice the deadline of the nodes */

struct user_conn {
    struct town *town;
    struct list node;
    struct io_loop *loop;
    size_t user;
    size_t ingress;
    uint64_t node_start; /* which life of the node it belongs to */
    struct io_stream *stream;
    struct http_parser *parser;
    struct job *jobs[USER_PIPELINE_MAX]; /* the first is being answered */
    size_t job_count;
    struct job *uploading;
    struct buf upload; /* its bytes on the wire, head included */
    size_t head_size;
    size_t upload_at;
    struct io_timer upload_timer, read_timer, quit_timer;
    uint64_t opened_us, idle_since_us;
    size_t read_since_pause;
    bool is_feeding, is_doomed;
    bool has_head, is_complete; /* of the answer to jobs[0] */
    bool server_closes;
};

/* Ends every job on it as lost or broken, and itself. */
void user_conn_end(struct user_conn *c, bool refused);
void user_conn_free(struct user_conn *c);
/* The user of this job goes away. */
void user_conn_quit(struct user_conn *c, struct job *j);
/* Gives up on what takes too long; or quits, where the job says so. */
void user_conn_on_timer(struct io_timer *timer);
/* The socket has room. */
void user_conn_upload(struct user_conn *c);
struct user_conn *user_conn_open(struct town *t, size_t user, size_t ingress);

#endif
