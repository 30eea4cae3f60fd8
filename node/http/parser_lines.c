/* The rule for lines, of heads and of trailers: they end with CRLF and nothing else, have no other
 * control byte but a tab, and begin with no blank (obs-fold) and no colon; llhttp is looser in
 * each. Bytes are looked at 32 at a time. Collects a head in the parser's buf, so that llhttp sees
 * it whole. */
#include "node/http/parser_impl.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK_SIZE 32
#define NO_LINE SIZE_MAX /* the line began before these bytes and is not empty */

#ifdef __SSE2__
static inline unsigned control_bits_of_half(const uint8_t *half)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)half);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, del));
}
#endif

/* A bit for every control byte (below 0x20, or DEL) of a block. */
static inline uint32_t control_bits(const uint8_t *block)
{
#ifdef __SSE2__
    return control_bits_of_half(block) | control_bits_of_half(block + BLOCK_SIZE / 2) << 16;
#else
    uint32_t bits = 0;
    for (unsigned i = 0; i < BLOCK_SIZE; i++)
        bits |= (uint32_t)(block[i] < 0x20 || block[i] == 0x7f) << i;
    return bits;
#endif
}

/* The same for the last `left` bytes, fewer than a block. */
static inline uint32_t control_bits_of_tail(struct bytes data, size_t left)
{
    const uint8_t *end = data.data + data.size;
    if (data.size >= BLOCK_SIZE)
        return control_bits(end - BLOCK_SIZE) >> (BLOCK_SIZE - left);
    uint8_t block[BLOCK_SIZE];
    memset(block, 'x', sizeof block);
    memcpy(block, end - left, left);
    return control_bits(block);
}

/* A walk over the line ends of some bytes. */
struct walk {
    struct bytes data;
    size_t at;   /* the byte at hand */
    size_t line; /* where its line begins */
    size_t first_end;
};

enum step { STEP_ON, STEP_COMPLETE, STEP_REFUSED };

/* A CRLF ended just before `next`. */
static inline enum step end_line(struct walk *w, bool empty, size_t next)
{
    w->at = w->line = next;
    if (empty)
        return STEP_COMPLETE;
    if (!w->first_end)
        w->first_end = next;
    if (next == w->data.size)
        return STEP_ON;
    uint8_t byte = w->data.data[next];
    return byte == ' ' || byte == ':' ? STEP_REFUSED : STEP_ON;
}

/* The control bytes of the block that begins at `start`. */
static inline enum step walk_block(struct walk *w, size_t start, uint32_t bits)
{
    for (; bits; bits &= bits - 1) {
        size_t at = w->at = start + (unsigned)__builtin_ctz(bits);
        if (at + 1 == w->line) /* the LF of a CRLF that two blocks share */
            continue;
        uint8_t byte = w->data.data[at];
        bool is_last = at + 1 == w->data.size;
        if (byte == '\r' && !is_last && w->data.data[at + 1] == '\n') {
            enum step step = end_line(w, at == w->line, at + 2);
            if (step != STEP_ON)
                return step;
            bits &= bits - 1; /* its LF, unless that is the next block's */
        } else if (byte == '\t' ? at == w->line : byte != '\r' || !is_last) {
            return STEP_REFUSED;
        }
    }
    return STEP_ON;
}

/* What the bytes before left open: a CR, a line just begun. */
static inline enum step walk_first(struct walk *w, const struct line_state *s)
{
    uint8_t byte = w->data.data[0];
    w->line = s->fresh ? 0 : NO_LINE;
    if (s->cr)
        return byte == '\n' ? end_line(w, s->fresh, 1) : STEP_REFUSED;
    return s->fresh && (byte == ' ' || byte == ':') ? STEP_REFUSED : STEP_ON;
}

static inline enum step walk(struct walk *w, const struct line_state *s)
{
    size_t start = 0;
    enum step step = walk_first(w, s);
    for (; step == STEP_ON && start + BLOCK_SIZE <= w->data.size; start += BLOCK_SIZE)
        step = walk_block(w, start, control_bits(w->data.data + start));
    if (step != STEP_ON || start == w->data.size)
        return step;
    return walk_block(w, start, control_bits_of_tail(w->data, w->data.size - start));
}

