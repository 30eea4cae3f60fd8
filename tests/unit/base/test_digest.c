/* SHA-256 against the published vectors (FIPS 180-4 examples), whole and in pieces. */
#include "base/buf.h"
#include "base/crypto.h"
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(struct bytes data, size_t piece, const char *hex)
{
    struct digest d;
    uint8_t found[DIGEST_SIZE], wanted[DIGEST_SIZE];
    digest_init(&d);
    for (; data.size > piece; data = bytes_skip(data, piece))
        digest_update(&d, bytes_of(data.data, piece));
    digest_update(&d, data);
    digest_final(&d, found);
    assert_int_equal(crypto_hex_decode(bytes_from_str(hex), wanted, sizeof wanted), ERR_OK);
    assert_memory_equal(found, wanted, sizeof found);
}

static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const char text_hex[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";

static void it_gives_the_published_digests(void **state)
{
    (void)state;
    check(bytes_of(NULL, 0), 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(BYTES("abc"), 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(BYTES(text), 100, text_hex);
}

static void pieces_give_the_same_digest_as_the_whole(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof text; piece++)
        check(BYTES(text), piece, text_hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_the_published_digests),
        cmocka_unit_test(pieces_give_the_same_digest_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
