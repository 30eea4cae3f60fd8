/* Encodes and decodes trust's records (wire.proto), in canonical protobuf (codec.h). All of them
 * are here, hence longer than others. Called by cert.c, token.c, envelope.c, receipt.c and
 * keyring.c. */
#include "node/trust/wire.h"

#include "node/trust/codec.h"
#include "node/trust/wire.pb-c.h"

/* --- certificates --- */

enum err trust_wire_cert_encode(const struct cert *cert, struct buf *record)
{
    Trust__Certificate m = TRUST__CERTIFICATE__INIT;
    m.kind = cert->kind;
    m.mesh = codec_id(&cert->mesh);
    m.subject = codec_binary(cert->subject, CRYPTO_PUBLIC_SIZE);
    m.issuer = codec_binary(cert->issuer, CRYPTO_PUBLIC_SIZE);
    m.name = codec_text(cert->name);
    m.tier = cert->tier;
    m.region = codec_text(cert->region);
    m.not_before_ms = cert->not_before_ms;
    m.not_after_ms = cert->not_after_ms;
    m.uses = cert->uses;
    m.serial = codec_id(&cert->serial);
    m.join_until_ms = cert->join_until_ms;
    return codec_encode(&m, CERT_RECORD_MAX, record);
}

static bool cert_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Trust__Certificate *m = message;
    struct cert *cert = ret_value;
    (void)d;
    if (m->kind > CERT_NODE || m->tier > TIER_CLOUD)
        return false;
    *cert = (struct cert){.kind = (enum cert_kind)m->kind,
                          .tier = (enum tier)m->tier,
                          .not_before_ms = m->not_before_ms,
                          .not_after_ms = m->not_after_ms,
                          .join_until_ms = m->join_until_ms,
                          .uses = m->uses};
    return codec_copy_id(m->mesh, &cert->mesh) && codec_copy_id(m->serial, &cert->serial) &&
           codec_copy(m->subject, cert->subject, CRYPTO_PUBLIC_SIZE) &&
           codec_copy(m->issuer, cert->issuer, CRYPTO_PUBLIC_SIZE) &&
           codec_copy_text(m->name, cert->name, sizeof(cert->name)) &&
           codec_copy_text(m->region, cert->region, sizeof(cert->region));
}

enum err trust_wire_cert_decode(struct bytes record, struct cert *ret_cert)
{
    struct cert cert;
    TRY(codec_decode(record, &trust__certificate__descriptor, CERT_RECORD_MAX, cert_from_message,
                     &cert));
    *ret_cert = cert;
    return ERR_OK;
}

enum err trust_wire_chain_append(const struct trust_wire_link *link, struct buf *chain)
{
    uint8_t space[CERT_RECORD_MAX + CRYPTO_SIGNATURE_SIZE + 16];
    struct buf element;
    buf_init_fixed(&element, space, sizeof(space));
    Trust__SignedCertificate m = TRUST__SIGNED_CERTIFICATE__INIT;
    m.record = codec_bytes(link->record);
    m.signature = codec_binary(link->signature, CRYPTO_SIGNATURE_SIZE);
    TRY(codec_encode(&m, sizeof(space), &element));

    if (chain->size > CERT_CHAIN_SIZE_MAX)
        return ERR_LIMIT;
    Trust__CertificateChain more = TRUST__CERTIFICATE_CHAIN__INIT;
    ProtobufCBinaryData one = codec_bytes(buf_bytes(&element));
    more.n_certificates = 1;
    more.certificates = &one;
    return codec_encode(&more, CERT_CHAIN_SIZE_MAX - chain->size, chain);
}

static bool link_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Trust__SignedCertificate *m = message;
    struct trust_wire_link *link = ret_value;
    link->record = codec_borrow(d, m->record);
    return codec_copy(m->signature, link->signature, CRYPTO_SIGNATURE_SIZE);
}

enum err trust_wire_chain_decode(struct bytes chain, struct trust_wire_link *ret_links,
                                 size_t *ret_count)
{
    struct codec d;
    const Trust__CertificateChain *m =
        codec_begin(&d, &trust__certificate_chain__descriptor, chain, CERT_CHAIN_SIZE_MAX);
    if (!m)
        return ERR_INVALID;
    size_t count = m->n_certificates;
    enum err e = count >= 1 && count <= CERT_CHAIN_MAX ? ERR_OK : ERR_INVALID;
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = codec_decode(codec_borrow(&d, m->certificates[i]),
                         &trust__signed_certificate__descriptor, CERT_CHAIN_SIZE_MAX,
                         link_from_message, &ret_links[i]);
    codec_end(&d);
    if (e == ERR_OK)
        *ret_count = count;
    return e;
}

