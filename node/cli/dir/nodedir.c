/* Finding, making and reading a node's directory; see nodedir.h. Used by init, join, invite, run
 * and config check. */
#include "node/cli/dir/nodedir.h"

#include "node/cli/dir/founding.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_SIZE_MAX 3000 /* leaves room for every name below it in FILES_PATH_MAX */

/* --- which one */

static enum cli_exit default_dir(char ret_dir[FILES_PATH_MAX])
{
    const char *home = getenv("HOME");
    if (geteuid() == 0) {
        bytes_to_str(BYTES("/var/lib/grapevine"), ret_dir, FILES_PATH_MAX);
        return CLI_DONE;
    }
    if (!home || !home[0] || files_join(home, ".local/share/grapevine", ret_dir) != ERR_OK)
        return say_error(CLI_USAGE, "no directory: $HOME is not set: give --dir D");
    return CLI_DONE;
}

enum cli_exit nodedir_find(const struct flags *flags, char ret_dir[FILES_PATH_MAX])
{
    const char *given = flags_get(flags, "--dir");
    const char *where = "--dir";
    if (!given) {
        given = getenv("GRAPEVINE_DIR");
        where = "$GRAPEVINE_DIR";
    }
    if (!given || (!given[0] && strcmp(where, "--dir") != 0))
        return default_dir(ret_dir);
    struct bytes dir = bytes_from_str(given);
    while (dir.size > 1 && dir.data[dir.size - 1] == '/')
        dir.size--;
    if (dir.size == 0 || dir.size > DIR_SIZE_MAX)
        return say_error(CLI_USAGE, "not a directory's path: %s: name one of 1 to %d bytes", where,
                         DIR_SIZE_MAX);
    bytes_to_str(dir, ret_dir, FILES_PATH_MAX);
    return CLI_DONE;
}

enum err nodedir_admin_path(const struct flags *flags, const char *dir,
                            char ret_path[FILES_PATH_MAX])
{
    const char *given = flags_get(flags, "--key");
    if (!given)
        given = getenv("GRAPEVINE_KEY");
    if (!given || !given[0])
        return files_join(dir, NODEDIR_ADMIN_KEY, ret_path);
    if (strlen(given) >= FILES_PATH_MAX)
        return ERR_LIMIT;
    bytes_to_str(bytes_from_str(given), ret_path, FILES_PATH_MAX);
    return ERR_OK;
}

enum cli_exit nodedir_load_admin(const struct flags *flags, struct keyfile *ret_admin)
{
    char dir[FILES_PATH_MAX], path[FILES_PATH_MAX];
    enum cli_exit code = nodedir_find(flags, dir);
    if (code != CLI_DONE)
        return code;
    enum err e = nodedir_admin_path(flags, dir, path);
    if (e != ERR_OK)
        return say_file_error(e, dir);
    if (!files_exists(path))
        return say_error(CLI_REFUSED,
                         "no administrator's key: %s: name one with --key FILE or $GRAPEVINE_KEY",
                         path);
    return keyfile_load(KEYFILE_ADMIN, path, ret_admin);
}

/* --- making one */

static enum cli_exit refuse_used(const char *dir)
{
    static const char *const names[] = {NODEDIR_CONFIG,    NODEDIR_NODE_KEY, NODEDIR_NODE_CERT,
                                        NODEDIR_ADMIN_KEY, NODEDIR_ROOT_KEY, NODEDIR_DATA};
    struct stat info;
    if (stat(dir, &info) == 0 && S_ISDIR(info.st_mode) && (info.st_mode & S_IWOTH))
        return say_error(CLI_REFUSED, "everybody can write there: %s: chmod 700 it first", dir);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[FILES_PATH_MAX];
        if (files_join(dir, names[i], path) == ERR_OK && files_exists(path))
            return say_error(CLI_REFUSED,
                             "already a node's directory: %s exists: choose another --dir", path);
    }
    return CLI_DONE;
}

