/* The text form of keys and certificates; see keyfile.h. Buffers that held a secret are wiped. */
#include "node/cli/dir/keyfile.h"

#include "node/cli/dir/files.h"

struct layout {
    const char *header;
    bool has_seed;
    bool has_chain; /* the root's public key before it */
    bool may_lack_chain;
};

static const struct layout layouts[] = {
    [KEYFILE_ROOT] = {"grapevine root key 1", true, false, false},
    [KEYFILE_ADMIN] = {"grapevine admin key 1", true, true, true},
    [KEYFILE_NODE] = {"grapevine node key 1", true, false, false},
    [KEYFILE_CERT] = {"grapevine node certificate 1", false, true, false},
    [KEYFILE_ADMIN_CERT] = {"grapevine admin certificate 1", false, true, false},
};

static enum err encode_payload(const struct layout *l, const struct keyfile *k, struct buf *payload)
{
    if (l->has_seed)
        TRY(buf_append(payload, bytes_of(k->seed, sizeof(k->seed))));
    if (!l->has_chain)
        return ERR_OK;
    TRY(buf_append(payload, bytes_of(k->root, sizeof(k->root))));
    return buf_append(payload, bytes_of(k->chain, k->chain_size));
}

static enum err encode_text(const struct layout *l, struct bytes payload, struct buf *text)
{
    TRY(buf_append_str(text, l->header));
    TRY(buf_append_byte(text, '\n'));
    TRY(crypto_base64_append(text, payload));
    return buf_append_byte(text, '\n');
}

enum err keyfile_encode(enum keyfile_kind kind, const struct keyfile *k, struct buf *text)
{
    uint8_t storage[KEYFILE_PAYLOAD_MAX];
    struct buf payload;
    buf_init_fixed(&payload, storage, sizeof(storage));
    enum err e = encode_payload(&layouts[kind], k, &payload);
    if (e == ERR_OK)
        e = encode_text(&layouts[kind], buf_bytes(&payload), text);
    crypto_wipe(storage, sizeof(storage));
    return e;
}

static enum err take(struct bytes *payload, uint8_t *ret_data, size_t size)
{
    if (payload->size < size)
        return ERR_INVALID;
    memcpy(ret_data, payload->data, size);
    *payload = bytes_skip(*payload, size);
    return ERR_OK;
}

static enum err decode_payload(const struct layout *l, struct bytes payload,
                               struct keyfile *ret_keyfile)
{
    if (l->has_seed)
        TRY(take(&payload, ret_keyfile->seed, CRYPTO_SEED_SIZE));
    if (!l->has_chain)
        return payload.size ? ERR_INVALID : ERR_OK;
    TRY(take(&payload, ret_keyfile->root, CRYPTO_PUBLIC_SIZE));
    if ((payload.size == 0 && !l->may_lack_chain) || payload.size > CERT_CHAIN_SIZE_MAX)
        return ERR_INVALID;
    if (payload.size > 0)
        memcpy(ret_keyfile->chain, payload.data, payload.size);
    ret_keyfile->chain_size = payload.size;
    return ERR_OK;
}

enum err keyfile_decode(enum keyfile_kind kind, struct bytes text, struct keyfile *ret_keyfile)
{
    const struct layout *l = &layouts[kind];
    struct bytes header = bytes_of(text.data, bytes_find(text, '\n'));
    struct bytes digits = bytes_skip(text, header.size + 1);
    while (digits.size && digits.data[digits.size - 1] == '\n')
        digits.size--;
    if (!bytes_equal(header, bytes_from_str(l->header)))
        return ERR_INVALID;

    uint8_t storage[KEYFILE_PAYLOAD_MAX];
    struct buf payload;
    struct keyfile decoded = *ret_keyfile;
    buf_init_fixed(&payload, storage, sizeof(storage));
    enum err e = crypto_base64_decode(digits, &payload);
    if (e == ERR_OK)
        e = decode_payload(l, buf_bytes(&payload), &decoded);
    if (e == ERR_OK)
        *ret_keyfile = decoded;
    crypto_wipe(storage, sizeof(storage));
    keyfile_wipe(&decoded);
    return e == ERR_OK ? ERR_OK : ERR_INVALID;
}

enum cli_exit keyfile_load(enum keyfile_kind kind, const char *path, struct keyfile *ret_keyfile)
{
    const struct layout *l = &layouts[kind];
    uint8_t storage[KEYFILE_TEXT_MAX];
    struct buf text;
    bool is_exposed = false;
    buf_init_fixed(&text, storage, sizeof(storage));
    enum err e =
        l->has_seed ? files_read_secret(path, &text, &is_exposed) : files_read(path, &text);
    enum err decoded = e == ERR_OK ? keyfile_decode(kind, buf_bytes(&text), ret_keyfile) : ERR_OK;
    crypto_wipe(storage, sizeof(storage));
    if (is_exposed)
        return say_error(CLI_FAILED, "others can read or change this key: %s: chmod 600 it", path);
    if (e != ERR_OK)
        return say_file_error(e, path);
    if (decoded != ERR_OK)
        return say_error(CLI_FAILED, "not a \"%s\" file, or damaged: %s: restore it from a copy",
                         l->header, path);
    return CLI_DONE;
}

void keyfile_wipe(struct keyfile *k)
{
    crypto_wipe(k, sizeof(*k));
}
