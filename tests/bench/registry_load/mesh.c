/* A node's control socket: commands by HTTP/1.1, each setting a value of its client's own; and
 * linearizable reads of them. Commands are signed before the clock starts, as a client's work is no
 * part of what is measured. Each client is an administrator of its own: an author's commands are
 * applied in the order of their numbers. */
#include "tests/bench/registry_load/talk.h"

#include "node/cli/dir/keyfile.h"
#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (1 << 16)
#define VALID_MS (3600 * 1000)

struct mesh {
    struct buf in;
};

/* Signed beforehand, by client and number. */
static struct {
    size_t clients, per_client;
    struct bytes *commands;
    struct id mesh;
    uint64_t began_ms;
    uint8_t secrets[LOAD_CLIENTS_MAX][CRYPTO_SECRET_SIZE];
} plan;

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- commands */

static void client_keys(size_t client, uint8_t ret_public[32], uint8_t ret_secret[64])
{
    uint8_t seed[CRYPTO_SEED_SIZE];
    char text[64];
    snprintf(text, sizeof text, "registry_load client %zu", client);
    crypto_hash(bytes_from_str(text), seed);
    crypto_sign_keypair_from_seed(seed, ret_public, ret_secret);
}

static void load_admin(const char *dir, struct keyfile *ret_admin)
{
    char path[512];
    snprintf(path, sizeof path, "%s/admin.key", dir);
    if (keyfile_load(KEYFILE_ADMIN, path, ret_admin) != CLI_DONE)
        load_die(path, "no administrator's key");
}

static void sign(const struct registry_op *ops, size_t count, uint64_t sequence,
                 const uint8_t secret[64], struct buf *out)
{
    struct registry_fault fault = {{0}, {0}};
    struct registry_command command = {.mesh = plan.mesh,
                                       .sequence = sequence,
                                       .not_after_ms = wall_ms() + VALID_MS,
                                       .ops = ops,
                                       .op_count = count};
    if (registry_command_sign(&command, secret, &fault, out) != ERR_OK)
        load_die(fault.field, fault.what);
}

static void sign_put(size_t client, uint64_t n, struct buf *out)
{
    uint8_t value[LOAD_VALUE_SIZE];
    char key[32];
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    memset(value, 'a' + (int)(n % 26), sizeof value);
    snprintf(key, sizeof key, "x.bench.%zu", client);
    op.doc.setting.key = bytes_from_str(key);
    op.doc.setting.value = bytes_of(value, sizeof value);
    sign(&op, 1, plan.began_ms * 1000 + n + 1, plan.secrets[client], out);
}

static void prepare_get(const char *dir, size_t clients, size_t total)
{
    (void)dir, (void)clients, (void)total;
}

static void prepare_put(const char *dir, size_t clients, size_t total)
{
    struct keyfile admin;
    struct buf one;
    load_admin(dir, &admin);
    plan.mesh = id_of_public_key(admin.root);
    plan.clients = clients;
    plan.per_client = total / clients + 1;
    plan.began_ms = wall_ms();
    plan.commands = malloc(clients * plan.per_client * sizeof *plan.commands);
    CHECK(plan.commands);
    buf_init(&one, REGISTRY_COMMAND_MAX);
    for (size_t c = 0; c < clients; c++) {
        uint8_t public_key[32];
        client_keys(c, public_key, plan.secrets[c]);
        for (size_t n = 0; n < plan.per_client; n++) {
            buf_clear(&one);
            sign_put(c, n, &one);
            uint8_t *copy = malloc(one.size);
            CHECK(copy);
            memcpy(copy, one.data, one.size);
            plan.commands[c * plan.per_client + n] = bytes_of(copy, one.size);
        }
    }
    buf_fini(&one);
}

/* --- HTTP */

static void *open_mesh(struct buf *out)
{
    struct mesh *m = calloc(1, sizeof *m);
    (void)out;
    CHECK(m);
    buf_init(&m->in, ANSWER_MAX);
    return m;
}

static void close_mesh(void *state)
{
    struct mesh *m = state;
    buf_fini(&m->in);
    free(m);
}

static void post(struct bytes command, struct buf *out)
{
    CHECK(buf_printf(
              out, "POST /mesh/v1/commands HTTP/1.1\r\nhost: bench\r\ncontent-length: %zu\r\n\r\n",
              command.size) == ERR_OK);
    CHECK(buf_append(out, command) == ERR_OK);
}

