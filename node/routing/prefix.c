/* See prefix.h. Called by the pipeline before it routes, by live.c and when an attempt starts. */
#include "node/routing/prefix.h"

#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/routing/asked.h"

#include <string.h>

void prefix_init(struct prefixes *p, const uint8_t seed[16])
{
    p->table = NULL;
    memcpy(p->seed, seed, sizeof p->seed);
}

void prefix_fini(struct prefixes *p)
{
    policy_prefixes_destroy(p->table);
}

/* Pieces of the body end where they like; blocks do not. */
static void add_all(const struct body *body, const uint8_t seed[16], struct policy_prefix *p)
{
    uint8_t block[POLICY_PREFIX_BLOCK];
    size_t filled = 0;
    struct body_cursor at;
    struct bytes part;
    body_cursor_init(body, &at);
    while (p->count < POLICY_PREFIX_BLOCKS_MAX && body_next(&at, &part, 1, SIZE_MAX) > 0)
        while (part.size > 0) {
            size_t size = sizeof block - filled < part.size ? sizeof block - filled : part.size;
            memcpy(block + filled, part.data, size);
            filled += size;
            part = bytes_skip(part, size);
            if (filled == sizeof block) {
                policy_prefix_add(p, seed, bytes_of(block, sizeof block));
                filled = 0;
            }
        }
}

void prefix_find(struct exchange *x)
{
    if (x->prefix || x->body.size < POLICY_PREFIX_BLOCK)
        return;
    struct policy_prefix *p = arena_calloc(&x->arena, sizeof *p);
    if (!p)
        return; /* then nothing is known of it */
    add_all(&x->body, x->lane->prefixes.seed, p);
    x->prefix = p;
}

double prefix_cached_tokens(const struct lane *lane, const struct exchange *x,
                            const struct candidate *c)
{
    const struct policy_prefixes *table = lane->prefixes.table;
    if (!x->prefix || !table || !c->deployment)
        return 0;
    double share =
        policy_prefixes_held(table, x->prefix, c->deployment->hash, io_now_ms(lane->loop)) *
        POLICY_PREFIX_BLOCK / (double)x->body.size;
    return share * (double)asked_input_tokens(x);
}

void prefix_give(const struct exchange *x, const struct choice *choice)
{
    struct lane *lane = x->lane;
    const struct deployment *d = choice->candidate.deployment;
    lane->metrics.prompt_tokens += asked_input_tokens(x);
    lane->metrics.prompt_tokens_held += (uint64_t)choice->cached_tokens;
    if (!x->prefix || !d)
        return;
    if (!lane->prefixes.table)
        lane->prefixes.table = policy_prefixes_create();
    if (lane->prefixes.table)
        policy_prefixes_give(lane->prefixes.table, x->prefix, d->hash, io_now_ms(lane->loop));
}
