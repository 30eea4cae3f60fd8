/* Debian's libraft 0.15 as an opponent: its known violations, made to happen in its own fixture,
 * must be found by the rules that find nothing in our core (raft_rules.c), and nothing may be found
 * while it does well. It commits entries of older terms by counting (figure 8 of the paper), and
 * changes members before it has committed anything in its term (Ongaro's correction of 2015). */
#include "tests/sim/opponent/libraft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* --- what was found */

/* The n-th broken rule is this one, and came after `since_ms`, at `until_ms` at the latest. */
static void expect(const struct libraft *l, size_t n, const char *invariant, const char *why,
                   uint64_t since_ms, uint64_t until_ms)
{
    const struct libraft_finding *f = libraft_found(l, n);
    if (!f)
        fail_msg("%s was not noticed: %s", invariant, why);
    print_message("%llu ms: %s: %s\n", (unsigned long long)f->at_ms, f->invariant, f->why);
    assert_string_equal(f->invariant, invariant);
    assert_string_equal(f->why, why);
    assert_in_range(f->at_ms, since_ms + 1, until_ms);
}

static bool is_noticed(const struct libraft *l, const char *invariant, const char *why)
{
    const struct libraft_finding *f;
    for (size_t n = 0; (f = libraft_found(l, n)); n++)
        if (strcmp(f->invariant, invariant) == 0 && strcmp(f->why, why) == 0)
            return true;
    return false;
}

static void assert_has(const struct libraft *l, size_t server, uint64_t commit,
                       uint64_t term_of_entry_2)
{
    const struct rules_server *s = libraft_server(l, server);
    struct rules_entry e;
    assert_int_equal(s->commit, commit);
    assert_int_equal(s->applied, commit);
    assert_true(s->entry(s, 2, &e));
    assert_int_equal(e.term, term_of_entry_2);
}

static void assert_leads(const struct libraft *l, size_t server, uint64_t term)
{
    assert_true(libraft_server(l, server)->is_leader);
    assert_int_equal(libraft_server(l, server)->term, term);
}

/* --- it does well */

static void nothing_is_noticed_while_all_is_well(void **state)
{
    (void)state;
    struct libraft *l = libraft_create(5, 0, false);
    libraft_start(l);
    libraft_run_until(l, 2000);
    assert_true(libraft_propose(l, 1, "one"));
    libraft_run_until(l, 3000);
    assert_true(libraft_remove(l, 1, 5));
    libraft_run_until(l, 4000);
    libraft_stop(l, 5); /* which does not know, and would campaign for ever */
    libraft_stop(l, 1);
    libraft_run_until(l, 7000);
    assert_true(libraft_propose(l, 2, "two"));
    libraft_run_until(l, 8000);
    libraft_resume(l, 1);
    libraft_run_until(l, 10000);
    assert_int_equal(libraft_successes(l), 3);
    for (size_t server = 1; server <= 4; server++)
        assert_int_equal(libraft_server(l, server)->applied, 4);
    if (libraft_found(l, 0))
        fail_msg("%s: %s", libraft_found(l, 0)->invariant, libraft_found(l, 0)->why);
    libraft_destroy(l);
}

/* --- an entry of an older term, committed by counting */

/* S1 and S2 store A of term 2, S5 stores B of term 3. S1 wins term 4 without S5, and nothing is
 * proposed to it: nowhere is there an entry of its term. */
static struct libraft *make_figure_8(bool has_prevote)
{
    struct libraft *l = libraft_create(5, 0, has_prevote);
    libraft_store_command(l, 1, 2, "A");
    libraft_store_command(l, 2, 2, "A");
    libraft_store_command(l, 5, 3, "B");
    libraft_set_term(l, 3);
    for (size_t server = 2; server <= 4; server++)
        libraft_set_timeout(l, server, 2000); /* or S2 wins later, and the loss stays hidden */
    libraft_set_timeout(l, 5, 1000);
    libraft_start(l);
    libraft_cut_off(l, 5);
    return l;
}

static void count_an_old_term(bool has_prevote, const char *why)
{
    struct libraft *l = make_figure_8(has_prevote);
    libraft_run_until(l, 1400);
    assert_leads(l, 1, 4);
    for (size_t server = 1; server <= 4; server++) {
        assert_has(l, server, 2, 2);
        assert_int_equal(libraft_server(l, server)->last, 2);
    }
    expect(l, 0, "counts_entries_of_its_own_term", "s1 at 2", 1000, 1300);
    assert_null(libraft_found(l, 1));
    libraft_stop(l, 1);
    libraft_connect(l, 5);
    libraft_run_until(l, 6000);
    assert_has(l, 5, 1, 3);
    expect(l, 1, "leader_completeness", why, 3900, 4700);
    assert_null(libraft_found(l, 2));
    for (size_t server = 2; server <= 4; server++)
        assert_true(libraft_has_given_up(l, server)); /* they would have to undo a commit */
    libraft_destroy(l);
}

