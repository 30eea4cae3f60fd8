/* State tables: anything with more than two states declares its states and their allowed successors
 * as data, beside its drawing; every move is asserted here. */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include "base/err.h"
#include <stdint.h>

#define STATE_BIT(s) (1u << (s))

struct state_row {
    const char *name;
    uint32_t successors; /* STATE_BIT of each allowed next state */
};

struct state_table {
    const char *machine; /* "link", "exchange", ... */
    const struct state_row *rows;
    int count; /* at most 32 */
};

const char *state_name(const struct state_table *t, int state);
/* Moves *state to next; CHECK-fails, naming both, when the table does not allow it. */
void state_move(const struct state_table *t, int *state, int next);

#endif
