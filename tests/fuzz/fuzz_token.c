/* Invitation tokens from hostile text. The checksum hides the inside from mutations, so the
 * bytes are also taken as what is under it. What decodes must encode to the same again. */
#include "node/trust/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_text(struct bytes text)
{
    struct token token;
    uint8_t space[TOKEN_TEXT_MAX];
    struct buf again;
    if (token_decode(text, &token) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(token_encode(&token, &again) == ERR_OK);
    CHECK(text.size >= again.size && memmem(text.data, text.size, again.data, again.size));
}

static void one_inside(struct bytes wire)
{
    struct token token, back;
    uint8_t space[TOKEN_TEXT_MAX], text_space[TOKEN_TEXT_MAX];
    struct buf again, text;
    if (trust_wire_token_decode(wire, &token) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(trust_wire_token_encode(&token, &again) == ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&again)));

    buf_init_fixed(&text, text_space, sizeof(text_space));
    if (token_encode(&token, &text) == ERR_OK)
        CHECK(token_decode(buf_bytes(&text), &back) == ERR_OK);

    uint8_t chain_space[CERT_CHAIN_SIZE_MAX];
    struct buf chain;
    struct token_request request = {"node", TIER_EDGE, "", 1795000000000ull, 1000};
    buf_init_fixed(&chain, chain_space, sizeof(chain_space));
    if (token_issue_node(&token, &request, token.root, &chain) == ERR_OK)
        CHECK(chain.size > token.chain_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CHECK(crypto_init() == ERR_OK);
    one_text(bytes_of(data, size));
    one_inside(bytes_of(data, size));
    return 0;
}
