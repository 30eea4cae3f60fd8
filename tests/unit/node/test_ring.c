/* The ring of what is remembered of requests: newest first, bounded by number, bytes and age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/rng.h"
#include "node/telemetry/ring.h"

#include <stdio.h>

#define BYTES_MAX 1000
#define ENTRIES_MAX 8
#define AGE_MS 100

static int setup(void **state)
{
    static struct ring ring;
    assert_int_equal(crypto_init(), ERR_OK);
    ring_init(&ring, BYTES_MAX, ENTRIES_MAX, AGE_MS);
    *state = &ring;
    return 0;
}

static int teardown(void **state)
{
    ring_fini(*state);
    return 0;
}

static void add(struct ring *r, const char *id, char fill, size_t size, uint64_t now_ms)
{
    uint8_t *at;
    assert_int_equal(ring_add(r, bytes_from_str(id), size, now_ms, &at), ERR_OK);
    memset(at, fill, size);
}

/* The fills of what is kept under an id, newest first; "" of any. */
static const char *kept(const struct ring *r, const char *id, uint64_t now_ms)
{
    static char text[ENTRIES_MAX + 1];
    struct bytes entry;
    uint32_t cursor = 0;
    size_t count = 0;
    while (ring_next(r, bytes_from_str(id), now_ms, &cursor, &entry)) {
        for (size_t i = 1; i < entry.size; i++)
            assert_int_equal(entry.data[i], entry.data[0]);
        text[count++] = (char)entry.data[0];
    }
    text[count] = 0;
    return text;
}

static void entries_come_back_newest_first(void **state)
{
    struct ring *r = *state;
    assert_string_equal(kept(r, "", 0), "");
    add(r, "x", 'a', 10, 0);
    add(r, "y", 'b', 20, 0);
    add(r, "x", 'c', 30, 0);
    assert_string_equal(kept(r, "x", 0), "ca");
    assert_string_equal(kept(r, "y", 0), "b");
    assert_string_equal(kept(r, "", 0), "cba");
    assert_string_equal(kept(r, "z", 0), "");
}

static void an_old_one_is_not_shown(void **state)
{
    struct ring *r = *state;
    add(r, "x", 'a', 10, 0);
    add(r, "x", 'b', 10, 50);
    assert_string_equal(kept(r, "x", AGE_MS), "ba");
    assert_string_equal(kept(r, "x", AGE_MS + 1), "b");
    assert_string_equal(kept(r, "x", AGE_MS + 51), "");
}

static void the_number_of_entries_is_bounded(void **state)
{
    struct ring *r = *state;
    for (char fill = 'a'; fill < 'a' + ENTRIES_MAX + 3; fill++)
        add(r, "x", fill, 1, 0);
    assert_string_equal(kept(r, "", 0), "kjihgfed");
}

/* Whatever is still listed is whole, and nothing younger than what is listed is missing. */
static void whatever_is_listed_is_whole(void **state)
{
    struct ring *r = *state;
    struct rng rng;
    char last[ENTRIES_MAX + 1] = "";
    rng_init(&rng, 1);
    for (int i = 0; i < 5000; i++) {
        char next[ENTRIES_MAX + 2];
        char fill = (char)('a' + i % 26);
        add(r, "x", fill, (size_t)rng_between(&rng, 1, BYTES_MAX), 0);
        snprintf(next, sizeof next, "%c%s", fill, last);
        const char *now = kept(r, "", 0);
        assert_true(strlen(now) >= 1);
        assert_memory_equal(now, next, strlen(now));
        snprintf(last, sizeof last, "%s", now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_come_back_newest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_one_is_not_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(the_number_of_entries_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_is_listed_is_whole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