/* --- tokens --- */

enum err trust_wire_token_encode(const struct token *token, struct buf *out)
{
    if (token->peer_count > TOKEN_PEERS_MAX)
        return ERR_LIMIT;
    char *peers[TOKEN_PEERS_MAX];
    for (size_t i = 0; i < token->peer_count; i++)
        peers[i] = codec_text(token->peers[i]);
    Trust__Token m = TRUST__TOKEN__INIT;
    m.root = codec_binary(token->root, CRYPTO_PUBLIC_SIZE);
    m.seed = codec_binary(token->seed, CRYPTO_SEED_SIZE);
    m.chain = codec_binary(token->chain, token->chain_size);
    m.n_peers = token->peer_count;
    m.peers = peers;
    return codec_encode(&m, TOKEN_TEXT_MAX, out);
}

static bool token_from_message(const Trust__Token *m, struct token *ret_token)
{
    if (m->chain.len > CERT_CHAIN_SIZE_MAX || m->n_peers > TOKEN_PEERS_MAX)
        return false;
    for (size_t i = 0; i < m->n_peers; i++)
        if (!codec_copy_text(m->peers[i], ret_token->peers[i], sizeof(ret_token->peers[i])))
            return false;
    ret_token->peer_count = m->n_peers;
    ret_token->chain_size = m->chain.len;
    return codec_copy(m->chain, ret_token->chain, m->chain.len) &&
           codec_copy(m->root, ret_token->root, CRYPTO_PUBLIC_SIZE) &&
           codec_copy(m->seed, ret_token->seed, CRYPTO_SEED_SIZE);
}

enum err trust_wire_token_decode(struct bytes wire, struct token *ret_token)
{
    struct codec d;
    struct token token = {0};
    const Trust__Token *m = codec_begin(&d, &trust__token__descriptor, wire, TOKEN_TEXT_MAX);
    bool is_valid = m && token_from_message(m, &token);
    if (m)
        codec_end(&d);
    if (is_valid)
        *ret_token = token;
    crypto_wipe(d.space, sizeof(d.space));
    crypto_wipe(&token, sizeof(token));
    return is_valid ? ERR_OK : ERR_INVALID;
}

/* --- envelopes --- */

enum err trust_wire_envelope_encode(const struct envelope *e, struct buf *record)
{
    char *path[ENVELOPE_HOPS_MAX];
    uint32_t path_count = envelope_path_count(e);
    for (uint32_t i = 0; i < path_count; i++)
        path[i] = codec_text(e->path[i]);
    Trust__Envelope m = TRUST__ENVELOPE__INIT;
    m.request_id = codec_text(e->request_id);
    m.mesh = codec_id(&e->mesh);
    m.origin = codec_id(&e->origin);
    m.sender = codec_id(&e->sender);
    m.receiver = codec_id(&e->receiver);
    m.boot_ms = e->boot_ms;
    m.sequence = e->sequence;
    m.issued_ms = e->issued_ms;
    m.deadline_ms = e->deadline_ms;
    m.hop = e->hop;
    m.epoch = e->epoch;
    m.n_path = path_count;
    m.path = path;
    m.target = codec_bytes(e->target);
    m.model = codec_bytes(e->model);
    m.version = codec_bytes(e->version);
    m.asked_model = codec_bytes(e->asked_model);
    m.region = codec_text(e->region);
    m.cost_left = e->cost_left;
    m.tenant = codec_bytes(e->tenant);
    m.body_hash = codec_binary(e->body_hash, CRYPTO_HASH_SIZE);
    return codec_encode(&m, ENVELOPE_RECORD_MAX, record);
}

