/* Frames and sealed records: cut anywhere they come out the same; altered, replayed or misshapen
 * they do not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/mesh/record.h"

static uint8_t plain[NOISE_MESSAGE_MAX];

struct wire {
    struct record_writer writer;
    struct noise_cipher reader;
    struct buf out;
};

static void init(struct wire *w)
{
    struct noise_cipher cipher = {.key = {1, 2, 3}};
    record_writer_init(&w->writer, &cipher, 1000);
    w->reader = cipher;
    buf_init(&w->out, 1 << 20);
}

static void fini(struct wire *w)
{
    buf_fini(&w->out);
}

static void put(struct wire *w, enum record_type type, struct bytes body)
{
    assert_int_equal(record_put_whole(&w->writer, &w->out, type, body), ERR_OK);
}

/* The next record of *data, which must be there. */
static enum err next(struct wire *w, struct record_frames *f, struct bytes *data,
                     enum record_type *ret_type, struct bytes *ret_body)
{
    bool found;
    struct bytes frame;
    assert_int_equal(record_frames_next(f, data, &found, &frame), ERR_OK);
    assert_true(found);
    return record_open(&w->reader, frame, plain, ret_type, ret_body);
}

static enum err open_first(struct wire *w, enum record_type *ret_type, struct bytes *ret_body)
{
    struct bytes frame = bytes_skip(buf_bytes(&w->out), RECORD_HEAD_SIZE);
    return record_open(&w->reader, frame, plain, ret_type, ret_body);
}

