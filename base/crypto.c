/* The only file that includes libsodium. Only its primitive-specific headers are included, since
 * the generic ones declare functions with our names (see crypto.h). Nodes, the mesh links, gossip
 * and the registry sign, seal and hash through here. */
#include "base/crypto.h"

#include <sodium/core.h>
#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_scalarmult_curve25519.h>
#include <sodium/crypto_shorthash_siphash24.h>
#include <sodium/crypto_sign_ed25519.h>
#include <sodium/crypto_stream_chacha20.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <sodium/version.h>

#define HMAC_BLOCK_SIZE 128 /* BLAKE2b's block (RFC 7693) */
#define BASE64_CHUNK_SIZE 48

_Static_assert(CRYPTO_PUBLIC_SIZE == crypto_sign_ed25519_PUBLICKEYBYTES, "Ed25519 public key");
_Static_assert(CRYPTO_SEED_SIZE == crypto_sign_ed25519_SEEDBYTES, "Ed25519 seed");
_Static_assert(CRYPTO_SECRET_SIZE == crypto_sign_ed25519_SECRETKEYBYTES, "Ed25519 secret key");
_Static_assert(CRYPTO_SIGNATURE_SIZE == crypto_sign_ed25519_BYTES, "Ed25519 signature");
_Static_assert(CRYPTO_DH_SIZE == crypto_scalarmult_curve25519_BYTES, "X25519 shared secret");
_Static_assert(CRYPTO_TAG_SIZE == crypto_aead_chacha20poly1305_IETF_ABYTES, "tag");
_Static_assert(CRYPTO_XNONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");

enum err crypto_init(void)
{
    return sodium_init() < 0 ? ERR_INTERNAL : ERR_OK;
}

/* Simulated randomness: ChaCha20 under a key made of the seed, one nonce per call. libsodium takes
 * its random source as a table of functions without a context, so this state has to be global.
 * lint-allow: globals: libsodium's random source takes no context */
static struct {
    uint8_t key[crypto_stream_chacha20_KEYBYTES];
    uint64_t calls;
} simulation;

static const char *simulation_name(void)
{
    return "simulation";
}

static void simulation_random(void *data, size_t size)
{
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint64_t call = simulation.calls++;
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(call >> 8 * i);
    crypto_stream_chacha20(data, size, nonce, simulation.key);
}

static uint32_t simulation_random_u32(void)
{
    uint8_t bytes[4];
    simulation_random(bytes, sizeof bytes);
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void crypto_seed_for_simulation(uint64_t seed)
{
    /* lint-allow: globals: never changed, but libsodium wants a pointer to non-const */
    static randombytes_implementation implementation = {
        .implementation_name = simulation_name,
        .random = simulation_random_u32,
        .buf = simulation_random,
    };
    memset(&simulation, 0, sizeof simulation);
    for (int i = 0; i < 8; i++)
        simulation.key[i] = (uint8_t)(seed >> 8 * i);
    randombytes_set_implementation(&implementation);
}

void crypto_random(void *ret_data, size_t size)
{
    randombytes_buf(ret_data, size);
}

void crypto_wipe(void *data, size_t size)
{
    sodium_memzero(data, size);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

void crypto_sign_keypair(uint8_t ret_public[32], uint8_t ret_secret[64])
{
    crypto_sign_ed25519_keypair(ret_public, ret_secret);
}

void crypto_sign_keypair_from_seed(const uint8_t seed[32], uint8_t ret_public[32],
                                   uint8_t ret_secret[64])
{
    crypto_sign_ed25519_seed_keypair(ret_public, ret_secret, seed);
}

void crypto_sign(const uint8_t secret[64], struct bytes message, uint8_t ret_signature[64])
{
    crypto_sign_ed25519_detached(ret_signature, NULL, message.data, message.size, secret);
}

bool crypto_verify(const uint8_t public_key[32], struct bytes message, const uint8_t signature[64])
{
    int rc = crypto_sign_ed25519_verify_detached(signature, message.data, message.size, public_key);
    return rc == 0;
}

void crypto_dh_keypair(uint8_t ret_public[32], uint8_t ret_secret[32])
{
    crypto_random(ret_secret, CRYPTO_DH_SIZE);
    crypto_dh_public(ret_secret, ret_public);
}

void crypto_dh_public(const uint8_t secret[32], uint8_t ret_public[32])
{
    crypto_scalarmult_curve25519_base(ret_public, secret);
}

enum err crypto_dh(const uint8_t secret[32], const uint8_t public_key[32], uint8_t ret_shared[32])
{
    uint8_t shared[CRYPTO_DH_SIZE];
    if (crypto_scalarmult_curve25519(shared, secret, public_key) != 0)
        return ERR_INVALID;
    memcpy(ret_shared, shared, sizeof shared);
    crypto_wipe(shared, sizeof shared);
    return ERR_OK;
}

enum err crypto_sign_public_to_dh(const uint8_t public_key[32], uint8_t ret_public[32])
{
    uint8_t converted[CRYPTO_PUBLIC_SIZE];
    if (crypto_sign_ed25519_pk_to_curve25519(converted, public_key) != 0)
        return ERR_INVALID;
    memcpy(ret_public, converted, sizeof converted);
    return ERR_OK;
}

void crypto_sign_secret_to_dh(const uint8_t secret[64], uint8_t ret_secret[32])
{
    crypto_sign_ed25519_sk_to_curve25519(ret_secret, secret);
}

typedef crypto_generichash_blake2b_state blake2b;

void crypto_hash(struct bytes data, uint8_t ret_hash[32])
{
    crypto_generichash_blake2b(ret_hash, CRYPTO_HASH_SIZE, data.data, data.size, NULL, 0);
}

static void update_parts(blake2b *state, const struct bytes *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].size)
            crypto_generichash_blake2b_update(state, parts[i].data, parts[i].size);
}

void crypto_hash_parts(const struct bytes *parts, size_t count, uint8_t ret_hash[32])
{
    blake2b state;
    crypto_generichash_blake2b_init(&state, NULL, 0, CRYPTO_HASH_SIZE);
    update_parts(&state, parts, count);
    crypto_generichash_blake2b_final(&state, ret_hash, CRYPTO_HASH_SIZE);
}

_Static_assert(sizeof(struct crypto_hashing) >= sizeof(blake2b), "state of a hash");

static blake2b *state_of(struct crypto_hashing *h)
{
    return (blake2b *)(void *)h->state;
}

void crypto_hashing_begin(struct crypto_hashing *h)
{
    crypto_generichash_blake2b_init(state_of(h), NULL, 0, CRYPTO_HASH_SIZE);
}

void crypto_hashing_add(struct crypto_hashing *h, struct bytes data)
{
    update_parts(state_of(h), &data, 1);
}

void crypto_hashing_end(struct crypto_hashing *h, uint8_t ret_hash[32])
{
    crypto_generichash_blake2b_final(state_of(h), ret_hash, CRYPTO_HASH_SIZE);
}

void crypto_hash64(const struct bytes *parts, size_t count, uint8_t ret_hash[64])
{
    blake2b state;
    crypto_generichash_blake2b_init(&state, NULL, 0, CRYPTO_HASH64_SIZE);
    update_parts(&state, parts, count);
    crypto_generichash_blake2b_final(&state, ret_hash, CRYPTO_HASH64_SIZE);
    crypto_wipe(&state, sizeof state);
}

/* One of HMAC's two hashes: over the key, flipped by `flip`, then the parts. */
static void hmac_half(const uint8_t key[HMAC_BLOCK_SIZE], uint8_t flip, const struct bytes *parts,
                      size_t count, uint8_t ret_hash[64])
{
    blake2b state;
    uint8_t pad[HMAC_BLOCK_SIZE];
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = key[i] ^ flip;
    crypto_generichash_blake2b_init(&state, NULL, 0, CRYPTO_HASH64_SIZE);
    crypto_generichash_blake2b_update(&state, pad, sizeof pad);
    update_parts(&state, parts, count);
    crypto_generichash_blake2b_final(&state, ret_hash, CRYPTO_HASH64_SIZE);
    crypto_wipe(pad, sizeof pad);
    crypto_wipe(&state, sizeof state);
}

void crypto_hmac64(const uint8_t *key, size_t key_size, const struct bytes *parts, size_t count,
                   uint8_t ret_mac[64])
{
    uint8_t block[HMAC_BLOCK_SIZE] = {0};
    uint8_t inner[CRYPTO_HASH64_SIZE];
    if (key_size > sizeof block)
        crypto_hash64(&(struct bytes){key, key_size}, 1, block);
    else if (key_size)
        memcpy(block, key, key_size);
    hmac_half(block, 0x36, parts, count, inner);
    hmac_half(block, 0x5c, &(struct bytes){inner, sizeof inner}, 1, ret_mac);
    crypto_wipe(block, sizeof block);
    crypto_wipe(inner, sizeof inner);
}

uint64_t crypto_siphash(const uint8_t key[16], struct bytes data)
{
    uint8_t hash[crypto_shorthash_siphash24_BYTES];
    uint64_t value = 0;
    crypto_shorthash_siphash24(hash, data.data, data.size, key);
    for (int i = 7; i >= 0; i--)
        value = value << 8 | hash[i];
    return value;
}

void crypto_seal(const uint8_t key[32], const uint8_t nonce[12], struct bytes ad,
                 struct bytes plain, uint8_t *out)
{
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, ad.data, ad.size,
                                              NULL, nonce, key);
}

