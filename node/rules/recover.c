/* When most voters are lost for good: a node's rules made into a mesh's again, by hand, while
 * nothing runs. Either what is in its log (its voters, from now on: itself), or a snapshot that was
 * saved. Terms go far up, so that whatever the lost voters still say is old; the new history shows
 * where it began: a configuration entry that names one voter. */
#include "node/rules/inner.h"

#include <stdio.h>

#define TERMS_AHEAD 1000 /* beyond any elections that the others may still hold */

struct offline {
    struct raft_store *store;
    char store_dir[RULES_PATH_MAX], snapshots_dir[RULES_PATH_MAX], registry_dir[RULES_PATH_MAX];
    struct raft_boot boot;
    struct raft_hard hard;
    uint64_t token;
};

static enum err open_offline(struct offline *o, const char *dir, struct buf *message)
{
    struct raft_store_cfg cfg = {.dir = o->store_dir, .snapshots_dir = o->snapshots_dir};
    bool fits = snprintf(o->store_dir, RULES_PATH_MAX, "%s/raft", dir) < RULES_PATH_MAX &&
                snprintf(o->snapshots_dir, RULES_PATH_MAX, "%s/snapshots", dir) < RULES_PATH_MAX &&
                snprintf(o->registry_dir, RULES_PATH_MAX, "%s/registry", dir) < RULES_PATH_MAX;
    if (!fits)
        return ERR_LIMIT;
    TRY(raft_store_open(&cfg, message, &o->store));
    raft_store_boot(o->store, 0, &o->boot);
    o->hard = o->boot.hard;
    return ERR_OK;
}

static enum err commit(struct offline *o, struct raft_write *write)
{
    uint64_t token;
    write->token = ++o->token;
    TRY(raft_store_add(o->store, write));
    if (!raft_store_begin(o->store))
        return ERR_INTERNAL;
    raft_store_commit(o->store);
    return raft_store_end(o->store, &token);
}

static void set_alone(const struct offline *o, const struct identity *identity,
                      struct raft_config *ret_config)
{
    *ret_config = (struct raft_config){.count = 1};
    ret_config->members[0] = (struct raft_member){
        .id = identity->node, .store = o->hard.store, .boot = o->hard.boot, .is_voter = true};
}

/* --- out of the log that is there */

/* Every record must be readable: a hole may hide what was committed. */
static enum err read_log(const struct offline *o, struct rules_recovered *ret_found,
                         uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    struct raft_config config = o->boot.base.config;
    memcpy(ret_hash, o->boot.base.hash, CRYPTO_HASH_SIZE);
    for (uint64_t i = o->boot.base.index + 1; i <= o->boot.last; i++) {
        struct bytes record;
        struct raft_entry entry;
        TRY(raft_store_read(o->store, i, &record));
        raft_entry_hash(record, ret_hash);
        TRY(raft_entry_read(&record, &entry));
        if (entry.kind == RAFT_CONFIG)
            TRY(raft_config_decode(entry.payload, &config));
    }
    for (size_t i = 0; i < config.count; i++)
        if (config.members[i].is_voter && ret_found->voter_count < RAFT_VOTERS_MAX)
            ret_found->voters[ret_found->voter_count++] = config.members[i].id;
    return ERR_OK;
}

static enum err append_config(struct offline *o, const struct identity *identity,
                              const uint8_t prev[CRYPTO_HASH_SIZE])
{
    uint8_t space[RAFT_CONFIG_SIZE_MAX], record_space[RAFT_RECORD_HEAD + RAFT_CONFIG_SIZE_MAX];
    struct raft_config config;
    struct buf payload, record;
    struct raft_entry entry = {
        .kind = RAFT_CONFIG, .term = o->hard.term, .index = o->boot.last + 1};
    set_alone(o, identity, &config);
    buf_init_fixed(&payload, space, sizeof space);
    buf_init_fixed(&record, record_space, sizeof record_space);
    TRY(raft_config_encode(&config, &payload));
    memcpy(entry.prev, prev, CRYPTO_HASH_SIZE);
    entry.payload = buf_bytes(&payload);
    TRY(raft_entry_append(&record, &entry));
    return commit(o, &(struct raft_write){.hard = &o->hard,
                                          .records = buf_bytes(&record),
                                          .first_index = entry.index,
                                          .record_count = 1});
}

static enum err recover(struct offline *o, const struct identity *identity,
                        struct rules_recovered *ret_found)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    if (o->boot.last == 0 || o->hard.store == 0)
        return ERR_NOT_FOUND;
    TRY(read_log(o, ret_found, hash));
    o->hard.term += TERMS_AHEAD;
    memset(&o->hard.vote, 0, sizeof o->hard.vote);
    ret_found->index = o->boot.last + 1;
    ret_found->term = o->hard.term;
    return append_config(o, identity, hash);
}

