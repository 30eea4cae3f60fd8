/* Two texts line by line: what has to be taken out and put in to come from one to the other. */
#ifndef NODE_CLI_POLICY_LINE_DIFF_H
#define NODE_CLI_POLICY_LINE_DIFF_H

#include "base/buf.h"

#define LINE_DIFF_LINES_MAX 4096 /* that differ, of each text; beyond, all of them are replaced */
#define LINE_DIFF_CONTEXT 3

/* Appends hunks as `diff -u` writes them ("@@ -1,3 +1,4 @@", then lines behind ' ', '-', '+');
 * nothing where the texts are the same. LIMIT: it does not fit; NO_MEMORY. */
MUST_CHECK enum err line_diff(struct bytes from, struct bytes to, struct buf *out);

#endif