/* Why a walk stopped at w->at; names the byte out of order and where it is. */
static void refuse(const struct walk *w, const struct line_state *s, struct line_scan *scan)
{
    uint8_t byte = w->data.data[w->at];
    scan->used = w->at;
    if (w->at == 0 && s->cr) {
        scan->refused = "a CR without LF";
    } else if (byte == '\r') {
        scan->used = w->at + 1;
        scan->refused = "a CR without LF";
    } else if (byte == '\n') {
        scan->refused = "an LF without CR";
    } else if (byte == ' ' || byte == '\t') {
        scan->refused = "a folded header line";
    } else {
        scan->refused =
            byte == ':' ? "a header line without a name" : "a control byte in the header";
    }
}

void http_parser_begin_lines(struct line_state *state)
{
    *state = (struct line_state){.fresh = true};
}

void http_parser_scan_lines(struct line_state *state, struct bytes data, struct line_scan *ret_scan)
{
    *ret_scan = (struct line_scan){0};
    if (data.size == 0)
        return;
    struct walk w = {.data = data};
    enum step step = walk(&w, state);
    ret_scan->first_end = w.first_end;
    ret_scan->used = w.at;
    ret_scan->complete = step == STEP_COMPLETE;
    if (step == STEP_REFUSED)
        refuse(&w, state, ret_scan);
    if (step != STEP_ON)
        return;
    ret_scan->used = data.size;
    state->cr = data.data[data.size - 1] == '\r';
    state->fresh = w.line == data.size - state->cr;
}

static enum err too_large(struct http_parser *p)
{
    if (p->start_line_size == 0 && p->cfg.kind == HTTP_PARSE_REQUEST)
        return http_parser_fail(p, ERR_URI_TOO_LONG, "the request line is too long");
    return http_parser_fail(p, ERR_HEADER_TOO_LARGE, "the header is too large");
}

/* Before a request one empty line is forgiven (RFC 9112 section 2.2). */
static enum err forgive_empty_line(struct http_parser *p)
{
    if (p->cfg.kind != HTTP_PARSE_REQUEST || p->empty_line_seen)
        return http_parser_fail_malformed(p, "an empty line where a message should begin");
    http_parser_begin_head(p);
    p->empty_line_seen = true;
    return ERR_OK;
}

/* A broken start line is refused as soon as it is complete: no waiting for the rest of a head that
 * is none. */
static enum err check_start_line(struct http_parser *p)
{
    if (p->start_line_size == 0 || p->start_line_checked)
        return ERR_OK;
    p->start_line_checked = true;
    return http_parser_check_start_line(p);
}

enum err http_parser_collect(struct http_parser *p, struct bytes data, size_t *ret_used,
                             bool *ret_complete)
{
    size_t room = p->cfg.head_max - p->buf.size;
    bool cut = data.size > room;
    struct line_scan scan;
    http_parser_scan_lines(&p->lines, cut ? bytes_of(data.data, room) : data, &scan);
    *ret_used = scan.used;
    if (scan.complete && p->buf.size + scan.used == 2)
        return forgive_empty_line(p);
    if (p->start_line_size == 0 && scan.first_end > 0)
        p->start_line_size = p->buf.size + scan.first_end;
    if (buf_append(&p->buf, bytes_of(data.data, scan.used)) != ERR_OK)
        return http_parser_fail(p, ERR_NO_MEMORY, "out of memory");
    *ret_complete = scan.complete;
    if (scan.complete)
        return ERR_OK;
    TRY(check_start_line(p));
    if (scan.refused)
        return http_parser_fail_malformed(p, scan.refused);
    return cut ? too_large(p) : ERR_OK;
}

void http_parser_begin_head(struct http_parser *p)
{
    buf_clear(&p->buf);
    http_parser_begin_lines(&p->lines);
    p->start_line_size = 0;
    p->start_line_checked = p->empty_line_seen = false;
}
