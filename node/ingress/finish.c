/* The end of an exchange: counters, the log line, the receipt. A peer waits for our signed receipt
 * (it travels in the answer's trailers), a client does not. */
#include "node/ingress/exchange.h"

#include "node/egress/backend.h"
#include "node/ingress/answer.h"
#include "node/lane.h"

#include <math.h>

static void count(struct exchange *x, enum err failure)
{
    struct metrics *m = &x->lane->metrics;
    uint64_t now_us = io_now_us(x->lane->loop);
    metrics_request(m, x->endpoint,
                    failure == ERR_CLIENT_GONE ? 499
                    : x->status                ? x->status
                                               : answer_status(failure));
    m->body_bytes_out += x->answer_bytes;
    if (failure != ERR_OK)
        m->failures[failure]++;
    if (!x->endpoint || x->endpoint->kind != API_INFER)
        return;
    metrics_observe(&m->duration, now_us - x->started_us);
    if (x->first_byte_us)
        metrics_observe(&m->first_byte, x->first_byte_us - x->started_us);
    /* What clients do wrong is counted, not logged: they could fill the disk. */
    bool is_ours = failure != ERR_OK && err_class(failure) != ERR_CLASS_REJECT;
    enum log_level level = is_ours ? lane_level(x->lane, LANE_LINES_REQUESTS, LOG_INFO) : LOG_DEBUG;
    if (x->lane->log->level <= level)
        LOG(x->lane->log, level, "request", LOG_STR("id", x->request_id), LOG_UINT("hop", x->hop),
            LOG_STR("path", x->endpoint->path), LOG_UINT("status", x->status),
            LOG_STR("executor", x->executor ? x->executor : ""),
            LOG_UINT("attempts", x->attempt_count), LOG_UINT("us", now_us - x->started_us),
            LOG_ERR(failure));
}

static void fill_hashes(struct exchange *x, struct receipt *r)
{
    memcpy(r->request_hash, exchange_body_hash(x), CRYPTO_HASH_SIZE);
    digest_final(&x->answer_hash, r->answer_hash);
    if (x->below.size > 0)
        memcpy(r->previous, x->below_leaf, CRYPTO_HASH_SIZE);
}

/* This node itself refused what the rules forbid: worth a signature, too. */
static bool is_refuser(const struct exchange *x)
{
    bool is_rule =
        x->failure == ERR_RESIDENCY || x->failure == ERR_TENANT || x->failure == ERR_NOT_ALLOWED;
    return is_rule && x->below.size == 0 && x->endpoint && x->endpoint->kind == API_INFER;
}

/* What this node signs about its part; false: nobody executed or refused the request, or the trail
 * was lost. */
static bool make_receipt(struct exchange *x, struct receipt *ret_receipt)
{
    const struct lane *lane = x->lane;
    bool is_refused = is_refuser(x);
    const struct choice *choice = x->winner ? &x->winner->choice : NULL;
    const struct backend *b = choice ? choice->candidate.backend : NULL;
    uint64_t now_us = io_now_us(lane->loop);
    if (!b && !is_refused && x->below.size == 0)
        return false;
    *ret_receipt = (struct receipt){
        .mesh = lane->identity->mesh,
        .node = lane->identity->node,
        .role = is_refused ? RECEIPT_REFUSER
                : b        ? RECEIPT_EXECUTOR
                           : RECEIPT_FORWARDER,
        .hop = x->hop,
        .epoch = lane->epoch,
        .model = exchange_model(x),
        .backend = b ? bytes_from_str(b->cfg.name) : bytes_of(NULL, 0),
        .reason = bytes_from_str(is_refused ? err_word(x->failure) : choice->reason),
        .attempts = x->attempt_count,
        .status = (uint32_t)x->status,
        .facts_age_ms = choice ? choice->facts_age_ms : 0,
        .started_ms = x->started_wall_ms,
        .first_byte_ms = (x->first_byte_us - x->started_us) / 1000,
        .duration_ms = (now_us - x->started_us) / 1000,
        .request_bytes = x->body.size,
        .answer_bytes = x->answer_bytes,
    };
    memcpy(ret_receipt->request_id, x->request_id, sizeof ret_receipt->request_id);
    memcpy(ret_receipt->name, lane->identity->cert.name, sizeof ret_receipt->name);
    memcpy(ret_receipt->region, lane->identity->cert.region, sizeof ret_receipt->region);
    fill_hashes(x, ret_receipt);
    return true;
}

