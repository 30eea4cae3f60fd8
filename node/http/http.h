/* HTTP messages as this program sees them, whichever version carried them: a head (method and
 * target or status, fields), a body that streams, an end. The names and rules are RFC 9110's.
 *
 * Heads are views: every struct bytes points into memory of whoever made the head and lives as long
 * as that says (parser: until its next message begins; builders: until reset). */
#ifndef NODE_HTTP_HTTP_H
#define NODE_HTTP_HTTP_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define HTTP_FIELDS_MAX 100 /* more answers 431; nginx and llhttp users' habit */
#define HTTP_FIELDS_OWN 4   /* that a node adds to what it passes on over a link */

/* Fields that the program itself reads or writes; all others pass through unnamed. */
#define HTTP_NAME_TABLE(X)                                                                         \
    X(OTHER, "")                                                                                   \
    X(ALLOW, "allow")                                                                              \
    X(AUTHORIZATION, "authorization")                                                              \
    X(CONNECTION, "connection")                                                                    \
    X(CONTENT_LENGTH, "content-length")                                                            \
    X(CONTENT_TYPE, "content-type")                                                                \
    X(EXPECT, "expect")                                                                            \
    X(HOST, "host")                                                                                \
    X(KEEP_ALIVE, "keep-alive")                                                                    \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")                                                    \
    X(PROXY_AUTHORIZATION, "proxy-authorization")                                                  \
    X(PROXY_CONNECTION, "proxy-connection")                                                        \
    X(RETRY_AFTER, "retry-after")                                                                  \
    X(SERVER, "server")                                                                            \
    X(TE, "te")                                                                                    \
    X(TRAILER, "trailer")                                                                          \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                      \
    X(UPGRADE, "upgrade")                                                                          \
    X(VIA, "via")                                                                                  \
    X(X_API_KEY, "x-api-key")                                                                      \
    X(X_REQUEST_ID, "x-request-id")                                                                \
    X(GRAPEVINE_ENVELOPE, "grapevine-envelope")                                                    \
    X(GRAPEVINE_EPOCH, "grapevine-epoch")                                                          \
    X(GRAPEVINE_LOAD, "grapevine-load")                                                            \
    X(GRAPEVINE_MODEL, "grapevine-model")                                                          \
    X(GRAPEVINE_NODE, "grapevine-node")                                                            \
    X(GRAPEVINE_PATH, "grapevine-path")                                                            \
    X(GRAPEVINE_REASON, "grapevine-reason")                                                        \
    X(GRAPEVINE_RECEIPTS, "grapevine-receipts")

enum http_name {
#define HTTP_NAME_ENUM(constant, text) HTTP_##constant,
    HTTP_NAME_TABLE(HTTP_NAME_ENUM)
#undef HTTP_NAME_ENUM
        HTTP_NAME_COUNT
};

/* Case-insensitive; HTTP_OTHER when it is none of ours. A switch on length, then one compare. */
enum http_name http_name_of(struct bytes name);
struct bytes http_name_text(enum http_name name);

enum http_method {
    HTTP_METHOD_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS
};
struct bytes http_method_text(enum http_method m);
enum http_method http_method_of(struct bytes text);

struct http_field {
    enum http_name id;
    struct bytes name;  /* as it came; lower case for HTTP/2 */
    struct bytes value; /* without blanks at its ends */
};

struct http_head {
    /* request */
    enum http_method method;
    struct bytes target; /* origin form: path and query; "*" for OPTIONS */
    struct bytes host;
    /* answer */
    int status;
    struct bytes reason; /* as it came; may be empty */

    int minor_version; /* HTTP/1.x */
    bool keep_alive;   /* the connection may carry another message after this one */
    bool chunked;      /* the body comes (or goes) chunked */
    bool expect_continue;
    int64_t content_length; /* -1: not given */

    struct http_field *fields; /* all of them, those above included, in order */
    size_t field_count;
};

/* Fields that nodes say to each other; none comes from a client or an engine in good faith. */
static inline bool http_is_ours(enum http_name id)
{
    return id >= HTTP_GRAPEVINE_ENVELOPE && id <= HTTP_GRAPEVINE_RECEIPTS;
}

/* First field with this id, or NULL. */
const struct http_field *http_find(const struct http_head *head, enum http_name id);
/* Hop-by-hop (RFC 9110 section 7.6.1): the fixed set, and those that a Connection field of this
 * head names. Content-Length, Host, Expect and grapevine-* are not hop-by-hop here; forwarders
 * treat them by name. */
bool http_is_hop_by_hop(const struct http_head *head, const struct http_field *field);
/* True when a Connection field of this head lists `option`. */
bool http_connection_names(const struct http_head *head, struct bytes option);
/* True for 1xx, 204, 304: an answer that has no body. */
bool http_status_has_no_body(int status);
const char *http_status_text(int status);

/* Version of the library that frames HTTP/1.1 ("8.1.0"). */
const char *http_library_version(void);

/* --- writing HTTP/1.1 heads; all append to `out` */
MUST_CHECK enum err http_write_status_line(struct buf *out, int status);
MUST_CHECK enum err http_write_field(struct buf *out, struct bytes name, struct bytes value);
MUST_CHECK enum err http_write_field_decimal(struct buf *out, struct bytes name, uint64_t value);
/* Size line of one chunk ("1f\r\n") into out[HTTP_CHUNK_HEAD_MAX]; returns its length. The data and
 * CRLF follow; "0\r\n\r\n" ends the body. */
#define HTTP_CHUNK_HEAD_MAX 20
size_t http_chunk_head(size_t size, char out[HTTP_CHUNK_HEAD_MAX]);
#define HTTP_CHUNK_END BYTES("0\r\n\r\n")

#endif
