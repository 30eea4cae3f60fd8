/* Any bytes as each of the payloads of facts and as a summary: refused, or believed within the
 * limits; what is believed can be said again in the same bytes each time. The load's text
 * likewise. */
#include "node/mesh/summary.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* LIMIT: fields that were left out had made it fit. */
static bool was_said(enum err e)
{
    CHECK(e == ERR_OK || e == ERR_LIMIT);
    return e == ERR_OK;
}

static void read_node(struct bytes wire, struct buf *first, struct buf *second)
{
    struct arena arena;
    struct facts_node n, again;
    arena_init(&arena, 1 << 20);
    if (facts_node_decode(wire, &arena, &n) == ERR_OK) {
        CHECK(cert_name_is_valid(n.name) && n.via_count <= GOSSIP_VIA_MAX);
        if (was_said(facts_node_encode(&n, first))) {
            CHECK(facts_node_decode(buf_bytes(first), &arena, &again) == ERR_OK);
            CHECK(facts_node_encode(&again, second) == ERR_OK);
        }
    }
    arena_fini(&arena);
}

static void read_inventory(struct bytes wire, struct buf *first, struct buf *second)
{
    struct arena arena;
    struct facts_inventory i, again;
    arena_init(&arena, 1 << 20);
    if (facts_inventory_decode(wire, &arena, &i) == ERR_OK) {
        CHECK(i.backend_count <= FACTS_BACKENDS_MAX);
        struct facts f = {.backends = i.backends, .backend_count = i.backend_count};
        if (was_said(facts_inventory_encode(&f, first))) {
            CHECK(facts_inventory_decode(buf_bytes(first), &arena, &again) == ERR_OK);
            f.backends = again.backends;
            f.backend_count = again.backend_count;
            CHECK(facts_inventory_encode(&f, second) == ERR_OK);
        }
    }
    arena_fini(&arena);
}

static enum err say_report(const struct facts_report *r, struct buf *wire)
{
    struct facts_backend backends[FACTS_BACKENDS_MAX] = {0};
    for (size_t i = 0; i < r->backend_count; i++) {
        backends[i].inflight = r->backends[i].inflight;
        backends[i].queued = r->backends[i].queued;
    }
    for (size_t i = 0; i < FACTS_BACKENDS_MAX; i++)
        backends[i].figures = r->figures[i];
    struct facts f = {.load = r->load,
                      .draining = r->draining,
                      .rules = r->rules,
                      .backends = backends,
                      .backend_count = r->backend_count};
    return facts_report_encode(&f, wire);
}

static void read_report(struct bytes wire, struct buf *first, struct buf *second)
{
    struct facts_report r, again;
    if (facts_report_decode(wire, &r) != ERR_OK)
        return;
    CHECK(r.backend_count <= FACTS_BACKENDS_MAX);
    CHECK(say_report(&r, first) == ERR_OK);
    CHECK(facts_report_decode(buf_bytes(first), &again) == ERR_OK);
    CHECK(say_report(&again, second) == ERR_OK);
}

/* What three say alike is believed whole. */
static void judge(const struct summary *s, struct arena *arena)
{
    struct summary_claim claims[3] = {{s}, {s}, {s}};
    struct summary believed;
    CHECK(summary_judge(claims, 3, arena, &believed) == ERR_OK);
    CHECK(believed.model_count == s->model_count && believed.left_out == s->left_out);
    CHECK(claims[0].verdict == SUMMARY_USED && claims[2].verdict == SUMMARY_USED);
}

static void read_summary(struct bytes wire, struct buf *first, struct buf *second)
{
    struct arena arena;
    struct summary s, again;
    arena_init(&arena, 1 << 20);
    if (summary_decode(wire, &arena, &s) == ERR_OK) {
        CHECK(s.model_count <= SUMMARY_MODELS_MAX);
        judge(&s, &arena);
        if (was_said(summary_encode(&s, first))) {
            CHECK(first->size <= SUMMARY_WIRE_MAX);
            CHECK(summary_decode(buf_bytes(first), &arena, &again) == ERR_OK);
            CHECK(summary_encode(&again, second) == ERR_OK);
        }
    }
    arena_fini(&arena);
}

static void read_load(struct bytes text)
{
    struct facts_load load, again;
    char canonical[40];
    if (facts_load_parse(text, &load) != ERR_OK)
        return;
    facts_load_to_text(&load, canonical);
    CHECK(facts_load_parse(bytes_from_str(canonical), &again) == ERR_OK);
    CHECK(load.inflight == again.inflight && load.queued == again.queued &&
          load.capacity == again.capacity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct bytes, struct buf *, struct buf *) = {
        read_node, read_inventory, read_report, read_summary};
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        struct buf first, second;
        buf_init(&first, FACTS_WIRE_MAX);
        buf_init(&second, FACTS_WIRE_MAX);
        readers[i](bytes_of(data, size), &first, &second);
        CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
        buf_fini(&first);
        buf_fini(&second);
    }
    read_load(bytes_of(data, size));
    return 0;
}
