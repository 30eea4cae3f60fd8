/* The boot number in D/data/node, an LMDB environment of one small table; see boot.h. */
#include "node/cli/boot.h"

#include "node/cli/enrol.h"
#include "node/cli/nodedir.h"

#define MAP_SIZE (16ull * 1024 * 1024)
#define KEY BYTES("boot_ms")

static uint64_t from_bytes(struct bytes value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size && i < 8; i++)
        number = number << 8 | value.data[i];
    return number;
}

static enum err advance(struct kv_txn *txn, struct kv_table table, uint64_t wall_ms,
                        uint64_t *ret_boot_ms)
{
    struct bytes value;
    uint64_t boot_ms = wall_ms;
    enum err e = kv_get(txn, table, KEY, &value);
    if (e == ERR_OK && value.size != 8)
        return ERR_CORRUPT;
    if (e == ERR_OK && from_bytes(value) >= boot_ms)
        boot_ms = from_bytes(value) + 1;
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    uint8_t stored[8];
    for (int i = 0; i < 8; i++)
        stored[i] = (uint8_t)(boot_ms >> (56 - 8 * i));
    TRY(kv_put(txn, table, KEY, bytes_of(stored, sizeof(stored))));
    *ret_boot_ms = boot_ms;
    return ERR_OK;
}

static enum err store(struct kv *kv, uint64_t *ret_boot_ms)
{
    struct kv_table table;
    struct kv_txn *txn;
    uint64_t boot_ms;
    TRY(kv_table_open(kv, "node", &table));
    TRY(kv_begin_write(kv, &txn));
    enum err e = advance(txn, table, enrol_now_ms(), &boot_ms);
    if (e != ERR_OK) {
        kv_abort(txn);
        return e;
    }
    TRY(kv_commit(txn));
    *ret_boot_ms = boot_ms;
    return ERR_OK;
}

static enum cli_exit refuse(enum err e, const char *path)
{
    if (e == ERR_LOCKED)
        return say_error(CLI_FAILED,
                         "already running: %s: another grapevine holds it; stop that first", path);
    if (e == ERR_CORRUPT)
        return say_error(CLI_FAILED,
                         "damaged: %s: remove it; only the number of the last start is lost", path);
    return say_file_error(e, path);
}

enum cli_exit boot_open(const char *dir, struct boot *ret_boot)
{
    char data[FILES_PATH_MAX];
    char path[FILES_PATH_MAX];
    struct boot boot = {.kv = NULL};
    struct files_made made = {.count = 0};
    enum err e = files_join(dir, NODEDIR_DATA, data);
    if (e == ERR_OK)
        e = files_join(data, "node", path);
    if (e == ERR_OK)
        e = files_make_dir(data, &made);
    files_keep(&made);
    if (e != ERR_OK)
        return say_file_error(e, dir);
    struct kv_cfg cfg = {.dir = path, .map_size = MAP_SIZE, .tables_max = 4};
    e = kv_open(&cfg, &boot.kv);
    if (e != ERR_OK)
        return refuse(e, path);
    e = store(boot.kv, &boot.boot_ms);
    if (e != ERR_OK) {
        kv_close(boot.kv);
        return refuse(e, path);
    }
    *ret_boot = boot;
    return CLI_DONE;
}

void boot_close(struct boot *boot)
{
    if (boot->kv)
        kv_close(boot->kv);
    boot->kv = NULL;
}
