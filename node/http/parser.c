/* The states of one HTTP/1.1 parser and the calls to its owner. Called by ingress (requests) and
 * egress (answers of backends); the reading is llhttp's (framing.c), between the checks of
 * parser_lines.c, parser_head.c and parser_chunks.c.
 *
 * Happy path: IDLE -> HEAD -> one of the BODY states -> DONE -> (next message) HEAD. Failure: any
 * state -> FAILED, which only reset leaves. Owners are called from this file only, on_end as the
 * very last thing, so that it may reset or destroy the parser. */
#include "node/http/parser_impl.h"

#include <stdlib.h>

#define INTERIM_MAX 16 /* 1xx answers before the real one: no server sends more than a few */

enum err http_parser_fail(struct http_parser *p, enum err e, const char *detail)
{
    p->detail = detail;
    return e;
}

enum err http_parser_fail_malformed(struct http_parser *p, const char *detail)
{
    bool is_request = p->cfg.kind == HTTP_PARSE_REQUEST;
    return http_parser_fail(p, is_request ? ERR_INVALID_REQUEST : ERR_PROTOCOL, detail);
}

enum err http_parser_frame(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    enum err e = framing_feed(p->framing, data, ret_used);
    if (e == ERR_OK || !framing_detail(p->framing))
        return e;
    return http_parser_fail_malformed(p, framing_detail(p->framing));
}

static enum err pass_body(void *parser, struct bytes data)
{
    struct http_parser *p = parser;
    return p->ops->on_body(p->owner, data);
}

static const struct framing_ops framing_ops = {http_parser_take_start, http_parser_take_field,
                                               pass_body};

enum err http_parser_create(const struct http_parser_cfg *cfg, const struct http_parser_ops *ops,
                            void *owner, struct http_parser **ret_parser)
{
    struct http_parser *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
    p->framing = framing_create(cfg->kind == HTTP_PARSE_RESPONSE, &framing_ops, p);
    if (!p->framing) {
        free(p);
        return ERR_NO_MEMORY;
    }
    p->cfg = *cfg;
    p->ops = ops;
    p->owner = owner;
    p->detail = "";
    buf_init(&p->buf, cfg->head_max);
    *ret_parser = p;
    return ERR_OK;
}

void http_parser_destroy(struct http_parser *p)
{
    if (!p)
        return;
    framing_destroy(p->framing);
    buf_fini(&p->buf);
    free(p->fields);
    free(p);
}

void http_parser_reset(struct http_parser *p, bool answer_to_head)
{
    p->state = PARSER_IDLE;
    p->error = ERR_OK;
    p->detail = "";
    p->answer_to_head = answer_to_head;
    p->interim_count = 0;
    http_parser_begin_head(p);
    if (p->buf.capacity > PARSER_HEAD_KEPT) {
        buf_fini(&p->buf);
        buf_init(&p->buf, p->cfg.head_max);
    }
    if (p->field_capacity > PARSER_FIELDS_KEPT) {
        free(p->fields);
        p->fields = NULL;
        p->field_capacity = 0;
    }
}

void http_parser_set_owner(struct http_parser *p, void *owner)
{
    p->owner = owner;
}

const char *http_parser_detail(const struct http_parser *p)
{
    return p->detail;
}

bool http_parser_is_busy(const struct http_parser *p)
{
    if (p->state == PARSER_HEAD) /* a stray empty line is no message yet */
        return p->buf.size > 0 || p->interim_count > 0;
    return p->state != PARSER_IDLE && p->state != PARSER_DONE && p->state != PARSER_FAILED;
}

const char *http_library_version(void)
{
    return framing_library_version();
}

/* --- one step in each state: takes some bytes, tells how many */

/* 100, 102, 103, ...: nothing for the owner; the real answer follows. */
static enum err skip_interim(struct http_parser *p)
{
    if (p->head.chunked || p->head.content_length > 0)
        return http_parser_fail_malformed(p, "an interim answer with a body");
    if (++p->interim_count > INTERIM_MAX)
        return http_parser_fail_malformed(p, "too many interim answers");
    http_parser_begin_head(p);
    return ERR_OK;
}

static enum err finish_head(struct http_parser *p)
{
    TRY(http_parser_read_head(p));
    if (p->cfg.kind == HTTP_PARSE_RESPONSE && p->head.status < 200)
        return skip_interim(p);
    if (framing_is_complete(p->framing)) {
        p->state = PARSER_DONE;
    } else if (p->head.chunked) {
        http_parser_begin_chunks(p);
        p->state = PARSER_BODY_CHUNKED;
    } else {
        p->state = PARSER_BODY;
        if (p->head.content_length < 0) /* until the connection ends */
            p->head.keep_alive = false;
    }
    return p->ops->on_head(p->owner, &p->head);
}

static enum err step_head(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    bool complete = false;
    TRY(http_parser_collect(p, data, ret_used, &complete));
    return complete ? finish_head(p) : ERR_OK;
}

static enum err step_body(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    TRY(p->state == PARSER_BODY ? http_parser_frame(p, data, ret_used)
                                : http_parser_take_chunks(p, data, ret_used));
    if (framing_is_complete(p->framing))
        p->state = PARSER_DONE;
    return ERR_OK;
}

static enum err step(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    switch (p->state) {
    case PARSER_HEAD: return step_head(p, data, ret_used);
    case PARSER_BODY:
    case PARSER_BODY_CHUNKED: return step_body(p, data, ret_used);
    default: return ERR_INTERNAL;
    }
}

static void begin_message(struct http_parser *p)
{
    if (p->state == PARSER_DONE)
        http_parser_reset(p, false);
    if (p->state == PARSER_IDLE) {
        http_parser_begin_head(p);
        p->state = PARSER_HEAD;
    }
}

enum err http_parser_feed(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    *ret_used = 0;
    if (p->state == PARSER_FAILED)
        return p->error;
    if (data.size == 0)
        return ERR_OK;
    begin_message(p);
    while (*ret_used < data.size && p->state != PARSER_DONE) {
        size_t used = 0;
        enum err e = step(p, bytes_skip(data, *ret_used), &used);
        *ret_used += used;
        if (e != ERR_OK) {
            p->state = PARSER_FAILED;
            p->error = e;
            return e;
        }
    }
    return p->state == PARSER_DONE ? p->ops->on_end(p->owner) : ERR_OK;
}

enum err http_parser_eof(struct http_parser *p)
{
    if (p->state == PARSER_FAILED)
        return p->error;
    if (p->state == PARSER_BODY && framing_finish(p->framing)) {
        p->state = PARSER_DONE;
        return p->ops->on_end(p->owner);
    }
    if (!http_parser_is_busy(p))
        return ERR_OK;
    return http_parser_fail(p, ERR_EOF, "the connection ended in the middle of a message");
}
