/* See libraft.h. The only file that includes libraft's headers. */
#include "tests/sim/opponent/libraft.h"

#include <raft.h>
#include <raft/fixture.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX 16
#define COMMANDS_MAX 64

struct server {
    struct raft *raft;
    struct raft_fsm fsm;
    char name[8];
    struct rules_server seen;
    bool has_seen;
    uint64_t taken[COMMANDS_MAX]; /* digests of what its state machine was given */
    size_t taken_count, checked_count;
};

struct libraft {
    struct raft_fixture fixture; /* first: its hook is given no more */
    struct rules rules;
    struct server servers[RAFT_FIXTURE_MAX_SERVERS];
    size_t count;
    bool is_started;
    union {
        struct raft_apply apply;
        struct raft_change change;
    } requests[REQUESTS_MAX];
    size_t request_count, successes;
    struct libraft_finding findings[LIBRAFT_FINDINGS];
    size_t finding_count;
};

/* --- facts */

static uint64_t digest(uint64_t start, const void *data, size_t size)
{
    uint64_t hash = start ^ 0xcbf29ce484222325ull;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull;
    return hash;
}

static uint64_t last_index(const struct raft_log *log)
{
    size_t held =
        log->back >= log->front ? log->back - log->front : log->size - log->front + log->back;
    return log->offset + held;
}

static const struct raft_entry *entry_at(const struct raft *raft, uint64_t index)
{
    const struct raft_log *log = &raft->log;
    if (index <= log->offset || index > last_index(log))
        return NULL;
    return &log->entries[(log->front + (index - log->offset - 1)) % log->size];
}

static bool read_entry(const struct rules_server *s, uint64_t index, struct rules_entry *ret_entry)
{
    const struct server *server = s->ctx;
    const struct raft_entry *e = entry_at(server->raft, index);
    uint64_t chain = 0;
    CHECK(server->raft->log.offset == 0); /* no snapshots here: the chain begins at 1 */
    if (!e)
        return false;
    for (uint64_t i = 1; i <= index; i++) {
        e = entry_at(server->raft, i);
        chain = digest(chain, &e->term, sizeof(e->term));
        chain = digest(chain, &e->type, sizeof(e->type));
        chain = digest(chain, e->buf.base, e->buf.len);
    }
    *ret_entry = (struct rules_entry){index, e->term, chain, e->type == RAFT_CHANGE};
    return true;
}

static struct rules_server describe(struct server *s)
{
    const struct raft *raft = s->raft;
    struct rules_server now = {.name = s->name,
                               .number = (size_t)raft->id - 1,
                               .term = raft->current_term,
                               .commit = raft->commit_index,
                               .applied = raft->last_applied,
                               .last = last_index(&raft->log),
                               .is_leader = raft->state == RAFT_LEADER,
                               .entry = read_entry,
                               .ctx = s};
    now.vote.bytes[0] = (uint8_t)raft->voted_for;
    return now;
}

/* --- after every event */

static void on_broken(void *ctx, const char *invariant, const char *why)
{
    struct libraft *l = ctx;
    for (size_t i = 0; i < l->finding_count; i++)
        if (strcmp(l->findings[i].invariant, invariant) == 0 &&
            strcmp(l->findings[i].why, why) == 0)
            return; /* a lasting one is met after every event */
    CHECK(l->finding_count < LIBRAFT_FINDINGS);
    struct libraft_finding *f = &l->findings[l->finding_count++];
    f->invariant = invariant;
    f->at_ms = l->fixture.time;
    snprintf(f->why, sizeof(f->why), "%s", why);
}

static void check_applied(struct libraft *l, struct server *s, const struct rules_server *now,
                          uint64_t from)
{
    for (uint64_t index = from + 1; index <= now->applied; index++) {
        struct rules_entry facts;
        const struct raft_entry *e = entry_at(s->raft, index);
        CHECK(e && read_entry(now, index, &facts));
        rules_apply(&l->rules, s->name, index - 1, &facts);
        if (e->type != RAFT_COMMAND)
            continue;
        bool was_given = s->checked_count < s->taken_count &&
                         s->taken[s->checked_count++] == digest(0, e->buf.base, e->buf.len);
        if (!was_given)
            on_broken(l, "applied_in_order", s->name);
    }
}

