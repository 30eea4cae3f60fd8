/* See decisions.h. Filled by routing/choose.c, read by the control socket.
 *
 * An entry is the structs as they are, each followed by the texts that it borrows: it never leaves
 * this process. */
#include "node/telemetry/decisions.h"

#define TEXTS_MAX 9 /* that one struct borrows */
#define ENTRY_MAX (64 * 1024)

struct stored_head {
    uint32_t attempt, hop;
    uint64_t epoch, rule_version;
    uint32_t count;
    bool cut;
    struct policy_request request;
    struct bytes texts[TEXTS_MAX];
};

struct stored_look {
    struct policy_look look;
    struct policy_static facts;
    struct policy_live live;
    struct bytes texts[TEXTS_MAX];
};

void decisions_init(struct decisions *d)
{
    ring_init(&d->ring, DECISIONS_RING_BYTES, DECISIONS_MAX, DECISIONS_AGE_MS);
}

void decisions_fini(struct decisions *d)
{
    ring_fini(&d->ring);
}

/* --- writing */

static size_t size_of(const struct bytes texts[TEXTS_MAX])
{
    size_t size = 0;
    for (size_t i = 0; i < TEXTS_MAX; i++)
        size += texts[i].size;
    return size;
}

static uint8_t *put(uint8_t *at, const void *head, size_t size, const struct bytes texts[TEXTS_MAX])
{
    memcpy(at, head, size);
    at += size;
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        if (texts[i].size > 0)
            memcpy(at, texts[i].data, texts[i].size);
        at += texts[i].size;
    }
    return at;
}

static struct stored_head head_of(const struct decision_note *note)
{
    const struct policy_request *r = note->request;
    struct stored_head head = {
        .attempt = note->attempt,
        .hop = note->hop,
        .epoch = note->epoch,
        .rule_version = note->plan->rule->version,
        .count = (uint32_t)note->plan->count,
        .cut = note->plan->cut,
        .request = *r,
        .texts = {note->request_id, note->reason, note->plan->rule->name, note->plan->model,
                  r->path, r->model, r->task, r->tenant, r->region},
    };
    head.request.headers = NULL;
    head.request.header_count = 0;
    return head;
}

static struct bytes step_name(const struct policy_rule *rule, uint16_t step)
{
    return step < rule->step_count ? rule->steps[step].name
           : rule->step_count == 0 ? bytes_of(NULL, 0)
                                   : BYTES("last-resort");
}

static struct stored_look look_of(const struct policy_plan *plan, size_t index)
{
    const struct policy_look *look = &plan->looks[index];
    const struct policy_static *f = &look->candidate->facts;
    struct stored_look stored = {
        .look = *look,
        .facts = *f,
        .live = look->candidate->live,
        .texts = {f->node, f->region, f->zone, f->backend, f->kind, f->version, f->model, f->stage,
                  step_name(plan->rule, look->step)},
    };
    stored.facts.labels = NULL;
    stored.facts.label_count = 0;
    return stored;
}

static size_t entry_size(const struct stored_head *head, const struct policy_plan *plan)
{
    size_t size = sizeof *head + size_of(head->texts);
    for (size_t i = 0; i < plan->count; i++) {
        const struct policy_static *f = &plan->looks[i].candidate->facts;
        size += sizeof(struct stored_look) + f->node.size + f->region.size + f->zone.size +
                f->backend.size + f->kind.size + f->version.size + f->model.size + f->stage.size +
                step_name(plan->rule, plan->looks[i].step).size;
    }
    return size;
}

void decisions_add(struct decisions *d, const struct decision_note *note)
{
    struct stored_head head = head_of(note);
    size_t size = entry_size(&head, note->plan);
    uint8_t *at;
    if (size > ENTRY_MAX ||
        ring_add(&d->ring, note->request_id, size, note->request->now_ms, &at) != ERR_OK)
        return;
    at = put(at, &head, sizeof head, head.texts);
    for (size_t i = 0; i < note->plan->count; i++) {
        struct stored_look look = look_of(note->plan, i);
        at = put(at, &look, sizeof look, look.texts);
    }
}

