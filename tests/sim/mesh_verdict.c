/* Verdicts: which outcomes the picture allows. Strict where something healthy was there all the
 * time: then a request must be answered. Elsewhere an error must still be a clear one.
 *
 * A *witness* for a request is an engine that has the model, was well, reachable and known to the
 * ingress, with some time to become known, from before the request until its end. */
#include "tests/sim/mesh_town.h"

#include "node/ingress/answer.h"
#include "node/ingress/exchange.h"

#define ENGINE_SETTLES_US (4 * TOWN_SECOND)      /* probed again, facts told */
#define ENGINE_PATH_SETTLES_US (7 * TOWN_SECOND) /* a probe may hang for its 5 s first */
#define PEER_SETTLES_US (5 * TOWN_SECOND / 2)    /* two rounds of facts */
#define LINK_QUEUED_MAX (256u * 1024)
#define LINK_SETTLES_US (4 * TOWN_SECOND) /* a half-open link is noticed by its pings */
#define LATE_US (10 * TOWN_SECOND)
#define DRAIN_MARGIN_US (200 * TOWN_MS) /* until what was sent has arrived at the ingress */
/* Between an engine and a user that reads slowly. Over one hop: three connections with a window and
 * a send buffer each, two nodes with a window, a read and an HTTP/2 queue each, one sealed write of
 * the link. A bulk answer has 3 MiB. */
#define IN_FLIGHT_MAX ((3u * 128 + 2 * 128 + 192) * 1024)

static uint64_t before(uint64_t t_us, uint64_t us)
{
    return t_us > us ? t_us - us : 0;
}

static bool node_is_well(struct town *t, size_t node, uint64_t since_us)
{
    const struct town_node *n = &t->nodes[node];
    return calm_is_since(&n->up, since_us) && calm_is_since(&n->runs, since_us) &&
           calm_is_since(&n->opens, since_us);
}

/* A peer is asked once, for all its engines. One of them began to answer and broke off: the peer
 * cannot take that back, and the ingress does not ask it again, although nothing reached the
 * user. */
static bool is_spoiled(struct town *t, const struct job *j, const struct engine *e)
{
    for (size_t i = 0; i < t->engine_count; i++) {
        const struct engine *other = &t->engines[i];
        if (other != e && other->node == e->node && (j->engines_seen >> i & 1) &&
            !calm_is_since(&other->well, j->started_us))
            return true;
    }
    return false;
}

static bool is_witness(struct town *t, const struct job *j, const struct engine *e)
{
    uint64_t us = j->started_us;
    size_t host = town_host_of_engine(t, e->index);
    if (!engine_has_model(e, j->model) || !calm_is_since(&e->well, before(us, ENGINE_SETTLES_US)) ||
        !calm_is_since(town_path(t, e->node, host), before(us, ENGINE_PATH_SETTLES_US)) ||
        !node_is_well(t, e->node, before(us, ENGINE_SETTLES_US)) ||
        !calm_is_since(&t->nodes[e->node].stays, us))
        return false;
    if (e->node == j->ingress)
        return true;
    return !is_spoiled(t, j, e) &&
           calm_is_since(&t->peer[j->ingress][e->node], before(us, PEER_SETTLES_US)) &&
           calm_is_since(town_path(t, j->ingress, e->node), before(us, LINK_SETTLES_US));
}

static const struct engine *find_witness(struct town *t, const struct job *j)
{
    if (!node_is_well(t, j->ingress, j->started_us) ||
        !calm_is_since(&t->nodes[j->ingress].stays, j->started_us))
        return NULL;
    for (size_t i = 0; i < t->engine_count; i++)
        if (is_witness(t, j, &t->engines[i]))
            return &t->engines[i];
    return NULL;
}

/* It may have waited for an engine that was silent until the deadline; or for a peer that was,
 * where the deadline is too near for the link to notice. */
static bool met_silence(struct town *t, const struct job *j)
{
    if (t->deadline_ms < TOWN_DEADLINE_MS && !town_is_calm_since(t, j->started_us))
        return true;
    for (size_t i = 0; i < t->engine_count; i++) {
        const struct engine *e = &t->engines[i];
        bool seen = j->engines_seen >> i & 1;
        if ((seen && !calm_is_since(&e->well, j->started_us)) ||
            !calm_is_since(town_path(t, e->node, town_host_of_engine(t, i)), j->started_us))
            return true;
    }
    return false;
}

