/* Operators: they change the members again and again, with little sense, hand the lead over, and
 * take back in who lost its disk. The core has to refuse what is not safe. */
#include "tests/sim/raft_parts.h"

/* The members now, as an order would name them. */
static size_t targets_of(const struct raft_config *config, struct raft_target *out)
{
    size_t count = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        if (m->was_voter && !m->is_voter)
            continue;
        if (count && id_equal(&out[count - 1].id, &m->id))
            out[count - 1].is_voter |= m->is_voter;
        else
            out[count++] = (struct raft_target){m->id, m->is_voter};
    }
    return count;
}

static void order(struct raft_node *n, const struct raft_target *targets, size_t count)
{
    struct raft_event e = {.type = RAFT_CHANGE, .targets = targets, .count = count};
    shell_step(n, &e);
}

static size_t find(const struct raft_target *targets, size_t count, const struct id *id)
{
    size_t at = 0;
    while (at < count && !id_equal(&targets[at].id, id))
        at++;
    return at;
}

/* A random other list: somebody comes as a learner, is promoted, demoted, or goes; sometimes more.
 */
static size_t twist(struct raft_world *w, struct raft_target *targets, size_t count)
{
    size_t rounds = 1 + (size_t)rng_below(&w->rng, 2), voters = 0;
    for (size_t i = 0; i < count; i++)
        voters += targets[i].is_voter;
    for (size_t i = 0; i < rounds; i++) {
        struct raft_node *n = &w->nodes[rng_below(&w->rng, w->node_count)];
        size_t at = find(targets, count, &n->id);
        if (at == count) {
            targets[count++] = (struct raft_target){n->id, false};
        } else if (!targets[at].is_voter) {
            targets[at].is_voter = rng_below(&w->rng, 4) != 0;
            voters += targets[at].is_voter;
            if (!targets[at].is_voter)
                targets[at] = targets[--count];
        } else if (voters > w->voters_min) {
            voters--;
            if (rng_below(&w->rng, 2))
                targets[at].is_voter = false;
            else
                targets[at] = targets[--count];
        }
    }
    return count;
}

static bool has_fenced(const struct raft_status *s)
{
    for (size_t i = 0; i < s->progress_count; i++)
        if (s->progress[i].is_fenced)
            return true;
    return false;
}

/* The shell's standing duty: a voter with another disk is taken in again. */
static bool readmit(struct raft_node *leader)
{
    struct raft_target targets[RAFT_MEMBERS_MAX];
    const struct raft_config *config = raft_config(leader->core);
    if (!has_fenced(&leader->seen) || raft_config_is_joint(config))
        return false;
    order(leader, targets, targets_of(config, targets));
    return true;
}

static void disturb(struct raft_world *w, struct raft_node *n)
{
    struct raft_target targets[RAFT_NODES + RAFT_MEMBERS_MAX];
    if (world_chance(w, w->features.transfer)) {
        struct raft_event e = {.type = RAFT_HAND_OVER};
        if (rng_below(&w->rng, 2))
            e.id = w->nodes[rng_below(&w->rng, w->node_count)].id;
        w->stats.transfers++;
        shell_step(n, &e);
    } else if (!w->damaged && world_chance(w, w->features.change)) {
        size_t count = targets_of(raft_config(n->core), targets);
        order(n, targets, twist(w, targets, count));
    }
}

void members_run(struct raft_world *w)
{
    struct raft_happening h = {.type = RAFT_HAPPENS_MEMBERS};
    struct raft_node *leader = world_leader(w);
    world_at(w, w->now_ms + 20 + rng_below(&w->rng, 30), &h);
    if (!leader || w->now_ms < leader->paused_until_ms || readmit(leader) || w->is_calm)
        return;
    disturb(w, leader);
}

bool members_are_settled(struct raft_world *w)
{
    struct raft_node *leader = world_leader(w);
    return leader && !raft_config_is_joint(raft_config(leader->core)) && !has_fenced(&leader->seen);
}
