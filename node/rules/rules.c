/* The whole of the rules at one node: opening what is on disk, taking part, ending, and the
 * questions that others ask. The work is done by the files that inner.h names. */
#include "node/rules/rules.h"

#include "node/rules/inner.h"

#include <stdio.h>
#include <stdlib.h>

static void on_second(struct io_timer *timer);
static void on_peers(struct io_task *task);

/* --- opening */

static enum err explain(struct buf *message, enum err e, const char *where, const char *what)
{
    if (message->size == 0 && buf_printf(message, "%s: %s: %s", where, err_text(e), what) != ERR_OK)
        return e;
    return e;
}

static enum err open_store(struct rules *r, struct buf *message)
{
    struct raft_store_cfg cfg = {
        .dir = r->store_dir, .snapshots_dir = r->snapshots_dir, .no_sync = r->cfg.is_volatile};
    enum err e = raft_store_open(&cfg, message, &r->store);
    if (e == ERR_LOCKED)
        return explain(message, e, r->store_dir, "stop the other grapevine first");
    return e == ERR_OK ? e : explain(message, e, r->store_dir, "see raft/README.md");
}

static enum err open_registry(struct rules *r, struct buf *message)
{
    struct registry_cfg cfg = {.dir = r->registry_dir,
                               .map_size = RULES_REGISTRY_MAP_SIZE,
                               .mesh = r->cfg.identity->mesh,
                               .no_sync = true};
    memcpy(cfg.root, r->cfg.identity->root, sizeof cfg.root);
    enum err e = clean_open(r);
    if (e == ERR_OK)
        e = registry_open(&cfg, &r->registry);
    if (e == ERR_OK)
        e = registry_reader_open(r->registry, &r->reader);
    if (e == ERR_OK)
        e = registry_reader_head(r->reader, &r->head);
    return e == ERR_OK ? e
                       : explain(message, e, r->registry_dir,
                                 "move it away: it is made again from the log");
}

/* The configuration that was in force at the applied index. */
static enum err find_base(struct rules *r, const struct raft_boot *boot)
{
    r->applied =
        boot->applied > boot->last && boot->applied_base ? *boot->applied_base : boot->base;
    if (boot->applied < boot->base.index || r->applied.index == boot->applied)
        return ERR_OK;
    for (uint64_t i = boot->base.index + 1; i <= boot->applied && i <= boot->last; i++) {
        struct bytes record;
        struct raft_entry entry;
        if (raft_store_read(r->store, i, &record) != ERR_OK ||
            raft_entry_read(&record, &entry) != ERR_OK)
            continue; /* unreadable: the core fetches it */
        r->applied.index = entry.index;
        r->applied.term = entry.term;
        if (entry.kind != RAFT_CONFIG)
            continue;
        TRY(raft_config_decode(entry.payload, &r->applied.config));
        r->applied.config_index = i;
    }
    r->applied.index = r->head.index;
    r->applied.term = r->head.term;
    memcpy(r->applied.hash, r->head.chain, sizeof r->applied.hash);
    return ERR_OK;
}

static enum err load_missing(struct rules *r, struct buf *message)
{
    struct raft_boot boot;
    raft_store_boot(r->store, r->head.index, &boot);
    if (boot.applied < boot.base.index) {
        if (!boot.snapshot)
            return explain(message, ERR_CORRUPT, r->snapshots_dir,
                           "the log begins after a snapshot that is not there");
        enum err e = dump_load_stored(r, boot.snapshot);
        if (e == ERR_OK)
            e = apply_renew(r, UINT32_MAX);
        if (e != ERR_OK)
            return explain(message, e, r->snapshots_dir, "the stored snapshot");
        raft_store_boot(r->store, r->head.index, &boot);
    }
    if (boot.snapshot)
        r->snapshot = *boot.snapshot;
    return find_base(r, &boot);
}

