"""The guards of the gossip core: what each is for, the text that takes it out, who must miss it.

Text stands in the code exactly once, or gossip_mutants says so: who changes a guard changes it
here. A detector is a scenario of gossip_sim with options, or a unit test; the first that fails
ends it. `--seed` comes last, and means that one alone."""
import dataclasses


@dataclasses.dataclass
class Guard:
    name: str
    about: str
    edits: list  # of (file, old text, new text)
    detectors: list
    world: str = "plain"
    redundant: str = None  # why nobody can miss it alone


# Changes that the whole core gets, too: what takes a day happens within a run.
FORGET = ("gossip/limits.h", "GOSSIP_FORGET_MS (26 * 3600 * 1000ull)", "GOSSIP_FORGET_MS 15000ull")
REAP = ("gossip/gossip.c", "#define REAP_INTERVAL_MS 10000", "#define REAP_INTERVAL_MS 1000")
CONTACTS = ("tests/sim/gossip_node.c", "#define CONTACT_MINUTE 60 ",
      "#define CONTACT_MINUTE 1000000 ")
WORLDS = {"plain": [], "short_memory": [FORGET, REAP],
          "no_seeds": [CONTACTS]}  # shells do not dial configured peers that seem down

GUARDS = []


def guard(name, about, detectors, *edits, **more):
    GUARDS.append(Guard(name, about, list(edits), detectors, **more))


# --- who is believed to be alive

guard("greater_incarnation",
      "alive again only by a record of a greater incarnation, not an equal one",
      ["kill", "churn", "liar"],
      ("gossip/records.c", "    if (incarnation <= row->member.incarnation)\n        return;",
       "    if (incarnation < row->member.incarnation)\n        return;"))
guard("no_lower_incarnation", "no record of a lower incarnation takes one back",
      ["churn", "mixed"],
      ("gossip/records.c", "    if (incarnation <= row->member.incarnation)\n        return;", ""))
guard("down_is_not_merged", "a digest's entry that is down introduces nobody (memberlist#312)",
      ["storm", "churn", "rolling"],
      ("gossip/repair.c", "    if (!row && is_down_there)\n        return;\n", ""))
guard("tombstones", "who was forgotten does not rise by an old record (chitchat#108)",
      ["test_gossip_guards", "churn"],
      ("gossip/members.c", "if (id_equal(&f->id, id) &&", "if (false &&"),
      world="short_memory")
guard("age_of_introductions", "a NODE record older than a day introduces nobody",
      ["test_gossip_guards"],
      ("gossip/records.c", "return is_new && is_old ? ERR_REPLAYED : ERR_OK;", "return ERR_OK;"))
guard("no_future", "no record from after now, or of an absurd incarnation", ["test_gossip_guards"],
      ("gossip/records.c", "        return ERR_CLOCK_SKEW;\n", "        (void)0;\n"))
guard("announce_to_the_down", "the down are pinged now and then, or partitions never heal",
      ["partition --regions 1 --steps 1", "test_gossip"],
      ("gossip/probe.c", "        announce(g);\n", "        (void)announce;\n"),
      world="no_seeds")
guard("tell_the_dead", "who speaks and is held for down is told",
      ["partition --regions 1 --steps 1"],
      ("gossip/receive.c", "    tell_what_is_said(g, from);\n", "    (void)tell_what_is_said;\n"),
      world="no_seeds",
      redundant="acks and pings to the down carry the same accusations, a little later")
guard("proof_for_the_dead", "... with the record that names its incarnation",
      ["twin", "test_gossip_guards"],
      ("gossip/receive.c", "        put_proof(g, row);\n", "        (void)put_proof;\n"),
      redundant="a new link shows all versions, our own key's among them")
guard("answer_to_accusers", "a refutation goes straight back to who told the accusation",
      ["partition --regions 1 --steps 1"],
      ("gossip/suspicion.c", "    answer_for_ourselves(g, from);\n",
       "    (void)answer_for_ourselves;\n"),
      world="no_seeds",
      redundant="the refutation is news, and acks carry news, to the down too")

# --- our own incarnation

guard("persisted_incarnation", "the incarnation is persisted, and ahead of use",
      ["mixed", "churn", "test_gossip_guards"],
      ("gossip/gossip.c", "    g->persist = g->incarnation_ceiling;\n", ""))
