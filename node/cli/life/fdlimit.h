/* File descriptors: as many as this process may have, and what of them clients may take. Used by
 * `run`. */
#ifndef NODE_CLI_LIFE_FDLIMIT_H
#define NODE_CLI_LIFE_FDLIMIT_H

#include "node/config/config.h"

/* The soft limit becomes the hard one. */
void fdlimit_raise(void);
/* Lowers limits.connections, with a warning, so that engines, peers and the control socket always
 * find a descriptor. */
void fdlimit_bound(struct config *config, const struct log *log);

#endif
