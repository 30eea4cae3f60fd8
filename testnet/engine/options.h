/* The engine's command line as a configuration. Called by main.c. */
#ifndef TESTNET_ENGINE_OPTIONS_H
#define TESTNET_ENGINE_OPTIONS_H

#include "node/cli/flags.h"
#include "testnet/engine/serve/server.h"

#define OPTIONS_NAME_SIZE 128
#define OPTIONS_FAULTS_MAX FAULTS_MAX

struct options {
    struct server_cfg server;
    char names[ENGINE_MODELS_MAX][OPTIONS_NAME_SIZE];
    struct fault faults[OPTIONS_FAULTS_MAX];
    size_t fault_count;
};

extern const struct flag options_table[];

/* The strings of `flags` are borrowed. USAGE, and `message` says what was wrong. */
MUST_CHECK enum err options_read(const struct flags *flags, struct options *ret_options,
                                 struct buf *message);

#endif
