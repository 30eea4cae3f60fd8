/* The commands and their help; see command.h. cli.c looks a command up here and calls it. */
#include "node/cli/command.h"

#include <stdio.h>

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
#define FLAGS_OF_A_NEW_NODE                                                                        \
    {"--name", "N", "its name in the mesh (default: this host's)", false},                         \
        {"--tier", "T", "edge, regional or cloud", false},                                         \
        {"--region", "R", "where it stands", false},                                               \
        {"--zone", "Z", "part of the region, free to choose", false},                              \
        {"--http", "ADDR", "listen for clients here (127.0.0.1:7380; port 0 takes a free one)",    \
         false},                                                                                   \
        {"--mesh", "ADDR", "listen for peers here (0.0.0.0:7300)", false},                         \
        {"--advertise", "ADDR", "what peers dial, or none: this node only dials out", false},      \
    {                                                                                              \
        "--backend", "URL", "an inference server beside this node, http://HOST:PORT", true         \
    }
#define FLAGS_END                                                                                  \
    {                                                                                              \
        NULL, NULL, NULL, false                                                                    \
    }

static const struct flag only_output[] = {FLAG_OUTPUT, FLAGS_END};
static const struct flag client_flags[] = {FLAG_DIR, FLAG_OUTPUT, FLAGS_END};
static const struct flag init_flags[] = {FLAG_DIR, FLAGS_OF_A_NEW_NODE, FLAG_OUTPUT, FLAGS_END};
static const struct flag join_flags[] = {
    FLAG_DIR,
    FLAGS_OF_A_NEW_NODE,
    {"--peer", "ADDR", "a first contact, besides those that the token names", true},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag invite_flags[] = {
    FLAG_DIR,
    {"--key", "FILE", "the administrator's key (else $GRAPEVINE_KEY, else D/admin.key)", false},
    {"--tier", "T", "only for nodes of this tier", false},
    {"--region", "R", "only for nodes of this region", false},
    {"--expires", "TIME", "how long nodes may join with it (24h)", false},
    {"--uses", "N", "how many nodes may join with it (1)", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag run_flags[] = {
    FLAG_DIR,
    FLAG_SET,
    {"--insecure-http", NULL, "allow clients from beyond loopback without a key", false},
    {"--dev", NULL, "a mesh of one in a fresh temporary directory, removed at exit", false},
    {"--backend", "URL", "with --dev: an inference server beside it, http://HOST:PORT", true},
    FLAGS_END,
};
static const struct flag check_flags[] = {FLAG_DIR, FLAG_SET, FLAG_OUTPUT, FLAGS_END};
static const struct flag verify_flags[] = {
    {"--root", "PUBKEY", "the mesh root's public key, as init printed it", false},
    FLAG_OUTPUT,
    FLAGS_END,
};

static const struct flag events_flags[] = {
    FLAG_DIR,
    {"--last", "N", "first show the last N that are known (20; 256 at most)", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag rotate_flags[] = {
    FLAG_DIR,
    {"--key", "FILE", "the administrator's key (else $GRAPEVINE_KEY, else D/admin.key)", false},
    FLAG_OUTPUT,
    FLAGS_END,
};

static const struct flag eval_flags[] = {
    {"--facts", "FILE", "JSON object with the facts that EXPR may name (- for stdin)", false},
    FLAG_OUTPUT,
    FLAGS_END,
};

static const struct command commands[] = {
    {"init", "", "found a mesh and make its first node",
     "Makes the mesh root's key, an administrator's key, and a node with its certificate and\n"
     "configuration in directory D. Needs no network. The root's key can be moved away at once.",
     init_flags, 0, 0, cli_init},
    {"invite", "", "print a token with which a node can join",
     "Signs an invitation with the administrator's key. Who holds the token can make one node of "
     "the\n"
     "allowed tier and region, so treat it as a secret.",
     invite_flags, 0, 0, cli_invite},
    {"join", "TOKEN", "make a node of the mesh that a token invites to",
     "Makes the node's key, and by the token its certificate; the key never leaves this machine.\n"
     "Needs no network. TOKEN may be - to read it from stdin, so that it does not show in ps.",
     join_flags, 1, 1, cli_join},
    {"run", "", "run a node in the foreground",
     "Prints one line when it serves: ready http=ADDR mesh=ADDR node=NAME. Logs go to stderr. "
     "SIGTERM\n"
     "drains and exits, a second one exits at once, SIGHUP re-reads what can change.",
     run_flags, 0, 0, cli_run},
    {"config check", "[FILE]", "check a configuration without starting",
     "Reads FILE (D/grapevine.yaml) and says what is wrong, with line and column.", check_flags, 0,
     1, cli_config_check},
    {"status", "", "how the running node is", "Asks the node that runs in directory D.",
     client_flags, 0, 0, cli_status},
    {"ls nodes", "", "the nodes that the running node knows",
     "Asks the node that runs in directory D.", client_flags, 0, 0, cli_ls_nodes},
    {"ls models", "", "the models that the mesh serves", "Asks the node that runs in directory D.",
     client_flags, 0, 0, cli_ls_models},
    {"receipt get", "REQUEST_ID", "the receipt of a request, as JSON",
     "Asks the node that runs in directory D; it keeps receipts of requests that entered the mesh\n"
     "there, for 15 minutes. REQUEST_ID is the answer's x-request-id.",
     client_flags, 1, 1, cli_receipt_get},
    {"receipt verify", "FILE", "check a receipt offline",
     "Checks every signature up to the mesh's root key. Without --root it can only say that the "
     "receipt\n"
     "is consistent with the root key that it names itself. FILE may be - for stdin.",
     verify_flags, 1, 1, cli_receipt_verify},
    {"policy eval", "[EXPR]", "say what an expression of policies gives",
     "Checks and evaluates EXPR, with the facts of FILE. Without EXPR it reads JSON lines with "
     "expr,\n"
     "bindings and type_env from stdin and answers each with one line.",
     eval_flags, 0, 1, cli_policy_eval},
    {"events", "", "what happens to the members of the mesh, as it happens",
     "Prints what the node that runs in directory D has seen lately, then a line for each new "
     "event,\n"
     "until it is interrupted or the node stops.",
     events_flags, 0, 0, cli_events},
    {"leave", "", "take the running node out of the mesh",
     "The node that runs in directory D says goodbye, so that nobody takes it for dead, finishes "
     "its\n"
     "requests and ends. Started again, it is back.",
     client_flags, 0, 0, cli_leave},
    {"gossip key rotate", "", "make a new key for the mesh's gossip",
     "Signs a key ring with the administrator's key and gives it to the node that runs in "
     "directory\n"
     "D, which tells all members. The key before it is still understood.",
     rotate_flags, 0, 0, cli_gossip_key_rotate},
    {"gossip key status", "", "which key the mesh's gossip has, and how many have it",
     "Asks the node that runs in directory D; it tells what it knows of the members.", client_flags,
     0, 0, cli_gossip_key_status},
    {"version", "", "version, commit, compiler, libraries", "", only_output, 0, 0, cli_version},
    {"help", "[COMMAND]", "this list, or the help of one command", "", only_output + 1, 0, 3,
     cli_help},
};

size_t command_count(void)
{
    return sizeof(commands) / sizeof(commands[0]);
}

const struct command *command_at(size_t index)
{
    CHECK(index < command_count());
    return &commands[index];
}

/* Are the first of argv, one or several, this name? */
static bool matches(const char *name, int argc, char *const *argv, int *ret_words)
{
    struct bytes rest = bytes_from_str(name);
    for (*ret_words = 0; rest.size > 0 && *ret_words < argc; ++*ret_words) {
        struct bytes word = bytes_of(rest.data, bytes_find(rest, ' '));
        if (!bytes_equal(word, bytes_from_str(argv[*ret_words])))
            return false;
        rest = bytes_skip(rest, word.size + 1);
    }
    return rest.size == 0;
}

const struct command *command_find(int argc, char *const *argv, int *ret_words)
{
    int words;
    for (size_t i = 0; argc > 0 && i < command_count(); i++) {
        if (!matches(commands[i].name, argc, argv, &words))
            continue;
        *ret_words = words;
        return &commands[i];
    }
    return NULL;
}

const char *command_near(int argc, char *const *argv)
{
    const char *names[sizeof(commands) / sizeof(commands[0]) + 1] = {0};
    char both[192];
    for (size_t i = 0; i < command_count(); i++)
        names[i] = commands[i].name;
    snprintf(both, sizeof(both), "%.60s%s%.60s%s%.60s", argv[0], argc > 1 ? " " : "",
             argc > 1 ? argv[1] : "", argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    const char *near = flags_near(both, names);
    return near ? near : flags_near(argv[0], names);
}

/* --- help */

void command_list(void)
{
    printf("grapevine: a routerless inference mesh\n\nusage: grapevine COMMAND [FLAGS]\n\n");
    for (size_t i = 0; i < command_count(); i++)
        printf("  %-19s%s\n", commands[i].name, commands[i].summary);
    printf("\ngrapevine COMMAND --help explains a command. To try it: grapevine run --dev "
           "--backend http://127.0.0.1:8081\n"
           "Exit status: 0 done, 1 failed, 2 usage, 3 refused, 4 not reachable or timed out.\n");
}

bool command_help_group(const char *words)
{
    size_t size = strlen(words);
    bool found = false;
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *c = &commands[i];
        if (strncmp(c->name, words, size) != 0 || c->name[size] != ' ')
            continue;
        if (!found)
            printf("usage: grapevine %s COMMAND [FLAGS]\n\n", words);
        printf("  %-19s%s\n", c->name, c->summary);
        found = true;
    }
    if (found)
        printf("\ngrapevine %s COMMAND --help explains a command.\n", words);
    return found;
}

void command_help(const struct command *c)
{
    printf("usage: grapevine %s%s%s [FLAGS]\n\n%s.\n", c->name, c->arguments[0] ? " " : "",
           c->arguments, c->summary);
    if (c->more[0])
        printf("%s\n", c->more);
    if (c->flags->name)
        printf("\n");
    for (const struct flag *flag = c->flags; flag->name; flag++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", flag->name, flag->value ? " " : "",
                 flag->value ? flag->value : "");
        printf("  %-20s%s%s\n", left, flag->help, flag->many ? " (repeatable)" : "");
    }
}
