/* A link's life: made by a dial or an accept, up after the handshake, gone for a reason. Its states
 * move here only. Contacts dial, the mesh accepts; peers are told of up and end. See link.h for the
 * happy path and the failures. */
#include "node/mesh/core.h"

#include <stdlib.h>

static const struct state_row link_rows[] = {
    [LINK_CONNECTING] = {"connecting", STATE_BIT(LINK_HANDSHAKING) | STATE_BIT(LINK_GONE)},
    [LINK_HANDSHAKING] = {"handshaking", STATE_BIT(LINK_UP) | STATE_BIT(LINK_GONE)},
    [LINK_UP] = {"up", STATE_BIT(LINK_DRAINING) | STATE_BIT(LINK_GONE)},
    [LINK_DRAINING] = {"draining", STATE_BIT(LINK_GONE)},
    [LINK_GONE] = {"gone", 0},
};
static const struct state_table link_states = {"link", link_rows, 5};

static void move(struct link *l, enum link_state next, enum err reason)
{
    const struct mesh *m = l->mesh;
    TRACE(m->cfg.trace, mesh_own_name(m), "link_state",
          LOG_STR("peer", l->peer ? l->peer->name : ""), LOG_BOOL("dialled", l->dialled),
          LOG_STR("from", state_name(&link_states, l->state)),
          LOG_STR("to", state_name(&link_states, (int)next)), LOG_ERR(reason));
    state_move(&link_states, &l->state, (int)next);
}

/* --- beginning */

static struct link *link_make(struct mesh *m, bool dialled)
{
    struct link *l = calloc(1, sizeof(*l));
    struct handshake *h = malloc(sizeof(*h));
    if (!l || !h) {
        free(l);
        free(h);
        return NULL;
    }
    *l = (struct link){.mesh = m, .state = LINK_CONNECTING, .dialled = dialled, .handshake = h};
    handshake_init(h, &(struct handshake_cfg){.identity = m->cfg.identity,
                                              .static_secret = m->static_secret,
                                              .dialler = dialled});
    record_frames_init(&l->frames);
    mail_link_init(&l->mail);
    io_task_init(&l->flush, link_out_run);
    return l;
}

static void link_free(struct link *l)
{
    if (l->handshake) {
        handshake_fini(l->handshake);
        free(l->handshake);
    }
    record_writer_fini(&l->writer);
    crypto_wipe(&l->receive, sizeof(l->receive));
    record_frames_fini(&l->frames);
    mail_link_fini(&l->mail);
    free(l);
}

static void on_deadline(struct io_timer *timer)
{
    struct link *l = LIST_ENTRY(timer, struct link, deadline);
    link_end(l, l->state == LINK_DRAINING ? ERR_DUPLICATE_LINK : ERR_TIMEOUT);
}

static void begin(struct link *l)
{
    list_push_back(&l->mesh->links, &l->node);
    io_timer_start(l->mesh->cfg.loop, &l->deadline, MESH_DIAL_TIMEOUT_MS, on_deadline);
}

static void start_handshake(struct link *l)
{
    struct buf *out = &l->mesh->out;
    move(l, LINK_HANDSHAKING, ERR_OK);
    buf_clear(out);
    enum err e = handshake_start(l->handshake, out);
    if (e != ERR_OK) {
        link_end(l, e);
        return;
    }
    link_out_write(l);
    io_stream_read(l->stream);
}

enum err link_dial(struct mesh *m, const struct io_addr *addr, struct contact *contact,
                   struct link **ret_link)
{
    struct link *l = link_make(m, true);
    if (!l)
        return ERR_NO_MEMORY;
    enum err e = io_connect(m->cfg.loop, addr, &link_stream_ops, l, &l->stream);
    if (e != ERR_OK) {
        link_free(l);
        return e;
    }
    l->contact = contact;
    l->addr = *addr;
    begin(l);
    *ret_link = l;
    return ERR_OK;
}

/* Many unfinished handshakes are somebody's garbage: the oldest makes room, so that new ones get
 * through. */
static void make_room(struct mesh *m)
{
    struct link *oldest = NULL;
    size_t count = 0;
    LIST_EACH(it, &m->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (l->dialled || link_is_open(l))
            continue;
        oldest = oldest ? oldest : l;
        count++;
    }
    if (count < LINK_UNFINISHED_MAX)
        return;
    oldest->is_mute = true; /* a socket that lingers would be the next heap of garbage */
    link_end(oldest, ERR_LIMIT);
}