static void frames_are_the_same_whatever_pieces_they_come_in(void **state)
{
    const uint8_t wire[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd', 0, 5, 'e', 'f', 'g', 'h', 'i'};
    const char *expected[] = {"abc", "", "d", "efghi"};
    for (size_t piece = 1; piece <= sizeof(wire); piece++) {
        struct record_frames f;
        size_t count = 0;
        record_frames_init(&f);
        for (size_t at = 0; at < sizeof(wire); at += piece) {
            size_t n = sizeof(wire) - at < piece ? sizeof(wire) - at : piece;
            uint8_t *copy = malloc(n); /* so that reading past a piece is seen */
            memcpy(copy, wire + at, n);
            struct bytes data = bytes_of(copy, n), frame;
            bool found;
            for (;;) {
                assert_int_equal(record_frames_next(&f, &data, &found, &frame), ERR_OK);
                if (!found)
                    break;
                assert_true(count < 4 && bytes_equal(frame, bytes_from_str(expected[count])));
                count++;
            }
            assert_int_equal(data.size, 0);
            free(copy);
        }
        assert_int_equal(count, 4);
        record_frames_fini(&f);
    }
}

static void the_largest_frame_passes_in_pieces(void **state)
{
    static uint8_t wire[RECORD_FRAME_MAX];
    struct record_frames f;
    struct bytes frame;
    bool found = false;
    wire[0] = wire[1] = 0xff;
    record_frames_init(&f);
    for (size_t at = 0; at < sizeof(wire); at += 1000) {
        struct bytes data =
            bytes_of(wire + at, sizeof(wire) - at < 1000 ? sizeof(wire) - at : 1000);
        assert_false(found);
        assert_int_equal(record_frames_next(&f, &data, &found, &frame), ERR_OK);
    }
    assert_true(found);
    assert_int_equal(frame.size, NOISE_MESSAGE_MAX);
    record_frames_fini(&f);
}

static void a_record_opens_to_what_was_put(void **state)
{
    struct wire w;
    enum record_type type;
    struct bytes body;
    init(&w);
    put(&w, RECORD_DIALLER, BYTES("hello"));
    assert_int_equal(w.out.size, 5 + RECORD_OVERHEAD);
    assert_int_equal(open_first(&w, &type, &body), ERR_OK);
    assert_int_equal(type, RECORD_DIALLER);
    assert_true(bytes_equal(body, BYTES("hello")));
    fini(&w);
}

static void pieces_of_one_session_share_a_record_and_large_ones_are_split(void **state)
{
    static uint8_t large[3 * RECORD_BODY_MAX];
    struct wire w;
    struct record_frames f;
    enum record_type type;
    struct bytes body;
    size_t total = 0;
    init(&w);
    record_frames_init(&f);
    assert_int_equal(record_put(&w.writer, &w.out, RECORD_ACCEPTOR, BYTES("one ")), ERR_OK);
    assert_int_equal(record_put(&w.writer, &w.out, RECORD_ACCEPTOR, BYTES("two")), ERR_OK);
    assert_int_equal(record_put(&w.writer, &w.out, RECORD_DIALLER, bytes_of(large, sizeof(large))),
                     ERR_OK);
    assert_int_equal(record_end(&w.writer, &w.out), ERR_OK);
    assert_int_equal(record_end(&w.writer, &w.out), ERR_OK); /* nothing is open: nothing happens */
    struct bytes data = buf_bytes(&w.out);
    assert_int_equal(next(&w, &f, &data, &type, &body), ERR_OK);
    assert_int_equal(type, RECORD_ACCEPTOR);
    assert_true(bytes_equal(body, BYTES("one two")));
    while (data.size) {
        assert_int_equal(next(&w, &f, &data, &type, &body), ERR_OK);
        assert_int_equal(type, RECORD_DIALLER);
        assert_true(body.size <= RECORD_BODY_MAX);
        total += body.size;
    }
    assert_int_equal(total, sizeof(large));
    record_frames_fini(&f);
    fini(&w);
}

static void an_altered_byte_anywhere_does_not_open(void **state)
{
    for (size_t at = RECORD_HEAD_SIZE; at < 5 + RECORD_OVERHEAD; at++) {
        struct wire w;
        enum record_type type;
        struct bytes body;
        init(&w);
        put(&w, RECORD_DIALLER, BYTES("hello"));
        w.out.data[at] ^= 0x40;
        assert_int_equal(open_first(&w, &type, &body), ERR_BAD_SIGNATURE);
        fini(&w);
    }
}

static void a_replayed_and_a_left_out_record_do_not_open(void **state)
{
    struct wire w;
    enum record_type type;
    struct bytes body;
    init(&w);
    put(&w, RECORD_DIALLER, BYTES("1"));
    assert_int_equal(open_first(&w, &type, &body), ERR_OK);
    assert_int_equal(open_first(&w, &type, &body), ERR_BAD_SIGNATURE);
    buf_clear(&w.out);
    put(&w, RECORD_DIALLER, BYTES("2"));
    buf_clear(&w.out);
    put(&w, RECORD_DIALLER, BYTES("3"));
    assert_int_equal(open_first(&w, &type, &body), ERR_BAD_SIGNATURE);
    fini(&w);
}

static void records_that_are_too_short_are_refused(void **state)
{
    struct wire w;
    enum record_type type;
    struct bytes body;
    uint8_t zeros[32] = {0};
    init(&w);
    for (size_t size = 0; size <= CRYPTO_TAG_SIZE; size++)
        assert_int_equal(record_open(&w.reader, bytes_of(zeros, size), plain, &type, &body),
                         ERR_PROTOCOL);
    fini(&w);
}

static void unknown_types_and_wrong_sizes_are_refused(void **state)
{
    static const struct {
        int type;
        size_t size;
        enum err expected;
    } rows[] = {
        {0, 1, ERR_PROTOCOL}, {1, 0, ERR_PROTOCOL}, {2, 0, ERR_PROTOCOL}, {2, 1, ERR_OK},
        {3, 7, ERR_PROTOCOL}, {3, 9, ERR_PROTOCOL}, {3, 8, ERR_OK},       {4, 0, ERR_PROTOCOL},
        {4, 8, ERR_OK},       {5, 1, ERR_PROTOCOL}, {5, 0, ERR_OK},       {6, 0, ERR_PROTOCOL},
        {6, 2, ERR_PROTOCOL}, {6, 1, ERR_OK},       {7, 1, ERR_PROTOCOL}, {255, 8, ERR_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire w;
        enum record_type type;
        struct bytes body;
        uint8_t sealed[64] = {(uint8_t)rows[i].type};
        size_t size = 1 + rows[i].size;
        init(&w);
        assert_int_equal(noise_cipher_seal(&w.writer.cipher, bytes_of(sealed, size), sealed),
                         ERR_OK);
        size += CRYPTO_TAG_SIZE;
        enum err e = record_open(&w.reader, bytes_of(sealed, size), plain, &type, &body);
        assert_int_equal(e, rows[i].expected);
        fini(&w);
    }
}

static void records_after_a_rekey_open_under_the_next_key_only(void **state)
{
    struct wire w;
    struct record_frames f;
    enum record_type type;
    struct bytes body;
    init(&w);
    record_frames_init(&f);
    uint8_t old_key[32];
    memcpy(old_key, w.writer.cipher.key, 32);
    put(&w, RECORD_DIALLER, BYTES("before"));
    assert_int_equal(record_put_rekey(&w.writer, &w.out, 5000), ERR_OK);
    assert_int_equal(w.writer.bytes, 0);
    assert_int_equal(w.writer.keyed_ms, 5000);
    assert_memory_not_equal(w.writer.cipher.key, old_key, 32);
    put(&w, RECORD_DIALLER, BYTES("after"));
    struct bytes data = buf_bytes(&w.out);
    assert_int_equal(next(&w, &f, &data, &type, &body), ERR_OK);
    assert_int_equal(next(&w, &f, &data, &type, &body), ERR_OK);
    assert_int_equal(type, RECORD_REKEY);
    assert_int_equal(next(&w, &f, &data, &type, &body), ERR_OK);
    assert_true(bytes_equal(body, BYTES("after")));
    record_frames_fini(&f);
    fini(&w);
}

static void reasons_survive_the_wire_and_unknown_ones_are_protocol_errors(void **state)
{
    const enum err reasons[] = {ERR_DRAINING,   ERR_DUPLICATE_LINK, ERR_PROTOCOL,
                                ERR_WRONG_MESH, ERR_CERT_EXPIRED,   ERR_CLOCK_SKEW,
                                ERR_SELF_LINK,  ERR_LIMIT,          ERR_TIMEOUT,
                                ERR_INVALID,    ERR_CERT_SCOPE,     ERR_EOF};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        assert_int_equal(record_reason_decode(record_reason_encode(reasons[i])), reasons[i]);
    assert_int_equal(record_reason_decode(record_reason_encode(ERR_DISK_FULL)), ERR_INTERNAL);
    assert_int_equal(record_reason_decode(0), ERR_PROTOCOL);
    assert_int_equal(record_reason_decode(200), ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_the_same_whatever_pieces_they_come_in),
        cmocka_unit_test(the_largest_frame_passes_in_pieces),
        cmocka_unit_test(a_record_opens_to_what_was_put),
        cmocka_unit_test(pieces_of_one_session_share_a_record_and_large_ones_are_split),
        cmocka_unit_test(an_altered_byte_anywhere_does_not_open),
        cmocka_unit_test(a_replayed_and_a_left_out_record_do_not_open),
        cmocka_unit_test(records_that_are_too_short_are_refused),
        cmocka_unit_test(unknown_types_and_wrong_sizes_are_refused),
        cmocka_unit_test(records_after_a_rekey_open_under_the_next_key_only),
        cmocka_unit_test(reasons_survive_the_wire_and_unknown_ones_are_protocol_errors),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
