/* Any bytes as an answer to the load generator: as a stream, fed in two pieces or at once with the
 * same result, and as a whole. */
#include <stdlib.h>

#include "testnet/load/answer_read.h"
#include "testnet/load/core/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    size_t events, faults;
};

static void on_data(void *owner, struct bytes data)
{
    struct seen *seen = owner;
    struct answer_piece piece;
    seen->events++;
    if (answer_read_event(TALK_CHAT, data, &piece, &seen->text) != ERR_OK)
        seen->faults++;
}

static void feed(struct seen *seen, struct bytes first, struct bytes second)
{
    struct sse sse;
    buf_init(&seen->text, 1 << 20);
    sse_init(&sse, on_data, seen);
    enum err e = sse_feed(&sse, first);
    if (e == ERR_OK)
        e = sse_feed(&sse, second);
    CHECK(e == ERR_OK || e == ERR_LIMIT);
    sse_fini(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen once = {.events = 0}, twice = {.events = 0};
    struct bytes all = bytes_of(data, size);
    struct answer_piece piece;
    feed(&once, all, bytes_of(NULL, 0));
    feed(&twice, bytes_of(data, size / 2), bytes_skip(all, size / 2));
    CHECK(once.events == twice.events && once.faults == twice.faults);
    CHECK(bytes_equal(buf_bytes(&once.text), buf_bytes(&twice.text)));
    for (int api = TALK_CHAT; api <= TALK_MESSAGES; api++) {
        enum err e = answer_read_whole((enum talk_api)api, all, &piece, &once.text);
        CHECK(e == ERR_OK || e == ERR_PROTOCOL || e == ERR_LIMIT);
    }
    buf_fini(&once.text);
    buf_fini(&twice.text);
    return 0;
}