static void a_commit_by_counting_an_old_term_is_noticed(void **state)
{
    (void)state;
    count_an_old_term(false, "s5 leads in term 7 without entry 2");
}

static void a_commit_by_counting_an_old_term_is_noticed_with_prevote(void **state)
{
    (void)state;
    count_an_old_term(true, "s5 leads in term 6 without entry 2");
}

/* As before, but S1 stops before its followers hear of the commit: all of them take B instead. */
static void an_entry_committed_twice_is_noticed(void **state)
{
    (void)state;
    struct libraft *l = make_figure_8(false);
    libraft_run_until(l, 1300);
    assert_has(l, 1, 2, 2);
    assert_has(l, 2, 1, 2);
    libraft_stop(l, 1);
    libraft_connect(l, 5);
    libraft_run_until(l, 6000);
    assert_has(l, 1, 2, 2);
    for (size_t server = 2; server <= 5; server++) {
        assert_has(l, server, 2, 3);
        assert_false(libraft_has_given_up(l, server));
    }
    expect(l, 0, "counts_entries_of_its_own_term", "s1 at 2", 1000, 1300);
    expect(l, 1, "leader_completeness", "s5 leads in term 7 without entry 2", 3900, 4100);
    expect(l, 2, "counts_entries_of_its_own_term", "s5 at 2", 4100, 4300);
    expect(l, 3, "state_machine_safety", "s5 commits another entry at 2: term 3 not 2", 4100, 4300);
    expect(l, 4, "state_machine_safety", "s5 applies another entry at 2", 4100, 4300);
    libraft_destroy(l);
}

/* --- members changed before an own commit */

/* S1 to S4 vote. S1 and S5 store that S5 votes, too. S2 is elected by S2, S3 and S4, and takes S4
 * out: S2 and S3 are a majority of what it holds for the voters, S1, S4 and S5 of what S1 does. */
static void make_two_histories(bool has_prevote, uint64_t next_term, const char *why)
{
    struct libraft *l = libraft_create(4, 1, has_prevote);
    libraft_store_voters(l, 1, 2, 5);
    libraft_store_voters(l, 5, 2, 5);
    libraft_set_term(l, 2);
    libraft_start(l);
    libraft_stop(l, 1);
    libraft_stop(l, 5);
    assert_true(libraft_elect(l, 2));
    libraft_stop(l, 4);
    assert_null(libraft_found(l, 0));
    assert_true(libraft_remove(l, 2, 4));
    expect(l, 0, "changes_after_an_own_commit", "s2 at 2", 1000, 1100);
    libraft_run_until(l, libraft_now_ms(l) + 300);
    assert_true(libraft_propose(l, 2, "X"));
    libraft_run_until(l, libraft_now_ms(l) + 300);
    assert_int_equal(libraft_successes(l), 2);
    assert_null(libraft_found(l, 1));

    libraft_stop(l, 2);
    libraft_stop(l, 3);
    libraft_resume(l, 1);
    libraft_resume(l, 4);
    libraft_resume(l, 5);
    libraft_run_until(l, 7000);
    assert_leads(l, 1, next_term);
    expect(l, 1, "leader_completeness", why, 3900, 4700);
    assert_true(
        is_noticed(l, "state_machine_safety", "s1 commits another entry at 2: term 2 not 3"));
    assert_true(libraft_propose(l, 1, "Y"));
    libraft_run_until(l, 7300);
    assert_int_equal(libraft_successes(l), 3); /* X and Y, both at index 3 */
    assert_true(is_noticed(l, "state_machine_safety", "s1 applies another entry at 3"));
    for (size_t server = 1; server <= 5; server++)
        assert_has(l, server, 3, server == 2 || server == 3 ? 3 : 2);
    libraft_destroy(l);
}

static void a_change_before_an_own_commit_and_its_two_histories_are_noticed(void **state)
{
    (void)state;
    make_two_histories(false, 5, "s1 leads in term 5 without entry 2");
}

static void a_change_before_an_own_commit_is_noticed_with_prevote(void **state)
{
    (void)state;
    make_two_histories(true, 4, "s1 leads in term 4 without entry 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_noticed_while_all_is_well),
        cmocka_unit_test(a_commit_by_counting_an_old_term_is_noticed),
        cmocka_unit_test(a_commit_by_counting_an_old_term_is_noticed_with_prevote),
        cmocka_unit_test(an_entry_committed_twice_is_noticed),
        cmocka_unit_test(a_change_before_an_own_commit_and_its_two_histories_are_noticed),
        cmocka_unit_test(a_change_before_an_own_commit_is_noticed_with_prevote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
