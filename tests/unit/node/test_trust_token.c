/* Invitation tokens: their text, and what their holder can and cannot make with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/trust_fixture.h"

#define TEXT_MAX (TOKEN_TEXT_MAX + 64)

static void make_text(const struct token *token, struct buf *text)
{
    buf_init(text, TEXT_MAX);
    assert_int_equal(token_encode(token, text), ERR_OK);
}

/* --- text --- */

static void a_token_comes_back_as_it_was(void **state)
{
    struct fixture f;
    struct token token, back;
    struct buf text;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    make_text(&token, &text);
    assert_true(bytes_starts_with(buf_bytes(&text), BYTES("gv1_")));
    assert_int_equal(token_decode(buf_bytes(&text), &back), ERR_OK);
    assert_memory_equal(back.root, token.root, CRYPTO_PUBLIC_SIZE);
    assert_memory_equal(back.seed, token.seed, CRYPTO_SEED_SIZE);
    assert_int_equal(back.chain_size, token.chain_size);
    assert_memory_equal(back.chain, token.chain, token.chain_size);
    assert_int_equal(back.peer_count, 2);
    assert_string_equal(back.peers[0], token.peers[0]);
    assert_string_equal(back.peers[1], token.peers[1]);
    buf_fini(&text);
}

static void a_token_is_one_word(void **state)
{
    struct fixture f;
    struct token token;
    struct buf text;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    make_text(&token, &text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '_');
    }
    buf_fini(&text);
}

static void blanks_around_a_token_are_fine_and_inside_are_not(void **state)
{
    struct fixture f;
    struct token token, back;
    struct buf text, around;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    make_text(&token, &text);
    buf_init(&around, TEXT_MAX);
    assert_int_equal(buf_append_str(&around, " \t\r\n"), ERR_OK);
    assert_int_equal(buf_append(&around, buf_bytes(&text)), ERR_OK);
    assert_int_equal(buf_append_str(&around, "\r\n  \n"), ERR_OK);
    assert_int_equal(token_decode(buf_bytes(&around), &back), ERR_OK);
    text.data[text.size / 2] = '\n';
    assert_int_equal(token_decode(buf_bytes(&text), &back), ERR_INVALID);
    buf_fini(&around);
    buf_fini(&text);
}

static void a_torn_token_is_refused_at_every_length(void **state)
{
    struct fixture f;
    struct token token, back = {.chain_size = 99};
    struct buf text;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    make_text(&token, &text);
    for (size_t size = 0; size < text.size; size++) {
        assert_int_equal(token_decode(bytes_of(text.data, size), &back), ERR_INVALID);
        assert_int_equal(token_decode(bytes_skip(buf_bytes(&text), size + 1), &back), ERR_INVALID);
    }
    assert_int_equal(back.chain_size, 99); /* untouched on failure */
    buf_fini(&text);
}

static void any_altered_character_is_refused(void **state)
{
    struct fixture f;
    struct token token, back;
    struct buf text;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    make_text(&token, &text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t was = text.data[i];
        const uint8_t others[] = {
            was == 'A' ? 'B' : 'A', was == '9' ? '8' : '9', '=', '+', 0, 0x80, 0xff};
        for (size_t k = 0; k < sizeof(others); k++) {
            text.data[i] = others[k];
            assert_int_equal(token_decode(buf_bytes(&text), &back), ERR_INVALID);
        }
        text.data[i] = was;
    }
    assert_int_equal(token_decode(buf_bytes(&text), &back), ERR_OK);
    buf_fini(&text);
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const TEXTS[] = {
        "", " ", "gv1_", "gv1", "gv2_AAAA", "hello", "gv1_AAAA", "gv1_AAAAAAAAAAAAAAAAAAAA"};
    struct token back;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_int_equal(token_decode(bytes_from_str(TEXTS[i]), &back), ERR_INVALID);
    struct buf endless;
    buf_init(&endless, 2 * TOKEN_TEXT_MAX);
    assert_int_equal(buf_append_str(&endless, TOKEN_PREFIX), ERR_OK);
    while (endless.size <= TOKEN_TEXT_MAX)
        assert_int_equal(buf_append_byte(&endless, 'A'), ERR_OK);
    assert_int_equal(token_decode(buf_bytes(&endless), &back), ERR_INVALID);
    buf_fini(&endless);
}

