/* A node's directory: which one, what lies in it, and making one whole or not at all (contract.md
 * section 1). */
#ifndef NODE_CLI_DIR_NODEDIR_H
#define NODE_CLI_DIR_NODEDIR_H

#include "node/cli/dir/files.h"
#include "node/cli/dir/keyfile.h"
#include "node/cli/flags.h"
#include "node/config/config.h"

#define NODEDIR_CONFIG "grapevine.yaml"
#define NODEDIR_NODE_KEY "node.key"
#define NODEDIR_NODE_CERT "node.cert"
#define NODEDIR_ADMIN_KEY "admin.key"
#define NODEDIR_ROOT_KEY "root.key"
#define NODEDIR_ADMISSION "admission"
#define NODEDIR_CONTROL "control.sock"
#define NODEDIR_DATA "data"

/* --dir, else $GRAPEVINE_DIR, else /var/lib/grapevine for root and ~/.local/share/grapevine for
 * others; without slashes at its end. Says what is wrong. */
MUST_CHECK enum cli_exit nodedir_find(const struct flags *flags, char ret_dir[FILES_PATH_MAX]);

/* Where an administrator's key is: --key FILE, else $GRAPEVINE_KEY, else D/admin.key. LIMIT. */
MUST_CHECK enum err nodedir_admin_path(const struct flags *flags, const char *dir,
                                       char ret_path[FILES_PATH_MAX]);

/* Reads it. Says what is wrong. */
MUST_CHECK enum cli_exit nodedir_load_admin(const struct flags *flags, struct keyfile *ret_admin);

/* The node's key and certificate, checked at now_ms. Says what is wrong. The caller wipes it. */
MUST_CHECK enum cli_exit nodedir_load_identity(const char *dir, uint64_t now_ms,
                                               struct identity *ret_identity);

/* What a new directory will hold; NULL: not this file. */
struct nodedir_content {
    const struct keyfile *root;  /* seed */
    const struct keyfile *admin; /* seed, root, chain */
    const struct keyfile *node;  /* seed, root, chain */
    struct bytes admission;      /* the signed command; empty: no such file */
    const struct config *config;
};
/* Makes the directory (0700), where it is missing, and the files in it (keys 0600). Refuses one
 * that is a node's already. Says what is wrong, and leaves nothing behind then. */
MUST_CHECK enum cli_exit nodedir_make(const char *dir, const struct nodedir_content *content);

/* Reads a configuration file into `text` (the caller's, empty), parses it, applies every --set in
 * `flags` and checks the whole. Says what is wrong. */
MUST_CHECK enum cli_exit nodedir_load_config(const char *path, const struct flags *flags,
                                             struct buf *text, struct config *ret_config);
/* The same; what is wrong goes into `message`. */
MUST_CHECK enum cli_exit nodedir_read_config(const char *path, const struct flags *flags,
                                             struct buf *text, struct config *ret_config,
                                             struct buf *message);
#define NODEDIR_CONFIG_MAX (256 * 1024) /* bytes of such a file that are read */

#endif
