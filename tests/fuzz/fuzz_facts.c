/* Any bytes as facts: refused, or believed within the limits; what is believed can be said again in
 * the same bytes each time. The load's text likewise. */
#include "node/mesh/facts.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say_again(const struct facts *f)
{
    struct buf first, second;
    struct arena arena;
    struct facts again;
    buf_init(&first, FACTS_WIRE_MAX);
    buf_init(&second, FACTS_WIRE_MAX);
    arena_init(&arena, 1 << 20);
    enum err e = facts_encode(f, &first); /* LIMIT: the fields that were left out made it fit */
    CHECK(e == ERR_OK || e == ERR_LIMIT);
    if (e == ERR_OK) {
        CHECK(facts_decode(buf_bytes(&first), &arena, &again) == ERR_OK);
        CHECK(facts_encode(&again, &second) == ERR_OK);
        CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    }
    arena_fini(&arena);
    buf_fini(&first);
    buf_fini(&second);
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
    struct arena arena;
    struct facts f;
    arena_init(&arena, 512 * 1024);
    if (facts_decode(bytes_of(data, size), &arena, &f) == ERR_OK) {
        CHECK(f.backend_count <= FACTS_BACKENDS_MAX && cert_name_is_valid(f.name));
        say_again(&f);
    }
    arena_fini(&arena);
    read_load(bytes_of(data, size));
    return 0;
}
