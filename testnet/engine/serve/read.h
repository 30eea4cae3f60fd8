/* A client's JSON as the engine needs it: tokens, limits, what kind of answer. Pure. */
#ifndef TESTNET_ENGINE_SERVE_READ_H
#define TESTNET_ENGINE_SERVE_READ_H

#include "testnet/engine/core/engine.h"
#include "testnet/engine/say/say.h"

#define READ_TOKENS_MAX (1u << 20)
#define READ_MARK_SIZE 17 /* "#" and 16 hex digits: an answer begins with its prompt's last mark */
#define READ_MODEL_SIZE 128

struct ask {
    enum say_kind kind;
    char model[READ_MODEL_SIZE]; /* "": not named */
    uint32_t *tokens;
    size_t token_count;
    uint32_t echo[ENGINE_ECHO_MAX];
    size_t echo_count;
    char mark[READ_MARK_SIZE + 1];
    int64_t output_max; /* -1: not given */
    uint64_t seed;
    bool is_stream, wants_usage, ignores_stop;
    bool as_base64;
    uint64_t input_seeds[SAY_INPUTS_MAX]; /* of embeddings */
    size_t input_count;
};

/* INVALID_JSON; INVALID_REQUEST, INVALID (messages that are none): `message` says what; LIMIT,
 * NO_MEMORY. End with read_ask_fini, also
 * after a failure. */
MUST_CHECK enum err read_ask(enum say_kind kind, struct bytes body, struct ask *ret_ask,
                             struct buf *message);
void read_ask_fini(struct ask *ask);

/* The text of one member of a JSON object, copied into `out` ("" where there is none); for
 * /tokenize. INVALID_JSON. */
MUST_CHECK enum err read_member(struct bytes body, const char *key, struct buf *out);

#endif
