"""The guards of the raft core: what each is for, the text that takes it out, and which scenarios of
raft_sim must miss it. The simulator's own shell has guards too (disk, state machine): a shell that
leaves them out is as wrong as a core that does.

Text stands in the code exactly once, or raft_mutants says so: change guards here, too."""
import dataclasses


@dataclasses.dataclass
class Guard:
    name: str
    about: str
    detectors: list  # scenarios; the first whose seeds miss it ends it
    edits: list      # of (file, old text, new text)


GUARDS = []


def guard(name, about, detectors, *edits):
    GUARDS.append(Guard(name, about, detectors.split(), list(edits)))


# --- terms and votes

guard("vote_before_reply", "a vote is durable before it is told", "mixed elections",
      ("raft/post.c", "    if (r->is_hard_dirty || index > r->log.durable)",
       "    if (type != RAFT_VOTE_REPLY && (r->is_hard_dirty || index > r->log.durable))"))
guard("candidacy_before_votes", "so is a candidacy", "mixed elections",
      ("raft/post.c", "    if (r->is_hard_dirty || index > r->log.durable)",
       "    if (type != RAFT_VOTE && (r->is_hard_dirty || index > r->log.durable))"))
guard("own_vote_durable", "the own vote counts when it is on disk", "mixed elections",
      ("raft/election.c", "    r->has_own_vote = false;\n", "    r->has_own_vote = true;\n"
       "    r->votes_granted |= raft_rows_of(r, &r->cfg.self, r->hard.store, r->hard.boot);\n"
       "    if (raft_quorum(r, r->votes_granted))\n        raft_lead(r);\n    else\n"))
guard("one_vote", "one vote a term", "mixed elections",
      ("raft/election.c", "m->term == r->hard.term && is_free && may_vote(r)",
       "m->term == r->hard.term && (is_free || true) && may_vote(r)"),
      ("raft/election.c", "if (grants && id_is_zero(&r->hard.vote)) {", "if (grants) {"))
guard("vote_survives_step_down", "stepping down in the same term keeps the vote", "mixed elections",
      ("raft/election.c", "    r->role = RAFT_FOLLOWER;\n    r->leader = leader",
       "    if (r->role != RAFT_FOLLOWER) {\n        r->hard.vote = none;\n"
       "        r->is_hard_dirty = true;\n    }\n"
       "    r->role = RAFT_FOLLOWER;\n    r->leader = leader"))
guard("votes_once_per_voter", "a vote that comes twice counts once", "mixed elections",
      ("raft/election.c",
       "!m->ok)\n        return;\n    r->votes_granted |= raft_rows_of(r, &m->from, m->store, "
       "m->boot);"
       "\n    count_votes(r);\n}\n\nvoid raft_on_timeout_now",
       "!m->ok)\n        return;\n    uint64_t row = raft_rows_of(r, &m->from, m->store, "
       "m->boot);\n"
       "    r->votes_granted |= row & r->votes_granted ? r->votes_granted << 1 : row;\n"
       "    count_votes(r);\n}\n\nvoid raft_on_timeout_now"))
guard("fresh_logs_only", "votes go to logs that lack nothing", "mixed elections",
      ("raft/election.c", "is_free && may_vote(r) && is_fresh(r, m);", "is_free && may_vote(r);"))
guard("freshness_of_all_that_was_taken", "... measured by the log with its tail, as the reply's "
       "write",
      "mixed elections snapshots",
      ("raft/election.c", "    uint64_t term = raft_log_last_term(&r->log);\n",
       "    uint64_t term = raft_log_term(&r->log, r->log.durable);\n"),
      ("raft/election.c", "m->index >= r->log.last);", "m->index >= r->log.durable);"))
guard("votes_of_this_term", "a vote of another term does not count", "mixed elections",
      ("raft/election.c", "r->role != RAFT_CANDIDATE || m->term != r->hard.term || !m->ok",
       "r->role != RAFT_CANDIDATE || !m->ok"),
      ("raft/receive.c", "    case RAFT_VOTE_REPLY:\n    case RAFT_APPEND:",
       "    case RAFT_APPEND:"))
guard("prevote_changes_nothing", "a pre-vote raises nobody's term", "mixed elections",
      ("raft/election.c", "    struct raft_message *reply = raft_post(r, RAFT_PREVOTE_REPLY",
       "    if (grants)\n        set_term(r, m->next_term);\n"
       "    struct raft_message *reply = raft_post(r, RAFT_PREVOTE_REPLY"))
