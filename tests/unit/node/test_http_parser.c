/* node/http/parser, requests: what is read from good ones and which bad ones are refused with
 * what. */
#include "tests/support/http_cuts.h"

static void a_request_without_a_body_ends_with_its_head(void **state)
{
    (void)state;
    REQUEST(
        "GET /v1/models?x=1 HTTP/1.1\r\nHost: a:1\r\nAccept:*/*\r\n\r\n",
        "GET /v1/models?x=1 host=a:1 1.1 keep length=-1 Host:a:1 Accept:*/*\nbody=\nrest= ok\n");
}

static void a_body_of_given_length_arrives(void **state)
{
    (void)state;
    REQUEST("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
            "POST / host=a 1.1 keep length=5 host:a content-length:5\nbody=hello\nrest= ok\n");
    REQUEST("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
            "POST / host=a 1.1 keep length=0 host:a content-length:0\nbody=\nrest= ok\n");
    REQUEST("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe",
            "POST / host=a 1.1 keep length=5 host:a content-length:5\nrest=he eof\n");
}

static void a_chunked_body_arrives_without_its_framing(void **state)
{
    (void)state;
    REQUEST("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n"
            "5\r\nhello\r\n00C\r\n chunky\r\n!\r\n\r\n0\r\n\r\n",
            "POST / host=a 1.1 keep chunked length=-1 host:a transfer-encoding:Chunked\n"
            "body=hello chunky\r\n!\r\n\nrest= ok\n");
}

static void chunk_extensions_and_trailers_are_dropped(void **state)
{
    (void)state;
    REQUEST("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            "2;a=b;c=\"d\"\r\nhi\r\n0;x\r\nTrailer-One: 1\r\nHost: evil\r\n\r\n",
            "POST / host=a 1.1 keep chunked length=-1 host:a transfer-encoding:chunked\n"
            "body=hi\nrest= ok\n");
}

