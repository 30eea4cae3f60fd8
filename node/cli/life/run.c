/* `grapevine run`: a node in the foreground. Files, signals, the log's sink and exit statuses are
 * here; everything that serves is node/node.h's.
 *
 * Happy path: identity, boot number, node_open, ready line, signal, drain, drained, exit 0.
 * Failure modes: whatever cannot be read or taken at the start ends with one error line and nothing
 * left; a second signal ends it at once (status 1); a configuration that cannot be taken over at
 * SIGHUP is told and the old one stays. */
#include "node/cli/clock.h"
#include "node/cli/dir/boot.h"
#include "node/cli/dir/founding.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/life/enrol.h"
#include "node/cli/life/fdlimit.h"
#include "node/cli/life/init.h"
#include "node/cli/life/notify.h"
#include "node/io/addr.h"
#include "node/node.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define LINGER_MS 100 /* after the last request, for bytes that are still on their way out */
#define MESSAGE_MAX 2048

struct run {
    const struct cli *cli;
    char dir[FILES_PATH_MAX];
    char config_path[FILES_PATH_MAX];
    char control_path[FILES_PATH_MAX];
    char data_path[FILES_PATH_MAX];
    uint8_t admission_space[FOUNDING_COMMAND_MAX];
    struct buf admission; /* the command that admits this node; empty: it needs none */
    struct config config;
    struct buf yaml; /* the file's text, to find lines in it */
    struct identity identity;
    struct boot boot;
    struct log log;
    struct io_loop *loop;
    struct io_signals *signals;
    struct io_timer linger;
    struct node *node;
    bool is_dev;
    bool is_stopping;
    enum cli_exit code;
};

/* --- log */

static uint64_t log_wall_ms(void *ctx)
{
    struct run *r = ctx;
    return io_wall_ms(r->loop);
}

static void log_sink(void *ctx, struct bytes line)
{
    (void)ctx;
    if (write(STDERR_FILENO, line.data, line.size) < 0)
        return; /* nobody is left to tell */
}

static void init_log(struct run *r)
{
    bool is_text = r->config.log_format == CONFIG_LOG_TEXT ||
                   (r->config.log_format == CONFIG_LOG_AUTO && isatty(STDERR_FILENO));
    r->log = (struct log){.level = r->config.log_level,
                          .format = is_text ? LOG_TEXT : LOG_JSON,
                          .wall_ms = log_wall_ms,
                          .sink = log_sink,
                          .ctx = r,
                          .node = r->config.name};
}

/* --- identity and configuration agree */

static enum cli_exit refuse_difference(const struct run *r, const char *key, const char *configured,
                                       const char *certified, struct buf *message)
{
    char line[16] = "";
    unsigned number = config_line_of(buf_bytes(&r->yaml), key);
    if (number)
        snprintf(line, sizeof(line), ":%u", number);
    return say_into(message, CLI_REFUSED,
                    "certificate and configuration differ: %s%s: %s is %s, but this node's "
                    "certificate says %s; write %s there, or join anew",
                    r->config_path, line, key, configured, certified, certified);
}

static enum cli_exit check_difference(const struct run *r, const struct config *c,
                                      struct buf *message)
{
    const struct cert *cert = &r->identity.cert;
    if (strcmp(c->name, cert->name) != 0)
        return refuse_difference(r, "node.name", c->name, cert->name, message);
    if (c->tier != cert->tier)
        return refuse_difference(r, "node.tier", tier_name(c->tier), tier_name(cert->tier),
                                 message);
    if (strcmp(c->region, cert->region) != 0)
        return refuse_difference(r, "node.region", c->region, cert->region, message);
    return CLI_DONE;
}

static enum cli_exit compare_identity(const struct run *r)
{
    char text[MESSAGE_MAX];
    struct buf message;
    buf_init_fixed(&message, (uint8_t *)text, sizeof(text) - 1);
    enum cli_exit code = check_difference(r, &r->config, &message);
    text[message.size] = 0;
    return code == CLI_DONE ? CLI_DONE : say_error(code, "%s", text);
}

