/* What the simulator programs have in common (contract.md, section 5): seeds, where the trace goes,
 * whether a summary is printed, and the one command that plays a failed seed again, told even when
 * the process dies within it. Each program has its own options beside these. */
#ifndef TESTS_SIM_PROGRAM_H
#define TESTS_SIM_PROGRAM_H

#include "base/buf.h"

#include <stdio.h>

struct program {
    const char *name;
    uint64_t first, last; /* seeds */
    const char *trace_path;
    FILE *trace_file; /* NULL: none */
    bool prints_json;
};

/* Options of getopt that all have: 's' --seed, 'S' --seeds, 't' --trace, 'o' -o. *ret_is_good says
 * whether the text is; false: another option. */
#define PROGRAM_OPTIONS                                                                            \
    {"seed", required_argument, NULL, 's'}, {"seeds", required_argument, NULL, 'S'},               \
    {                                                                                              \
        "trace", required_argument, NULL, 't'                                                      \
    }
bool program_option(struct program *p, int option, const char *text, bool *ret_is_good);
/* The crypto library and the trace's file; false, and it was said what is wrong. Before the first
 * seed. */
bool program_begin(struct program *p);
/* A seed begins; more of the command may be appended to what is returned. */
struct buf *program_seed(const struct program *p, uint64_t seed);
/* The seed failed: says how to see it again. */
void program_failed(void);
/* After the last seed; false: the trace was not written. */
bool program_end(struct program *p);

#endif
