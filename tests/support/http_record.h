/* Feeds an HTTP/1.1 parser and writes what it says as text: one line per head, one per complete
 * body. Pieces of a body are joined, so the text is the same however the input was cut: unit tests
 * compare it with what they expect, fuzz targets with the text of another cut. */
#ifndef TESTS_SUPPORT_HTTP_RECORD_H
#define TESTS_SUPPORT_HTTP_RECORD_H

#include "node/http/parser.h"

struct http_record {
    struct buf text;
    struct buf body;
    size_t heads;
    size_t ends;
    enum err refuse_head; /* what on_head answers */
    struct http_parser *parser;
};

static inline void record_must(enum err e)
{
    CHECK(e == ERR_OK);
}

static inline void record_part(struct http_record *r, const char *label, struct bytes value)
{
    record_must(buf_append_str(&r->text, label));
    record_must(buf_append(&r->text, value));
}

static inline enum err record_on_head(void *owner, const struct http_head *head)
{
    struct http_record *r = (struct http_record *)owner;
    r->heads++;
    if (head->status == 0) {
        record_part(r, "", http_method_text(head->method));
        record_part(r, " ", head->target);
        record_part(r, " host=", head->host);
    } else {
        record_must(buf_printf(&r->text, "%d", head->status));
        record_part(r, " reason=", head->reason);
    }
    record_must(buf_printf(&r->text, " 1.%d%s%s%s length=%lld", head->minor_version,
                           head->keep_alive ? " keep" : "", head->chunked ? " chunked" : "",
                           head->expect_continue ? " continue" : "",
                           (long long)head->content_length));
    for (size_t i = 0; i < head->field_count; i++) {
        CHECK(head->fields[i].id == http_name_of(head->fields[i].name));
        record_part(r, " ", head->fields[i].name);
        record_part(r, ":", head->fields[i].value);
    }
    record_part(r, "", BYTES("\n"));
    return r->refuse_head;
}

static inline enum err record_on_body(void *owner, struct bytes data)
{
    struct http_record *r = (struct http_record *)owner;
    CHECK(data.size > 0);
    record_must(buf_append(&r->body, data));
    return ERR_OK;
}

static inline enum err record_on_end(void *owner)
{
    struct http_record *r = (struct http_record *)owner;
    r->ends++;
    record_part(r, "body=", buf_bytes(&r->body));
    record_part(r, "", BYTES("\n"));
    buf_clear(&r->body);
    return ERR_OK;
}

static inline void record_init(struct http_record *r, enum http_parser_kind kind, size_t head_max,
                               size_t target_max)
{
    static const struct http_parser_ops ops = {record_on_head, record_on_body, record_on_end};
    struct http_parser_cfg cfg = {kind, head_max, target_max};
    *r = (struct http_record){0};
    buf_init(&r->text, 64 << 20);
    buf_init(&r->body, 64 << 20);
    record_must(http_parser_create(&cfg, &ops, r, &r->parser));
}

static inline void record_fini(struct http_record *r)
{
    http_parser_destroy(r->parser);
    buf_fini(&r->text);
    buf_fini(&r->body);
}

/* Feeds all of it, message after message; *ret_used says how far it came. */
static inline enum err record_feed(struct http_record *r, struct bytes data, size_t *ret_used)
{
    *ret_used = 0;
    while (*ret_used < data.size) {
        size_t used = 0;
        enum err e = http_parser_feed(r->parser, bytes_skip(data, *ret_used), &used);
        *ret_used += used;
        if (e != ERR_OK)
            return e;
        CHECK(used > 0);
    }
    return ERR_OK;
}

/* The end of a run: what is left of a body, and how it ended. */
static inline void record_close(struct http_record *r, enum err e)
{
    if (e == ERR_OK)
        e = http_parser_eof(r->parser);
    record_part(r, "rest=", buf_bytes(&r->body));
    record_must(buf_printf(&r->text, " %s\n", err_word(e)));
}

#endif
