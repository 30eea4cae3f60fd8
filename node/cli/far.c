/* See far.h. Called by control.c. */
#include "node/cli/far.h"

#include "base/digest.h"
#include "node/cli/clock.h"
#include "node/cli/dir/nodedir.h"
#include "node/io/addr.h"
#include "node/trust/http_signature.h"

#include <stdio.h>

enum cli_exit far_parse(const char *url, struct far *ret_far)
{
    static const char scheme[] = "http://";
    const char *text = strncmp(url, scheme, sizeof scheme - 1) ? "" : url + sizeof scheme - 1;
    size_t size = strcspn(text, "/");
    struct bytes host;
    bool is_whole = !text[size] || !text[size + 1]; /* a "/" at its end is fine */
    if (!is_whole || size >= sizeof ret_far->authority ||
        io_addr_split(bytes_of(text, size), &host, &ret_far->port) != ERR_OK ||
        host.size >= sizeof ret_far->host || ret_far->port == 0)
        return say_error(CLI_USAGE, "not a node's URL: --node %.200s: write http://HOST:PORT", url);
    bytes_to_str(host, ret_far->host, sizeof ret_far->host);
    bytes_to_str(bytes_of(text, size), ret_far->authority, sizeof ret_far->authority);
    return CLI_DONE;
}

/* --- signing */

struct signing {
    struct http_signature_request request;
    char digest[64];
};

static struct bytes field_of(void *ctx, struct bytes name)
{
    const struct signing *s = ctx;
    return bytes_equal(name, BYTES("content-digest")) ? bytes_from_str(s->digest)
                                                      : bytes_of(NULL, 0);
}

static void set_digest(struct signing *s, struct bytes content)
{
    uint8_t hash[DIGEST_SIZE];
    struct digest d;
    struct buf out;
    digest_init(&d);
    digest_update(&d, content);
    digest_final(&d, hash);
    buf_init_fixed(&out, (uint8_t *)s->digest, sizeof s->digest - 1);
    CHECK(http_signature_digest(hash, &out) == ERR_OK);
    s->digest[out.size] = 0;
}

static enum err append_fields(struct signing *s, const struct keyfile *admin, struct buf *fields)
{
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE], input_space[512];
    uint8_t signature_space[256];
    char keyid[ID_TEXT_SIZE], nonce[ID_TEXT_SIZE];
    struct buf input, signature;
    crypto_sign_keypair_from_seed(admin->seed, key, secret);
    struct id id = id_of_public_key(key), random = id_random();
    id_to_text(&id, keyid);
    id_to_text(&random, nonce);
    buf_init_fixed(&input, input_space, sizeof input_space);
    buf_init_fixed(&signature, signature_space, sizeof signature_space);
    enum err e = http_signature_make(&s->request, secret, bytes_from_str(keyid),
                                     bytes_from_str(nonce), clock_now_ms(), &input, &signature);
    crypto_wipe(secret, sizeof secret);
    TRY(e);
    if (s->request.has_body)
        TRY(buf_printf(fields, "Content-Digest: %s\r\n", s->digest));
    return buf_printf(fields, "Signature-Input: %.*s\r\nSignature: %.*s\r\n", (int)input.size,
                      (const char *)input.data, (int)signature.size, (const char *)signature.data);
}

enum cli_exit far_sign(const struct cli *cli, const struct far *far, const char *method,
                       const char *target, struct bytes content, struct buf *fields)
{
    struct keyfile admin = {.chain_size = 0};
    struct signing s = {.request = {.method = bytes_from_str(method),
                                    .target = bytes_from_str(target),
                                    .authority = bytes_from_str(far->authority),
                                    .field = field_of,
                                    .ctx = &s,
                                    .has_body = content.size > 0}};
    enum cli_exit code = nodedir_load_admin(&cli->flags, &admin);
    if (code != CLI_DONE)
        return code;
    set_digest(&s, content);
    enum err e = append_fields(&s, &admin, fields);
    keyfile_wipe(&admin);
    return e == ERR_OK ? CLI_DONE
                       : say_error(CLI_FAILED, "not signed: %.200s: %s", target, err_text(e));
}
