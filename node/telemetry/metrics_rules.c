/* The part of the page that is about the rules of the mesh: how far this node is with the log, what
 * its disk takes, what became of commands, and what replicas do. Called by metrics.c. */
#include "node/telemetry/metrics.h"

#include "node/lane.h"

#include <inttypes.h>

static enum err put_state(const struct rules *r, struct buf *out)
{
    struct rules_status s;
    rules_status(r, &s);
    const struct metrics_row rows[] = {
        {"rules_epoch", "gauge", "Of the rules in force here.", s.epoch},
        {"rules_applied_index", "gauge", "Last entry of the log that was applied.", s.applied},
        {"rules_commit_index", "gauge", "Last one that is known to be committed.", s.commit},
        {"rules_lag_entries", "gauge", "Committed and not applied here yet.",
         s.commit > s.applied ? s.commit - s.applied : 0},
        {"rules_has_quorum", "gauge", "1: a leader is known.", s.has_quorum},
        {"rules_stopped", "gauge", "1: nothing more is applied, see the log.", s.stopped != ERR_OK},
        {"rules_disk_full", "gauge", "1: it only follows until there is room.", s.is_disk_full},
        {"rules_diverged", "gauge", "1: another replica has another state at the same index.",
         s.is_diverged},
        {"raft_term", "gauge", "0: no member.", s.term},
        {"raft_is_leader", "gauge", "1: this node leads.", s.is_leader},
        {"raft_is_voter", "gauge", "1: this node votes.", s.is_voter},
    };
    return metrics_put_rows(out, rows, sizeof rows / sizeof rows[0]);
}

static enum err put_core(const struct rules *r, struct buf *out)
{
    struct raft_status s;
    struct raft_counts c;
    rules_raft_status(r, &s, &c);
    const struct metrics_row rows[] = {
        {"raft_elections_total", "counter", "Candidacies of this node.", c.elections},
        {"raft_step_downs_total", "counter", "Times that it ceased to lead.", c.step_downs},
        {"raft_proposals_total", "counter", "Entries that it was given as the leader.",
         c.proposals},
        {"raft_messages_received_total", "counter", "Of members.", c.messages_in},
        {"raft_messages_sent_total", "counter", "To members.", c.messages_out},
        {"raft_snapshots_total", "counter", "Snapshots made or taken over.", c.snapshots},
        {"raft_uncommitted_bytes", "gauge", "Of entries that a leader waits for.",
         s.uncommitted_bytes},
    };
    return metrics_put_rows(out, rows, sizeof rows / sizeof rows[0]);
}

static enum err put_disk(const struct rules_counts *c, struct buf *out)
{
    uint64_t sum = 0;
    TRY(buf_append_str(out, "# HELP grapevine_rules_commit_seconds Commits of the log, sync "
                            "included.\n# TYPE grapevine_rules_commit_seconds histogram\n"));
    for (size_t i = 0; i + 1 < RULES_COMMIT_SLOTS; i++) {
        sum += c->commit_slots[i];
        uint64_t us = UINT64_C(64) << i;
        TRY(buf_printf(out,
                       "grapevine_rules_commit_seconds_bucket{le=\"%" PRIu64 ".%06" PRIu64
                       "\"} %" PRIu64 "\n",
                       us / 1000000, us % 1000000, sum));
    }
    return buf_printf(out,
                      "grapevine_rules_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64
                      "\ngrapevine_rules_commit_seconds_sum %" PRIu64 ".%06" PRIu64
                      "\ngrapevine_rules_commit_seconds_count %" PRIu64 "\n",
                      c->commits, c->commit_total_us / 1000000, c->commit_total_us % 1000000,
                      c->commits);
}

static enum err put_commands(const struct rules_counts *c, struct buf *out)
{
    const struct metrics_row rows[] = {
        {"rules_calls_waiting", "gauge", "Commands and consistent reads under way.", c->waiting},
        {"rules_ranges_pulled_total", "counter", "Ranges of the log taken from others.",
         c->ranges_pulled},
        {"rules_bytes_pulled_total", "counter", "Their bytes.", c->bytes_pulled},
        {"rules_lies_total", "counter", "Ranges that were not of this mesh's log.", c->lies},
        {"rules_sources_left_total", "counter",
         "Times that another was asked for the log, since the one asked gave nothing.",
         c->sources_left},
        {"rules_pullers", "gauge", "Replicas that wait here for news.", c->pullers},
        {"rules_pullers_refused_total", "counter", "Replicas for which there was no room.",
         c->pullers_refused},
    };
    TRY(buf_printf(out,
                   "# HELP grapevine_rules_commands_total Commands brought to this node, by what "
                   "became of them.\n# TYPE grapevine_rules_commands_total counter\n"
                   "grapevine_rules_commands_total{outcome=\"committed\"} %" PRIu64
                   "\ngrapevine_rules_commands_total{outcome=\"refused\"} %" PRIu64
                   "\ngrapevine_rules_commands_total{outcome=\"unknown\"} %" PRIu64 "\n",
                   c->committed, c->refused, c->unknown));
    return metrics_put_rows(out, rows, sizeof rows / sizeof rows[0]);
}

enum err metrics_rules_write(const struct lane *lane, struct buf *out)
{
    struct rules_counts c;
    if (!lane->rules)
        return ERR_OK;
    rules_counts(lane->rules, &c);
    TRY(put_state(lane->rules, out));
    TRY(put_core(lane->rules, out));
    TRY(put_disk(&c, out));
    return put_commands(&c, out);
}
