/* Datagrams from anybody. The first byte chooses who sends the rest:
 *   even  a stranger, or somebody who replays: pieces (u16 size, bytes), each a whole datagram; the
 *         corpus holds some that open
 *   odd   a hostile member: pieces (sequence, flaw, u16 size, bytes), each sealed by this harness;
 *         a flaw other than 0 flips a bit afterwards, and then it must not open
 * All go through one window, which lets no sequence pass twice; what opens is read as a message. */
#include "gossip/seal.h"

#include <stdint.h>

#define TAKEN_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[32] = {1, 2, 3};
static const struct id mesh = {{10, 11, 12}};
static const struct id sender = {{20, 21, 22, 23, 24, 25, 26, [15] = 27}};
static uint8_t plain_storage[GOSSIP_SEAL_PLAIN_MAX];
static uint8_t sealed_storage[GOSSIP_DATAGRAM_MAX];

struct receiver {
    struct gossip_window window;
    uint64_t taken[TAKEN_MAX];
    size_t taken_count;
};

static void read_items(struct bytes *rest, struct gossip_part *part, enum err *e)
{
    while (part->count && *e == ERR_OK) {
        struct gossip_entry entry;
        uint32_t index;
        uint64_t hash;
        *e = part->type == GOSSIP_PART_DIGEST ? gossip_wire_bucket(rest, part, &index, &hash)
                                              : gossip_wire_entry(rest, part, &entry);
    }
}

static void read_message(struct bytes rest)
{
    enum err e = ERR_OK;
    while (rest.size && e == ERR_OK) {
        struct gossip_part part;
        e = gossip_wire_next(&rest, &part);
        if (e == ERR_OK)
            read_items(&rest, &part, &e);
    }
}

static void take(struct receiver *r, uint64_t sequence)
{
    for (size_t i = 0; i < r->taken_count; i++)
        CHECK(r->taken[i] != sequence);
    if (r->taken_count < TAKEN_MAX)
        r->taken[r->taken_count++] = sequence;
    gossip_window_take(&r->window, sequence);
    CHECK(gossip_window_check(&r->window, sequence) == ERR_REPLAYED);
}

/* As the core does with what arrives. BAD_SIGNATURE, REPLAYED, INVALID. */
static enum err receive(struct receiver *r, struct bytes datagram, struct bytes *ret_plain)
{
    struct gossip_ref ref;
    uint64_t sequence;
    TRY(gossip_seal_head(datagram, &ref, &sequence));
    TRY(gossip_window_check(&r->window, sequence));
    TRY(gossip_seal_open(key, &mesh, &sender, datagram, plain_storage, ret_plain));
    CHECK(memcmp(ref.bytes, sender.bytes, GOSSIP_REF_SIZE) == 0);
    take(r, sequence);
    read_message(*ret_plain);
    return ERR_OK;
}

/* The piece after two bytes of its size, cut to what is there and to `max`. */
static struct bytes take_piece(struct bytes *data, size_t max)
{
    size_t size = (size_t)data->data[0] << 8 | data->data[1];
    struct bytes piece = bytes_skip(*data, 2);
    piece.size = piece.size < size ? piece.size : size;
    piece.size = piece.size < max ? piece.size : max;
    *data = bytes_skip(*data, 2 + piece.size);
    return piece;
}

static void receive_raw(struct receiver *r, struct bytes data)
{
    struct bytes plain;
    while (data.size >= 2) {
        struct bytes datagram = take_piece(&data, GOSSIP_DATAGRAM_MAX + 1);
        enum err e = receive(r, datagram, &plain);
        CHECK(e == ERR_OK || e == ERR_INVALID || e == ERR_REPLAYED || e == ERR_BAD_SIGNATURE);
    }
}

static void receive_sealed(struct receiver *r, uint64_t sequence, uint8_t flaw, struct bytes piece)
{
    struct buf b;
    struct bytes plain;
    buf_init_fixed(&b, sealed_storage, sizeof sealed_storage);
    CHECK(gossip_seal(key, &mesh, &sender, sequence, piece, &b) == ERR_OK);
    if (flaw)
        b.data[flaw * 37u % b.size] ^= (uint8_t)(1u << flaw % 8);
    enum err e = receive(r, buf_bytes(&b), &plain);
    if (flaw)
        CHECK(e != ERR_OK);
    else
        CHECK(e == ERR_REPLAYED || (e == ERR_OK && bytes_equal(plain, piece)));
}

static void receive_member(struct receiver *r, struct bytes data)
{
    uint64_t base = 1000;
    while (data.size >= 4) {
        uint64_t sequence = base + data.data[0] - 64u;
        uint8_t flaw = data.data[1];
        base += data.data[0] / 8;
        data = bytes_skip(data, 2);
        receive_sealed(r, sequence, flaw, take_piece(&data, GOSSIP_SEAL_PLAIN_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct receiver r;
    if (size == 0 || crypto_init() != ERR_OK)
        return 0;
    r.taken_count = 0;
    gossip_window_init(&r.window, 900);
    struct bytes rest = bytes_of(data + 1, size - 1);
    if (data[0] % 2)
        receive_member(&r, rest);
    else
        receive_raw(&r, rest);
    return 0;
}
