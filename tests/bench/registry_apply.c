/* How fast one replica applies signed commands: build/release/bench/registry_apply [--commands N]
 * [--batch N]. Each command sets a tenant's API key's or a setting's row, is verified, and applied
 * in LMDB batches without sync, so that what is measured is processor time. Ends with one JSON
 * object; the cost of Ed25519 alone, measured beside it, says what the rest is. */
#include "tests/support/registry_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct bench {
    struct registry *r;
    struct person root, admin;
    struct id mesh;
    struct buf *proposals; /* one command each, signed */
    size_t count, batch;
};

static void must(enum err e, const char *what)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "registry_apply: %s: %s\n", what, err_text(e));
    exit(1);
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void propose(const struct bench *b, struct person *p, struct registry_op op, struct buf *out)
{
    struct registry_fault fault;
    struct registry_command c = {.mesh = b->mesh,
                                 .sequence = ++p->sequence,
                                 .not_after_ms = NOW_MS + HOUR_MS,
                                 .ops = &op,
                                 .op_count = 1};
    struct buf wire;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    must(registry_command_sign(&c, p->secret, &fault, &wire), "sign");
    struct bytes command = buf_bytes(&wire);
    buf_init(out, REGISTRY_PROPOSAL_MAX);
    must(registry_proposal_encode(NOW_MS, &command, 1, out), "encode");
    buf_fini(&wire);
}

static void apply(struct bench *b, uint64_t index, struct bytes proposal)
{
    struct registry_applied applied;
    struct registry_entry entry = {.index = index, .term = 1, .proposal = proposal};
    must(registry_apply(b->r, &entry, &applied), "apply");
    must(applied.results[0].err, applied.results[0].fault.what);
}

/* 256-byte values, one of 10,000 settings of the operators' own at a time. */
static void prepare(struct bench *b)
{
    char key[32], value[257];
    b->proposals = calloc(b->count, sizeof(*b->proposals));
    if (!b->proposals)
        must(ERR_NO_MEMORY, "prepare");
    memset(value, 'v', 256);
    value[256] = '\0';
    for (size_t i = 0; i < b->count; i++) {
        snprintf(key, sizeof(key), "x.k%zu", i * 7919 % 4000);
        snprintf(value, 20, "%019llu", (unsigned long long)i % 1000000000000000000ull);
        value[19] = 'v';
        propose(b, &b->admin, op_setting(key, value), &b->proposals[i]);
    }
}

static double run(struct bench *b, uint64_t index)
{
    double begin = cpu_s();
    for (size_t i = 0; i < b->count; i++) {
        if (i % b->batch == 0)
            must(registry_begin(b->r), "begin");
        apply(b, index + i, buf_bytes(&b->proposals[i]));
        if ((i + 1) % b->batch == 0 || i + 1 == b->count)
            must(registry_commit(b->r), "commit");
    }
    return cpu_s() - begin;
}

/* One Ed25519 verification of 400 bytes. */
static double verify_us(const struct bench *b)
{
    enum { ROUNDS = 5000 };
    uint8_t message[400] = {1}, signature[CRYPTO_SIGNATURE_SIZE];
    crypto_sign(b->admin.secret, bytes_of(message, sizeof(message)), signature);
    double begin = cpu_s();
    for (int i = 0; i < ROUNDS; i++)
        if (!crypto_verify(b->admin.key, bytes_of(message, sizeof(message)), signature))
            must(ERR_BAD_SIGNATURE, "verify");
    return (cpu_s() - begin) * 1e6 / ROUNDS;
}

static void found(struct bench *b)
{
    struct buf out;
    propose(b, &b->root, op_admin(&b->admin, "admin", REGISTRY_OPERATOR), &out);
    must(registry_begin(b->r), "begin");
    apply(b, 1, buf_bytes(&out));
    must(registry_commit(b->r), "commit");
    buf_fini(&out);
}

static size_t option(int argc, char **argv, const char *name, size_t standard)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return (size_t)strtoull(argv[i + 1], NULL, 10);
    return standard;
}

int main(int argc, char **argv)
{
    struct bench b = {.count = option(argc, argv, "--commands", 50000),
                      .batch = option(argc, argv, "--batch", 64)};
    char root[] = "/tmp/registry_apply.XXXXXX", dir[64], path[96];
    must(crypto_init(), "crypto");
    if (b.count == 0 || b.batch == 0 || !mkdtemp(root))
        must(ERR_USAGE, "--commands N --batch N");
    snprintf(dir, sizeof(dir), "%s/data", root);
    person_init(&b.root, 1);
    person_init(&b.admin, 2);
    b.mesh = b.root.id;
    struct registry_cfg cfg = {.dir = dir, .map_size = 1 << 30, .mesh = b.mesh, .no_sync = true};
    memcpy(cfg.root, b.root.key, sizeof(cfg.root));
    must(registry_open(&cfg, &b.r), "open");
    found(&b);
    prepare(&b);
    double seconds = run(&b, 2), us = seconds * 1e6 / (double)b.count, ed25519 = verify_us(&b);
    printf("{\"commands\":%zu,\"batch\":%zu,\"us_per_command\":%.1f,\"verify_us\":%.1f,"
           "\"rest_us\":%.1f,\"commands_per_cpu_s\":%.0f}\n",
           b.count, b.batch, us, ed25519, us - ed25519, 1e6 / us);
    registry_close(b.r);
    for (size_t i = 0; i < b.count; i++)
        buf_fini(&b.proposals[i]);
    free(b.proposals);
    static const char *const files[] = {"data.mdb", "lock.mdb", "lock"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    return rmdir(dir) == 0 && rmdir(root) == 0 ? 0 : 1;
}
