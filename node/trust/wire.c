/* Encodes and decodes trust's records (wire.proto) with protobuf-c: the folder's only file that
 * knows it, hence longer than others. A decoded message is encoded again and compared, so one
 * value has one encoding and nothing unknown rides along under a signature. Called by cert.c,
 * token.c, envelope.c and receipt.c. */
#include "node/trust/wire.h"

#include "node/trust/wire.pb-c.h"

#include <stdlib.h>

/* Enough for any envelope: struct, scratch of the parser (1.5 KiB), copies of 1 KiB of fields. */
#define DECODER_SPACE 4096
#define DECODER_ALIGN 16
#define DECODER_PLACES 32 /* more than any message here has fields */

/* --- encoding --- */

static enum err encode(const void *message, size_t size_max, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > size_max)
        return ERR_LIMIT;
    TRY(buf_reserve(out, size));
    out->size += protobuf_c_message_pack(message, out->data + out->size);
    return ERR_OK;
}

/* protobuf-c's structs are not const; encoding only reads them. */
static ProtobufCBinaryData binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData binary_bytes(struct bytes b)
{
    return binary(b.data, b.size);
}

static ProtobufCBinaryData binary_id(const struct id *id)
{
    return binary(id->bytes, ID_SIZE);
}

static char *text(const char *str)
{
    return (char *)(uintptr_t)str;
}

/* --- decoding --- */

/* Where the copy of a field stands in the wire. */
struct place {
    const uint8_t *copy;
    size_t offset;
};

struct decoder {
    ProtobufCAllocator allocator;
    struct bytes wire;
    ProtobufCMessage *message;
    struct place places[DECODER_PLACES];
    size_t place_count;
    size_t used;
    bool spilled;
    _Alignas(DECODER_ALIGN) uint8_t space[DECODER_SPACE];
};

/* Spilled blocks carry their size in front, to be wiped when freed: a token holds a secret. */
static void *decoder_spill(struct decoder *d, size_t size)
{
    uint8_t *block = malloc(DECODER_ALIGN + size);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    d->spilled = true;
    return block + DECODER_ALIGN;
}

static void *decoder_alloc(void *ctx, size_t size)
{
    struct decoder *d = ctx;
    size_t start = (d->used + DECODER_ALIGN - 1) / DECODER_ALIGN * DECODER_ALIGN;
    if (start > sizeof(d->space) || size > sizeof(d->space) - start)
        return decoder_spill(d, size);
    d->used = start + size;
    return d->space + start;
}

static bool is_in_space(const struct decoder *d, const void *data)
{
    uintptr_t address = (uintptr_t)data, space = (uintptr_t)d->space;
    return address >= space && address <= space + sizeof(d->space);
}

static void decoder_free(void *ctx, void *data)
{
    struct decoder *d = ctx;
    if (is_in_space(d, data))
        return;
    uint8_t *block = (uint8_t *)data - DECODER_ALIGN;
    size_t size;
    memcpy(&size, block, sizeof(size));
    crypto_wipe(block, DECODER_ALIGN + size);
    free(block);
}

/* A sink for the second encoding. */
struct comparison {
    ProtobufCBuffer base;
    struct decoder *decoder;
    size_t offset;
    bool is_equal;
};

static void comparison_append(ProtobufCBuffer *base, size_t size, const uint8_t *data)
{
    struct comparison *c = (struct comparison *)base;
    struct decoder *d = c->decoder;
    struct bytes rest = bytes_skip(d->wire, c->offset);
    if (d->place_count < DECODER_PLACES && (d->spilled || is_in_space(d, data)))
        d->places[d->place_count++] = (struct place){data, c->offset};
    c->is_equal = c->is_equal && bytes_starts_with(rest, bytes_of(data, size));
    c->offset += size;
}

static bool is_canonical(struct decoder *d)
{
    if (d->message->n_unknown_fields)
        return false;
    struct comparison c = {.base.append = comparison_append, .decoder = d, .is_equal = true};
    protobuf_c_message_pack_to_buffer(d->message, &c.base);
    return c.is_equal && c.offset == d->wire.size;
}

static void decoder_end(struct decoder *d)
{
    if (d->message && d->spilled)
        protobuf_c_message_free_unpacked(d->message, &d->allocator);
    d->message = NULL;
}

