/* The load generator's command line as a configuration. Called by main.c. */
#ifndef TESTNET_LOAD_OPTIONS_H
#define TESTNET_LOAD_OPTIONS_H

#include "node/cli/flags.h"
#include "testnet/load/run.h"

extern const struct flag options_table[];

/* The strings of `flags` are borrowed. USAGE, and `message` says what was wrong. */
MUST_CHECK enum err options_read(const struct flags *flags, struct run_cfg *ret_cfg,
                                 struct buf *message);
/* Where load may go: this machine, and the testnet's 198.18.0.0/15 (RFC 2544). */
bool options_may_load(const struct io_addr *addr);

#endif