guard("old_leaders_are_told", "a leader of an old term learns so", "mixed elections members",
      ("raft/receive.c", "    if (is_of_leader(m))\n        refuse_append(r, m, 0);\n    else if",
       "    if"),
      ("raft/election.c", "    if (!m->ok && m->term > r->hard.term) {",
       "    if (false && !m->ok && m->term > r->hard.term) {"))
guard("check_quorum", "a leader that hears no majority steps down", "mixed reads",
      ("raft/replication.c", "    if (!raft_quorum(r, rows))\n", "    if (false)\n"))
guard("needed_though_removed", "who has the removal alone may still campaign", "members mixed",
      ("raft/election.c", "raft_may_be_needed(r) &&", "raft_is_voter(r) &&"))

# --- commit and replication

guard("own_term_commit", "counting commits entries of the own term", "mixed elections",
      ("raft/replication.c", "index <= r->commit || raft_log_term(&r->log, index) != r->hard.term",
       "index <= r->commit"))
guard("noop", "a term begins with an entry of its own", "mixed elections",
      ("raft/replication.c",
       "    if (raft_append(r, RAFT_NOOP, bytes_of(NULL, 0)) != ERR_OK)\n"
       "        raft_stop(r, ERR_NO_MEMORY);\n", ""))
guard("ack_after_persist", "an entry is acknowledged when it is durable", "mixed",
      ("raft/receive.c", "raft_post(r, RAFT_APPEND_REPLY, &m->from, ok ? index : 0)",
       "raft_post(r, RAFT_APPEND_REPLY, &m->from, 0)"))
guard("heartbeat_acks_durable", "so it is in answers to heartbeats", "mixed",
      ("raft/receive.c", "    if (m->count == 0 && last > r->log.durable)\n"
       "        last = r->log.durable;\n    answer(r, m, true, last);",
       "    answer(r, m, true, last);"),
      ("raft/receive.c", "raft_post(r, RAFT_APPEND_REPLY, &m->from, ok ? index : 0)",
       "raft_post(r, RAFT_APPEND_REPLY, &m->from, ok && m->count ? index : 0)"))
guard("own_tail_not_counted", "the leader's unpersisted tail does not count", "mixed",
      ("raft/config.c", "? r->log.durable : 0;", "? r->log.last : 0;"))
guard("overwritten_tail", "a completion of an overwritten tail is recognised",
       "mixed elections members",
      ("raft/receive.c", "        if (w->last >= from)", "        if (false)"))
guard("acks_of_this_term", "acknowledgements of older terms are ignored", "mixed elections",
      ("raft/replication.c", "!p || m->term != r->hard.term)", "!p)"),
      ("raft/receive.c", "    case RAFT_APPEND:\n    case RAFT_APPEND_REPLY:\n",
       "    case RAFT_APPEND:\n"))
guard("commit_up_to_matched", "a follower commits no more than was matched", "mixed elections",
      ("raft/receive.c", "m->commit < last ? m->commit : last;",
       "m->commit < r->log.last ? m->commit : r->log.last;"))
guard("previous_entry_matches", "records follow an entry that both have", "mixed elections",
      ("raft/receive.c", "if (m->index >= l->base.index && raft_log_term(l, m->index) != "
       "m->log_term) {",
       "if (false) {"))
guard("truncate_on_conflict_only", "nothing is cut off without a conflict", "mixed",
      ("raft/receive.c", "        if (raft_log_term(l, index) == e->term)\n            return "
       "ERR_OK;\n"
       "        if (index <= r->commit)\n",
       "        if (index <= r->commit && raft_log_term(l, index) == e->term)\n "
       "           return ERR_OK;\n"
       "        if (index <= r->commit)\n"))
guard("new_start_new_match", "a restarted follower's log is looked at anew", "disks mixed",
      ("raft/starts.c", "        p->match = 0;\n    }\n    p->store", "    }\n    p->store"))

# --- members

guard("own_commit_before_change", "no change before an own entry is committed", "members mixed",
      ("raft/config.c", "    if (r->commit < r->term_start || now_index(r) > r->commit || raft",
       "    if (now_index(r) > r->commit || raft"))
guard("one_change_at_a_time", "no change before the last one is committed", "members mixed",
      ("raft/config.c", "    if (r->commit < r->term_start || now_index(r) > r->commit || raft",
       "    if (r->commit < r->term_start || raft"))
guard("both_majorities", "a joint configuration commits by both majorities", "members mixed",
      ("raft/config.c", "    return old < index ? old : index;", "    return index + 0 * old;"))
guard("both_elect", "... and elects by both", "members mixed",
      ("raft/config.c", "(!raft_config_is_joint(config) || is_majority(config, rows, true))",
       "true"))
