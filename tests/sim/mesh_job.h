/* One request of a simulated user: what is sent, what must come back byte for byte, how user and
 * engine behave, and what was seen of it. Made by the scenario; the user sends it (mesh_user.h),
 * the engines meet it by its request id (mesh_engine.h), mesh_verdict.c judges it. */
#ifndef TESTS_SIM_MESH_JOB_H
#define TESTS_SIM_MESH_JOB_H

#include "base/buf.h"
#include "base/rng.h"

#define JOB_ID_SIZE 32
#define JOB_TEXT_SIZE 64
#define JOB_EXTRA_MAX (64 * 1024)

enum job_kind {
    JOB_WHOLE,         /* a JSON answer */
    JOB_STREAM,        /* SSE */
    JOB_BULK,          /* SSE of megabytes, read slowly */
    JOB_UNKNOWN_MODEL, /* 404 */
    JOB_BAD_JSON,      /* 400 */
    JOB_KINDS
};

/* How the engine frames a good answer. */
enum job_framing { JOB_LENGTH, JOB_CHUNKED, JOB_CHUNKED_ODDLY /* pieces end anywhere */ };

enum job_outcome {
    JOB_PENDING,
    JOB_OK,     /* the whole right answer */
    JOB_ERROR,  /* a clear error answer */
    JOB_BROKEN, /* begun, then cut with a sign that it is not whole */
    JOB_LOST,   /* no answer: the connection failed */
    JOB_QUIT,   /* the user went away */
    JOB_OUTCOMES
};
const char *job_outcome_name(enum job_outcome o);

struct town;

struct job {
    struct town *town;
    size_t index;
    enum job_kind kind;
    char id[JOB_ID_SIZE];
    char model[JOB_TEXT_SIZE];
    const char *path;
    size_t ingress;    /* node */
    bool must_succeed; /* sent while everything is well */

    /* the user's side */
    struct buf body;
    bool is_chunked;          /* the upload */
    bool expects;             /* Expect: 100-continue */
    uint64_t upload_pause_us; /* between pieces; 0: at once */
    uint64_t read_pause_us;   /* between reads */
    size_t quit_upload_at;    /* goes away after so many body bytes; SIZE_MAX: never */
    uint64_t quit_after_us;   /* ... after so long; UINT64_MAX */
    size_t quit_answer_at;    /* ... after so many answer bytes */

    /* the engine's side */
    struct buf answer;
    enum job_framing framing;
    uint64_t think_us;     /* before the answer */
    uint64_t piece_gap_us; /* between its pieces */

    /* what was seen */
    enum job_outcome outcome;
    uint64_t started_us, ended_us, first_byte_us;
    uint64_t sent_us;     /* the last byte of the request; 0: not yet */
    bool arrives_at_once; /* the ingress is up and reads, nothing is before it */
    uint64_t conn_opened_us;
    uint64_t ingress_start; /* which life of the ingress took it */
    bool was_refused;       /* no connection */
    bool timed_out;
    bool is_complete;     /* the answer's framing says so */
    bool is_behind_close; /* pipelined behind an answer that ended the connection */
    int status;
    char node[JOB_TEXT_SIZE]; /* grapevine-node */
    char trail[4 * JOB_TEXT_SIZE];
    char code[JOB_TEXT_SIZE]; /* of an error body or event */
    size_t received;          /* answer bytes */
    size_t matched;           /* of them equal to the expected ones, from the start */
    struct buf extra;         /* what came after `matched` */
    unsigned engines_seen;    /* bits */
    unsigned executions;      /* requests that reached an engine whole */
    unsigned running;         /* of them not over */
    int engine;               /* that the answer names; -1 */
    uint64_t engine_us;       /* when an engine was asked last */
    size_t in_flight_max;     /* answer bytes between engine and user */
};

/* Body and expected answer are functions of id, kind and sizes. NO_MEMORY, LIMIT. */
MUST_CHECK enum err job_write_texts(struct job *j, size_t body_bytes, size_t answer_bytes);
void job_fini(struct job *j);
/* Where the piece of the answer that begins at `at` ends: an event, or some bytes. */
size_t job_piece_end(const struct job *j, size_t at, struct rng *rng);
/* Answer bytes that reached the user. */
void job_receive(struct job *j, struct bytes data);
bool job_is_whole(const struct job *j);
/* What came is a prefix of the answer, then one error event, nothing else; its code is taken. */
bool job_ends_in_error_event(struct job *j);
/* The "code" of an error object; false: none. */
bool job_take_code(struct job *j, struct bytes text);
static inline bool job_is_stream(const struct job *j)
{
    return j->kind == JOB_STREAM || j->kind == JOB_BULK;
}
static inline bool job_is_good(const struct job *j)
{
    return j->kind <= JOB_BULK;
}

#endif
