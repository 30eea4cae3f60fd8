/* What init, join and run --dev share: the options of a new node as a configuration, and the report
 * of what was made. */
#ifndef NODE_CLI_LIFE_ENROL_H
#define NODE_CLI_LIFE_ENROL_H

#include "node/cli/command.h"
#include "node/cli/dir/keyfile.h"
#include "node/config/config.h"

/* A name for this host: its short name made valid, else "node-" and four hex digits. */
void enrol_default_name(char ret_name[CERT_NAME_MAX + 1]);

/* Puts the flags --name ... --peer into `config`, which holds the defaults. Says what is wrong. */
MUST_CHECK enum cli_exit enrol_options(const struct flags *flags, struct config *config);

/* Prints what was made in `dir`. `mesh_is_new`: with the keys of root and administrator. */
MUST_CHECK enum cli_exit enrol_report(const struct cli *cli, const char *dir,
                                      const struct config *config, const struct keyfile *node,
                                      bool mesh_is_new);

#endif
