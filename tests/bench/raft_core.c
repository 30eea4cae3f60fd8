/* How many entries a second one leader and two followers replicate in memory, all on one
 * thread, disks and network replaced by a queue: what consensus itself costs. Prints JSON.
 *
 * usage: raft_core [--entries N] [--batch N] [--payload N] [--bytes]
 *   --bytes   every message is encoded and decoded, as between nodes */
#include "raft/raft.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NODES 3
#define BATCH_MAX 1024
#define LETTERS_MAX 4096

struct node {
    struct raft *core;
    struct id id;
    uint64_t applied, token; /* token: of the write under way */
};

struct letter {
    struct raft_message message;
    struct raft_snapshot snapshot;
    struct buf bytes; /* of its records, or of all of it */
};

struct bench {
    struct node nodes[NODES];
    struct letter letters[LETTERS_MAX];
    size_t first, count;
    uint64_t now_ms, accepted, messages;
    bool through_bytes;
};

static enum err read_nothing(void *ctx, uint64_t index, struct bytes *ret_record)
{
    (void)ctx;
    (void)index;
    (void)ret_record;
    return ERR_NOT_FOUND;
}

static double seconds_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the queue */

static void post(struct bench *b, const struct raft_message *m)
{
    CHECK(b->count < LETTERS_MAX);
    struct letter *l = &b->letters[(b->first + b->count++) % LETTERS_MAX];
    l->message = *m;
    buf_clear(&l->bytes);
    enum err err =
        b->through_bytes ? raft_message_encode(m, &l->bytes) : buf_append(&l->bytes, m->records);
    CHECK(err == ERR_OK);
    b->messages++;
}

static void step(struct bench *b, struct node *n, struct raft_event *e)
{
    struct raft_effects effects;
    e->now_ms = b->now_ms;
    raft_step(n->core, e, &effects);
    CHECK(effects.stop == ERR_OK);
    if (effects.write)
        n->token = effects.write->token;
    for (size_t i = 0; i < effects.outcome_count; i++)
        b->accepted += effects.outcomes[i].err == ERR_OK;
    for (size_t i = 0; i < effects.send_count; i++)
        post(b, &effects.sends[i].message); /* delivered after the write, see persist */
    if (effects.apply_last) {
        struct raft_event applied = {.type = RAFT_APPLIED, .index = effects.apply_last};
        n->applied = effects.apply_last;
        step(b, n, &applied);
    }
}

static void persist(struct bench *b, struct node *n)
{
    struct raft_event e = {.type = RAFT_PERSISTED, .index = n->token};
    n->token = 0;
    if (e.index)
        step(b, n, &e);
}

static void deliver(struct bench *b)
{
    struct letter *l = &b->letters[b->first];
    struct node *to = &b->nodes[l->message.to.bytes[0] - 1];
    struct raft_message m = l->message;
    if (b->through_bytes) {
        CHECK(raft_message_decode(buf_bytes(&l->bytes), &m, &l->snapshot) == ERR_OK);
        m.from = l->message.from;
        m.to = l->message.to;
    } else {
        m.records = buf_bytes(&l->bytes);
    }
    struct raft_event e = {.type = RAFT_MESSAGE, .message = &m};
    for (size_t i = 0; i < NODES; i++)
        persist(b, &b->nodes[i]);
    b->first = (b->first + 1) % LETTERS_MAX; /* the slot is not used again before this step ends */
    b->count--;
    step(b, to, &e);
}

static void settle(struct bench *b)
{
    while (b->count)
        deliver(b);
    for (size_t i = 0; i < NODES; i++)
        persist(b, &b->nodes[i]);
    while (b->count)
        deliver(b);
}

/* --- the run */

