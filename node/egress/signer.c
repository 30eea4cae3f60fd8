/* See signer.h. Used by peer_call (envelopes) and by the exchange's end (receipts that a peer waits
 * for). */
#include "node/egress/signer.h"

#include <stdlib.h>

static struct list *waiting_of(struct signer *s, enum batch_purpose purpose)
{
    return &s->waiting[purpose == BATCH_ENVELOPE ? 0 : 1];
}

static void sign_some(struct signer *s, enum batch_purpose purpose)
{
    struct list *waiting = waiting_of(s, purpose);
    struct list batch;
    list_init(&batch);
    batch_init(s->batch, purpose);
    while (!list_is_empty(waiting)) {
        struct signer_item *item = LIST_ENTRY(waiting->next, struct signer_item, node);
        if (batch_add(s->batch, item->leaf, &item->index) != ERR_OK)
            break;
        list_remove(&item->node);
        list_push_back(&batch, &item->node);
    }
    batch_sign(s->batch, s->secret);
    s->signatures++;
    for (struct list *it; (it = list_pop_front(&batch));) {
        struct signer_item *item = LIST_ENTRY(it, struct signer_item, node);
        struct batch_proof proof;
        batch_prove(s->batch, item->index, &proof);
        s->records++;
        item->on_signed(item, &proof);
    }
}

static void sign_all(struct signer *s)
{
    /* Bounded: what on_signed posts anew waits for the next turn only if it is of the first kind.
     */
    while (!list_is_empty(&s->waiting[0]))
        sign_some(s, BATCH_ENVELOPE);
    while (!list_is_empty(&s->waiting[1]))
        sign_some(s, BATCH_RECEIPT);
    if (!list_is_empty(&s->waiting[0]))
        io_task_post(s->loop, &s->task);
}

static void look(struct signer *s);

static void on_again(struct io_timer *timer)
{
    look(LIST_ENTRY(timer, struct signer, again));
}

static void look(struct signer *s)
{
    uint64_t fresh = s->posted - s->seen;
    s->seen = s->posted;
    if (fresh > 1 && s->looks < SIGNER_LOOKS_MAX) {
        s->looks++;
        io_timer_start(s->loop, &s->again, 0, on_again);
        return;
    }
    s->looks = 0;
    sign_all(s);
}

static void run(struct io_task *task)
{
    struct signer *s = LIST_ENTRY(task, struct signer, task);
    if (!io_timer_is_running(&s->again))
        look(s);
}

enum err signer_init(struct signer *s, struct io_loop *loop,
                     const uint8_t secret[CRYPTO_SECRET_SIZE])
{
    s->batch = malloc(sizeof *s->batch);
    if (!s->batch)
        return ERR_NO_MEMORY;
    s->loop = loop;
    s->secret = secret;
    s->signatures = s->records = s->posted = s->seen = 0;
    s->looks = 0;
    s->again = (struct io_timer){0};
    io_task_init(&s->task, run);
    list_init(&s->waiting[0]);
    list_init(&s->waiting[1]);
    return ERR_OK;
}

void signer_fini(struct signer *s)
{
    CHECK(list_is_empty(&s->waiting[0]) && list_is_empty(&s->waiting[1]));
    io_task_cancel(&s->task);
    io_timer_stop(&s->again);
    free(s->batch);
    s->batch = NULL;
}

void signer_post(struct signer *s, enum batch_purpose purpose, struct bytes record,
                 struct signer_item *item)
{
    CHECK(!list_is_linked(&item->node));
    s->posted++;
    batch_leaf(record, item->leaf);
    list_push_back(waiting_of(s, purpose), &item->node);
    io_task_post(s->loop, &s->task);
}

void signer_cancel(struct signer_item *item)
{
    list_remove(&item->node);
}
