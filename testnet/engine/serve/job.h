/* One generation under way: between a connection that waits for it and the core that computes it.
 * Made from a request, told of effects, ended by the last of them or by the client. */
#ifndef TESTNET_ENGINE_SERVE_JOB_H
#define TESTNET_ENGINE_SERVE_JOB_H

#include "testnet/engine/serve/read.h"
#include "testnet/engine/serve/server.h"

/* Submits what the connection's request asks for; answers it itself where it must be refused.
 * `model` is named by the path, or NULL: the body names it. */
void job_start(struct conn *c, enum say_kind kind, const char *model);
void job_on_effect(struct job *job, const struct engine_effect *effect);
/* The client is gone, or the connection breaks off on purpose. */
void job_abandon(struct job *job);

#endif
