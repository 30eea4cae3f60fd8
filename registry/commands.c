/* Commands for those who make, sign, read and print them; see command.h. Called by the CLI, by the
 * node that takes commands, and by apply.c. */
#include "registry/form.h"
#include "registry/wire.h"

#include <stdio.h>

#define CONTEXT "grapevine command 1" /* signed with its NUL, then the record */
#define CONTEXT_COSIGN "grapevine cosignature 1"

/* Context and record in one piece; size 0: no room. */
static struct bytes message_of(const char *context, struct bytes record, struct arena *arena)
{
    size_t context_size = strlen(context) + 1;
    uint8_t *message = arena_alloc(arena, context_size + record.size);
    if (!message)
        return (struct bytes){0};
    memcpy(message, context, context_size);
    memcpy(message + context_size, record.data, record.size);
    return bytes_of(message, context_size + record.size);
}

/* --- signing --- */

static enum err check_form(const struct registry_command *command, struct registry_fault *ret_fault)
{
    if (command->op_count < 1 || command->op_count > REGISTRY_OPS_MAX) {
        snprintf(ret_fault->field, sizeof(ret_fault->field), "ops");
        snprintf(ret_fault->what, sizeof(ret_fault->what), "give 1 to %d operations",
                 REGISTRY_OPS_MAX);
        return ERR_INVALID;
    }
    for (size_t i = 0; i < command->op_count; i++)
        TRY(registry_form_check(&command->ops[i], i, ret_fault));
    return ERR_OK;
}

static enum err sign(const struct registry_command *command,
                     const uint8_t secret[CRYPTO_SECRET_SIZE], struct arena *arena,
                     struct buf *record, struct buf *out)
{
    struct registry_signed s = {.cosignature_count = 0};
    struct registry_command own = *command;
    memcpy(own.author, secret + CRYPTO_SEED_SIZE, CRYPTO_PUBLIC_SIZE); /* Ed25519: seed, public */
    TRY(registry_wire_command_encode(&own, arena, record));
    s.record = buf_bytes(record);
    struct bytes message = message_of(CONTEXT, s.record, arena);
    if (message.size == 0)
        return ERR_LIMIT;
    crypto_sign(secret, message, s.signature);
    return registry_wire_signed_encode(&s, arena, out);
}

enum err registry_command_sign(const struct registry_command *command,
                               const uint8_t secret[CRYPTO_SECRET_SIZE],
                               struct registry_fault *ret_fault, struct buf *out)
{
    struct arena arena;
    struct buf record;
    TRY(check_form(command, ret_fault));
    arena_init(&arena, REGISTRY_ARENA_MAX);
    buf_init(&record, REGISTRY_COMMAND_MAX);
    enum err e = sign(command, secret, &arena, &record, out);
    buf_fini(&record);
    arena_fini(&arena);
    return e;
}

static enum err cosign(struct bytes wire, const uint8_t secret[CRYPTO_SECRET_SIZE],
                       struct arena *arena, struct buf *out)
{
    struct registry_signed s;
    const uint8_t *key = secret + CRYPTO_SEED_SIZE;
    enum err e = registry_wire_signed_decode(wire, arena, &s);
    if (e != ERR_OK)
        return e;
    if (s.cosignature_count == REGISTRY_SIGNERS_MAX)
        return ERR_LIMIT;
    if (memcmp(s.command.author, key, CRYPTO_PUBLIC_SIZE) == 0)
        return ERR_EXISTS;
    for (size_t i = 0; i < s.cosignature_count; i++)
        if (memcmp(s.cosignatures[i].key, key, CRYPTO_PUBLIC_SIZE) == 0)
            return ERR_EXISTS;
    struct bytes message = message_of(CONTEXT_COSIGN, s.record, arena);
    if (message.size == 0)
        return ERR_LIMIT;
    struct registry_cosignature *c = &s.cosignatures[s.cosignature_count++];
    memcpy(c->key, key, CRYPTO_PUBLIC_SIZE);
    crypto_sign(secret, message, c->signature);
    return registry_wire_signed_encode(&s, arena, out);
}

enum err registry_command_cosign(struct bytes wire, const uint8_t secret[CRYPTO_SECRET_SIZE],
                                 struct buf *out)
{
    struct arena arena;
    arena_init(&arena, REGISTRY_ARENA_MAX);
    enum err e = cosign(wire, secret, &arena, out);
    arena_fini(&arena);
    return e;
}

/* --- reading --- */

enum err registry_command_decode(struct bytes wire, struct arena *arena,
                                 struct registry_signed *ret_signed)
{
    struct registry_signed s;
    TRY(registry_wire_signed_decode(wire, arena, &s));
    *ret_signed = s;
    return ERR_OK;
}

static enum err verify(const struct registry_signed *s, struct arena *arena)
{
    struct bytes message = message_of(CONTEXT, s->record, arena);
    if (message.size == 0)
        return ERR_NO_MEMORY;
    if (!crypto_verify(s->command.author, message, s->signature))
        return ERR_BAD_SIGNATURE;
    if (s->cosignature_count == 0)
        return ERR_OK;
    message = message_of(CONTEXT_COSIGN, s->record, arena);
    if (message.size == 0)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->cosignature_count; i++)
        if (!crypto_verify(s->cosignatures[i].key, message, s->cosignatures[i].signature))
            return ERR_BAD_SIGNATURE;
    return ERR_OK;
}

enum err registry_command_verify(const struct registry_signed *s)
{
    struct arena arena;
    arena_init(&arena, 3 * REGISTRY_COMMAND_MAX);
    enum err e = verify(s, &arena);
    arena_fini(&arena);
    return e;
}

/* --- proposals --- */

enum err registry_proposal_encode(uint64_t time_ms, const struct bytes *commands, size_t count,
                                  struct buf *out)
{
    struct arena arena;
    if (count > REGISTRY_COMMANDS_MAX)
        return ERR_LIMIT;
    arena_init(&arena, REGISTRY_ARENA_MAX);
    enum err e = registry_wire_proposal_encode(time_ms, commands, count, &arena, out);
    arena_fini(&arena);
    return e;
}

enum err registry_proposal_decode(struct bytes payload, struct arena *arena,
                                  struct registry_proposal *ret_proposal)
{
    return registry_wire_proposal_decode(payload, arena, ret_proposal);
}

/* --- API keys --- */

void registry_api_key_text(const uint8_t random[32], char ret_text[REGISTRY_API_KEY_SIZE])
{
    struct buf text;
    buf_init_fixed(&text, (uint8_t *)ret_text, REGISTRY_API_KEY_SIZE - 1);
    CHECK(buf_append_str(&text, "gvk_") == ERR_OK);
    CHECK(crypto_base64_append(&text, bytes_of(random, 32)) == ERR_OK);
    ret_text[text.size] = '\0';
}

void registry_api_key_hash(struct bytes text, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    crypto_hash(text, ret_hash);
}
