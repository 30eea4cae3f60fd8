/* See receipts.h. Filled at the end of every inference request (ingress/finish.c), read by the
 * control socket. */
#include "node/telemetry/receipts.h"

#include "node/trust/receipt_json.h"

#include <stdlib.h>

/* How an entry lies in the ring: this, then the texts that the receipt borrows, then the chain from
 * below. */
struct stored {
    struct receipt receipt;
    uint32_t below_size;
};

void receipts_init(struct receipts *r, struct io_loop *loop, const struct identity *identity)
{
    *r = (struct receipts){.loop = loop, .identity = identity};
    ring_init(&r->ring, RECEIPTS_RING_BYTES, RECEIPTS_MAX, RECEIPTS_AGE_MS);
}

void receipts_fini(struct receipts *r)
{
    ring_fini(&r->ring);
}

static uint8_t *put(uint8_t *at, struct bytes data)
{
    if (data.size > 0)
        memcpy(at, data.data, data.size);
    return at + data.size;
}

static struct bytes take(const uint8_t **at, size_t size)
{
    struct bytes data = bytes_of(*at, size);
    *at += size;
    return data;
}

enum err receipts_add(struct receipts *r, const struct receipt *receipt, struct bytes below)
{
    size_t size = sizeof(struct stored) + receipt->model.size + receipt->backend.size +
                  receipt->reason.size + below.size;
    uint8_t *at;
    if (size > RECEIPT_RECORD_MAX + RECEIPT_CHAIN_WIRE_MAX)
        return ERR_LIMIT;
    TRY(ring_add(&r->ring, bytes_from_str(receipt->request_id), size, io_now_ms(r->loop), &at));
    struct stored stored = {.receipt = *receipt, .below_size = (uint32_t)below.size};
    memcpy(at, &stored, sizeof stored); /* the ring is not aligned */
    at = put(at + sizeof stored, receipt->model);
    at = put(at, receipt->backend);
    at = put(at, receipt->reason);
    put(at, below);
    return ERR_OK;
}

/* Reads an entry back; texts borrow from the ring. */
static struct bytes load(struct bytes entry, struct receipt *ret_receipt)
{
    struct stored stored;
    const uint8_t *at = entry.data;
    memcpy(&stored, at, sizeof stored);
    at += sizeof stored;
    stored.receipt.model = take(&at, stored.receipt.model.size);
    stored.receipt.backend = take(&at, stored.receipt.backend.size);
    stored.receipt.reason = take(&at, stored.receipt.reason.size);
    *ret_receipt = stored.receipt;
    return take(&at, stored.below_size);
}

/* A batch of one: its leaf is the root. */
static void sign(const struct identity *identity, struct bytes record, struct batch *batch,
                 struct receipt_entry *ret_entry)
{
    uint8_t leaf[CRYPTO_HASH_SIZE];
    uint32_t index = 0;
    batch_init(batch, BATCH_RECEIPT);
    batch_leaf(record, leaf);
    CHECK(batch_add(batch, leaf, &index) == ERR_OK);
    batch_sign(batch, identity->secret);
    ret_entry->record = record;
    ret_entry->certificates = bytes_of(identity->chain, identity->chain_size);
    memcpy(ret_entry->signer, identity->public_key, CRYPTO_PUBLIC_SIZE);
    batch_prove(batch, index, &ret_entry->proof);
}

static enum err write_json(const struct receipts *r, const struct receipt *receipt,
                           struct bytes below, const struct mesh *mesh, struct buf *out)
{
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t below_count = 0;
    struct buf record;
    if (below.size > 0) {
        struct receipt_entry decoded[RECEIPT_HOPS_MAX];
        TRY(receipt_chain_decode(below, decoded, &below_count));
        if (below_count >= RECEIPT_HOPS_MAX)
            return ERR_CORRUPT;
        memcpy(&entries[1], decoded, below_count * sizeof decoded[0]);
        receipts_complete(&entries[1], below_count, mesh);
    }
    struct batch *batch = malloc(sizeof *batch);
    if (!batch)
        return ERR_NO_MEMORY;
    buf_init(&record, RECEIPT_RECORD_MAX);
    enum err e = receipt_encode(receipt, &record);
    if (e == ERR_OK) {
        sign(r->identity, buf_bytes(&record), batch, &entries[0]);
        e = receipt_json_append(entries, 1 + below_count, r->identity->root, &r->identity->mesh,
                                out);
    }
    buf_fini(&record);
    free(batch);
    return e;
}

void receipts_complete(struct receipt_entry *entries, size_t count, const struct mesh *mesh)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].certificates.size > 0)
            continue;
        struct id id = id_of_public_key(entries[i].signer);
        const struct peer *p = mesh ? mesh_peer_find(mesh, &id) : NULL;
        if (p)
            entries[i].certificates = bytes_of(p->chain, p->chain_size);
    }
}

enum err receipts_json(struct receipts *r, struct bytes request_id, const struct mesh *mesh,
                       struct buf *out)
{
    uint32_t cursor = 0;
    struct bytes entry;
    while (ring_next(&r->ring, request_id, io_now_ms(r->loop), &cursor, &entry)) {
        struct receipt receipt;
        struct bytes below = load(entry, &receipt);
        if (bytes_equal(bytes_from_str(receipt.request_id), request_id))
            return write_json(r, &receipt, below, mesh, out);
    }
    return ERR_NOT_FOUND;
}
