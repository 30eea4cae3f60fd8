/* Debian's libraft, in its own in-memory world (raft/fixture.h), under our rules: after every event
 * each server's facts go through tests/sim/raft_rules.c, the code that judges our core in raft_sim.
 * Apart from raft_sim, since both libraries say raft_. Servers are numbered from 1, all voters
 * before the spares; time is simulated, runs repeat exactly. What a server "stores" is its log in
 * memory, written or not; a server that is stopped keeps it, so a stop is a pause, not a crash. */
#ifndef TESTS_SIM_OPPONENT_LIBRAFT_H
#define TESTS_SIM_OPPONENT_LIBRAFT_H

#include "tests/sim/raft_rules.h"

#define LIBRAFT_FINDINGS 32

struct libraft_finding {
    const char *invariant;
    char why[160];
    uint64_t at_ms;
};

struct libraft;

/* All are in term 1 and store their configuration at index 1. */
struct libraft *libraft_create(size_t voters, size_t spares, bool has_prevote);
void libraft_destroy(struct libraft *l);

/* Before the start: what `server` stores beside; the term of all; how long one waits for a leader.
 */
void libraft_store_command(struct libraft *l, size_t server, uint64_t term, const char *text);
void libraft_store_voters(struct libraft *l, size_t server, uint64_t term, size_t voters);
void libraft_set_term(struct libraft *l, uint64_t term);
void libraft_set_timeout(struct libraft *l, size_t server, unsigned timeout_ms);
void libraft_start(struct libraft *l);

void libraft_run_until(struct libraft *l, uint64_t at_ms);
/* False: it did not come to lead. */
bool libraft_elect(struct libraft *l, size_t server);
void libraft_cut_off(struct libraft *l, size_t server);
void libraft_connect(struct libraft *l, size_t server);
void libraft_stop(struct libraft *l, size_t server);
void libraft_resume(struct libraft *l, size_t server);
/* False: it was refused at once. */
bool libraft_propose(struct libraft *l, size_t server, const char *text);
bool libraft_remove(struct libraft *l, size_t server, size_t who);

uint64_t libraft_now_ms(const struct libraft *l);
/* Proposals and removals of which their clients were told that they succeeded. */
size_t libraft_successes(const struct libraft *l);
const struct rules_server *libraft_server(const struct libraft *l, size_t server);
/* Has it given up, as libraft does on an error inside? */
bool libraft_has_given_up(const struct libraft *l, size_t server);
/* The n-th broken rule, in order of time, each rule and reason once; NULL: there were no more. */
const struct libraft_finding *libraft_found(const struct libraft *l, size_t n);

#endif