/* --- reading */

static const uint8_t *take(const uint8_t *at, void *head, size_t size,
                           struct bytes texts[TEXTS_MAX], size_t texts_offset)
{
    memcpy(head, at, size);
    memcpy(texts, (const uint8_t *)head + texts_offset, TEXTS_MAX * sizeof texts[0]);
    at += size;
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        texts[i].data = at;
        at += texts[i].size;
    }
    return at;
}

static const uint8_t *load_head(const uint8_t *at, struct decision_kept *d)
{
    struct stored_head head;
    struct bytes texts[TEXTS_MAX];
    at = take(at, &head, sizeof head, texts, offsetof(struct stored_head, texts));
    *d = (struct decision_kept){.request_id = texts[0],
                                .reason = texts[1],
                                .rule = texts[2],
                                .model = texts[3],
                                .attempt = head.attempt,
                                .hop = head.hop,
                                .epoch = head.epoch,
                                .rule_version = head.rule_version,
                                .cut = head.cut,
                                .request = head.request,
                                .count = head.count};
    d->request.path = texts[4];
    d->request.model = texts[5];
    d->request.task = texts[6];
    d->request.tenant = texts[7];
    d->request.region = texts[8];
    return at;
}

static const uint8_t *load_look(const uint8_t *at, struct decision_kept *d, size_t index)
{
    struct stored_look look;
    struct bytes texts[TEXTS_MAX];
    struct policy_candidate *c = &d->candidates[index];
    at = take(at, &look, sizeof look, texts, offsetof(struct stored_look, texts));
    c->facts = look.facts;
    c->facts.node = texts[0];
    c->facts.region = texts[1];
    c->facts.zone = texts[2];
    c->facts.backend = texts[3];
    c->facts.kind = texts[4];
    c->facts.version = texts[5];
    c->facts.model = texts[6];
    c->facts.stage = texts[7];
    d->steps[index] = texts[8];
    c->live = look.live;
    d->looks[index] = look.look;
    d->looks[index].candidate = c;
    return at;
}

static void load(struct bytes entry, struct decision_kept *d)
{
    const uint8_t *at = load_head(entry.data, d);
    for (size_t i = 0; i < d->count; i++)
        at = load_look(at, d, i);
}

#define OF_REQUEST_MAX 32 /* attempts of one request that are shown */

enum err decisions_json(const struct decisions *d, struct bytes request_id, uint64_t now_ms,
                        struct buf *out)
{
    struct bytes entries[OF_REQUEST_MAX];
    struct decision_kept decision;
    size_t count = 0;
    uint32_t cursor = 0;
    while (count < OF_REQUEST_MAX &&
           ring_next(&d->ring, request_id, now_ms, &cursor, &entries[count])) {
        load(entries[count], &decision);
        count += bytes_equal(decision.request_id, request_id);
    }
    if (count == 0)
        return ERR_NOT_FOUND;
    TRY(buf_append(out, BYTES("{\"decisions\":[")));
    for (size_t i = count; i-- > 0;) {
        load(entries[i], &decision);
        TRY(decisions_json_put(&decision, out));
        TRY(buf_append(out, i > 0 ? BYTES(",") : BYTES("]}")));
    }
    return ERR_OK;
}

void decisions_export(const struct decisions *d, size_t limit, uint64_t now_ms, struct buf *out)
{
    struct bytes entry;
    struct decision_kept decision;
    uint32_t cursor = 0;
    while (limit-- > 0 && ring_next(&d->ring, bytes_of(NULL, 0), now_ms, &cursor, &entry)) {
        size_t start = out->size;
        load(entry, &decision);
        if (decisions_json_put(&decision, out) != ERR_OK ||
            buf_append(out, BYTES("\n")) != ERR_OK) {
            out->size = start;
            return;
        }
    }
}
