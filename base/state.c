/* Checked moves through state tables. Links, exchanges, breakers, members and raft roles all move
 * through here, so a forbidden move stops the program where it happens. */
#include "base/state.h"

#include <stdio.h>
#include <stdlib.h>

const char *state_name(const struct state_table *t, int state)
{
    return state >= 0 && state < t->count ? t->rows[state].name : "?";
}

static bool is_allowed(const struct state_table *t, int from, int to)
{
    bool known = from >= 0 && from < t->count && to >= 0 && to < t->count && to < 32;
    return known && (t->rows[from].successors & STATE_BIT(to));
}

void state_move(const struct state_table *t, int *state, int next)
{
    if (is_allowed(t, *state, next)) {
        *state = next;
        return;
    }
    fprintf(stderr, "%s: no move from %s (%d) to %s (%d)\n", t->machine, state_name(t, *state),
            *state, state_name(t, next), next);
    abort();
}