/* --- --dev: everything is made first, and removed at the end */

static enum cli_exit dev_config(const struct flags *flags, struct config *ret_config)
{
    char text[MESSAGE_MAX];
    struct buf message;
    config_defaults(ret_config);
    bytes_to_str(BYTES("dev"), ret_config->name, sizeof(ret_config->name));
    bytes_to_str(BYTES("127.0.0.1:0"), ret_config->listen_mesh, sizeof(ret_config->listen_mesh));
    buf_init_fixed(&message, (uint8_t *)text, sizeof(text) - 1);
    size_t cursor = 0;
    for (const char *set; (set = flags_next(flags, "--set", &cursor));)
        if (config_set(ret_config, set, &message) != ERR_OK) {
            text[message.size] = 0;
            return say_error(CLI_USAGE, "configuration: %s", text);
        }
    return enrol_options(flags, ret_config);
}

static enum cli_exit make_dev_dir(struct run *r)
{
    struct config config;
    struct keyfile node;
    enum cli_exit code = dev_config(&r->cli->flags, &config);
    if (code != CLI_DONE)
        return code;
    enum err e = files_make_temporary_dir(r->dir);
    if (e != ERR_OK)
        return say_file_error(e, "a temporary directory ($TMPDIR or /tmp)");
    r->is_dev = true;
    code = init_found(r->dir, &config, true, &node);
    keyfile_wipe(&node);
    return code;
}

/* --- while it runs */

static void on_linger_over(struct io_timer *timer)
{
    struct run *r = LIST_ENTRY(timer, struct run, linger);
    io_loop_stop(r->loop);
}

static enum err persist_incarnation(void *owner, uint64_t incarnation)
{
    struct run *r = owner;
    return boot_save_incarnation(&r->boot, incarnation);
}

static enum err persist_keyring(void *owner, struct bytes ring)
{
    struct run *r = owner;
    return boot_save_keyring(&r->boot, ring);
}

static enum err persist_remembered(void *owner, struct bytes text)
{
    struct run *r = owner;
    return boot_save_peers(&r->boot, text);
}

static void on_drained(void *owner)
{
    struct run *r = owner;
    if (!r->is_stopping) /* it was told to leave */
        notify_systemd("STOPPING=1");
    io_timer_start(r->loop, &r->linger, LINGER_MS, on_linger_over);
}

/* No goodbye: it would be taken for the other one's. */
static void on_identity_taken(void *owner)
{
    struct run *r = owner;
    r->code = say_error(CLI_REFUSED,
                        "already running elsewhere: %s: an older process has this node's identity; "
                        "stop that one, or join anew in a directory of its own",
                        r->dir);
    io_loop_stop(r->loop);
}

/* The log cannot be kept: a clear end is better than a node that only seems to. */
static void on_fatal(void *owner, enum err reason)
{
    struct run *r = owner;
    r->code = say_error(CLI_FAILED,
                        "the rules cannot be kept (%s): %s: see the log, and "
                        "raft/README.md",
                        err_text(reason), r->data_path);
    io_loop_stop(r->loop);
}

static void on_ready(void *owner)
{
    struct run *r = owner;
    printf("ready http=%s mesh=%s node=%s\n", node_http_addr(r->node), node_mesh_addr(r->node),
           r->config.name);
    fflush(stdout);
    notify_systemd("READY=1");
    if (r->is_dev)
        fprintf(stderr, "try it: curl http://%s/v1/models\n", node_http_addr(r->node));
}

static void stop(struct run *r)
{
    if (r->is_stopping) {
        r->code = CLI_FAILED; /* requests were cut */
        io_loop_stop(r->loop);
        return;
    }
    r->is_stopping = true;
    notify_systemd("STOPPING=1");
    node_drain(r->node);
}

static enum err take_over(struct run *r, struct buf *message)
{
    struct config config;
    buf_clear(&r->yaml);
    if (nodedir_read_config(r->config_path, &r->cli->flags, &r->yaml, &config, message) != CLI_DONE)
        return ERR_INVALID;
    if (check_difference(r, &config, message) != CLI_DONE)
        return ERR_CERT_SCOPE;
    fdlimit_bound(&config, &r->log);
    TRY(node_reload(r->node, &config, message));
    r->log.level = config.log_level;
    return ERR_OK;
}