/* The message, valid until decoder_end; NULL when malformed (nothing to end then). */
static const void *decoder_begin(struct decoder *d, const ProtobufCMessageDescriptor *descriptor,
                                 struct bytes wire, size_t size_max)
{
    if (wire.size > size_max)
        return NULL;
    d->allocator = (ProtobufCAllocator){decoder_alloc, decoder_free, d};
    d->wire = wire;
    d->used = 0;
    d->spilled = false;
    d->place_count = 0;
    d->message = protobuf_c_message_unpack(descriptor, &d->allocator, wire.size, wire.data);
    if (d->message && !is_canonical(d))
        decoder_end(d);
    return d->message;
}

static bool copy_exact(ProtobufCBinaryData from, void *ret_data, size_t size)
{
    if (from.len != size)
        return false;
    if (size)
        memcpy(ret_data, from.data, size);
    return true;
}

static bool copy_id(ProtobufCBinaryData from, struct id *ret_id)
{
    return copy_exact(from, ret_id->bytes, ID_SIZE);
}

static bool copy_text(const char *from, char *ret_text, size_t size)
{
    size_t length = strlen(from);
    if (length >= size)
        return false;
    memcpy(ret_text, from, length + 1);
    return true;
}

/* protobuf-c copies; callers are promised a place in the input. A message with more fields than
 * places is hostile; even so the bytes are in the wire, and wherever equal ones are found is as
 * good. */
static struct bytes borrow(const struct decoder *d, ProtobufCBinaryData part)
{
    if (part.len == 0)
        return (struct bytes){0};
    for (size_t i = 0; i < d->place_count; i++)
        if (d->places[i].copy == part.data)
            return bytes_of(d->wire.data + d->places[i].offset, part.len);
    const void *found = memmem(d->wire.data, d->wire.size, part.data, part.len);
    CHECK(found);
    return bytes_of(found, part.len);
}

/* Fills in a struct from a message; false: a size is wrong. */
typedef bool convert_message(const struct decoder *d, const void *message, void *ret_value);

/* For messages that become one struct. *ret_value is garbage on failure: callers pass a scratch
 * one. */
static enum err decode(struct bytes wire, const ProtobufCMessageDescriptor *descriptor,
                       size_t size_max, convert_message *convert, void *ret_value)
{
    struct decoder d;
    const void *message = decoder_begin(&d, descriptor, wire, size_max);
    if (!message)
        return ERR_INVALID;
    bool is_valid = convert(&d, message, ret_value);
    decoder_end(&d);
    return is_valid ? ERR_OK : ERR_INVALID;
}

/* --- certificates --- */

enum err trust_wire_cert_encode(const struct cert *cert, struct buf *record)
{
    Trust__Certificate m = TRUST__CERTIFICATE__INIT;
    m.kind = cert->kind;
    m.mesh = binary_id(&cert->mesh);
    m.subject = binary(cert->subject, CRYPTO_PUBLIC_SIZE);
    m.issuer = binary(cert->issuer, CRYPTO_PUBLIC_SIZE);
    m.name = text(cert->name);
    m.tier = cert->tier;
    m.region = text(cert->region);
    m.not_before_ms = cert->not_before_ms;
    m.not_after_ms = cert->not_after_ms;
    m.uses = cert->uses;
    m.serial = binary_id(&cert->serial);
    m.join_until_ms = cert->join_until_ms;
    return encode(&m, CERT_RECORD_MAX, record);
}

static bool cert_from_message(const struct decoder *d, const void *message, void *ret_value)
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
    return copy_id(m->mesh, &cert->mesh) && copy_id(m->serial, &cert->serial) &&
           copy_exact(m->subject, cert->subject, CRYPTO_PUBLIC_SIZE) &&
           copy_exact(m->issuer, cert->issuer, CRYPTO_PUBLIC_SIZE) &&
           copy_text(m->name, cert->name, sizeof(cert->name)) &&
           copy_text(m->region, cert->region, sizeof(cert->region));
}

enum err trust_wire_cert_decode(struct bytes record, struct cert *ret_cert)
{
    struct cert cert;
    TRY(decode(record, &trust__certificate__descriptor, CERT_RECORD_MAX, cert_from_message, &cert));
    *ret_cert = cert;
    return ERR_OK;
}