static void pipelined_requests_come_one_by_one(void **state)
{
    (void)state;
    REQUEST("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n"
            "POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"
            "POST /3 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            "GET /4 HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /1 host=a 1.1 keep length=-1 host:a\nbody=\n"
            "POST /2 host=a 1.1 keep length=2 host:a content-length:2\nbody=hi\n"
            "POST /3 host=a 1.1 keep chunked length=-1 host:a transfer-encoding:chunked\nbody=x\n"
            "GET /4 host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
}

static void feed_stops_after_each_message(void **state)
{
    (void)state;
    struct http_record r;
    record_init(&r, HTTP_PARSE_REQUEST, HEAD_MAX, TARGET_MAX);
    struct bytes two =
        BYTES("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    size_t used = 0;
    assert_int_equal(http_parser_feed(r.parser, two, &used), ERR_OK);
    assert_int_equal(used, two.size / 2);
    assert_int_equal(r.ends, 1);
    record_fini(&r);
}

static void one_empty_line_before_a_request_is_forgiven(void **state)
{
    (void)state;
    REQUEST("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET / host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
    REQUEST("\r\n", "rest= ok\n");
    REFUSES("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES_ANSWER("\r\nHTTP/1.1 200 OK\r\n\r\n");
}

static void blanks_around_values_are_cut_and_empty_values_stay(void **state)
{
    (void)state;
    REQUEST("GET / HTTP/1.1\r\nHost: \t a \t \r\nX:\r\nY: \t\r\nZ: a\tb c\r\n\r\n",
            "GET / host=a 1.1 keep length=-1 Host:a X: Y: Z:a\tb c\nbody=\nrest= ok\n");
}

static void persistence_follows_version_and_connection(void **state)
{
    (void)state;
    REQUEST("GET / HTTP/1.1\r\nhost: a\r\nconnection: foo , CLOSE\r\n\r\n",
            "GET / host=a 1.1 length=-1 host:a connection:foo , CLOSE\nbody=\nrest= ok\n");
    REQUEST("GET / HTTP/1.0\r\nhost: a\r\n\r\n",
            "GET / host=a 1.0 length=-1 host:a\nbody=\nrest= ok\n");
    REQUEST("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n",
            "GET / host= 1.0 keep length=-1 connection:Keep-Alive\nbody=\nrest= ok\n");
    REQUEST("GET / HTTP/1.0\r\nconnection: close\r\nconnection: Keep-Alive\r\n\r\n",
            "GET / host= 1.0 length=-1 connection:close connection:Keep-Alive\nbody=\nrest= ok\n");
}

static void an_expectation_of_100_is_reported_and_others_are_refused(void **state)
{
    (void)state;
    REQUEST("PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\nx",
            "PUT / host=a 1.1 keep continue length=1 host:a expect:100-Continue content-length:1\n"
            "body=x\nrest= ok\n");
    REQUEST("PUT / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n", "rest= expectation_failed\n");
}

static void an_upgrade_is_ignored(void **state)
{
    (void)state;
    REQUEST("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            "GET /2 HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET / host=a 1.1 keep length=-1 host:a connection:upgrade upgrade:websocket\nbody=\n"
            "GET /2 host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
}

static void absolute_targets_become_paths(void **state)
{
    (void)state;
    REQUEST("GET http://a.b:80/x?y HTTP/1.1\r\nhost: A.b:80\r\n\r\n",
            "GET /x?y host=A.b:80 1.1 keep length=-1 host:A.b:80\nbody=\nrest= ok\n");
    REQUEST("GET HTTP://a HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET / host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
    REQUEST("OPTIONS http://a HTTP/1.1\r\nhost: a\r\n\r\n",
            "OPTIONS * host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
    REFUSES("GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n");
    REFUSES("GET http:///x HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET http://u@a/x HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET http://a?x HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET https://a/ HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n");
}

static void a_star_goes_with_options_only(void **state)
{
    (void)state;
    REQUEST("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
            "OPTIONS * host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
    REFUSES("GET * HTTP/1.1\r\nhost: a\r\n\r\n");
}

static void connect_is_not_supported(void **state)
{
    (void)state;
    REQUEST("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", "rest= unsupported\n");
}

static void unknown_methods_are_passed_as_other(void **state)
{
    (void)state;
    REQUEST("PATCH / HTTP/1.1\r\nhost: a\r\n\r\n",
            " / host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
    REQUEST("get / HTTP/1.1\r\nhost: a\r\n\r\n",
            " / host=a 1.1 keep length=-1 host:a\nbody=\nrest= ok\n");
    REQUEST(
        "BREW /pot HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        " /pot host=a 1.1 keep chunked length=-1 host:a transfer-encoding:chunked\n"
        "body=x\nrest= ok\n");
}

static void malformed_request_lines_are_refused(void **state)
{
    (void)state;
    REFUSES("GET /\r\nhost: a\r\n\r\n");
    REFUSES("GET  / HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET / HTTP/1.1 \r\nhost: a\r\n\r\n");
    REFUSES("GET /  HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET / x HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET /#f HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET /\xc3\xa4 HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET /\t HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES(" GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("G(T / HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET / http/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET / HTTP/11\r\nhost: a\r\n\r\n");
    REFUSES("GET / HTTP/1.10\r\nhost: a\r\n\r\n");
    REFUSES("GET / HTTP/1.x\r\nhost: a\r\n\r\n");
    REFUSES("GET HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("CONNECT  HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("\x16\x03\x01\x02");
}

static void other_versions_are_not_supported(void **state)
{
    (void)state;
    REQUEST("GET / HTTP/0.9\r\nhost: a\r\n\r\n", "rest= version_not_supported\n");
    REQUEST("GET / HTTP/1.2\r\nhost: a\r\n\r\n", "rest= version_not_supported\n");
    REQUEST("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "rest= version_not_supported\n");
}

static void a_bad_request_line_is_refused_before_the_head_ends(void **state)
{
    (void)state;
    REFUSES("nonsense\r\n");
}

static void line_ends_other_than_crlf_are_refused(void **state)
{
    (void)state;
    REFUSES("GET / HTTP/1.1\nhost: a\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\n\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\n\rGET");
    REFUSES("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n");
}

static void control_bytes_in_a_head_are_refused(void **state)
{
    (void)state;
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nho\0st: a\r\n\r\n");
    REFUSES("GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx: a\x7f\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx: \x1b[0m\r\n\r\n");
}

static void malformed_field_lines_are_refused(void **state)
{
    (void)state;
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost : a\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\n: y\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nhost\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\tz: w\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\n host: a\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx\xc3\xa4: y\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\n\"x\": z\r\n\r\n");
}

static void exactly_one_valid_host_is_required(void **state)
{
    (void)state;
    REFUSES("GET / HTTP/1.1\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a b\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a,b\r\n\r\n");
    REFUSES("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n");
    REQUEST("GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
            "GET / host=[::1]:80 1.1 keep length=-1 host:[::1]:80\nbody=\nrest= ok\n");
    REQUEST("GET / HTTP/1.1\r\nhost:\r\n\r\n",
            "GET / host= 1.1 keep length=-1 host:\nbody=\nrest= ok\n");
}

static void ambiguous_lengths_are_refused(void **state)
{
    (void)state;
#define WITH(fields) "POST / HTTP/1.1\r\nhost: a\r\n" fields "\r\nhello"
    REFUSES(WITH("content-length: 5\r\ncontent-length: 5\r\n"));
    REFUSES(WITH("content-length: 5\r\ncontent-length: 6\r\n"));
    REFUSES(WITH("content-length: 5, 5\r\n"));
    REFUSES(WITH("content-length: +5\r\n"));
    REFUSES(WITH("content-length: -5\r\n"));
    REFUSES(WITH("content-length: 0x5\r\n"));
    REFUSES(WITH("content-length: 5 5\r\n"));
    REFUSES(WITH("content-length: \r\n"));
    REFUSES(WITH("content-length: 9223372036854775808\r\n"));
    REFUSES(WITH("content-length: 18446744073709551621\r\n"));
    REFUSES(WITH("content-length: 5\r\ntransfer-encoding: chunked\r\n"));
    REFUSES(WITH("transfer-encoding: chunked\r\ncontent-length: 5\r\n"));
    REFUSES(WITH("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"));
    REFUSES(WITH("transfer-encoding: chunked, identity\r\n"));
    REFUSES(WITH("transfer-encoding: identity\r\n"));
    REFUSES(WITH("transfer-encoding: gzip, chunked\r\n"));
    REFUSES(WITH("transfer-encoding: chunked, chunked\r\n"));
    REFUSES(WITH("transfer-encoding: xchunked\r\n"));
    REFUSES(WITH("transfer-encoding: \"chunked\"\r\n"));
    REFUSES(WITH("transfer-encoding:\r\n"));
    REFUSES("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
#undef WITH
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
#define CHUNKED_HEAD "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
#define CHUNKED_TEXT "POST / host=a 1.1 keep chunked length=-1 host:a transfer-encoding:chunked\n"
#define BAD(chunks, rest)                                                                          \
    REQUEST(CHUNKED_HEAD chunks, CHUNKED_TEXT "rest=" rest " invalid_request\n")
    BAD("\r\n", "");
    BAD(" 5\r\nhello\r\n0\r\n\r\n", "");
    BAD("5 \r\nhello\r\n0\r\n\r\n", "");
    BAD("0x5\r\nhello\r\n0\r\n\r\n", "");
    BAD("+5\r\nhello\r\n0\r\n\r\n", "");
    BAD("-5\r\nhello\r\n0\r\n\r\n", "");
    BAD("5\nhello\r\n0\r\n\r\n", "");
    BAD("5\rhello\r\n0\r\n\r\n", "");
    BAD("5\r\nhello\n0\r\n\r\n", "hello");
    BAD("5\r\nhello\r0\r\n\r\n", "hello");
    BAD("5\r\nhello!\r\n0\r\n\r\n", "hello");
    BAD("5;\0\r\nhello\r\n0\r\n\r\n", "");
    BAD("5;a\nhello\r\n0\r\n\r\n", "");
    BAD("5;a\rb\r\nhello\r\n0\r\n\r\n", "");
    BAD("5 ;a\r\nhello\r\n0\r\n\r\n", "");
    BAD("g\r\n", "");
    BAD("8000000000000000\r\n", "");
    BAD("00000000000000001\r\nx", "");
    BAD("10000000000000005\r\nhello", "");
    BAD("0\r\nx: y\n\r\n", "");
    BAD("0\r\n\n", "");
    BAD("0\n\r\n", "");
    BAD("0\r\n\rx", "");
    BAD("0\r\nx: y\r\n z\r\n\r\n", "");
    BAD("0\r\nx : y\r\n\r\n", "");
    BAD("0\r\n: y\r\n\r\n", "");
    BAD("0\r\nx\r\n\r\n", "");
    BAD("0\r\nx: \x01\r\n\r\n", "");
    BAD("0\r\nx: y\rz: w\r\n\r\n", "");
    BAD("0\r\n x: y\r\n\r\n", "");
#undef BAD
}

static void endless_extensions_and_trailers_are_refused(void **state)
{
    (void)state;
    char input[4096];
    int size = snprintf(input, sizeof input, CHUNKED_HEAD "1;%0*d\r\nx\r\n0\r\n\r\n", HEAD_MAX, 0);
    cuts_check_cut(HTTP_PARSE_REQUEST, false, bytes_of(input, (size_t)size), 0, 0,
                   CHUNKED_TEXT "rest= header_too_large\n");
    size = snprintf(input, sizeof input, CHUNKED_HEAD "0\r\nx: %0*d\r\n\r\n", HEAD_MAX, 0);
    cuts_check_cut(HTTP_PARSE_REQUEST, false, bytes_of(input, (size_t)size), 1, 1,
                   CHUNKED_TEXT "rest= header_too_large\n");
}

static void a_head_of_the_limit_passes_and_one_byte_more_is_refused(void **state)
{
    (void)state;
    char input[2 * HEAD_MAX];
    const int fixed = (int)sizeof "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n" - 1;
    for (int extra = 0; extra < 2; extra++) {
        int size = snprintf(input, sizeof input, "GET / HTTP/1.1\r\nhost: a\r\nx: %0*d\r\n\r\n",
                            HEAD_MAX - fixed + extra, 0);
        assert_int_equal(size, HEAD_MAX + extra);
        for (size_t cut = 0; cut < (size_t)size; cut += 3) {
            struct http_record r;
            record_init(&r, HTTP_PARSE_REQUEST, HEAD_MAX, TARGET_MAX);
            size_t used = 0;
            assert_int_equal(record_feed(&r, bytes_of(input, cut), &used), ERR_OK);
            enum err e = record_feed(&r, bytes_of(input + cut, (size_t)size - cut), &used);
            assert_int_equal(e, extra ? ERR_HEADER_TOO_LARGE : ERR_OK);
            record_fini(&r);
        }
    }
}

static void a_target_of_the_limit_passes_and_one_byte_more_is_refused(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char input[512];
        int size = snprintf(input, sizeof input, "GET /%0*d HTTP/1.1\r\nhost: a\r\n\r\n",
                            TARGET_MAX - 1 + extra, 0);
        struct http_record r;
        record_init(&r, HTTP_PARSE_REQUEST, HEAD_MAX, TARGET_MAX);
        size_t used = 0;
        enum err e = record_feed(&r, bytes_of(input, (size_t)size), &used);
        assert_int_equal(e, extra ? ERR_URI_TOO_LONG : ERR_OK);
        record_fini(&r);
    }
}

static void an_endless_request_line_is_a_too_long_target(void **state)
{
    (void)state;
    char input[HEAD_MAX + 2];
    memset(input, 'x', sizeof input);
    memcpy(input, "GET /", 5);
    cuts_check_cut(HTTP_PARSE_REQUEST, false, bytes_of(input, sizeof input), 0, 0,
                   "rest= uri_too_long\n");
    cuts_check_cut(HTTP_PARSE_REQUEST, false, bytes_of(input, sizeof input), 1, 1,
                   "rest= uri_too_long\n");
}

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct buf input;
        buf_init(&input, 1 << 20);
        assert_int_equal(buf_append_str(&input, "GET / HTTP/1.1\r\nhost: a\r\n"), ERR_OK);
        for (int i = 1; i < HTTP_FIELDS_MAX + extra; i++)
            assert_int_equal(buf_append_str(&input, "x: y\r\n"), ERR_OK);
        assert_int_equal(buf_append_str(&input, "\r\n"), ERR_OK);
        struct http_record r;
        record_init(&r, HTTP_PARSE_REQUEST, 8192, TARGET_MAX);
        size_t used = 0;
        enum err e = record_feed(&r, buf_bytes(&input), &used);
        assert_int_equal(e, extra ? ERR_HEADER_TOO_LARGE : ERR_OK);
        record_fini(&r);
        buf_fini(&input);
    }
}

static void a_refused_head_ends_the_parse_with_the_owners_word(void **state)
{
    (void)state;
    struct http_record r;
    record_init(&r, HTTP_PARSE_REQUEST, HEAD_MAX, TARGET_MAX);
    r.refuse_head = ERR_OVERLOADED;
    size_t used = 0;
    struct bytes input = BYTES("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello");
    assert_int_equal(http_parser_feed(r.parser, input, &used), ERR_OVERLOADED);
    assert_int_equal(used, input.size - 5);
    assert_int_equal(http_parser_feed(r.parser, BYTES("hello"), &used), ERR_OVERLOADED);
    assert_int_equal(used, 0);
    http_parser_reset(r.parser, false);
    r.refuse_head = ERR_OK;
    assert_int_equal(http_parser_feed(r.parser, input, &used), ERR_OK);
    assert_int_equal(r.ends, 1);
    record_fini(&r);
}

static void a_parser_is_busy_from_the_first_byte_to_the_end(void **state)
{
    (void)state;
    struct http_record r;
    record_init(&r, HTTP_PARSE_REQUEST, HEAD_MAX, TARGET_MAX);
    struct bytes input = BYTES("\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi");
    for (size_t i = 0; i < input.size; i++) {
        assert_int_equal(http_parser_is_busy(r.parser), i == 1 || i > 2);
        size_t used = 0;
        assert_int_equal(http_parser_feed(r.parser, bytes_of(input.data + i, 1), &used), ERR_OK);
    }
    assert_false(http_parser_is_busy(r.parser));
    record_fini(&r);
}

static void the_end_of_the_connection_in_a_message_is_an_error(void **state)
{
    (void)state;
    REQUEST("GET / HTTP", "rest= eof\n");
    ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
           "200 reason=OK 1.1 keep length=5 Content-Length:5\nrest=hel eof\n");
    ANSWER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
           "200 reason=OK 1.1 keep chunked length=-1 Transfer-Encoding:chunked\nrest=hello eof\n");
}

static void what_was_wrong_is_told_in_english(void **state)
{
    (void)state;
    struct http_record r;
    record_init(&r, HTTP_PARSE_REQUEST, HEAD_MAX, TARGET_MAX);
    assert_string_equal(http_parser_detail(r.parser), "");
    size_t used = 0;
    assert_int_equal(record_feed(&r, BYTES("GET / HTTP/1.1\r\n\r\n"), &used), ERR_INVALID_REQUEST);
    assert_string_equal(http_parser_detail(r.parser), "HTTP/1.1 requests carry a Host");
    record_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_without_a_body_ends_with_its_head),
        cmocka_unit_test(a_body_of_given_length_arrives),
        cmocka_unit_test(a_chunked_body_arrives_without_its_framing),
        cmocka_unit_test(chunk_extensions_and_trailers_are_dropped),
        cmocka_unit_test(pipelined_requests_come_one_by_one),
        cmocka_unit_test(feed_stops_after_each_message),
        cmocka_unit_test(one_empty_line_before_a_request_is_forgiven),
        cmocka_unit_test(blanks_around_values_are_cut_and_empty_values_stay),
        cmocka_unit_test(persistence_follows_version_and_connection),
        cmocka_unit_test(an_expectation_of_100_is_reported_and_others_are_refused),
        cmocka_unit_test(an_upgrade_is_ignored),
        cmocka_unit_test(absolute_targets_become_paths),
        cmocka_unit_test(a_star_goes_with_options_only),
        cmocka_unit_test(connect_is_not_supported),
        cmocka_unit_test(unknown_methods_are_passed_as_other),
        cmocka_unit_test(malformed_request_lines_are_refused),
        cmocka_unit_test(other_versions_are_not_supported),
        cmocka_unit_test(a_bad_request_line_is_refused_before_the_head_ends),
        cmocka_unit_test(line_ends_other_than_crlf_are_refused),
        cmocka_unit_test(control_bytes_in_a_head_are_refused),
        cmocka_unit_test(malformed_field_lines_are_refused),
        cmocka_unit_test(exactly_one_valid_host_is_required),
        cmocka_unit_test(ambiguous_lengths_are_refused),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(endless_extensions_and_trailers_are_refused),
        cmocka_unit_test(a_head_of_the_limit_passes_and_one_byte_more_is_refused),
        cmocka_unit_test(a_target_of_the_limit_passes_and_one_byte_more_is_refused),
        cmocka_unit_test(an_endless_request_line_is_a_too_long_target),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(a_refused_head_ends_the_parse_with_the_owners_word),
        cmocka_unit_test(a_parser_is_busy_from_the_first_byte_to_the_end),
        cmocka_unit_test(the_end_of_the_connection_in_a_message_is_an_error),
        cmocka_unit_test(what_was_wrong_is_told_in_english),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
