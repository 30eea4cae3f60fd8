/* See reclaim.h. Used by node.c.
 *
 * Happy path: resolve, ask, no notice, ask again …, notice, told once. Failure modes: nobody
 * answers, or something that is no notice: said once, asked on, since a metadata service that is
 * away says nothing about the machine; 401: a token is asked for first, and again when it is no
 * longer taken. */
#include "node/reclaim.h"

#include "node/config/url.h"
#include "node/lane.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#define TOKEN_TTL_S 21600

struct reclaim {
    struct reclaim_cfg cfg;
    struct url_parts url;
    char host[256];
    struct io_resolve *resolve;
    struct io_timer timer; /* between two questions, or the time-out of one */
    struct client client;
    bool has_client;
    struct client_call call;
    struct buf head, answer;
    int status;
    char token[RECLAIM_TOKEN_MAX]; /* "": none */
    bool asks_token;
    bool is_silent; /* it did not answer the last time, and this was said */
};

static void ask(struct reclaim *r);

/* --- what an answer says */

static bool is_word(struct bytes body, const char *word)
{
    while (body.size > 0 && (body.data[body.size - 1] == '\n' || body.data[body.size - 1] == '\r'))
        body.size--;
    return bytes_equal(body, bytes_from_str(word));
}

static bool is_one_of(const cJSON *item, const char *const *words, size_t count)
{
    for (size_t i = 0; cJSON_IsString(item) && i < count; i++)
        if (strcmp(item->valuestring, words[i]) == 0)
            return true;
    return false;
}

static bool has_event(const cJSON *events)
{
    static const char *const ends[] = {"Preempt", "Terminate"};
    const cJSON *event;
    cJSON_ArrayForEach(event,
                       events) if (is_one_of(cJSON_GetObjectItemCaseSensitive(event, "EventType"),
                                             ends, 2)) return true;
    return false;
}

bool reclaim_is_notice(struct bytes body)
{
    static const char *const actions[] = {"terminate", "stop", "hibernate"};
    if (is_word(body, "TRUE"))
        return true;
    cJSON *root = cJSON_ParseWithLength((const char *)body.data, body.size);
    bool is_notice = is_one_of(cJSON_GetObjectItemCaseSensitive(root, "action"), actions, 3) ||
                     has_event(cJSON_GetObjectItemCaseSensitive(root, "Events"));
    cJSON_Delete(root);
    return is_notice;
}

/* --- one question after the other */

static void on_period(struct io_timer *timer)
{
    ask(LIST_ENTRY(timer, struct reclaim, timer));
}

static void wait_for_next(struct reclaim *r)
{
    io_timer_start(r->cfg.lane->loop, &r->timer, RECLAIM_PERIOD_MS, on_period);
}

static void say(struct reclaim *r, enum err reason)
{
    bool is_silent = reason != ERR_OK;
    if (is_silent != r->is_silent)
        LOG(r->cfg.lane->log, is_silent ? LOG_WARN : LOG_INFO,
            is_silent ? "reclaim_unknown" : "reclaim_known", LOG_STR("url", r->cfg.url),
            LOG_INT("status", r->status), LOG_ERR(reason));
    r->is_silent = is_silent;
}

static void failed(struct reclaim *r, enum err e)
{
    say(r, e);
    wait_for_next(r);
}

static void on_head(struct client_call *call, const struct http_head *head)
{
    LIST_ENTRY(call, struct reclaim, call)->status = head->status;
}

static void on_data(struct client_call *call, struct bytes data)
{
    struct reclaim *r = LIST_ENTRY(call, struct reclaim, call);
    if (buf_append(&r->answer, data) == ERR_OK)
        return;
    client_cancel(call);
    failed(r, ERR_LIMIT);
}

static void take_token(struct reclaim *r)
{
    struct bytes token = buf_bytes(&r->answer);
    bool is_fine = r->status == 200 && token.size > 0 && token.size < sizeof r->token;
    for (size_t i = 0; is_fine && i < token.size; i++)
        is_fine = token.data[i] > 0x20 && token.data[i] < 0x7f;
    r->asks_token = false;
    if (!is_fine) {
        failed(r, ERR_PROTOCOL);
        return;
    }
    bytes_to_str(token, r->token, sizeof r->token);
    ask(r);
}