static void reload(struct run *r)
{
    char text[MESSAGE_MAX];
    struct buf message;
    buf_init_fixed(&message, (uint8_t *)text, sizeof(text) - 1);
    enum err e = take_over(r, &message);
    text[message.size] = 0;
    LOG(&r->log, e == ERR_OK ? LOG_INFO : LOG_ERROR, e == ERR_OK ? "reloaded" : "reload_refused",
        LOG_STR("file", r->config_path), LOG_ERR(e), LOG_STR("detail", text));
}

static void on_signal(void *owner, int signal_number)
{
    struct run *r = owner;
    /* A --dev node has no file that somebody could have changed: its terminal went away. */
    if (signal_number == SIGHUP && !r->is_dev)
        reload(r);
    else
        stop(r);
}

/* --- start */

static enum cli_exit load_admission(struct run *r)
{
    char path[FILES_PATH_MAX];
    uint8_t space[FOUNDING_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, space, sizeof(space));
    buf_init_fixed(&r->admission, r->admission_space, sizeof(r->admission_space));
    if (files_join(r->dir, NODEDIR_ADMISSION, path) != ERR_OK || !files_exists(path))
        return CLI_DONE;
    enum err e = files_read(path, &text);
    if (e != ERR_OK)
        return say_file_error(e, path);
    if (founding_decode(buf_bytes(&text), &r->admission) != ERR_OK)
        return say_error(CLI_FAILED, "not an admission: %s: restore it from a copy, or join anew",
                         path);
    return CLI_DONE;
}

static enum cli_exit prepare(struct run *r)
{
    struct io_addr addr;
    enum cli_exit code = r->is_dev ? CLI_DONE : nodedir_find(&r->cli->flags, r->dir);
    if (code != CLI_DONE)
        return code;
    if (files_join(r->dir, NODEDIR_CONFIG, r->config_path) != ERR_OK ||
        files_join(r->dir, NODEDIR_CONTROL, r->control_path) != ERR_OK ||
        files_join(r->dir, NODEDIR_DATA, r->data_path) != ERR_OK ||
        io_addr_unix(r->control_path, &addr) != ERR_OK)
        return say_error(CLI_FAILED,
                         "path too long for a socket: %s/%s: choose a shorter directory", r->dir,
                         NODEDIR_CONTROL);
    code = nodedir_load_config(r->config_path, &r->cli->flags, &r->yaml, &r->config);
    if (code == CLI_DONE)
        code = nodedir_load_identity(r->dir, clock_now_ms(), &r->identity);
    if (code == CLI_DONE)
        code = compare_identity(r);
    if (code == CLI_DONE)
        code = load_admission(r);
    if (code == CLI_DONE)
        code = boot_open(r->dir, &r->boot);
    return code;
}

/* --dev takes any free port when the usual one is taken, unless somebody asked for that one. */
static bool takes_another_port(struct run *r, enum err e)
{
    struct config defaults;
    size_t cursor = 0;
    config_defaults(&defaults);
    if (!r->is_dev || e != ERR_ADDRESS_IN_USE ||
        strcmp(r->config.listen_http, defaults.listen_http) != 0)
        return false;
    for (const char *set; (set = flags_next(&r->cli->flags, "--set", &cursor));)
        if (strncmp(set, "listen", 6) == 0)
            return false;
    bytes_to_str(BYTES("127.0.0.1:0"), r->config.listen_http, sizeof(r->config.listen_http));
    return true;
}

