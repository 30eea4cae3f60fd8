/* Answers of a client connection: the sink that exchanges write into. The head waits for the first
 * data of the same turn, so that a short answer is one write. Called through http_sink_ops only. */
#include "node/ingress/answer.h"
#include "node/ingress/http_conn_impl.h"
#include "node/lane.h"

static struct http_conn *conn_of(const struct exchange *x)
{
    return x->sink_owner;
}

/* Ours to write, or none of the client's business. */
static bool drops(const struct http_head *answer, const struct http_field *f)
{
    return f->id == HTTP_CONTENT_LENGTH || f->id == HTTP_X_REQUEST_ID || http_is_ours(f->id) ||
           http_is_hop_by_hop(answer, f);
}

static enum err write_own_fields(struct http_conn *conn, const struct exchange *x)
{
    struct buf *out = &conn->out;
    TRY(http_write_field(out, BYTES("x-request-id"), bytes_from_str(x->request_id)));
    if (x->executor) {
        TRY(http_write_field(out, BYTES("grapevine-node"), bytes_from_str(x->executor)));
        TRY(http_write_field(out, BYTES("grapevine-path"), x->answer_path));
        TRY(http_write_field_decimal(out, BYTES("grapevine-epoch"), x->lane->epoch));
        if (x->terms.asked_model.size > 0)
            TRY(http_write_field(out, BYTES("grapevine-model"), exchange_model(x)));
    }
    return ERR_OK;
}

static enum err write_framing(struct http_conn *conn, const struct http_head *answer)
{
    struct buf *out = &conn->out;
    bool has_no_body = http_status_has_no_body(answer->status);
    if (has_no_body) {
        conn->is_chunked = false;
    } else if (answer->content_length >= 0) {
        TRY(http_write_field_decimal(out, BYTES("content-length"),
                                     (uint64_t)answer->content_length));
    } else if (conn->is_old) {
        conn->keep_alive = false; /* the end of the connection is the end of the body */
    } else {
        conn->is_chunked = true;
        TRY(buf_append_str(out, "transfer-encoding: chunked\r\n"));
    }
    if (conn->is_head)
        conn->is_chunked = false;
    if (!conn->keep_alive)
        TRY(buf_append_str(out, "connection: close\r\n"));
    else if (conn->is_old)
        TRY(buf_append_str(out, "connection: keep-alive\r\n"));
    return buf_append_str(out, "\r\n");
}

static enum err write_head(struct http_conn *conn, const struct exchange *x,
                           const struct http_head *answer)
{
    buf_clear(&conn->out);
    TRY(http_write_status_line(&conn->out, answer->status));
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct http_field *f = &answer->fields[i];
        if (f->id == HTTP_CONTENT_TYPE)
            conn->is_sse = bytes_starts_with(f->value, BYTES("text/event-stream"));
        if (!drops(answer, f))
            TRY(http_write_field(&conn->out, f->name, f->value));
    }
    TRY(write_own_fields(conn, x));
    return write_framing(conn, answer);
}

static enum err sink_begin(struct exchange *x, const struct http_head *answer)
{
    struct http_conn *conn = conn_of(x);
    conn->is_chunked = conn->is_sse = conn->is_ended = false;
    conn->owed =
        conn->is_head || http_status_has_no_body(answer->status) ? 0 : answer->content_length;
    if (!conn->is_complete || x->lane->state == LANE_DRAINING)
        conn->keep_alive = false; /* what is left of the request cannot be told from the next one */
    enum err e = write_head(conn, x, answer);
    if (e != ERR_OK) {
        buf_clear(&conn->out);
        return e;
    }
    conn->has_answer = true;
    io_task_post(x->lane->loop, &conn->flush);
    return ERR_OK;
}

void http_sink_flush(struct io_task *task)
{
    struct http_conn *conn = LIST_ENTRY(task, struct http_conn, flush);
    struct bytes head = buf_bytes(&conn->out);
    if (head.size > 0)
        io_stream_write(conn->stream, &head, 1);
    buf_clear(&conn->out);
}

static bool is_anthropic(const struct exchange *x)
{
    return x->endpoint && strcmp(x->endpoint->path, "/v1/messages") == 0;
}

