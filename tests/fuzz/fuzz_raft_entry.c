/* Any bytes as records of the log: each is refused, or written again in exactly the bytes that were
 * read, since there is one form of everything. Payloads of configurations, too. */
#include "raft/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t storage[RAFT_RECORD_MAX];

static void repeat_config(struct bytes payload)
{
    struct raft_config config;
    struct buf b;
    buf_init_fixed(&b, storage, sizeof(storage));
    if (raft_config_decode(payload, &config) != ERR_OK)
        return;
    CHECK(raft_config_encode(&config, &b) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&b), payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size);
    struct raft_entry e;
    repeat_config(rest);
    while (raft_entry_read(&rest, &e) == ERR_OK) {
        struct buf b;
        buf_init_fixed(&b, storage, sizeof(storage));
        CHECK(raft_entry_append(&b, &e) == ERR_OK);
        CHECK(bytes_equal(buf_bytes(&b), e.record));
        if (e.kind == RAFT_CONFIG)
            repeat_config(e.payload);
    }
    return 0;
}