enum err crypto_open(const uint8_t key[32], const uint8_t nonce[12], struct bytes ad,
                     struct bytes sealed, uint8_t *out)
{
    int rc = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.size,
                                                       ad.data, ad.size, nonce, key);
    return rc == 0 ? ERR_OK : ERR_BAD_SIGNATURE;
}

void crypto_xseal(const uint8_t key[32], const uint8_t nonce[24], struct bytes ad,
                  struct bytes plain, uint8_t *out)
{
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, ad.data, ad.size,
                                               NULL, nonce, key);
}

enum err crypto_xopen(const uint8_t key[32], const uint8_t nonce[24], struct bytes ad,
                      struct bytes sealed, uint8_t *out)
{
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.size,
                                                        ad.data, ad.size, nonce, key);
    return rc == 0 ? ERR_OK : ERR_BAD_SIGNATURE;
}

/* Without a table or a branch on the digit: keys are printed too. */
static uint8_t hex_digit(unsigned value)
{
    return (uint8_t)('0' + value + ((9u - value) >> 8 & (unsigned)('a' - '0' - 10)));
}

enum err crypto_hex_append(struct buf *out, struct bytes data)
{
    if (data.size > SIZE_MAX / 2)
        return ERR_LIMIT;
    TRY(buf_reserve(out, data.size * 2));
    for (size_t i = 0; i < data.size; i++) {
        out->data[out->size++] = hex_digit(data.data[i] >> 4);
        out->data[out->size++] = hex_digit(data.data[i] & 15u);
    }
    return ERR_OK;
}

