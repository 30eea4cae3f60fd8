/* What a node remembers between its starts: the number of its boot, the incarnation it may have
 * spoken under, the key ring of its mesh's gossip, addresses of members, and that it runs only
 * once. */
#ifndef NODE_CLI_DIR_BOOT_H
#define NODE_CLI_DIR_BOOT_H

#include "base/kv.h"
#include "node/cli/dir/files.h"
#include "node/cli/say.h"
#include "node/trust/keyring.h"

struct boot {
    struct kv *kv; /* held open: its lock keeps a second process out */
    struct kv_table table;
    uint64_t boot_ms; /* max(wall clock, the last one + 1): rises even where the clock went back */
    uint64_t incarnation;              /* of gossip, as it was saved last; 0: never */
    uint8_t keyring[KEYRING_SIZE_MAX]; /* encoded; a secret: wiped by boot_close */
    size_t keyring_size;               /* 0: none yet */
    /* Members' addresses, one a line: a file of its own, for people to read, and to lose. */
    char peers_path[FILES_PATH_MAX];
    struct buf peers;     /* as saved last; empty: nothing, or nothing that could be read, and */
    enum err peers_error; /* why */
};

/* Opens D/data and stores the new number durably. Says what is wrong. */
MUST_CHECK enum cli_exit boot_open(const char *dir, struct boot *ret_boot);
/* Durable when it returns. The errors of kv_commit. */
MUST_CHECK enum err boot_save_incarnation(struct boot *boot, uint64_t incarnation);
MUST_CHECK enum err boot_save_keyring(struct boot *boot, struct bytes ring);
MUST_CHECK enum err boot_save_peers(struct boot *boot, struct bytes text);
void boot_close(struct boot *boot);

#endif
