"""Does to a fleet what a scenario plans, takes it back, and keeps a record of whom it hurt and
when: by those records the judge excuses. A fault that cannot be had now (its victim is down
already) is left out. All from the main thread: a child dies with the thread that started it. Used
by run.py."""

import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import time

import certificate
from shape import duration_s

RULES_FOLDERS = ("raft", "registry", "snapshots")
TESTNET = pathlib.Path(__file__).resolve().parents[1]  # where files of orders are
AIMED = ("kill", "pause", "restart", "upgrade", "wipe", "disk", "slow_disk", "silence", "clock")
AFTER_S = 2  # a machine is away for so long
SKEW_S = 300  # so far clocks may differ; so long after its end a certificate is taken


@dataclasses.dataclass
class Fault:
    """Whom it hurts: nodes (not to be reached, or not well), engines (by their node), cables
    (name, way). Times are wall clock."""

    kind: str
    title: str
    began: float
    ended: float = None
    nodes: tuple = ()
    engines: tuple = ()
    cables: tuple = ()
    planned: int = None  # index in the scenario
    problem: str = None  # what the victim did not do in time


class Faults:
    def __init__(self, fleet, say):
        self.fleet, self.say, self.found = fleet, say, []
        self.undo = {}     # fault: what ends it
        self.orders = []   # (title, exit status, what it said)

    def begin(self, planned, index):
        """The fault, or None."""
        victim = self.victim(planned)
        if victim is None:
            self.say(f"left out: {planned.title}")
            return None
        title = planned.title if victim == planned.target else f"{planned.title}: {victim}"
        fault = Fault(planned.kind, title, time.time(), planned=index)
        undo = getattr(self, planned.kind)(fault, planned, victim)
        if undo is None:
            self.say(f"left out: {title}")
            return None
        self.found.append(fault)
        self.say(f"{title}" + (f" for {planned.for_s:.1f} s" if planned.for_s else ""))
        self.undo[id(fault)] = undo
        return fault

    def end(self, fault):
        """Its victims count as hurt until they serve again."""
        self.undo.pop(id(fault))()
        fault.ended = time.time()
        self.say(f"over: {fault.title}")

    def end_all(self):
        for fault in self.found:
            if id(fault) in self.undo:
                self.end(fault)

    def victim(self, planned):
        if planned.kind not in AIMED or planned.target not in ("leader", "follower"):
            return planned.target
        leader = self.fleet.leader()
        if planned.target == "leader":
            return leader
        voting = [name for name, status in self.fleet.seen_statuses().items()
                  if status["rules"]["role"] == "voter" and name != leader]
        return sorted(voting)[0] if voting else None

    # --- nodes. Each returns what ends it, or None: it cannot be had now.

    def running(self, fault, name):
        node = self.fleet.named[name]
        fault.nodes = (name,)
        return node if node.is_running() and not node.is_paused else None

    def kill(self, fault, _, name):
        if not (node := self.running(fault, name)):
            return None
        node.kill()
        return node.start

    def pause(self, fault, _, name):
        if not (node := self.running(fault, name)):
            return None
        node.pause()
        return node.resume

    def restart(self, fault, _, name):
        if not (node := self.running(fault, name)):
            return None
        self.ends_well(node)
        return node.start

    def upgrade(self, fault, planned, name):
        start = self.restart(fault, planned, name)
        self.fleet.named[name].program = os.environ["GRAPEVINE_NEXT"]
        return start

    @staticmethod
    def ends_well(node):
        code = node.terminate()
        assert code == 0, f"{node.name}: exit status {code}\n{node.tail(40)}"

    def wipe(self, fault, _, name):
        if not (node := self.running(fault, name)):
            return None
        node.kill()
        for folder in RULES_FOLDERS:
            shutil.rmtree(node.dir / "data" / folder, ignore_errors=True)
        return node.start

    def disk(self, fault, _, name):
        """Full. Whoever led goes on as a follower, and by itself when there is room."""
        if not (node := self.running(fault, name)):
            return None
        fault.nodes = ()  # it serves requests as ever
        node.disk.fill()

        def free():
            rules = node.status()["rules"]
            self.say(f"{name}: disk_full {str(rules['disk_full']).lower()}, {rules['role']}")
            node.disk.free()

        return free

    def reclaim(self, fault, planned, name):
        """Its machine is taken away when the time is up, and comes back: it has to have drained by
        itself before, so nobody is hurt."""
        engine = self.fleet.engine_of[name]
        node = self.running(fault, name)
        fault.nodes = ()
        if not node or not engine.is_running():
            return None
        lead_s = planned.for_s - AFTER_S
        engine.ask("POST", "/faults", {"fault": "reclaim", "for_ms": int(lead_s * 1000)})

        def back():
            ended_s = self.ended_after(node, fault.began, lead_s)
            if ended_s is None:
                fault.problem = f"{name} had not drained {lead_s:.1f} s after the notice"
                node.is_running() and node.kill()
            else:
                self.say(f"{name} had ended {ended_s:.1f} s after the notice of {lead_s:.1f} s")
            engine.child.wait(10)
            engine.start()
            node.start()

        return back

    @staticmethod
    def ended_after(node, since, within_s):
        """Seconds until it ended well by itself; None: it did not."""
        if node.is_running() or node.child.returncode != 0:
            return None
        last = json.loads(node.log().splitlines()[-1])
        took_s = datetime.datetime.fromisoformat(last["ts"]).timestamp() - since
        return took_s if took_s < within_s else None

    def clock(self, fault, planned, name):
        """Wrong by so much. Beyond what is tolerated others are of no use to it, nor it to them."""
        if not (node := self.running(fault, name)):
            return None
        by_s = duration_s(planned.words["by"].removeprefix("-"))
        fault.nodes = (name,) if by_s > SKEW_S else ()
        node.machine.set(ahead_s=-by_s if planned.words["by"].startswith("-") else by_s)
        return node.machine.set

    def slow_disk(self, fault, planned, name):
        """Each sync takes so much longer. Requests do not wait for it."""
        if not (node := self.running(fault, name)):
            return None
        fault.nodes = ()
        node.machine.set(sync_s=duration_s(planned.words["by"]))
        return node.machine.set

    def expire(self, fault, planned, name):
        """Started anew with a certificate that is no longer taken when half of the time is over,
        and at the end with the one that it had."""
        if not (node := self.running(fault, name)):
            return None
        path = node.dir / "node.cert"
        before = path.read_text()
        fault.nodes = ()
        self.ends_well(node)
        end_s = time.time() - SKEW_S + planned.for_s / 2
        certificate.end_at(path, self.fleet.seeds(), int(end_s * 1000))
        node.start()

        def renew():
            self.ends_well(node)
            path.write_text(before)
            node.start()

        return renew

    def silence(self, fault, planned, name):
        fault.nodes = (name,)
        self.fleet.network.silence(name, planned.way)
        return lambda: self.fleet.network.speak(name)

    def power(self, fault, *_):
        """Everything off at once, engines too."""
        fleet = self.fleet
        fault.nodes = tuple(fleet.named)
        fault.engines = tuple(fleet.engine_of)
        victims = [p for p in (*fleet.node_list, *fleet.engines) if p.is_running()]
        for process in victims:
            process.kill()

        def on():
            for process in reversed(victims):  # engines first, as it happens
                process.start()

        return on

    # --- engines

    def crash(self, fault, _, name):
        engine = self.fleet.engine_of[name]
        fault.engines = (name,)
        if not engine.is_running():
            return None
        engine.kill()
        return engine.start

    def engine(self, fault, planned, name):
        engine = self.fleet.engine_of[name]
        fault.engines = (name,)
        if not engine.is_running():
            return None
        bound = {} if "count" in planned.words else {"for_ms": int(planned.for_s * 1000) + 60000}
        engine.ask("POST", "/faults", {**planned.words, **bound})
        return lambda: engine.is_running() and engine.ask("DELETE", "/faults")

    # --- the network

    def cut(self, fault, planned, ends):
        cable = self.fleet.network.cable(*ends)
        fault.cables = ((cable.name, planned.way),)
        self.fleet.network.cut(cable, planned.way)
        return lambda: self.fleet.network.heal(cable)

    def cutoff(self, fault, _, site):
        network = self.fleet.network
        cables = network.cables_of(site)
        fault.cables = tuple((cable.name, "both") for cable in cables)
        for cable in cables:
            network.cut(cable)
        return lambda: [network.heal(cable) for cable in cables]

    def shape(self, fault, planned, ends):
        """Bad, and no excuse."""
        cable = self.fleet.network.cable(*ends)
        self.fleet.network.reshape(cable, planned.words, planned.way)
        return lambda: self.fleet.network.heal(cable)

    # --- rules

    def order(self, fault, planned, words):
        node = self.fleet.named[planned.through]
        words = [TESTNET / word if (TESTNET / str(word)).is_file() else word for word in words]
        key = ["--key", self.fleet.node_list[0].dir / "admin.key"]
        code, out, error = node.cli(*words, *key, code=None, timeout_s=60)
        self.orders.append((fault.title, code, (error or out).strip()[-200:]))
        self.say(f"{' '.join(map(str, words))}: exit status {code}")
        return lambda: None