static enum cli_exit make_file(const char *dir, const char *name, struct bytes content,
                               unsigned mode, struct files_made *made)
{
    char path[FILES_PATH_MAX];
    enum err e = files_join(dir, name, path);
    if (e == ERR_OK)
        e = files_make(path, content, mode, made);
    return e == ERR_OK ? CLI_DONE : say_file_error(e, path);
}

static enum cli_exit make_keyfile(const char *dir, const char *name, enum keyfile_kind kind,
                                  const struct keyfile *keyfile, struct files_made *made)
{
    uint8_t storage[KEYFILE_TEXT_MAX];
    struct buf text;
    if (!keyfile)
        return CLI_DONE;
    buf_init_fixed(&text, storage, sizeof(storage));
    enum err e = keyfile_encode(kind, keyfile, &text);
    enum cli_exit code = e == ERR_OK ? make_file(dir, name, buf_bytes(&text),
                                                 kind == KEYFILE_CERT ? 0644 : 0600, made)
                                     : say_file_error(e, name);
    crypto_wipe(storage, sizeof(storage));
    return code;
}

static enum cli_exit make_admission(const char *dir, struct bytes command, struct files_made *made)
{
    uint8_t space[FOUNDING_TEXT_MAX];
    struct buf text;
    if (command.size == 0)
        return CLI_DONE;
    buf_init_fixed(&text, space, sizeof space);
    enum err e = founding_encode(command, &text);
    return e == ERR_OK ? make_file(dir, NODEDIR_ADMISSION, buf_bytes(&text), 0600, made)
                       : say_file_error(e, NODEDIR_ADMISSION);
}

static enum cli_exit make_config(const char *dir, const struct config *config,
                                 struct files_made *made)
{
    struct buf yaml;
    buf_init(&yaml, NODEDIR_CONFIG_MAX);
    enum err e = config_write(config, &yaml);
    enum cli_exit code = e == ERR_OK ? make_file(dir, NODEDIR_CONFIG, buf_bytes(&yaml), 0644, made)
                                     : say_file_error(e, NODEDIR_CONFIG);
    buf_fini(&yaml);
    return code;
}

static enum cli_exit make_dir(const char *dir, const char *name, struct files_made *made)
{
    char path[FILES_PATH_MAX];
    enum err e = ERR_OK;
    if (name)
        e = files_join(dir, name, path);
    else
        bytes_to_str(bytes_from_str(dir), path, sizeof(path));
    if (e == ERR_OK)
        e = files_make_dir(path, made);
    return e == ERR_OK ? CLI_DONE : say_file_error(e, path);
}

/* The configuration last: a directory with one is whole. */
static enum cli_exit make_all(const char *dir, const struct nodedir_content *c,
                              struct files_made *made)
{
    enum cli_exit code = make_dir(dir, NULL, made);
    if (code == CLI_DONE)
        code = make_keyfile(dir, NODEDIR_ROOT_KEY, KEYFILE_ROOT, c->root, made);
    if (code == CLI_DONE)
        code = make_keyfile(dir, NODEDIR_ADMIN_KEY, KEYFILE_ADMIN, c->admin, made);
    if (code == CLI_DONE)
        code = make_keyfile(dir, NODEDIR_NODE_KEY, KEYFILE_NODE, c->node, made);
    if (code == CLI_DONE)
        code = make_keyfile(dir, NODEDIR_NODE_CERT, KEYFILE_CERT, c->node, made);
    if (code == CLI_DONE)
        code = make_admission(dir, c->admission, made);
    if (code == CLI_DONE)
        code = make_dir(dir, NODEDIR_DATA, made);
    return code == CLI_DONE ? make_config(dir, c->config, made) : code;
}

