/* llhttp behind framing.h, strict mode. Its callbacks are the few that are needed, and hand on
 * views: fields lie whole in the parser's buf. It pauses at the end of a message, so that bytes of
 * the next one stay with the caller. */
#include "node/http/framing.h"

#include <llhttp.h>
#include <stdlib.h>

struct framing {
    llhttp_t parser;
    const struct framing_ops *ops;
    void *owner;
    const uint8_t *begin; /* of the message */
    struct bytes text;    /* target or reason, then the name of the field at hand */
    struct framing_head head;
    uint64_t chunk_size;
    const char *detail;
    enum err owner_error;
    bool started;
    bool no_body;
    bool head_complete;
    bool chunk_begun;
    bool complete;
};

static int on_text(llhttp_t *parser, const char *at, size_t size)
{
    struct framing *f = parser->data;
    f->text = bytes_of(at, size);
    return 0;
}

static int owner_says(struct framing *f, enum err e)
{
    f->owner_error = e;
    return e == ERR_OK ? 0 : -1;
}

/* Before the CRLF of a request line, behind that of a status line. */
static int on_start_complete(llhttp_t *parser)
{
    struct framing *f = parser->data;
    f->started = true;
    struct framing_start start = {
        .status = parser->status_code,
        .major = parser->http_major,
        .minor = parser->http_minor,
    };
    if (parser->type == HTTP_RESPONSE) {
        start.reason = f->text;
    } else {
        start.target = f->text;
        start.method = bytes_of(f->begin, (size_t)(f->text.data - f->begin) - 1);
    }
    return owner_says(f, f->ops->on_start(f->owner, &start));
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct framing *f = parser->data;
    if (parser->flags & F_TRAILING)
        return 0;
    return owner_says(f, f->ops->on_field(f->owner, f->text, bytes_of(at, size)));
}

/* Upgrade and CONNECT never change how the rest is read: the one is ignored, the other refused. */
static int on_headers_complete(llhttp_t *parser)
{
    struct framing *f = parser->data;
    parser->upgrade = 0;
    f->head_complete = true;
    f->head = (struct framing_head){
        .chunked = parser->flags & F_CHUNKED,
        .has_length = parser->flags & F_CONTENT_LENGTH,
        .length = parser->content_length,
        .close = parser->flags & F_CONNECTION_CLOSE,
        .keep_alive = parser->flags & F_CONNECTION_KEEP_ALIVE,
    };
    return f->no_body;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct framing *f = parser->data;
    return size ? owner_says(f, f->ops->on_body(f->owner, bytes_of(at, size))) : 0;
}

static int on_chunk_header(llhttp_t *parser)
{
    struct framing *f = parser->data;
    f->chunk_size = parser->content_length;
    f->chunk_begun = true;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct framing *f = parser->data;
    f->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t request_settings = {
    .on_url = on_text,
    .on_version_complete = on_start_complete,
    .on_header_field = on_text,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

static const llhttp_settings_t answer_settings = {
    .on_status = on_text,
    .on_status_complete = on_start_complete,
    .on_header_field = on_text,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

struct framing *framing_create(bool answers, const struct framing_ops *ops, void *owner)
{
    struct framing *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    if (answers)
        llhttp_init(&f->parser, HTTP_RESPONSE, &answer_settings);
    else
        llhttp_init(&f->parser, HTTP_REQUEST, &request_settings);
    f->parser.data = f;
    f->ops = ops;
    f->owner = owner;
    return f;
}

void framing_destroy(struct framing *f)
{
    free(f);
}

static llhttp_errno_t execute(struct framing *f, struct bytes data)
{
    return llhttp_execute(&f->parser, (const char *)data.data, data.size);
}

static void reset(struct framing *f)
{
    llhttp_reset(&f->parser);
    f->text = (struct bytes){0};
    f->owner_error = ERR_OK;
    f->started = f->no_body = f->head_complete = f->chunk_begun = f->complete = false;
}

/* What llhttp's word means to our owner. */
static enum err result(struct framing *f, llhttp_errno_t e)
{
    f->detail = NULL;
    if (e == HPE_OK || (e == HPE_PAUSED && f->complete))
        return ERR_OK;
    if (f->owner_error != ERR_OK)
        return f->owner_error;
    const char *reason = llhttp_get_error_reason(&f->parser);
    f->detail = reason && *reason ? reason : "llhttp refuses it";
    return e == HPE_INVALID_VERSION ? ERR_VERSION_NOT_SUPPORTED : ERR_PROTOCOL;
}

static bool is_token(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i], lower = byte | 0x20;
        bool is_alnum = (byte >= '0' && byte <= '9') || (lower >= 'a' && lower <= 'z');
        if (!is_alnum && (byte == 0 || !strchr("!#$%&'*+-.^_`|~", byte)))
            return false;
    }
    return text.size > 0;
}

/* llhttp refuses methods that it does not know, which is no matter of framing: it reads GET in
 * their place, and the owner answers as it likes. */
static llhttp_errno_t read_other_method(struct framing *f, struct bytes head)
{
    size_t method_size = bytes_find(head, ' ');
    if (!is_token(bytes_of(head.data, method_size)))
        return HPE_INVALID_METHOD;
    reset(f);
    llhttp_errno_t e = execute(f, BYTES("GET"));
    return e == HPE_OK ? execute(f, bytes_skip(head, method_size)) : e;
}

enum err framing_begin(struct framing *f, struct bytes head)
{
    reset(f);
    f->begin = head.data;
    llhttp_errno_t e = execute(f, head);
    if (e == HPE_INVALID_METHOD)
        e = read_other_method(f, head);
    if (!f->started && e != HPE_INVALID_VERSION) { /* broken, or HTTP/0.9 */
        f->detail = "the start line is malformed";
        return ERR_PROTOCOL;
    }
    return result(f, e);
}

void framing_expect_no_body(struct framing *f)
{
    f->no_body = true;
}

enum err framing_feed(struct framing *f, struct bytes data, size_t *ret_used)
{
    llhttp_errno_t e = execute(f, data);
    *ret_used = data.size;
    if (e != HPE_OK)
        *ret_used = (size_t)((const uint8_t *)llhttp_get_error_pos(&f->parser) - data.data);
    return result(f, e);
}

bool framing_finish(struct framing *f)
{
    return llhttp_message_needs_eof(&f->parser) && llhttp_finish(&f->parser) == HPE_PAUSED;
}

const struct framing_head *framing_head(const struct framing *f)
{
    return f->head_complete ? &f->head : NULL;
}

bool framing_is_complete(const struct framing *f)
{
    return f->complete;
}

bool framing_take_chunk(struct framing *f, uint64_t *ret_size)
{
    if (!f->chunk_begun)
        return false;
    f->chunk_begun = false;
    *ret_size = f->chunk_size;
    return true;
}

const char *framing_detail(const struct framing *f)
{
    return f->detail;
}

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *framing_library_version(void)
{
    return VERSION_TEXT(LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH);
}
