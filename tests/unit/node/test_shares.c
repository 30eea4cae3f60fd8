/* Places that peers hold: bounded for each, given back, rows used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ingress/shares.h"

static void each_peer_has_its_own_bound(void **state)
{
    static struct peer peers[2];
    struct shares s = {.count = 0};
    assert_true(shares_take(&s, &peers[0], 2));
    assert_true(shares_take(&s, &peers[0], 2));
    assert_false(shares_take(&s, &peers[0], 2));
    assert_true(shares_take(&s, &peers[1], 2));
    shares_give(&s, &peers[0]);
    assert_true(shares_take(&s, &peers[0], 2));
    assert_false(shares_take(&s, &peers[0], 2));
}

static void who_holds_nothing_takes_no_row(void **state)
{
    static struct peer peers[MESH_PEERS_MAX];
    struct shares s = {.count = 0};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MESH_PEERS_MAX; i++)
            assert_true(shares_take(&s, &peers[i], 1));
        for (size_t i = 0; i < MESH_PEERS_MAX; i++) {
            assert_false(shares_take(&s, &peers[i], 1));
            shares_give(&s, &peers[i]);
        }
        assert_int_equal(s.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_peer_has_its_own_bound),
        cmocka_unit_test(who_holds_nothing_takes_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