/* A core is made to find out who votes by this log; who does not pulls. */
static enum err open_core(struct rules *r, struct buf *message)
{
    enum err e = core_create(r);
    if (e != ERR_OK)
        return explain(message, e, r->store_dir, "see raft/README.md");
    if (member_is_one(r))
        return ERR_OK;
    raft_destroy(r->raft);
    r->raft = NULL;
    return ERR_OK;
}

static enum err set_paths(struct rules *r)
{
    const char *dir = r->cfg.dir;
    bool fits = snprintf(r->store_dir, RULES_PATH_MAX, "%s/raft", dir) < RULES_PATH_MAX &&
                snprintf(r->snapshots_dir, RULES_PATH_MAX, "%s/snapshots", dir) < RULES_PATH_MAX &&
                snprintf(r->registry_dir, RULES_PATH_MAX, "%s/registry", dir) < RULES_PATH_MAX;
    return fits ? ERR_OK : ERR_LIMIT;
}

static enum err open_all(struct rules *r, struct buf *message)
{
    TRY(buf_append(&r->admission, r->cfg.admission));
    r->cfg.admission = buf_bytes(&r->admission);
    if (!r->cfg.dir)
        return ERR_OK;
    TRY(set_paths(r));
    TRY(open_store(r, message));
    TRY(open_registry(r, message));
    TRY(load_missing(r, message));
    r->apply.to = r->head.index;
    return open_core(r, message);
}

enum err rules_open(const struct rules_cfg *cfg, const struct rules_ops *ops, void *owner,
                    struct buf *message, struct rules **ret_rules)
{
    struct rules *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    r->cfg = *cfg;
    r->ops = ops;
    r->owner = owner;
    rng_init(&r->rng, cfg->seed);
    buf_init(&r->admission, REGISTRY_COMMAND_MAX);
    list_init(&r->asks);
    list_init(&r->visits);
    core_init(r);
    io_task_init(&r->peers, on_peers);
    apply_init(r);
    dump_init(r);
    post_init(r);
    orders_init(r);
    pull_init(r);
    enum err e = open_all(r, message);
    r->cfg.dir = NULL; /* borrowed for the call */
    if (e != ERR_OK) {
        rules_close(r);
        return e;
    }
    compare_note(r);
    *ret_rules = r;
    return ERR_OK;
}

void rules_attach(struct rules *r, struct mesh *m)
{
    if (!r->store)
        return;
    r->mesh = m;
    LOG(r->cfg.log, LOG_INFO, "rules_opened", LOG_BOOL("is_member", r->raft != NULL),
        LOG_UINT("applied", r->head.index), LOG_UINT("epoch", r->head.epoch));
    if (r->raft)
        core_step(r, &(struct raft_event){.type = RAFT_TICK});
    else
        pull_start(r);
    compare_say(r);
    admission_look(r);
    io_timer_start(r->cfg.loop, &r->second, RULES_SECOND_MS, on_second);
}

/* --- once a second */

static void want_links(struct rules *r)
{
    struct id wanted[RAFT_MEMBERS_MAX + 1];
    size_t count = 0;
    const struct peer *leader = compare_leader(r);
    const struct raft_config *config = r->raft ? raft_config(r->raft) : NULL;
    for (size_t i = 0; config && i < config->count; i++)
        wanted[count++] = config->members[i].id;
    if (leader)
        wanted[count++] = leader->id;
    if (!config && !id_is_zero(&r->pull.source))
        wanted[count++] = r->pull.source;
    mesh_want_links(r->mesh, wanted, count);
}

static void on_second(struct io_timer *timer)
{
    struct rules *r = LIST_ENTRY(timer, struct rules, second);
    io_timer_start(r->cfg.loop, timer, RULES_SECOND_MS, on_second);
    want_links(r);
    compare_look(r);
    voters_look(r);
    member_look(r);
    pull_look(r);
    serve_look(r);
    room_look(r);
    admission_look(r);
    compare_say(r);
}

