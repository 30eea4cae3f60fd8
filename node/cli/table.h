/* Aligned columns for people. Cells are taken in reading order; control characters become "?". */
#ifndef NODE_CLI_TABLE_H
#define NODE_CLI_TABLE_H

#include "base/buf.h"
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_MAX 512 /* bytes; longer ones are cut */

struct table {
    size_t columns;
    size_t widths[TABLE_COLUMNS_MAX]; /* in characters */
    size_t cells;
    struct buf text; /* every cell, each with a NUL */
};

/* One header per column, NULL at the end; at most TABLE_COLUMNS_MAX. */
void table_init(struct table *t, const char *const *headers);
/* The next cell; NULL or "" prints as "-". What does not fit in memory any more is left out. */
void table_add(struct table *t, const char *text);
void table_print(const struct table *t, FILE *out);
void table_fini(struct table *t);

/* "350ms" "4.2s" "12m" "3h" "5d" */
void table_age(uint64_t ms, char ret_text[24]);

#endif
