/* llhttp behind framing.h. Its callbacks only note what happened; parser.c calls its owners after
 * llhttp returned, so that an owner may do as it likes. */
#include "node/http/framing.h"

#include <llhttp.h>
#include <stdlib.h>

struct framing {
    llhttp_t parser;
    size_t body_size; /* seen in the current feed */
    const char *detail;
    bool head_complete;
    bool complete;
};

static int on_headers_complete(llhttp_t *parser)
{
    struct framing *f = parser->data;
    f->head_complete = true;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    (void)at;
    struct framing *f = parser->data;
    f->body_size += size;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct framing *f = parser->data;
    f->complete = true;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

struct framing *framing_create(bool answers)
{
    struct framing *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    llhttp_init(&f->parser, answers ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    f->parser.data = f;
    return f;
}

void framing_destroy(struct framing *f)
{
    free(f);
}

void framing_reset(struct framing *f)
{
    llhttp_reset(&f->parser);
    f->head_complete = f->complete = false;
}

static enum err failed(struct framing *f, const char *detail)
{
    f->detail = detail && *detail ? detail : "llhttp refuses it";
    return ERR_PROTOCOL;
}

enum err framing_feed(struct framing *f, struct bytes data, size_t body_size)
{
    f->body_size = 0;
    if (f->complete)
        return failed(f, "bytes after the end of the message");
    if (llhttp_execute(&f->parser, (const char *)data.data, data.size) != HPE_OK)
        return failed(f, llhttp_get_error_reason(&f->parser));
    if (f->body_size != body_size)
        return failed(f, "two readings of the message's framing differ");
    return ERR_OK;
}

bool framing_head_is_complete(const struct framing *f)
{
    return f->head_complete;
}

bool framing_is_complete(const struct framing *f)
{
    return f->complete;
}

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *framing_library_version(void)
{
    return VERSION_TEXT(LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH);
}

const char *framing_detail(const struct framing *f)
{
    return f->detail ? f->detail : "";
}