/* A node that drains finishes what it had taken before. */
static bool drain_spares(const struct town_node *n, const struct job *j)
{
    return j->arrives_at_once && j->sent_us > 0 && j->sent_us + DRAIN_MARGIN_US < n->drain_us &&
           calm_is_since(&n->lives, j->conn_opened_us) && calm_is_since(&n->runs, j->started_us);
}

static bool connection_was_disturbed(struct town *t, const struct job *j)
{
    const struct town_node *n = &t->nodes[j->ingress];
    uint64_t us = j->conn_opened_us;
    bool was_up = calm_is_since(&n->up, us) && n->start_order == j->ingress_start;
    bool was_let_in = calm_is_since(&n->opens, us);
    if ((!was_up && !drain_spares(n, j)) || !was_let_in)
        return true;
    for (size_t i = 0; i < t->user_count; i++)
        if (!calm_is_since(town_path(t, j->ingress, town_host_of_user(t, i)), us))
            return true;
    return false;
}

/* --- one verdict per outcome */

static void judge_bad_request(struct town *t, struct job *j)
{
    bool ok = j->kind == JOB_BAD_JSON ? j->status == 400 && strcmp(j->code, "invalid_json") == 0
                                      : j->status == 404 && strcmp(j->code, "model_not_found") == 0;
    const struct town_node *n = &t->nodes[j->ingress];
    bool excused = !calm_is_since(&n->up, before(j->started_us, TOWN_SECOND)) ||
                   !calm_is_since(&n->stays, j->started_us) ||
                   !calm_is_since(&n->runs, j->started_us);
    /* A node that knows no model at all, or an engine that loads, will not say that there is none.
     */
    bool guesses = strcmp(j->code, "no_candidate") == 0 || strcmp(j->code, "backend_loading") == 0;
    excused |= guesses && !town_is_calm_since(t, before(j->started_us, ENGINE_SETTLES_US));
    if (!ok && !excused)
        town_fail(t, "bad_requests_are_told_so", "%s: kind %d got %d %s", j->id, j->kind, j->status,
                  j->code);
}

static void judge_words(struct town *t, struct job *j)
{
    if (!job_take_code(j, buf_bytes(&j->extra))) {
        town_fail(t, "errors_have_reasons", "%s: %d without a code: %.*s", j->id, j->status,
                  (int)(j->extra.size < 200 ? j->extra.size : 200), (const char *)j->extra.data);
        return;
    }
    char own_id[JOB_ID_SIZE + 8];
    int size = snprintf(own_id, sizeof own_id, "\"id\":\"%s\"", j->id);
    if (strcmp(j->code, "scripted") == 0) { /* an engine's own error, passed on */
        if (!memmem(j->extra.data, j->extra.size, own_id, (size_t)size))
            town_fail(t, "no_cross_talk", "%s got an engine's error for another", j->id);
        return;
    }
    enum err reason = answer_reason_of(bytes_from_str(j->code));
    if (reason == ERR_INTERNAL || answer_status(reason) != j->status)
        town_fail(t, "errors_have_reasons", "%s: %d with code %s", j->id, j->status, j->code);
}

static void judge_error(struct town *t, struct job *j)
{
    judge_words(t, j);
    if (!job_is_good(j)) {
        judge_bad_request(t, j);
        return;
    }
    const struct engine *witness = find_witness(t, j);
    if (j->must_succeed || (witness && !(j->status == 504 && met_silence(t, j))))
        town_fail(t, "answered_while_healthy", "%s: %d %s from %s, although %s could serve %s",
                  j->id, j->status, j->code, t->nodes[j->ingress].name,
                  witness ? witness->name : "the mesh", j->model);
}

/* Names on the trail, from the ingress to the executor. */
static size_t read_trail(struct town *t, const struct job *j, size_t ret_nodes[4])
{
    size_t count = 0;
    struct bytes rest = bytes_from_str(j->trail);
    while (rest.size > 0 && count < 4) {
        struct bytes name = bytes_of(rest.data, bytes_find(rest, ','));
        for (size_t i = 0; i < t->node_count; i++)
            if (bytes_equal(name, bytes_from_str(t->nodes[i].name)))
                ret_nodes[count++] = i;
        rest = bytes_skip(rest, name.size + 1);
    }
    return count;
}

