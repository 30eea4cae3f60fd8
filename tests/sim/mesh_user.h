/* Users: HTTP/1.1 clients on the simulated io that send jobs to nodes over kept-alive connections,
 * some of them pipelined, some slowly, some not to the end, and take the answers. */
#ifndef TESTS_SIM_MESH_USER_H
#define TESTS_SIM_MESH_USER_H

#include "base/buf.h"
#include "node/io/addr.h"
#include "node/io/loop.h"

struct job;
struct town;

/* Sends a job: over an idle connection, behind another job, or over a new connection. */
void user_send(struct town *t, struct job *j);
/* Ends the connections that wait for nothing. */
void user_close_idle(struct town *t);
/* A request of the checkers: GET `path`, on a connection of its own from `loop`. `ret_answer` gets
 * the body, *ret_status the status (0 while there is none, -1: failed). Runs in the background. */
struct user_get;
struct user_get *user_get(struct io_loop *loop, const struct io_addr *addr, const char *path);
bool user_get_is_done(const struct user_get *g);
int user_get_status(const struct user_get *g);
struct bytes user_get_body(const struct user_get *g);
void user_get_free(struct user_get *g);

#endif
