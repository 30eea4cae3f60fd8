/* Raft's messages over links: POST /mesh/v1/rules/raft, a body of "size u32 | message" each, all
 * that one turn of the loop has for a peer together, answered 204. A message that depends on a
 * write waits until that is durable. What finds no link or no stream is lost, as on any network,
 * and the core is told; it repeats what matters. */
#include "node/rules/inner.h"

#include <stdlib.h>

#define POSTS_PEER_MAX 64 /* unanswered, per peer */

struct waiting {
    struct list node;
    uint64_t after;
    struct id to;
    size_t size;
    uint8_t data[];
};

struct lane { /* to one peer, in this turn */
    struct list node;
    struct id to;
    struct buf body;
};

struct post {
    struct rules_ask ask;
    struct list node; /* r->post.asks */
    struct id to;
};

/* --- lost */

static void on_tell(struct io_task *task)
{
    struct rules *r = LIST_ENTRY(task, struct rules, post.tell);
    struct id ids[RAFT_MEMBERS_MAX];
    size_t count = r->post.unreachable_count;
    memcpy(ids, r->post.unreachable, sizeof ids);
    r->post.unreachable_count = 0;
    for (size_t i = 0; i < count; i++)
        core_step(r, &(struct raft_event){.type = RAFT_UNREACHABLE, .id = ids[i]});
}

static void lose(struct rules *r, const struct id *to)
{
    struct rules_post *p = &r->post;
    for (size_t i = 0; i < p->unreachable_count; i++)
        if (id_equal(&p->unreachable[i], to))
            return;
    if (p->unreachable_count < RAFT_MEMBERS_MAX)
        p->unreachable[p->unreachable_count++] = *to;
    io_task_post(r->cfg.loop, &p->tell);
}

/* --- out */

static void post_free(struct post *post)
{
    list_remove(&post->node);
    free(post);
}

static void on_posted(struct rules_ask *ask, enum err e)
{
    struct post *post = LIST_ENTRY(ask, struct post, ask);
    if (e != ERR_OK || ask->status != 204)
        lose(ask->rules, &post->to);
    post_free(post);
}

static size_t count_posts(const struct rules *r, const struct id *to)
{
    size_t count = 0;
    LIST_EACH(it, &r->post.asks)
    count += id_equal(&LIST_ENTRY(it, struct post, node)->to, to);
    return count;
}

static void post_lane(struct rules *r, const struct lane *lane)
{
    struct peer *peer = mesh_peer_find(r->mesh, &lane->to);
    struct post *post = NULL;
    if (peer && peer->link && count_posts(r, &lane->to) < POSTS_PEER_MAX)
        post = calloc(1, sizeof *post);
    if (!post) {
        lose(r, &lane->to);
        return;
    }
    post->to = lane->to;
    list_push_back(&r->post.asks, &post->node);
    if (ask_start(r, &post->ask, peer, BYTES("raft"), buf_bytes(&lane->body), 1024, on_posted) ==
        ERR_OK)
        return;
    lose(r, &lane->to);
    post_free(post);
}

static void on_flush(struct io_task *task)
{
    struct rules *r = LIST_ENTRY(task, struct rules, post.flush);
    for (struct list *it; (it = list_pop_front(&r->post.lanes));) {
        struct lane *lane = LIST_ENTRY(it, struct lane, node);
        if (r->mesh && !r->is_closing)
            post_lane(r, lane);
        buf_fini(&lane->body);
        free(lane);
    }
}

static struct lane *lane_to(struct rules *r, const struct id *to, size_t size)
{
    LIST_EACH(it, &r->post.lanes)
    {
        struct lane *lane = LIST_ENTRY(it, struct lane, node);
        if (id_equal(&lane->to, to) && lane->body.size + size <= ASK_BODY_MAX)
            return lane;
    }
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->to = *to;
    buf_init(&lane->body, ASK_BODY_MAX);
    list_push_back(&r->post.lanes, &lane->node);
    return lane;
}

static void put(struct rules *r, const struct id *to, struct bytes message)
{
    struct lane *lane = lane_to(r, to, message.size + 4);
    if (!lane || buf_reserve(&lane->body, message.size + 4) != ERR_OK) {
        lose(r, to);
        return;
    }
    CHECK(buf_append_u32(&lane->body, (uint32_t)message.size) == ERR_OK);
    CHECK(buf_append(&lane->body, message) == ERR_OK);
    io_task_post(r->cfg.loop, &r->post.flush);
}

