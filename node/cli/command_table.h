/* Tables of commands, and flags that many of them take. Included by command.c and by the files that
 * hold a table. */
#ifndef NODE_CLI_COMMAND_TABLE_H
#define NODE_CLI_COMMAND_TABLE_H

#include "node/cli/command.h"

#define COMMANDS_MAX 128

struct command_table {
    const struct command *rows;
    size_t count;
};
extern const struct command_table command_table_node;  /* command_table.c */
extern const struct command_table command_table_rules; /* command_rules.c */

#define FLAG_DIR                                                                                   \
    {                                                                                              \
        "--dir", "D",                                                                              \
            "the node's directory (else $GRAPEVINE_DIR, else /var/lib/grapevine for root, "        \
            "~/.local/share/grapevine for others)",                                                \
            false                                                                                  \
    }
#define FLAG_OUTPUT                                                                                \
    {                                                                                              \
        "-o", "FORMAT", "json: one JSON value for programs", false                                 \
    }
#define FLAG_SET                                                                                   \
    {                                                                                              \
        "--set", "KEY=VALUE", "change one value of the configuration, such as node.tier=cloud",    \
            true                                                                                   \
    }
#define FLAGS_END                                                                                  \
    {                                                                                              \
        NULL, NULL, NULL, false                                                                    \
    }
#define FLAG_KEY                                                                                   \
    {                                                                                              \
        "--key", "FILE", "the administrator's key (else $GRAPEVINE_KEY, else D/admin.key)", false  \
    }

#endif
