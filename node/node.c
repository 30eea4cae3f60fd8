/* Assembles a node from its parts and takes it apart again: lane, backends, mesh, listeners, in
 * this order, and the answer to "do I serve yet?" (ready). Called by node/cli and by the
 * simulator.
 *
 * Happy path: open, probe, link up, ready, drain, drained, close. Failure modes: an address that
 * cannot be taken (nothing is left), backends or peers that do not answer (ready all the same after
 * NODE_READY_WAIT_MS). */
#include "node/node.h"

#include "node/egress/backend.h"
#include "node/ingress/auth.h"
#include "node/ingress/exchange.h"
#include "node/ingress/http_conn.h"
#include "node/ingress/linger.h"
#include "node/ingress/peer_conn.h"
#include "node/lane.h"
#include "node/reclaim.h"
#include "node/self.h"

#include <stdlib.h>

#define NODE_READY_WAIT_MS 5000
#define NODE_READY_STEP_MS 20
#define NODE_DRAIN_GRACE_MS 1000
#define NODE_BACKLOG_STEP_MS 2
#define NODE_BACKLOG_STEPS_MAX 100
#define NODE_REQUEST_WINDOW                                                                        \
    (1024 * 1024) /* 16 MiB cross a 50 ms link in a second; bodies are pooled */

struct node {
    struct lane lane;
    struct config config; /* a copy: reload changes it */
    struct node_cfg cfg;
    struct listener http;
    struct listener control;
    struct io_timer ready_timer;
    struct io_timer grace; /* draining: idle clients may send one more request */
    uint64_t backlog_seen; /* draining: connections so far, at the last step */
    unsigned backlog_steps;
    struct io_task drained;
    bool is_drained;
    struct reclaim *reclaim; /* NULL: nowhere to ask */
    char http_addr[IO_ADDR_TEXT_SIZE];
    char mesh_addr[IO_ADDR_TEXT_SIZE];
    struct self self;
};

static const struct facts *node_facts(void *owner)
{
    struct node *n = owner;
    return self_facts(&n->self, &n->lane, n->http_addr);
}

static enum err on_peer_request(void *owner, struct peer *peer, struct h2_stream *s,
                                const struct http_head *head, bool ended,
                                struct mesh_stream **ret_stream)
{
    struct node *n = owner;
    if (!rules_owns(head->target))
        return peer_conn_open(&n->lane, peer, s, head, ended, ret_stream);
    if (!n->lane.rules)
        return ERR_DRAINING;
    return rules_accept(n->lane.rules, peer, s, head, ended, ret_stream);
}

static enum err admit(void *owner, const struct id *id)
{
    const struct node *n = owner;
    return n->lane.rules ? rules_admit(n->lane.rules, id) : ERR_OK;
}

static enum err check_key(void *owner, uint64_t number, const uint8_t key[KEYRING_KEY_SIZE])
{
    const struct node *n = owner;
    return n->lane.rules ? rules_check_key(n->lane.rules, number, key) : ERR_OK;
}

static void on_rules(void *owner, struct peer *peer)
{
    struct node *n = owner;
    if (n->lane.rules)
        rules_on_peer(n->lane.rules, peer);
}

static void on_peer(void *owner, struct peer *peer)
{
    struct node *n = owner;
    candidates_invalidate(&n->lane.candidates);
    on_rules(owner, peer);
}

static enum err persist_incarnation(void *owner, uint64_t incarnation)
{
    const struct node *n = owner;
    return n->cfg.persist_incarnation ? n->cfg.persist_incarnation(n->cfg.owner, incarnation)
                                      : ERR_OK;
}

static enum err persist_keyring(void *owner, struct bytes ring)
{
    const struct node *n = owner;
    return n->cfg.persist_keyring ? n->cfg.persist_keyring(n->cfg.owner, ring) : ERR_OK;
}

static enum err persist_remembered(void *owner, struct bytes text)
{
    const struct node *n = owner;
    return n->cfg.persist_remembered ? n->cfg.persist_remembered(n->cfg.owner, text) : ERR_OK;
}

static void on_identity_taken(void *owner)
{
    const struct node *n = owner;
    if (n->cfg.on_identity_taken)
        n->cfg.on_identity_taken(n->cfg.owner);
}

static void on_accused(void *owner, struct peer *peer, const uint64_t *hashes, size_t count,
                       uint64_t made_ms)
{
    struct lane *lane = &((struct node *)owner)->lane;
    for (size_t i = 0; i < count; i++) {
        deployments_report(&lane->candidates.deployments, hashes[i], &peer->id, made_ms,
                           io_now_ms(lane->loop), &lane->rng);
        rollouts_report(lane, hashes[i], &peer->id, made_ms);
    }
}

