/* Signature-Input, a newline, Signature: whatever comes, it is refused, or verified against a
 * request whose every field is there. */
#include "node/trust/http_signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes field_of(void *ctx, struct bytes name)
{
    (void)ctx;
    return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[CRYPTO_PUBLIC_SIZE] = {1};
    struct http_signature_request request = {.method = BYTES("POST"),
                                             .target = BYTES("/mesh/v1/commands?x"),
                                             .authority = BYTES("a"),
                                             .field = field_of,
                                             .has_body = size % 2 == 0};
    struct http_signature s;
    const char *why = NULL;
    struct bytes input = bytes_of(data, size);
    input.size = bytes_find(input, '\n');
    struct bytes signature = bytes_skip(bytes_of(data, size), input.size + 1);
    CHECK(crypto_init() == ERR_OK);
    if (http_signature_parse(input, signature, &s, &why) == ERR_OK) {
        CHECK(s.keyid.size <= HTTP_SIGNATURE_KEYID_MAX && s.params.size < input.size);
        CHECK(http_signature_verify(&s, &request, key, s.created_s * 1000, &why) != ERR_OK);
    }
    (void)http_signature_digest_is(input, key);
    return 0;
}
