/* What an operator orders on the control socket: leaving the mesh, new keys for its gossip. Who may
 * open that socket may do so; a key ring is signed besides. Named by the table in api.c. */
#include "node/ingress/exchange.h"
#include "node/ingress/local.h"
#include "node/lane.h"
#include "node/mesh/orders.h"

#define ANSWER_MAX 1024

static void answer_json(struct exchange *x, enum err e, const struct buf *out)
{
    if (e == ERR_OK)
        exchange_answer(x, 200, "application/json", buf_bytes(out));
    else
        exchange_fail(x, e, NULL);
}

/* --- leaving */

enum err local_leave(struct exchange *x, struct bytes path)
{
    struct lane *lane = x->lane;
    struct mesh_keys_state state;
    struct buf out;
    (void)path;
    if (!lane->on_leave)
        return ERR_UNSUPPORTED;
    mesh_keys_state(lane->mesh, &state);
    buf_init(&out, ANSWER_MAX);
    enum err e = buf_printf(
        &out, "{\"node\":\"%s\",\"state\":\"leaving\",\"members\":%zu,\"inflight\":%u}\n",
        lane->config->name, state.members, lane->exchange_count);
    answer_json(x, e, &out); /* while answers still go out as usual */
    buf_fini(&out);
    lane->on_leave(lane->owner);
    return ERR_OK;
}

/* --- gossip's keys */

static enum err print_state(const struct mesh *m, struct buf *out)
{
    struct mesh_keys_state s;
    mesh_keys_state(m, &s);
    if (s.version == 0)
        return buf_printf(out,
                          "{\"version\":null,\"made_ms\":null,\"keys\":0,\"members\":%zu,"
                          "\"having\":0}\n",
                          s.members);
    return buf_printf(out,
                      "{\"version\":%llu,\"made_ms\":%llu,\"keys\":%zu,\"members\":%zu,"
                      "\"having\":%zu}\n",
                      (unsigned long long)s.version, (unsigned long long)s.made_ms, s.key_count,
                      s.members, s.having);
}

static void answer_state(struct exchange *x)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    answer_json(x, print_state(x->lane->mesh, &out), &out);
    buf_fini(&out);
}

enum err local_read_body(const struct body *body, struct buf *out)
{
    struct body_cursor cursor;
    struct bytes part;
    body_cursor_init(body, &cursor);
    while (body_next(&cursor, &part, 1, BODY_SEGMENT_SIZE) > 0)
        if (buf_append(out, part) != ERR_OK)
            return ERR_BODY_TOO_LARGE;
    return ERR_OK;
}

static enum err take_ring(struct exchange *x)
{
    uint8_t space[KEYRING_SIZE_MAX];
    struct buf ring;
    buf_init_fixed(&ring, space, sizeof(space));
    enum err e = local_read_body(&x->body, &ring);
    if (e == ERR_OK)
        e = mesh_keys_take(x->lane->mesh, buf_bytes(&ring));
    crypto_wipe(space, sizeof(space));
    return e == ERR_INVALID ? ERR_INVALID_REQUEST : e;
}

enum err local_gossip_keys(struct exchange *x, struct bytes path)
{
    struct bytes below = bytes_skip(path, sizeof "/mesh/v1/gossip-keys" - 1);
    bool is_post = x->head.method == HTTP_POST;
    if (below.size > 0 && (is_post || !bytes_equal(below, BYTES("/status"))))
        return ERR_NO_SUCH_PATH;
    if (is_post)
        TRY(take_ring(x));
    if (is_post || below.size > 0) {
        answer_state(x);
        return ERR_OK;
    }
    struct bytes ring = mesh_keys(x->lane->mesh);
    if (ring.size == 0)
        return ERR_NOT_FOUND;
    exchange_answer(x, 200, "application/x-protobuf", ring);
    return ERR_OK;
}