guard("incarnation_by_the_clock", "a first incarnation from the clock (memberlist#311)",
      ["churn", "mixed"],
      ("gossip/gossip.c", "next > wall_s ? next : wall_s", "next + 0 * wall_s"))
guard("above_our_past", "who hears its own key at a greater incarnation goes above it",
      ["twin", "churn", "mixed"],
      ("gossip/records.c", "    g->self->member.incarnation = said->incarnation + 1;\n", ""))
guard("twins_do_not_chase", "two of one key do not chase each other's incarnation",
      ["test_gossip_guards", "twin"],
      ("gossip/records.c", "#define JUMP_MS 3000", "#define JUMP_MS 0"))

# --- accusations

guard("accused_incarnation", "an accusation holds against one incarnation",
      ["churn", "loss", "liar"],
      ("gossip/suspicion.c", "part->incarnation != subject->member.incarnation ||", ""))
guard("signed_incarnation", "... which the accuser signed: none comes back after a refutation",
      ["pause"],
      ("gossip/suspicion.c", "part->incarnation != subject->member.incarnation ||", ""),
      ("gossip/suspicion.c", "buf_append_u64(&b, subject->member.incarnation)",
       "buf_append_u64(&b, 0)"))
guard("refutation", "who is accused and lives says so", ["loss", "liar", "pause"],
      ("gossip/suspicion.c", "        refute_in_time(g);\n", ""))
guard("rare_refutations", "who accuses without end does not make us speak without end",
      ["test_gossip_guards"],
      ("gossip/suspicion.c", "#define REFUTE_MS 400", "#define REFUTE_MS 0"))
guard("distinct_accusers", "one accuser counts once", ["liar", "loss", "pause"],
      ("gossip/suspicion.c", "!gossip_is_live(subject) || stands(subject, &accuser->member.id)",
       "!gossip_is_live(subject)"))
guard("three_accusers", "one accuser does not suffice", ["liar --regions 1"],
      ("gossip/suspicion.c", "row->is_abroad ? ACCUSERS_ABROAD : GOSSIP_ACCUSERS", "1"))
guard("two_accusers_abroad", "one gateway alone does not kill a member abroad",
      ["liar --nodes 50 --regions 3"],
      ("gossip/suspicion.c", "#define ACCUSERS_ABROAD 2", "#define ACCUSERS_ABROAD 1"),
      redundant="gateways that hear it ask the accused, who refutes")
guard("hearsay", "who passes an accusation on does not accuse",
      ["liar --regions 1"],
      ("gossip/suspicion.c", "    add(g, subject, &accuser->member.id, part->signature);\n",
       "    add(g, subject, &accuser->member.id, part->signature);\n    gossip_accuse(g, "
      "subject);\n"),
      redundant="the accused refutes within the 1.6 s that it has")
guard("time_to_refute", "a suspect has 1.6 s, however many accuse it",
      ["partition"],
      ("gossip/limits.h", "GOSSIP_SUSPECT_MIN_MS 1600", "GOSSIP_SUSPECT_MIN_MS 1"))
guard("signed_accusations", "accusations are their accusers'", ["liar", "liar --regions 1"],
      ("gossip/suspicion.c", "return is_true(g, subject, accuser, part) ? ERR_OK",
       "return true ? ERR_OK"))
guard("own_accusations_signed", "we refute what was signed, not what anybody makes up",
      ["test_gossip_guards"],
      ("gossip/suspicion.c", "if (accuser && !is_true(g, g->self, accuser, part))", "if (false)"))
guard("witness_of_own_region", "a region judges by its own members' word",
      ["regions", "partition --nodes 30 --regions 3"],
      ("gossip/suspicion.c", "gossip_is_live(accuser) && !accuser->is_abroad",
       "gossip_is_live(accuser)"))
guard("limit_of_accusations", "who was often wrong is not believed for a while",
      ["test_gossip_guards"],
      ("gossip/suspicion.c", "return is_too_much ? ERR_OVERLOADED : ERR_OK;",
       "return is_too_much ? ERR_OK : ERR_OK;"))
