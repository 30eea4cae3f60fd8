/* The states of one HTTP/1.1 parser and the calls to its owner. Called by ingress (requests) and
 * egress (answers of backends); the reading itself is in parser_lines.c, parser_head.c,
 * parser_chunks.c and, for a second opinion on framing, llhttp (framing.c).
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

enum err http_parser_create(const struct http_parser_cfg *cfg, const struct http_parser_ops *ops,
                            void *owner, struct http_parser **ret_parser)
{
    struct http_parser *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NO_MEMORY;
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
        return p->buf.size > p->head_start || p->interim_count > 0;
    return p->state != PARSER_IDLE && p->state != PARSER_DONE && p->state != PARSER_FAILED;
}

const char *http_library_version(void)
{
    return framing_library_version();
}

/* --- a head is complete */

static enum err frame(struct http_parser *p, struct bytes data, size_t body_size)
{
    if (framing_feed(p->framing, data, body_size) != ERR_OK)
        return http_parser_fail_malformed(p, framing_detail(p->framing));
    return ERR_OK;
}

/* From a view inside a line to the whole line with its CRLF. */
static struct bytes line_of_field(const struct http_field *field)
{
    const uint8_t *end = field->value.data + field->value.size;
    while (*end != '\n')
        end++;
    return bytes_of(field->name.data, (size_t)(end + 1 - field->name.data));
}

/* Shows llhttp the lines that frame a chunked message. */
static enum err frame_head(struct http_parser *p)
{
    struct bytes start_line = http_parser_start_line(p);
    if (!p->framing)
        p->framing = framing_create(p->cfg.kind == HTTP_PARSE_RESPONSE);
    if (!p->framing)
        return http_parser_fail(p, ERR_NO_MEMORY, "out of memory");
    framing_reset(p->framing);
    TRY(frame(p, bytes_of(start_line.data, start_line.size + 2), 0));
    for (size_t i = 0; i < p->head.field_count; i++) {
        const struct http_field *field = &p->fields[i];
        if (field->id == HTTP_TRANSFER_ENCODING)
            TRY(frame(p, line_of_field(field), 0));
    }
    TRY(frame(p, BYTES("\r\n"), 0));
    if (!framing_head_is_complete(p->framing) || framing_is_complete(p->framing))
        return http_parser_fail_malformed(p, "two readings of the header's end differ");
    return ERR_OK;
}

/* What version and Connection say (RFC 9112 section 9.3). */
static bool is_persistent(const struct http_head *head)
{
    if (!http_find(head, HTTP_CONNECTION))
        return head->minor_version > 0;
    if (http_connection_names(head, BYTES("close")))
        return false;
    return head->minor_version > 0 || http_connection_names(head, BYTES("keep-alive"));
}

static enum parser_state state_after_head(const struct http_parser *p, bool has_no_body)
{
    const struct http_head *head = &p->head;
    if (has_no_body || head->content_length == 0)
        return PARSER_DONE;
    if (head->chunked)
        return PARSER_BODY_CHUNKED;
    if (head->content_length > 0)
        return PARSER_BODY_LENGTH;
    return p->cfg.kind == HTTP_PARSE_REQUEST ? PARSER_DONE : PARSER_BODY_EOF;
}

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
    bool is_answer = p->cfg.kind == HTTP_PARSE_RESPONSE;
    if (is_answer && p->head.status < 200)
        return skip_interim(p);
    bool has_no_body = is_answer && (p->answer_to_head || http_status_has_no_body(p->head.status));
    enum parser_state next = state_after_head(p, has_no_body);
    if (next == PARSER_BODY_CHUNKED)
        TRY(frame_head(p));
    p->head.keep_alive = is_persistent(&p->head) && next != PARSER_BODY_EOF;
    p->remaining = next == PARSER_BODY_LENGTH ? (uint64_t)p->head.content_length : 0;
    p->chunk_state = CHUNK_SIZE;
    p->chunk_digits = 0;
    p->chunk_overhead = 0;
    p->state = next;
    return p->ops->on_head(p->owner, &p->head);
}

/* --- one step in each state: takes some bytes, tells how many */

static enum err step_head(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    bool complete = false;
    TRY(http_parser_collect(p, data, ret_used, &complete));
    return complete ? finish_head(p) : ERR_OK;
}

static enum err step_length(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    if (data.size > p->remaining)
        data.size = (size_t)p->remaining;
    *ret_used = data.size;
    p->remaining -= data.size;
    if (p->remaining == 0)
        p->state = PARSER_DONE;
    return p->ops->on_body(p->owner, data);
}

static enum err step_eof(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    *ret_used = data.size;
    return p->ops->on_body(p->owner, data);
}

static enum err pass_chunk_data(struct http_parser *p, struct bytes data)
{
    TRY(frame(p, data, data.size));
    return p->ops->on_body(p->owner, data);
}

static enum err end_chunks(struct http_parser *p)
{
    TRY(frame(p, BYTES("\r\n"), 0));
    if (!framing_is_complete(p->framing))
        return http_parser_fail_malformed(p, "two readings of the message's end differ");
    p->state = PARSER_DONE;
    return ERR_OK;
}

static enum err step_chunked(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    enum chunk_segment segment;
    enum err checked = http_parser_chunk_segment(p, data, ret_used, &segment);
    const char *detail = p->detail;
    struct bytes taken = bytes_of(data.data, *ret_used);
    if (segment == CHUNK_SEGMENT_DATA)
        TRY(pass_chunk_data(p, taken));
    else if (segment == CHUNK_SEGMENT_LINE && taken.size)
        TRY(frame(p, taken, 0));
    if (checked != ERR_OK)
        return http_parser_fail(p, checked, detail);
    return p->chunk_state == CHUNK_END ? end_chunks(p) : ERR_OK;
}

static enum err step(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    switch (p->state) {
    case PARSER_HEAD: return step_head(p, data, ret_used);
    case PARSER_BODY_LENGTH: return step_length(p, data, ret_used);
    case PARSER_BODY_CHUNKED: return step_chunked(p, data, ret_used);
    case PARSER_BODY_EOF: return step_eof(p, data, ret_used);
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
    if (p->state == PARSER_BODY_EOF) {
        p->state = PARSER_DONE;
        return p->ops->on_end(p->owner);
    }
    if (!http_parser_is_busy(p))
        return ERR_OK;
    return http_parser_fail(p, ERR_EOF, "the connection ended in the middle of a message");
}
