/* Texts of a job and the comparison of what came with what had to come. */
#include "tests/sim/mesh_job.h"

#include <stdlib.h>

#define ANSWER_MAX (8u << 20)
#define EVENT_BULK_BYTES 4096

const char *job_outcome_name(enum job_outcome o)
{
    static const char *const names[JOB_OUTCOMES] = {"pending", "ok",   "error",
                                                    "broken",  "lost", "quit"};
    return names[o];
}

/* Letters that depend on the job and the place, so that no two jobs' bytes are alike. */
static enum err append_filler(const struct job *j, struct buf *out, size_t count)
{
    TRY(buf_reserve(out, count));
    uint64_t x = (j->index + 1) * UINT64_C(0x9e3779b97f4a7c15) + out->size;
    for (size_t i = 0; i < count; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out->data[out->size++] = (uint8_t)('a' + (x >> 59) % 26);
    }
    return ERR_OK;
}

static enum err write_body(struct job *j, size_t body_bytes)
{
    struct buf *out = &j->body;
    bool is_bad = j->kind == JOB_BAD_JSON;
    TRY(buf_printf(out, "{\"model\":\"%s\",\"id\":\"%s\",%s\"messages\":[{\"content\":\"", j->model,
                   j->id, job_is_stream(j) ? "\"stream\":true," : ""));
    TRY(append_filler(j, out, body_bytes));
    return buf_append_str(out, is_bad ? "\"}]" : "\"}]}");
}

static enum err write_event(struct job *j, size_t number, size_t filler)
{
    struct buf *out = &j->answer;
    if ((number + j->index) % 7 == 3)
        TRY(buf_append_str(out, ": ping\n\n"));
    TRY(buf_printf(out, "data: {\"id\":\"%s\",\"n\":%zu,\"text\":\"", j->id, number));
    TRY(append_filler(j, out, filler));
    return buf_append_str(out, "\"}\n\n");
}

static enum err write_answer(struct job *j, size_t answer_bytes)
{
    struct buf *out = &j->answer;
    if (!job_is_stream(j)) {
        TRY(buf_printf(out, "{\"id\":\"%s\",\"text\":\"", j->id));
        TRY(append_filler(j, out, answer_bytes));
        return buf_append_str(out, "\"}");
    }
    size_t filler = j->kind == JOB_BULK ? EVENT_BULK_BYTES : 24;
    for (size_t n = 0; out->size < answer_bytes; n++)
        TRY(write_event(j, n, filler));
    return buf_append_str(out, "data: [DONE]\n\n");
}

enum err job_write_texts(struct job *j, size_t body_bytes, size_t answer_bytes)
{
    buf_init(&j->body, ANSWER_MAX);
    buf_init(&j->answer, ANSWER_MAX);
    buf_init(&j->extra, JOB_EXTRA_MAX);
    TRY(write_body(j, body_bytes));
    return job_is_good(j) ? write_answer(j, answer_bytes) : ERR_OK;
}

void job_fini(struct job *j)
{
    buf_fini(&j->body);
    buf_fini(&j->answer);
    buf_fini(&j->extra);
}

size_t job_piece_end(const struct job *j, size_t at, struct rng *rng)
{
    size_t size = j->answer.size;
    size_t end = at + (size_t)rng_between(rng, 1, j->kind == JOB_BULK ? 32768 : 4096);
    if (j->kind == JOB_STREAM && j->framing != JOB_CHUNKED_ODDLY) {
        for (end = at + 2; end < size; end++)
            if (j->answer.data[end - 1] == '\n' && j->answer.data[end - 2] == '\n')
                break;
    } else if (j->kind == JOB_STREAM) {
        end = at + (size_t)rng_between(rng, 1, 120);
    }
    return end < size ? end : size;
}

/* --- what came */

static void keep(struct job *j, struct bytes data)
{
    size_t room = JOB_EXTRA_MAX - j->extra.size;
    if (data.size > room)
        data.size = room;
    CHECK(buf_append(&j->extra, data) == ERR_OK);
}

void job_receive(struct job *j, struct bytes data)
{
    j->received += data.size;
    size_t n = 0;
    if (j->extra.size == 0 && j->status == 200)
        while (n < data.size && j->matched < j->answer.size &&
               data.data[n] == j->answer.data[j->matched]) {
            n++;
            j->matched++;
        }
    keep(j, bytes_skip(data, n));
}

bool job_is_whole(const struct job *j)
{
    return j->status == 200 && j->extra.size == 0 && j->matched == j->answer.size;
}

bool job_take_code(struct job *j, struct bytes text)
{
    struct bytes mark = BYTES("\"code\":\"");
    for (size_t i = 0; i + mark.size < text.size; i++) {
        struct bytes rest = bytes_skip(text, i);
        if (!bytes_starts_with(rest, mark))
            continue;
        rest = bytes_skip(rest, mark.size);
        rest.size = bytes_find(rest, '"');
        bytes_to_str(rest, j->code, sizeof j->code);
        return true;
    }
    return false;
}

static bool is_one_error_event(struct job *j, struct bytes text)
{
    if (!bytes_starts_with(text, BYTES("data: {\"error\":")) || !job_take_code(j, text))
        return false;
    size_t end = 0;
    while (end + 2 <= text.size && !bytes_starts_with(bytes_skip(text, end), BYTES("\n\n")))
        end++;
    return end + 2 == text.size;
}

/* The event begins like an ordinary one ("data: {"), and those bytes were counted as matched; an
 * empty line may set it off from a cut one. */
bool job_ends_in_error_event(struct job *j)
{
    struct buf tail;
    size_t back = j->matched < 64 ? j->matched : 64;
    bool found = false;
    buf_init(&tail, JOB_EXTRA_MAX + 64);
    CHECK(buf_append(&tail, bytes_of(j->answer.data + j->matched - back, back)) == ERR_OK);
    CHECK(buf_append(&tail, buf_bytes(&j->extra)) == ERR_OK);
    for (size_t i = 0; i <= back && !found; i++) {
        struct bytes rest = bytes_skip(buf_bytes(&tail), i);
        found = is_one_error_event(j, rest) || (bytes_starts_with(rest, BYTES("\n\n")) &&
                                                is_one_error_event(j, bytes_skip(rest, 2)));
    }
    buf_fini(&tail);
    return found;
}