static void on_abroad(void *owner)
{
    struct node *n = owner;
    candidates_invalidate(&n->lane.candidates);
}

static const struct mesh_ops mesh_ops = {
    .on_request = on_peer_request,
    .facts = node_facts,
    .on_peer = on_peer,
    .persist_incarnation = persist_incarnation,
    .persist_keyring = persist_keyring,
    .persist_remembered = persist_remembered,
    .on_identity_taken = on_identity_taken,
    .on_abroad = on_abroad,
    .on_rules = on_rules,
    .on_accused = on_accused,
    .admit = admit,
    .check_key = check_key,
};

/* --- rules */

static void take_epoch(struct node *n)
{
    struct rules_status s;
    rules_status(n->lane.rules, &s);
    n->lane.epoch = s.epoch;
}

static void on_rules_change(void *owner, uint32_t kinds)
{
    struct node *n = owner;
    take_epoch(n);
    if (n->lane.mesh && kinds & 1u << REGISTRY_NODE)
        mesh_review_admission(n->lane.mesh);
    if (n->lane.mesh && kinds & 1u << REGISTRY_GOSSIP_KEY)
        mesh_review_keys(n->lane.mesh);
    if (kinds & 1u << REGISTRY_POLICY)
        policies_load(&n->lane);
    if (kinds & 1u << REGISTRY_SETTING)
        auth_load(&n->lane);
    candidates_invalidate(&n->lane.candidates);
}

static void on_rules_fatal(void *owner, enum err reason)
{
    struct node *n = owner;
    if (n->cfg.on_fatal)
        n->cfg.on_fatal(n->cfg.owner, reason);
}

static const struct rules_ops rules_ops = {.on_change = on_rules_change,
                                           .on_fatal = on_rules_fatal};

/* --- ready and drained */

static bool is_settled(const struct node *n)
{
    const struct lane *lane = &n->lane;
    bool can_route = n->config.peer_count == 0;
    for (size_t i = 0; i < lane->backend_count; i++)
        if (!backend_was_probed(lane->backends[i]))
            return false;
    for (size_t i = 0; i < mesh_peer_count(lane->mesh); i++)
        can_route |= mesh_peer(lane->mesh, i)->facts != NULL;
    return can_route;
}

static void on_ready_timer(struct io_timer *timer)
{
    struct node *n = LIST_ENTRY(timer, struct node, ready_timer);
    uint64_t waited_ms = io_now_ms(n->lane.loop) - n->lane.started_ms;
    if (!is_settled(n) && waited_ms < NODE_READY_WAIT_MS) {
        io_timer_start(n->lane.loop, timer, NODE_READY_STEP_MS, on_ready_timer);
        return;
    }
    if (n->lane.state != LANE_STARTING)
        return;
    n->lane.state = LANE_READY;
    LOG(n->lane.log, LOG_INFO, "ready", LOG_STR("http", n->http_addr),
        LOG_STR("mesh", n->mesh_addr), LOG_UINT("waited_ms", waited_ms));
    if (n->cfg.on_ready)
        n->cfg.on_ready(n->cfg.owner);
}

static void on_drained(struct io_task *task)
{
    struct node *n = LIST_ENTRY(task, struct node, drained);
    if (n->is_drained || n->lane.exchange_count > 0 || n->lane.peer_stream_count > 0 ||
        io_timer_is_running(&n->grace))
        return;
    n->is_drained = true;
    LOG(n->lane.log, LOG_INFO, "drained", LOG_UINT("connections", n->lane.connection_count));
    if (n->cfg.on_drained)
        n->cfg.on_drained(n->cfg.owner);
}

static void on_exchange_done(void *owner)
{
    struct node *n = owner;
    if (n->lane.exchange_count == 0 && n->lane.peer_stream_count == 0)
        io_task_post(n->lane.loop, &n->drained);
}

/* Clients that reuse a connection cannot know that it is about to close: whoever speaks within the
 * grace is served, and told. */
static void on_grace_over(struct io_timer *timer)
{
    struct node *n = LIST_ENTRY(timer, struct node, grace);
    http_conn_drain_all(&n->lane);
    mesh_drain(n->lane.mesh);
    on_exchange_done(n);
}

/* Whom the kernel has let in before us must not be cut: the listener closes when nobody came for a
 * step. The first step may fire before the loop has looked at its sockets. */