guard("silence_of_the_lone", "whom we heard since is not down by our word alone",
      ["test_gossip_guards"],
      ("gossip/suspicion.c", "    return row->member.heard_ms > row->suspect_ms && g->now_ms",
       "    return false && g->now_ms"))
guard("confirmations", "a suspicion makes others probe the suspect",
      ["test_gossip", "kill", "loss"],
      ("gossip/suspicion.c", "    if (row->is_accused_by_us || is_ours_to_confirm(g, row))\n",
       "    if (false && is_ours_to_confirm(g, row))\n"))
guard("time_again", "an accusation that joins stale ones gives the suspect its time again",
      ["mixed", "liar --nodes 30 --regions 3", "loss"],
      ("gossip/suspicion.c", "        row->suspect_ms = g->now_ms; /* the old",
       "        (void)0; /* the old"),
      redundant="stale ones are dropped where nobody probes, and refuted where somebody does")
guard("absolution", "whom too few accuse is alive again", ["mixed", "flap"],
      ("gossip/suspicion.c", "        absolve(g, row);\n", "        (void)absolve;\n"),
      redundant="whoever confirms tells the suspect, who refutes")

# --- doubting ourselves

guard("self_doubt", "who was stopped accuses nobody at once, and judges anew",
      ["pause", "pause --nodes 10", "test_gossip"],
      ("gossip/gossip.c", "    bool is_due = g->deadline_ms != 0 &&",
       "    bool is_due = false &&"))
guard("quiet_after_stall", "... for 2.5 s, as answers come late", ["pause", "pause --nodes 10"],
      ("gossip/gossip.c", "    g->quiet_until_ms = g->now_ms + GOSSIP_QUIET_MS;\n", ""))
guard("suspects_after_stall", "... and suspects get as long again", ["test_gossip_guards"],
      ("gossip/gossip.c", "    gossip_suspicion_on_stall(g, stalled_ms);\n", ""))
guard("quiet_after_start", "who has just started accuses nobody", ["test_gossip_guards"],
      ("gossip/gossip.c", "g->quiet_until_ms = cfg->now_ms + GOSSIP_QUIET_MS;",
       "g->quiet_until_ms = 0;"),
      ("gossip/members.c", "if (g->uptime_ms < START_MS &&", "if (false &&"))
guard("quiet_among_newcomers", "... while it meets others, as when all start at once",
      ["test_gossip_guards"],
      ("gossip/members.c", "if (g->uptime_ms < START_MS &&", "if (false &&"))
guard("local_health", "who fails often probes more slowly", ["test_gossip_guards"],
      ("gossip/probe.c", "return ms * (1 + g->health);", "return ms;"))
guard("nacks", "missing nacks tell of our own fault", ["test_gossip_guards"],
      ("gossip/probe.c", "p->nacks_wanted == 0 ? 1 : (int)missing", "p->nacks_wanted == 0 ? 1 : 0"))

# --- probing

guard("indirect_probes", "others are asked before anybody is accused",
      ["test_gossip_guards"],
      ("gossip/probe.c", "    ask_others(g, p, p->row->only_dials);\n", ""))
guard("link_probes", "the loss of datagrams alone is nobody's death", ["test_gossip", "blocked"],
      ("gossip/probe.c", "    ping_by(g, p->row, p->cookie, true);\n", ""))
guard("second_way", "who does not answer by one way is tried by the other: links stall",
      ["loss --nodes 4 --regions 1", "loss --nodes 4 --regions 2"],
      ("gossip/probe.c", "    ping_by(g, p->row, p->cookie, false);\n", ""),
      ("gossip/probe.c", "bool is_tried = !is_failing || is_suspect ||",
       "bool is_tried = !is_failing ||"))
guard("links_for_good", "where datagrams fail links take their place", ["test_gossip_guards"],
      ("gossip/limits.h", "GOSSIP_DATAGRAM_MISSES_MAX 3", "GOSSIP_DATAGRAM_MISSES_MAX 1000000"))
guard("buddies", "a suspect is told when it is probed", ["loss", "regions"],
      ("gossip/probe.c", "    gossip_suspicion_put(g, row); /* Lifeguard's", "    /* Lifeguard's"))

# --- records