static void a_token_too_long_for_its_text_is_not_made(void **state)
{
    struct fixture f;
    struct token token;
    struct buf text;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    token.chain_size = sizeof(token.chain);
    buf_init(&text, 2 * TEXT_MAX);
    assert_int_equal(token_encode(&token, &text), ERR_LIMIT);
    assert_int_equal(text.size, 0);
    fixture_token(&f, &token);
    FIXTURE_SET(token.peers[1], "two words");
    assert_int_equal(token_encode(&token, &text), ERR_INVALID);
    token.peers[1][0] = '\0';
    assert_int_equal(token_encode(&token, &text), ERR_INVALID);
    buf_fini(&text);
}

static void a_wiped_token_holds_nothing(void **state)
{
    struct fixture f;
    struct token token, nothing;
    fixture_init(&f, 1);
    fixture_token(&f, &token);
    token_wipe(&token);
    memset(&nothing, 0, sizeof(nothing));
    assert_memory_equal(&token, &nothing, sizeof(token));
}

/* --- joining --- */

struct join {
    struct fixture f;
    struct token_request request;
    struct cert_chain chain; /* of the node, when it was made */
};

static void join_init(struct join *j)
{
    fixture_init(&j->f, 1);
    j->request = (struct token_request){.name = "shop-14",
                                        .tier = TIER_EDGE,
                                        .region = "eu-west",
                                        .now_ms = FIXTURE_NOW_MS,
                                        .valid_ms = 30 * FIXTURE_DAY_MS};
}

/* Makes a token of the (bent) fixture and joins with it; a chain that was made must also verify. */
static enum err join(struct join *j)
{
    uint8_t space[CERT_CHAIN_SIZE_MAX + 4];
    struct token token;
    struct buf chain;
    fixture_token(&j->f, &token);
    buf_init_fixed(&chain, space, sizeof(space));
    assert_int_equal(buf_append_str(&chain, "pre"), ERR_OK);
    enum err e = token_issue_node(&token, &j->request, j->f.node.public_key, &chain);
    if (e != ERR_OK) {
        assert_int_equal(chain.size, 3);
        return e;
    }
    assert_int_equal(cert_chain_verify(bytes_skip(buf_bytes(&chain), 3), j->f.root.public_key,
                                       j->request.now_ms, &j->chain),
                     ERR_OK);
    return ERR_OK;
}

static void the_holder_of_a_token_makes_a_node_that_verifies(void **state)
{
    struct join j;
    join_init(&j);
    assert_int_equal(join(&j), ERR_OK);
    const struct cert *node = cert_leaf(&j.chain);
    assert_int_equal(j.chain.count, 3);
    assert_string_equal(node->name, "shop-14");
    assert_string_equal(node->region, "eu-west");
    assert_int_equal(node->tier, TIER_EDGE);
    assert_int_equal(node->not_before_ms, FIXTURE_NOW_MS);
    assert_int_equal(node->not_after_ms, FIXTURE_NOW_MS + 30 * FIXTURE_DAY_MS);
    assert_memory_equal(node->subject, j.f.node.public_key, CRYPTO_PUBLIC_SIZE);
    struct id first = node->serial;
    assert_int_equal(join(&j), ERR_OK);
    assert_false(id_equal(&first, &cert_leaf(&j.chain)->serial));
}

static void a_tier_or_region_beyond_the_invitation_is_refused(void **state)
{
    struct join j;
    join_init(&j);
    j.f.invitation_cert.tier = TIER_EDGE;
    FIXTURE_SET(j.f.invitation_cert.region, "eu-west");
    assert_int_equal(join(&j), ERR_OK);
    j.request.tier = TIER_CLOUD;
    assert_int_equal(join(&j), ERR_CERT_SCOPE);
    j.request.tier = TIER_EDGE;
    j.request.region = "us-east";
    assert_int_equal(join(&j), ERR_CERT_SCOPE);
}

static void what_the_node_leaves_open_is_taken_from_the_invitation(void **state)
{
    struct join j;
    join_init(&j);
    j.request.tier = TIER_ANY;
    j.request.region = "";
    assert_int_equal(join(&j), ERR_INVALID); /* the invitation names no tier either */
    j.f.invitation_cert.tier = TIER_REGIONAL;
    FIXTURE_SET(j.f.invitation_cert.region, "eu-west");
    assert_int_equal(join(&j), ERR_OK);
    assert_int_equal(cert_leaf(&j.chain)->tier, TIER_REGIONAL);
    assert_string_equal(cert_leaf(&j.chain)->region, "eu-west");
    j.request.region = NULL;
    assert_int_equal(join(&j), ERR_OK);
}

static void a_node_lives_no_longer_than_its_invitation(void **state)
{
    struct join j;
    join_init(&j);
    j.request.valid_ms = UINT64_MAX;
    assert_int_equal(join(&j), ERR_OK);
    assert_int_equal(cert_leaf(&j.chain)->not_after_ms, j.f.invitation_cert.not_after_ms);
}