/* 0 to 15, or 16. */
static unsigned hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - (unsigned)'0';
    return digit >= 'a' && digit <= 'f' ? digit - (unsigned)'a' + 10 : 16;
}

enum err crypto_hex_decode(struct bytes text, uint8_t *out, size_t out_size)
{
    if (text.size % 2 || text.size / 2 != out_size)
        return ERR_INVALID;
    for (size_t i = 0; i < text.size; i++)
        if (hex_value(text.data[i]) > 15)
            return ERR_INVALID;
    for (size_t i = 0; i < out_size; i++)
        out[i] = (uint8_t)(hex_value(text.data[2 * i]) << 4 | hex_value(text.data[2 * i + 1]));
    return ERR_OK;
}

/* In chunks of whole groups on the stack, because libsodium ends its text with a NUL for which a
 * full buffer has no room. */
static enum err base64_append(struct buf *out, struct bytes data, int variant)
{
    char text[BASE64_CHUNK_SIZE / 3 * 4 + 1];
    if (data.size > SIZE_MAX / 2)
        return ERR_LIMIT;
    TRY(buf_reserve(out, sodium_base64_ENCODED_LEN(data.size, variant) - 1));
    while (data.size) {
        size_t size = data.size < BASE64_CHUNK_SIZE ? data.size : BASE64_CHUNK_SIZE;
        sodium_bin2base64(text, sizeof text, data.data, size, variant);
        TRY(buf_append_str(out, text));
        data = bytes_skip(data, size);
    }
    crypto_wipe(text, sizeof text);
    return ERR_OK;
}

/* `size`: of what `text` stands for, if it is valid. */
static enum err base64_decode(struct bytes text, size_t size, int variant, struct buf *out)
{
    size_t decoded;
    if (size == 0)
        return ERR_OK;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80) /* libsodium 1.0.18 takes them for digits */
            return ERR_INVALID;
    TRY(buf_reserve(out, size));
    int rc = sodium_base642bin(out->data + out->size, size, (const char *)text.data, text.size,
                               NULL, &decoded, NULL, variant);
    if (rc != 0 || decoded != size)
        return ERR_INVALID;
    out->size += size;
    return ERR_OK;
}

enum err crypto_base64_append(struct buf *out, struct bytes data)
{
    return base64_append(out, data, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum err crypto_base64_decode(struct bytes text, struct buf *out)
{
    size_t rest = text.size % 4;
    if (rest == 1)
        return ERR_INVALID;
    return base64_decode(text, text.size / 4 * 3 + (rest ? rest - 1 : 0),
                         sodium_base64_VARIANT_URLSAFE_NO_PADDING, out);
}

enum err crypto_base64_padded_append(struct buf *out, struct bytes data)
{
    return base64_append(out, data, sodium_base64_VARIANT_ORIGINAL);
}

enum err crypto_base64_padded_decode(struct bytes text, struct buf *out)
{
    if (text.size % 4 != 0)
        return ERR_INVALID;
    size_t padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=')
        padding++;
    return base64_decode(text, text.size / 4 * 3 - padding, sodium_base64_VARIANT_ORIGINAL, out);
}

const char *crypto_library_version(void)
{
    return sodium_version_string();
}
