"""One run of a scenario: makes the fleet, starts load and commands, does what is planned when it is
due, waits until the fleet is whole again, gathers what was seen, and has it judged. Called by the
program `chaos` and by tests/e2e/test_testnet_chaos.py."""

import collections
import contextlib
import heapq
import http.client
import itertools
import json
import time

from faults import Faults
from fleet import Fleet
from judge import Judge, Seen, share_of
from load import Loads
from mesh import run_cli
from runner import eventually
from samples import PERIOD_S, Samples
from soak_load import Work
from soak_verdict import author_of, problems_of

RECEIPTS_MAX = 300  # looked at, of each run
POOLED_S = 4        # connections to engines stay open for so long
VERIFIED_MAX = 20   # by the program, offline


class Run:
    def __init__(self, scenario, say=print):
        self.scenario, self.say_line, self.began = scenario, say, None
        self.events, self.numbers = [], itertools.count()
        self.timeline, self.work, self.samples, self.loads = [], None, None, None
        self.fleet = self.seen = self.verdict = None

    def say(self, text):
        at = time.time() - self.began if self.began else 0.0
        self.timeline.append((at, text))
        self.say_line(f"{at:7.1f}  {text}")

    def go(self):
        """Is all well?"""
        started = time.monotonic()
        self.fleet = Fleet(self.scenario)
        problems = []
        try:
            self.up_s = time.monotonic() - started
            self.say(f"{len(self.fleet.node_list)} nodes are up after {self.up_s:.1f} s, networks "
                     f"by {self.fleet.network.kind}")
            self.course()
        finally:
            self.stop_threads()
            problems = self.fleet.close()  # also where the course itself failed
        self.seen.endings = problems
        judge = Judge(self.seen)
        self.verdict = judge.verdict()
        self.excused = dict(judge.excused)
        is_well = not any(self.verdict.values())
        if is_well:
            self.fleet.forget()
        else:
            self.keep()
        return is_well

    def course(self):
        scenario, fleet = self.scenario, self.fleet
        self.faults = Faults(fleet, self.say)
        self.loads = Loads(fleet, scenario)
        if scenario.clients:
            self.work = Work(fleet.node_list, scenario.clients, scenario.seed)
        self.samples = Samples(fleet.node_list)
        try:
            self.samples.start()
            if self.work:
                self.work.start()
            self.began = time.time()
            self.plan()
            self.play()
            self.faults.end_all()
            whole_s, missing = self.settle()
            ended = time.time()
            summaries = self.loads.end(self.began + scenario.seconds - ended)
            self.gather(whole_s, missing, summaries)
        finally:
            self.loads.kill()

    # --- what happens

    def at(self, when_s, act):
        heapq.heappush(self.events, (when_s, next(self.numbers), act))

    def plan(self):
        for stream in self.loads.streams:
            self.at(stream.load.since_s, stream.start)
        for index, planned in enumerate(self.scenario.faults):
            self.at(planned.at_s, lambda p=planned, i=index: self.begin(p, i))

    def begin(self, planned, index):
        if fault := self.faults.begin(planned, index):
            self.at(max(planned.at_s, time.time() - self.began) + planned.for_s,
                    lambda: self.faults.end(fault))

    def play(self):
        while self.events:
            when_s, _, act = heapq.heappop(self.events)
            left = self.began + when_s - time.time()
            if left > 0:
                time.sleep(left)
            act()

    def settle(self):
        """(seconds until the fleet was whole, or None; what was missing)"""
        started, bound = time.monotonic(), self.scenario.expect["converges"]
        try:
            self.fleet.wait_whole("whole again", bound)
        except AssertionError as problem:
            self.say(str(problem))
            return None, str(problem)
        took_s = time.monotonic() - started
        self.say(f"whole again {took_s:.1f} s after the last fault")
        return took_s, None

    # --- what was seen

    def gather(self, whole_s, missing, summaries):
        fleet = self.fleet
        self.ended = time.time()
        self.say("the load has ended")
        commands, committed = {}, 0
        try:
            commands, committed = self.end_work()
            eventually(self.is_idle, "idle nodes", 30, 0.25)
        except AssertionError as problem:
            missing, whole_s = str(problem), None
        requests = self.loads.rows()
        time.sleep(POOLED_S + 2 * PERIOD_S)
        self.seen = Seen(
            scenario=self.scenario, began=self.began, ended=self.ended, requests=requests,
            computed={name: engine.computed() for name, engine in fleet.engine_of.items()},
            receipts=self.receipts(requests), faults=self.faults.found,
            samples=self.samples.rows, commands=commands, committed=committed, whole_s=whole_s,
            missing=missing, alarms=fleet.alarms(), orders=self.faults.orders,
            said={word: fleet.said(word) for word in self.scenario.expect.get("said", {})})
        self.summaries = summaries

    def is_idle(self):
        return all(node.is_idle() for node in self.fleet.node_list)

    def end_work(self):
        if not self.work:
            return {}, 0
        work = self.work
        work.end_clients()
        self.fleet.wait_whole("the same rules everywhere", 60)
        epoch = self.fleet.node_list[0].status()["epoch"]
        work.look_back(epoch)
        authors = {client.name: author_of(client.admin) for client in work.clients}
        problems = problems_of(work.history.records, work.final, work.watchers, authors, epoch)
        problems["clients"] = [f"{c.name}: {c.problem!r}" for c in work.clients if c.problem]
        return problems, sum(r.outcome == "committed" for r in work.history.records)

    def receipts(self, requests):
        """Of tenants' requests, as their entries keep them."""
        chosen = [r for r in requests if r["tenant"] and r["id"]]
        chosen = chosen[::max(1, len(chosen) // RECEIPTS_MAX)]
        found = []
        for row in chosen:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                node = self.fleet.named[row["entry"]]
                status, value = node.control(f"/mesh/v1/receipts/{row['id']}")
                if status == 200:
                    found.append({"id": row["id"], "tenant": row["tenant"], "hops": value["hops"],
                                  "verified": self.verify(value, len(found))})
        return found

    def verify(self, value, index):
        if index >= VERIFIED_MAX:
            return None
        code, _, _ = run_cli("receipt", "verify", "-", stdin=json.dumps(value), code=None)
        return code == 0

    # --- the end

    def stop_threads(self):
        if self.samples:
            self.samples.end()
        if self.work:
            self.work.stop(self.work.threads())

    def keep(self):
        with open(self.fleet.folder / "requests.jsonl", "w") as file:
            for row in self.seen.requests:
                file.write(json.dumps(row) + "\n")
        self.say(f"kept: {self.fleet.folder}")

    def figures(self):
        """For README and -o json."""
        seen, good = self.seen, [r for r in self.seen.requests if r["outcome"] == "ok"]
        took = [r["done"] - r["at"] for r in good]
        samples = collections.defaultdict(list)
        for row in seen.samples:
            samples[row["node"]].append(row["rss_kib"])
        return {
            "scenario": self.scenario.name, "seed": self.scenario.seed,
            "verdict": "FAILED" if any(self.verdict.values()) else "PASSED",
            "problems": {what: found[:5] for what, found in self.verdict.items() if found},
            "up_s": round(self.up_s, 1), "requests": len(seen.requests), "ok": len(good),
            "outcomes": dict(collections.Counter(r["outcome"] for r in seen.requests)),
            "failed_unbegun": sum(r["outcome"] not in ("ok", "abandoned") and r["status"] != 200
                                  for r in seen.requests),
            "excused": self.excused,
            "p50_s": round(share_of(took, 0.5), 3), "p99_s": round(share_of(took, 0.99), 3),
            "slowest_s": round(max(took, default=0), 2),
            "answered_by": dict(sorted(collections.Counter(r["node"] for r in good).items())),
            "committed": seen.committed, "receipts": len(seen.receipts),
            "whole_s": None if seen.whole_s is None else round(seen.whole_s, 1),
            "faults": dict(collections.Counter(f.kind for f in seen.faults)),
            "rss_mib": {node: round(max(rows) / 1024, 1) for node, rows in samples.items()},
            "stalls": len(self.samples.stalls),
        }
