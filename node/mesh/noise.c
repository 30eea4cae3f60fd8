/* The XX handshake and its ciphers: the spec's CipherState, SymmetricState and HandshakeState
 * (sections 5.1 to 5.3) in one struct, since only one pattern is spoken. Called by
 * node/mesh/handshake (messages) and node/mesh/record (ciphers). */
#include "node/mesh/noise.h"

#define NOISE_NAME "Noise_XX_25519_ChaChaPoly_BLAKE2b"
_Static_assert(sizeof(NOISE_NAME) - 1 <= CRYPTO_HASH64_SIZE, "a longer name would be hashed");

enum token { TOKEN_END, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE };

static const enum token pattern[NOISE_MESSAGES][5] = {
    {TOKEN_E, TOKEN_END},
    {TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES, TOKEN_END},
    {TOKEN_S, TOKEN_SE, TOKEN_END},
};

/* --- ciphers */

static void make_nonce(uint64_t counter, uint8_t ret_nonce[12])
{
    memset(ret_nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        ret_nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

static enum err seal(struct noise_cipher *c, struct bytes ad, struct bytes plain, uint8_t *out)
{
    if (c->nonce == UINT64_MAX)
        return ERR_LIMIT;
    uint8_t nonce[12];
    make_nonce(c->nonce++, nonce);
    crypto_seal(c->key, nonce, ad, plain, out);
    return ERR_OK;
}

static enum err unseal(struct noise_cipher *c, struct bytes ad, struct bytes sealed, uint8_t *out)
{
    if (c->nonce == UINT64_MAX)
        return ERR_LIMIT;
    if (sealed.size < CRYPTO_TAG_SIZE)
        return ERR_INVALID;
    uint8_t nonce[12];
    make_nonce(c->nonce, nonce);
    TRY(crypto_open(c->key, nonce, ad, sealed, out));
    c->nonce++;
    return ERR_OK;
}

enum err noise_cipher_seal(struct noise_cipher *c, struct bytes plain, uint8_t *out)
{
    return seal(c, BYTES(""), plain, out);
}

enum err noise_cipher_open(struct noise_cipher *c, struct bytes sealed, uint8_t *out)
{
    return unseal(c, BYTES(""), sealed, out);
}

void noise_cipher_rekey(struct noise_cipher *c)
{
    uint8_t nonce[12];
    uint8_t zeros[CRYPTO_AEAD_KEY_SIZE] = {0};
    uint8_t sealed[CRYPTO_AEAD_KEY_SIZE + CRYPTO_TAG_SIZE];
    make_nonce(UINT64_MAX, nonce);
    crypto_seal(c->key, nonce, BYTES(""), bytes_of(zeros, sizeof(zeros)), sealed);
    memcpy(c->key, sealed, sizeof(c->key));
    crypto_wipe(sealed, sizeof(sealed));
}

/* --- the running hash and chaining key */

static void mix_hash(struct noise *n, struct bytes data)
{
    uint8_t next[CRYPTO_HASH64_SIZE];
    struct bytes parts[] = {bytes_of(n->hash, sizeof(n->hash)), data};
    crypto_hash64(parts, 2, next);
    memcpy(n->hash, next, sizeof(next));
}

/* HKDF with two outputs (section 4.3). */
static void derive(const uint8_t chaining_key[64], struct bytes input, uint8_t ret_first[64],
                   uint8_t ret_second[64])
{
    uint8_t temp[CRYPTO_HASH64_SIZE];
    const uint8_t one = 1, two = 2;
    struct bytes first[] = {bytes_of(&one, 1)};
    struct bytes second[] = {bytes_of(ret_first, CRYPTO_HASH64_SIZE), bytes_of(&two, 1)};
    crypto_hmac64(chaining_key, CRYPTO_HASH64_SIZE, &input, 1, temp);
    crypto_hmac64(temp, sizeof(temp), first, 1, ret_first);
    crypto_hmac64(temp, sizeof(temp), second, 2, ret_second);
    crypto_wipe(temp, sizeof(temp));
}

static void mix_key(struct noise *n, const uint8_t shared[CRYPTO_DH_SIZE])
{
    uint8_t next[CRYPTO_HASH64_SIZE];
    uint8_t key[CRYPTO_HASH64_SIZE];
    derive(n->chaining_key, bytes_of(shared, CRYPTO_DH_SIZE), next, key);
    memcpy(n->chaining_key, next, sizeof(next));
    memcpy(n->cipher.key, key, sizeof(n->cipher.key));
    n->cipher.nonce = 0;
    n->has_key = true;
    crypto_wipe(next, sizeof(next));
    crypto_wipe(key, sizeof(key));
}

static enum err encrypt_and_hash(struct noise *n, struct bytes plain, struct buf *out)
{
    size_t size = plain.size + (n->has_key ? CRYPTO_TAG_SIZE : 0);
    TRY(buf_reserve(out, size));
    uint8_t *place = out->data + out->size;
    if (n->has_key)
        TRY(seal(&n->cipher, bytes_of(n->hash, sizeof(n->hash)), plain, place));
    else if (size)
        memcpy(place, plain.data, size);
    mix_hash(n, bytes_of(place, size));
    out->size += size;
    return ERR_OK;
}

static enum err decrypt_and_hash(struct noise *n, struct bytes sealed, struct buf *out)
{
    if (!n->has_key) {
        TRY(buf_append(out, sealed));
        mix_hash(n, sealed);
        return ERR_OK;
    }
    if (sealed.size < CRYPTO_TAG_SIZE)
        return ERR_INVALID;
    size_t size = sealed.size - CRYPTO_TAG_SIZE;
    TRY(buf_reserve(out, size + 1)); /* + 1: a place even for nothing */
    TRY(unseal(&n->cipher, bytes_of(n->hash, sizeof(n->hash)), sealed, out->data + out->size));
    mix_hash(n, sealed);
    out->size += size;
    return ERR_OK;
}

/* --- the handshake */

void noise_init(struct noise *n, const struct noise_cfg *cfg)
{
    *n = (struct noise){.initiator = cfg->initiator};
    memcpy(n->hash, NOISE_NAME, sizeof(NOISE_NAME) - 1);
    memcpy(n->chaining_key, n->hash, sizeof(n->hash));
    memcpy(n->static_secret, cfg->static_secret, sizeof(n->static_secret));
    crypto_dh_public(n->static_secret, n->static_public);
    if (cfg->test_ephemeral_secret) {
        memcpy(n->ephemeral_secret, cfg->test_ephemeral_secret, sizeof(n->ephemeral_secret));
        crypto_dh_public(n->ephemeral_secret, n->ephemeral_public);
    } else {
        crypto_dh_keypair(n->ephemeral_public, n->ephemeral_secret);
    }
    mix_hash(n, cfg->prologue);
}

void noise_fini(struct noise *n)
{
    crypto_wipe(n, sizeof(*n));
}

bool noise_is_done(const struct noise *n)
{
    return !n->failed && n->step == NOISE_MESSAGES;
}

bool noise_is_our_turn(const struct noise *n)
{
    return !n->failed && n->step < NOISE_MESSAGES && (n->step % 2 == 0) == n->initiator;
}

static enum err mix_dh(struct noise *n, enum token token)
{
    bool own_static = (token == TOKEN_ES && !n->initiator) || (token == TOKEN_SE && n->initiator);
    bool their_static = token != TOKEN_EE && !own_static;
    uint8_t shared[CRYPTO_DH_SIZE];
    TRY(crypto_dh(own_static ? n->static_secret : n->ephemeral_secret,
                  their_static ? n->remote_static : n->remote_ephemeral, shared));
    mix_key(n, shared);
    crypto_wipe(shared, sizeof(shared));
    return ERR_OK;
}

static enum err write_token(struct noise *n, enum token token, struct buf *out)
{
    struct bytes key = bytes_of(n->ephemeral_public, sizeof(n->ephemeral_public));
    switch (token) {
    case TOKEN_E:
        TRY(buf_append(out, key));
        mix_hash(n, key);
        return ERR_OK;
    case TOKEN_S:
        return encrypt_and_hash(n, bytes_of(n->static_public, sizeof(n->static_public)), out);
    default: return mix_dh(n, token);
    }
}

static enum err write_message(struct noise *n, struct bytes payload, struct buf *message)
{
    for (const enum token *t = pattern[n->step]; *t != TOKEN_END; t++)
        TRY(write_token(n, *t, message));
    return encrypt_and_hash(n, payload, message);
}

enum err noise_write(struct noise *n, struct bytes payload, struct buf *message)
{
    CHECK(noise_is_our_turn(n));
    size_t before = message->size;
    enum err e = write_message(n, payload, message);
    if (e == ERR_OK && message->size - before > NOISE_MESSAGE_MAX)
        e = ERR_LIMIT;
    n->failed = e != ERR_OK;
    n->step++;
    return e;
}

static enum err read_key(struct noise *n, enum token token, struct bytes *message)
{
    size_t size = CRYPTO_PUBLIC_SIZE + (token == TOKEN_S && n->has_key ? CRYPTO_TAG_SIZE : 0);
    if (message->size < size)
        return ERR_INVALID;
    struct bytes key = bytes_of(message->data, size);
    *message = bytes_skip(*message, size);
    if (token == TOKEN_S) {
        uint8_t place[CRYPTO_PUBLIC_SIZE + 1]; /* + 1: decrypt_and_hash's spare byte */
        struct buf plain;
        buf_init_fixed(&plain, place, sizeof(place));
        TRY(decrypt_and_hash(n, key, &plain));
        memcpy(n->remote_static, place, sizeof(n->remote_static));
        return ERR_OK;
    }
    memcpy(n->remote_ephemeral, key.data, sizeof(n->remote_ephemeral));
    mix_hash(n, key);
    return ERR_OK;
}

static enum err read_message(struct noise *n, struct bytes message, struct buf *payload)
{
    for (const enum token *t = pattern[n->step]; *t != TOKEN_END; t++) {
        if (*t == TOKEN_E || *t == TOKEN_S)
            TRY(read_key(n, *t, &message));
        else
            TRY(mix_dh(n, *t));
    }
    return decrypt_and_hash(n, message, payload);
}

enum err noise_read(struct noise *n, struct bytes message, struct buf *payload)
{
    if (n->failed || n->step >= NOISE_MESSAGES || noise_is_our_turn(n))
        return ERR_PROTOCOL;
    enum err e = message.size > NOISE_MESSAGE_MAX ? ERR_INVALID : read_message(n, message, payload);
    n->failed = e != ERR_OK;
    n->step++;
    return e;
}

void noise_split(struct noise *n, struct noise_cipher *ret_send, struct noise_cipher *ret_receive)
{
    CHECK(noise_is_done(n));
    uint8_t first[CRYPTO_HASH64_SIZE];
    uint8_t second[CRYPTO_HASH64_SIZE];
    derive(n->chaining_key, BYTES(""), first, second);
    struct noise_cipher *forth = n->initiator ? ret_send : ret_receive;
    struct noise_cipher *back = n->initiator ? ret_receive : ret_send;
    memcpy(forth->key, first, sizeof(forth->key));
    memcpy(back->key, second, sizeof(back->key));
    forth->nonce = back->nonce = 0;
    crypto_wipe(first, sizeof(first));
    crypto_wipe(second, sizeof(second));
    crypto_wipe(n->chaining_key, sizeof(n->chaining_key));
    crypto_wipe(&n->cipher, sizeof(n->cipher));
    crypto_wipe(n->static_secret, sizeof(n->static_secret));
    crypto_wipe(n->ephemeral_secret, sizeof(n->ephemeral_secret));
}
