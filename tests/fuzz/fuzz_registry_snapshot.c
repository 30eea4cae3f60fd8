/* Snapshots from hostile bytes: as they come, and with the hashes put right, so that what these
 * guard is reached. A snapshot that is taken can be saved again and is the same. */
#include "registry/snapshot.h"
#include "tests/support/registry_scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define HASH_OFFSET (REGISTRY_SNAPSHOT_HEAD_SIZE - 8 - CRYPTO_HASH_SIZE)

static struct scratch scratch;

static void end(void)
{
    scratch_close(&scratch);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_open(&scratch);
    CHECK(atexit(end) == 0);
    return 0;
}

static size_t number_at(const uint8_t *data, size_t size)
{
    size_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

/* Rows' hashes, the head's hash, the number of rows: as far as there are whole rows. */
static void put_right(struct buf *bytes)
{
    struct registry_hash sum = {{0}};
    uint64_t rows = 0;
    size_t at = REGISTRY_SNAPSHOT_HEAD_SIZE;
    if (bytes->size < at)
        return;
    while (bytes->size - at >= 6) {
        size_t key_size = number_at(bytes->data + at, 2);
        if (bytes->size - at < 6 + key_size)
            break;
        size_t value_size = number_at(bytes->data + at + 2 + key_size, 4);
        uint8_t *value = bytes->data + at + 6 + key_size;
        if (bytes->size - at - 6 - key_size < value_size || value_size < REGISTRY_ROW_HASH_SIZE)
            break;
        struct registry_row_hash hash =
            registry_hash_row(bytes_of(bytes->data + at + 2, key_size),
                              bytes_of(value, value_size - REGISTRY_ROW_HASH_SIZE));
        memcpy(value + value_size - REGISTRY_ROW_HASH_SIZE, hash.bytes, sizeof(hash.bytes));
        registry_hash_add(&sum, &hash);
        rows++;
        at += 6 + key_size + value_size;
    }
    registry_hash_bytes(&sum, bytes->data + HASH_OFFSET);
    for (size_t i = 0; i < 8; i++)
        bytes->data[HASH_OFFSET + CRYPTO_HASH_SIZE + i] = (uint8_t)(rows >> (56 - 8 * i));
}

static void save_again(struct bytes taken)
{
    struct registry_save *save;
    struct buf again;
    uint64_t size;
    CHECK(registry_save_open(scratch.r, &save, &size) == ERR_OK);
    CHECK(size == taken.size);
    buf_init(&again, size);
    CHECK(registry_save_read(save, 0, size, &again) == ERR_OK);
    CHECK(bytes_equal(taken, buf_bytes(&again)));
    buf_fini(&again);
    registry_save_close(save);
}

static void load(struct bytes bytes)
{
    struct registry_load *load;
    CHECK(registry_load_begin(scratch.r, &load) == ERR_OK);
    enum err e = registry_load_append(load, bytes);
    if (e == ERR_OK)
        e = registry_load_finish(load);
    if (e == ERR_OK)
        save_again(bytes);
    else
        registry_load_abort(load);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes;
    load(bytes_of(data, size));
    buf_init(&bytes, size + 1);
    CHECK(buf_append(&bytes, bytes_of(data, size)) == ERR_OK);
    put_right(&bytes);
    load(buf_bytes(&bytes));
    buf_fini(&bytes);
    return 0;
}