static bool envelope_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Trust__Envelope *m = message;
    struct envelope *e = ret_value;
    *e = (struct envelope){.boot_ms = m->boot_ms,
                           .sequence = m->sequence,
                           .issued_ms = m->issued_ms,
                           .deadline_ms = m->deadline_ms,
                           .hop = m->hop,
                           .epoch = m->epoch,
                           .target = codec_borrow(d, m->target),
                           .model = codec_borrow(d, m->model),
                           .version = codec_borrow(d, m->version),
                           .asked_model = codec_borrow(d, m->asked_model),
                           .cost_left = m->cost_left,
                           .tenant = codec_borrow(d, m->tenant)};
    if (m->n_path != envelope_path_count(e))
        return false;
    for (uint32_t i = 0; i < m->n_path; i++)
        if (!codec_copy_text(m->path[i], e->path[i], sizeof(e->path[i])))
            return false;
    return codec_copy_text(m->request_id, e->request_id, sizeof(e->request_id)) &&
           codec_copy_text(m->region, e->region, sizeof(e->region)) &&
           codec_copy_id(m->mesh, &e->mesh) && codec_copy_id(m->origin, &e->origin) &&
           codec_copy_id(m->sender, &e->sender) && codec_copy_id(m->receiver, &e->receiver) &&
           codec_copy(m->body_hash, e->body_hash, CRYPTO_HASH_SIZE);
}

enum err trust_wire_envelope_decode(struct bytes record, struct envelope *ret_envelope)
{
    struct envelope e;
    TRY(codec_decode(record, &trust__envelope__descriptor, ENVELOPE_RECORD_MAX,
                     envelope_from_message, &e));
    *ret_envelope = e;
    return ERR_OK;
}

/* --- records with their proofs --- */

static void sealed_from(Trust__SealedRecord *ret_message, struct bytes record,
                        const struct batch_proof *proof)
{
    ret_message->record = codec_bytes(record);
    ret_message->index = proof->index;
    ret_message->count = proof->count;
    ret_message->path = codec_binary(proof->path, proof->path_count * sizeof(proof->path[0]));
    ret_message->signature = codec_binary(proof->signature, CRYPTO_SIGNATURE_SIZE);
}

static bool proof_from_message(const Trust__SealedRecord *m, struct batch_proof *ret_proof)
{
    if (m->path.len > sizeof(ret_proof->path) || m->path.len % sizeof(ret_proof->path[0]) != 0)
        return false;
    *ret_proof = (struct batch_proof){.index = m->index, .count = m->count};
    ret_proof->path_count = (uint32_t)(m->path.len / sizeof(ret_proof->path[0]));
    if (m->path.len)
        memcpy(ret_proof->path, m->path.data, m->path.len);
    return codec_copy(m->signature, ret_proof->signature, CRYPTO_SIGNATURE_SIZE);
}

enum err trust_wire_sealed_encode(struct bytes record, const struct batch_proof *proof,
                                  struct buf *wire)
{
    CHECK(proof->path_count <= BATCH_PATH_MAX);
    Trust__SealedRecord m = TRUST__SEALED_RECORD__INIT;
    sealed_from(&m, record, proof);
    return codec_encode(&m, ENVELOPE_WIRE_MAX, wire);
}

enum err trust_wire_sealed_decode(struct bytes wire, struct bytes *ret_record,
                                  struct batch_proof *ret_proof)
{
    struct codec d;
    struct batch_proof proof;
    const Trust__SealedRecord *m =
        codec_begin(&d, &trust__sealed_record__descriptor, wire, ENVELOPE_WIRE_MAX);
    if (!m)
        return ERR_INVALID;
    bool is_valid = m->signer.len == 0 && m->certificates.len == 0 && proof_from_message(m, &proof);
    struct bytes record = codec_borrow(&d, m->record);
    codec_end(&d);
    if (!is_valid)
        return ERR_INVALID;
    *ret_record = record;
    *ret_proof = proof;
    return ERR_OK;
}

/* --- receipts --- */

enum err trust_wire_receipt_encode(const struct receipt *r, struct buf *record)
{
    Trust__Receipt m = TRUST__RECEIPT__INIT;
    m.request_id = codec_text(r->request_id);
    m.mesh = codec_id(&r->mesh);
    m.node = codec_id(&r->node);
    m.role = r->role;
    m.name = codec_text(r->name);
    m.region = codec_text(r->region);
    m.hop = r->hop;
    m.epoch = r->epoch;
    m.model = codec_bytes(r->model);
    m.backend = codec_bytes(r->backend);
    m.reason = codec_bytes(r->reason);
    m.attempts = r->attempts;
    m.status = r->status;
    m.facts_age_ms = r->facts_age_ms;
    m.started_ms = r->started_ms;
    m.first_byte_ms = r->first_byte_ms;
    m.duration_ms = r->duration_ms;
    m.request_bytes = r->request_bytes;
    m.answer_bytes = r->answer_bytes;
    m.request_hash = codec_binary(r->request_hash, CRYPTO_HASH_SIZE);
    m.answer_hash = codec_binary(r->answer_hash, CRYPTO_HASH_SIZE);
    m.previous = codec_binary(r->previous, CRYPTO_HASH_SIZE);
    return codec_encode(&m, RECEIPT_RECORD_MAX, record);
}