void link_accept(struct mesh *m, struct io_stream *stream)
{
    make_room(m);
    struct link *l = link_make(m, false);
    if (!l) {
        io_stream_close(stream);
        return;
    }
    l->stream = stream;
    io_stream_peer(stream, &l->addr);
    io_stream_set(stream, &link_stream_ops, l);
    begin(l);
    start_handshake(l);
}

/* --- up */

static enum err make_session(struct link *l, bool server, struct h2 **ret_h2)
{
    const struct mesh_cfg *cfg = &l->mesh->cfg;
    /* What comes to the client side are answers, which wait for a reader; what comes to the server
     * side are requests' bodies, which are stored (from a pool of their own) as they come. */
    uint32_t stream_window = server ? cfg->request_window : cfg->stream_window;
    uint64_t window =
        (uint64_t)stream_window * cfg->streams_max + MAIL_STREAMS_MAX * GOSSIP_MESSAGE_MAX;
    struct h2_cfg h2_cfg = {
        .server = server,
        .streams_max = cfg->streams_max + MAIL_STREAMS_MAX,
        .stream_window = stream_window,
        /* Room for every stream's window: one slow reader never stops the others. */
        .connection_window = window > INT32_MAX ? INT32_MAX : (uint32_t)window,
        .head_max = LINK_HEAD_MAX,
    };
    return h2_create(&h2_cfg, &mesh_h2_ops, l, ret_h2);
}

static enum err take_over(struct link *l)
{
    struct handshake *h = l->handshake;
    TRY(peer_meet(l->mesh, h, &l->peer));
    TRY(make_session(l, false, &l->client));
    TRY(make_session(l, true, &l->server));
    record_writer_init(&l->writer, &h->send, mesh_now_ms(l->mesh));
    l->receive = h->receive;
    l->not_after_ms = h->cert.not_after_ms;
    memcpy(l->static_key, h->noise.remote_static, sizeof(l->static_key));
    return ERR_OK;
}

static enum err judge(struct link *l)
{
    const struct mesh *m = l->mesh;
    enum err e = m->ops->admit ? m->ops->admit(m->owner, &l->peer->id) : ERR_OK;
    l->is_provisional = e == ERR_NOT_ADMITTED;
    return l->is_provisional ? ERR_OK : e;
}

enum err link_up(struct link *l)
{
    struct mesh *m = l->mesh;
    TRY(take_over(l));
    TRY(judge(l));
    handshake_fini(l->handshake);
    free(l->handshake);
    l->handshake = NULL;
    move(l, LINK_UP, ERR_OK);
    io_timer_stop(&l->deadline);
    l->up_ms = l->used_ms = mesh_now_ms(m);
    l->up_order = ++m->up_count;
    m->counts.links_up++;
    link_ping_start(l);
    link_output(l);
    if (l->contact)
        contact_link_up(l->contact);
    peer_link_up(l);
    return ERR_OK;
}

void link_drain(struct link *l)
{
    if (l->state != LINK_UP)
        return;
    move(l, LINK_DRAINING, ERR_DUPLICATE_LINK);
    h2_drain(l->server);
    io_timer_start(l->mesh->cfg.loop, &l->deadline, LINK_DRAIN_MS, on_deadline);
    link_output(l);
}

/* --- end */

static void log_down(struct link *l, enum err reason, const char *addr)
{
    struct mesh *m = l->mesh;
    bool quiet = reason == ERR_DUPLICATE_LINK || reason == ERR_IDLE || m->closing;
    LOG(m->cfg.log, quiet ? LOG_DEBUG : LOG_INFO, "link_down", LOG_STR("peer", l->peer->name),
        LOG_STR("addr", addr), LOG_ERR(reason), LOG_UINT("lived_ms", mesh_now_ms(m) - l->up_ms));
}

/* Strangers may fill no log: one line a second for all of them. Contacts are said once per
 * reason. */
static bool refusal_is_known(struct link *l, enum err reason)
{
    struct mesh *m = l->mesh;
    uint64_t now_ms = mesh_now_ms(m);
    if (l->contact)
        return l->contact->logged == reason;
    if (m->refusal_logged_ms && now_ms - m->refusal_logged_ms < 1000)
        return true;
    m->refusal_logged_ms = now_ms;
    return false;
}