enum err trust_wire_chain_append(const struct trust_wire_link *link, struct buf *chain)
{
    uint8_t space[CERT_RECORD_MAX + CRYPTO_SIGNATURE_SIZE + 16];
    struct buf element;
    buf_init_fixed(&element, space, sizeof(space));
    Trust__SignedCertificate m = TRUST__SIGNED_CERTIFICATE__INIT;
    m.record = binary_bytes(link->record);
    m.signature = binary(link->signature, CRYPTO_SIGNATURE_SIZE);
    TRY(encode(&m, sizeof(space), &element));

    if (chain->size > CERT_CHAIN_SIZE_MAX)
        return ERR_LIMIT;
    Trust__CertificateChain more = TRUST__CERTIFICATE_CHAIN__INIT;
    ProtobufCBinaryData one = binary_bytes(buf_bytes(&element));
    more.n_certificates = 1;
    more.certificates = &one;
    return encode(&more, CERT_CHAIN_SIZE_MAX - chain->size, chain);
}

static bool link_from_message(const struct decoder *d, const void *message, void *ret_value)
{
    const Trust__SignedCertificate *m = message;
    struct trust_wire_link *link = ret_value;
    link->record = borrow(d, m->record);
    return copy_exact(m->signature, link->signature, CRYPTO_SIGNATURE_SIZE);
}

enum err trust_wire_chain_decode(struct bytes chain, struct trust_wire_link *ret_links,
                                 size_t *ret_count)
{
    struct decoder d;
    const Trust__CertificateChain *m =
        decoder_begin(&d, &trust__certificate_chain__descriptor, chain, CERT_CHAIN_SIZE_MAX);
    if (!m)
        return ERR_INVALID;
    size_t count = m->n_certificates;
    enum err e = count >= 1 && count <= CERT_CHAIN_MAX ? ERR_OK : ERR_INVALID;
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = decode(borrow(&d, m->certificates[i]), &trust__signed_certificate__descriptor,
                   CERT_CHAIN_SIZE_MAX, link_from_message, &ret_links[i]);
    decoder_end(&d);
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
        peers[i] = text(token->peers[i]);
    Trust__Token m = TRUST__TOKEN__INIT;
    m.root = binary(token->root, CRYPTO_PUBLIC_SIZE);
    m.seed = binary(token->seed, CRYPTO_SEED_SIZE);
    m.chain = binary(token->chain, token->chain_size);
    m.n_peers = token->peer_count;
    m.peers = peers;
    return encode(&m, TOKEN_TEXT_MAX, out);
}

static bool token_from_message(const Trust__Token *m, struct token *ret_token)
{
    if (m->chain.len > CERT_CHAIN_SIZE_MAX || m->n_peers > TOKEN_PEERS_MAX)
        return false;
    for (size_t i = 0; i < m->n_peers; i++)
        if (!copy_text(m->peers[i], ret_token->peers[i], sizeof(ret_token->peers[i])))
            return false;
    ret_token->peer_count = m->n_peers;
    ret_token->chain_size = m->chain.len;
    return copy_exact(m->chain, ret_token->chain, m->chain.len) &&
           copy_exact(m->root, ret_token->root, CRYPTO_PUBLIC_SIZE) &&
           copy_exact(m->seed, ret_token->seed, CRYPTO_SEED_SIZE);
}

enum err trust_wire_token_decode(struct bytes wire, struct token *ret_token)
{
    struct decoder d;
    struct token token = {0};
    const Trust__Token *m = decoder_begin(&d, &trust__token__descriptor, wire, TOKEN_TEXT_MAX);
    bool is_valid = m && token_from_message(m, &token);
    if (m)
        decoder_end(&d);
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
        path[i] = text(e->path[i]);
    Trust__Envelope m = TRUST__ENVELOPE__INIT;
    m.request_id = text(e->request_id);
    m.mesh = binary_id(&e->mesh);
    m.origin = binary_id(&e->origin);
    m.sender = binary_id(&e->sender);
    m.receiver = binary_id(&e->receiver);
    m.boot_ms = e->boot_ms;
    m.sequence = e->sequence;
    m.issued_ms = e->issued_ms;
    m.deadline_ms = e->deadline_ms;
    m.hop = e->hop;
    m.epoch = e->epoch;
    m.n_path = path_count;
    m.path = path;
    m.target = binary_bytes(e->target);
    m.model = binary_bytes(e->model);
    m.tenant = binary_bytes(e->tenant);
    m.body_hash = binary(e->body_hash, CRYPTO_HASH_SIZE);
    return encode(&m, ENVELOPE_RECORD_MAX, record);
}

