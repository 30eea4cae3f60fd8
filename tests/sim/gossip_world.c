/* The swarm's clock and events, its creation and its end. One event at a time, in the order of time
 * and of making; everything else happens because of one. */
#include "tests/sim/gossip_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

/* --- the heap */

static bool is_before(const struct swarm_place *a, const struct swarm_place *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void push(struct swarm *s, struct swarm_event *e)
{
    if (s->heap_count == s->heap_capacity) {
        s->heap_capacity = s->heap_capacity ? 2 * s->heap_capacity : 4096;
        s->heap = realloc(s->heap, s->heap_capacity * sizeof *s->heap);
        CHECK(s->heap);
    }
    struct swarm_place place = {e->at_us, e->order, e};
    size_t i = s->heap_count++;
    for (; i > 0 && is_before(&place, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = place;
}

static struct swarm_event *pop(struct swarm *s)
{
    struct swarm_event *first = s->heap[0].event;
    struct swarm_place last = s->heap[--s->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < s->heap_count; i = child) {
        if (child + 1 < s->heap_count && is_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!is_before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return first;
}

struct swarm_event *swarm_event(struct swarm *s, uint64_t at_us, enum swarm_event_type type,
                                size_t node, struct bytes data)
{
    struct swarm_event *e = malloc(sizeof *e + data.size);
    CHECK(e);
    *e = (struct swarm_event){.at_us = at_us < s->now_us ? s->now_us : at_us,
                              .order = s->order++,
                              .type = type,
                              .node = node,
                              .size = data.size};
    list_init(&e->wait);
    if (data.size)
        memcpy(e->data, data.data, data.size);
    push(s, e);
    return e;
}

void swarm_at(struct swarm *s, uint64_t at_us, swarm_call call, uint64_t argument)
{
    struct swarm_event *e = swarm_event(s, at_us, SWARM_CALL, 0, bytes_of(NULL, 0));
    e->call = call;
    e->argument = argument;
}

/* --- running */

/* Takes e over. */
static void happen(struct swarm *s, struct swarm_event *e)
{
    switch (e->type) {
    case SWARM_CALL: e->call(s, e->argument); break;
    case SWARM_DATAGRAM: swarm_datagram_arrives(s, e); return;
    case SWARM_LINK_DIAL:
    case SWARM_LINK_OPEN:
    case SWARM_LINK_PUMP:
    case SWARM_LINK_SILENT: swarm_link_handle(s, e); break;
    case SWARM_TICK:
    case SWARM_SHELL:
    case SWARM_LOAD:
    case SWARM_MESSAGE:
    case SWARM_EVIDENCE:
    case SWARM_UP: swarm_node_obey(&s->nodes[e->node], e); return;
    }
    free(e);
}

void swarm_run_until(struct swarm *s, uint64_t until_us)
{
    while (s->failures == 0 && s->heap_count && s->heap[0].at_us <= until_us) {
        struct swarm_event *e = pop(s);
        s->now_us = e->at_us;
        happen(s, e);
    }
    if (s->failures == 0 && s->now_us < until_us)
        s->now_us = until_us;
}

/* --- trace */

static uint64_t trace_now(void *ctx)
{
    return ((struct swarm *)ctx)->now_us;
}

static void trace_sink(void *ctx, struct bytes line)
{
    struct swarm *s = ctx;
    if (s->options.trace_file)
        fwrite(line.data, 1, line.size, s->options.trace_file);
}

void swarm_fail(struct swarm *s, const char *invariant, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "gossip_sim: seed %" PRIu64 ": %s: %.3f s: %s: %s\n", s->options.seed,
            s->scenario, (double)s->now_us / 1e6, invariant, text);
    TRACE(&s->trace, NULL, "failure", LOG_STR("invariant", invariant), LOG_STR("text", text));
    s->failures++;
}

/* --- life of a swarm */

static void node_init(struct swarm *s, size_t i)
{
    struct swarm_node *n = &s->nodes[i];
    *n = (struct swarm_node){.swarm = s,
                             .index = i,
                             .identity = i,
                             .place = i,
                             .host_is_up = true,
                             .load_changes = !s->options.is_idle,
                             .tick_us = SWARM_NEVER,
                             .clock_us = rng_below(&s->rng, UINT64_C(864000000000)),
                             .wall_ms = (int64_t)rng_below(&s->rng, 4000) - 2000};
    list_init(&n->waiting);
}

struct swarm *swarm_create(const struct swarm_options *options, size_t nodes, size_t regions)
{
    struct swarm *s = calloc(1, sizeof *s);
    CHECK(s && nodes <= SWARM_NODES_MAX && regions <= SWARM_REGIONS_MAX);
    size_t slots = nodes + 1; /* the last is for a twin */
    s->options = *options;
    rng_init(&s->rng, options->seed);
    s->trace = (struct trace){trace_now, trace_sink, s};
    s->now_us = SWARM_SECOND; /* 0 means never in many places */
    s->secret = rng_next(&s->rng);
    s->liar = SIZE_MAX;
    s->node_count = slots;
    s->identity_count = nodes;
    s->region_count = regions;
    s->nodes = calloc(slots, sizeof *s->nodes);
    s->identities = calloc(nodes, sizeof *s->identities);
    s->cuts = calloc(slots * slots, sizeof *s->cuts);
    s->udp_cuts = calloc(slots * slots, sizeof *s->udp_cuts);
    s->clear_us = calloc(slots * slots, sizeof *s->clear_us);
    s->holes = calloc(slots * slots, sizeof *s->holes);
    s->links = calloc(slots * slots, sizeof(struct swarm_link *));
    s->tenants = calloc(slots, sizeof *s->tenants);
    CHECK(s->nodes && s->tenants && s->identities && s->cuts && s->udp_cuts && s->clear_us &&
          s->holes && s->links);
    map_init(&s->by_id, (const uint8_t[16]){1}, nodes);
    buf_init(&s->newcomers, SIZE_MAX / 2);
    list_init(&s->captured);
    for (size_t i = 0; i < nodes; i++)
        swarm_identity_init(s, i);
    for (size_t i = 0; i < slots; i++) {
        s->tenants[i] = i;
        node_init(s, i);
    }
    return s;
}

static void free_waiting(struct swarm_node *n)
{
    for (struct list *it; (it = list_pop_front(&n->waiting));)
        free(LIST_ENTRY(it, struct swarm_event, wait));
}

void swarm_destroy(struct swarm *s)
{
    swarm_liar_fini(s);
    swarm_links_fini(s);
    for (size_t i = 0; i < s->node_count; i++) {
        free_waiting(&s->nodes[i]);
        gossip_destroy(s->nodes[i].gossip);
        free(s->nodes[i].views);
    }
    while (s->heap_count)
        free(s->heap[--s->heap_count].event);
    map_fini(&s->by_id);
    buf_fini(&s->newcomers);
    free(s->heap);
    free(s->nodes);
    free(s->identities);
    free(s->tenants);
    free(s->cuts);
    free(s->udp_cuts);
    free(s->clear_us);
    free(s->holes);
    free(s->links);
    free(s);
}
