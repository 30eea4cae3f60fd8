/* etcd's gRPC over nghttp2, without TLS: KV.Put and KV.Range (linearizable, which is its default).
 * An answer counts when its trailers say grpc-status 0. */
#include "tests/bench/registry_load/talk.h"

#include "tests/bench/registry_load/etcd.pb-c.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

struct etcd {
    nghttp2_session *session;
    uint8_t message[LOAD_VALUE_SIZE + 128];
    size_t size, sent, answer_size;
    bool is_closed, is_ok;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *ctx)
{
    struct etcd *e = ctx;
    (void)session, (void)frame, (void)flags;
    if (bytes_equal(bytes_of(name, name_size), BYTES("grpc-status")))
        e->is_ok = bytes_equal(bytes_of(value, value_size), BYTES("0"));
    if (value_size > 0 && bytes_equal(bytes_of(name, name_size), BYTES("grpc-message")))
        fprintf(stderr, "etcd: %.*s\n", (int)value_size, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t size, void *ctx)
{
    (void)session, (void)flags, (void)stream, (void)data;
    ((struct etcd *)ctx)->answer_size += size;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *ctx)
{
    struct etcd *e = ctx;
    (void)session, (void)stream;
    e->is_closed = true;
    e->is_ok = e->is_ok && code == NGHTTP2_NO_ERROR;
    return 0;
}

static void flush(struct etcd *e, struct buf *out)
{
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(e->session, &data)) > 0)
        CHECK(buf_append(out, bytes_of(data, (size_t)n)) == ERR_OK);
    CHECK(n == 0);
}

static void prepare(const char *dir, size_t clients, size_t total)
{
    (void)dir, (void)clients, (void)total;
}

static void *open_session(struct buf *out)
{
    struct etcd *e = calloc(1, sizeof *e);
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    CHECK(e && nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    CHECK(nghttp2_session_client_new(&e->session, callbacks, e) == 0);
    nghttp2_session_callbacks_del(callbacks);
    CHECK(nghttp2_submit_settings(e->session, NGHTTP2_FLAG_NONE, &window, 1) == 0);
    flush(e, out);
    return e;
}

static void close_session(void *state)
{
    struct etcd *e = state;
    nghttp2_session_del(e->session);
    free(e);
}

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *data, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct etcd *e = source->ptr;
    (void)session, (void)stream, (void)ctx;
    size_t n = e->size - e->sent < size ? e->size - e->sent : size;
    memcpy(data, e->message + e->sent, n);
    e->sent += n;
    if (e->sent == e->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void submit(struct etcd *e, const char *path, struct buf *out)
{
#define FIELD(name, value)                                                                         \
    {(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), 0}
    nghttp2_nv head[] = {
        FIELD(":method", "POST"), FIELD(":scheme", "http"),
        FIELD(":path", path),     FIELD(":authority", "bench"),
        FIELD("te", "trailers"),  FIELD("content-type", "application/grpc"),
    };
    nghttp2_data_provider body = {.source.ptr = e, .read_callback = read_message};
    e->sent = e->answer_size = 0;
    e->is_closed = e->is_ok = false;
    CHECK(nghttp2_submit_request(e->session, NULL, head, sizeof head / sizeof *head, &body, NULL) >
          0);
    flush(e, out);
}

/* gRPC: not compressed, the size, the message. */
static void frame(struct etcd *e, size_t size)
{
    e->message[0] = 0;
    for (int i = 0; i < 4; i++)
        e->message[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    e->size = 5 + size;
}

static ProtobufCBinaryData key_of(size_t client, char space[32])
{
    snprintf(space, 32, "x.bench.%zu", client);
    return (ProtobufCBinaryData){strlen(space), (uint8_t *)space};
}

static void ask_put(void *state, size_t client, uint64_t n, struct buf *out)
{
    struct etcd *e = state;
    Etcd__PutRequest put = ETCD__PUT_REQUEST__INIT;
    uint8_t value[LOAD_VALUE_SIZE];
    char key[32];
    memset(value, 'a' + (int)(n % 26), sizeof value);
    put.key = key_of(client, key);
    put.value = (ProtobufCBinaryData){sizeof value, value};
    CHECK(etcd__put_request__get_packed_size(&put) + 5 <= sizeof e->message);
    frame(e, etcd__put_request__pack(&put, e->message + 5));
    submit(e, "/etcdserverpb.KV/Put", out);
}

static void ask_get(void *state, size_t client, uint64_t n, struct buf *out)
{
    struct etcd *e = state;
    Etcd__RangeRequest range = ETCD__RANGE_REQUEST__INIT;
    char key[32];
    (void)n;
    range.key = key_of(client, key);
    frame(e, etcd__range_request__pack(&range, e->message + 5));
    submit(e, "/etcdserverpb.KV/Range", out);
}

static enum talk_result take(void *state, struct bytes in, struct buf *out)
{
    struct etcd *e = state;
    if (nghttp2_session_mem_recv(e->session, in.data, in.size) < 0)
        return TALK_FAILED;
    flush(e, out);
    if (!e->is_closed)
        return TALK_MORE;
    return e->is_ok ? TALK_DONE : TALK_FAILED;
}

static enum talk_result take_get(void *state, struct bytes in, struct buf *out)
{
    enum talk_result result = take(state, in, out);
    bool is_whole = ((struct etcd *)state)->answer_size > LOAD_VALUE_SIZE;
    return result == TALK_DONE && !is_whole ? TALK_FAILED : result;
}

const struct talk talk_etcd_put = {prepare, open_session, close_session, ask_put, take};
const struct talk talk_etcd_get = {prepare, open_session, close_session, ask_get, take_get};