struct newest_key {
    const uint8_t *key;
    uint64_t wanted, newest;
    bool is_same;
};

static bool look_at_key(void *ctx, const struct registry_row *row)
{
    struct newest_key *k = ctx;
    const struct registry_gossip_key *g = &row->doc.gossip_key;
    k->newest = g->number > k->newest ? g->number : k->newest;
    k->is_same |= g->number == k->wanted && crypto_equal(g->key, k->key, sizeof g->key);
    return true;
}

enum err rules_check_key(const struct rules *r, uint64_t number,
                         const uint8_t key[CRYPTO_AEAD_KEY_SIZE])
{
    struct newest_key k = {.key = key, .wanted = number};
    if (!r->store || r->head.epoch == 0)
        return ERR_OK;
    TRY(registry_scan(r->reader, REGISTRY_GOSSIP_KEY, bytes_of(NULL, 0), look_at_key, &k));
    if (k.newest < number)
        return ERR_NOT_FOUND;
    return k.is_same ? ERR_OK : ERR_NOT_ALLOWED;
}

void rules_on_peer(struct rules *r, const struct peer *peer)
{
    if (!r->pull.is_on || !r->mesh)
        return;
    source_hear(r, peer);
    io_task_post(r->cfg.loop, &r->peers);
}

static void on_peers(struct io_task *task)
{
    pull_look(LIST_ENTRY(task, struct rules, peers));
}

/* --- ending */

void rules_drain(struct rules *r)
{
    if (r->is_draining)
        return;
    r->is_draining = true;
    if (r->raft && raft_is_leader(r->raft))
        core_step(r, &(struct raft_event){.type = RAFT_HAND_OVER, .tag = CORE_TAG_HAND_OVER});
}

void rules_close(struct rules *r)
{
    if (!r)
        return;
    r->is_closing = true;
    io_timer_stop(&r->second);
    io_task_cancel(&r->peers);
    admission_stop(r);
    apply_stop(r);
    dump_stop(r);
    if (r->store)
        persist_stop(r);
    pull_stop(r);
    serve_stop(r);
    post_stop(r);
    orders_stop(r);
    ask_cancel(&r->member);
    ask_stop_all(r);
    core_fini(r);
    registry_reader_close(r->reader);
    clean_close(r);
    registry_close(r->registry);
    raft_store_close(r->store);
    apply_fini(r);
    dump_fini(r);
    buf_fini(&r->pull.pending);
    buf_fini(&r->admission);
    free(r);
}

/* --- questions */

static uint64_t age_ms(const struct rules *r)
{
    return r->heard_ms ? rules_now_ms(r) - r->heard_ms : UINT64_MAX;
}

static void status_of_raft(const struct rules *r, struct rules_status *s)
{
    struct raft_status raft;
    raft_status(r->raft, &raft);
    s->term = raft.term;
    s->commit = raft.commit;
    s->has_leader = !id_is_zero(&raft.leader);
    s->leader = raft.leader;
    s->is_member = true;
    s->is_voter = raft.is_voter && !raft.is_fenced; /* another disk than the one that votes */
    s->is_leader = raft.role == RAFT_LEADER;
    s->age_ms = s->is_leader ? 0 : age_ms(r);
}

static void status_of_replica(const struct rules *r, struct rules_status *s)
{
    const struct peer *leader = compare_leader(r);
    s->commit = r->known_commit > r->head.index ? r->known_commit : r->head.index;
    s->has_leader = leader != NULL;
    if (leader)
        s->leader = leader->id;
    s->age_ms = age_ms(r);
}

