/* node/http/parser, answers of servers: lengths, bodies that are none, interim answers, bad
 * ones. */
#include "tests/support/http_cuts.h"

static void an_answer_is_read(void **state)
{
    (void)state;
    ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
           "200 reason=OK 1.1 keep length=2 Content-Length:2\nbody=hi\nrest= ok\n");
    ANSWER("HTTP/1.1 200 Very \xe4 fine\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
           "200 reason=Very \xe4 fine 1.1 keep chunked length=-1 Transfer-Encoding:chunked\n"
           "body=hi\nrest= ok\n");
    ANSWER("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
           "404 reason= 1.1 keep length=0 Content-Length:0\nbody=\nrest= ok\n");
    ANSWER("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
           "404 reason= 1.1 keep length=0 Content-Length:0\nbody=\nrest= ok\n");
}

static void an_answer_without_length_lasts_until_the_connection_ends(void **state)
{
    (void)state;
    ANSWER("HTTP/1.1 200 OK\r\n\r\nall of it",
           "200 reason=OK 1.1 length=-1\nbody=all of it\nrest= ok\n");
    ANSWER("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n",
           "200 reason=OK 1.0 length=-1 connection:keep-alive\nbody=\nrest= ok\n");
}

static void answers_that_have_no_body_end_with_their_head(void **state)
{
    (void)state;
    ANSWER("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n",
           "204 reason=No 1.1 keep length=-1\nbody=\n"
           "304 reason=No 1.1 keep length=7 Content-Length:7\nbody=\nrest= ok\n");
    ANSWER_TO_HEAD("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
                   "200 reason=OK 1.1 keep length=7 Content-Length:7\nbody=\nrest= ok\n");
    ANSWER_TO_HEAD("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "200 reason=OK 1.1 keep chunked length=-1 Transfer-Encoding:chunked\n"
                   "body=\nrest= ok\n");
    ANSWER_TO_HEAD("HTTP/1.1 200 OK\r\n\r\n",
                   "200 reason=OK 1.1 keep length=-1\nbody=\nrest= ok\n");
}

static void interim_answers_are_skipped(void **state)
{
    (void)state;
    ANSWER("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
           "200 reason=OK 1.1 keep length=2 Content-Length:2\nbody=hi\nrest= ok\n");
    ANSWER("HTTP/1.1 100 Continue\r\n\r\n", "rest= eof\n");
    REFUSES_ANSWER("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc");
}

static void endless_interim_answers_are_refused(void **state)
{
    (void)state;
    struct http_record r;
    record_init(&r, HTTP_PARSE_RESPONSE, HEAD_MAX, TARGET_MAX);
    enum err e = ERR_OK;
    int count = 0;
    for (size_t used = 0; count < 1000 && e == ERR_OK; count++)
        e = record_feed(&r, BYTES("HTTP/1.1 102 Processing\r\n\r\n"), &used);
    assert_int_equal(e, ERR_PROTOCOL);
    assert_in_range(count, 2, 100);
    record_fini(&r);
}

static void malformed_answers_are_refused(void **state)
{
    (void)state;
    REFUSES_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    REFUSES_ANSWER("HTTP/2.0 200 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1  200 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 2000 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 0200 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 20 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 200 O\x01K\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 099 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 600 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 200OK\r\n\r\n");
    REFUSES_ANSWER("ICY 200 OK\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n");
    REFUSES_ANSWER("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n");
    REFUSES_ANSWER("x\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(an_answer_without_length_lasts_until_the_connection_ends),
        cmocka_unit_test(answers_that_have_no_body_end_with_their_head),
        cmocka_unit_test(interim_answers_are_skipped),
        cmocka_unit_test(endless_interim_answers_are_refused),
        cmocka_unit_test(malformed_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
