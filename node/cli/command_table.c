/* Commands that make, run and look at nodes; see command_table.h. */
#include "node/cli/command_table.h"

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
    FLAG_KEY,
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

static const struct flag only_output_flags[] = {FLAG_OUTPUT, FLAGS_END};
static const struct flag eval_flags[] = {
    {"--facts", "FILE", "JSON object with the facts that EXPR may name (- for stdin)", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag events_flags[] = {
    FLAG_DIR,
    {"--last", "N", "first show the last N that are known (20; 256 at most)", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag replay_flags[] = {
    {"--from", "RECORDING", "decisions as lines of JSON", false},
    {"--with", "FILE", "the policies, all that are to be in force", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag export_flags[] = {
    FLAG_DIR,
    {"--last", "N", "only the newest N (1000)", false},
    FLAGS_END,
};
static const struct flag rotate_flags[] = {
    FLAG_DIR,
    FLAG_KEY,
    FLAG_OUTPUT,
    FLAGS_END,
};

static const struct command rows[] = {
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
    {"policy check", "FILE...", "say what is wrong with documents of policies",
     "All files are one set. Each mistake is a line FILE:LINE:COLUMN: what. Their tests are run.",
     only_output_flags, 1, FLAGS_WORDS_MAX, cli_policy_check},
    {"policy test", "FILE...", "run the tests that policies carry", "", only_output_flags, 1,
     FLAGS_WORDS_MAX, cli_policy_test},
    {"policy replay", "", "what recorded decisions would be under other policies",
     "RECORDING is what `decisions export` prints, - for stdin. Shows the requests that would "
     "move,\n"
     "and what they take and cost, expected then and now. Needs no mesh.",
     replay_flags, 0, 0, cli_policy_replay},
    {"policy facts", "", "what expressions of policies may name", "", only_output_flags, 0, 0,
     cli_policy_facts},
    {"policy eval", "[EXPR]", "say what an expression of policies gives",
     "Checks and evaluates EXPR, with the facts of FILE. Without EXPR it reads JSON lines with "
     "expr,\n"
     "bindings and type_env from stdin and answers each with one line.",
     eval_flags, 0, 1, cli_policy_eval},
    {"explain", "REQUEST_ID", "why a request went where it went",
     "Asks the node that runs in directory D what it decided, attempt by attempt: the policy, the\n"
     "candidates with what was known of them, and why each was taken or left. Nodes keep decisions "
     "for\n"
     "15 minutes. REQUEST_ID is the answer's x-request-id.",
     client_flags, 1, 1, cli_explain},
    {"decisions export", "", "the decisions that a node remembers, for policy replay",
     "Prints them as lines of JSON, newest first. They hold no prompt and no header.", export_flags,
     0, 0, cli_decisions_export},
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

const struct command_table command_table_node = {rows, sizeof(rows) / sizeof(rows[0])};