static void on_backlog(struct io_timer *timer)
{
    struct node *n = LIST_ENTRY(timer, struct node, grace);
    struct lane *lane = &n->lane;
    uint64_t seen = lane->metrics.connections + lane->metrics.connections_refused;
    unsigned step = n->backlog_steps++;
    if (step == 0 || (seen != n->backlog_seen && step < NODE_BACKLOG_STEPS_MAX)) {
        n->backlog_seen = seen;
        io_timer_start(lane->loop, timer, NODE_BACKLOG_STEP_MS, on_backlog);
        return;
    }
    http_conn_unlisten(&n->http);
    bool has_clients = http_conn_count_clients(lane) > 0;
    io_timer_start(lane->loop, timer, has_clients ? NODE_DRAIN_GRACE_MS : 0, on_grace_over);
}

void node_drain(struct node *n)
{
    if (n->lane.state == LANE_DRAINING)
        return;
    n->lane.state = LANE_DRAINING;
    LOG(n->lane.log, LOG_INFO, "draining", LOG_UINT("inflight", n->lane.exchange_count));
    rules_drain(n->lane.rules);       /* whoever leads next has the time of the draining to begin */
    mesh_facts_changed(n->lane.mesh); /* peers send nothing new */
    n->backlog_steps = 0;
    io_timer_start(n->lane.loop, &n->grace, NODE_BACKLOG_STEP_MS, on_backlog);
}

void node_leave(struct node *n)
{
    mesh_leave(n->lane.mesh);
    node_drain(n);
}

static void on_leave(void *owner)
{
    node_leave(owner);
}

static void on_reclaim(void *owner)
{
    node_drain(owner);
}

/* --- open and close */

static void lane_init(struct node *n)
{
    struct lane *lane = &n->lane;
    const struct node_cfg *cfg = &n->cfg;
    uint8_t seed[16];
    lane->loop = cfg->loop;
    lane->config = &n->config;
    lane->identity = cfg->identity;
    lane->log = cfg->log;
    lane->trace = cfg->trace;
    lane->version = cfg->version;
    lane->boot_ms = cfg->boot_ms;
    lane->hedge_after_ms = cfg->hedge_after_ms;
    lane->started_ms = io_now_ms(cfg->loop);
    lane->on_exchange_done = on_exchange_done;
    lane->on_leave = on_leave;
    lane->facts = node_facts;
    lane->owner = n;
    rng_init(&lane->rng, cfg->seed);
    body_pool_init(&lane->bodies, n->config.limits.buffer_bytes);
    list_init(&lane->exchanges);
    list_init(&lane->idle_exchanges);
    list_init(&lane->connections);
    list_init(&lane->lingering);
    list_init(&lane->peer_streams);
    io_idle_list_init(&lane->idle_timeouts, cfg->loop, n->config.limits.idle_timeout_ms);
    io_idle_list_init(&lane->header_timeouts, cfg->loop, n->config.limits.header_timeout_ms);
    io_idle_list_init(&lane->linger_timeouts, cfg->loop, LINGER_MS);
    buf_init(&lane->scratch, LANE_SCRATCH_MAX);
    crypto_random(seed, sizeof seed);
    candidates_init(&lane->candidates, seed);
    prefix_init(&lane->prefixes, seed);
    receipts_init(&lane->receipts, cfg->loop, cfg->identity);
    decisions_init(&lane->decisions);
    rollouts_init(&lane->rollouts);
    gpus_open(&lane->gpus, &n->config, cfg->log);
    policy_retry_init(&lane->retries, policy_retry_defaults);
    io_task_init(&n->drained, on_drained);
}

static enum err explain(struct buf *message, enum err e, const char *what, const char *where)
{
    if (buf_printf(message, "%s: %s: %s", what, where, err_text(e)) != ERR_OK)
        return e;
    return e;
}

