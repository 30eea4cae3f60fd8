/* Who should vote, as the registry says, and what the leader does about it: learners first, which
 * catch up, then one joint change to the wanted set. `auto N` keeps whoever votes and is there,
 * and fills up so that regions, then zones, have as few in common as can be; a voter that is down
 * for `voters.replace_after_ms`, drained or revoked gives its place to another.
 *
 * Never below safety: no change unless more than half of the wanted set is alive, and a voter that
 * is merely down for a while stays one. */
#include "node/rules/inner.h"

#include <stdlib.h>

#define NODES_MAX 4096
#define CAUGHT_UP 1000 /* entries that a learner may still lack when it is asked to vote */
#define AGAIN_MS 3000  /* after a change that failed */

struct candidate {
    struct id id;
    char region[CERT_NAME_MAX + 1], zone[CERT_NAME_MAX + 1];
    uint32_t tier;
    bool votes, is_alive, is_chosen;
};

struct choice {
    struct rules *r;
    const struct raft_config *config;
    uint64_t replace_ms;
    struct candidate *nodes;
    size_t node_count;
    struct id wanted[RAFT_VOTERS_MAX];
    size_t wanted_count;
};

/* --- who is there */

static bool votes_now(const struct raft_config *config, const struct id *id)
{
    for (size_t i = 0; i < config->count; i++)
        if (config->members[i].is_voter && id_equal(&config->members[i].id, id))
            return true;
    return false;
}

static bool is_in(const struct raft_config *config, const struct id *id)
{
    for (size_t i = 0; i < config->count; i++)
        if (id_equal(&config->members[i].id, id))
            return true;
    return false;
}

static bool is_alive(const struct rules *r, const struct id *id)
{
    const struct peer *p = mesh_peer_find(r->mesh, id);
    return id_equal(id, rules_self(r)) || (p && p->state == PEER_ALIVE);
}

/* How long a member was not there, as this leader saw it. */
static uint64_t lost_for_ms(struct rules *r, const struct id *id)
{
    struct rules_voters *v = &r->voters;
    uint64_t now_ms = rules_now_ms(r);
    for (size_t i = 0; i < v->lost_count; i++)
        if (id_equal(&v->lost[i].id, id))
            return now_ms - v->lost[i].since_ms;
    if (v->lost_count < RAFT_MEMBERS_MAX)
        v->lost[v->lost_count++] = (struct rules_lost){.id = *id, .since_ms = now_ms};
    return 0;
}

static void find_again(struct rules *r)
{
    struct rules_voters *v = &r->voters;
    for (size_t i = v->lost_count; i-- > 0;)
        if (is_alive(r, &v->lost[i].id))
            v->lost[i] = v->lost[--v->lost_count];
}

static bool add_candidate(void *ctx, const struct registry_row *row)
{
    struct choice *c = ctx;
    const struct registry_node *n = &row->doc.node;
    if (n->state != REGISTRY_ADMITTED || c->node_count == NODES_MAX)
        return c->node_count < NODES_MAX;
    struct candidate *k = &c->nodes[c->node_count];
    *k = (struct candidate){.id = n->id,
                            .tier = n->tier,
                            .votes = votes_now(c->config, &n->id),
                            .is_alive = is_alive(c->r, &n->id)};
    bytes_to_str(n->region, k->region, sizeof k->region);
    bytes_to_str(n->zone, k->zone, sizeof k->zone);
    bool is_kept = k->votes && !k->is_alive && lost_for_ms(c->r, &k->id) < c->replace_ms;
    c->node_count += k->is_alive || is_kept;
    return true;
}

/* --- auto */

/* Less is better: as few as can be of one region, of one zone; voters stay; the big before the
 * small. */
static uint64_t cost_of(const struct choice *c, const struct candidate *k)
{
    uint64_t region = 0, zone = 0;
    for (size_t i = 0; i < c->node_count; i++) {
        const struct candidate *other = &c->nodes[i];
        bool is_near = other->is_chosen && strcmp(other->region, k->region) == 0;
        region += is_near;
        zone += is_near && strcmp(other->zone, k->zone) == 0;
    }
    uint64_t rank = REGISTRY_TIER_CLOUD - k->tier;
    return (k->votes ? 0 : UINT64_C(1) << 40) + (region << 24) + (zone << 16) + (rank << 8) +
           !k->is_alive;
}

static void choose_one(struct choice *c)
{
    struct candidate *best = NULL;
    for (size_t i = 0; i < c->node_count; i++) {
        struct candidate *k = &c->nodes[i];
        if (!k->is_chosen && (!best || cost_of(c, k) < cost_of(c, best)))
            best = k;
    }
    if (!best)
        return;
    best->is_chosen = true;
    c->wanted[c->wanted_count++] = best->id;
}

/* An even number is no safer than one less. */
static void choose(struct choice *c, size_t count)
{
    while (count > c->node_count)
        count -= 2;
    for (size_t i = 0; i < count && i < RAFT_VOTERS_MAX; i++)
        choose_one(c);
}

static void want_list(struct choice *c, const struct registry_voters *list)
{
    for (size_t i = 0; i < list->node_count; i++)
        if (rules_admit(c->r, &list->nodes[i].id) == ERR_OK)
            c->wanted[c->wanted_count++] = list->nodes[i].id;
}

