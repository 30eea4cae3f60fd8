/* See answer.h. Used by the exchange, by http_conn for requests that never became one, and by
 * peer_call. */
#include "node/ingress/answer.h"

static const struct {
    enum err reason;
    int status;
    unsigned retry_after_s;
} rows[] = {
    {ERR_INVALID_REQUEST, 400, 0},
    {ERR_INVALID_JSON, 400, 0},
    {ERR_MISSING_MODEL, 400, 0},
    {ERR_PROTOCOL, 400, 0},
    {ERR_UNSUPPORTED, 501, 0},
    {ERR_MODEL_NOT_FOUND, 404, 0},
    {ERR_NO_SUCH_PATH, 404, 0},
    {ERR_NOT_FOUND, 404, 0},
    {ERR_METHOD_NOT_ALLOWED, 405, 0},
    {ERR_REQUEST_TIMEOUT, 408, 0},
    {ERR_BODY_TOO_LARGE, 413, 0},
    {ERR_URI_TOO_LONG, 414, 0},
    {ERR_EXPECTATION_FAILED, 417, 0},
    {ERR_HEADER_TOO_LARGE, 431, 0},
    {ERR_VERSION_NOT_SUPPORTED, 505, 0},
    {ERR_OVERLOADED, 429, 1},
    {ERR_BACKEND_BUSY, 429, 1},
    {ERR_BACKEND_FAILED, 502, 0},
    {ERR_LINK_LOST, 502, 0},
    {ERR_NO_CANDIDATE, 503, 1},
    {ERR_DRAINING, 503, 1},
    {ERR_STARTING, 503, 1},
    {ERR_BACKEND_LOADING, 503, 2},
    {ERR_HOP_LIMIT, 503, 1},
    {ERR_DEADLINE, 504, 0},
    {ERR_CLIENT_GONE, 499, 0},
    {ERR_BAD_SIGNATURE, 403, 0},
    {ERR_WRONG_MESH, 403, 0},
    {ERR_WRONG_AUDIENCE, 403, 0},
    {ERR_REPLAYED, 403, 0},
    {ERR_CLOCK_SKEW, 403, 0},
    {ERR_CERT_SCOPE, 403, 0},
    {ERR_CERT_EXPIRED, 403, 0},
    {ERR_NO_MEMORY, 503, 1},
    {ERR_INVALID_API_KEY, 401, 0},
    {ERR_NOT_ALLOWED, 403, 0},
    {ERR_REVOKED, 403, 0},
    {ERR_NOT_ADMITTED, 403, 0},
    {ERR_EXPIRED, 403, 0},
    {ERR_COSIGNATURE, 403, 0},
    {ERR_RESIDENCY, 403, 0},
    {ERR_TENANT, 403, 0},
    {ERR_PRICE_CEILING, 403, 0},
    {ERR_QUOTA, 429, 60},
    {ERR_INVALID, 400, 0},
    {ERR_EXISTS, 409, 0},
    {ERR_CONFLICT, 409, 0},
    {ERR_IN_USE, 409, 0},
    {ERR_LIMIT, 409, 0},
    {ERR_COMPACTED, 410, 0},
    {ERR_NOT_LEADER, 503, 1},
    {ERR_CHANGE_PENDING, 503, 1},
    {ERR_NOT_CAUGHT_UP, 503, 1},
    {ERR_EPOCH_BEHIND, 503, 1},
    {ERR_UNKNOWN_OUTCOME, 504, 0},
};

int answer_status(enum err reason)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].reason == reason)
            return rows[i].status;
    return 500;
}

unsigned answer_retry_after_s(enum err reason)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].reason == reason)
            return rows[i].retry_after_s;
    return 0;
}

static const char *type_of(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

enum err answer_error_json(enum err reason, const char *detail, struct buf *out)
{
    bool is_model = reason == ERR_MISSING_MODEL || reason == ERR_MODEL_NOT_FOUND;
    TRY(buf_append_str(out, "{\"error\":{\"message\":\""));
    TRY(buf_append_json_escaped(out, bytes_from_str(err_text(reason))));
    if (detail && *detail) {
        TRY(buf_append_str(out, ": "));
        TRY(buf_append_json_escaped(out, bytes_from_str(detail)));
    }
    return buf_printf(out, "\",\"type\":\"%s\",\"param\":%s,\"code\":\"%s\"}}",
                      type_of(answer_status(reason)), is_model ? "\"model\"" : "null",
                      err_word(reason));
}

enum err answer_reason_of(struct bytes word)
{
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
        if (bytes_equal(word, bytes_from_str(err_word((enum err)e))))
            return (enum err)e;
    return ERR_INTERNAL;
}