/* The ingress keeps it until somebody asks. */
static void keep_receipt(struct exchange *x)
{
    struct receipt r;
    if (make_receipt(x, &r) && receipts_add(&x->lane->receipts, &r, x->below) == ERR_OK)
        x->lane->metrics.receipts++;
}

/* The record that a peer waits for, into x->record. */
static bool make_record(struct exchange *x)
{
    struct receipt r;
    struct buf record;
    buf_init_fixed(&record, x->record, sizeof x->record);
    if (!make_receipt(x, &r) || receipt_encode(&r, &record) != ERR_OK)
        return false;
    x->record_size = record.size;
    return true;
}

/* A client that went away, or asked for what is not there, says nothing of the policy. */
static void note_rollout(struct exchange *x)
{
    if (x->terms.rule.size == 0 || x->failure == ERR_CLIENT_GONE)
        return;
    const struct rollout_outcome outcome = {
        .name = x->terms.rule,
        .version = x->terms.rule_version,
        .is_failure = x->failure != ERR_OK || x->status >= 500,
        .latency_us = io_now_us(x->lane->loop) - x->started_us,
        .cost_usd = x->terms.spent_usd > 0 ? x->terms.spent_usd : NAN,
    };
    if (rollouts_note(x->lane, &outcome))
        mesh_facts_changed(x->lane->mesh);
}

/* Where a request came in it is known how it went on the whole. */
static void keep_notes(struct exchange *x)
{
    note_rollout(x);
    keep_receipt(x);
}

void exchange_account(struct exchange *x, enum err failure)
{
    exchange_set_state(x, EXCHANGE_DONE);
    x->failure = failure;
    count(x, failure);
    if (!x->from) /* a peer that would have got the receipt is gone, or saw the answer break off */
        keep_notes(x);
}

/* Our receipt, then those from below with the certificates that our peer cannot know. */
static enum err encode_chain(struct exchange *x, const struct batch_proof *proof, struct buf *wire)
{
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t below_count = 0;
    entries[0] =
        (struct receipt_entry){.record = bytes_of(x->record, x->record_size), .proof = *proof};
    memcpy(entries[0].signer, x->lane->identity->public_key, CRYPTO_PUBLIC_SIZE);
    if (x->below.size > 0) {
        struct receipt_entry below[RECEIPT_HOPS_MAX];
        TRY(receipt_chain_decode(x->below, below, &below_count));
        if (below_count >= RECEIPT_HOPS_MAX)
            return ERR_LIMIT;
        memcpy(&entries[1], below, below_count * sizeof below[0]);
        receipts_complete(&entries[1], below_count, x->lane->mesh);
    }
    return receipt_chain_encode(entries, 1 + below_count, wire);
}

static void on_signed(struct signer_item *item, const struct batch_proof *proof)
{
    struct exchange *x = LIST_ENTRY(item, struct exchange, signing);
    struct buf *wire = &x->lane->scratch;
    buf_clear(wire);
    if (encode_chain(x, proof, wire) != ERR_OK)
        buf_clear(wire);
    x->sink->end(x, buf_bytes(wire));
    exchange_release(x);
}

void exchange_finish(struct exchange *x)
{
    exchange_set_state(x, EXCHANGE_DONE);
    io_timer_stop(&x->deadline);
    count(x, x->failure);
    if (x->from && make_record(x)) {
        x->signing.on_signed = on_signed;
        signer_post(&x->lane->signer, BATCH_RECEIPT, bytes_of(x->record, x->record_size),
                    &x->signing);
        return;
    }
    if (!x->from)
        keep_notes(x);
    x->sink->end(x, bytes_of(NULL, 0));
    exchange_release(x);
}