static void log_refused(struct link *l, enum err reason, const char *addr)
{
    const struct handshake *h = l->handshake;
    bool clocks = h->clock_known && (reason == ERR_CERT_EXPIRED || reason == ERR_CLOCK_SKEW);
    LOG(l->mesh->cfg.log, refusal_is_known(l, reason) ? LOG_DEBUG : LOG_WARN, "link_refused",
        LOG_STR("addr", addr), LOG_ERR(reason), LOG_STR("by", h->refused_by_peer ? "peer" : "us"),
        LOG_STR("hint", clocks || reason == ERR_CLOCK_SKEW ? "do the clocks agree?" : ""),
        LOG_INT("peer_clock_ahead_ms", clocks ? h->clock_ahead_ms : 0));
}

static void log_end(struct link *l, enum err reason, bool was_open)
{
    struct mesh *m = l->mesh;
    char addr[IO_ADDR_TEXT_SIZE];
    io_addr_to_text(&l->addr, addr);
    if (was_open) {
        log_down(l, reason, addr);
        return;
    }
    m->counts.links_failed++;
    if (l->state == LINK_CONNECTING || m->closing)
        return;
    m->counts.handshakes_refused++;
    if (reason != ERR_SELF_LINK) /* the contact says it */
        log_refused(l, reason, addr);
}

/* Whoever was never linked is told why at most LINK_UNFINISHED_MAX times in the while that a socket
 * lingers for it: else strangers could hold every descriptor there is. */
static bool is_worth_a_word(struct link *l)
{
    struct mesh *m = l->mesh;
    uint64_t now_ms = mesh_now_ms(m);
    if (!l->handshake || l->dialled)
        return true;
    if (now_ms - m->farewells_ms >= LINK_LINGER_MS) {
        m->farewells_ms = now_ms;
        m->farewells = 0;
    }
    return m->farewells++ < LINK_UNFINISHED_MAX;
}

static void end_stream(struct link *l, enum err reason)
{
    bool can_tell = !l->is_mute && l->state != LINK_CONNECTING && reason != ERR_TIMEOUT;
    if (can_tell && is_worth_a_word(l)) {
        link_out_goodbye(l, reason);
        io_stream_close_gracefully(l->stream, LINK_LINGER_MS);
    } else {
        buf_clear(&l->mesh->out); /* a refusal that nobody will read */
        io_stream_close(l->stream);
    }
    l->stream = NULL;
}

void link_end(struct link *l, enum err reason)
{
    if (l->state == LINK_GONE)
        return;
    struct mesh *m = l->mesh;
    bool was_open = link_is_open(l);
    log_end(l, reason, was_open);
    end_stream(l, reason);
    move(l, LINK_GONE, reason);
    io_timer_stop(&l->deadline);
    io_task_cancel(&l->flush);
    link_ping_stop(l);
    list_remove(&l->node);
    list_push_back(&m->gone_links, &l->node);
    io_task_post(m->cfg.loop, &m->reap);
    if (was_open)
        peer_link_ended(l, reason);
    if (l->contact)
        contact_link_ended(l->contact, l, reason);
}

void link_reap(struct mesh *m)
{
    for (struct list *it; (it = list_pop_front(&m->gone_links)) != NULL;) {
        struct link *l = LIST_ENTRY(it, struct link, node);
        h2_destroy(l->client);
        h2_destroy(l->server);
        io_task_cancel(&l->flush);
        link_free(l);
    }
}

/* --- the stream's callbacks */

static void on_open(void *owner, enum err e)
{
    struct link *l = owner;
    if (e == ERR_OK) {
        start_handshake(l);
        return;
    }
    l->is_mute = true;
    link_end(l, e);
}

static void on_eof(void *owner)
{
    struct link *l = owner;
    l->is_mute = true;
    link_end(l, ERR_EOF);
}

static void on_drain(void *owner)
{
    link_output(owner);
}

static void on_fail(void *owner, enum err e)
{
    struct link *l = owner;
    l->is_mute = true;
    link_end(l, e);
}

const struct io_stream_ops link_stream_ops = {
    .on_open = on_open,
    .on_read = link_on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_fail = on_fail,
};
