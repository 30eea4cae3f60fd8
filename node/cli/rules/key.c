/* `grapevine key new FILE`: a key for an administrator, made where it will be used. The mesh learns
 * its public half by `admin add`; the secret half never leaves the file. `key accept`: a
 * certificate for it, which inviting takes. */
#include "node/cli/clock.h"
#include "node/cli/command.h"
#include "node/cli/dir/files.h"
#include "node/cli/dir/keyfile.h"

#include <stdio.h>

/* Of the mesh that this directory's administrator, or node, belongs to. */
static enum cli_exit print_public(const struct cli *cli, const struct keyfile *k)
{
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    char text[64], id_text[ID_TEXT_SIZE];
    struct buf out;
    crypto_sign_keypair_from_seed(k->seed, key, secret);
    crypto_wipe(secret, sizeof secret);
    struct id id = id_of_public_key(key);
    id_to_text(&id, id_text);
    buf_init_fixed(&out, (uint8_t *)text, sizeof text - 1);
    CHECK(crypto_base64_append(&out, bytes_of(key, sizeof key)) == ERR_OK);
    text[out.size] = 0;
    if (cli->json)
        printf("{\"public_key\":\"%s\",\"id\":\"%s\"}\n", text, id_text);
    else
        printf("%s\n", text);
    return CLI_DONE;
}

static enum cli_exit read_root(const struct cli *cli, struct keyfile *k)
{
    const char *text = flags_get(&cli->flags, "--root");
    struct buf root;
    if (!text)
        return say_error(CLI_USAGE, "needed: --root PUBKEY: the mesh root's public key, as init "
                                    "printed it");
    buf_init_fixed(&root, k->root, sizeof k->root);
    if (crypto_base64_decode(bytes_from_str(text), &root) != ERR_OK || root.size != sizeof k->root)
        return say_error(CLI_USAGE, "not a public key: --root %.100s: 43 characters of base64url",
                         text);
    return CLI_DONE;
}

enum cli_exit cli_key_new(const struct cli *cli)
{
    uint8_t space[KEYFILE_TEXT_MAX];
    struct keyfile k = {.chain_size = 0};
    struct buf text;
    const char *path = cli->flags.words[0];
    enum cli_exit code = read_root(cli, &k);
    if (code != CLI_DONE)
        return code;
    crypto_random(k.seed, sizeof k.seed);
    buf_init_fixed(&text, space, sizeof space);
    enum err e = keyfile_encode(KEYFILE_ADMIN, &k, &text);
    if (e == ERR_OK)
        e = files_write_new(path, buf_bytes(&text), 0600);
    code = e == ERR_OK ? print_public(cli, &k) : say_file_error(e, path);
    crypto_wipe(space, sizeof space);
    keyfile_wipe(&k);
    return code;
}

/* --- a certificate for it */

static enum cli_exit check_pair(const struct keyfile *k, const struct keyfile *c, const char *path)
{
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct cert_chain chain;
    crypto_sign_keypair_from_seed(k->seed, key, secret);
    crypto_wipe(secret, sizeof secret);
    bool is_sane = crypto_equal(k->root, c->root, sizeof k->root) &&
                   cert_chain_verify(bytes_of(c->chain, c->chain_size), c->root, clock_now_ms(),
                                     &chain) == ERR_OK &&
                   cert_leaf(&chain)->kind == CERT_ADMIN &&
                   crypto_equal(cert_leaf(&chain)->subject, key, sizeof key);
    return is_sane ? CLI_DONE
                   : say_error(CLI_REFUSED,
                               "not this key's certificate: %s: ask for one that "
                               "admin add --certificate made for it",
                               path);
}

static enum cli_exit replace(const char *path, const struct keyfile *k)
{
    uint8_t space[KEYFILE_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, space, sizeof space);
    enum err e = keyfile_encode(KEYFILE_ADMIN, k, &text);
    if (e == ERR_OK)
        e = files_replace(path, buf_bytes(&text), 0600);
    crypto_wipe(space, sizeof space);
    return e == ERR_OK ? CLI_DONE : say_file_error(e, path);
}

enum cli_exit cli_key_accept(const struct cli *cli)
{
    struct keyfile k = {.chain_size = 0}, certificate = {.chain_size = 0};
    const char *path = cli->flags.words[0], *from = cli->flags.words[1];
    enum cli_exit code = keyfile_load(KEYFILE_ADMIN, path, &k);
    if (code == CLI_DONE)
        code = keyfile_load(KEYFILE_ADMIN_CERT, from, &certificate);
    if (code == CLI_DONE)
        code = check_pair(&k, &certificate, from);
    if (code == CLI_DONE) {
        memcpy(k.chain, certificate.chain, certificate.chain_size);
        k.chain_size = certificate.chain_size;
        code = replace(path, &k);
    }
    if (code == CLI_DONE)
        code = print_public(cli, &k);
    keyfile_wipe(&k);
    return code;
}
