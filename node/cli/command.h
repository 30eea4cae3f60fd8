/* The table of commands: what `help` lists, what `COMMAND --help` says, and which function does it.
 * A new command is a row in command.c and a function `enum cli_exit cli_NAME(const struct cli *)`.
 */
#ifndef NODE_CLI_COMMAND_H
#define NODE_CLI_COMMAND_H

#include "node/cli/flags.h"
#include "node/cli/say.h"

/* One invocation, as its command sees it. */
struct cli {
    const struct command *command;
    struct flags flags;
    bool json; /* -o json */
};

struct command {
    const char *name;      /* "init", "ls nodes" */
    const char *arguments; /* "TOKEN", "[FILE]"; "" */
    const char *summary;   /* for the list */
    const char *more;      /* for its own help; may span lines */
    const struct flag *flags;
    size_t words_min;
    size_t words_max;
    enum cli_exit (*run)(const struct cli *cli);
};

size_t command_count(void);
const struct command *command_at(size_t index);
/* The command that argv begins with, and how many words its name took; NULL: none. */
const struct command *command_find(int argc, char *const *argv, int *ret_words);
/* The name of a command that was probably meant, or NULL. */
const char *command_near(int argc, char *const *argv);
/* `help` and `COMMAND --help`, on stdout. */
void command_list(void);
void command_help(const struct command *command);
/* `WORDS --help` where only WORDS and more are a command: those commands. False: none. */
bool command_help_group(const char *words);

enum cli_exit cli_admin_add(const struct cli *cli);
enum cli_exit cli_alias_set(const struct cli *cli);
enum cli_exit cli_apply(const struct cli *cli);
enum cli_exit cli_command_cosign(const struct cli *cli);
enum cli_exit cli_command_send(const struct cli *cli);
enum cli_exit cli_command_show(const struct cli *cli);
enum cli_exit cli_config_check(const struct cli *cli);
enum cli_exit cli_events(const struct cli *cli);
enum cli_exit cli_explain(const struct cli *cli);
enum cli_exit cli_decisions_export(const struct cli *cli);
enum cli_exit cli_gossip_key_rotate(const struct cli *cli);
enum cli_exit cli_gossip_key_status(const struct cli *cli);
enum cli_exit cli_help(const struct cli *cli);
enum cli_exit cli_init(const struct cli *cli);
enum cli_exit cli_invite(const struct cli *cli);
enum cli_exit cli_join(const struct cli *cli);
enum cli_exit cli_key_accept(const struct cli *cli);
enum cli_exit cli_key_new(const struct cli *cli);
enum cli_exit cli_leave(const struct cli *cli);
enum cli_exit cli_log_tail(const struct cli *cli);
enum cli_exit cli_ls_models(const struct cli *cli);
enum cli_exit cli_ls_nodes(const struct cli *cli);
enum cli_exit cli_move(const struct cli *cli);
enum cli_exit cli_policy_check(const struct cli *cli);
enum cli_exit cli_policy_diff(const struct cli *cli);
enum cli_exit cli_policy_eval(const struct cli *cli);
enum cli_exit cli_policy_facts(const struct cli *cli);
enum cli_exit cli_policy_replay(const struct cli *cli);
enum cli_exit cli_policy_get(const struct cli *cli);
enum cli_exit cli_policy_revert(const struct cli *cli);
enum cli_exit cli_policy_test(const struct cli *cli);
enum cli_exit cli_put(const struct cli *cli);
enum cli_exit cli_receipt_get(const struct cli *cli);
enum cli_exit cli_receipt_verify(const struct cli *cli);
enum cli_exit cli_recover(const struct cli *cli);
enum cli_exit cli_rules_get(const struct cli *cli);
enum cli_exit cli_rules_list(const struct cli *cli);
enum cli_exit cli_run(const struct cli *cli);
enum cli_exit cli_snapshot_restore(const struct cli *cli);
enum cli_exit cli_snapshot_save(const struct cli *cli);
enum cli_exit cli_status(const struct cli *cli);
enum cli_exit cli_tenant_key_add(const struct cli *cli);
enum cli_exit cli_version(const struct cli *cli);
enum cli_exit cli_voters_add(const struct cli *cli);
enum cli_exit cli_voters_auto(const struct cli *cli);
enum cli_exit cli_voters_ls(const struct cli *cli);
enum cli_exit cli_voters_rm(const struct cli *cli);

#endif