static void on_end(struct client_call *call)
{
    struct reclaim *r = LIST_ENTRY(call, struct reclaim, call);
    io_timer_stop(&r->timer);
    if (r->asks_token) {
        take_token(r);
    } else if (r->status == 401) {
        r->asks_token = true;
        wait_for_next(r);
    } else if (r->status == 200 && reclaim_is_notice(buf_bytes(&r->answer))) {
        LOG(r->cfg.lane->log, LOG_WARN, "reclaimed", LOG_STR("url", r->cfg.url),
            LOG_BYTES("notice", buf_bytes(&r->answer)));
        r->cfg.on_notice(r->cfg.owner);
    } else {
        say(r, r->status == 200 || r->status == 404 ? ERR_OK : ERR_PROTOCOL);
        wait_for_next(r);
    }
}

static void on_fail(struct client_call *call, enum err e, bool begun)
{
    (void)begun;
    failed(LIST_ENTRY(call, struct reclaim, call), e);
}

static const struct client_ops call_ops = {on_head, on_data, on_end, on_fail};

static void on_timeout(struct io_timer *timer)
{
    struct reclaim *r = LIST_ENTRY(timer, struct reclaim, timer);
    client_cancel(&r->call);
    failed(r, ERR_TIMEOUT);
}

/* What each of the clouds wants to see is of no meaning to the others. */
static enum err write_head(struct reclaim *r)
{
    struct bytes target = r->asks_token ? BYTES("/latest/api/token") : r->url.target;
    buf_clear(&r->head);
    TRY(buf_append_str(&r->head, r->asks_token ? "PUT " : "GET "));
    TRY(buf_append(&r->head, target));
    TRY(buf_printf(&r->head,
                   " HTTP/1.1\r\nhost: %s\r\nuser-agent: grapevine\r\nmetadata: true\r\n"
                   "metadata-flavor: Google\r\n",
                   r->host));
    if (r->asks_token)
        return buf_printf(&r->head,
                          "x-aws-ec2-metadata-token-ttl-seconds: %d\r\n"
                          "content-length: 0\r\n\r\n",
                          TOKEN_TTL_S);
    if (r->token[0])
        TRY(buf_printf(&r->head, "x-aws-ec2-metadata-token: %s\r\n", r->token));
    return buf_append_str(&r->head, "\r\n");
}

static void on_resolved(void *owner, enum err e, const struct io_addr *addr)
{
    struct reclaim *r = owner;
    r->resolve = NULL;
    if (e == ERR_OK) {
        if (!r->has_client)
            client_init(&r->client, r->cfg.lane->loop, addr);
        r->has_client = true;
        r->client.addr = *addr;
        r->status = 0;
        buf_clear(&r->answer);
        e = write_head(r);
    }
    if (e == ERR_OK) {
        r->call = (struct client_call){.ops = &call_ops, .head = buf_bytes(&r->head)};
        io_timer_start(r->cfg.lane->loop, &r->timer, RECLAIM_TIMEOUT_MS, on_timeout);
        e = client_start(&r->client, &r->call);
    }
    if (e != ERR_OK)
        failed(r, e);
}

static void ask(struct reclaim *r)
{
    char host[sizeof r->host];
    bytes_to_str(r->url.host, host, sizeof host);
    enum err e =
        io_resolve_start(r->cfg.lane->loop, host, r->url.port, on_resolved, r, &r->resolve);
    if (e != ERR_OK)
        failed(r, e);
}

enum err reclaim_start(const struct reclaim_cfg *cfg, struct reclaim **ret_reclaim)
{
    struct reclaim *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    r->cfg = *cfg;
    enum err e = url_split(bytes_from_str(cfg->url), &r->url);
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    bytes_to_str(r->url.host, r->host, sizeof r->host);
    buf_init(&r->head, 4096);
    buf_init(&r->answer, RECLAIM_ANSWER_MAX);
    *ret_reclaim = r;
    ask(r);
    return ERR_OK;
}

void reclaim_stop(struct reclaim *r)
{
    if (!r)
        return;
    io_timer_stop(&r->timer);
    if (r->resolve)
        io_resolve_cancel(r->resolve);
    if (r->has_client) {
        client_cancel(&r->call);
        client_fini(&r->client);
    }
    buf_fini(&r->head);
    buf_fini(&r->answer);
    free(r);
}