/* --- waiting for the disk */

static void wait_for_disk(struct rules *r, const struct raft_send *send, struct bytes message)
{
    struct rules_post *p = &r->post;
    struct waiting *w = NULL;
    if (p->waiting_bytes + message.size <= RULES_SENDS_BYTES_MAX)
        w = malloc(sizeof *w + message.size);
    if (!w) {
        lose(r, &send->message.to);
        return;
    }
    w->after = send->after;
    w->to = send->message.to;
    w->size = message.size;
    memcpy(w->data, message.data, message.size);
    p->waiting_bytes += w->size;
    list_push_back(&p->waiting, &w->node);
}

void post_send(struct rules *r, const struct raft_send *send)
{
    struct buf message;
    buf_init(&message, RAFT_MESSAGE_MAX);
    enum err e = raft_message_encode(&send->message, &message);
    if (e != ERR_OK)
        LOG(r->cfg.log, LOG_ERROR, "raft_message_too_long", LOG_ERR(e),
            LOG_STR("type", raft_message_name(send->message.type)));
    else if (send->after > r->durable_token)
        wait_for_disk(r, send, buf_bytes(&message));
    else
        put(r, &send->message.to, buf_bytes(&message));
    buf_fini(&message);
}

void post_durable(struct rules *r)
{
    LIST_EACH_SAFE(it, tmp, &r->post.waiting)
    {
        struct waiting *w = LIST_ENTRY(it, struct waiting, node);
        if (w->after > r->durable_token)
            continue;
        put(r, &w->to, bytes_of(w->data, w->size));
        r->post.waiting_bytes -= w->size;
        list_remove(&w->node);
        free(w);
    }
}

/* --- in */

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum err take_message(struct rules *r, const struct id *from, struct bytes data)
{
    struct raft_message message;
    struct raft_snapshot snapshot;
    TRY(raft_message_decode(data, &message, &snapshot));
    message.from = *from;
    message.to = *rules_self(r);
    if (r->raft)
        core_message(r, &message);
    else
        pull_on_called(r, &message);
    return ERR_OK;
}

static enum err take_all(struct rules *r, const struct id *from, struct bytes body)
{
    while (body.size > 0) {
        if (body.size < 4 || read_u32(body.data) > body.size - 4)
            return ERR_INVALID;
        uint32_t size = read_u32(body.data);
        TRY(take_message(r, from, bytes_of(body.data + 4, size)));
        body = bytes_skip(body, 4 + (size_t)size);
    }
    return ERR_OK;
}

/* Garbage of an admitted node is refused and said; raft promises nothing against worse. */
enum err post_accept(struct rules *r, struct rules_visit *v)
{
    struct id from = v->stream.peer->id;
    enum err e = rules_admit(r, &from);
    if (e == ERR_OK)
        e = take_all(r, &from, buf_bytes(&v->in));
    if (e == ERR_OK)
        ask_answer(v, 204, bytes_of(NULL, 0));
    else
        LOG(r->cfg.log, LOG_WARN, "raft_message_refused", LOG_STR("peer", v->stream.peer->name),
            LOG_ERR(e));
    return e;
}

/* --- life */

void post_init(struct rules *r)
{
    list_init(&r->post.waiting);
    list_init(&r->post.lanes);
    list_init(&r->post.asks);
    io_task_init(&r->post.flush, on_flush);
    io_task_init(&r->post.tell, on_tell);
}

void post_stop(struct rules *r)
{
    io_task_cancel(&r->post.flush);
    io_task_cancel(&r->post.tell);
    r->post.unreachable_count = 0;
    LIST_EACH_SAFE(it, tmp, &r->post.asks)
    {
        struct post *post = LIST_ENTRY(it, struct post, node);
        ask_cancel(&post->ask);
        post_free(post);
    }
    for (struct list *it; (it = list_pop_front(&r->post.waiting));)
        free(LIST_ENTRY(it, struct waiting, node));
    r->post.waiting_bytes = 0;
    for (struct list *it; (it = list_pop_front(&r->post.lanes));) {
        struct lane *lane = LIST_ENTRY(it, struct lane, node);
        buf_fini(&lane->body);
        free(lane);
    }
}