static enum cli_exit open_node(struct run *r)
{
    char text[MESSAGE_MAX];
    struct buf message;
    struct node_cfg cfg = {.loop = r->loop,
                           .config = &r->config,
                           .identity = &r->identity,
                           .log = &r->log,
                           .boot_ms = r->boot.boot_ms,
                           .incarnation = r->boot.incarnation,
                           .persist_incarnation = persist_incarnation,
                           .keyring = bytes_of(r->boot.keyring, r->boot.keyring_size),
                           .persist_keyring = persist_keyring,
                           .remembered = buf_bytes(&r->boot.peers),
                           .persist_remembered = persist_remembered,
                           .rules_dir = r->data_path,
                           .rules_are_volatile = r->is_dev,
                           .admission = buf_bytes(&r->admission),
                           .on_fatal = on_fatal,
                           .control_path = r->control_path,
                           .version = GV_VERSION,
                           .allow_insecure_http = flags_has(&r->cli->flags, "--insecure-http"),
                           .on_ready = on_ready,
                           .on_drained = on_drained,
                           .on_identity_taken = on_identity_taken,
                           .owner = r};
    crypto_random(&cfg.seed, sizeof(cfg.seed));
    crypto_random(cfg.gossip_key, sizeof(cfg.gossip_key));
    buf_init_fixed(&message, (uint8_t *)text, sizeof(text) - 1);
    enum err e = node_open(&cfg, &message, &r->node);
    if (e != ERR_OK && takes_another_port(r, e)) {
        buf_clear(&message);
        e = node_open(&cfg, &message, &r->node);
    }
    if (e == ERR_OK)
        return CLI_DONE;
    text[message.size] = 0;
    return say_error(say_exit_of(e), "cannot start: %s", message.size ? text : err_text(e));
}

static enum cli_exit serve(struct run *r)
{
    enum cli_exit code = prepare(r);
    if (code != CLI_DONE)
        return code;
    init_log(r);
    if (r->boot.peers_error != ERR_OK)
        LOG(&r->log, LOG_WARN, "remembered_peers_unreadable", LOG_STR("file", r->boot.peers_path),
            LOG_ERR(r->boot.peers_error));
    fdlimit_bound(&r->config, &r->log);
    code = open_node(r);
    if (code != CLI_DONE)
        return code;
    io_loop_run(r->loop);
    io_timer_stop(&r->linger);
    node_close(r->node);
    r->node = NULL;
    return r->code;
}

static enum cli_exit check_flags(const struct flags *flags)
{
    bool is_dev = flags_has(flags, "--dev");
    if (is_dev && flags_has(flags, "--dir"))
        return say_error(CLI_USAGE,
                         "flags exclude each other: --dev and --dir: --dev makes a directory "
                         "of its own");
    if (!is_dev && flags_has(flags, "--backend"))
        return say_error(CLI_USAGE,
                         "only with --dev: --backend: list backends in the configuration");
    return CLI_DONE;
}

/* A signal that comes before the node is there waits in the loop; on_signal finds the node then. */
static enum cli_exit run(struct run *r)
{
    if (io_loop_create(&r->loop) != ERR_OK)
        return say_error(CLI_FAILED, "no event loop: libuv: check the limits of this process");
    enum err e = io_signals_open(r->loop, on_signal, r, &r->signals);
    enum cli_exit code = e == ERR_OK ? CLI_DONE
                                     : say_error(CLI_FAILED,
                                                 "no signals: %s: check the "
                                                 "limits of this process",
                                                 err_text(e));
    if (code == CLI_DONE && flags_has(&r->cli->flags, "--dev"))
        code = make_dev_dir(r);
    if (code == CLI_DONE)
        code = serve(r);
    boot_close(&r->boot);
    if (r->is_dev)
        files_remove_tree(r->dir);
    if (r->signals)
        io_signals_close(r->signals);
    io_loop_destroy(r->loop);
    identity_wipe(&r->identity);
    return code;
}

enum cli_exit cli_run(const struct cli *cli)
{
    struct run r = {.cli = cli, .code = CLI_DONE};
    enum cli_exit code = check_flags(&cli->flags);
    if (code != CLI_DONE)
        return code;
    fdlimit_raise();
    signal(SIGPIPE, SIG_IGN);
    buf_init(&r.yaml, NODEDIR_CONFIG_MAX);
    code = run(&r);
    buf_fini(&r.yaml);
    return code;
}
