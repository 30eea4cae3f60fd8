/* The job object, shared by job_start.c (requests), job.c (effects) and nobody else. */
#ifndef TESTNET_ENGINE_SERVE_JOB_IMPL_H
#define TESTNET_ENGINE_SERVE_JOB_IMPL_H

#include "testnet/engine/serve/conn.h"
#include "testnet/engine/serve/job.h"
#include "testnet/engine/serve/routes.h"

#define JOB_TEXT_MAX (8 * 1024 * 1024)

struct job {
    uint64_t id;
    struct conn *conn;
    struct server *server;
    struct say say;
    struct fault fault;
    struct buf text;
    char mark[READ_MARK_SIZE + 1];
    uint32_t echo_count;
    uint32_t width; /* of embeddings */
    uint64_t input_seeds[SAY_INPUTS_MAX];
    size_t input_count;
    uint32_t output_count;
    bool is_stream, has_begun, as_base64, is_broken;
};

static inline struct bytes job_key(const struct job *job)
{
    return bytes_of(&job->id, sizeof job->id);
}

/* Sends a stream's head unless it was sent. False: the job is gone. */
bool job_begin_stream(struct job *job);

#endif