guard("signed_records", "records of those we know are their owners'", ["liar", "liar --regions 1"],
      ("gossip/records.c", "    if (!verify(g, &row->member.id, row->member.key, part))\n",
       "    if (false)\n"))
guard("signed_introductions", "... and of newcomers", ["test_gossip_guards", "liar"],
      ("gossip/records.c", "    if (!verify(g, &id, ret_owner->key, part))\n", "    if (false)\n"))
guard("newer_version", "no older record replaces a newer one", ["churn", "calm", "liar"],
      ("gossip/records.c",
       "compare(&part->record, &row->member.records[part->record.kind]) <= 0",
       "compare(&part->record, &row->member.records[part->record.kind]) == 0"))
guard("scope_of_payloads", "payloads lie within their owner's certificate", ["liar", "test_gossip"],
      ("gossip/records.c", "    TRY(g->cfg.ops->check(g->cfg.ctx, said->kind, row->member.name",
       "    if (is_node)\n        TRY(g->cfg.ops->check(g->cfg.ctx, said->kind, row->member.name"))
guard("key_of_owner", "a member keeps its key", ["test_gossip_guards"],
      ("gossip/records.c", "    return is_its_key ? ERR_OK : ERR_BAD_SIGNATURE;",
       "    (void)is_its_key;\n    return ERR_OK;"))
guard("versions_per_second", "an owner costs others so many signatures a second",
      ["test_gossip_guards"],
      ("gossip/records.c", "    return row->taken++ >= VERSIONS_PER_SECOND;", "    return false;"))
guard("limit_of_blame", "who sends much that is refused is not listened to", ["test_gossip_guards"],
      ("gossip/records.c", "    return sender->refused >= REFUSED_MAX;", "    return false;"))
guard("replay_window", "no datagram is taken twice", ["test_gossip"],
      ("gossip/receive.c", "    TRY(gossip_window_check(&row->window, sequence));\n", ""),
      ("gossip/receive.c", "    gossip_window_take(&row->window, sequence);\n", ""))
guard("news_of_refutations", "a refuting load is news, not a load among others",
      ["loss", "liar", "pause"],
      ("gossip/records.c", "    if (!is_often || is_refutation)\n", "    if (!is_often)\n"))

# --- telling

guard("eager_rounds", "news is told at once, three times", ["test_gossip"],
      ("gossip/rumours.c", "#define ROUNDS 3", "#define ROUNDS 0"))
guard("repair", "digests find what the epidemic missed", ["loss", "churn", "storm"],
      ("gossip/repair.c", "    CHECK(gossip_wire_put_digest(&g->message, exponent, 1) == ERR_OK);\n"
       "    CHECK(gossip_wire_put_bucket(&g->message, index, hash_of(g, exponent, index)) == "
      "ERR_OK);\n",
       "    (void)index;\n"))
guard("sync_of_links", "a new link begins with all hashes", ["test_gossip_guards"],
      ("gossip/repair.c",
       "    CHECK(gossip_wire_put_digest(b, exponent, 1u << exponent) == ERR_OK);\n"
       "    for (uint32_t i = 0; i < 1u << exponent; i++)\n"
       "        CHECK(gossip_wire_put_bucket(b, i, hash_of(g, exponent, i)) == ERR_OK);\n",
       "    (void)b;\n    (void)exponent;\n"))
guard("relays_of_loads", "loads go on through the grid", ["calm"],
      ("gossip/fanout.c", "            relay_to(g, g->ring[at], false);\n",
       "            (void)relay_to;\n"))
guard("hop_limit", "... by two hops and no more", ["calm --nodes 60"],
      ("gossip/fanout.c",
       "gossip_records_put(g, o->row, o->kind, 0, gossip_message_room(g)))\n            continue;",
       "gossip_records_put(g, o->row, o->kind, 1, gossip_message_room(g)))\n            continue;"))
guard("damped_tellings", "two who do not believe each other do not keep each other busy",
      ["mixed", "liar"],
      ("gossip/receive.c", "#define TELL_MS 500", "#define TELL_MS 0"),
      ("gossip/suspicion.c", "#define ANSWER_MS 100", "#define ANSWER_MS 0"))