static bool are_peers_since(struct town *t, size_t a, size_t b, uint64_t us)
{
    return calm_is_since(&t->peer[a][b], us) && calm_is_since(&t->peer[b][a], us);
}

static bool trail_was_disturbed(struct town *t, const struct job *j)
{
    size_t nodes[4] = {0};
    size_t count = read_trail(t, j, nodes);
    uint64_t us = j->started_us;
    if (count == 0 || j->engine < 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (!node_is_well(t, nodes[i], us) && !drain_spares(&t->nodes[nodes[i]], j))
            return true;
    for (size_t i = 0; i + 1 < count; i++)
        if (!calm_is_since(town_path(t, nodes[i], nodes[i + 1]), us) ||
            (!drain_spares(&t->nodes[nodes[i]], j) && !drain_spares(&t->nodes[nodes[i + 1]], j) &&
             !are_peers_since(t, nodes[i], nodes[i + 1], us)))
            return true;
    size_t host = town_host_of_engine(t, (size_t)j->engine);
    return !calm_is_since(&t->engines[j->engine].well, us) ||
           !calm_is_since(town_path(t, nodes[count - 1], host), us);
}

static void judge_broken(struct town *t, struct job *j)
{
    bool lost = connection_was_disturbed(t, j);
    bool has_event = job_is_stream(j) && job_ends_in_error_event(j);
    /* Whatever the reason: the executor's clock may run out a little before the ingress's, and a
     * reset does not say why. */
    bool late = (t->deadline_ms < TOWN_DEADLINE_MS || met_silence(t, j)) &&
                j->ended_us - j->started_us + 100 * TOWN_MS >= t->deadline_ms * TOWN_MS;
    if (job_is_stream(j) && !has_event && (!lost || j->is_complete || j->extra.size > 0))
        town_fail(t, "broken_streams_say_so", "%s: %zu of %zu bytes, extra '%.*s'", j->id,
                  j->matched, j->answer.size, (int)(j->extra.size < 80 ? j->extra.size : 80),
                  j->extra.size ? (const char *)j->extra.data : "");
    if (!job_is_stream(j) && (j->is_complete || (j->status == 200 && j->extra.size > 0)))
        town_fail(t, "byte_exact_answer", "%s: %zu of %zu bytes are right, then others", j->id,
                  j->matched, j->answer.size);
    if (!lost && !late && (j->must_succeed || !trail_was_disturbed(t, j)))
        town_fail(t, "whole_while_healthy", "%s: broken at %zu of %zu (%s), all well on %s", j->id,
                  j->matched, j->answer.size, j->code, j->trail);
}

static void judge_lost(struct town *t, struct job *j)
{
    const struct town_node *n = &t->nodes[j->ingress];
    bool leaves = !calm_is_since(&n->stays, j->conn_opened_us); /* keep-alive ends as it likes */
    bool slept = j->timed_out && !calm_is_since(&n->runs, j->started_us);
    if (j->is_behind_close || connection_was_disturbed(t, j) || slept ||
        (leaves && !j->timed_out && !drain_spares(n, j)))
        return;
    town_fail(t, "no_request_is_lost", "%s: %s by %s", j->id,
              j->was_refused ? "refused"
              : j->timed_out ? "never answered"
                             : "connection ended without an answer",
              n->name);
}

static void judge_whole(struct town *t, struct job *j)
{
    if (!job_is_good(j))
        town_fail(t, "bad_requests_are_told_so", "%s: kind %d got 200", j->id, j->kind);
    size_t nodes[4] = {0};
    size_t count = read_trail(t, j, nodes);
    bool starts_here = count > 0 && nodes[0] == j->ingress;
    bool ends_there = count > 0 && strcmp(t->nodes[nodes[count - 1]].name, j->node) == 0 &&
                      j->engine >= 0 && t->engines[j->engine].node == nodes[count - 1];
    if (!starts_here || !ends_there)
        town_fail(t, "the_trail_is_true", "%s: trail %s, node %s, engine %d", j->id, j->trail,
                  j->node, j->engine);
    if (count > 0 && count <= 4)
        t->stats.hops[count - 1]++;
    t->stats.retried += j->executions > 1;
}

/* --- cancelled ones */

/* The promise is 100 ms, on paths without latency; and a reset waits behind what its link has
 * queued already, which goes a window per round trip. */
static uint64_t cancel_bound_us(const struct town *t)
{
    uint64_t way_us = t->sim.link.latency_max_us + t->sim.link.jitter_us;
    uint64_t rounds = LINK_QUEUED_MAX / t->sim.window_bytes + 1;
    return 100 * TOWN_MS + 12 * way_us + rounds * 2 * way_us;
}

static void on_cancel_due(void *ctx)
{
    struct job *j = ctx;
    struct town *t = j->town;
    if (j->running > 0 && town_is_calm_since(t, j->started_us))
        town_fail(t, "cancel_reaches_engines", "%s: an engine still works %llu ms after", j->id,
                  (unsigned long long)(cancel_bound_us(t) / TOWN_MS));
}

static void judge_quit(struct town *t, struct job *j)
{
    bool event_began = memmem(j->extra.data ? j->extra.data : (const uint8_t *)"", j->extra.size,
                              "error", 5) != NULL;
    if (j->status == 200 && j->extra.size > 0 && !event_began)
        town_fail(t, "byte_exact_answer", "%s: %zu bytes are right, then others", j->id,
                  j->matched);
}

void town_judge(struct job *j)
{
    struct town *t = j->town;
    TRACE(&t->trace, "users", "user_done", LOG_STR("id", j->id),
          LOG_STR("outcome", job_outcome_name(j->outcome)), LOG_INT("status", j->status),
          LOG_UINT("received", j->received), LOG_STR("trail", j->trail),
          LOG_UINT("executions", j->executions));
    t->stats.outcomes[j->outcome]++;
    switch (j->outcome) {
    case JOB_OK: judge_whole(t, j); break;
    case JOB_ERROR: judge_error(t, j); break;
    case JOB_BROKEN: judge_broken(t, j); break;
    case JOB_LOST: judge_lost(t, j); break;
    case JOB_QUIT: judge_quit(t, j); break;
    default: CHECK(false);
    }
    /* However it ended, also that of a hedge or of a primary that lost. */
    sim_world_at(t->world, town_now_us(t) + cancel_bound_us(t), on_cancel_due, j);
    if (j->executions != 1)
        return; /* two engines wrote at once: their bytes cannot be told apart */
    if (j->in_flight_max > t->stats.in_flight_max)
        t->stats.in_flight_max = j->in_flight_max;
    if (j->in_flight_max > IN_FLIGHT_MAX)
        town_fail(t, "back_pressure_holds", "%s: %zu bytes between engine and user", j->id,
                  j->in_flight_max);
}

void town_judge_arrival(struct job *j, const struct engine *e)
{
    struct town *t = j->town;
    bool calm = town_is_calm_since(t, before(j->started_us, ENGINE_PATH_SETTLES_US));
    unsigned most = t->hedge_after_ms > 0 ? EXCHANGE_ATTEMPTS_MAX : 1;
    if (j->executions >= most && calm)
        town_fail(t, "executed_once", "%s reached %s again, and nothing was wrong", j->id, e->name);
    /* A hedge that was on its way is cancelled on its way. */
    uint64_t way_us = t->hedge_after_ms > 0 ? cancel_bound_us(t) : 0;
    if (j->first_byte_us && j->status == 200 && town_now_us(t) > j->first_byte_us + way_us && calm)
        town_fail(t, "no_retry_after_first_byte", "%s reached %s after its answer began", j->id,
                  e->name);
    bool late = j->outcome != JOB_PENDING && town_now_us(t) > j->ended_us + LATE_US;
    if (late && town_is_calm_since(t, j->started_us)) /* a paused node cannot know how late it is */
        town_fail(t, "no_late_work", "%s reached %s %.1f s after its end", j->id, e->name,
                  (double)(town_now_us(t) - j->ended_us) / 1e6);
}
