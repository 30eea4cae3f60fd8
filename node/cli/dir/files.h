/* Files and directories of the CLI: read with a bound, written whole or not at all, secrets kept
 * from others' eyes. The only place of node/cli that opens, makes or removes files. */
#ifndef NODE_CLI_DIR_FILES_H
#define NODE_CLI_DIR_FILES_H

#include "base/buf.h"

#define FILES_PATH_MAX 4096

/* dir + "/" + name. LIMIT. */
MUST_CHECK enum err files_join(const char *dir, const char *name, char ret_path[FILES_PATH_MAX]);

/* Appends the whole file ("-": stdin) to `out`. LIMIT: it does not fit. */
MUST_CHECK enum err files_read(const char *path, struct buf *out);
/* The same for a secret: *ret_is_exposed when others than its owner may read or write it;
 * ERR_PERMISSION and nothing is read then. */
MUST_CHECK enum err files_read_secret(const char *path, struct buf *out, bool *ret_is_exposed);

/* A new file with exactly this content and mode, on disk when the call returns. EXISTS, and
 * whatever went wrong otherwise; nothing is left of it then. */
MUST_CHECK enum err files_write_new(const char *path, struct bytes content, unsigned mode);
/* The same, in the place of what is there: a reader sees the old content or the new one. */
MUST_CHECK enum err files_replace(const char *path, struct bytes content, unsigned mode);
bool files_exists(const char *path);

/* What a command made so far, so that it can be taken back when a later step fails. */
#define FILES_MADE_MAX 32
struct files_made {
    char *paths[FILES_MADE_MAX]; /* in order; files and directories */
    size_t count;
};
/* Makes a directory (0700) with those above it that are missing, and notes each. Existing: ERR_OK.
 */
MUST_CHECK enum err files_make_dir(const char *path, struct files_made *made);
/* files_write_new, noted. */
MUST_CHECK enum err files_make(const char *path, struct bytes content, unsigned mode,
                               struct files_made *made);
/* Removes what was made, newest first; directories only if they are empty. */
void files_undo(struct files_made *made);
/* Keeps it all. */
void files_keep(struct files_made *made);

/* A fresh directory (0700) below $TMPDIR or /tmp. */
MUST_CHECK enum err files_make_temporary_dir(char ret_path[FILES_PATH_MAX]);
/* A directory that files_make_temporary_dir made, with everything in it. */
void files_remove_tree(const char *path);

#endif
