/* Errors: one table for the whole program. An err is also the *reason* that logs, metrics, traces
 * and error answers print, so a word is chosen here once and means the same thing everywhere.
 *
 * Classes: RETRY   another attempt (elsewhere or later) may succeed.
 *          REJECT  the input is at fault; the same input fails again.
 *          FATAL   this program or machine is at fault; carrying on would hide it. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_class { ERR_CLASS_NONE, ERR_CLASS_RETRY, ERR_CLASS_REJECT, ERR_CLASS_FATAL };

/* X(constant, word, English, class) */
#define ERR_TABLE(X)                                                                               \
    X(OK, "ok", "no error", NONE)                                                                  \
    /* programs and machines */                                                                    \
    X(NO_MEMORY, "no_memory", "out of memory", FATAL)                                              \
    X(LIMIT, "limit", "a fixed limit is reached", RETRY)                                           \
    X(INVALID, "invalid", "malformed data", REJECT)                                                \
    X(NOT_FOUND, "not_found", "no such thing", REJECT)                                             \
    X(EXISTS, "exists", "it exists already", REJECT)                                               \
    X(IO, "io", "input or output failed", FATAL)                                                   \
    X(DISK_FULL, "disk_full", "no space left on the device", FATAL)                                \
    X(PERMISSION, "permission", "permission denied", FATAL)                                        \
    X(LOCKED, "locked", "another process holds it", FATAL)                                         \
    X(CORRUPT, "corrupt", "stored data fails its check", FATAL)                                    \
    X(UNSUPPORTED, "unsupported", "not supported", REJECT)                                         \
    X(INTERNAL, "internal", "internal error", FATAL)                                               \
    X(CANCELLED, "cancelled", "given up by the caller", REJECT)                                    \
    X(USAGE, "usage", "wrong usage", REJECT)                                                       \
    /* network */                                                                                  \
    X(EOF, "eof", "the other side closed", RETRY)                                                  \
    X(REFUSED, "connection_refused", "connection refused", RETRY)                                  \
    X(RESET, "connection_reset", "connection reset", RETRY)                                        \
    X(UNREACHABLE, "unreachable", "host or network unreachable", RETRY)                            \
    X(TIMEOUT, "timeout", "timed out", RETRY)                                                      \
    X(ADDRESS_IN_USE, "address_in_use", "the address is taken", FATAL)                             \
    X(ADDRESS_INVALID, "address_invalid", "not an address of this machine", FATAL)                 \
    X(RESOLVE, "resolve", "the name does not resolve", RETRY)                                      \
    X(IDLE, "idle", "nobody used it", RETRY)                                                       \
    X(FD_LIMIT, "fd_limit", "out of file descriptors", RETRY)                                      \
    X(PROTOCOL, "protocol", "the other side broke the protocol", REJECT)                           \
    /* trust */                                                                                    \
    X(BAD_SIGNATURE, "bad_signature", "the signature does not verify", REJECT)                     \
    X(WRONG_MESH, "wrong_mesh", "it belongs to another mesh", REJECT)                              \
    X(CERT_EXPIRED, "cert_expired", "the certificate is not valid at this time", REJECT)           \
    X(CERT_SCOPE, "cert_scope", "outside what the certificate allows", REJECT)                     \
    X(REPLAYED, "replayed", "seen before", REJECT)                                                 \
    X(CLOCK_SKEW, "clock_skew", "the clocks of the two nodes differ too much", REJECT)             \
    X(WRONG_AUDIENCE, "wrong_audience", "addressed to another node", REJECT)                       \
    X(DUPLICATE_LINK, "duplicate_link", "another link to this node is kept", REJECT)               \
    X(SELF_LINK, "self_link", "that is this node itself", REJECT)                                  \
    /* rules of the mesh */                                                                        \
    X(NOT_LEADER, "not_leader", "this node does not lead the voters", RETRY)                       \
    X(CHANGE_PENDING, "change_pending", "a change of the members is under way", RETRY)             \
    X(NOT_CAUGHT_UP, "not_caught_up", "the member lacks too much of the log to vote", RETRY)       \
    X(NOT_ALLOWED, "not_allowed", "the author's role does not allow it", REJECT)                   \
    X(REVOKED, "revoked", "it was revoked", REJECT)                                                \
    X(EXPIRED, "expired", "its time is over", REJECT)                                              \
    X(COSIGNATURE, "cosignature_missing", "more administrators must sign it", REJECT)              \
    X(CONFLICT, "conflict", "it was changed by another command", REJECT)                           \
    X(IN_USE, "in_use", "something else depends on it", REJECT)                                    \
    X(COMPACTED, "compacted", "older than what is kept", REJECT)                                   \
    X(UNKNOWN_OUTCOME, "unknown_outcome", "it may or may not have happened", RETRY)                \
    X(NOT_ADMITTED, "not_admitted", "the mesh has not admitted this node", RETRY)                  \
    X(EPOCH_BEHIND, "epoch_behind", "this node has older rules than the sender", RETRY)            \
    /* requests: the words clients see */                                                          \
    X(INVALID_REQUEST, "invalid_request", "the request is malformed", REJECT)                      \
    X(INVALID_JSON, "invalid_json", "the body is not valid JSON", REJECT)                          \
    X(MISSING_MODEL, "missing_model", "the body names no model", REJECT)                           \
    X(MODEL_NOT_FOUND, "model_not_found", "no node of the mesh serves this model", REJECT)         \
    X(INVALID_API_KEY, "invalid_api_key", "no valid API key was given", REJECT)                    \
    X(RESIDENCY, "residency", "the data may not be there", REJECT)                                 \
    X(TENANT, "tenant", "the tenant may not do this", REJECT)                                      \
    X(PRICE_CEILING, "price_ceiling", "it would cost more than is allowed", REJECT)                \
    X(QUOTA, "quota", "the tenant has used up its quota", RETRY)                                   \
    X(NO_SUCH_PATH, "no_such_path", "no such path", REJECT)                                        \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", "method not allowed here", REJECT)                 \
    X(REQUEST_TIMEOUT, "request_timeout", "the request did not arrive in time", REJECT)            \
    X(BODY_TOO_LARGE, "body_too_large", "the body is larger than the limit", REJECT)               \
    X(URI_TOO_LONG, "uri_too_long", "the request target is too long", REJECT)                      \
    X(HEADER_TOO_LARGE, "header_too_large", "the header is larger than the limit", REJECT)         \
    X(EXPECTATION_FAILED, "expectation_failed", "only 100-continue is understood", REJECT)         \
    X(VERSION_NOT_SUPPORTED, "version_not_supported", "only HTTP/1.0 and 1.1 here", REJECT)        \
    X(OVERLOADED, "overloaded", "no room for this request now", RETRY)                             \
    X(BACKEND_FAILED, "backend_failed", "the inference server failed", RETRY)                      \
    X(BACKEND_BUSY, "backend_busy", "the inference server asks to come back later", RETRY)         \
    X(BACKEND_LOADING, "backend_loading", "the inference server is still loading", RETRY)          \
    X(NO_CANDIDATE, "no_candidate", "no node can serve this now", RETRY)                           \
    X(DRAINING, "draining", "this node is draining", RETRY)                                        \
    X(STARTING, "starting", "this node is still starting", RETRY)                                  \
    X(DEADLINE, "deadline", "the deadline passed", RETRY)                                          \
    X(HOP_LIMIT, "hop_limit", "forwarded too often", RETRY)                                        \
    X(LINK_LOST, "link_lost", "the link to the peer was lost", RETRY)                              \
    X(CLIENT_GONE, "client_gone", "the client went away", REJECT)

enum err {
#define ERR_ENUM(constant, word, english, class) ERR_##constant,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

/* Every function that can fail returns enum err and is declared MUST_CHECK. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* The word ("model_not_found"), the English, the class. An out-of-range value gives INTERNAL's. */
const char *err_word(enum err e);
const char *err_text(enum err e);
enum err_class err_class(enum err e);

/* errno of a failed system call as an err. */
enum err err_from_errno(int saved_errno);

/* Programmer errors: on in release too; prints file:line and the condition to stderr and aborts. */
#define CHECK(cond) ((cond) ? (void)0 : err_check_failed(__FILE__, __LINE__, #cond))
_Noreturn void err_check_failed(const char *file, int line, const char *cond);

/* Returns from the calling function when e is not ERR_OK. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum err try_err_ = (expr);                                                                \
        if (try_err_ != ERR_OK)                                                                    \
            return try_err_;                                                                       \
    } while (0)

#endif
