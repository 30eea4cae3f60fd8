/* Entries from hostile bytes, applied to a registry that holds a little of most kinds: raw
 * proposals (first byte 0), or records (Command) that somebody in truth signs, so that what follows
 * the signature is reached: first byte 1 the root, 2 an operator, 3 a registrar, 4 an invitation,
 * others a stranger. Whatever it is, the hash stays that of the rows, and a refused command changes
 * none of them. */
#include "registry/impl.h"
#include "tests/support/registry_scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

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
    scratch_fill(&scratch);
    CHECK(atexit(end) == 0);
    return 0;
}

/* SignedCommand {1: record, 2: signature} in a Proposal {1: time, 2: command}, by hand: a record
 * may be anything. */
static void append_field(struct buf *out, unsigned number, struct bytes data)
{
    CHECK(buf_append_byte(out, (uint8_t)(number << 3 | 2)) == ERR_OK);
    for (size_t rest = data.size;; rest >>= 7) {
        CHECK(buf_append_byte(out, (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0))) == ERR_OK);
        if (rest < 128)
            break;
    }
    CHECK(buf_append(out, data) == ERR_OK);
}

static void sign(const struct person *p, struct bytes record, struct buf *proposal)
{
    static const char context[] = "grapevine command 1";
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    struct buf message, wire;
    buf_init(&message, 1 << 20);
    buf_init(&wire, 1 << 20);
    CHECK(buf_append(&message, bytes_of(context, sizeof(context))) == ERR_OK);
    CHECK(buf_append(&message, record) == ERR_OK);
    crypto_sign(p->secret, buf_bytes(&message), signature);
    append_field(&wire, 1, record);
    append_field(&wire, 2, bytes_of(signature, sizeof(signature)));
    append_field(proposal, 2, buf_bytes(&wire));
    buf_fini(&message);
    buf_fini(&wire);
}

static void check_state(const struct registry_head *before, const struct registry_applied *applied)
{
    struct registry_head after;
    uint8_t hash[CRYPTO_HASH_SIZE];
    registry_head(scratch.r, &after);
    CHECK(registry_rehash(&scratch.r->writer, hash) == ERR_OK);
    CHECK(memcmp(hash, after.hash, sizeof(hash)) == 0);
    if (applied->changed == 0) {
        CHECK(after.epoch == before->epoch);
        CHECK(memcmp(after.rows, before->rows, sizeof(after.rows)) == 0);
    }
    for (size_t i = 0; i < applied->count; i++)
        CHECK(applied->results[i].err == ERR_OK || applied->results[i].fault.what[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registry_applied applied;
    struct registry_head before;
    struct buf proposal;
    if (size == 0 || size > 1 << 16)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    buf_init(&proposal, REGISTRY_PROPOSAL_MAX);
    if (data[0] == 0)
        CHECK(buf_append(&proposal, rest) == ERR_OK);
    else
        sign(&scratch.people[data[0] <= 4 ? data[0] - 1 : 7], rest, &proposal);
    CHECK(registry_begin(scratch.r) == ERR_OK);
    registry_head(scratch.r, &before);
    if (scratch_apply(&scratch, buf_bytes(&proposal), &applied) == ERR_OK)
        check_state(&before, &applied);
    registry_abort(scratch.r);
    buf_fini(&proposal);
    return 0;
}
