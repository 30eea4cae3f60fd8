/* Makes the keys, certificates, tokens and receipts that tests of trust and links start from. */
#include "tests/support/trust_fixture.h"

static void must(enum err e)
{
    CHECK(e == ERR_OK);
}

void fixture_key(uint8_t number, struct fixture_key *ret_key)
{
    must(crypto_init());
    memset(ret_key->seed, number, sizeof(ret_key->seed));
    crypto_sign_keypair_from_seed(ret_key->seed, ret_key->public_key, ret_key->secret);
}

static struct cert make_cert(const struct fixture *f, enum cert_kind kind,
                             const struct fixture_key *subject, const struct fixture_key *issuer,
                             uint64_t days)
{
    struct cert cert = {.kind = kind,
                        .mesh = id_of_public_key(f->root.public_key),
                        .not_before_ms = FIXTURE_NOW_MS - FIXTURE_DAY_MS,
                        .not_after_ms = FIXTURE_NOW_MS + days * FIXTURE_DAY_MS,
                        .uses = kind == CERT_INVITATION ? 1 : 0};
    memcpy(cert.subject, subject->public_key, CRYPTO_PUBLIC_SIZE);
    memcpy(cert.issuer, issuer->public_key, CRYPTO_PUBLIC_SIZE);
    memset(cert.serial.bytes, (int)kind, ID_SIZE);
    return cert;
}

void fixture_init(struct fixture *f, uint8_t mesh)
{
    fixture_key((uint8_t)(mesh * 16 + 1), &f->root);
    fixture_key((uint8_t)(mesh * 16 + 2), &f->admin);
    fixture_key((uint8_t)(mesh * 16 + 3), &f->invitation);
    fixture_key((uint8_t)(mesh * 16 + 4), &f->node);
    f->admin_cert = make_cert(f, CERT_ADMIN, &f->admin, &f->root, 3650);
    f->invitation_cert = make_cert(f, CERT_INVITATION, &f->invitation, &f->admin, 365);
    f->node_cert = make_cert(f, CERT_NODE, &f->node, &f->invitation, 30);
    FIXTURE_SET(f->admin_cert.name, "admin");
    f->invitation_cert.join_until_ms = FIXTURE_NOW_MS + FIXTURE_DAY_MS;
    FIXTURE_SET(f->node_cert.name, "edge-1");
    FIXTURE_SET(f->node_cert.region, "eu-west");
    f->node_cert.tier = TIER_EDGE;
}

void fixture_issue(const struct cert *cert, const struct fixture_key *issuer, struct buf *chain)
{
    must(cert_issue(cert, issuer->secret, chain));
}

void fixture_chain(const struct fixture *f, size_t count, struct buf *chain)
{
    fixture_issue(&f->admin_cert, &f->root, chain);
    if (count >= 2)
        fixture_issue(&f->invitation_cert, &f->admin, chain);
    if (count >= 3)
        fixture_issue(&f->node_cert, &f->invitation, chain);
}

void fixture_token(const struct fixture *f, struct token *ret_token)
{
    struct buf chain;
    *ret_token = (struct token){.peer_count = 2};
    buf_init_fixed(&chain, ret_token->chain, sizeof(ret_token->chain));
    fixture_chain(f, 2, &chain);
    ret_token->chain_size = chain.size;
    memcpy(ret_token->root, f->root.public_key, CRYPTO_PUBLIC_SIZE);
    memcpy(ret_token->seed, f->invitation.seed, CRYPTO_SEED_SIZE);
    FIXTURE_SET(ret_token->peers[0], "198.51.100.2:7300");
    FIXTURE_SET(ret_token->peers[1], "[2001:db8::2]:7300");
}

