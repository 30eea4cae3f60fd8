/* `grapevine gossip key rotate` and `status`: a new key for the mesh's gossip. It is entered into
 * the rules, by which every node knows it for good; the ring with it is given to the running node,
 * which tells the others (node/mesh/keys.h). */
#include "node/cli/clock.h"
#include "node/cli/control.h"
#include "node/cli/dir/authority.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/rules/order.h"
#include "node/trust/keyring.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

#define TARGET "/mesh/v1/gossip-keys"
#define TARGET_STATUS "/mesh/v1/gossip-keys/status"
#define ANSWER_MAX 1024
#define SPREAD_MS 5000 /* so long it waits for the members; a large mesh takes longer */
#define SPREAD_STEP_MS 100

struct state {
    double version; /* 0: none */
    double members;
    double having;
};

/* --- what the node knows */

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static enum cli_exit read_state(struct bytes json, struct state *ret_state)
{
    cJSON *object = cJSON_ParseWithLength((const char *)json.data, json.size);
    bool is_sane = cJSON_IsObject(object);
    if (is_sane)
        *ret_state = (struct state){.version = number_of(object, "version"),
                                    .members = number_of(object, "members"),
                                    .having = number_of(object, "having")};
    cJSON_Delete(object);
    return is_sane ? CLI_DONE : say_error(CLI_FAILED, "no sane answer: the node: see its log");
}

static enum cli_exit ask(const struct cli *cli, struct buf *json, struct state *ret_state)
{
    buf_clear(json);
    enum cli_exit code = control_get(cli, TARGET_STATUS, NULL, json);
    return code == CLI_DONE ? read_state(buf_bytes(json), ret_state) : code;
}

static void print(const struct cli *cli, const struct state *s, const struct buf *json)
{
    if (cli->json)
        printf("%.*s", (int)json->size, (const char *)json->data);
    else if (s->version == 0)
        printf("no gossip key yet: make one with grapevine gossip key rotate\n");
    else
        printf("gossip key %.0f: %.0f of %.0f members are known to have it\n", s->version,
               s->having, s->members);
}

enum cli_exit cli_gossip_key_status(const struct cli *cli)
{
    struct state s;
    struct buf json;
    buf_init(&json, ANSWER_MAX);
    enum cli_exit code = ask(cli, &json, &s);
    if (code == CLI_DONE)
        print(cli, &s, &json);
    buf_fini(&json);
    return code;
}

/* --- a new ring */

/* A mesh that was founded without a ring has none: not an error. */
static enum cli_exit read_present(const struct cli *cli, struct keyring *ret_ring, bool *ret_is_any)
{
    uint8_t space[KEYRING_SIZE_MAX];
    struct state s;
    struct buf ring;
    buf_init_fixed(&ring, space, sizeof(space));
    enum cli_exit code = ask(cli, &ring, &s);
    *ret_is_any = code == CLI_DONE && s.version > 0;
    buf_clear(&ring);
    if (*ret_is_any)
        code = control_get(cli, TARGET, NULL, &ring);
    if (code == CLI_DONE && *ret_is_any && keyring_decode(buf_bytes(&ring), ret_ring) != ERR_OK)
        code = say_error(CLI_FAILED, "no sane key ring: the node: see its log");
    crypto_wipe(space, sizeof(space));
    return code;
}

static enum cli_exit make_next(const struct cli *cli, const struct keyfile *admin, struct buf *out)
{
    struct keyring present;
    bool is_any;
    struct keyring_author author = {.seed = admin->seed,
                                    .root = admin->root,
                                    .chain = bytes_of(admin->chain, admin->chain_size)};
    enum cli_exit code = read_present(cli, &present, &is_any);
    if (code != CLI_DONE)
        return code;
    enum err e = keyring_make(&author, is_any ? &present : NULL, clock_now_ms(), out);
    keyring_wipe(&present);
    if (e == ERR_CERT_SCOPE)
        return say_error(CLI_REFUSED, "not allowed: the administrator's certificate: it is for one "
                                      "tier or region only");
    return e == ERR_OK
               ? CLI_DONE
               : say_error(say_exit_of(e), "no key ring: the administrator's certificate: %s",
                           authority_reason(e));
}

static enum cli_exit await_spread(const struct cli *cli, uint64_t version, struct buf *json,
                                  struct state *s)
{
    static const struct timespec pause = {.tv_nsec = SPREAD_STEP_MS * 1000000};
    enum cli_exit code = CLI_DONE;
    for (int ms = 0; ms < SPREAD_MS && code == CLI_DONE &&
                     (s->version < (double)version || s->having < s->members);
         ms += SPREAD_STEP_MS) {
        nanosleep(&pause, NULL);
        code = ask(cli, json, s);
    }
    return code;
}

static enum cli_exit enter(const struct cli *cli, struct bytes wire, uint64_t *ret_version)
{
    struct keyring ring;
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_GOSSIP_KEY};
    if (keyring_decode(wire, &ring) != ERR_OK)
        return say_error(CLI_FAILED, "no sane key ring: the keys: try again");
    op.doc.gossip_key.number = *ret_version = ring.version;
    memcpy(op.doc.gossip_key.key, ring.keys[0], sizeof op.doc.gossip_key.key);
    enum cli_exit code = order_send(cli, &op, 1, NULL);
    keyring_wipe(&ring);
    crypto_wipe(&op, sizeof op);
    return code;
}

static enum cli_exit rotate(const struct cli *cli, struct bytes ring, struct buf *json)
{
    struct state s;
    uint64_t version = 0;
    enum cli_exit code = enter(cli, ring, &version);
    if (code == CLI_DONE)
        code = control_post(cli, TARGET, ring, json);
    if (code == CLI_DONE)
        code = read_state(buf_bytes(json), &s);
    if (code == CLI_DONE)
        code = await_spread(cli, version, json, &s);
    if (code == CLI_DONE)
        print(cli, &s, json);
    return code;
}

enum cli_exit cli_gossip_key_rotate(const struct cli *cli)
{
    struct keyfile admin = {.chain_size = 0};
    uint8_t space[KEYRING_SIZE_MAX];
    struct buf ring, json;
    buf_init_fixed(&ring, space, sizeof(space));
    buf_init(&json, ANSWER_MAX);
    enum cli_exit code = nodedir_load_admin(&cli->flags, &admin);
    if (code == CLI_DONE)
        code = make_next(cli, &admin, &ring);
    if (code == CLI_DONE)
        code = rotate(cli, buf_bytes(&ring), &json);
    keyfile_wipe(&admin);
    crypto_wipe(space, sizeof(space));
    buf_fini(&json);
    return code;
}
