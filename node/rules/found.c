/* A new mesh's log: its founder the only voter, then the command of the root that says so. Written
 * once, before anything runs. */
#include "node/rules/inner.h"

#include <stdio.h>

static enum err put_entry(struct buf *records, struct raft_entry *entry)
{
    size_t before = records->size;
    TRY(raft_entry_append(records, entry));
    raft_entry_hash(bytes_of(records->data + before, records->size - before), entry->prev);
    entry->index++;
    return ERR_OK;
}

static enum err make_records(const struct raft_config *config, uint64_t wall_ms,
                             struct bytes genesis, struct buf *records)
{
    struct raft_entry entry = {.term = 1, .index = 1};
    struct buf payload;
    buf_init(&payload, RAFT_PAYLOAD_MAX);
    enum err e = raft_config_encode(config, &payload);
    entry.kind = RAFT_CONFIG;
    entry.payload = buf_bytes(&payload);
    if (e == ERR_OK)
        e = put_entry(records, &entry);
    buf_clear(&payload);
    if (e == ERR_OK)
        e = registry_proposal_encode(wall_ms, &genesis, 1, &payload);
    entry.kind = RAFT_COMMAND;
    entry.payload = buf_bytes(&payload);
    if (e == ERR_OK)
        e = put_entry(records, &entry);
    buf_fini(&payload);
    return e;
}

static enum err write_log(struct raft_store *s, const struct identity *identity, uint64_t wall_ms,
                          struct bytes genesis)
{
    struct raft_boot boot;
    struct raft_hard hard = {.term = 1};
    struct raft_config config = {.count = 1};
    struct buf records;
    uint64_t token;
    raft_store_boot(s, 0, &boot);
    if (boot.last > 0 || boot.hard.store != 0)
        return ERR_EXISTS;
    crypto_random(&hard.store, sizeof hard.store);
    hard.store |= 1;
    config.members[0] =
        (struct raft_member){.id = identity->node, .store = hard.store, .is_voter = true};
    buf_init(&records, 2 * RAFT_RECORD_MAX);
    enum err e = make_records(&config, wall_ms, genesis, &records);
    struct raft_write write = {.token = 1,
                               .hard = &hard,
                               .records = buf_bytes(&records),
                               .first_index = 1,
                               .record_count = 2};
    if (e == ERR_OK)
        e = raft_store_add(s, &write);
    buf_fini(&records);
    if (e != ERR_OK || !raft_store_begin(s))
        return e;
    raft_store_commit(s);
    return raft_store_end(s, &token);
}

enum err rules_found(const char *dir, const struct identity *identity, bool is_volatile,
                     uint64_t wall_ms, struct bytes genesis)
{
    char store_dir[RULES_PATH_MAX], snapshots_dir[RULES_PATH_MAX], text[512];
    struct raft_store_cfg cfg = {
        .dir = store_dir, .snapshots_dir = snapshots_dir, .no_sync = is_volatile};
    struct raft_store *s;
    struct buf message;
    buf_init_fixed(&message, (uint8_t *)text, sizeof text);
    if (snprintf(store_dir, sizeof store_dir, "%s/raft", dir) >= RULES_PATH_MAX ||
        snprintf(snapshots_dir, sizeof snapshots_dir, "%s/snapshots", dir) >= RULES_PATH_MAX)
        return ERR_LIMIT;
    TRY(raft_store_open(&cfg, &message, &s));
    enum err e = write_log(s, identity, wall_ms, genesis);
    raft_store_close(s);
    return e;
}
