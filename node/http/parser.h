/* HTTP/1.1 parser for both directions, push style. llhttp (strict mode) reads every message; what
 * it is too loose about is checked around it. Follows RFC 9112; refuses every ambiguous framing
 * (Content-Length with Transfer-Encoding, two Content-Lengths, two Hosts or none, a transfer coding
 * other than chunked, obs-fold, bare CR or LF in a head or trailer: CVE-2023-30589, NUL, bad chunk
 * sizes) because a proxy that guesses is how requests get smuggled.
 *
 *   feed ─> on_head ─> on_body* ─> on_end ─> (feed stops here; feed again for the next message)
 *
 * Heads are collected in a buf of the parser's that is bounded and small when idle. One feed call
 * stops after on_end, so that pipelined messages are answered in order; the rest of the bytes stays
 * with the caller. */
#ifndef NODE_HTTP_PARSER_H
#define NODE_HTTP_PARSER_H

#include "node/http/http.h"

enum http_parser_kind { HTTP_PARSE_REQUEST, HTTP_PARSE_RESPONSE };

struct http_parser_ops {
    /* The head lives in the parser's storage until the next message begins. Anything but ERR_OK
     * ends the parse with that error. For a request: called before a body; 100-continue is the
     * caller's to send. Answers 100, 102, 103, ... are skipped; 101 is an error. `chunked` and
     * content_length are what the head says, also where there is no body (answers to HEAD, 204,
     * 304). on_head and on_body must not reset or destroy the parser; on_end may. */
    enum err (*on_head)(void *owner, const struct http_head *head);
    /* Decoded body bytes, borrowed from the input for the call. */
    enum err (*on_body)(void *owner, struct bytes data);
    /* The message is complete (trailers were checked and dropped). */
    enum err (*on_end)(void *owner);
};

struct http_parser;

/* Storage of one parser with everything it needs for a head. Created per connection at first use
 * and reset between messages; head_max bounds request line and fields together, target_max the
 * target. */
struct http_parser_cfg {
    enum http_parser_kind kind;
    size_t head_max;
    size_t target_max; /* requests */
};
MUST_CHECK enum err http_parser_create(const struct http_parser_cfg *cfg,
                                       const struct http_parser_ops *ops, void *owner,
                                       struct http_parser **ret_parser);
void http_parser_destroy(struct http_parser *p);
/* Ready for a message from scratch. The answer to a HEAD request has no body: say so before
 * feeding. Frees what a large head took, so an idle parser is small. */
void http_parser_reset(struct http_parser *p, bool answer_to_head);
/* Changes who is called. */
void http_parser_set_owner(struct http_parser *p, void *owner);

/* Parses as much as there is of one message. *ret_used: bytes consumed; fewer than data.size only
 * after on_end or on error. Errors: INVALID_REQUEST (requests) or PROTOCOL (answers),
 * HEADER_TOO_LARGE, URI_TOO_LONG, VERSION_NOT_SUPPORTED, EXPECTATION_FAILED, UNSUPPORTED (CONNECT),
 * or what a callback returned. Upgrade is ignored: the message is read as if it were not there.
 * After an error only reset or destroy. http_parser_detail says in English what was wrong. */
MUST_CHECK enum err http_parser_feed(struct http_parser *p, struct bytes data, size_t *ret_used);
/* The connection ended: ERR_OK between messages or if that ends an answer without a length (on_end
 * is then called), ERR_EOF in the middle of one. */
MUST_CHECK enum err http_parser_eof(struct http_parser *p);
const char *http_parser_detail(const struct http_parser *p);
/* True once a byte of the current message has been seen and it is not complete. */
bool http_parser_is_busy(const struct http_parser *p);

#endif
