/* A stage for a few raft cores: every step is ordered by name, and all that happens is written down
 * as lines that can be read. Disks are slow on purpose: nothing is durable before `disk`. Used by
 * test_golden.c, which plays the scripts of tests/sim/golden. */
#ifndef TESTS_UNIT_RAFT_STAGE_H
#define TESTS_UNIT_RAFT_STAGE_H

#include "raft/raft.h"

#include <stdio.h>
#include <stdlib.h>

#define STAGE_ACTORS 6
#define STAGE_RECORDS 256
#define STAGE_LETTERS 512
#define STAGE_DUMP_SIZE 100

typedef unsigned long long ull;

struct stage_write {
    struct raft_write write;
    struct raft_hard hard;
    struct raft_base reset, trim;
    struct raft_snapshot part, made;
    uint8_t *bytes;
};

struct stage_letter {
    struct raft_message message;
    struct raft_snapshot snapshot;
    uint64_t after; /* still at its sender, waiting for this write */
    bool is_held;
};

struct actor {
    char name;
    uint32_t lives; /* starts, of all its disks */
    bool is_listed; /* a member of the first configuration, or to be one */
    struct raft *core;
    uint64_t now_ms;
    /* what is durable */
    struct raft_hard hard;
    struct raft_base base;
    uint64_t last, applied;
    struct bytes records[STAGE_RECORDS];
    struct raft_snapshot snapshot, staged;
    uint64_t staged_size;
    bool is_installing;
    struct stage_write writes[64];
    size_t write_count;
};

struct stage {
    struct actor actors[STAGE_ACTORS];
    struct actor kept; /* a copy of one's disk */
    struct stage_letter letters[STAGE_LETTERS];
    size_t letter_count;
    bool is_cut[STAGE_ACTORS][STAGE_ACTORS];
    FILE *out;
};

/* --- words */

static struct actor *stage_actor(struct stage *s, char name)
{
    CHECK(name >= 'A' && name < 'A' + STAGE_ACTORS);
    return &s->actors[name - 'A'];
}

static struct id stage_id(char name)
{
    struct id id = {{(uint8_t)name}};
    return id;
}

static char stage_name(const struct id *id)
{
    return id->bytes[0] ? (char)id->bytes[0] : '-';
}

static void stage_say_config(FILE *out, const struct raft_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        fprintf(out, "%s%c%s%s", i ? " " : "", stage_name(&m->id), m->is_voter ? "+" : "",
                m->was_voter ? "-" : "");
    }
}

static void stage_say_record(FILE *out, struct bytes record)
{
    struct raft_entry e;
    struct raft_config config;
    CHECK(raft_entry_read(&record, &e) == ERR_OK);
    fprintf(out, " %llu:", (ull)e.index);
    if (e.kind == RAFT_NOOP)
        fprintf(out, "noop");
    if (e.kind == RAFT_COMMAND)
        fprintf(out, "%.*s", (int)e.payload.size, (const char *)e.payload.data);
    if (e.kind == RAFT_CONFIG) {
        CHECK(raft_config_decode(e.payload, &config) == ERR_OK);
        fprintf(out, "(");
        stage_say_config(out, &config);
        fprintf(out, ")");
    }
    fprintf(out, "@%llu", (ull)e.term);
}

static void stage_say_records(FILE *out, struct bytes rest)
{
    while (rest.size) {
        struct raft_entry e;
        struct bytes record = rest;
        CHECK(raft_entry_read(&rest, &e) == ERR_OK);
        record.size -= rest.size;
        stage_say_record(out, record);
    }
}

static void stage_say_answer(FILE *out, const struct raft_message *m)
{
    if (m->type == RAFT_APPEND_REPLY && m->ok)
        fprintf(out, " has %llu", (ull)m->index);
    else if (m->type == RAFT_APPEND_REPLY)
        fprintf(out, " refuses %llu, try %llu@%llu", (ull)m->index, (ull)m->hint,
                (ull)m->hint_term);
    else if (m->type == RAFT_READ_REPLY && m->ok)
        fprintf(out, " index %llu", (ull)m->index);
    else if (m->type == RAFT_VOTE_REPLY || m->type == RAFT_PREVOTE_REPLY)
        fprintf(out, m->ok ? " yes" : " no");
    if (m->type == RAFT_APPEND_REPLY && m->context)
        fprintf(out, ", read round");
    if (m->type == RAFT_PREVOTE_REPLY)
        fprintf(out, ", commit %llu", (ull)m->commit);
}

static void stage_say_message(FILE *out, const struct raft_message *m)
{
    fprintf(out, "%c -> %c  %s term %llu", stage_name(&m->from), stage_name(&m->to),
            raft_message_name(m->type), (ull)m->term);
    switch (m->type) {
    case RAFT_PREVOTE:
        fprintf(out, ", for term %llu, log ends %llu@%llu", (ull)m->next_term, (ull)m->index,
                (ull)m->log_term);
        break;
    case RAFT_VOTE:
        fprintf(out, ", log ends %llu@%llu%s", (ull)m->index, (ull)m->log_term,
                m->is_forced ? ", forced" : "");
        break;
    case RAFT_APPEND:
        fprintf(out, ", after %llu@%llu:", (ull)m->index, (ull)m->log_term);
        stage_say_records(out, m->records);
        fprintf(out, "%s commit %llu%s", m->count ? "," : " nothing,", (ull)m->commit,
                m->context ? ", read round" : "");
        break;
    case RAFT_FETCH: fprintf(out, ", records %llu to %llu", (ull)m->index, (ull)m->hint); break;
    case RAFT_FETCHED:
        fprintf(out, ", from %llu:", (ull)m->index);
        stage_say_records(out, m->records);
        fprintf(out, "%s commit %llu", m->count ? "," : " nothing,", (ull)m->commit);
        break;
    case RAFT_OFFER:
        fprintf(out, ", snapshot of %llu or later from %c", (ull)m->index, stage_name(&m->source));
        break;
    case RAFT_GET: fprintf(out, ", from byte %llu of %llu", (ull)m->offset, (ull)m->index); break;
    case RAFT_CHUNK:
        fprintf(out, ", %zu bytes at %llu of %llu", m->data.size, (ull)m->offset,
                m->snapshot ? (ull)m->snapshot->base.index : 0);
        break;
    default: stage_say_answer(out, m);
    }
    fprintf(out, "\n");
}

#endif