guard("settled_conflicts", "after a conflict of identities its owner says again who it is",
      ["twin", "mixed"],
      ("gossip/records.c", "g->settle_ms && g->now_ms >= g->settle_ms", "false"))
guard("old_accusations", "what was held against somebody before a long stop is not told after it",
      ["test_gossip_guards"],
      ("gossip/suspicion.c", "stalled_ms > GOSSIP_SUSPECT_MAX_MS)", "stalled_ms == UINT64_MAX)"))
guard("doubts_are_rare",
      "whom others hold for down, and we for alive, is not probed as fast as answers come",
      ["mixed", "keys"],
      ("gossip/repair.c", "g->now_ms - doubtful->doubted_ms < DOUBT_MS", "false"))
guard("expired_are_silent", "what a member says whose certificate has ended is refused",
      ["keys", "mixed", "test_gossip_guards"],
      ("gossip/records.c", "    if (!is_node && gossip_has_expired(g, row))\n"
       "        return ERR_CERT_EXPIRED;\n", ""))
guard("expired_are_down", "... and it is down", ["keys", "mixed"],
      ("gossip/members.c", "gossip_is_live(row) && gossip_has_expired(g, row)", "false"))
guard("two_keys", "the gossip key before the newest still opens", ["keys", "mixed"],
      ("gossip/receive.c", "i < g->cfg.key_count && result", "i < 1 && result"))
guard("narrow_ways", "what is too long for the way of datagrams goes over a link", ["narrow"],
      ("gossip/repair.c", "    if (!is_long || g->now_ms", "    if (true || g->now_ms"))
guard("narrow_for_many", "... also where each of the things in it is short", ["test_repair"],
      ("gossip/repair.c", "    if (is_long)\n", "    if (is_long && g->giving_count == 1)\n"))
guard("asked_in_earnest", "what two exchanges brought at once was not lost", ["test_repair"],
      ("gossip/repair.c", "age_ms > WANTED_MS && age_ms", "age_ms"))
guard("wanted_once", "what two were asked for is not asked of a third", ["test_gossip_guards"],
      ("gossip/repair.c", "uint32_t left = is_second ? kinds : kinds & ~w->kinds;",
       "uint32_t left = is_second ? kinds : kinds;"))

# --- regions

guard("introduction_abroad", "a new gateway tells other regions of itself",
      ["regions", "rolling"],
      ("gossip/probe.c", "        gossip_scope_introduce(g);\n", ""),
      redundant="a link abroad begins with a sync, which has the NODE record")
guard("introduction_in_pings", "... and in its pings, until it was answered",
      ["regions", "rolling"],
      ("gossip/probe.c", "    if (needs_introduction(row))\n        (void)gossip_records_put",
       "    if (false)\n        (void)gossip_records_put"),
      redundant="the same")
guard("strangers_go", "who is no gateway any more is dropped abroad",
      ["churn", "partition --nodes 30 --regions 3", "loss", "mixed"],
      ("gossip/members.c", " || gossip_is_stranger(g, row))", ")"))
guard("strangers_are_not_judged", "... and not down before", ["mixed --seed 1306"],
      ("gossip/suspicion.c", "(is_proven || is_ours) && is_of_concern(row)",
       "(is_proven || is_ours) && (is_of_concern(row) || true)"))
guard("undecided_go", "... nor is a suspect abroad alive again because time has passed",
      ["mixed --seed 500050"],
      ("gossip/suspicion.c", "bool is_silent = row->member.heard_ms",
       "bool is_silent = gossip_may_probe(g, row) && row->member.heard_ms"))
guard("told_abroad", "accusations of a member abroad reach it",
      ["regions"],
      ("gossip/suspicion.c", "        pass_on_abroad(g, subject, part);\n",
       "        (void)pass_on_abroad;\n"),
      redundant="... by the accused's own gateways, too")
guard("looks_abroad", "whom its own region accuses is probed by gateways at once", ["test_scope"],
      ("gossip/suspicion.c", "        look_abroad(g, subject, part);\n",
       "        (void)look_abroad;\n"))
guard("rare_looks", "... once a second, whoever accuses it how often", ["test_scope"],
      ("gossip/suspicion.c", "#define LOOK_MS 1000 ", "#define LOOK_MS 0 "))