static void start(struct bench *b)
{
    for (size_t i = 0; i < LETTERS_MAX; i++)
        buf_init(&b->letters[i].bytes, RAFT_MESSAGE_MAX);
    for (size_t i = 0; i < NODES; i++) {
        struct raft_cfg cfg;
        struct raft_boot boot = {.hard = {.term = 1, .store = i + 1}};
        for (size_t k = 0; k < NODES; k++)
            boot.base.config.members[k] =
                (struct raft_member){{{(uint8_t)(k + 1)}}, k + 1, 0, true, false};
        boot.base.config.count = NODES;
        boot.base.index = boot.base.term = boot.last = boot.applied = 1;
        raft_cfg_init(&cfg);
        cfg.self = b->nodes[i].id = (struct id){{(uint8_t)(i + 1)}};
        cfg.seed = i;
        cfg.election_ms = i ? 1000000000 : 1000; /* the first is to lead */
        cfg.fresh_store = cfg.draw = 1;
        cfg.memory_bytes = 1u << 20;
        cfg.snapshot_entries = UINT64_MAX / 2;
        cfg.ops.read = read_nothing;
        CHECK(raft_create(&cfg, &boot, &b->nodes[i].core) == ERR_OK);
        step(b, &b->nodes[i], &(struct raft_event){.type = RAFT_TICK});
    }
    b->now_ms = 5000;
    step(b, &b->nodes[0], &(struct raft_event){.type = RAFT_TICK});
    settle(b);
    settle(b);
    CHECK(raft_is_leader(b->nodes[0].core));
}

static void propose(struct bench *b, struct bytes payload, size_t batch)
{
    struct raft_proposal proposals[BATCH_MAX];
    for (size_t i = 0; i < batch; i++)
        proposals[i] = (struct raft_proposal){i, payload};
    struct raft_event e = {.type = RAFT_PROPOSE, .proposals = proposals, .count = batch};
    step(b, &b->nodes[0], &e);
    settle(b);
}

static size_t number(const char *text, size_t most)
{
    uint64_t value;
    if (!text || !bytes_to_u64(bytes_from_str(text), &value) || value == 0 || value > most) {
        fprintf(stderr, "raft_core: numbers of 1 to %zu\n", most);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static uint8_t payload[RAFT_PAYLOAD_MAX];
    size_t entries = 1000000, batch = 64, size = 64;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bytes") == 0)
            bench.through_bytes = true;
        else if (strcmp(argv[i], "--entries") == 0)
            entries = number(argv[++i], 1000000000);
        else if (strcmp(argv[i], "--batch") == 0)
            batch = number(argv[++i], BATCH_MAX);
        else if (strcmp(argv[i], "--payload") == 0)
            size = number(argv[++i], sizeof(payload));
        else
            return 2;
    }
    CHECK(crypto_init() == ERR_OK);
    start(&bench);
    double begin = seconds_now(CLOCK_MONOTONIC), cpu = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t done = 0; done < entries; done += batch)
        propose(&bench, bytes_of(payload, size), batch);
    double seconds = seconds_now(CLOCK_MONOTONIC) - begin;
    cpu = seconds_now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    bench.now_ms += 200; /* a heartbeat tells followers of the last commit */
    step(&bench, &bench.nodes[0], &(struct raft_event){.type = RAFT_TICK});
    settle(&bench);
    for (size_t i = 0; i < NODES; i++)
        CHECK(bench.nodes[i].applied == bench.accepted + 2);
    printf("{\"bench\":\"raft_core\",\"nodes\":3,\"entries\":%llu,\"batch\":%zu,\"payload\":%zu,"
           "\"through_bytes\":%s,\"messages\":%llu,\"seconds\":%.3f,\"entries_per_s\":%.0f,"
           "\"cpu_seconds\":%.3f,\"entries_per_cpu_s\":%.0f}\n",
           (unsigned long long)bench.accepted, batch, size, bench.through_bytes ? "true" : "false",
           (unsigned long long)bench.messages, seconds, (double)bench.accepted / seconds, cpu,
           (double)bench.accepted / cpu);
    for (size_t i = 0; i < NODES; i++)
        raft_destroy(bench.nodes[i].core);
    for (size_t i = 0; i < LETTERS_MAX; i++)
        buf_fini(&bench.letters[i].bytes);
    return 0;
}
