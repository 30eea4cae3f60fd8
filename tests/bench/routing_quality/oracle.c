/* The oracles: they know every engine, what runs and waits there, how long each of these answers
 * will be, who fails and who lies. `oracle` does not know how long the answer will be for which it
 * chooses, as nobody does; `all-knowing` does. They send a request to where its answer ends first,
 * or to the cheapest of those where it ends in time. Greedy: they do not know what comes next. */
#include "tests/bench/routing_quality/world.h"

#include <math.h>
#include <stdlib.h>

#define HELD_MAX 8192 /* requests on one member */
#define ACTIVE_MAX 256

struct held {
    struct request *items[HELD_MAX]; /* in the order in which they were sent */
    size_t count;
};

struct oracle {
    struct world *w;
    bool for_cost, knows_length;
    uint32_t likely; /* tokens of an answer: the mean */
    struct held held[WORLD_MEMBERS_MAX];
};

static void *create(struct world *w)
{
    struct oracle *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    o->w = w;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w->cell.requests; i++)
        sum += w->requests[i].output;
    o->likely = 1 + (uint32_t)(sum / w->cell.requests);
    return o;
}

static void *create_for_cost(struct world *w)
{
    struct oracle *o = create(w);
    o->for_cost = true;
    return o;
}

static void *create_all_knowing(struct world *w)
{
    struct oracle *o = create(w);
    o->knows_length = true;
    return o;
}

static void ended(void *self, struct request *r, bool is_good)
{
    struct held *h = &((struct oracle *)self)->held[r->member];
    (void)is_good;
    for (size_t i = 0; i < h->count; i++)
        if (h->items[i] == r) {
            memmove(&h->items[i], &h->items[i + 1], (h->count - i - 1) * sizeof h->items[0]);
            h->count--;
            return;
        }
}

struct batch { /* that decodes: tokens left of each, the fewest last */
    uint32_t left[ACTIVE_MAX];
    uint32_t room; /* KV tokens that they hold */
    size_t count;
};

static void join(struct batch *b, uint32_t tokens, uint32_t room)
{
    size_t at = b->count++;
    for (; at > 0 && b->left[at - 1] < tokens; at--)
        b->left[at] = b->left[at - 1];
    b->left[at] = tokens;
    b->room += room;
}

/* Each of them gets so many tokens; those that are complete leave. */
static void decode(struct batch *b, uint32_t tokens)
{
    size_t left = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->left[i] > tokens)
            b->left[left++] = b->left[i] - tokens;
    b->room = b->count ? (uint32_t)((uint64_t)b->room * left / b->count) : 0;
    b->count = left;
}

/* When the last of the queue has ended, if nothing else came. */
static double ends_us(const struct world *w, const struct member *m, struct batch *b,
                      struct request *const *queue, size_t queued)
{
    const struct profile *p = profile_find(bytes_from_str(m->cfg->profile));
    double slowness = m->cfg->flaw == MEMBER_LIES ? WORLD_LIES_SLOWNESS : 1;
    double us = 0;
    for (size_t i = 0; i < queued; i++) {
        while (b->count >= m->cfg->slots) {
            uint32_t tokens = b->left[b->count - 1];
            us += slowness * tokens * (double)profile_step_us(p, w->shape, b->count, b->room);
            decode(b, tokens);
        }
        uint32_t steps = 1 + (queue[i]->prompt - 1) / WORLD_CHUNK_TOKENS;
        us += slowness * steps *
              (double)profile_step_us(p, w->shape, queue[i]->prompt / steps + b->count, b->room);
        decode(b, steps);
        if (i + 1 < queued)
            join(b, queue[i]->output, queue[i]->prompt);
    }
    for (uint32_t left = queue[queued - 1]->output; left > 0;) {
        uint32_t tokens = b->count && b->left[b->count - 1] < left ? b->left[b->count - 1] : left;
        us += slowness * tokens * (double)profile_step_us(p, w->shape, b->count + 1, b->room);
        decode(b, tokens);
        left -= tokens;
    }
    return us;
}

static double expected_us(struct oracle *o, struct request *r, uint32_t member)
{
    static struct request *queue[HELD_MAX + 1];
    const struct member *m = &o->w->members[member];
    const struct held *h = &o->held[member];
    struct batch b = {.count = 0};
    struct request likely = *r;
    size_t queued = 0;
    likely.output = o->likely;
    if (m->cfg->flaw == MEMBER_FAILS || m->gone_until_us > o->w->now_us)
        return INFINITY;
    for (size_t i = 0; i < h->count; i++) {
        struct request *other = h->items[i];
        if (other->tokens == 0)
            queue[queued++] = other;
        else if (other->tokens < other->output && b.count < ACTIVE_MAX)
            join(&b, other->output - other->tokens, other->prompt + other->tokens);
    }
    queue[queued++] = o->knows_length ? r : &likely;
    return (double)world_rtt_us(o->w, r->router, member) + ends_us(o->w, m, &b, queue, queued);
}

static int choose(void *self, struct request *r)
{
    struct oracle *o = self;
    double best = INFINITY, ceiling_us = (double)o->w->cell.fleet->ceiling_us;
    int chosen = -1;
    for (uint32_t i = 0; i < o->w->count; i++) {
        double us = r->tried >> i & 1 ? INFINITY : expected_us(o, r, i);
        double cost = world_price(o->w->members[i].cfg, r->prompt, r->output);
        /* In time: by price, and by time among equals; late: by time, behind all of those. */
        double badness = !o->for_cost ? us : us <= ceiling_us ? cost + us * 1e-15 : 1 + us;
        if (badness < best) {
            best = badness;
            chosen = (int)i;
        }
    }
    if (chosen >= 0 && o->held[chosen].count < HELD_MAX)
        o->held[chosen].items[o->held[chosen].count++] = r;
    return chosen;
}

const struct chooser chooser_oracle = {"oracle", create, free, choose, ended};
const struct chooser chooser_all_knowing = {"all-knowing", create_all_knowing, free, choose, ended};
const struct chooser chooser_oracle_cost = {"oracle, cost", create_for_cost, free, choose, ended};