static enum err open_mesh(struct node *n, struct buf *message)
{
    const char *contacts[CONFIG_PEERS_MAX];
    for (size_t i = 0; i < n->config.peer_count; i++)
        contacts[i] = n->config.peers[i];
    struct mesh_cfg cfg = {.loop = n->lane.loop,
                           .identity = n->cfg.identity,
                           .log = n->lane.log,
                           .trace = n->lane.trace,
                           .seed = rng_next(&n->lane.rng),
                           .advertise = *n->config.advertise ? n->config.advertise : NULL,
                           .contacts = contacts,
                           .contact_count = n->config.peer_count,
                           .streams_max = n->config.limits.inflight,
                           .stream_window = (uint32_t)n->config.limits.window_bytes,
                           .request_window = NODE_REQUEST_WINDOW,
                           .keyring = n->cfg.keyring,
                           .remembered = n->cfg.remembered,
                           .admission = RULES_COMMAND_TARGET,
                           .incarnation = n->cfg.incarnation};
    memcpy(cfg.gossip_key, n->cfg.gossip_key, sizeof cfg.gossip_key);
    enum err e = io_addr_parse(bytes_from_str(n->config.listen_mesh), &cfg.listen);
    if (e == ERR_OK)
        e = mesh_open(&cfg, &mesh_ops, n, &n->lane.mesh);
    crypto_wipe(cfg.gossip_key, sizeof cfg.gossip_key);
    if (e != ERR_OK)
        return explain(message, e, "listen.mesh", n->config.listen_mesh);
    struct io_addr addr;
    mesh_listen_addr(n->lane.mesh, &addr);
    io_addr_to_text(&addr, n->mesh_addr);
    return ERR_OK;
}

static enum err open_http(struct node *n, struct buf *message)
{
    struct io_addr addr;
    enum err e = io_addr_parse(bytes_from_str(n->config.listen_http), &addr);
    n->lane.is_public = e == ERR_OK && !io_addr_is_loopback(&addr) && !n->cfg.allow_insecure_http;
    n->lane.needs_key = n->lane.is_public;
    if (e == ERR_OK)
        e = http_conn_listen(&n->lane, &addr, API_CLIENT, &n->http);
    if (e != ERR_OK)
        return explain(message, e, "listen.http", n->config.listen_http);
    io_listener_addr(n->http.io, &addr);
    io_addr_to_text(&addr, n->http_addr);
    if (!n->cfg.control_path)
        return ERR_OK;
    e = io_addr_unix(n->cfg.control_path, &addr);
    if (e == ERR_OK)
        e = http_conn_listen(&n->lane, &addr, API_CONTROL, &n->control);
    return e == ERR_OK ? ERR_OK : explain(message, e, "control socket", n->cfg.control_path);
}

static enum err open_rules(struct node *n, struct buf *message)
{
    struct rules_cfg cfg = {.loop = n->lane.loop,
                            .identity = n->cfg.identity,
                            .log = n->lane.log,
                            .trace = n->lane.trace,
                            .seed = rng_next(&n->lane.rng),
                            .dir = n->cfg.rules_dir,
                            .is_volatile = n->cfg.rules_are_volatile,
                            .admission = n->cfg.admission};
    return rules_open(&cfg, &rules_ops, n, message, &n->lane.rules);
}

static enum err open_reclaim(struct node *n)
{
    struct reclaim_cfg cfg = {
        .lane = &n->lane, .url = n->config.reclaim, .on_notice = on_reclaim, .owner = n};
    return *cfg.url ? reclaim_start(&cfg, &n->reclaim) : ERR_OK;
}

static enum err open_backends(struct node *n)
{
    for (size_t i = 0; i < n->config.backend_count; i++) {
        TRY(backend_create(&n->lane, &n->config.backends[i], &n->lane.backends[i]));
        n->lane.backend_count++;
    }
    return ERR_OK;
}

enum err node_open(const struct node_cfg *cfg, struct buf *message, struct node **ret_node)
{
    struct node *n = calloc(1, sizeof *n);
    if (!n)
        return ERR_NO_MEMORY;
    n->cfg = *cfg;
    n->config = *cfg->config;
    lane_init(n);
    enum err e = signer_init(&n->lane.signer, cfg->loop, cfg->identity->secret);
    if (e == ERR_OK)
        e = policies_init(&n->lane.policies);
    if (e == ERR_OK)
        e = open_backends(n);
    if (e == ERR_OK)
        e = open_http(n, message);
    if (e == ERR_OK)
        e = open_rules(n, message);
    if (e == ERR_OK)
        e = open_mesh(n, message);
    if (e == ERR_OK)
        e = open_reclaim(n);
    if (e != ERR_OK) {
        node_close(n);
        return e;
    }
    take_epoch(n);
    policies_load(&n->lane);
    auth_load(&n->lane);
    rules_attach(n->lane.rules, n->lane.mesh);
    LOG(cfg->log, LOG_INFO, "started", LOG_STR("http", n->http_addr), LOG_STR("mesh", n->mesh_addr),
        LOG_STR("tier", tier_name(n->config.tier)), LOG_STR("region", n->config.region),
        LOG_UINT("backends", n->lane.backend_count), LOG_UINT("peers", n->config.peer_count));
    io_timer_start(cfg->loop, &n->ready_timer, NODE_READY_STEP_MS, on_ready_timer);
    *ret_node = n;
    return ERR_OK;
}

