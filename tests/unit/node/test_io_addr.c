/* Addresses as text: what is taken, what is refused, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/io/addr.h"

static void ipv4_and_ipv6_survive_the_round_trip(void **state)
{
    static const char *const texts[] = {"127.0.0.1:80",          "0.0.0.0:0",
                                        "255.255.255.255:65535", "[::1]:80",
                                        "[2001:db8::7]:7300",    "[::]:1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct io_addr a;
        char text[IO_ADDR_TEXT_SIZE];
        assert_int_equal(io_addr_parse(bytes_from_str(texts[i]), &a), ERR_OK);
        io_addr_to_text(&a, text);
        assert_string_equal(text, texts[i]);
    }
}

static void what_is_not_an_address_is_refused_and_the_output_untouched(void **state)
{
    static const char *const texts[] = {"",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        ":80",
                                        "localhost:80",
                                        "1.2.3:80",
                                        "1.2.3.4.5:80",
                                        "1.2.3.256:80",
                                        "1.2.3.4:65536",
                                        "1.2.3.4:-1",
                                        "1.2.3.4:8x",
                                        "1.2.3.4:0000080",
                                        "::1:80",
                                        "[::1]",
                                        "[::1]80",
                                        "[::1:80",
                                        "[]:80",
                                        "[127.0.0.1]:80",
                                        "[fe80::1%lo]:80",
                                        " 1.2.3.4:80",
                                        "1.2.3.4:80 ",
                                        "unix:/tmp/x",
                                        "[g::1]:80",
                                        "[",
                                        "]:80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct io_addr a = {.family = IO_UNIX, .port = 7};
        assert_int_equal(io_addr_parse(bytes_from_str(texts[i]), &a), ERR_INVALID);
        assert_int_equal(a.family, IO_UNIX);
        assert_int_equal(a.port, 7);
    }
    struct io_addr a;
    assert_int_equal(io_addr_parse(BYTES("1.2.3.4\0:80"), &a), ERR_INVALID);
}

static void split_lends_the_host(void **state)
{
    struct bytes host;
    uint16_t port;
    assert_int_equal(io_addr_split(BYTES("gpu-1.example:7300"), &host, &port), ERR_OK);
    assert_true(bytes_equal(host, BYTES("gpu-1.example")));
    assert_int_equal(port, 7300);
    assert_int_equal(io_addr_split(BYTES("[::1]:1"), &host, &port), ERR_OK);
    assert_true(bytes_equal(host, BYTES("::1")));
    assert_int_equal(io_addr_split(BYTES("gpu-1"), &host, &port), ERR_INVALID);
    assert_int_equal(io_addr_split(BYTES("a\0b:1"), &host, &port), ERR_INVALID);
}

static void a_host_longer_than_any_name_is_refused(void **state)
{
    char text[300];
    struct bytes host;
    uint16_t port;
    memset(text, 'a', sizeof text);
    memcpy(text + 255, ":80", 3);
    assert_int_equal(io_addr_split(bytes_of(text, 258), &host, &port), ERR_OK);
    memset(text, 'a', sizeof text);
    memcpy(text + 256, ":80", 3);
    assert_int_equal(io_addr_split(bytes_of(text, 259), &host, &port), ERR_INVALID);
}

static void unix_paths_are_limited_by_the_system(void **state)
{
    char path[109];
    char text[IO_ADDR_TEXT_SIZE];
    struct io_addr a;
    memset(path, 'p', sizeof path);
    path[107] = 0;
    assert_int_equal(io_addr_unix(path, &a), ERR_OK);
    io_addr_to_text(&a, text);
    assert_int_equal(strlen(text), 5 + 107);
    path[107] = 'p';
    path[108] = 0;
    assert_int_equal(io_addr_unix(path, &a), ERR_LIMIT);
    assert_int_equal(io_addr_unix("", &a), ERR_INVALID);
}

static struct io_addr parsed(const char *text)
{
    struct io_addr a;
    assert_int_equal(io_addr_parse(bytes_from_str(text), &a), ERR_OK);
    return a;
}

static void equality_looks_at_family_host_and_port(void **state)
{
    struct io_addr a = parsed("127.0.0.1:80"), b = a, six = parsed("[::1]:80");
    struct io_addr path, other;
    memset(b.ip + 4, 0xff, 12); /* not part of an IPv4 address */
    assert_true(io_addr_equal(&a, &b));
    b.port++;
    assert_false(io_addr_equal(&a, &b));
    assert_false(io_addr_equal(&a, &six));
    assert_int_equal(io_addr_unix("/run/a", &path), ERR_OK);
    assert_int_equal(io_addr_unix("/run/b", &other), ERR_OK);
    assert_true(io_addr_equal(&path, &path));
    assert_false(io_addr_equal(&path, &other));
}

static void loopback_and_any_are_recognised(void **state)
{
    static const char *const local[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1",
                                        "[::ffff:127.0.0.1]:1"};
    static const char *const far[] = {"128.0.0.1:1", "[::2]:1", "0.0.0.0:1", "[::ffff:1.0.0.1]:1"};
    struct io_addr a;
    for (size_t i = 0; i < 4; i++) {
        a = parsed(local[i]);
        assert_true(io_addr_is_loopback(&a));
        assert_false(io_addr_is_any(&a));
        a = parsed(far[i]);
        assert_false(io_addr_is_loopback(&a));
    }
    a = parsed("0.0.0.0:80");
    assert_true(io_addr_is_any(&a));
    a = parsed("[::]:80");
    assert_true(io_addr_is_any(&a));
    assert_int_equal(io_addr_unix("/x", &a), ERR_OK);
    assert_true(io_addr_is_loopback(&a));
    assert_false(io_addr_is_any(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_and_ipv6_survive_the_round_trip),
        cmocka_unit_test(what_is_not_an_address_is_refused_and_the_output_untouched),
        cmocka_unit_test(split_lends_the_host),
        cmocka_unit_test(a_host_longer_than_any_name_is_refused),
        cmocka_unit_test(unix_paths_are_limited_by_the_system),
        cmocka_unit_test(equality_looks_at_family_host_and_port),
        cmocka_unit_test(loopback_and_any_are_recognised),
    };
    return cmocka_run_group_tests_name("io_addr", tests, NULL, NULL);
}