static void observe_server(struct libraft *l, struct server *s)
{
    if (s->raft->state == RAFT_UNAVAILABLE)
        return;
    struct rules_server now = describe(s);
    const struct rules_server *before = s->has_seen ? &s->seen : NULL;
    struct rules_entry e;
    for (uint64_t index = 1; read_entry(&now, index, &e); index++) {
        rules_store(&l->rules, s->name, &e);
        if (before && index > before->last && e.is_config)
            rules_change(&l->rules, &now, &e);
    }
    rules_step(&l->rules, before, &now);
    check_applied(l, s, &now, before ? before->applied : now.applied);
    s->seen = now;
    s->has_seen = true;
}

static void observe(struct libraft *l)
{
    for (size_t i = 0; i < l->count && l->is_started; i++)
        observe_server(l, &l->servers[i]);
}

static void on_event(struct raft_fixture *f, struct raft_fixture_event *event)
{
    (void)event;
    observe((struct libraft *)f);
}

/* --- the state machine: it remembers what it is given */

static int apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct server *s = fsm->data;
    CHECK(s->taken_count < COMMANDS_MAX);
    s->taken[s->taken_count++] = digest(0, buf->base, buf->len);
    *result = NULL;
    return 0;
}

/* --- making a cluster */

static void encode_members(const struct libraft *l, size_t voters,
                           struct raft_configuration *ret_configuration)
{
    raft_configuration_init(ret_configuration);
    for (size_t i = 0; i < l->count; i++) {
        const struct raft_fixture_server *s = &l->fixture.servers[i];
        int role = i < voters ? RAFT_VOTER : RAFT_SPARE;
        CHECK(raft_configuration_add(ret_configuration, s->id, s->address, role) == 0);
    }
}

struct libraft *libraft_create(size_t voters, size_t spares, bool has_prevote)
{
    struct libraft *l = calloc(1, sizeof(*l));
    struct raft_configuration configuration;
    CHECK(l && voters + spares <= RAFT_FIXTURE_MAX_SERVERS);
    rules_init(&l->rules, on_broken, l);
    CHECK(raft_fixture_initialize(&l->fixture) == 0);
    for (; l->count < voters + spares; l->count++) {
        struct server *s = &l->servers[l->count];
        s->fsm = (struct raft_fsm){.version = 1, .data = s, .apply = apply};
        CHECK(raft_fixture_grow(&l->fixture, &s->fsm) == 0);
        s->raft = raft_fixture_get(&l->fixture, (unsigned)l->count);
        snprintf(s->name, sizeof(s->name), "s%u", (unsigned)l->count + 1);
        raft_set_pre_vote(s->raft, has_prevote);
    }
    encode_members(l, voters, &configuration);
    CHECK(raft_fixture_bootstrap(&l->fixture, &configuration) == 0);
    raft_configuration_close(&configuration);
    raft_fixture_hook(&l->fixture, on_event);
    return l;
}

void libraft_destroy(struct libraft *l)
{
    raft_fixture_hook(&l->fixture, NULL);
    raft_fixture_close(&l->fixture);
    rules_fini(&l->rules);
    free(l);
}

static struct raft_buffer buffer_of(const char *text)
{
    size_t size = (strlen(text) + 8) & ~(size_t)7; /* it wants whole words */
    struct raft_buffer buf = {.base = raft_malloc(size), .len = size};
    CHECK(buf.base);
    memset(buf.base, 0, size);
    memcpy(buf.base, text, strlen(text));
    return buf;
}

void libraft_store_command(struct libraft *l, size_t server, uint64_t term, const char *text)
{
    struct raft_entry e = {.term = term, .type = RAFT_COMMAND, .buf = buffer_of(text)};
    raft_fixture_add_entry(&l->fixture, (unsigned)server - 1, &e);
}