static bool receipt_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Trust__Receipt *m = message;
    struct receipt *r = ret_value;
    if (m->role > RECEIPT_REFUSER)
        return false;
    *r = (struct receipt){.role = (enum receipt_role)m->role,
                          .hop = m->hop,
                          .epoch = m->epoch,
                          .model = codec_borrow(d, m->model),
                          .backend = codec_borrow(d, m->backend),
                          .reason = codec_borrow(d, m->reason),
                          .attempts = m->attempts,
                          .status = m->status,
                          .facts_age_ms = m->facts_age_ms,
                          .started_ms = m->started_ms,
                          .first_byte_ms = m->first_byte_ms,
                          .duration_ms = m->duration_ms,
                          .request_bytes = m->request_bytes,
                          .answer_bytes = m->answer_bytes};
    return codec_copy_text(m->request_id, r->request_id, sizeof(r->request_id)) &&
           codec_copy_id(m->mesh, &r->mesh) && codec_copy_id(m->node, &r->node) &&
           codec_copy_text(m->name, r->name, sizeof(r->name)) &&
           codec_copy_text(m->region, r->region, sizeof(r->region)) &&
           codec_copy(m->request_hash, r->request_hash, CRYPTO_HASH_SIZE) &&
           codec_copy(m->answer_hash, r->answer_hash, CRYPTO_HASH_SIZE) &&
           codec_copy(m->previous, r->previous, CRYPTO_HASH_SIZE);
}

enum err trust_wire_receipt_decode(struct bytes record, struct receipt *ret_receipt)
{
    struct receipt r;
    TRY(codec_decode(record, &trust__receipt__descriptor, RECEIPT_RECORD_MAX, receipt_from_message,
                     &r));
    *ret_receipt = r;
    return ERR_OK;
}

static enum err entry_encode(const struct receipt_entry *entry, struct buf *out)
{
    CHECK(entry->proof.path_count <= BATCH_PATH_MAX);
    Trust__SealedRecord m = TRUST__SEALED_RECORD__INIT;
    sealed_from(&m, entry->record, &entry->proof);
    m.signer = codec_binary(entry->signer, CRYPTO_PUBLIC_SIZE);
    m.certificates = codec_bytes(entry->certificates);
    return codec_encode(&m, RECEIPT_CHAIN_WIRE_MAX, out);
}

enum err trust_wire_receipts_encode(const struct receipt_entry *entries, size_t count,
                                    struct buf *wire)
{
    size_t size_before = wire->size;
    uint8_t space[RECEIPT_CHAIN_WIRE_MAX / RECEIPT_HOPS_MAX];
    struct buf element;
    buf_init_fixed(&element, space, sizeof(space));
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        buf_clear(&element);
        e = entry_encode(&entries[i], &element);
        ProtobufCBinaryData one = codec_bytes(buf_bytes(&element));
        Trust__ReceiptChain more = TRUST__RECEIPT_CHAIN__INIT;
        more.n_receipts = 1;
        more.receipts = &one;
        if (e == ERR_OK)
            e = codec_encode(&more, RECEIPT_CHAIN_WIRE_MAX - (wire->size - size_before), wire);
    }
    if (e != ERR_OK)
        wire->size = size_before;
    return e;
}

static bool entry_from_message(const struct codec *d, const void *message, void *ret_value)
{
    const Trust__SealedRecord *m = message;
    struct receipt_entry *entry = ret_value;
    entry->record = codec_borrow(d, m->record);
    entry->certificates = codec_borrow(d, m->certificates);
    return proof_from_message(m, &entry->proof) &&
           codec_copy(m->signer, entry->signer, CRYPTO_PUBLIC_SIZE);
}

