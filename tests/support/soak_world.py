"""A mesh whose rules are soaked: voters and a replica made by init, invite and join, in namespaces
of their own where partitions are wanted; clients and watchers (soak_load.py), faults
(soak_faults.py), the verdict (soak_verdict.py). Used by tests/soak/rules and
tests/e2e/test_rules_soak.py."""

import dataclasses
import json
import random
import re
import time

from commands import Admin, submit, voters
from mesh import Mesh, run_cli
from netns import Segment
from runner import equal, eventually
from soak_faults import Nemesis
from soak_load import Work
from soak_verdict import author_of, figures, gaps, problems_of
from wan_world import FarNode

MESH_PORT, HTTP_PORT = 7300, 7380
ALARMS = re.compile("rules_stopped|state_differs|replica_source_lies|raft_message_too_long|"
                    'gossip_refused.*"invalid"')
SETTLE_S = 90


class SoakWorld(Mesh):
    def __init__(self, voter_count, seed, client_count=6, has_networks=False, say=print):
        super().__init__()
        self.seed, self.say, self.segment = seed, say, Segment() if has_networks else None
        self.voter_count, self.work = voter_count, None
        self.began = time.monotonic()
        self.result = None
        for number in range(voter_count + 1):
            if self.segment:
                self.far_node(f"n{number + 1}", number)
            else:
                self.node(f"n{number + 1}")
        self.start()
        self.admin = Admin(self.node_list[0].dir / "admin.key")
        self.make_voters()
        self.work = Work(self.node_list, client_count, seed)
        rng = random.Random(seed)
        self.nemesis = Nemesis(self.node_list, self.voters(), rng, has_networks, self.tell)

    @property
    def history(self):
        return self.work.history

    def tell(self, text):
        self.say(f"{time.monotonic() - self.began:7.1f}  {text}")

    def far_node(self, name, number):
        node = FarNode(name, self.folder, [])
        node.place = self.segment.add(f"198.18.0.{number + 1}", 24)
        options = ["--dir", node.dir, "--name", name, "--region", "eu-west", "--tier", "edge",
                   "--http", f"127.0.0.1:{HTTP_PORT}", "--mesh",
                   f"{node.place.address}:{MESH_PORT}"]
        if self.node_list:
            run_cli("join", self.node_list[0].invite(), *options)
        else:
            run_cli("init", *options)
        peers = ", ".join(f"{n.place.address}:{MESH_PORT}" for n in self.node_list)
        node.sets = [f"peers=[{peers}]"] if peers else []
        self.node_list.append(node)

    def order(self, *ops):
        status, answer = submit(self.node_list[0], self.admin.sign(*ops))
        equal((status, answer["outcome"]), (200, "committed"), str(answer))

    def make_voters(self):
        eventually(lambda: all(n.status()["rules"]["admitted"] for n in self.node_list), "admitted")
        self.order(voters(automatic=self.voter_count))
        eventually(self.has_voters, f"{self.voter_count} voters", 40)

    def statuses(self):
        return [node.status() for node in self.node_list]

    def has_voters(self):
        """All name as many voters, and as many vote by their own account."""
        seen = self.statuses()
        roles = [s["rules"]["role"] for s in seen]
        return (all(len(s["voters"]) == self.voter_count for s in seen) and
                roles.count("leader") == 1 and
                roles.count("voter") == self.voter_count - 1)

    def voters(self):
        names = self.node_list[0].status()["voters"]
        return [n for n in self.node_list if n.name in names]

    # --- the soak

    def run(self, seconds):
        self.work.start()
        time.sleep(1)
        began = time.monotonic()
        try:
            self.nemesis.run(seconds)
        finally:
            self.nemesis.cuts.heal()
        self.window = began, time.monotonic()
        self.tell("healed")
        eventually(self.has_voters, "all vote again", SETTLE_S, 0.25)
        self.nemesis.look_at_wiped()
        self.work.end_clients()
        status = self.settle()
        self.work.look_back(status["epoch"])
        self.forget_descriptors()
        self.judge(status)

    def forget_descriptors(self):
        """Logs have grown, so there are more files than at the start; sockets are counted here."""
        most = 6 + 2 * (len(self.node_list) - 1)  # a pair may have two links for a while
        for node in self.node_list:
            node.fds_at_start = None
            eventually(lambda: node.connections()[1] <= most, f"{most} sockets at {node.name}", 20)

    def settle(self):
        def same():
            seen = self.statuses()
            heads = {(s["applied"], s["epoch"], s["state_hash"]) for s in seen}
            return seen[0] if len(heads) == 1 and seen[0]["state_hash"] else None

        return eventually(same, "the same state hash everywhere", SETTLE_S, 0.25)

    def judge(self, status):
        records, work = self.history.records, self.work
        authors = {c.name: author_of(c.admin) for c in work.clients}
        problems = problems_of(records, work.final, work.watchers, authors, status["epoch"])
        problems["clients"] = [f"{c.name}: {c.problem!r}" for c in work.clients if c.problem]
        lines = [f"{n.name}: {line}" for n in self.node_list for line in n.log().splitlines()]
        problems["alarms"] = [line for line in lines if ALARMS.search(line)]
        problems["wiped"] = list(self.check_wiped(lines))
        self.result = {
            "voters": self.voter_count, "seed": self.seed, "networks": self.segment is not None,
            **figures(records, self.nemesis.faults, *self.window),
            "votes_again_after_wipe_s": [round(s, 1) for s in self.nemesis.readmitted_s],
            "watch": {"resumed": sum(w.resumed for w in work.watchers),
                      "compacted": sum(w.compacted for w in work.watchers)},
            "applied": status["applied"], "epoch": status["epoch"],
            "state_hash": status["state_hash"],
            "problems": {what: len(found) for what, found in problems.items()},
        }
        self.problems = problems
        self.keep_history()

    def check_wiped(self, lines):
        """Who lost its disk votes again only by a change of the voters; the first made them."""
        wipes = sum(f.kind == "wipe" for f in self.nemesis.faults)
        changes = sum('"voters_change","what":"voters"' in line for line in lines)
        if self.nemesis.wiped or changes < wipes + 1:
            yield f"{wipes} wiped, {changes} changes of voters; waiting: {self.nemesis.wiped}"

    def keep_history(self):
        """Goes with the folder if all is well; its clock began at self.began."""
        with open(self.folder / "history.jsonl", "w") as file:
            for record in sorted(self.history.records, key=lambda r: r.invoked):
                file.write(json.dumps(dataclasses.asdict(record)) + "\n")
        with open(self.folder / "faults.jsonl", "w") as file:
            for fault in self.nemesis.faults:
                file.write(json.dumps(dataclasses.asdict(fault)) + "\n")

    def show_gaps(self, count=8):
        faults = self.nemesis.faults
        for since, length_s in sorted(gaps(self.history.records, *self.window),
                                      key=lambda gap: -gap[1])[:count]:
            near = [f.kind for f in faults
                    if f.began < since + length_s and (f.ended or since) > since - 3]
            self.say(f"         {length_s:5.1f} s without a commit from {since - self.began:.1f}: "
                     f"{', '.join(near)}")

    def close(self):
        if self.work:
            self.work.stop(self.work.threads())
        try:
            super().close()
        finally:
            if self.segment:
                for place in (*self.segment.hosts, self.segment):
                    place.close()