static void ask_put(void *state, size_t client, uint64_t n, struct buf *out)
{
    buf_clear(&((struct mesh *)state)->in);
    if (n >= plan.per_client)
        load_die("mesh", "more commands than were signed: --prepare more");
    post(plan.commands[client * plan.per_client + n], out);
}

static void ask_get(void *state, size_t client, uint64_t n, struct buf *out)
{
    (void)n;
    buf_clear(&((struct mesh *)state)->in);
    CHECK(buf_printf(out,
                     "GET /mesh/v1/registry/setting/x.bench.%zu?consistent=1 HTTP/1.1\r\n"
                     "host: bench\r\n\r\n",
                     client) == ERR_OK);
}

/* The body of a whole answer. */
static bool find_body(struct bytes in, struct bytes *ret_body)
{
    const char *end = memmem(in.data, in.size, "\r\n\r\n", 4);
    if (!end)
        return false;
    size_t head = (size_t)(end + 4 - (const char *)in.data);
    const char *length = memmem(in.data, head, "ontent-length: ", 15);
    if (!length)
        length = memmem(in.data, head, "ontent-Length: ", 15);
    size_t size = length ? strtoul(length + 15, NULL, 10) : 0;
    if (in.size < head + size)
        return false;
    *ret_body = bytes_of(in.data + head, size);
    return true;
}

static enum talk_result take(void *state, struct bytes in, const char *wanted)
{
    struct mesh *m = state;
    struct bytes body;
    CHECK(buf_append(&m->in, in) == ERR_OK);
    if (!find_body(buf_bytes(&m->in), &body))
        return TALK_MORE;
    if (memmem(body.data, body.size, wanted, strlen(wanted)))
        return TALK_DONE;
    fprintf(stderr, "mesh: %.*s\n", (int)body.size, (const char *)body.data);
    return TALK_FAILED;
}

static enum talk_result take_put(void *state, struct bytes in, struct buf *out)
{
    (void)out;
    return take(state, in, "\"outcome\":\"committed\"");
}

static enum talk_result take_get(void *state, struct bytes in, struct buf *out)
{
    (void)out;
    return take(state, in, "\"value\":\"");
}

const struct talk talk_mesh_put = {prepare_put, open_mesh, close_mesh, ask_put, take_put};
const struct talk talk_mesh_get = {prepare_get, open_mesh, close_mesh, ask_get, take_get};

/* --- clients as administrators */

void talk_mesh_found(const char *dir, const char *socket_path, size_t clients)
{
    static struct registry_op ops[LOAD_CLIENTS_MAX + 1];
    static char names[LOAD_CLIENTS_MAX][32];
    static uint8_t answer[ANSWER_MAX];
    struct keyfile admin;
    struct buf command, request;
    uint8_t public_key[32], secret[64];
    load_admin(dir, &admin);
    plan.mesh = id_of_public_key(admin.root);
    for (size_t c = 0; c < clients; c++) {
        client_keys(c, public_key, secret);
        snprintf(names[c], sizeof names[c], "bench-%zu", c);
        ops[c] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN};
        ops[c].doc.admin = (struct registry_admin){.id = id_of_public_key(public_key),
                                                   .name = bytes_from_str(names[c]),
                                                   .role = REGISTRY_OPERATOR};
        memcpy(ops[c].doc.admin.key, public_key, sizeof public_key);
    }
    ops[clients] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    ops[clients].doc.voters.automatic = 3;
    buf_init(&command, REGISTRY_COMMAND_MAX);
    buf_init(&request, REGISTRY_COMMAND_MAX + 1024);
    crypto_sign_keypair_from_seed(admin.seed, public_key, secret);
    sign(ops, clients + 1, wall_ms(), secret, &command);
    post(buf_bytes(&command), &request);
    int fd = load_dial(socket_path);
    if (fd < 0 || write(fd, request.data, request.size) != (ssize_t)request.size)
        load_die(socket_path, "cannot be written to");
    ssize_t n = read(fd, answer, sizeof answer - 1);
    printf("%.*s\n", n < 0 ? 0 : (int)n, (const char *)answer);
    close(fd);
    buf_fini(&command);
    buf_fini(&request);
}
