/* See sse.h. A line that lies whole in the input is not copied. */
#include "testnet/load/core/sse.h"

void sse_init(struct sse *s, void (*on_data)(void *owner, struct bytes data), void *owner)
{
    s->on_data = on_data;
    s->owner = owner;
    buf_init(&s->line, SSE_LINE_MAX);
}

void sse_fini(struct sse *s)
{
    buf_fini(&s->line);
}

void sse_reset(struct sse *s)
{
    buf_clear(&s->line);
}

static void take_line(struct sse *s, struct bytes line)
{
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (bytes_starts_with(line, BYTES("data:")))
        s->on_data(s->owner, bytes_trim(bytes_skip(line, 5)));
}

enum err sse_feed(struct sse *s, struct bytes data)
{
    for (size_t end; (end = bytes_find(data, '\n')) < data.size; data = bytes_skip(data, end + 1)) {
        struct bytes rest = bytes_of(data.data, end);
        if (s->line.size == 0) {
            take_line(s, rest);
            continue;
        }
        TRY(buf_append(&s->line, rest));
        take_line(s, buf_bytes(&s->line));
        buf_clear(&s->line);
    }
    return buf_append(&s->line, data);
}
