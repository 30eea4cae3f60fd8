/* Commands of administrators: what they are called, what they take, which function does them; see
 * command_table.h. */
#include "node/cli/command_table.h"

#define FLAGS_OF_AN_ORDER                                                                          \
    FLAG_DIR, FLAG_KEY,                                                                            \
        {"--node", "URL", "send it to this node, http://HOST:PORT, not to the one of D", false},   \
        {"--out", "FILE", "only sign it, for others to cosign (command cosign)", false},           \
        FLAG_OUTPUT
#define FLAGS_OF_A_LOOK                                                                            \
    FLAG_DIR, FLAG_KEY,                                                                            \
        {"--node", "URL", "ask this node, http://HOST:PORT, not the one of D", false},             \
        {"--consistent", NULL, "wait for what was committed until now (needs a leader)", false},   \
        FLAG_OUTPUT
#define FLAG_IF_REV                                                                                \
    {                                                                                              \
        "--if-rev", "R", "only if nobody changed it since: its rev; 0: it is new", false           \
    }
#define FLAG_REGION                                                                                \
    {                                                                                              \
        "--region", "R", "where it may be; none given: anywhere", true                             \
    }

#define FLAG_FORCE                                                                                 \
    {                                                                                              \
        "--force", "NAME", "put this policy even if it leaves a model without candidates", true    \
    }