static void joining_ends_with_the_invitation(void **state)
{
    struct join j;
    join_init(&j);
    uint64_t until_ms = j.f.invitation_cert.join_until_ms;
    j.request.now_ms = until_ms + CERT_SKEW_MS;
    assert_int_equal(join(&j), ERR_OK);
    assert_int_equal(cert_leaf(&j.chain)->not_before_ms, until_ms);
    j.request.now_ms = until_ms + CERT_SKEW_MS + 1;
    assert_int_equal(join(&j), ERR_CERT_EXPIRED);

    join_init(&j);
    j.f.invitation_cert.join_until_ms = 0;
    j.f.invitation_cert.not_after_ms = FIXTURE_NOW_MS + 1000;
    assert_int_equal(join(&j), ERR_OK);
    assert_int_equal(cert_leaf(&j.chain)->not_after_ms, FIXTURE_NOW_MS + 1000);
    j.request.now_ms = FIXTURE_NOW_MS + 1000 + CERT_SKEW_MS + 1;
    assert_int_equal(join(&j), ERR_CERT_EXPIRED);
}

static void a_clock_slightly_behind_the_inviter_can_join(void **state)
{
    struct join j;
    join_init(&j);
    j.request.now_ms = j.f.invitation_cert.not_before_ms - CERT_SKEW_MS;
    assert_int_equal(join(&j), ERR_OK);
    assert_int_equal(cert_leaf(&j.chain)->not_before_ms, j.f.invitation_cert.not_before_ms);
    j.request.now_ms--;
    assert_int_equal(join(&j), ERR_CERT_EXPIRED);
}

static void names_out_of_shape_are_refused(void **state)
{
    struct join j;
    join_init(&j);
    j.request.name = "Shop 14";
    assert_int_equal(join(&j), ERR_INVALID);
    j.request.name = "";
    assert_int_equal(join(&j), ERR_INVALID);
    j.request.name = "shop-14";
    j.request.region = "EU";
    assert_int_equal(join(&j), ERR_INVALID);
}

static void a_token_with_the_wrong_key_or_chain_makes_nothing(void **state)
{
    struct join j;
    join_init(&j);
    fixture_key(99, &j.f.invitation); /* the token's secret is not the invitation's */
    memcpy(j.f.node_cert.issuer, j.f.invitation.public_key, CRYPTO_PUBLIC_SIZE);
    assert_int_equal(join(&j), ERR_INVALID);

    struct fixture other;
    struct token token;
    struct buf chain;
    join_init(&j);
    fixture_init(&other, 2);
    fixture_token(&j.f, &token);
    memcpy(token.root, other.root.public_key, CRYPTO_PUBLIC_SIZE);
    buf_init(&chain, CERT_CHAIN_SIZE_MAX);
    assert_int_equal(token_issue_node(&token, &j.request, j.f.node.public_key, &chain),
                     ERR_WRONG_MESH);
    fixture_token(&j.f, &token);
    token.chain_size = 0;
    fixture_chain(&j.f, 1, &chain);
    memcpy(token.chain, chain.data, chain.size); /* an admin's chain invites nobody */
    token.chain_size = chain.size;
    buf_clear(&chain);
    assert_int_equal(token_issue_node(&token, &j.request, j.f.node.public_key, &chain),
                     ERR_CERT_SCOPE);
    buf_fini(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_back_as_it_was),
        cmocka_unit_test(a_token_is_one_word),
        cmocka_unit_test(blanks_around_a_token_are_fine_and_inside_are_not),
        cmocka_unit_test(a_torn_token_is_refused_at_every_length),
        cmocka_unit_test(any_altered_character_is_refused),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(a_token_too_long_for_its_text_is_not_made),
        cmocka_unit_test(a_wiped_token_holds_nothing),
        cmocka_unit_test(the_holder_of_a_token_makes_a_node_that_verifies),
        cmocka_unit_test(a_tier_or_region_beyond_the_invitation_is_refused),
        cmocka_unit_test(what_the_node_leaves_open_is_taken_from_the_invitation),
        cmocka_unit_test(a_node_lives_no_longer_than_its_invitation),
        cmocka_unit_test(joining_ends_with_the_invitation),
        cmocka_unit_test(a_clock_slightly_behind_the_inviter_can_join),
        cmocka_unit_test(names_out_of_shape_are_refused),
        cmocka_unit_test(a_token_with_the_wrong_key_or_chain_makes_nothing),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
