/* Two numbers and a key ring in D/data/node, an LMDB environment of one small table, and the file
 * D/data/peers; see boot.h. */
#include "node/cli/dir/boot.h"

#include "node/cli/clock.h"
#include "node/cli/dir/nodedir.h"

#define MAP_SIZE (16ull * 1024 * 1024)
#define BOOT_KEY BYTES("boot_ms")
#define INCARNATION_KEY BYTES("incarnation")
#define KEYRING_KEY BYTES("keyring")
#define NUMBER_SIZE 8
#define PEERS_SIZE_MAX (64 * 1024)

static enum err get_number(struct kv_txn *txn, struct kv_table table, struct bytes key,
                           uint64_t *ret_number)
{
    struct bytes value;
    uint64_t number = 0;
    enum err e = kv_get(txn, table, key, &value);
    if (e == ERR_OK && value.size != NUMBER_SIZE)
        return ERR_CORRUPT;
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    for (size_t i = 0; e == ERR_OK && i < NUMBER_SIZE; i++)
        number = number << 8 | value.data[i];
    *ret_number = number;
    return ERR_OK;
}

static enum err put_number(struct kv_txn *txn, struct kv_table table, struct bytes key,
                           uint64_t number)
{
    uint8_t stored[NUMBER_SIZE];
    for (int i = 0; i < NUMBER_SIZE; i++)
        stored[i] = (uint8_t)(number >> (56 - 8 * i));
    return kv_put(txn, table, key, bytes_of(stored, sizeof(stored)));
}

/* A ring that does not fit was not written by us. */
static enum err get_keyring(struct kv_txn *txn, struct boot *boot)
{
    struct bytes value;
    enum err e = kv_get(txn, boot->table, KEYRING_KEY, &value);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (value.size > sizeof(boot->keyring))
        return ERR_CORRUPT;
    memcpy(boot->keyring, value.data, value.size);
    boot->keyring_size = value.size;
    return ERR_OK;
}

static enum err advance(struct kv_txn *txn, struct boot *boot)
{
    uint64_t last_ms;
    uint64_t now_ms = clock_now_ms();
    TRY(get_number(txn, boot->table, BOOT_KEY, &last_ms));
    TRY(get_number(txn, boot->table, INCARNATION_KEY, &boot->incarnation));
    TRY(get_keyring(txn, boot));
    boot->boot_ms = last_ms >= now_ms ? last_ms + 1 : now_ms;
    return put_number(txn, boot->table, BOOT_KEY, boot->boot_ms);
}

static enum err end(struct kv_txn *txn, enum err e)
{
    if (e == ERR_OK)
        return kv_commit(txn);
    kv_abort(txn);
    return e;
}

static enum err store(struct boot *boot)
{
    struct kv_txn *txn;
    TRY(kv_table_open(boot->kv, "node", &boot->table));
    TRY(kv_begin_write(boot->kv, &txn));
    return end(txn, advance(txn, boot));
}

enum err boot_save_incarnation(struct boot *boot, uint64_t incarnation)
{
    struct kv_txn *txn;
    TRY(kv_begin_write(boot->kv, &txn));
    return end(txn, put_number(txn, boot->table, INCARNATION_KEY, incarnation));
}

enum err boot_save_keyring(struct boot *boot, struct bytes ring)
{
    struct kv_txn *txn;
    TRY(kv_begin_write(boot->kv, &txn));
    return end(txn, kv_put(txn, boot->table, KEYRING_KEY, ring));
}

enum err boot_save_peers(struct boot *boot, struct bytes text)
{
    return files_replace(boot->peers_path, text, 0600);
}

/* A start does not fail for it. */
static void read_peers(struct boot *boot)
{
    buf_init(&boot->peers, PEERS_SIZE_MAX);
    boot->peers_error = files_read(boot->peers_path, &boot->peers);
    if (boot->peers_error != ERR_OK)
        buf_clear(&boot->peers);
    if (boot->peers_error == ERR_NOT_FOUND)
        boot->peers_error = ERR_OK;
}

static enum cli_exit refuse(enum err e, const char *path)
{
    if (e == ERR_LOCKED)
        return say_error(CLI_FAILED,
                         "already running: %s: another grapevine holds it; stop that first", path);
    if (e == ERR_CORRUPT)
        return say_error(CLI_FAILED,
                         "damaged: %s: remove it; the numbers of its last start are lost, and "
                         "the gossip key until a peer brings it",
                         path);
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
        e = files_join(data, "peers", boot.peers_path);
    if (e == ERR_OK)
        e = files_make_dir(data, &made);
    files_keep(&made);
    if (e != ERR_OK)
        return say_file_error(e, dir);
    struct kv_cfg cfg = {.dir = path, .map_size = MAP_SIZE, .tables_max = 4};
    e = kv_open(&cfg, &boot.kv);
    if (e != ERR_OK)
        return refuse(e, path);
    e = store(&boot);
    if (e != ERR_OK) {
        kv_close(boot.kv);
        return refuse(e, path);
    }
    read_peers(&boot);
    *ret_boot = boot;
    return CLI_DONE;
}

void boot_close(struct boot *boot)
{
    if (boot->kv)
        kv_close(boot->kv);
    boot->kv = NULL;
    buf_fini(&boot->peers);
    crypto_wipe(boot->keyring, sizeof(boot->keyring));
}
