/* Collects the records that one turn of the loop wants signed and signs them together at its end:
 * one Ed25519 signature over a Merkle root (node/trust/batch.h). An idle node signs at once, a busy
 * one pays a fraction: while a turn brings several records, the next turn is waited for (which does
 * not sleep) up to SIGNER_LOOKS_MAX times. */
#ifndef NODE_EGRESS_SIGNER_H
#define NODE_EGRESS_SIGNER_H

#include "base/list.h"
#include "node/io/loop.h"
#include "node/trust/batch.h"

#define SIGNER_LOOKS_MAX 4

struct signer_item {
    struct list node; /* list_init before first use */
    uint8_t leaf[CRYPTO_HASH_SIZE];
    uint32_t index;
    /* Not on the waiting list any more. May post others. */
    void (*on_signed)(struct signer_item *item, const struct batch_proof *proof);
};

struct signer {
    struct io_loop *loop;
    const uint8_t *secret; /* Ed25519, borrowed */
    struct io_task task;   /* at the end of a turn that brought some */
    struct io_timer again; /* the next turn */
    unsigned looks;        /* turns waited */
    uint64_t posted;
    uint64_t seen;          /* of `posted`, at the last look */
    struct list waiting[2]; /* envelopes, receipts */
    struct batch *batch;
    uint64_t signatures;
    uint64_t records;
};

MUST_CHECK enum err signer_init(struct signer *s, struct io_loop *loop,
                                const uint8_t secret[CRYPTO_SECRET_SIZE]);
void signer_fini(struct signer *s);
/* item->on_signed is set by the caller; the leaf is made of `record`, which may go. */
void signer_post(struct signer *s, enum batch_purpose purpose, struct bytes record,
                 struct signer_item *item);
void signer_cancel(struct signer_item *item);

#endif
