/* A small HTTP client over the control socket, on a loop of its own that ends with the answer.
 * One answer goes on until the node or the caller ends it.
 *
 * Happy path: connect, write the request, parse, end of the message stops the loop.
 * Failure modes: no socket or nobody behind it (connect fails), silence (timer), an end or a reset
 * in the middle, an answer that is not HTTP or too large: each ends the loop with its error. */
#include "node/cli/control.h"

#include "node/cli/dir/nodedir.h"
#include "node/cli/far.h"
#include "node/http/parser.h"
#include "node/io/stream.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

#define HEAD_MAX (16 * 1024)
#define KNOCK_MS 100

struct call {
    struct io_loop *loop;
    struct io_stream *stream;
    struct io_timer timer;
    struct http_parser *parser;
    const char *target;
    const struct far *far; /* NULL: the control socket */
    struct io_resolve *resolve;
    struct buf fields; /* that sign it */
    uint64_t timeout_ms;
    bool is_post;
    struct bytes content; /* of a POST */
    struct buf *body;
    bool (*on_data)(void *owner, struct bytes data); /* of an answer that goes on; or NULL */
    void *owner;
    int status;
    bool is_done;
    enum err result;
};

static void finish(struct call *c, enum err e)
{
    if (c->is_done)
        return;
    c->is_done = true;
    c->result = e;
    io_loop_stop(c->loop);
}

static bool goes_on(const struct call *c)
{
    return c->on_data && c->status == 200;
}

static enum err on_head(void *owner, const struct http_head *head)
{
    struct call *c = owner;
    c->status = head->status;
    if (goes_on(c))
        io_timer_stop(&c->timer);
    return ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct call *c = owner;
    if (!goes_on(c))
        return buf_append(c->body, data);
    if (!c->is_done && !c->on_data(c->owner, data))
        finish(c, ERR_OK);
    return ERR_OK;
}

static enum err on_end(void *owner)
{
    finish(owner, ERR_OK);
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

static void on_open(void *owner, enum err e)
{
    struct call *c = owner;
    char head[1024];
    char length[48] = "";
    if (e != ERR_OK) {
        finish(c, e);
        return;
    }
    if (c->is_post)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", c->content.size);
    int size = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s",
                        c->is_post ? "POST" : "GET", c->target,
                        c->far ? c->far->authority : "grapevine", length);
    CHECK(size > 0 && (size_t)size < sizeof(head));
    struct bytes parts[] = {bytes_of(head, (size_t)size), buf_bytes(&c->fields), BYTES("\r\n"),
                            c->content};
    io_stream_write(c->stream, parts, c->content.size > 0 ? 4 : 3);
    io_stream_read(c->stream);
}

static void on_read(void *owner, struct bytes data)
{
    struct call *c = owner;
    size_t used;
    if (c->is_done)
        return;
    enum err e = http_parser_feed(c->parser, data, &used);
    if (e != ERR_OK)
        finish(c, e);
}

static void on_eof(void *owner)
{
    struct call *c = owner;
    if (c->is_done)
        return;
    enum err e = http_parser_eof(c->parser);
    finish(c, e == ERR_OK ? ERR_EOF : e);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_fail(void *owner, enum err e)
{
    finish(owner, e);
}

static const struct io_stream_ops stream_ops = {on_open, on_read, on_eof, on_drain, on_fail};

static void on_timeout(struct io_timer *timer)
{
    finish(LIST_ENTRY(timer, struct call, timer), ERR_TIMEOUT);
}

static void on_resolved(void *owner, enum err e, const struct io_addr *addr)
{
    struct call *c = owner;
    c->resolve = NULL;
    if (e == ERR_OK)
        e = io_connect(c->loop, addr, &stream_ops, c, &c->stream);
    if (e != ERR_OK)
        finish(c, e);
}

static enum err call_on_loop(struct call *c, const struct io_addr *addr)
{
    struct http_parser_cfg cfg = {.kind = HTTP_PARSE_RESPONSE, .head_max = HEAD_MAX};
    TRY(http_parser_create(&cfg, &parser_ops, c, &c->parser));
    if (c->far)
        TRY(io_resolve_start(c->loop, c->far->host, c->far->port, on_resolved, c, &c->resolve));
    else
        TRY(io_connect(c->loop, addr, &stream_ops, c, &c->stream));
    io_timer_start(c->loop, &c->timer, c->timeout_ms, on_timeout);
    io_loop_run(c->loop);
    io_timer_stop(&c->timer);
    if (c->resolve)
        io_resolve_cancel(c->resolve);
    return c->result;
}

static enum err call_at(const struct io_addr *addr, struct call *c)
{
    TRY(io_loop_create(&c->loop));
    enum err e = call_on_loop(c, addr);
    io_stream_close(c->stream);
    http_parser_destroy(c->parser);
    io_loop_destroy(c->loop);
    return e;
}

/* --- what went wrong */

static enum cli_exit say_unreachable(enum err e, uint64_t timeout_ms, const char *dir,
                                     const char *path)
{
    char quoted[SAY_QUOTED_MAX];
    switch (e) {
    case ERR_NOT_FOUND:
    case ERR_REFUSED:
        return say_error(CLI_UNREACHABLE,
                         "no node answers: %s: is it running? start it with: grapevine "
                         "run --dir %s",
                         path, say_quoted(dir, quoted));
    case ERR_PERMISSION:
        return say_error(CLI_FAILED,
                         "permission denied: %s: only the user who runs the node may ask it", path);
    case ERR_TIMEOUT:
        return say_error(CLI_UNREACHABLE,
                         "no answer within %d s: %s: the node is stuck or overloaded; "
                         "see its log",
                         (int)(timeout_ms / 1000), path);
    default:
        return say_error(say_exit_of(e), "no sane answer (%s): %s: see the node's log", err_text(e),
                         path);
    }
}

static enum cli_exit say_far(enum err e, const char *authority)
{
    bool is_silent = e == ERR_REFUSED || e == ERR_TIMEOUT || e == ERR_UNREACHABLE ||
                     e == ERR_RESOLVE || e == ERR_RESET || e == ERR_EOF;
    return say_error(is_silent ? CLI_UNREACHABLE : say_exit_of(e),
                     "no answer (%s): --node http://%.200s: is that a node's HTTP address?",
                     err_text(e), authority);
}

static enum cli_exit say_status(const struct call *c, const char *missing)
{
    if (c->status == 404 && missing)
        return say_error(CLI_FAILED, "%s", missing);
    char text[1024];
    cJSON *json = cJSON_ParseWithLength((const char *)c->body->data, c->body->size);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));
    snprintf(text, sizeof(text), "%s", message ? message : "no reason given");
    cJSON_Delete(json);
    bool is_forbidden = c->status == 401 || c->status == 403;
    return say_error(is_forbidden ? CLI_REFUSED : CLI_FAILED,
                     "refused by the node with status %d: %.200s: %s", c->status, c->target, text);
}