/* Takes over limits, log level and the backends' concurrency; what was decided at start stays. */
/* What is decided at start, and differs now. */
static const char *unchangeable(const struct config *now, const struct config *next)
{
    if (strcmp(now->listen_http, next->listen_http) != 0 ||
        strcmp(now->listen_mesh, next->listen_mesh) != 0)
        return "listen";
    if (strcmp(now->advertise, next->advertise) != 0)
        return "advertise";
    if (strcmp(now->reclaim, next->reclaim) != 0)
        return "node.reclaim";
    if (now->peer_count != next->peer_count)
        return "peers";
    for (size_t i = 0; i < now->peer_count; i++)
        if (strcmp(now->peers[i], next->peers[i]) != 0)
            return "peers";
    if (now->backend_count != next->backend_count)
        return "backends";
    for (size_t i = 0; i < now->backend_count; i++)
        if (strcmp(now->backends[i].name, next->backends[i].name) != 0 ||
            strcmp(now->backends[i].url, next->backends[i].url) != 0 ||
            now->backends[i].kind != next->backends[i].kind)
            return "backends (but their concurrency)";
    return NULL;
}

enum err node_reload(struct node *n, const struct config *config, struct buf *message)
{
    for (size_t i = 0; i < n->lane.backend_count; i++)
        for (size_t j = 0; j < config->backend_count; j++)
            if (strcmp(n->config.backends[i].name, config->backends[j].name) == 0)
                n->lane.backends[i]->cfg.concurrency = config->backends[j].concurrency;
    n->config.limits = config->limits;
    n->config.log_level = config->log_level;
    n->lane.bodies.max_bytes = config->limits.buffer_bytes;
    n->lane.idle_timeouts.timeout_ms = config->limits.idle_timeout_ms;
    n->lane.header_timeouts.timeout_ms = config->limits.header_timeout_ms;
    const char *later = unchangeable(&n->config, config);
    if (later)
        TRY(buf_printf(message, "%s: changed in the file, takes effect at the next start", later));
    return ERR_OK;
}

static void close_exchanges(struct lane *lane)
{
    http_conn_close_all(lane);
    struct rules *rules = lane->rules;
    lane->rules = NULL;
    rules_close(rules);
    if (lane->mesh)
        mesh_close(lane->mesh);
    lane->mesh = NULL;
    peer_conn_close_all(lane);
    /* Whose client had everything and left: only the engine's last word was awaited. */
    LIST_EACH_SAFE(it, tmp, &lane->exchanges)
    exchange_abandon(LIST_ENTRY(it, struct exchange, node), ERR_CANCELLED);
}

void node_close(struct node *n)
{
    if (!n)
        return;
    struct lane *lane = &n->lane;
    lane->on_exchange_done = NULL;
    io_timer_stop(&n->ready_timer);
    io_timer_stop(&n->grace);
    reclaim_stop(n->reclaim);
    http_conn_unlisten(&n->http);
    http_conn_unlisten(&n->control);
    for (size_t i = 0; i < lane->backend_count; i++)
        lane->backends[i]->cfg.concurrency = 0; /* who waits is not let in any more */
    close_exchanges(lane);
    io_task_cancel(&n->drained);
    for (size_t i = 0; i < lane->backend_count; i++)
        backend_destroy(lane->backends[i]);
    LIST_EACH_SAFE(it, tmp, &lane->idle_exchanges)
    {
        struct exchange *x = LIST_ENTRY(it, struct exchange, node);
        arena_fini(&x->arena);
        free(x);
    }
    receipts_fini(&lane->receipts);
    decisions_fini(&lane->decisions);
    gpus_close(&lane->gpus);
    remote_fini(&lane->remote);
    candidates_fini(&lane->candidates);
    prefix_fini(&lane->prefixes);
    policies_fini(&lane->policies);
    rollouts_fini(&lane->rollouts);
    if (lane->signer.batch)
        signer_fini(&lane->signer);
    buf_fini(&lane->scratch);
    body_pool_fini(&lane->bodies);
    io_idle_list_fini(&lane->idle_timeouts);
    io_idle_list_fini(&lane->header_timeouts);
    io_idle_list_fini(&lane->linger_timeouts);
    free(n);
}

struct rules *node_rules(const struct node *n)
{
    return n->lane.rules;
}

const char *node_http_addr(const struct node *n)
{
    return n->http_addr;
}
const char *node_mesh_addr(const struct node *n)
{
    return n->mesh_addr;
}
