/* The rules of a town: its nodes keep a log and a registry in folders of their own, three of them
 * are to vote, and while jobs run an administrator changes settings at whatever node is up. In the
 * end all have the same state, and nothing that was acknowledged is missing.
 *
 * The folders lie in memory (/dev/shm): what a crash of a simulated machine loses is what a worker
 * had not finished. */
#include "tests/sim/mesh_town.h"

#include "registry/registry.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUBMIT_US (700 * TOWN_MS)
#define CONVERGE_US (40 * TOWN_SECOND)
#define VALID_MS (24 * 3600 * 1000ull)

struct town_change { /* the one that is under way */
    struct rules_call call;
    struct town *town;
    unsigned number;
};

static void key_of(uint8_t number, uint8_t ret_public[CRYPTO_PUBLIC_SIZE],
                   uint8_t ret_secret[CRYPTO_SECRET_SIZE])
{
    uint8_t seed[CRYPTO_SEED_SIZE];
    memset(seed, number, sizeof seed);
    crypto_sign_keypair_from_seed(seed, ret_public, ret_secret);
}

static void sign(const struct town *t, uint8_t author, uint64_t sequence,
                 const struct registry_op *ops, size_t count, struct buf *out)
{
    uint8_t public_key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct registry_fault fault;
    struct registry_command command = {.mesh = t->nodes[0].identity.mesh,
                                       .sequence = sequence,
                                       .not_after_ms = t->sim.wall_ms + VALID_MS,
                                       .ops = ops,
                                       .op_count = count};
    key_of(author, public_key, secret);
    CHECK(registry_command_sign(&command, secret, &fault, out) == ERR_OK);
}

/* --- founding */

static void describe(const struct town_node *n, struct registry_op *op)
{
    const struct cert *cert = &n->identity.cert;
    *op = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_NODE};
    op->doc.node = (struct registry_node){.id = n->identity.node,
                                          .name = bytes_from_str(cert->name),
                                          .tier = cert->tier,
                                          .region = bytes_from_str(cert->region),
                                          .not_after_ms = cert->not_after_ms};
    memcpy(op->doc.node.key, n->identity.public_key, sizeof op->doc.node.key);
}

static void found(struct town *t)
{
    struct registry_op ops[TOWN_NODES_MAX + 2];
    uint8_t secret[CRYPTO_SECRET_SIZE];
    struct buf genesis;
    size_t count = 0;
    ops[count] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN};
    ops[count].doc.admin =
        (struct registry_admin){.name = BYTES("admin"), .role = REGISTRY_OPERATOR};
    key_of(2, ops[count].doc.admin.key, secret);
    ops[count].doc.admin.id = id_of_public_key(ops[count].doc.admin.key);
    count++;
    for (size_t i = 0; i < t->node_count; i++)
        describe(&t->nodes[i], &ops[count++]);
    ops[count] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    for (size_t i = 0; i < 3; i++)
        ops[count].doc.voters.nodes[i].id = t->nodes[i].identity.node;
    ops[count++].doc.voters.node_count = 3;
    buf_init(&genesis, REGISTRY_COMMAND_MAX);
    sign(t, 1, 1, ops, count, &genesis);
    CHECK(rules_found(t->nodes[0].rules_dir, &t->nodes[0].identity, true, t->sim.wall_ms,
                      buf_bytes(&genesis)) == ERR_OK);
    buf_fini(&genesis);
}