static const struct flag look_flags[] = {FLAGS_OF_A_LOOK, FLAGS_END};
static const struct flag order_flags[] = {FLAGS_OF_AN_ORDER, FLAGS_END};
static const struct flag rm_flags[] = {FLAG_IF_REV, FLAGS_OF_AN_ORDER, FLAGS_END};
static const struct flag admin_flags[] = {
    {"--role", "ROLE", "viewer, enroller, registrar or operator", false},
    {"--expires", "TIME", "for how long, such as 90d; not given: until it is removed", false},
    {"--certificate", "FILE", "write one here, with which the new one can invite (key accept)",
     false},
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag model_flags[] = {
    {"--task", "T", "chat, completion, embedding, rerank, video ...", false},
    {"--family", "F", "what it descends from", false},
    {"--parameters", "N", "how many weights it has", false},
    {"--context", "N", "tokens", false},
    {"--licence", "TEXT", "its licence", false},
    FLAG_IF_REV,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag version_flags[] = {
    {"--digest", "HEX", "SHA-256 of the artifact", false},
    {"--format", "F", "gguf, safetensors, onnx ...", true},
    {"--accelerator", "A", "cuda, rocm, metal, npu ...: any of them; none: it runs without", true},
    {"--memory", "SIZE", "of one accelerator, or of the machine, such as 80GiB", false},
    FLAG_REGION,
    {"--stage", "S", "staging (default), production or archived", false},
    FLAG_IF_REV,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag tenant_flags[] = {
    {"--title", "TEXT", "its name for people", false},
    FLAG_REGION,
    {"--model", "M", "models and aliases it may name; none given: all", true},
    FLAG_IF_REV,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag key_flags[] = {
    {"--title", "TEXT", "what it is for", false},
    {"--expires", "TIME", "for how long, such as 90d; not given: until it is revoked", false},
    FLAG_DIR,
    FLAG_KEY,
    {"--node", "URL", "send it to this node, http://HOST:PORT, not to the one of D", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag quota_flags[] = {
    {"--requests-per-minute", "N", "", false},
    {"--tokens-per-minute", "N", "", false},
    {"--tokens-per-day", "N", "", false},
    {"--concurrent", "N", "requests at a time", false},
    {"--micro-usd-per-request", "N", "millionths of a dollar", false},
    {"--micro-usd-per-day", "N", "", false},
    FLAG_IF_REV,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag price_flags[] = {
    {"--tier", "T", "only on nodes of this tier", false},
    {"--region", "R", "only on nodes of this region", false},
    {"--node-name", "N", "only on this node", false},
    {"--model", "M", "only of this model", false},
    {"--per-1k-input-tokens", "N", "millionths of a dollar", false},
    {"--per-1k-output-tokens", "N", "millionths of a dollar", false},
    {"--per-request", "N", "millionths of a dollar", false},
    {"--per-gib-egress", "N", "millionths of a dollar", false},
    FLAG_IF_REV,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag apply_flags[] = {
    {"-f", "FILE", "the documents; - for stdin", false},
    FLAG_FORCE,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag policy_get_flags[] = {
    {"--version", "N", "this version of it; not given: what is in force", false},
    FLAGS_OF_A_LOOK,
    FLAGS_END,
};
static const struct flag revert_flags[] = {
    {"--to", "N", "to this version; not given: to the one before", false},
    FLAG_FORCE,
    FLAGS_OF_AN_ORDER,
    FLAGS_END,
};
static const struct flag cosign_flags[] = {
    {"--out", "FILE", "where the command with your signature goes", false},
    FLAG_DIR,
    FLAG_KEY,
    FLAGS_END,
};
static const struct flag send_flags[] = {
    FLAG_DIR,    FLAG_KEY,  {"--node", "URL", "send it to this node, http://HOST:PORT", false},
    FLAG_OUTPUT, FLAGS_END,
};
static const struct flag log_flags[] = {
    {"--last", "N", "so many entries (20; 1000 at most)", false},
    FLAG_DIR,
    FLAG_KEY,
    {"--node", "URL", "ask this node, http://HOST:PORT, not the one of D", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag save_flags[] = {
    FLAG_DIR,
    FLAG_KEY,
    {"--node", "URL", "from this node, http://HOST:PORT, not the one of D", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag offline_flags[] = {
    FLAG_DIR,
    {"--yes", NULL, "no former voter runs, and none will come back with its old data", false},
    FLAG_OUTPUT,
    FLAGS_END,
};
static const struct flag no_flags[] = {FLAGS_END};
static const struct flag only_output_flags[] = {FLAG_OUTPUT, FLAGS_END};
static const struct flag new_key_flags[] = {
    {"--root", "PUBKEY", "the mesh root's public key, as init printed it", false},
    FLAG_OUTPUT,
    FLAGS_END,
};

static const char replaces[] =
    "Replaces the row as a whole: what is not given here is empty afterwards.";
static const char no_more[] = "";

static const struct command rows[] = {
    {"node ls", "", "the nodes that the registry knows, alive or not",
     "ls nodes shows those that gossip knows, with their state and load.", look_flags, 0, 0,
     cli_rules_list},
    {"node get", "NAME", "one of them", no_more, look_flags, 1, 1, cli_rules_get},
    {"node drain", "NAME", "send no new requests to a node", no_more, order_flags, 1, 1, cli_move},
    {"node undrain", "NAME", "send requests to it again", no_more, order_flags, 1, 1, cli_move},
    {"node revoke", "NAME", "shut a node out of the mesh, for good",
     "Its links are closed everywhere, its records refused. To come back it must join anew, with "
     "a\n"
     "new key.",
     order_flags, 1, 1, cli_move},
    {"admin ls", "", "who may change the rules", no_more, look_flags, 0, 0, cli_rules_list},
    {"admin get", "NAME", "one of them", no_more, look_flags, 1, 1, cli_rules_get},
    {"admin add", "NAME PUBKEY", "let somebody change the rules",
     "PUBKEY is what grapevine key new printed where the key was made.", admin_flags, 2, 2,
     cli_admin_add},
    {"admin rm", "NAME", "revoke an administrator", no_more, order_flags, 1, 1, cli_move},
    {"key new", "FILE", "make an administrator's key", "Prints its public half, for admin add.",
     new_key_flags, 1, 1, cli_key_new},
    {"key accept", "KEYFILE CERTIFICATE", "put a certificate into an administrator's key file",
     "CERTIFICATE is what admin add --certificate wrote for this key. With it the key can invite.",
     only_output_flags, 2, 2, cli_key_accept},
    {"model ls", "", "the models that the registry knows", no_more, look_flags, 0, 0,
     cli_rules_list},
    {"model get", "NAME", "one of them", no_more, look_flags, 1, 1, cli_rules_get},
    {"model put", "NAME", "register a model", replaces, model_flags, 1, 1, cli_put},
    {"model rm", "NAME", "remove a model without versions", no_more, rm_flags, 1, 1, cli_put},
    {"ls versions", "[MODEL]", "versions of models, and where they may run", no_more, look_flags, 0,
     1, cli_rules_list},
    {"version get", "MODEL/VERSION", "one of them", no_more, look_flags, 1, 1, cli_rules_get},
    {"version put", "MODEL/VERSION", "register a version of a model", replaces, version_flags, 1, 1,
     cli_put},
    {"version promote", "MODEL/VERSION STAGE", "move it to production, archived or staging",
     no_more, order_flags, 2, 2, cli_put},
    {"version revoke", "MODEL/VERSION", "send no request to it any more, for good", no_more,
     order_flags, 1, 1, cli_put},
    {"version rm", "MODEL/VERSION", "remove a version that no alias names", no_more, rm_flags, 1, 1,
     cli_put},
    {"ls aliases", "", "names for several versions, by weight", no_more, look_flags, 0, 0,
     cli_rules_list},
    {"alias get", "NAME", "one of them", no_more, look_flags, 1, 1, cli_rules_get},
    {"alias set", "NAME MODEL/VERSION=WEIGHT,...", "name several versions at once, by weight",
     "grapevine alias set llama llama-3/v1=90,llama-3/v2=10", order_flags, 2, 2, cli_alias_set},
    {"alias rm", "NAME", "remove it", no_more, rm_flags, 1, 1, cli_put},
    {"ls tenants", "", "owners of API keys", no_more, look_flags, 0, 0, cli_rules_list},
    {"tenant get", "NAME", "one of them", no_more, look_flags, 1, 1, cli_rules_get},
    {"tenant put", "NAME", "register an owner of API keys", replaces, tenant_flags, 1, 1, cli_put},
    {"tenant suspend", "NAME", "refuse its keys for now", no_more, order_flags, 1, 1, cli_put},
    {"tenant resume", "NAME", "take its keys again", no_more, order_flags, 1, 1, cli_put},
    {"tenant rm", "NAME", "remove it and its keys", no_more, rm_flags, 1, 1, cli_put},
    {"tenant key add", "TENANT", "make an API key, and print it once",
     "Only its hash is kept: nobody can show it again.", key_flags, 1, 1, cli_tenant_key_add},
    {"tenant key ls", "[TENANT]", "API keys, without the secret", no_more, look_flags, 0, 1,
     cli_rules_list},
    {"tenant key rm", "TENANT ID", "revoke an API key", no_more, order_flags, 2, 2, cli_put},
    {"ls quotas", "", "what tenants may use", no_more, look_flags, 0, 0, cli_rules_list},
    {"quota put", "TENANT [MODEL]", "bound what a tenant uses", replaces, quota_flags, 1, 2,
     cli_put},
    {"quota rm", "TENANT [MODEL]", "remove the bound", no_more, rm_flags, 1, 2, cli_put},
    {"ls prices", "", "what tokens cost where", no_more, look_flags, 0, 0, cli_rules_list},
    {"price get", "NAME", "one sheet", no_more, look_flags, 1, 1, cli_rules_get},
    {"price put", "NAME", "say what tokens cost",
     "The sheet that names most of node, model, region and tier applies.", price_flags, 1, 1,
     cli_put},
    {"price rm", "NAME", "remove a sheet", no_more, rm_flags, 1, 1, cli_put},
    {"ls policies", "", "documents that decide where requests run", no_more, look_flags, 0, 0,
     cli_rules_list},
    {"policy ls", "", "documents that decide where requests run", no_more, look_flags, 0, 0,
     cli_rules_list},
    {"policy get", "NAME", "the document of one of them", no_more, policy_get_flags, 1, 1,
     cli_policy_get},
    {"policy history", "NAME", "its versions, as far as they are kept", no_more, look_flags, 1, 1,
     cli_rules_list},
    {"policy diff", "NAME V1|FILE [V2|FILE]",
     "what differs between versions of a policy, or a file",
     "Versions are numbers of policy history. With one of them, or a FILE, the other side is what\n"
     "is in force.",
     look_flags, 2, 3, cli_policy_diff},
    {"policy apply", "", "put policies in force, all of a file or none",
     "Refused: what does not check (policy check), whose tests fail, what breaks a policy that is\n"
     "in force, and what would leave a model of the mesh without any candidate.",
     apply_flags, 0, 0, cli_apply},
    {"policy rm", "NAME", "remove a policy and its history",
     "Requests that it matched are decided by the others, at last by the built-in one.", rm_flags,
     1, 1, cli_put},
    {"policy revert", "NAME", "put an earlier version of a policy in force again", no_more,
     revert_flags, 1, 1, cli_policy_revert},
    {"ls invitations", "", "who was invited, and how often it was used", no_more, look_flags, 0, 0,
     cli_rules_list},
    {"ls settings", "", "settings of the mesh", no_more, look_flags, 0, 0, cli_rules_list},
    {"setting get", "KEY", "one of them, or its default", no_more, look_flags, 1, 1, cli_rules_get},
    {"setting put", "KEY VALUE", "set it for the whole mesh",
     "Keys that begin with x. are free for whatever you like, up to 1 KiB.", rm_flags, 2, 2,
     cli_put},
    {"setting rm", "KEY", "back to its default", no_more, rm_flags, 1, 1, cli_put},
    {"apply", "", "apply a file of documents, all of them or none",
     "Documents are YAML: apiVersion: grapevine/v1, kind, metadata, spec; --- between them.",
     apply_flags, 0, 0, cli_apply},
    {"voters ls", "", "who votes on the rules, and who shall", no_more, look_flags, 0, 0,
     cli_voters_ls},
    {"voters add", "NODE", "let a node vote", no_more, order_flags, 1, 1, cli_voters_add},
    {"voters rm", "NODE", "let it vote no more", no_more, order_flags, 1, 1, cli_voters_rm},
    {"voters auto", "N", "keep N voters (1, 3, 5, 7), spread over zones and regions", no_more,
     order_flags, 1, 1, cli_voters_auto},
    {"log tail", "", "what the mesh was asked for lately, as its log has it", no_more, log_flags, 0,
     0, cli_log_tail},
    {"snapshot save", "FILE", "save the rules of the mesh to a file", no_more, save_flags, 1, 1,
     cli_snapshot_save},
    {"snapshot restore", "FILE", "begin a new history from a saved file, when all voters are lost",
     "Works on directory D of a node that does not run, without a log of its own. That node alone\n"
     "votes from then on; see raft/README.md.",
     offline_flags, 1, 1, cli_snapshot_restore},
    {"recover", "", "begin a new history from this node's log, when most voters are lost",
     "Works on directory D of a voter that does not run. It alone votes from then on, with all "
     "that\n"
     "its log has; see raft/README.md.",
     offline_flags, 0, 0, cli_recover},
    {"command show", "FILE", "what a signed command says, as JSON", no_more, no_flags, 1, 1,
     cli_command_show},
    {"command cosign", "FILE", "add your signature to a signed command", no_more, cosign_flags, 1,
     1, cli_command_cosign},
    {"command send", "FILE", "send a signed command", no_more, send_flags, 1, 1, cli_command_send},
};

const struct command_table command_table_rules = {rows, sizeof(rows) / sizeof(rows[0])};