/* --- requests */

struct place {
    struct far far;
    bool is_far;
    char dir[FILES_PATH_MAX];
    char path[FILES_PATH_MAX];
    struct io_addr addr;
};

static enum cli_exit find_place(const struct cli *cli, struct place *p)
{
    const char *node = flags_get(&cli->flags, "--node");
    p->is_far = node != NULL;
    if (node)
        return far_parse(node, &p->far);
    enum cli_exit code = nodedir_find(&cli->flags, p->dir);
    if (code != CLI_DONE)
        return code;
    if (files_join(p->dir, NODEDIR_CONTROL, p->path) != ERR_OK ||
        io_addr_unix(p->path, &p->addr) != ERR_OK)
        return say_error(CLI_UNREACHABLE, "path too long for a socket: %s: no node can run there",
                         p->path);
    return CLI_DONE;
}

static enum cli_exit call_place(const struct place *place, struct call *c, const char *missing)
{
    enum err e = call_at(&place->addr, c);
    if (e != ERR_OK && goes_on(c))
        return say_error(CLI_UNREACHABLE, "the node stopped: %s: start it again, see its log",
                         place->is_far ? place->far.authority : place->path);
    if (e != ERR_OK && place->is_far)
        return say_far(e, place->far.authority);
    if (e != ERR_OK)
        return say_unreachable(e, c->timeout_ms, place->dir, place->path);
    return c->status == 200 ? CLI_DONE : say_status(c, missing);
}

static enum cli_exit call(const struct cli *cli, struct call *c, const char *missing)
{
    struct place place;
    enum cli_exit code = find_place(cli, &place);
    if (code != CLI_DONE)
        return code;
    buf_init(&c->fields, FAR_FIELDS_MAX);
    if (place.is_far) {
        c->far = &place.far;
        code =
            far_sign(cli, c->far, c->is_post ? "POST" : "GET", c->target, c->content, &c->fields);
    }
    c->timeout_ms = c->is_post ? CONTROL_ORDER_TIMEOUT_MS : CONTROL_TIMEOUT_MS;
    if (code == CLI_DONE)
        code = call_place(&place, c, missing);
    buf_fini(&c->fields);
    return code;
}

enum cli_exit control_get(const struct cli *cli, const char *target, const char *missing,
                          struct buf *body)
{
    struct call c = {.target = target, .body = body, .result = ERR_INTERNAL};
    return call(cli, &c, missing);
}

enum cli_exit control_post(const struct cli *cli, const char *target, struct bytes content,
                           struct buf *body)
{
    struct call c = {.target = target,
                     .is_post = true,
                     .content = content,
                     .body = body,
                     .result = ERR_INTERNAL};
    return call(cli, &c, NULL);
}

enum cli_exit control_follow(const struct cli *cli, const char *target,
                             bool (*on_data)(void *owner, struct bytes data), void *owner)
{
    struct buf body;
    struct call c = {.target = target,
                     .body = &body,
                     .on_data = on_data,
                     .owner = owner,
                     .result = ERR_INTERNAL};
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = call(cli, &c, NULL);
    buf_fini(&body);
    return code;
}

/* --- waiting for the end: whoever may connect is let go at once */

static void on_answered(void *owner, enum err e)
{
    struct call *c = owner;
    finish(c, e);
}

static const struct io_stream_ops knock_ops = {on_answered, NULL, NULL, NULL, on_fail};

static enum err knock(const struct io_addr *addr)
{
    struct call c = {.result = ERR_INTERNAL};
    TRY(io_loop_create(&c.loop));
    enum err e = io_connect(c.loop, addr, &knock_ops, &c, &c.stream);
    if (e == ERR_OK) {
        io_loop_run(c.loop);
        e = c.result;
    }
    io_stream_close(c.stream);
    io_loop_destroy(c.loop);
    return e;
}

enum cli_exit control_await_end(const struct cli *cli)
{
    static const struct timespec pause = {.tv_nsec = KNOCK_MS * 1000000};
    struct place place;
    enum cli_exit code = find_place(cli, &place);
    if (code != CLI_DONE)
        return code;
    while (knock(&place.addr) == ERR_OK)
        nanosleep(&pause, NULL);
    return CLI_DONE;
}