/* [DONE] in the OpenAI dialect, message_stop in Anthropic's: clients hang up when they see it. */
static bool is_last_event(const struct exchange *x, struct bytes data)
{
    struct bytes tail = bytes_skip(data, data.size > 24 ? data.size - 24 : 0);
    if (is_anthropic(x))
        return memmem(tail.data, tail.size, "message_stop", 12);
    return memchr(tail.data, '[', tail.size) && memmem(tail.data, tail.size, "[DONE]", 6);
}

bool http_sink_is_complete(const struct http_conn *conn)
{
    return conn->has_answer && (conn->owed == 0 || conn->is_ended) && conn->out.size == 0 &&
           io_stream_queued(conn->stream) == 0;
}

static void sink_data(struct exchange *x, struct bytes data)
{
    struct http_conn *conn = conn_of(x);
    struct bytes parts[4];
    size_t count = 0;
    char chunk[HTTP_CHUNK_HEAD_MAX];
    if (conn->is_head || data.size == 0)
        return;
    if (conn->out.size > 0)
        parts[count++] = buf_bytes(&conn->out);
    if (conn->is_chunked)
        parts[count++] = bytes_of(chunk, http_chunk_head(data.size, chunk));
    parts[count++] = data;
    if (conn->is_chunked)
        parts[count++] = BYTES("\r\n");
    io_stream_write(conn->stream, parts, count);
    io_task_cancel(&conn->flush);
    buf_clear(&conn->out);
    if (conn->owed > 0)
        conn->owed -= (int64_t)data.size < conn->owed ? (int64_t)data.size : conn->owed;
    if (conn->is_sse) {
        conn->is_ended = is_last_event(x, data);
        conn->tail[0] = data.size > 1 ? data.data[data.size - 2] : conn->tail[1];
        conn->tail[1] = data.data[data.size - 1];
    }
}

static void sink_end(struct exchange *x, struct bytes receipts)
{
    struct http_conn *conn = conn_of(x);
    struct bytes parts[2];
    size_t count = 0;
    (void)receipts; /* a client asks for them by id */
    if (conn->out.size > 0)
        parts[count++] = buf_bytes(&conn->out);
    if (conn->is_chunked)
        parts[count++] = HTTP_CHUNK_END;
    if (count > 0)
        io_stream_write(conn->stream, parts, count);
    io_task_cancel(&conn->flush);
    buf_clear(&conn->out);
    http_conn_answered(conn);
}

/* What tells an SSE client that the answer is not whole (contract.md section 3); Anthropic's
 * dialect names the event. */
static void write_error_event(struct exchange *x, enum err reason)
{
    struct http_conn *conn = conn_of(x);
    struct buf *event = &x->lane->scratch;
    bool at_start = conn->tail[1] == 0 || (conn->tail[0] == '\n' && conn->tail[1] == '\n');
    buf_clear(event);
    enum err e = buf_append_str(event, at_start ? "" : "\n\n");
    if (e == ERR_OK)
        e = buf_append_str(event, is_anthropic(x) ? "event: error\ndata: " : "data: ");
    if (e == ERR_OK)
        e = answer_error_json(reason, "the answer broke off", event);
    if (e == ERR_OK)
        e = buf_append_str(event, "\n\n");
    if (e == ERR_OK)
        sink_data(x, buf_bytes(event));
}

static void sink_abort(struct exchange *x, enum err reason)
{
    struct http_conn *conn = conn_of(x);
    conn->keep_alive = false;
    conn->x = NULL;
    /* A missing end is the sign; where a length was announced, an event would fill it up. */
    if (!conn->is_sse || conn->owed >= 0) {
        http_sink_flush(&conn->flush);
        http_conn_destroy_gracefully(conn);
        return;
    }
    write_error_event(x, reason);
    if (conn->is_chunked) {
        struct bytes end = HTTP_CHUNK_END;
        io_stream_write(conn->stream, &end, 1);
    }
    http_conn_destroy_gracefully(conn);
}

static size_t sink_queued(const struct exchange *x)
{
    return io_stream_queued(conn_of(x)->stream);
}

const struct sink_ops http_sink_ops = {sink_begin, sink_data, sink_end, sink_abort, sink_queued};