static enum err find_wanted(struct choice *c)
{
    struct registry_row row;
    const struct rules *r = c->r;
    TRY(registry_setting_number(r->reader, "voters.replace_after_ms", &c->replace_ms));
    TRY(registry_get(r->reader, REGISTRY_VOTERS, bytes_of(NULL, 0), bytes_of(NULL, 0), &row));
    if (row.doc.voters.automatic == 0) {
        want_list(c, &row.doc.voters);
        return ERR_OK;
    }
    size_t count = (size_t)row.doc.voters.automatic;
    c->nodes = calloc(NODES_MAX, sizeof *c->nodes);
    if (!c->nodes)
        return ERR_NO_MEMORY;
    enum err e = registry_scan(r->reader, REGISTRY_NODE, bytes_of(NULL, 0), add_candidate, c);
    if (e == ERR_OK)
        choose(c, count);
    free(c->nodes);
    return e;
}

/* --- what to do */

static bool is_wanted(const struct choice *c, const struct id *id)
{
    for (size_t i = 0; i < c->wanted_count; i++)
        if (id_equal(&c->wanted[i], id))
            return true;
    return false;
}

static const struct raft_progress *progress_of(const struct raft_status *s, const struct id *id)
{
    for (size_t i = 0; i < s->progress_count; i++)
        if (id_equal(&s->progress[i].id, id))
            return &s->progress[i];
    return NULL;
}

static bool has_caught_up(const struct rules *r, const struct raft_status *s, const struct id *id)
{
    const struct raft_progress *p = progress_of(s, id);
    return id_equal(id, rules_self(r)) || (p && p->match + CAUGHT_UP >= s->commit);
}

static bool is_safe(const struct choice *c)
{
    size_t alive = 0;
    for (size_t i = 0; i < c->wanted_count; i++)
        alive += is_alive(c->r, &c->wanted[i]);
    return alive > c->wanted_count / 2;
}

static void change(struct rules *r, const struct raft_target *targets, size_t count,
                   const char *what)
{
    LOG(r->cfg.log, LOG_INFO, "voters_change", LOG_STR("what", what), LOG_UINT("members", count));
    r->voters.is_changing = true;
    r->voters.again_ms = rules_now_ms(r) + AGAIN_MS;
    core_step(r,
              &(struct raft_event){
                  .type = RAFT_CHANGE, .tag = CORE_TAG_CHANGE, .targets = targets, .count = count});
}

/* Those who are to vote and are not even members. True: there are any. */
static bool add_learners(struct choice *c)
{
    struct raft_target targets[RAFT_MEMBERS_MAX];
    size_t count = 0, missing = 0;
    for (size_t i = 0; i < c->config->count; i++)
        targets[count++] = (struct raft_target){.id = c->config->members[i].id,
                                                .is_voter = c->config->members[i].is_voter};
    for (size_t i = 0; i < c->wanted_count && count < RAFT_MEMBERS_MAX; i++)
        if (!is_in(c->config, &c->wanted[i]) && is_alive(c->r, &c->wanted[i])) {
            targets[count++] = (struct raft_target){.id = c->wanted[i]};
            missing++;
        }
    if (missing > 0)
        change(c->r, targets, count, "learners");
    return missing > 0;
}

static bool is_done(const struct choice *c, const struct raft_status *s)
{
    if (c->config->count != c->wanted_count)
        return false;
    for (size_t i = 0; i < c->config->count; i++) {
        const struct raft_progress *p = progress_of(s, &c->config->members[i].id);
        bool is_other_disk = p && p->is_fenced;
        if (!c->config->members[i].is_voter || is_other_disk ||
            !is_wanted(c, &c->config->members[i].id))
            return false;
    }
    return true;
}

static void make_voters(struct choice *c, const struct raft_status *s)
{
    struct raft_target targets[RAFT_VOTERS_MAX];
    for (size_t i = 0; i < c->wanted_count; i++) {
        targets[i] = (struct raft_target){.id = c->wanted[i], .is_voter = true};
        if (!votes_now(c->config, &c->wanted[i]) && !has_caught_up(c->r, s, &c->wanted[i]))
            return; /* it is still learning */
    }
    change(c->r, targets, c->wanted_count, "voters");
}

void voters_look(struct rules *r)
{
    struct raft_status s;
    struct choice c = {.r = r};
    if (!r->raft || !raft_is_leader(r->raft) || r->is_draining || r->head.epoch == 0)
        return;
    c.config = raft_config(r->raft);
    find_again(r);
    if (r->voters.is_changing && rules_now_ms(r) < r->voters.again_ms)
        return;
    if (raft_config_is_joint(c.config) || find_wanted(&c) != ERR_OK || c.wanted_count == 0)
        return;
    raft_status(r->raft, &s);
    if (is_done(&c, &s) || !is_safe(&c) || add_learners(&c))
        return;
    make_voters(&c, &s);
}

void voters_on_outcome(struct rules *r, const struct raft_outcome *outcome)
{
    if (outcome->err != ERR_OK)
        LOG(r->cfg.log, LOG_INFO, "voters_change_refused", LOG_ERR(outcome->err));
    r->voters.is_changing = outcome->err != ERR_OK; /* not again at once, then */
}