static bool envelope_from_message(const struct decoder *d, const void *message, void *ret_value)
{
    const Trust__Envelope *m = message;
    struct envelope *e = ret_value;
    *e = (struct envelope){.boot_ms = m->boot_ms,
                           .sequence = m->sequence,
                           .issued_ms = m->issued_ms,
                           .deadline_ms = m->deadline_ms,
                           .hop = m->hop,
                           .epoch = m->epoch,
                           .target = borrow(d, m->target),
                           .model = borrow(d, m->model),
                           .tenant = borrow(d, m->tenant)};
    if (m->n_path != envelope_path_count(e))
        return false;
    for (uint32_t i = 0; i < m->n_path; i++)
        if (!copy_text(m->path[i], e->path[i], sizeof(e->path[i])))
            return false;
    return copy_text(m->request_id, e->request_id, sizeof(e->request_id)) &&
           copy_id(m->mesh, &e->mesh) && copy_id(m->origin, &e->origin) &&
           copy_id(m->sender, &e->sender) && copy_id(m->receiver, &e->receiver) &&
           copy_exact(m->body_hash, e->body_hash, CRYPTO_HASH_SIZE);
}

enum err trust_wire_envelope_decode(struct bytes record, struct envelope *ret_envelope)
{
    struct envelope e;
    TRY(decode(record, &trust__envelope__descriptor, ENVELOPE_RECORD_MAX, envelope_from_message,
               &e));
    *ret_envelope = e;
    return ERR_OK;
}

/* --- records with their proofs --- */

static void sealed_from(Trust__SealedRecord *ret_message, struct bytes record,
                        const struct batch_proof *proof)
{
    ret_message->record = binary_bytes(record);
    ret_message->index = proof->index;
    ret_message->count = proof->count;
    ret_message->path = binary(proof->path, proof->path_count * sizeof(proof->path[0]));
    ret_message->signature = binary(proof->signature, CRYPTO_SIGNATURE_SIZE);
}

static bool proof_from_message(const Trust__SealedRecord *m, struct batch_proof *ret_proof)
{
    if (m->path.len > sizeof(ret_proof->path) || m->path.len % sizeof(ret_proof->path[0]) != 0)
        return false;
    *ret_proof = (struct batch_proof){.index = m->index, .count = m->count};
    ret_proof->path_count = (uint32_t)(m->path.len / sizeof(ret_proof->path[0]));
    if (m->path.len)
        memcpy(ret_proof->path, m->path.data, m->path.len);
    return copy_exact(m->signature, ret_proof->signature, CRYPTO_SIGNATURE_SIZE);
}

enum err trust_wire_sealed_encode(struct bytes record, const struct batch_proof *proof,
                                  struct buf *wire)
{
    CHECK(proof->path_count <= BATCH_PATH_MAX);
    Trust__SealedRecord m = TRUST__SEALED_RECORD__INIT;
    sealed_from(&m, record, proof);
    return encode(&m, ENVELOPE_WIRE_MAX, wire);
}

enum err trust_wire_sealed_decode(struct bytes wire, struct bytes *ret_record,
                                  struct batch_proof *ret_proof)
{
    struct decoder d;
    struct batch_proof proof;
    const Trust__SealedRecord *m =
        decoder_begin(&d, &trust__sealed_record__descriptor, wire, ENVELOPE_WIRE_MAX);
    if (!m)
        return ERR_INVALID;
    bool is_valid = m->signer.len == 0 && m->certificates.len == 0 && proof_from_message(m, &proof);
    struct bytes record = borrow(&d, m->record);
    decoder_end(&d);
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
    m.request_id = text(r->request_id);
    m.mesh = binary_id(&r->mesh);
    m.node = binary_id(&r->node);
    m.role = r->role;
    m.name = text(r->name);
    m.region = text(r->region);
    m.hop = r->hop;
    m.epoch = r->epoch;
    m.model = binary_bytes(r->model);
    m.backend = binary_bytes(r->backend);
    m.reason = binary_bytes(r->reason);
    m.attempts = r->attempts;
    m.status = r->status;
    m.facts_age_ms = r->facts_age_ms;
    m.started_ms = r->started_ms;
    m.first_byte_ms = r->first_byte_ms;
    m.duration_ms = r->duration_ms;
    m.request_bytes = r->request_bytes;
    m.answer_bytes = r->answer_bytes;
    m.request_hash = binary(r->request_hash, CRYPTO_HASH_SIZE);
    m.answer_hash = binary(r->answer_hash, CRYPTO_HASH_SIZE);
    m.previous = binary(r->previous, CRYPTO_HASH_SIZE);
    return encode(&m, RECEIPT_RECORD_MAX, record);
}

