/* The state machine that the world replicates: a few registers with write and compare-and-set, and
 * sessions: a command that comes again is answered as before and changes nothing. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

#define DUMP_SIZE (sizeof(struct raft_machine))

size_t machine_encode(const struct raft_command *c, uint8_t out[64])
{
    uint64_t words[5] = {c->client, c->sequence, c->value, c->expected,
                         (uint64_t)c->key | (uint64_t)c->is_cas << 8};
    memcpy(out, words, sizeof(words));
    return sizeof(words);
}

bool machine_decode(struct bytes payload, struct raft_command *ret_command)
{
    uint64_t words[5];
    if (payload.size != sizeof(words))
        return false;
    memcpy(words, payload.data, sizeof(words));
    *ret_command = (struct raft_command){.client = words[0],
                                         .sequence = words[1],
                                         .value = words[2],
                                         .expected = words[3],
                                         .key = (uint8_t)words[4],
                                         .is_cas = words[4] >> 8 & 1};
    return ret_command->key < RAFT_KEYS && ret_command->client < RAFT_SESSIONS;
}

static uint64_t execute(struct raft_machine *m, const struct raft_command *c)
{
    struct raft_session *s = &m->sessions[c->client];
    if (c->sequence <= s->sequence)
        return s->result;
    s->sequence = c->sequence;
    s->result = 1;
    if (c->is_cas && m->values[c->key] != c->expected)
        s->result = 0;
    else
        m->values[c->key] = c->value;
    return s->result;
}

uint64_t machine_apply(struct raft_machine *m, const struct raft_entry *e)
{
    struct raft_command c;
    uint64_t result = 0;
    if (e->kind == RAFT_COMMAND && machine_decode(e->payload, &c))
        result = execute(m, &c);
    m->applied = e->index;
    m->term = e->term;
    m->digest = (m->digest ^ record_digest(e->record)) * 0x9e3779b97f4a7c15ull + result;
    return result;
}

size_t machine_dump(const struct raft_machine *m, uint8_t **ret_bytes)
{
    uint8_t *bytes = malloc(DUMP_SIZE);
    CHECK(bytes);
    memcpy(bytes, m, DUMP_SIZE);
    *ret_bytes = bytes;
    return DUMP_SIZE;
}

bool machine_load(struct bytes dump, struct raft_machine *ret_machine)
{
    if (dump.size != DUMP_SIZE)
        return false;
    memcpy(ret_machine, dump.data, DUMP_SIZE);
    return true;
}
