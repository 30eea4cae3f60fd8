/* Sealing datagrams and refusing replayed ones, as seal.h says. The core calls both for every
 * datagram; keys of pairs are kept by it. */
#include "gossip/seal.h"

#define VERSION 1
#define REF_AT 1
#define SEQUENCE_AT (REF_AT + GOSSIP_REF_SIZE)
#define AD_SIZE (GOSSIP_SEAL_HEAD + ID_SIZE)

_Static_assert(CRYPTO_XNONCE_SIZE == ID_SIZE + 8, "the nonce is an id and a u64");

static void store_u64(uint8_t *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

void gossip_seal_key(const uint8_t gossip_key[32], const uint8_t shared[32], const struct id *mesh,
                     uint8_t ret_key[32])
{
    static const char domain[] = "grapevine datagram 1"; /* with its NUL */
    struct bytes parts[] = {
        bytes_of(domain, sizeof domain),
        bytes_of(gossip_key, 32),
        bytes_of(shared, 32),
        bytes_of(mesh->bytes, ID_SIZE),
    };
    crypto_hash_parts(parts, sizeof parts / sizeof *parts, ret_key);
}

static void make_nonce(const struct id *sender, uint64_t sequence,
                       uint8_t ret_nonce[CRYPTO_XNONCE_SIZE])
{
    memcpy(ret_nonce, sender->bytes, ID_SIZE);
    store_u64(ret_nonce + ID_SIZE, sequence);
}

static struct bytes make_ad(const uint8_t *head, const struct id *mesh, uint8_t storage[AD_SIZE])
{
    memcpy(storage, head, GOSSIP_SEAL_HEAD);
    memcpy(storage + GOSSIP_SEAL_HEAD, mesh->bytes, ID_SIZE);
    return bytes_of(storage, AD_SIZE);
}

enum err gossip_seal(const uint8_t key[32], const struct id *mesh, const struct id *sender,
                     uint64_t sequence, struct bytes plain, struct buf *out)
{
    uint8_t nonce[CRYPTO_XNONCE_SIZE], ad[AD_SIZE];
    CHECK(plain.size <= GOSSIP_SEAL_PLAIN_MAX);
    TRY(buf_reserve(out, GOSSIP_SEAL_OVERHEAD + plain.size));
    uint8_t *head = out->data + out->size;
    head[0] = VERSION;
    memcpy(head + REF_AT, sender->bytes, GOSSIP_REF_SIZE);
    store_u64(head + SEQUENCE_AT, sequence);
    make_nonce(sender, sequence, nonce);
    crypto_xseal(key, nonce, make_ad(head, mesh, ad), plain, head + GOSSIP_SEAL_HEAD);
    out->size += GOSSIP_SEAL_OVERHEAD + plain.size;
    return ERR_OK;
}

static bool has_datagram_size(struct bytes datagram)
{
    return datagram.size >= GOSSIP_SEAL_OVERHEAD && datagram.size <= GOSSIP_DATAGRAM_MAX;
}

enum err gossip_seal_head(struct bytes datagram, struct gossip_ref *ret_sender,
                          uint64_t *ret_sequence)
{
    if (!has_datagram_size(datagram) || datagram.data[0] != VERSION)
        return ERR_INVALID;
    memcpy(ret_sender->bytes, datagram.data + REF_AT, GOSSIP_REF_SIZE);
    *ret_sequence = bytes_big_endian(datagram.data + SEQUENCE_AT, 8);
    return ERR_OK;
}

enum err gossip_seal_open(const uint8_t key[32], const struct id *mesh, const struct id *sender,
                          struct bytes datagram, uint8_t *out, struct bytes *ret_plain)
{
    uint8_t nonce[CRYPTO_XNONCE_SIZE], ad[AD_SIZE];
    CHECK(has_datagram_size(datagram));
    make_nonce(sender, bytes_big_endian(datagram.data + SEQUENCE_AT, 8), nonce);
    TRY(crypto_xopen(key, nonce, make_ad(datagram.data, mesh, ad),
                     bytes_skip(datagram, GOSSIP_SEAL_HEAD), out));
    *ret_plain = bytes_of(out, datagram.size - GOSSIP_SEAL_OVERHEAD);
    return ERR_OK;
}

/* --- the window ------------------------------------------------------------------------------ */

void gossip_window_init(struct gossip_window *w, uint64_t floor)
{
    *w = (struct gossip_window){.floor = floor};
}

enum err gossip_window_check(const struct gossip_window *w, uint64_t sequence)
{
    if (sequence <= w->floor)
        return ERR_REPLAYED;
    for (size_t i = 0; i < GOSSIP_WINDOW_SIZE; i++)
        if (w->taken[i] == sequence)
            return ERR_REPLAYED;
    return ERR_OK;
}

/* A free slot is 0, hence the smallest. */
static uint64_t *smallest(struct gossip_window *w)
{
    uint64_t *least = w->taken;
    for (size_t i = 1; i < GOSSIP_WINDOW_SIZE; i++)
        if (w->taken[i] < *least)
            least = &w->taken[i];
    return least;
}

/* Once the list is full, the floor follows its oldest: what was pushed out stays refused. */
void gossip_window_take(struct gossip_window *w, uint64_t sequence)
{
    CHECK(gossip_window_check(w, sequence) == ERR_OK);
    *smallest(w) = sequence;
    uint64_t oldest = *smallest(w);
    if (oldest > w->floor)
        w->floor = oldest;
}
