/* One raft core, stepped by hand: the fixture of the tests that need no second one. */
#ifndef TESTS_UNIT_RAFT_CORE_FIXTURE_H
#define TESTS_UNIT_RAFT_CORE_FIXTURE_H

#include "raft/raft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 10000

struct fixture {
    struct raft *core;
    struct raft_effects e;
    uint64_t now_ms;
    uint8_t storage[1 << 16];
    struct buf records;
    uint8_t last_hash[CRYPTO_HASH_SIZE];
};

static struct fixture f;
static const struct id self = {{1}}, other = {{2}}, third = {{3}};

static inline enum err read_nothing(void *ctx, uint64_t index, struct bytes *ret_record)
{
    (void)ctx;
    (void)index;
    (void)ret_record;
    return ERR_NOT_FOUND;
}

static inline void step(struct raft_event event)
{
    event.now_ms = f.now_ms;
    raft_step(f.core, &event, &f.e);
}

static inline void persist(void)
{
    for (int i = 0; i < 4 && f.e.write; i++)
        step((struct raft_event){.type = RAFT_PERSISTED, .index = f.e.write->token});
}

static inline void receive(struct raft_message m)
{
    m.to = self;
    if (id_is_zero(&m.from))
        m.from = other;
    if (m.store == 0)
        m.store = m.from.bytes[0];
    if (m.boot == 0)
        m.boot = 1;
    if (m.draws[0] == 0)
        m.draws[0] = 1;
    step((struct raft_event){.type = RAFT_MESSAGE, .message = &m});
}

/* A member whose log begins after index 1; `voters` of 1, 2, 3. Its start is not durable yet. */
static inline void start(size_t voters, void (*adjust)(struct raft_cfg *cfg),
                         void (*adjust_members)(struct raft_config *config))
{
    struct raft_cfg cfg;
    struct raft_boot boot = {
        .hard = {.term = 1, .store = 1, .boot = 4, .draws = {4, 3}}, .last = 1, .applied = 1};
    memset(&f, 0, sizeof(f));
    buf_init_fixed(&f.records, f.storage, sizeof(f.storage));
    boot.base.index = boot.base.term = 1;
    boot.base.config.count = 3;
    for (size_t i = 0; i < 3; i++)
        boot.base.config.members[i] = (struct raft_member){
            {{(uint8_t)(i + 1)}}, i < voters ? i + 1 : 0, 0, i < voters, false};
    raft_cfg_init(&cfg);
    cfg.self = self;
    cfg.fresh_store = 77;
    cfg.draw = 5;
    cfg.ops.read = read_nothing;
    cfg.now_ms = f.now_ms = NOW;
    if (adjust)
        adjust(&cfg);
    if (adjust_members)
        adjust_members(&boot.base.config);
    assert_int_equal(raft_create(&cfg, &boot, &f.core), ERR_OK);
    step((struct raft_event){.type = RAFT_TICK});
}

static inline void create(size_t voters, void (*adjust)(struct raft_cfg *cfg))
{
    start(voters, adjust, NULL);
    persist();
}

static inline void lead_alone(void (*adjust)(struct raft_cfg *cfg))
{
    create(1, adjust);
    f.now_ms += 2000;
    step((struct raft_event){.type = RAFT_TICK});
    persist();
    assert_true(raft_is_leader(f.core));
}

static inline int teardown(void **state)
{
    (void)state;
    raft_destroy(f.core);
    return 0;
}

static inline struct raft_status status(void)
{
    struct raft_status s;
    raft_status(f.core, &s);
    return s;
}

static inline uint64_t refused(enum err err)
{
    struct raft_counts counts;
    raft_counts(f.core, &counts);
    return counts.refused[err];
}

static const struct raft_message *sent(enum raft_message_type type)
{
    for (size_t i = 0; i < f.e.send_count; i++)
        if (f.e.sends[i].message.type == type)
            return &f.e.sends[i].message;
    return NULL;
}

static inline void add_record(uint64_t index, uint64_t term, struct bytes payload)
{
    struct raft_entry e = {.kind = RAFT_COMMAND, .term = term, .index = index, .payload = payload};
    size_t at = f.records.size;
    memcpy(e.prev, f.last_hash, sizeof(e.prev));
    assert_int_equal(raft_entry_append(&f.records, &e), ERR_OK);
    raft_entry_hash(bytes_skip(buf_bytes(&f.records), at), f.last_hash);
}

static inline struct raft_message append_of(uint64_t count)
{
    return (struct raft_message){.type = RAFT_APPEND,
                                 .term = 5,
                                 .index = 1,
                                 .log_term = 1,
                                 .records = buf_bytes(&f.records),
                                 .count = count};
}

#endif