enum err rules_recover(const char *dir, const struct identity *identity, struct buf *message,
                       struct rules_recovered *ret_recovered)
{
    struct offline o = {.token = 0};
    struct rules_recovered found = {.voter_count = 0};
    TRY(open_offline(&o, dir, message));
    enum err e = recover(&o, identity, &found);
    raft_store_close(o.store);
    if (e == ERR_OK)
        *ret_recovered = found;
    return e;
}

/* --- out of a snapshot */

struct source {
    enum err (*read)(void *ctx, struct buf *out);
    void *ctx;
    struct registry_load *load;
    struct raft_save *save;
    struct buf part;
};

static enum err each_part(struct source *s, enum err (*take)(struct source *s, struct bytes part))
{
    do {
        buf_clear(&s->part);
        TRY(s->read(s->ctx, &s->part));
        if (s->part.size > 0)
            TRY(take(s, buf_bytes(&s->part)));
    } while (s->part.size > 0);
    return ERR_OK;
}

static enum err take_load(struct source *s, struct bytes part)
{
    return registry_load_append(s->load, part);
}

static enum err take_save(struct source *s, struct bytes part)
{
    return raft_save_append(s->save, part);
}

static enum err load_registry(struct offline *o, const struct identity *identity, struct source *s,
                              struct registry_head *ret_head)
{
    struct registry *registry;
    struct registry_cfg cfg = {
        .dir = o->registry_dir, .map_size = RULES_REGISTRY_MAP_SIZE, .mesh = identity->mesh};
    memcpy(cfg.root, identity->root, sizeof cfg.root);
    TRY(registry_open(&cfg, &registry));
    enum err e = registry_load_begin(registry, &s->load);
    if (e == ERR_OK) {
        e = each_part(s, take_load);
        if (e == ERR_OK)
            e = registry_load_finish(s->load);
        if (e != ERR_OK)
            registry_load_abort(s->load);
    }
    if (e == ERR_OK)
        registry_head(registry, ret_head);
    registry_close(registry);
    return e;
}

static enum err write_base(struct offline *o, const struct identity *identity,
                           const struct registry_head *head, struct raft_base *base)
{
    *base =
        (struct raft_base){.index = head->index, .term = head->term, .config_index = head->index};
    memcpy(base->hash, head->chain, sizeof base->hash);
    crypto_random(&o->hard.store, sizeof o->hard.store);
    o->hard.store |= 1;
    o->hard.term = head->term + TERMS_AHEAD;
    set_alone(o, identity, &base->config);
    return commit(o, &(struct raft_write){.hard = &o->hard, .reset = base});
}

/* So that members and replicas can have it from this node. */
static enum err keep_snapshot(struct offline *o, struct source *s, const struct raft_base *base)
{
    struct raft_snapshot made = {.base = *base};
    TRY(raft_save_open(o->store, base->index, &s->save));
    enum err e = each_part(s, take_save);
    if (e != ERR_OK) {
        raft_save_abort(s->save);
        return e;
    }
    TRY(raft_save_finish(s->save, &made.size, made.content));
    return commit(o, &(struct raft_write){.made = &made});
}

static enum err restore(struct offline *o, const struct identity *identity, struct source *s,
                        enum err (*rewind)(void *ctx), struct rules_recovered *ret_found)
{
    struct registry_head head;
    struct raft_base base;
    if (o->boot.last > 0 || o->boot.hard.store != 0)
        return ERR_EXISTS;
    TRY(load_registry(o, identity, s, &head));
    TRY(write_base(o, identity, &head, &base));
    TRY(rewind(s->ctx));
    ret_found->index = base.index;
    ret_found->term = o->hard.term;
    ret_found->epoch = head.epoch;
    return keep_snapshot(o, s, &base);
}

enum err rules_restore(const char *dir, const struct identity *identity,
                       enum err (*read)(void *ctx, struct buf *out), enum err (*rewind)(void *ctx),
                       void *ctx, struct buf *message, struct rules_recovered *ret_restored)
{
    struct offline o = {.token = 0};
    struct source s = {.read = read, .ctx = ctx};
    struct rules_recovered found = {.voter_count = 0};
    TRY(open_offline(&o, dir, message));
    buf_init(&s.part, RULES_RESTORE_PART_MAX);
    enum err e = restore(&o, identity, &s, rewind, &found);
    buf_fini(&s.part);
    raft_store_close(o.store);
    if (e == ERR_OK)
        *ret_restored = found;
    return e;
}
