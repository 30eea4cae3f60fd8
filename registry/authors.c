/* What is remembered of each author: the last sequence number, and the last results with the hashes
 * of their commands, so that a repeated command gets the first one's answer and a replayed or
 * different one is refused. One row per author, kept for good; part of the state's hash. Called by
 * apply.c.
 *
 *   version 1 | last sequence 8 | count 1 | {sequence 8, hash 16, index 8, epoch 8, changed 4,
 *   reason 1} … oldest first | hash 32 */
#include "registry/turn.h"

#include <stdio.h>

#define VERSION 1
#define HASH_SIZE 16
#define HEAD_SIZE 10
#define RESULT_SIZE 45
#define ROW_MAX (HEAD_SIZE + REGISTRY_REPEATS_MAX * RESULT_SIZE + REGISTRY_ROW_HASH_SIZE)

/* Why commands are refused once they are genuine, numbered for good: what is stored must not
 * change when the table of errors grows. */
static const enum err reasons[] = {
    ERR_OK,      ERR_INVALID,  ERR_NOT_FOUND, ERR_EXISTS,  ERR_LIMIT,      ERR_NOT_ALLOWED,
    ERR_REVOKED, ERR_CONFLICT, ERR_IN_USE,    ERR_EXPIRED, ERR_CERT_SCOPE,
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static uint8_t number_of(enum err e)
{
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i] == e)
            return (uint8_t)i;
    CHECK(!"a reason that has no number");
    return 0;
}

static void key_of(const struct id *author, struct registry_key_bytes *ret_key)
{
    CHECK(registry_row_key(REGISTRY_AUTHOR_KIND, bytes_of(author->bytes, ID_SIZE),
                           (struct bytes){0}, 1, ret_key) == ERR_OK);
}

static bool is_row(struct bytes row)
{
    return row.size >= HEAD_SIZE && row.data[0] == VERSION && row.data[9] <= REGISTRY_REPEATS_MAX &&
           row.size == HEAD_SIZE + row.data[9] * (size_t)RESULT_SIZE + REGISTRY_ROW_HASH_SIZE;
}

enum err registry_authors_check_row(struct bytes key, struct bytes row)
{
    return key.size == 1 + ID_SIZE && is_row(row) ? ERR_OK : ERR_CORRUPT;
}

/* The row, whose form is right; size 0: none yet. */
static enum err read_row(const struct registry_reader *reader, const struct id *author,
                         struct bytes *ret_row)
{
    struct registry_key_bytes key;
    struct bytes row;
    key_of(author, &key);
    enum err e = registry_rows_get(reader, registry_key_view(&key), &row);
    if (e == ERR_NOT_FOUND) {
        *ret_row = (struct bytes){0};
        return ERR_OK;
    }
    if (e != ERR_OK)
        return e;
    if (!is_row(row))
        return ERR_CORRUPT;
    *ret_row = row;
    return ERR_OK;
}

enum err registry_sequence(const struct registry_reader *reader, const struct id *author,
                           uint64_t *ret_last)
{
    struct bytes row;
    TRY(read_row(reader, author, &row));
    *ret_last = row.size ? bytes_big_endian(row.data + 1, 8) : 0;
    return ERR_OK;
}

/* --- repeats --- */

static void hash_record(const struct registry_turn *t, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    crypto_hash(t->s->record, ret_hash);
}

static enum err answer_again(struct registry_turn *t, const uint8_t *stored)
{
    struct registry_result *result = t->result;
    if (stored[44] >= REASONS)
        return ERR_CORRUPT;
    result->index = bytes_big_endian(stored + 24, 8);
    result->epoch = bytes_big_endian(stored + 32, 8);
    result->changed = (uint32_t)bytes_big_endian(stored + 40, 4);
    result->is_repeat = true;
    result->err = reasons[stored[44]];
    if (result->err == ERR_OK)
        return ERR_OK;
    return registry_refuse(t, result->err, NULL, "this very command was refused at index %llu",
                           (unsigned long long)result->index);
}

static enum err find_again(struct registry_turn *t, struct bytes row, bool *ret_is_repeat)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    hash_record(t, hash);
    for (size_t i = 0; i < row.data[9]; i++) {
        const uint8_t *stored = row.data + HEAD_SIZE + i * RESULT_SIZE;
        if (bytes_big_endian(stored, 8) != t->s->command.sequence)
            continue;
        if (memcmp(stored + 8, hash, HASH_SIZE) != 0)
            break;
        *ret_is_repeat = true;
        return answer_again(t, stored);
    }
    return registry_refuse(t, ERR_REPLAYED, NULL,
                           "sequence %llu was used before, the last is %llu: sign it anew",
                           (unsigned long long)t->s->command.sequence,
                           (unsigned long long)bytes_big_endian(row.data + 1, 8));
}

enum err registry_authors_check(struct registry_turn *t, bool *ret_is_repeat)
{
    struct bytes row;
    uint64_t sequence = t->s->command.sequence;
    *ret_is_repeat = false;
    if (t->is_invited && sequence != 0)
        return registry_refuse(t, ERR_INVALID, NULL, "an invitation's command has no sequence");
    if (t->is_invited)
        return registry_nodes_check_repeat(t, ret_is_repeat);
    if (sequence == 0 || sequence > REGISTRY_NUMBER_MAX)
        return registry_refuse(t, ERR_INVALID, NULL, "sequence: give the last one plus 1");
    TRY(read_row(registry_turn_reader(t), &t->author, &row));
    if (row.size == 0 || sequence > bytes_big_endian(row.data + 1, 8))
        return ERR_OK;
    return find_again(t, row, ret_is_repeat);
}

/* --- noting a result --- */

static enum err append_result(const struct registry_turn *t, struct buf *out)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    const struct registry_result *result = t->result;
    hash_record(t, hash);
    TRY(buf_append_u64(out, t->s->command.sequence));
    TRY(buf_append(out, bytes_of(hash, HASH_SIZE)));
    TRY(buf_append_u64(out, result->index));
    TRY(buf_append_u64(out, result->epoch));
    TRY(buf_append_u32(out, result->changed));
    return buf_append_byte(out, number_of(result->err));
}

enum err registry_authors_note(struct registry_turn *t)
{
    uint8_t space[ROW_MAX];
    struct registry_key_bytes key;
    struct buf next;
    struct bytes row;
    buf_init_fixed(&next, space, sizeof(space));
    key_of(&t->author, &key);
    TRY(read_row(registry_turn_reader(t), &t->author, &row));
    size_t count = row.size ? row.data[9] : 0;
    size_t kept = count < REGISTRY_REPEATS_MAX ? count : REGISTRY_REPEATS_MAX - 1;
    TRY(buf_append_byte(&next, VERSION));
    TRY(buf_append_u64(&next, t->s->command.sequence));
    TRY(buf_append_byte(&next, (uint8_t)(kept + 1)));
    if (kept > 0)
        TRY(buf_append(&next, bytes_of(row.data + HEAD_SIZE + (count - kept) * RESULT_SIZE,
                                       kept * RESULT_SIZE)));
    TRY(append_result(t, &next));
    return registry_rows_put_raw(t->r, registry_key_view(&key), &next);
}