void town_rules_create(struct town *t)
{
    snprintf(t->rules_dir, sizeof t->rules_dir, "%s/mesh_sim-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(t->rules_dir) != NULL);
    for (size_t i = 0; i < t->node_count; i++) {
        struct town_node *n = &t->nodes[i];
        snprintf(n->rules_dir, sizeof n->rules_dir, "%s/%s", t->rules_dir, n->name);
        CHECK(mkdir(n->rules_dir, 0700) == 0);
    }
    found(t);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void town_rules_remove(const struct town *t)
{
    if (nftw(t->rules_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "mesh_sim: %s stays\n", t->rules_dir);
}

/* --- changes while everything runs */

static void on_done(struct rules_call *call, const struct registry_result *result)
{
    struct town_change *c = LIST_ENTRY(call, struct town_change, call);
    struct town *t = c->town;
    bool is_refusal = err_class(result->err) == ERR_CLASS_REJECT && result->err != ERR_CANCELLED;
    TRACE(&t->trace, NULL, "change_done", LOG_UINT("number", c->number), LOG_ERR(result->err),
          LOG_UINT("index", result->index));
    t->change = NULL;
    if (result->err == ERR_OK)
        t->acknowledged[t->acknowledged_count++] = c->number;
    if (is_refusal)
        town_fail(t, "changes_are_taken", "x.n%u: %s: %s", c->number, err_word(result->err),
                  result->fault.what);
    free(c);
}

static void submit(struct town *t, struct town_node *n)
{
    char key[32], value[32];
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    struct town_change *c = calloc(1, sizeof *c);
    struct buf wire;
    CHECK(c != NULL);
    c->town = t;
    c->number = ++t->changes;
    c->call.on_done = on_done;
    snprintf(key, sizeof key, "x.n%u", c->number);
    snprintf(value, sizeof value, "%u", c->number);
    op.doc.setting =
        (struct registry_setting){.key = bytes_from_str(key), .value = bytes_from_str(value)};
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    sign(t, 2, c->number, &op, 1, &wire);
    TRACE(&t->trace, n->name, "change", LOG_UINT("number", c->number));
    if (rules_submit(node_rules(n->node), &c->call, buf_bytes(&wire)) == ERR_OK)
        t->change = c;
    else
        free(c);
    buf_fini(&wire);
}

static void on_turn(void *ctx)
{
    struct town *t = ctx;
    struct town_node *n = &t->nodes[rng_below(&t->rng, t->node_count)];
    if (t->is_over)
        return;
    if (!t->change && n->node && n->loop && t->acknowledged_count < TOWN_CHANGES_MAX)
        submit(t, n);
    sim_world_at(t->world, town_now_us(t) + SUBMIT_US, on_turn, t);
}

void town_rules_begin(struct town *t)
{
    sim_world_at(t->world, town_now_us(t) + SUBMIT_US, on_turn, t);
}

/* --- in the end */

static bool has_all(struct town *t, const struct town_node *n, bool tells)
{
    const struct registry_reader *reader = rules_reader(node_rules(n->node));
    for (size_t i = 0; i < t->acknowledged_count; i++) {
        char key[32];
        struct registry_row row;
        snprintf(key, sizeof key, "x.n%u", t->acknowledged[i]);
        if (reader && registry_get(reader, REGISTRY_SETTING, bytes_from_str(key), bytes_of(NULL, 0),
                                   &row) == ERR_OK)
            continue;
        if (tells)
            town_fail(t, "nothing_acknowledged_is_lost", "%s lacks %s", n->name, key);
        return false;
    }
    return true;
}

static bool is_one_state(struct town *t)
{
    struct rules_status first, s;
    for (size_t i = 0; i < t->node_count; i++) {
        if (!t->nodes[i].node)
            return false;
        rules_status(node_rules(t->nodes[i].node), &s);
        if (i == 0)
            first = s;
        if (s.applied != first.applied || memcmp(s.hash, first.hash, sizeof s.hash) != 0 ||
            s.voter_count != 3 || s.stopped != ERR_OK || !has_all(t, &t->nodes[i], false))
            return false;
    }
    return true;
}

void town_check_rules(struct town *t)
{
    uint64_t until_us = town_now_us(t) + CONVERGE_US;
    while (town_now_us(t) < until_us)
        if (is_one_state(t))
            return;
        else
            town_run(t, 100 * TOWN_MS);
    town_fail(t, "replicas_have_one_state", "not within %llu s",
              (unsigned long long)(CONVERGE_US / TOWN_SECOND));
    for (size_t i = 0; i < t->node_count; i++) {
        struct rules_status s;
        if (!t->nodes[i].node)
            continue;
        rules_status(node_rules(t->nodes[i].node), &s);
        fprintf(stderr, "  %s: epoch %llu, applied %llu, commit %llu, %zu voters, %s\n",
                t->nodes[i].name, (unsigned long long)s.epoch, (unsigned long long)s.applied,
                (unsigned long long)s.commit, s.voter_count, err_word(s.stopped));
        has_all(t, &t->nodes[i], true);
    }
}