enum err trust_wire_receipts_decode(struct bytes wire, struct receipt_entry *ret_entries,
                                    size_t *ret_count)
{
    struct codec d;
    const Trust__ReceiptChain *m =
        codec_begin(&d, &trust__receipt_chain__descriptor, wire, RECEIPT_CHAIN_WIRE_MAX);
    if (!m)
        return ERR_INVALID;
    size_t count = m->n_receipts;
    enum err e = count >= 1 && count <= RECEIPT_HOPS_MAX ? ERR_OK : ERR_INVALID;
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = codec_decode(codec_borrow(&d, m->receipts[i]), &trust__sealed_record__descriptor,
                         RECEIPT_CHAIN_WIRE_MAX, entry_from_message, &ret_entries[i]);
    codec_end(&d);
    if (e == ERR_OK)
        *ret_count = count;
    return e;
}

/* --- key rings: the decoder's copies of them are wiped --- */

enum err trust_wire_keyring_encode(const struct keyring *ring, struct buf *record)
{
    ProtobufCBinaryData keys[KEYRING_KEYS_MAX];
    CHECK(ring->key_count <= KEYRING_KEYS_MAX);
    for (size_t i = 0; i < ring->key_count; i++)
        keys[i] = codec_binary(ring->keys[i], KEYRING_KEY_SIZE);
    Trust__KeyRing m = TRUST__KEY_RING__INIT;
    m.mesh = codec_id(&ring->mesh);
    m.version = ring->version;
    m.n_keys = ring->key_count;
    m.keys = keys;
    m.made_ms = ring->made_ms;
    return codec_encode(&m, KEYRING_RECORD_MAX, record);
}

static bool keyring_from_message(const Trust__KeyRing *m, struct keyring *ret_ring)
{
    if (m->n_keys > KEYRING_KEYS_MAX)
        return false;
    for (size_t i = 0; i < m->n_keys; i++)
        if (!codec_copy(m->keys[i], ret_ring->keys[i], KEYRING_KEY_SIZE))
            return false;
    ret_ring->key_count = m->n_keys;
    ret_ring->version = m->version;
    ret_ring->made_ms = m->made_ms;
    return codec_copy_id(m->mesh, &ret_ring->mesh);
}

enum err trust_wire_keyring_decode(struct bytes record, struct keyring *ret_ring)
{
    struct codec d;
    struct keyring ring = {.version = 0};
    const Trust__KeyRing *m =
        codec_begin(&d, &trust__key_ring__descriptor, record, KEYRING_RECORD_MAX);
    bool is_valid = m && keyring_from_message(m, &ring);
    if (m)
        codec_end(&d);
    if (is_valid)
        *ret_ring = ring;
    crypto_wipe(d.space, sizeof(d.space));
    crypto_wipe(&ring, sizeof(ring));
    return is_valid ? ERR_OK : ERR_INVALID;
}

enum err trust_wire_signed_encode(const struct trust_wire_signed *s, struct buf *wire)
{
    Trust__SignedKeyRing m = TRUST__SIGNED_KEY_RING__INIT;
    m.record = codec_bytes(s->record);
    m.signature = codec_binary(s->signature, CRYPTO_SIGNATURE_SIZE);
    m.certificates = codec_bytes(s->certificates);
    return codec_encode(&m, KEYRING_SIZE_MAX, wire);
}

static bool signed_from_message(const struct codec *d, const Trust__SignedKeyRing *m,
                                struct trust_wire_signed *ret_signed)
{
    ret_signed->record = codec_borrow(d, m->record);
    ret_signed->certificates = codec_borrow(d, m->certificates);
    return codec_copy(m->signature, ret_signed->signature, CRYPTO_SIGNATURE_SIZE);
}

enum err trust_wire_signed_decode(struct bytes wire, struct trust_wire_signed *ret_signed)
{
    struct codec d;
    const Trust__SignedKeyRing *m =
        codec_begin(&d, &trust__signed_key_ring__descriptor, wire, KEYRING_SIZE_MAX);
    struct trust_wire_signed s;
    bool is_valid = m && signed_from_message(&d, m, &s);
    if (m)
        codec_end(&d);
    if (is_valid)
        *ret_signed = s;
    crypto_wipe(d.space, sizeof(d.space));
    return is_valid ? ERR_OK : ERR_INVALID;
}