void libraft_store_voters(struct libraft *l, size_t server, uint64_t term, size_t voters)
{
    struct raft_configuration configuration;
    struct raft_entry e = {.term = term, .type = RAFT_CHANGE};
    encode_members(l, voters, &configuration);
    CHECK(raft_configuration_encode(&configuration, &e.buf) == 0);
    raft_configuration_close(&configuration);
    raft_fixture_add_entry(&l->fixture, (unsigned)server - 1, &e);
}

void libraft_set_term(struct libraft *l, uint64_t term)
{
    for (size_t i = 0; i < l->count; i++)
        raft_fixture_set_term(&l->fixture, (unsigned)i, term);
}

void libraft_set_timeout(struct libraft *l, size_t server, unsigned timeout_ms)
{
    raft_fixture_set_randomized_election_timeout(&l->fixture, (unsigned)server - 1, timeout_ms);
}

void libraft_start(struct libraft *l)
{
    CHECK(raft_fixture_start(&l->fixture) == 0);
    l->is_started = true;
    observe(l);
}

/* --- what happens to it */

void libraft_run_until(struct libraft *l, uint64_t at_ms)
{
    CHECK(at_ms >= l->fixture.time);
    raft_fixture_step_until_elapsed(&l->fixture, (unsigned)(at_ms - l->fixture.time));
}

bool libraft_elect(struct libraft *l, size_t server)
{
    raft_fixture_elect(&l->fixture, (unsigned)server - 1);
    return l->servers[server - 1].raft->state == RAFT_LEADER;
}

static void switch_links(struct libraft *l, size_t server,
                         void (*act)(struct raft_fixture *, unsigned, unsigned))
{
    unsigned here = (unsigned)server - 1;
    for (unsigned there = 0; there < l->count; there++) {
        if (there == here)
            continue;
        act(&l->fixture, here, there);
        act(&l->fixture, there, here);
    }
}

void libraft_cut_off(struct libraft *l, size_t server)
{
    switch_links(l, server, raft_fixture_disconnect);
}

void libraft_connect(struct libraft *l, size_t server)
{
    switch_links(l, server, raft_fixture_reconnect);
}

void libraft_stop(struct libraft *l, size_t server)
{
    raft_fixture_kill(&l->fixture, (unsigned)server - 1);
}

void libraft_resume(struct libraft *l, size_t server)
{
    raft_fixture_revive(&l->fixture, (unsigned)server - 1);
}

static void on_applied(struct raft_apply *req, int status, void *result)
{
    struct libraft *l = req->data;
    (void)result;
    l->successes += status == 0;
}

static void on_changed(struct raft_change *req, int status)
{
    struct libraft *l = req->data;
    l->successes += status == 0;
}

bool libraft_propose(struct libraft *l, size_t server, const char *text)
{
    CHECK(l->request_count < REQUESTS_MAX);
    struct raft_apply *request = &l->requests[l->request_count++].apply;
    struct raft_buffer buf = buffer_of(text);
    request->data = l;
    bool is_taken = raft_apply(l->servers[server - 1].raft, request, &buf, 1, on_applied) == 0;
    if (!is_taken)
        raft_free(buf.base);
    observe(l);
    return is_taken;
}

bool libraft_remove(struct libraft *l, size_t server, size_t who)
{
    CHECK(l->request_count < REQUESTS_MAX);
    struct raft_change *request = &l->requests[l->request_count++].change;
    request->data = l;
    bool is_taken = raft_remove(l->servers[server - 1].raft, request, who, on_changed) == 0;
    observe(l);
    return is_taken;
}

/* --- what can be seen */

uint64_t libraft_now_ms(const struct libraft *l)
{
    return l->fixture.time;
}

size_t libraft_successes(const struct libraft *l)
{
    return l->successes;
}

const struct rules_server *libraft_server(const struct libraft *l, size_t server)
{
    return &l->servers[server - 1].seen;
}

bool libraft_has_given_up(const struct libraft *l, size_t server)
{
    return l->servers[server - 1].raft->state == RAFT_UNAVAILABLE;
}

const struct libraft_finding *libraft_found(const struct libraft *l, size_t n)
{
    return n < l->finding_count ? &l->findings[n] : NULL;
}