void fixture_identity(const struct fixture *f, uint8_t number, const char *name, enum tier tier,
                      const char *region, struct identity *ret_identity)
{
    uint8_t space[CERT_CHAIN_SIZE_MAX];
    struct fixture_key key;
    struct fixture mesh = *f;
    struct buf chain;
    fixture_key(number, &key);
    memcpy(mesh.node_cert.subject, key.public_key, CRYPTO_PUBLIC_SIZE);
    bytes_to_str(bytes_from_str(name), mesh.node_cert.name, sizeof(mesh.node_cert.name));
    bytes_to_str(bytes_from_str(region), mesh.node_cert.region, sizeof(mesh.node_cert.region));
    mesh.node_cert.tier = tier;
    buf_init_fixed(&chain, space, sizeof(space));
    fixture_chain(&mesh, 3, &chain);
    must(identity_init(ret_identity, key.seed, f->root.public_key, buf_bytes(&chain),
                       FIXTURE_NOW_MS));
}

/* --- receipts --- */

void fixture_receipt_sign(struct fixture_receipts *chain, size_t index)
{
    struct receipt_entry *entry = &chain->entries[index];
    const struct identity *node = &chain->nodes[index];
    struct buf record;
    struct batch batch;
    uint8_t leaf[CRYPTO_HASH_SIZE];
    uint32_t leaf_index;
    buf_init_fixed(&record, chain->records[index], RECEIPT_RECORD_MAX);
    must(receipt_encode(&chain->receipts[index], &record));
    entry->record = buf_bytes(&record);
    entry->certificates = bytes_of(node->chain, node->chain_size);
    memcpy(entry->signer, node->public_key, CRYPTO_PUBLIC_SIZE);
    batch_init(&batch, BATCH_RECEIPT);
    batch_leaf(entry->record, leaf);
    must(batch_add(&batch, leaf, &leaf_index));
    batch_sign(&batch, node->secret);
    batch_prove(&batch, leaf_index, &entry->proof);
}

void fixture_receipts_sign(struct fixture_receipts *chain)
{
    for (size_t i = chain->count; i-- > 0;) {
        uint8_t *previous = chain->receipts[i].previous;
        memset(previous, 0, CRYPTO_HASH_SIZE);
        if (i + 1 < chain->count)
            batch_leaf(chain->entries[i + 1].record, previous);
        fixture_receipt_sign(chain, i);
    }
}

static struct receipt make_receipt(const struct identity *node, size_t index, bool is_last)
{
    struct receipt r = {.mesh = node->mesh,
                        .node = node->node,
                        .role = is_last ? RECEIPT_EXECUTOR : RECEIPT_FORWARDER,
                        .hop = (uint32_t)index,
                        .epoch = 7,
                        .model = BYTES("qwen2.5-0.5b"),
                        .backend = is_last ? BYTES("llama") : (struct bytes){0},
                        .reason = BYTES("least_loaded"),
                        .attempts = 1,
                        .status = 200,
                        .facts_age_ms = 250 * index,
                        .started_ms = FIXTURE_NOW_MS + index,
                        .first_byte_ms = 20,
                        .duration_ms = 400 - index,
                        .request_bytes = 1024,
                        .answer_bytes = 2048};
    FIXTURE_SET(r.request_id, "req-0123456789abcdef");
    FIXTURE_SET(r.name, node->cert.name);
    FIXTURE_SET(r.region, node->cert.region);
    memset(r.request_hash, 0xaa, CRYPTO_HASH_SIZE);
    memset(r.answer_hash, 0xbb, CRYPTO_HASH_SIZE);
    return r;
}

void fixture_receipts(const struct fixture *f, size_t count, struct fixture_receipts *ret_chain)
{
    static const char *const NAMES[] = {"node-0", "node-1", "node-2", "node-3"};
    CHECK(count >= 1 && count <= RECEIPT_HOPS_MAX);
    *ret_chain = (struct fixture_receipts){.count = count};
    for (size_t i = 0; i < count; i++) {
        fixture_identity(f, (uint8_t)(100 + i), NAMES[i], TIER_REGIONAL, "eu-west",
                         &ret_chain->nodes[i]);
        ret_chain->receipts[i] = make_receipt(&ret_chain->nodes[i], i, i + 1 == count);
    }
    fixture_receipts_sign(ret_chain);
}
