/* Conversations and their JSON, see talk.h. A body is put together from what the conversation has
 * kept as JSON, so that a long history costs a copy and nothing more. */
#include "testnet/load/core/talk.h"

#include <stdio.h>
#include <stdlib.h>

/* One token each in the testnet's engines, and for most models. */
static const char *const words[] = {
    "river",  "stone",  "light",  "table",  "green",  "music", "paper",  "winter",
    "garden", "window", "cloud",  "horse",  "bread",  "chair", "ocean",  "forest",
    "silver", "train",  "letter", "bridge", "apple",  "storm", "candle", "field",
    "mirror", "north",  "island", "clock",  "summer", "voice", "lamp",   "road"};
#define TALK_TURNS_TIMES 4 /* no conversation has more turns than so many times the mean */
#define WORD_COUNT (sizeof words / sizeof words[0])

void talk_init(struct talk *t, const struct talk_cfg *cfg)
{
    CHECK(cfg->model_count > 0 && cfg->turns > 0 && cfg->tenant_count > 0);
    *t = (struct talk){.cfg = *cfg};
    rng_init(&t->rng, cfg->seed);
    rng_init(&t->ends, cfg->seed + 1);
    list_init(&t->waiting);
}

static void turn_free(struct talk_turn *turn)
{
    list_remove(&turn->node);
    buf_fini(&turn->messages);
    free(turn);
}

void talk_fini(struct talk *t)
{
    while (!list_is_empty(&t->waiting))
        turn_free(LIST_ENTRY(t->waiting.next, struct talk_turn, node));
    t->waiting_count = 0;
}

const char *talk_path(enum talk_api api)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/messages"};
    return paths[api];
}

static uint32_t around(struct rng *rng, uint32_t mean)
{
    return (uint32_t)rng_between(rng, (mean + 1) / 2, mean + mean / 2);
}

static enum err append_words(struct buf *out, struct rng *rng, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        TRY(buf_append_str(out, i ? " " : ""));
        TRY(buf_append_str(out, words[rng_below(rng, WORD_COUNT)]));
    }
    return ERR_OK;
}

/* What all conversations of the group begin with: drawn from its number alone. */
static enum err append_shared(const struct talk *t, uint32_t group, struct buf *out)
{
    struct rng rng;
    rng_init(&rng, t->cfg.seed ^ (0x5851F42D4C957F2Du * (group + 1)));
    return append_words(out, &rng, t->cfg.shared_tokens);
}

/* Completions have one text, not messages. */
static enum err open_message(const struct talk *t, struct talk_turn *turn, const char *role)
{
    if (t->cfg.api == TALK_COMPLETIONS)
        return buf_append_str(&turn->messages, turn->messages.size ? " " : "");
    return buf_printf(&turn->messages, "%s{\"role\":\"%s\",\"content\":\"",
                      turn->messages.size ? "," : "", role);
}

static enum err close_message(const struct talk *t, struct talk_turn *turn)
{
    return t->cfg.api == TALK_COMPLETIONS ? ERR_OK : buf_append_str(&turn->messages, "\"}");
}

static enum err begin_conversation(struct talk *t, struct talk_turn **ret_turn)
{
    struct talk_turn *turn = calloc(1, sizeof *turn);
    if (!turn)
        return ERR_NO_MEMORY;
    *turn = (struct talk_turn){.conversation = ++t->conversation_count,
                               .tenant = (uint32_t)rng_below(&t->rng, t->cfg.tenant_count),
                               .model = (uint32_t)rng_below(&t->rng, t->cfg.model_count),
                               .group = (uint32_t)rng_below(&t->rng, t->cfg.groups)};
    list_init(&turn->node);
    buf_init(&turn->messages, TALK_BODY_MAX);
    enum err e = ERR_OK;
    if (t->cfg.groups > 0) {
        /* Anthropic's messages know no system role among them. */
        e = open_message(t, turn, t->cfg.api == TALK_MESSAGES ? "user" : "system");
        if (e == ERR_OK)
            e = append_shared(t, turn->group, &turn->messages);
        if (e == ERR_OK)
            e = close_message(t, turn);
    }
    if (e != ERR_OK) {
        turn_free(turn);
        return e;
    }
    *ret_turn = turn;
    return ERR_OK;
}

