/* A member of a mesh that has rules and nothing else: what it says, and what it answers. */
#ifndef TESTS_UNIT_NODE_RULES_MEMBER_H
#define TESTS_UNIT_NODE_RULES_MEMBER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/rules/rules.h"
#include "tests/sim/io/world.h"
#include "tests/support/trust_fixture.h"

#define MEMBERS_MAX 5
#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define ADMIN_KEY 2

struct member {
    struct world *world;
    size_t index;
    char dir[96];
    struct identity identity;
    struct log log;
    struct buf log_text;
    struct facts facts;
    struct io_loop *loop;
    struct mesh *mesh;
    struct rules *rules;
    const char *contacts[MEMBERS_MAX];
    size_t contact_count;
    uint32_t changed;
};

struct world {
    struct sim_world *sim;
    struct fixture mesh;
    struct fixture_key admin;
    char dir[64];
    struct member members[MEMBERS_MAX];
    size_t count; /* that exist */
    uint64_t sequence;
    uint64_t snapshot_entries;
    bool is_durable; /* logs are allocated and synced */
};

struct asked {
    struct rules_call call;
    bool is_done;
    struct registry_result result;
};

static const char *const member_hosts[MEMBERS_MAX] = {"a", "b", "c", "d", "e"};

/* --- what a member says */

static inline uint64_t member_wall_ms(void *ctx)
{
    return io_wall_ms(((struct member *)ctx)->loop);
}

static inline void member_log(void *ctx, struct bytes line)
{
    struct member *m = ctx;
    if (getenv("RULES_LOG"))
        fprintf(stderr, "%s: %.*s", member_hosts[m->index], (int)line.size,
                (const char *)line.data);
    assert_int_equal(buf_append(&m->log_text, line), ERR_OK);
}

static inline bool member_said(const struct member *m, const char *text)
{
    return memmem(m->log_text.data, m->log_text.size, text, strlen(text)) != NULL;
}

static inline const struct facts *member_facts(void *owner)
{
    struct member *m = owner;
    m->facts.rules = m->mesh ? *mesh_rules(m->mesh) : (struct facts_rules){0};
    return &m->facts;
}

static inline enum err member_on_request(void *owner, struct peer *peer, struct h2_stream *s,
                                         const struct http_head *head, bool ended,
                                         struct mesh_stream **ret_stream)
{
    struct member *m = owner;
    if (!m->rules || !rules_owns(head->target))
        return ERR_NO_SUCH_PATH;
    return rules_accept(m->rules, peer, s, head, ended, ret_stream);
}

static inline void member_on_peer(void *owner, struct peer *peer)
{
    struct member *m = owner;
    if (m->rules)
        rules_on_peer(m->rules, peer);
}

static inline enum err member_admit(void *owner, const struct id *node)
{
    const struct member *m = owner;
    return m->rules ? rules_admit(m->rules, node) : ERR_OK;
}

static const struct mesh_ops member_mesh_ops = {.on_request = member_on_request,
                                                .facts = member_facts,
                                                .on_peer = member_on_peer,
                                                .on_rules = member_on_peer,
                                                .admit = member_admit};

static inline void member_on_change(void *owner, uint32_t kinds)
{
    struct member *m = owner;
    m->changed |= kinds;
    if (m->mesh)
        mesh_review_admission(m->mesh);
}

static const struct rules_ops member_rules_ops = {.on_change = member_on_change};

#endif
