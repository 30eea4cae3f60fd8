/* The table, the goals and what was missed, as text, JSON and SVG. */
#ifndef BENCH_ROUTING_QUALITY_REPORT_H
#define BENCH_ROUTING_QUALITY_REPORT_H

#include "tests/bench/routing_quality/world.h"

enum {
    REPORT_ROUND_ROBIN,
    REPORT_RANDOM,
    REPORT_LEAST,
    REPORT_TWO,
    REPORT_OURS,
    REPORT_ORACLE,
    REPORT_ALL_KNOWING,
    REPORT_OURS_COST,
    REPORT_ORACLE_COST,
    REPORT_CHOOSERS
};
const struct chooser *report_chooser(size_t index);
bool report_is_of_cost(size_t index); /* only where something is sold */

struct report;
struct report *report_create(const char *plot_path); /* NULL: no plot */
/* Prints the cell. outcomes[REPORT_...] */
void report_cell(struct report *r, const struct cell *cell, const struct outcome *outcomes);
/* Prints goals and JSON, writes the plot, frees. False: a goal was missed. */
bool report_finish(struct report *r);

#endif
