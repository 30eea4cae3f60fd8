/* Bodies of answers in the words of real servers: OpenAI's dialect as vLLM and llama.cpp speak it,
 * Anthropic's as both do, and KServe's. Pure: what happened goes in, bytes come out. Shapes of
 * llama.cpp are compared with a real one by tests/e2e/test_engine_like.py; those of vLLM and KServe
 * follow their documentation. */
#ifndef TESTNET_ENGINE_SAY_SAY_H
#define TESTNET_ENGINE_SAY_SAY_H

#include "base/buf.h"
#include "testnet/engine/core/stats.h"

enum say_like { SAY_VLLM, SAY_LLAMACPP, SAY_KSERVE };
enum say_kind { SAY_CHAT, SAY_COMPLETION, SAY_MESSAGES, SAY_EMBEDDING, SAY_INFER };

#define SAY_ID_SIZE 48
#define SAY_INPUTS_MAX 256

/* One request, as far as its answer tells of it. */
struct say {
    enum say_like like;
    enum say_kind kind;
    char id[SAY_ID_SIZE];
    const char *model;
    uint64_t created_s;
    bool wants_usage; /* in the stream */
    bool was_stopped;
    struct stats_times times; /* of a whole answer, or of the end of a stream */
};

/* A new id from 128 random bits, as such a server makes it. */
void say_make_id(struct say *s, uint64_t high, uint64_t low);

/* --- text: the pieces of a stream, or all at once. LIMIT, NO_MEMORY. */
MUST_CHECK enum err say_begin(const struct say *s, struct buf *out);
MUST_CHECK enum err say_piece(const struct say *s, struct bytes text, struct buf *out);
MUST_CHECK enum err say_end(const struct say *s, struct buf *out);
MUST_CHECK enum err say_whole(const struct say *s, struct bytes text, struct buf *out);

/* --- embeddings: `seeds` has one per input, from which its vector of `width` is drawn. */
MUST_CHECK enum err say_embeddings(const struct say *s, const uint64_t *seeds, size_t count,
                                   uint32_t width, bool as_base64, struct buf *out);

/* KServe's answer to `inputs`: one tensor of SAY_INFER_WIDTH numbers for each seed. */
#define SAY_INFER_WIDTH 8
MUST_CHECK enum err say_infer(const struct say *s, const uint64_t *seeds, size_t count,
                              struct buf *out);

/* --- errors */
struct say_error {
    int status;
    const char *type; /* NULL: the usual one of the status */
    const char *text;
    uint32_t prompt, context; /* of a prompt beyond the context; 0: another error */
};
/* The body of an answer, or the data of the event that ends a stream. */
MUST_CHECK enum err say_refusal(enum say_like like, bool is_anthropic,
                                const struct say_error *error, struct buf *out);
MUST_CHECK enum err say_error_event(const struct say *s, const struct say_error *error,
                                    struct buf *out);

#endif