guard("joint_at_all", "voters change by way of a joint configuration", "members mixed",
      ("raft/config.c", "    TRY(add_old(config, &next));\n", "    (void)add_old;\n"))
guard("auto_leave", "the joint configuration is left", "members mixed",
      ("raft/config.c", "        leave_joint(r);\n", "        (void)leave_joint;\n"))
guard("rollback", "a configuration that is cut off is not in force", "members mixed",
      ("raft/log.c", "    while (l->config_count && l->configs[l->config_count - 1].index >= "
       "from)\n"
       "        l->config_count--;\n", ""))
guard("learners_do_not_vote", "learners' acknowledgements do not count", "members mixed",
      ("raft/config.c", "        if (!(of_old ? m->was_voter : m->is_voter))\n "
       "           continue;\n"
       "        uint64_t match", "        uint64_t match"),
      ("raft/config.c", "return p->store == member->store && p->boot",
       "return (p->store == member->store || !member->store) && p->boot"))
guard("removed_leader_not_counted", "a leader that leaves does not count itself", "members mixed",
      ("raft/config.c", "    return count ? matches[count / 2] : 0;",
       "    if (!raft_is_voter(r) && count > 1)\n        return matches[(count - 1) / 2];\n"
       "    return count ? matches[count / 2] : 0;"))
guard("removed_leader_steps_down", "... and goes when that is committed", "members mixed",
      ("raft/config.c", "    else if (!raft_is_voter(r))\n", "    else if (false)\n"))
guard("voter_is_node_and_disk", "a wiped voter is a learner until it is taken in again",
      "disks mixed",
      ("raft/config.c", "m->store == store && m->boot <= boot;", "true;"),
      ("raft/config.c", "return p->store == member->store && p->boot >= member->boot ? p->match "
       ": 0;",
       "return p->match;"))
guard("disk_of_match", "what another disk acknowledged is forgotten", "disks mixed",
      ("raft/starts.c", "        p->match = 0;\n        raft_peer_probe(p, r->log.last + "
       "1);\n", ""))

guard("starts_are_counted", "who speaks from fewer starts than were heard of is not heard",
      "copies mixed",
      ("raft/starts.c", "k->store == m->store && is_missing(m->boot, m->draws, k->boot, k->draw)",
       "k->store == m->store && k->boot <= m->boot &&\n"
       "        is_missing(m->boot, m->draws, k->boot, k->draw)"))
guard("starts_draw", "nor who speaks from as many, but others", "copies mixed",
      ("raft/starts.c", "k->store == m->store && is_missing(m->boot, m->draws, k->boot, k->draw)",
       "k->store == m->store && k->boot > m->boot"))
guard("starts_draw_in_a_row", "nor who was started more often since than was heard of",
      "copies mixed",
      ("raft/starts.c", "k->store == m->store && is_missing(m->boot, m->draws, k->boot, k->draw)",
       "k->store == m->store && (k->boot > m->boot ||\n"
       "        (k->boot == m->boot && k->draw != m->draws[0]))"))
guard("own_starts_are_counted", "who is told of more starts than it knows fences itself",
      "copies mixed",
      ("raft/starts.c", "m->known_store == h->store && is_missing(",
       "m->known_store == h->store && m->known_boot <= h->boot &&\n        is_missing("))
guard("own_starts_draw", "... or of others", "copies mixed",
      ("raft/starts.c", "m->known_store == h->store && is_missing(h->boot, h->draws, "
       "m->known_boot, m->known_draw)",
       "m->known_store == h->store && m->known_boot > h->boot"))

# --- reads and transfer

guard("read_round", "a read waits for a round of heartbeats", "reads mixed",
      ("raft/read.c", "    return raft_quorum(r, rows);", "    return raft_quorum(r, rows) || "
       "true;"))
guard("unique_context", "a round's number is never used again", "reads mixed",
      ("raft/read.c", "    uint64_t round = r->context + 1;\n    bool is_wanted = false;",
       "    uint64_t round = 1;\n    bool is_wanted = false;"))
guard("own_commit_before_reads", "reads wait for an entry of the leader's own term",
      "reads mixed",
      ("raft/read.c", "    if (r->commit < r->term_start)\n        return;\n", ""))
guard("applied_before_reads", "... and until their index is applied", "reads mixed",
      ("raft/read.c", "read->is_confirmed && read->index <= r->applied", "read->is_confirmed"))
guard("transfer_ends", "a transfer that takes too long ends", "mixed elections",
      ("raft/transfer.c", "!p || r->now_ms >= r->hand_due_ms", "!p"))

