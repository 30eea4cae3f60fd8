/* A fleet of emulated engines, routers that see them through old facts, and requests: a discrete
 * event simulation, in which only who chooses differs from run to run. Same seed, same run.
 *
 *   arrives at a router ─▶ choose ─▶ half the round trip ─▶ engine ─▶ half the round trip ─▶ answer
 *                            ▲                                │
 *                            └── failed, and no byte had come ┘
 *
 * The engines are the testnet's (testnet/engine/core: continuous batching, prefix cache, public
 * figures of accelerators). Facts of a member are as it told them last, up to `age_us` ago; answers
 * bring none, so all choosers see facts equally old. */
#ifndef BENCH_ROUTING_QUALITY_WORLD_H
#define BENCH_ROUTING_QUALITY_WORLD_H

#include "base/rng.h"
#include "node/routing/deployments.h"
#include "testnet/engine/core/engine.h"
#include "testnet/load/core/histogram.h"

#define WORLD_MEMBERS_MAX 16
#define WORLD_ROUTERS_MAX 64
#define WORLD_ATTEMPTS_MAX 4
#define WORLD_CHUNK_TOKENS 2048 /* that an engine's step reads at most */
#define WORLD_LIES_SLOWNESS 4
#define WORLD_SLO_FIRST_US 2000000 /* goodput: first token, and time for each further one */
#define WORLD_SLO_TOKEN_US 100000

enum member_flaw {
    MEMBER_SOUND,
    MEMBER_FAILS, /* every request, at once */
    MEMBER_LIES,  /* says that it is idle, and is four times slower than its like */
    MEMBER_GOES,  /* taken away for a third of the run, with all that runs there */
};

struct member_cfg {
    const char *profile; /* of testnet/engine/core/profile.c */
    uint32_t slots;
    enum policy_tier tier;
    int region;
    enum policy_class hardware;
    double price; /* USD per 1,000 tokens out; in: a quarter */
    enum member_flaw flaw;
    bool spot;
};

struct fleet {
    const char *name;
    const char *shape; /* the model, of testnet/engine/core/shape.c */
    struct member_cfg members[WORLD_MEMBERS_MAX];
    size_t count;
    int regions;         /* of routers: 0 .. regions - 1 */
    uint64_t ceiling_us; /* of an answer, where the cheapest is looked for; 0: nothing is sold */
};
extern const struct fleet fleets[];
extern const size_t fleet_count;

struct work { /* kinds of requests; lengths and arrivals: work.c */
    const char *name;
    bool in_bursts, in_turns, has_long;
};
extern const struct work works[];
extern const size_t work_count;

struct request {
    uint64_t at_us; /* arrival at its router */
    uint32_t router;
    uint32_t prompt, output; /* tokens; choosers but the oracle know the first alone */
    uint64_t talk;           /* the conversation: same prompt, as far as it goes */
    uint32_t shared;         /* tokens with which all prompts begin */
    /* the attempt */
    uint32_t member;
    uint32_t tried; /* bit by member */
    uint32_t attempts;
    uint64_t sent_us, first_us, done_us; /* at the router; 0: not yet */
    uint32_t tokens;                     /* that came */
    struct deployment_use use;           /* ours.c's */
    uint32_t cached;                     /* ... tokens that it expected there */
    bool is_failed;
};

struct facts { /* as a member told them */
    uint64_t at_us;
    uint32_t running, waiting;
};

struct member {
    const struct member_cfg *cfg;
    struct engine *engine;
    struct facts told;
    uint64_t gone_until_us;
    uint64_t sent; /* requests that were sent there, failed ones included */
};

struct cell {
    const struct fleet *fleet;
    const struct work *work;
    double load; /* of what the fleet can do, 0..1 */
    double rate; /* that this is, requests a second: world_rate */
    uint64_t age_us;
    uint32_t routers;
    uint32_t requests;
    uint64_t seed;
};

struct world {
    struct cell cell;
    const struct shape *shape;
    struct member members[WORLD_MEMBERS_MAX];
    size_t count;
    struct request *requests;
    uint64_t now_us;
    uint64_t end_us; /* of arrivals */
    struct rng rng;
    const struct chooser *chooser;
    void *choosing; /* the chooser's own */
    struct events *events;
};

struct chooser {
    const char *name;
    void *(*create)(struct world *w);
    void (*destroy)(void *self);
    /* A member that was not tried yet; -1: nobody. */
    int (*choose)(void *self, struct request *r);
    void (*ended)(void *self, struct request *r, bool is_good); /* the attempt */
};

struct outcome {
    struct histogram first, whole;   /* of all but the first tenth; failed ones are not in */
    uint64_t answered, failed, good; /* good: within WORLD_SLO_* */
    double cost_usd;                 /* of all attempts */
    double egress_mib;
    double flawed; /* share of the requests that went to flawed members; NAN: there are none */
};

void world_run(const struct cell *cell, const struct chooser *chooser, struct outcome *ret_out);
/* Way and back between a router and a member. */
uint64_t world_rtt_us(const struct world *w, uint32_t router, uint32_t member);
double world_price(const struct member_cfg *m, uint32_t prompt, uint32_t output);
/* Requests a second that make cell->load. */
double world_rate(const struct cell *cell);

/* Requests in the order of their arrival. The caller frees them. */
struct request *work_requests(const struct cell *cell);
/* The tokens of its prompt; valid until the next call. */
const uint32_t *work_tokens(const struct request *r);

extern const struct chooser choosers[]; /* without ours */
extern const size_t chooser_count;
extern const struct chooser chooser_oracle, chooser_all_knowing, chooser_oracle_cost;
extern const struct chooser chooser_ours, chooser_ours_cost;

#endif