void rules_status(const struct rules *r, struct rules_status *ret_status)
{
    struct rules_status s = {.epoch = r->head.epoch,
                             .applied = r->head.index,
                             .has_hash = r->head.index > 0,
                             .stopped = r->stopped,
                             .refusal = r->admit.refusal,
                             .refused_because = r->admit.fault.what,
                             .is_disk_full = room_is_full(r),
                             .is_diverged = r->is_diverged};
    memcpy(s.hash, r->head.hash, sizeof s.hash);
    if (r->raft)
        status_of_raft(r, &s);
    else if (r->store)
        status_of_replica(r, &s);
    if (r->stopped != ERR_OK) /* it takes no part any more: nothing that it knew of that holds */
        s.is_leader = s.has_leader = false;
    s.has_quorum = s.has_leader;
    const struct raft_config *config = r->raft ? raft_config(r->raft) : &r->applied.config;
    for (size_t i = 0; i < config->count && s.voter_count < RAFT_VOTERS_MAX; i++)
        if (config->members[i].is_voter)
            s.voters[s.voter_count++] = config->members[i].id;
    enum err own = rules_admit(r, rules_self(r));
    s.is_admitted = r->store && r->head.epoch > 0 && own == ERR_OK;
    if (own == ERR_REVOKED)
        s.refusal = own;
    *ret_status = s;
}

void rules_raft_status(const struct rules *r, struct raft_status *ret_status,
                       struct raft_counts *ret_counts)
{
    *ret_status = (struct raft_status){.term = 0};
    *ret_counts = (struct raft_counts){.elections = 0};
    if (!r->raft)
        return;
    raft_status(r->raft, ret_status);
    raft_counts(r->raft, ret_counts);
}

void rules_counts(const struct rules *r, struct rules_counts *ret_counts)
{
    *ret_counts = (struct rules_counts){.committed = r->orders.by_outcome[0],
                                        .refused = r->orders.by_outcome[1],
                                        .unknown = r->orders.by_outcome[2],
                                        .waiting = r->orders.count,
                                        .commits = r->commits,
                                        .commit_total_us = r->commit_total_us,
                                        .ranges_pulled = r->pull.ranges,
                                        .bytes_pulled = r->pull.bytes,
                                        .lies = r->pull.lies,
                                        .sources_left = r->pull.left,
                                        .pullers = r->serve.waiting_count,
                                        .pullers_refused = r->serve.refused};
    memcpy(ret_counts->commit_slots, r->commit_slots, sizeof ret_counts->commit_slots);
}

const struct registry_reader *rules_reader(const struct rules *r)
{
    return r->head.index > 0 ? r->reader : NULL;
}

enum err rules_record(struct rules *r, uint64_t index, struct bytes *ret_record)
{
    return r->store ? raft_store_read(r->store, index, ret_record) : ERR_NOT_FOUND;
}

enum err rules_save(struct rules *r, struct registry_save **ret_save, uint64_t *ret_size)
{
    if (!r->registry || r->head.index == 0)
        return ERR_STARTING;
    if (r->apply.is_busy || r->dump.is_installing)
        return ERR_OVERLOADED;
    return registry_save_open(r->registry, ret_save, ret_size);
}

enum err rules_hand_over(struct rules *r, const struct id *to)
{
    if (!r->raft || !raft_is_leader(r->raft))
        return ERR_NOT_LEADER;
    core_step(r,
              &(struct raft_event){.type = RAFT_HAND_OVER, .tag = CORE_TAG_HAND_OVER, .id = *to});
    return ERR_OK;
}

enum err rules_admit(const struct rules *r, const struct id *node)
{
    struct registry_row row;
    if (!r->store || r->head.epoch == 0)
        return ERR_OK;
    enum err e = registry_get(r->reader, REGISTRY_NODE, bytes_of(node->bytes, ID_SIZE),
                              bytes_of(NULL, 0), &row);
    if (e == ERR_NOT_FOUND)
        return ERR_NOT_ADMITTED;
    if (e != ERR_OK)
        return e;
    return row.doc.node.state == REGISTRY_NODE_REVOKED ? ERR_REVOKED : ERR_OK;
}