static struct talk_turn *continue_one(struct talk *t)
{
    struct talk_turn *turn = LIST_ENTRY(list_pop_front(&t->waiting), struct talk_turn, node);
    t->waiting_count--;
    return turn;
}

static enum err append_question(struct talk *t, struct talk_turn *turn, uint32_t tokens)
{
    turn->size_before = turn->messages.size;
    snprintf(turn->mark, sizeof turn->mark, "#%016llx", (unsigned long long)rng_next(&t->rng));
    TRY(open_message(t, turn, "user"));
    TRY(buf_printf(&turn->messages, "%s ", turn->mark));
    TRY(append_words(&turn->messages, &t->rng, tokens));
    return close_message(t, turn);
}

static enum err append_body(const struct talk *t, const struct talk_turn *turn,
                            uint32_t output_tokens, struct buf *out)
{
    const char *usage = t->cfg.is_stream && t->cfg.api != TALK_MESSAGES
                            ? ",\"stream_options\":{\"include_usage\":true}"
                            : "";
    bool is_text = t->cfg.api == TALK_COMPLETIONS;
    TRY(buf_append_str(out, "{\"model\":\""));
    TRY(buf_append_json_escaped(out, bytes_from_str(t->cfg.models[turn->model])));
    TRY(buf_append_str(out, is_text ? "\",\"prompt\":\"" : "\",\"messages\":["));
    TRY(buf_append(out, buf_bytes(&turn->messages)));
    return buf_printf(out, "%s,\"max_tokens\":%u,\"stream\":%s%s%s}", is_text ? "\"" : "]",
                      output_tokens, t->cfg.is_stream ? "true" : "false", usage,
                      t->cfg.ignores_stop ? ",\"ignore_eos\":true" : "");
}

enum err talk_ask(struct talk *t, const struct plan_arrival *arrival, struct talk_turn **ret_turn,
                  struct buf *body)
{
    struct talk_turn *turn = NULL;
    double continuing = (double)(t->cfg.turns - 1) / t->cfg.turns;
    bool is_full = t->waiting_count >= t->cfg.waiting_max;
    if (t->waiting_count > 0 && (is_full || rng_chance(&t->rng, continuing)))
        turn = continue_one(t);
    else
        TRY(begin_conversation(t, &turn));
    uint32_t prompt = arrival->prompt_tokens, output = arrival->output_tokens;
    prompt = prompt ? prompt : around(&t->rng, t->cfg.prompt_tokens);
    output = output ? output : around(&t->rng, t->cfg.output_tokens);
    enum err e = append_question(t, turn, prompt);
    if (e == ERR_OK)
        e = append_body(t, turn, output ? output : 1, body);
    if (e != ERR_OK) {
        turn_free(turn);
        return e;
    }
    *ret_turn = turn;
    return ERR_OK;
}

static enum err keep_answer(const struct talk *t, struct talk_turn *turn, struct bytes text)
{
    TRY(open_message(t, turn, "assistant"));
    TRY(buf_append_json_escaped(&turn->messages, text));
    return close_message(t, turn);
}

void talk_answer(struct talk *t, struct talk_turn *turn, bool with_answer, struct bytes text)
{
    bool goes_on = t->cfg.turns > 1 && t->waiting_count < t->cfg.waiting_max;
    if (with_answer)
        goes_on = goes_on && ++turn->turn < TALK_TURNS_TIMES * t->cfg.turns &&
                  !rng_chance(&t->ends, 1.0 / t->cfg.turns);
    if (!with_answer)
        turn->messages.size = turn->size_before;
    else if (goes_on)
        goes_on = keep_answer(t, turn, text) == ERR_OK;
    if (!goes_on) {
        turn_free(turn);
        return;
    }
    list_push_back(&t->waiting, &turn->node);
    t->waiting_count++;
}
