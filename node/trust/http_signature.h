/* HTTP Message Signatures (RFC 9421) with Ed25519, for operators who talk to a node from afar: a
 * request says who made it, and cannot be altered or sent again. Pure; whose key it is, which keys
 * may do what, and which nonces were seen is the caller's to know.
 *
 * Taken is one signature per request over derived components and fields, each named once and
 * without parameters. It has to cover "@method", the target ("@request-target", or "@path" and
 * "@query") and, where there is a body, "content-digest" (RFC 9530), and to bring `created`,
 * `keyid` and `nonce`. Ours covers "@method" "@request-target" "content-digest". */
#ifndef NODE_TRUST_HTTP_SIGNATURE_H
#define NODE_TRUST_HTTP_SIGNATURE_H

#include "base/buf.h"
#include "base/crypto.h"

#define HTTP_SIGNATURE_INPUT_MAX 2048 /* bytes of a Signature-Input field */
#define HTTP_SIGNATURE_COMPONENTS_MAX 16
#define HTTP_SIGNATURE_NONCE_MAX 64
#define HTTP_SIGNATURE_KEYID_MAX 64
#define HTTP_SIGNATURE_BASE_MAX (32 * 1024)
#define HTTP_SIGNATURE_SKEW_MS (5 * 60 * 1000) /* `created` against the wall clock, both ways */

/* What is signed, as the side that looks has it. */
struct http_signature_request {
    struct bytes method;    /* "POST" */
    struct bytes target;    /* origin form: path and query */
    struct bytes authority; /* of the Host field, lower case; may be empty */
    /* The value of the field of that lower-case name, without blanks at its ends; data NULL: not
     * there, or there more than once. */
    struct bytes (*field)(void *ctx, struct bytes name);
    void *ctx;
    bool has_body;
};

struct http_signature { /* borrows from the fields it was parsed from */
    struct bytes keyid, nonce;
    uint64_t created_s;
    struct bytes components[HTTP_SIGNATURE_COMPONENTS_MAX];
    size_t component_count;
    struct bytes params; /* what "@signature-params" stands for */
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

/* INVALID: malformed, or more than is taken; UNSUPPORTED: another algorithm. *ret_why, English, on
 * failure. */
MUST_CHECK enum err http_signature_parse(struct bytes input, struct bytes signature,
                                         struct http_signature *ret_signature,
                                         const char **ret_why);
/* INVALID: it covers too little, or a field that is not there; CLOCK_SKEW; BAD_SIGNATURE. */
MUST_CHECK enum err http_signature_verify(const struct http_signature *s,
                                          const struct http_signature_request *request,
                                          const uint8_t key[CRYPTO_PUBLIC_SIZE], uint64_t wall_ms,
                                          const char **ret_why);
/* Signs as ours do; appends the values of Signature-Input and Signature. The body's digest is what
 * request->field gives for content-digest. INVALID, LIMIT, NO_MEMORY. */
MUST_CHECK enum err http_signature_make(const struct http_signature_request *request,
                                        const uint8_t secret[CRYPTO_SECRET_SIZE],
                                        struct bytes keyid, struct bytes nonce, uint64_t wall_ms,
                                        struct buf *input, struct buf *signature);

/* Content-Digest of a body by its SHA-256: "sha-256=:...:". */
MUST_CHECK enum err http_signature_digest(const uint8_t sha256[32], struct buf *value);
/* Whether a Content-Digest field has this SHA-256 among what it lists. */
bool http_signature_digest_is(struct bytes value, const uint8_t sha256[32]);

#endif