static bool receipt_from_message(const struct decoder *d, const void *message, void *ret_value)
{
    const Trust__Receipt *m = message;
    struct receipt *r = ret_value;
    if (m->role > RECEIPT_FORWARDER)
        return false;
    *r = (struct receipt){.role = (enum receipt_role)m->role,
                          .hop = m->hop,
                          .epoch = m->epoch,
                          .model = borrow(d, m->model),
                          .backend = borrow(d, m->backend),
                          .reason = borrow(d, m->reason),
                          .attempts = m->attempts,
                          .status = m->status,
                          .facts_age_ms = m->facts_age_ms,
                          .started_ms = m->started_ms,
                          .first_byte_ms = m->first_byte_ms,
                          .duration_ms = m->duration_ms,
                          .request_bytes = m->request_bytes,
                          .answer_bytes = m->answer_bytes};
    return copy_text(m->request_id, r->request_id, sizeof(r->request_id)) &&
           copy_id(m->mesh, &r->mesh) && copy_id(m->node, &r->node) &&
           copy_text(m->name, r->name, sizeof(r->name)) &&
           copy_text(m->region, r->region, sizeof(r->region)) &&
           copy_exact(m->request_hash, r->request_hash, CRYPTO_HASH_SIZE) &&
           copy_exact(m->answer_hash, r->answer_hash, CRYPTO_HASH_SIZE) &&
           copy_exact(m->previous, r->previous, CRYPTO_HASH_SIZE);
}

enum err trust_wire_receipt_decode(struct bytes record, struct receipt *ret_receipt)
{
    struct receipt r;
    TRY(decode(record, &trust__receipt__descriptor, RECEIPT_RECORD_MAX, receipt_from_message, &r));
    *ret_receipt = r;
    return ERR_OK;
}

static enum err entry_encode(const struct receipt_entry *entry, struct buf *out)
{
    CHECK(entry->proof.path_count <= BATCH_PATH_MAX);
    Trust__SealedRecord m = TRUST__SEALED_RECORD__INIT;
    sealed_from(&m, entry->record, &entry->proof);
    m.signer = binary(entry->signer, CRYPTO_PUBLIC_SIZE);
    m.certificates = binary_bytes(entry->certificates);
    return encode(&m, RECEIPT_CHAIN_WIRE_MAX, out);
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
        ProtobufCBinaryData one = binary_bytes(buf_bytes(&element));
        Trust__ReceiptChain more = TRUST__RECEIPT_CHAIN__INIT;
        more.n_receipts = 1;
        more.receipts = &one;
        if (e == ERR_OK)
            e = encode(&more, RECEIPT_CHAIN_WIRE_MAX - (wire->size - size_before), wire);
    }
    if (e != ERR_OK)
        wire->size = size_before;
    return e;
}

static bool entry_from_message(const struct decoder *d, const void *message, void *ret_value)
{
    const Trust__SealedRecord *m = message;
    struct receipt_entry *entry = ret_value;
    entry->record = borrow(d, m->record);
    entry->certificates = borrow(d, m->certificates);
    return proof_from_message(m, &entry->proof) &&
           copy_exact(m->signer, entry->signer, CRYPTO_PUBLIC_SIZE);
}

enum err trust_wire_receipts_decode(struct bytes wire, struct receipt_entry *ret_entries,
                                    size_t *ret_count)
{
    struct decoder d;
    const Trust__ReceiptChain *m =
        decoder_begin(&d, &trust__receipt_chain__descriptor, wire, RECEIPT_CHAIN_WIRE_MAX);
    if (!m)
        return ERR_INVALID;
    size_t count = m->n_receipts;
    enum err e = count >= 1 && count <= RECEIPT_HOPS_MAX ? ERR_OK : ERR_INVALID;
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = decode(borrow(&d, m->receipts[i]), &trust__sealed_record__descriptor,
                   RECEIPT_CHAIN_WIRE_MAX, entry_from_message, &ret_entries[i]);
    decoder_end(&d);
    if (e == ERR_OK)
        *ret_count = count;
    return e;
}