enum cli_exit nodedir_make(const char *dir, const struct nodedir_content *content)
{
    struct files_made made = {.count = 0};
    enum cli_exit code = refuse_used(dir);
    if (code != CLI_DONE)
        return code;
    code = make_all(dir, content, &made);
    if (code == CLI_DONE)
        files_keep(&made);
    else
        files_undo(&made);
    return code;
}

/* --- the configuration in it */

static enum cli_exit parse_config(const char *path, const struct flags *flags, struct bytes text,
                                  struct config *config, struct buf *message)
{
    if (config_parse(text, path, config, message) != ERR_OK)
        return CLI_FAILED;
    size_t cursor = 0;
    for (const char *set; (set = flags_next(flags, "--set", &cursor));)
        if (config_set(config, set, message) != ERR_OK)
            return CLI_USAGE;
    return config_validate(config, text, path, message) == ERR_OK ? CLI_DONE : CLI_FAILED;
}

enum cli_exit nodedir_read_config(const char *path, const struct flags *flags, struct buf *text,
                                  struct config *ret_config, struct buf *message)
{
    struct config config;
    char reason[2048];
    struct buf why;
    enum err e = files_read(path, text);
    if (e == ERR_NOT_FOUND)
        return say_into(message, CLI_FAILED,
                        "no configuration: %s: make a node with grapevine init or join, "
                        "or name its directory with --dir",
                        path);
    if (e != ERR_OK)
        return say_file_error_into(message, e, path);
    buf_init_fixed(&why, (uint8_t *)reason, sizeof(reason) - 1);
    enum cli_exit code = parse_config(path, flags, buf_bytes(text), &config, &why);
    reason[why.size] = 0;
    if (code != CLI_DONE)
        return say_into(message, code, "configuration: %s", reason);
    *ret_config = config;
    return CLI_DONE;
}

enum cli_exit nodedir_load_config(const char *path, const struct flags *flags, struct buf *text,
                                  struct config *ret_config)
{
    char said[4096];
    struct buf message;
    buf_init_fixed(&message, (uint8_t *)said, sizeof(said) - 1);
    enum cli_exit code = nodedir_read_config(path, flags, text, ret_config, &message);
    said[message.size] = 0;
    return code == CLI_DONE ? CLI_DONE : say_error(code, "%s", said);
}

/* --- its identity */

static enum cli_exit refuse_identity(enum err e, const char *path)
{
    if (e == ERR_CERT_EXPIRED)
        return say_error(CLI_REFUSED,
                         "the node's certificate is not valid now: %s: check the clock, or "
                         "join anew with a fresh invitation",
                         path);
    if (e == ERR_INVALID)
        return say_error(CLI_REFUSED,
                         "key and certificate do not belong together: %s: restore both "
                         "from one copy, or join anew",
                         path);
    return say_error(CLI_REFUSED,
                     "the node's certificate does not verify (%s): %s: restore it from a "
                     "copy, or join anew",
                     err_text(e), path);
}

enum cli_exit nodedir_load_identity(const char *dir, uint64_t now_ms, struct identity *ret_identity)
{
    char key_path[FILES_PATH_MAX];
    char cert_path[FILES_PATH_MAX];
    struct keyfile k = {.chain_size = 0};
    if (files_join(dir, NODEDIR_NODE_KEY, key_path) != ERR_OK ||
        files_join(dir, NODEDIR_NODE_CERT, cert_path) != ERR_OK)
        return say_file_error(ERR_LIMIT, dir);
    enum cli_exit code = keyfile_load(KEYFILE_NODE, key_path, &k);
    if (code == CLI_DONE)
        code = keyfile_load(KEYFILE_CERT, cert_path, &k);
    if (code == CLI_DONE) {
        enum err e =
            identity_init(ret_identity, k.seed, k.root, bytes_of(k.chain, k.chain_size), now_ms);
        if (e != ERR_OK)
            code = refuse_identity(e, cert_path);
    }
    keyfile_wipe(&k);
    return code;
}
