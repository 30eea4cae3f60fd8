/* Records to bytes and back, their checksum and hash, and configurations as payloads. One form of
 * everything: what is read is what would be written. Called by log.c, the core and the store. */
#include "raft/entry.h"

#define SIZE_AT 4
#define VERSION_AT 8
#define CONFIG_VERSION 1
#define ROW_SIZE 33

static void put(uint8_t *p, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        p[i] = (uint8_t)value;
}

/* --- CRC32C */

static uint32_t crc_bits(uint32_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)
/* The processor's own instruction is forty times as fast as the loop above. */
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const uint8_t *data,
                                                           size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    for (; size; data++, size--)
        wide = __builtin_ia32_crc32qi((uint32_t)wide, *data);
    return (uint32_t)wide;
}
#endif

uint32_t raft_crc32c(uint32_t seed, struct bytes data)
{
    uint32_t crc = ~seed;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_fast(crc, data.data, data.size);
#endif
    return ~crc_bits(crc, data.data, data.size);
}

/* --- records */

enum err raft_entry_append(struct buf *out, const struct raft_entry *entry)
{
    if (entry->payload.size > RAFT_PAYLOAD_MAX)
        return ERR_LIMIT;
    size_t size = RAFT_RECORD_HEAD + entry->payload.size;
    TRY(buf_reserve(out, size));
    uint8_t *p = out->data + out->size;
    put(p + SIZE_AT, entry->payload.size, 4);
    p[VERSION_AT] = RAFT_ENTRY_VERSION;
    p[VERSION_AT + 1] = (uint8_t)entry->kind;
    put(p + 10, 0, 2);
    put(p + 12, entry->term, 8);
    put(p + 20, entry->index, 8);
    memcpy(p + 28, entry->prev, CRYPTO_HASH_SIZE);
    if (entry->payload.size)
        memcpy(p + RAFT_RECORD_HEAD, entry->payload.data, entry->payload.size);
    put(p, raft_crc32c(0, bytes_of(p + SIZE_AT, size - SIZE_AT)), 4);
    out->size += size;
    return ERR_OK;
}

enum err raft_entry_read(struct bytes *rest, struct raft_entry *ret_entry)
{
    const uint8_t *p = rest->data;
    if (rest->size < RAFT_RECORD_HEAD)
        return ERR_INVALID;
    size_t payload = (size_t)bytes_big_endian(p + SIZE_AT, 4);
    if (payload > RAFT_PAYLOAD_MAX || payload > rest->size - RAFT_RECORD_HEAD)
        return ERR_INVALID;
    struct bytes record = bytes_of(p, RAFT_RECORD_HEAD + payload);
    if (raft_crc32c(0, bytes_skip(record, SIZE_AT)) != bytes_big_endian(p, 4))
        return ERR_CORRUPT;
    uint8_t kind = p[VERSION_AT + 1];
    if (p[VERSION_AT] != RAFT_ENTRY_VERSION || kind < RAFT_NOOP || kind > RAFT_COMMAND)
        return ERR_UNSUPPORTED;
    struct raft_entry e = {.kind = (enum raft_kind)kind,
                           .term = bytes_big_endian(p + 12, 8),
                           .index = bytes_big_endian(p + 20, 8),
                           .payload = bytes_skip(record, RAFT_RECORD_HEAD),
                           .record = record};
    if (bytes_big_endian(p + 10, 2) != 0 || e.term == 0 || e.index == 0)
        return ERR_INVALID;
    memcpy(e.prev, p + 28, CRYPTO_HASH_SIZE);
    *ret_entry = e;
    *rest = bytes_skip(*rest, record.size);
    return ERR_OK;
}

void raft_entry_hash(struct bytes record, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    crypto_hash(record, ret_hash);
}

/* --- configurations */

static int compare(const struct raft_member *a, const struct raft_member *b)
{
    int order = id_compare(&a->id, &b->id);
    return order ? order : (a->store > b->store) - (a->store < b->store);
}

bool raft_config_is_joint(const struct raft_config *config)
{
    for (size_t i = 0; i < config->count; i++)
        if (config->members[i].was_voter)
            return true;
    return false;
}

static bool is_valid(const struct raft_config *config)
{
    size_t new_voters = 0, old_voters = 0;
    if (config->count == 0 || config->count > RAFT_MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        if (i > 0 && compare(m - 1, m) >= 0)
            return false;
        if (id_is_zero(&m->id) || ((m->is_voter || m->was_voter) != (m->store != 0)))
            return false;
        new_voters += m->is_voter;
        old_voters += m->was_voter;
    }
    return new_voters > 0 && new_voters <= RAFT_VOTERS_MAX && old_voters <= RAFT_VOTERS_MAX;
}

enum err raft_config_encode(const struct raft_config *config, struct buf *out)
{
    if (!is_valid(config))
        return ERR_INVALID;
    TRY(buf_reserve(out, 2 + config->count * ROW_SIZE));
    uint8_t *p = out->data + out->size;
    p[0] = CONFIG_VERSION;
    p[1] = (uint8_t)config->count;
    out->size += 2 + config->count * ROW_SIZE;
    p += 2;
    for (size_t i = 0; i < config->count; i++, p += ROW_SIZE) {
        const struct raft_member *m = &config->members[i];
        memcpy(p, m->id.bytes, ID_SIZE);
        put(p + ID_SIZE, m->store, 8);
        put(p + ID_SIZE + 8, m->boot, 8);
        p[ROW_SIZE - 1] = (uint8_t)(m->is_voter | m->was_voter << 1);
    }
    return ERR_OK;
}

enum err raft_config_decode(struct bytes payload, struct raft_config *ret_config)
{
    if (payload.size < 2)
        return ERR_INVALID;
    if (payload.data[0] != CONFIG_VERSION)
        return ERR_UNSUPPORTED;
    struct raft_config config = {.count = payload.data[1]};
    if (config.count > RAFT_MEMBERS_MAX || payload.size != 2 + config.count * ROW_SIZE)
        return ERR_INVALID;
    const uint8_t *p = payload.data + 2;
    for (size_t i = 0; i < config.count; i++, p += ROW_SIZE) {
        struct raft_member *m = &config.members[i];
        uint8_t flags = p[ROW_SIZE - 1];
        if (flags > 3)
            return ERR_INVALID;
        memcpy(m->id.bytes, p, ID_SIZE);
        m->store = bytes_big_endian(p + ID_SIZE, 8);
        m->boot = bytes_big_endian(p + ID_SIZE + 8, 8);
        m->is_voter = flags & 1;
        m->was_voter = flags >> 1;
    }
    if (!is_valid(&config))
        return ERR_INVALID;
    *ret_config = config;
    return ERR_OK;
}
