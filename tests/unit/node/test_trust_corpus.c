/* The samples in tests/fuzz/corpus/{cert,token,envelope,receipt,keyring} are what today's encoders
 * make: a change of a signed or stored format shows up here. `--write` writes them anew (on purpose
 * only). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/trust/receipt_json.h"
#include "node/trust/wire.h"
#include "tests/support/trust_fixture.h"

#define SAMPLE_MAX (64 * 1024)

typedef void make_sample(struct buf *out);

static void must(enum err e)
{
    CHECK(e == ERR_OK);
}

static struct fixture the_mesh(void)
{
    struct fixture f;
    fixture_init(&f, 1);
    return f;
}

static void make_cert_admin(struct buf *out)
{
    struct fixture f = the_mesh();
    fixture_chain(&f, 1, out);
}

static void make_cert_node(struct buf *out)
{
    struct fixture f = the_mesh();
    fixture_chain(&f, 3, out);
}

static void make_cert_record(struct buf *out)
{
    struct fixture f = the_mesh();
    must(trust_wire_cert_encode(&f.invitation_cert, out));
}

static void make_token_text(struct buf *out)
{
    struct fixture f = the_mesh();
    struct token token;
    fixture_token(&f, &token);
    must(token_encode(&token, out));
}

static void make_token_inside(struct buf *out)
{
    struct fixture f = the_mesh();
    struct token token;
    fixture_token(&f, &token);
    must(trust_wire_token_encode(&token, out));
}

static void make_envelope_record(struct buf *out)
{
    struct fixture f = the_mesh();
    struct envelope e = {.request_id = "req-1",
                         .boot_ms = FIXTURE_NOW_MS - 5000,
                         .sequence = 300,
                         .issued_ms = FIXTURE_NOW_MS,
                         .deadline_ms = 30000,
                         .hop = 2,
                         .epoch = 7,
                         .path = {"edge-1", "regional-2"},
                         .target = BYTES("/v1/chat/completions"),
                         .model = BYTES("qwen2.5-0.5b"),
                         .tenant = BYTES("acme")};
    e.mesh = f.node_cert.mesh;
    e.origin = id_of_public_key(f.node.public_key);
    e.sender = id_of_public_key(f.admin.public_key);
    e.receiver = id_of_public_key(f.invitation.public_key);
    memset(e.body_hash, 0xcd, CRYPTO_HASH_SIZE);
    must(envelope_encode(&e, out));
}

static void make_envelope_sealed(struct buf *out)
{
    struct fixture f = the_mesh();
    struct batch batch;
    struct batch_proof proof;
    struct buf record;
    uint8_t leaf[CRYPTO_HASH_SIZE] = {0};
    uint32_t index;
    buf_init(&record, ENVELOPE_RECORD_MAX);
    make_envelope_record(&record);
    batch_init(&batch, BATCH_ENVELOPE);
    for (int i = 0; i < 5; i++)
        must(batch_add(&batch, leaf, &index));
    batch_leaf(buf_bytes(&record), leaf);
    must(batch_add(&batch, leaf, &index));
    batch_sign(&batch, f.node.secret);
    batch_prove(&batch, index, &proof);
    must(envelope_seal(buf_bytes(&record), &proof, out));
    buf_fini(&record);
}

static void make_receipt_record(struct buf *out)
{
    struct fixture f = the_mesh();
    struct fixture_receipts chain;
    fixture_receipts(&f, 1, &chain);
    must(buf_append(out, chain.entries[0].record));
}

static void make_receipt_chain(struct buf *out)
{
    struct fixture f = the_mesh();
    struct fixture_receipts chain;
    fixture_receipts(&f, 3, &chain);
    must(receipt_chain_encode(chain.entries, 3, out));
}

static void make_receipt_json(struct buf *out)
{
    struct fixture f = the_mesh();
    struct fixture_receipts chain;
    fixture_receipts(&f, 2, &chain);
    must(receipt_json_append(chain.entries, 2, f.root.public_key, &chain.nodes[0].mesh, out));
}

static struct keyring the_ring(const struct fixture *f)
{
    struct keyring ring = {.mesh = id_of_public_key(f->root.public_key),
                           .version = 300,
                           .key_count = 2,
                           .made_ms = FIXTURE_NOW_MS};
    memset(ring.keys[0], 0xab, KEYRING_KEY_SIZE);
    memset(ring.keys[1], 0xcd, KEYRING_KEY_SIZE);
    return ring;
}

static void make_keyring_record(struct buf *out)
{
    struct fixture f = the_mesh();
    struct keyring ring = the_ring(&f);
    must(trust_wire_keyring_encode(&ring, out));
}

static void make_keyring_signed(struct buf *out)
{
    static const char context[] = "grapevine key ring 1";
    struct fixture f = the_mesh();
    uint8_t record_space[sizeof(context) + KEYRING_RECORD_MAX];
    uint8_t chain_space[CERT_CHAIN_SIZE_MAX];
    struct buf message, chain;
    buf_init_fixed(&message, record_space, sizeof(record_space));
    buf_init_fixed(&chain, chain_space, sizeof(chain_space));
    must(buf_append(&message, bytes_of(context, sizeof(context))));
    make_keyring_record(&message);
    fixture_chain(&f, 1, &chain);
    struct trust_wire_signed s = {.record = bytes_skip(buf_bytes(&message), sizeof(context)),
                                  .certificates = buf_bytes(&chain)};
    struct keyring ring;
    crypto_sign(f.admin.secret, buf_bytes(&message), s.signature);
    must(trust_wire_signed_encode(&s, out));
    must(keyring_verify(buf_bytes(out), f.root.public_key, FIXTURE_NOW_MS, &ring));
}

static const struct {
    const char *file;
    make_sample *make;
} SAMPLES[] = {
    {"cert/admin_chain", make_cert_admin},     {"cert/node_chain", make_cert_node},
    {"cert/record", make_cert_record},         {"token/text", make_token_text},
    {"token/inside", make_token_inside},       {"envelope/record", make_envelope_record},
    {"envelope/sealed", make_envelope_sealed}, {"receipt/record", make_receipt_record},
    {"receipt/chain", make_receipt_chain},     {"receipt/json", make_receipt_json},
    {"keyring/record", make_keyring_record},   {"keyring/signed", make_keyring_signed},
};
#define SAMPLE_COUNT (sizeof(SAMPLES) / sizeof(SAMPLES[0]))

static FILE *open_sample(size_t index, const char *mode)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", GV_SOURCE_DIR, SAMPLES[index].file);
    FILE *file = fopen(path, mode);
    if (!file)
        fprintf(stderr, "%s: cannot be opened\n", path);
    CHECK(file);
    return file;
}

static void encoders_still_make_the_samples_in_the_tree(void **state)
{
    static uint8_t stored[SAMPLE_MAX];
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        struct buf made;
        buf_init(&made, SAMPLE_MAX);
        SAMPLES[i].make(&made);
        FILE *file = open_sample(i, "rb");
        size_t size = fread(stored, 1, sizeof(stored), file);
        fclose(file);
        assert_int_equal(size, made.size);
        assert_memory_equal(stored, made.data, size);
        buf_fini(&made);
    }
}

static void write_samples(void)
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        struct buf made;
        buf_init(&made, SAMPLE_MAX);
        SAMPLES[i].make(&made);
        FILE *file = open_sample(i, "wb");
        CHECK(fwrite(made.data, 1, made.size, file) == made.size);
        CHECK(fclose(file) == 0);
        buf_fini(&made);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_still_make_the_samples_in_the_tree),
    };
    must(crypto_init());
    if (argc == 2 && strcmp(argv[1], "--write") == 0) {
        write_samples();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
