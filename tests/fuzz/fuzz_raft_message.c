/* Any bytes as a message between members: refused, or encoded again in exactly the bytes that were
 * read. What is accepted is given to a core that campaigns and to one that leads: they may refuse
 * it, but not fall. */
#include "raft/raft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err read_nothing(void *ctx, uint64_t index, struct bytes *ret_record)
{
    (void)ctx;
    (void)index;
    (void)ret_record;
    return ERR_NOT_FOUND;
}

static void step(struct raft *r, struct raft_event e)
{
    struct raft_effects effects;
    raft_step(r, &e, &effects);
}

static struct raft *create(bool leads)
{
    struct raft_cfg cfg;
    struct raft_boot boot = {.hard = {.term = 1, .store = 1}};
    struct raft *r;
    boot.base.config = (struct raft_config){
        2, {{{{1}}, 1, 0, true, false}, {{{2}}, leads ? 0 : 2, 0, !leads, false}}};
    boot.base.index = boot.base.term = boot.last = boot.applied = 1;
    raft_cfg_init(&cfg);
    cfg.self = (struct id){{1}};
    cfg.fresh_store = 5;
    cfg.draw = 6;
    cfg.ops.read = read_nothing;
    CHECK(raft_create(&cfg, &boot, &r) == ERR_OK);
    step(r, (struct raft_event){.type = RAFT_TICK});
    step(r, (struct raft_event){.type = RAFT_PERSISTED, .index = 1});
    step(r, (struct raft_event){.type = RAFT_TICK, .now_ms = 3000});
    for (uint64_t token = 2; token < 5 && leads; token++)
        step(r, (struct raft_event){.type = RAFT_PERSISTED, .now_ms = 3000, .index = token});
    CHECK(raft_is_leader(r) == leads);
    return r;
}

static void give(const struct raft_message *decoded, bool leads)
{
    struct raft *r = create(leads);
    struct raft_message m = *decoded;
    m.from = (struct id){{2}};
    m.to = (struct id){{1}};
    for (uint64_t i = 0; i < 2; i++) /* the second finds what the first left */
        step(r, (struct raft_event){.now_ms = 3001 + i, .type = RAFT_MESSAGE, .message = &m});
    for (uint64_t token = 2; token < 8; token++)
        step(r, (struct raft_event){.now_ms = 3005, .type = RAFT_PERSISTED, .index = token});
    step(r, (struct raft_event){.now_ms = 3100, .type = RAFT_TICK});
    raft_destroy(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes wire = bytes_of(data, size);
    struct raft_snapshot snapshot;
    struct raft_message m;
    struct buf b;
    if (raft_message_decode(wire, &m, &snapshot) != ERR_OK)
        return 0;
    buf_init(&b, RAFT_MESSAGE_MAX);
    CHECK(raft_message_encode(&m, &b) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&b), wire));
    buf_fini(&b);
    give(&m, false);
    give(&m, true);
    return 0;
}
