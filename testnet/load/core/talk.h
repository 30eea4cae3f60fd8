/* What is said: conversations of several turns whose prompts grow by the answers, in groups that
 * share a long first message, as users of one application do. Each turn has a mark, a number that
 * the testnet's engines repeat, by which an answer is known to be this request's own. Pure. */
#ifndef TESTNET_LOAD_CORE_TALK_H
#define TESTNET_LOAD_CORE_TALK_H

#include "base/buf.h"
#include "base/list.h"
#include "base/rng.h"
#include "testnet/load/core/plan.h"

#define TALK_BODY_MAX (8 * 1024 * 1024)
#define TALK_MODELS_MAX 8
#define TALK_MARK_SIZE 17

enum talk_api { TALK_CHAT, TALK_COMPLETIONS, TALK_MESSAGES };

struct talk_cfg {
    enum talk_api api;
    const char *models[TALK_MODELS_MAX]; /* drawn evenly, one for a conversation */
    size_t model_count;
    uint32_t turns;         /* mean of a conversation; 1: none has a second */
    uint32_t waiting_max;   /* conversations between two turns */
    uint32_t groups;        /* that share a first message; 0: there is none */
    uint32_t shared_tokens; /* its length */
    uint32_t prompt_tokens; /* mean of a turn: evenly from half to one and a half of it */
    uint32_t output_tokens; /* the same, as the limit of its answer */
    uint32_t tenant_count;  /* at least 1; drawn evenly, one for a conversation */
    bool is_stream, ignores_stop;
    uint64_t seed;
};

struct talk_turn {
    struct list node;    /* of its conversation: waiting, or alone while it is asked */
    struct buf messages; /* as JSON, without the brackets */
    size_t size_before;  /* of messages, when this turn began */
    uint32_t turn, tenant, group, model;
    uint64_t conversation;
    char mark[TALK_MARK_SIZE + 1];
};

struct talk {
    struct talk_cfg cfg;
    struct rng rng;      /* of questions: answers, which come when they come, do not touch it */
    struct rng ends;     /* of conversations */
    struct list waiting; /* longest first */
    uint32_t waiting_count;
    uint64_t conversation_count;
};

void talk_init(struct talk *t, const struct talk_cfg *cfg);
void talk_fini(struct talk *t);
/* The next turn of some conversation, and the body that asks for it, appended. End it with
 * talk_answer. NO_MEMORY, LIMIT. */
MUST_CHECK enum err talk_ask(struct talk *t, const struct plan_arrival *arrival,
                             struct talk_turn **ret_turn, struct buf *body);
/* The answer's text, or with_answer false: there was none, and the turn may be asked again. */
void talk_answer(struct talk *t, struct talk_turn *turn, bool with_answer, struct bytes text);
const char *talk_path(enum talk_api api);

#endif