# --- snapshots

guard("never_over_newer", "no snapshot over newer state", "snapshots mixed",
      ("raft/snapshot.c", "    if (s->base.index <= r->commit)\n        return true;\n", ""))
guard("offer_is_not_an_ack", "a snapshot is acknowledged when it is installed", "snapshots mixed",
      ("raft/snapshot.c",
       "    uint64_t match = r->commit < r->log.durable ? r->commit : r->log.durable;\n",
       "    uint64_t match = m->index;\n"))
guard("install_when_durable", "... which waits until all its parts are durable", "snapshots mixed",
      ("raft/post.c", "    return is_made && (r->write_count",
       "    return (is_made || true) && (r->write_count"))
guard("parts_in_order", "parts are taken in their order", "snapshots mixed",
      ("raft/snapshot.c", "        return m->offset == f->offset;\n", "        return true;\n"))
guard("no_apply_while_installing", "nothing is applied while one is installed",
      "snapshots mixed",
      ("raft/post.c", "last <= r->handed || r->is_installing", "last <= r->handed"))

# --- disks

guard("corrupt_is_not_shorter", "unreadable records do not make the log shorter", "disks mixed",
      ("raft/log.c", "        mark_bad(l, index);\n        TRY(push_run(l, index, 0));\n",
       "        (void)mark_bad;\n        l->last = l->written = l->durable = index - 1;\n"
       "        forget_memory(l, index);\n        return ERR_OK;\n"),
      ("raft/raft.c", "    if (r->log.last != boot->last) {",
       "    if (r->log.last > boot->last) {"))
guard("no_vote_without_an_end", "an unreadable end: no vote", "disks mixed",
      ("raft/election.c", "return has_end && !r->is_full", "return (has_end || true) && "
       "!r->is_full"))
guard("no_campaign_with_a_gap", "unreadable records: no campaign", "disks mixed",
      ("raft/election.c", "!r->is_full && !r->log.bad_first && ", "!r->is_full && "))
guard("unreadable_members", "no log is cut whose members cannot be read", "disks mixed",
      ("raft/log.c", "    if (l->bad_first && l->bad_first <= index && l->bad_last > since)\n"
       "        return ERR_NOT_FOUND;", "    (void)since;"))
guard("only_the_committed_from_members", "members give what is committed, and no more is believed",
      "mixed reads elections",
      ("raft/repair.c", "    question->hint = m->commit;", "    question->hint = m->commit + 8;"),
      ("raft/receive.c", " && m->index - 1 + m->count <= m->commit", ""))
guard("full_disk_steps_down", "who has no room does not lead", "disks mixed",
      ("raft/raft.c", "    if (is_full && r->role != RAFT_FOLLOWER)", "    if (false)"),
      ("raft/election.c", "!r->is_full && !r->log.bad_first && ", "!r->log.bad_first && "))
guard("stop_on_a_failed_write", "a failed write ends the node; it is not tried again",
       "disks mixed",
      ("tests/sim/raft_shell.c", "        if (fails(n, &failure)) {\n"
       "            shell_step(n, &failure);\n            return;\n        }\n",
       "        if (fails(n, &failure)) {\n            e.index = d->first->write.token;\n"
       "            sim_disk_forget(n);\n"
       "            continue;\n        }\n"),
      ("tests/sim/raft_parts.h", "void sim_disk_complete(struct raft_node *n);",
       "void sim_disk_complete(struct raft_node *n);\nvoid sim_disk_forget(struct raft_node *n);"),
      ("tests/sim/raft_disk.c", "void sim_disk_crash(",
       "void sim_disk_forget(struct raft_node *n)\n{\n"
       "    drop_first(&n->disk);\n}\n\nvoid sim_disk_crash("))
guard("persist_before_send", "the shell sends nothing that still waits for its write", "mixed",
      ("tests/sim/raft_shell.c", "        if (l->after) {\n", "        if (false) {\n"))
guard("effect_and_index_together", "applied index and effect are saved in one transaction", "mixed",
      ("tests/sim/raft_shell.c", "    n->disk.machine = n->machine;\n",
       "    uint64_t applied = n->disk.machine.applied;\n    n->disk.machine = n->machine;\n"
       "    if (applied + 1 == n->machine.applied)\n        n->disk.machine.applied = applied;\n"))
guard("dedup", "a command that comes twice is done once", "mixed elections",
      ("tests/sim/raft_machine.c", "    if (c->sequence <= s->sequence)\n        return "
       "s->result;\n", ""))
