/* Fronts of batches and descriptors of snapshots, as a disk may give them back. The checksum is
 * made right first, so that what is behind it is reached. What decodes must encode to the same
 * bytes again, but for fronts of the older form. */
#include "raft/store_batch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_u32(uint8_t *p, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        p[i] = (uint8_t)value;
}

static void one_front(uint8_t *data, size_t size)
{
    struct raft_batch_front front;
    struct raft_batch_run *runs;
    struct buf again;
    put_u32(data + 36, (uint32_t)size);
    put_u32(data + 4, raft_crc32c(0, bytes_of(data + 8, size - 8)));
    if (raft_batch_decode(bytes_of(data, size), &front) != ERR_OK)
        return;
    runs = malloc((front.run_count + 1) * sizeof *runs);
    CHECK(runs);
    for (size_t i = 0; i < front.run_count; i++)
        raft_batch_run_at(&front, i, &runs[i]);
    buf_init(&again, RAFT_BATCH_FRONT_MAX);
    CHECK(raft_batch_encode(&front, runs, &again) == ERR_OK);
    bool is_old = data[9] == 1; /* read, but never written */
    CHECK(is_old || bytes_equal(buf_bytes(&again), bytes_of(data, size)));
    buf_fini(&again);
    free(runs);
}

static void one_descriptor(const uint8_t *data, size_t size)
{
    uint8_t block[RAFT_BLOCK_SIZE] = {0}, space[2 * RAFT_BLOCK_SIZE];
    struct raft_snapshot snapshot;
    struct buf again;
    memcpy(block, data, size < sizeof block ? size : sizeof block);
    put_u32(block + 4, raft_crc32c(0, bytes_of(block + 8, sizeof block - 8)));
    if (raft_descriptor_decode(bytes_of(block, sizeof block), &snapshot) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof space);
    CHECK(raft_descriptor_encode(&snapshot, &again) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&again), bytes_of(block, sizeof block)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raft_batch_front front;
    struct raft_snapshot snapshot;
    if (raft_batch_decode(bytes_of(data, size), &front) == ERR_OK)
        CHECK(front.front_size <= size);
    if (raft_descriptor_decode(bytes_of(data, size), &snapshot) == ERR_OK)
        CHECK(size == RAFT_BLOCK_SIZE);
    one_descriptor(data, size);
    if (size < 60 || size > RAFT_BATCH_FRONT_MAX)
        return 0;
    uint8_t *copy = malloc(size);
    CHECK(copy);
    memcpy(copy, data, size);
    one_front(copy, size);
    free(copy);
    return 0;
}
