/* See asked.h. Called by choose.c, once per choice, and by the queues of backends. */
#include "node/routing/asked.h"

#include "node/ingress/exchange.h"
#include "node/lane.h"

#include <stdlib.h>

#define TEXT_BYTES_PER_TOKEN 4 /* of English, by common tokenizers; others have fewer */
#define OUTPUT_LIKELY_MAX 512  /* what clients ask for at most is seldom used up */
#define INPUT_MAX (512 * 1024) /* no engine reads more */
#define NO_KEY bytes_of(NULL, 0)

/* The registry's word on the model first; else what the path is about. */
static struct bytes task_of(const struct exchange *x)
{
    const struct candidate_set *set = candidates_find(x->lane, exchange_model(x));
    if (set && set->task.size > 0)
        return set->task;
    return x->endpoint && x->endpoint->task ? bytes_from_str(x->endpoint->task) : NO_KEY;
}

/* Credentials are nobody's business, and names that came twice keep their first value. */
static size_t fill_headers(const struct exchange *x, struct policy_pair headers[POLICY_PAIRS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < x->head.field_count && count < POLICY_PAIRS_MAX; i++) {
        const struct http_field *f = &x->head.fields[i];
        if (f->id != HTTP_AUTHORIZATION && f->id != HTTP_X_API_KEY && !http_is_ours(f->id))
            headers[count++] = (struct policy_pair){f->name, f->value};
    }
    return count;
}

int64_t asked_priority(const struct exchange *x)
{
    for (size_t i = 0; i < x->head.field_count; i++) {
        const struct http_field *f = &x->head.fields[i];
        char text[8];
        if (!bytes_equal_nocase(f->name, BYTES("x-priority")) || f->value.size >= sizeof text)
            continue;
        bytes_to_str(f->value, text, sizeof text);
        return strtol(text, NULL, 10);
    }
    return 0;
}

uint64_t asked_input_tokens(const struct exchange *x)
{
    return x->scan.text_bytes / TEXT_BYTES_PER_TOKEN;
}

uint32_t asked_tokens(const struct exchange *x)
{
    int64_t written = x->scan.max_tokens;
    if (written < 0)
        written = POLICY_OUTPUT_UNKNOWN;
    else if (written > OUTPUT_LIKELY_MAX)
        written = OUTPUT_LIKELY_MAX;
    uint64_t read = asked_input_tokens(x);
    if (read > INPUT_MAX)
        read = INPUT_MAX;
    return 1 + (uint32_t)read + (uint32_t)written;
}

void asked_fill(const struct exchange *x, struct policy_request *ret_request,
                struct policy_pair headers[POLICY_PAIRS_MAX])
{
    static const uint8_t key[16] = {0}; /* the same for one request on every node */
    const struct scan *s = &x->scan;
    *ret_request = (struct policy_request){
        .path = api_path(x->head.target),
        .model = x->terms.asked_model.size > 0 ? x->terms.asked_model : exchange_model(x),
        .task = task_of(x),
        .tenant = x->terms.tenant,
        .region = x->from ? x->terms.region : bytes_from_str(x->lane->identity->cert.region),
        .headers = headers,
        .header_count = x->lane->policies.reads_headers ? fill_headers(x, headers) : 0,
        .stream = s->stream_kind == SCAN_TRUE,
        .input_tokens = (int64_t)asked_input_tokens(x),
        .output_tokens = s->max_tokens,
        .priority = asked_priority(x),
        .deadline_ms = (int64_t)exchange_remaining_ms(x),
        .wall_ms = (int64_t)io_wall_ms(x->lane->loop),
        .now_ms = io_now_ms(x->lane->loop),
        .key = crypto_siphash(key, bytes_from_str(x->request_id)),
    };
}
