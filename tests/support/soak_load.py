"""Clients of the rules, and what they saw: signed compare-and-set commands and linearizable reads
through any node's control socket, each with the times of its call and its return, and watchers that
follow all changes from the first on. Used by soak_world.py; judged by soak_verdict.py.

An operation whose outcome is not known stays open: the same bytes are sent again, through another
node, which is harmless and finds out; a client that loses patience before goes on and leaves it
open."""

import base64
import contextlib
import dataclasses
import http.client
import json
import random
import threading
import time

from commands import Admin, setting
from mesh import UnixConnection, run_cli
from runner import eventually

KEYS = [f"x.k{number}" for number in range(6)]
CALL_S = (0.5, 1, 3)  # a node that is stopped, or has no leader, does not answer
THINK_S = 0.04
NEVER = {"timeout", "overloaded", "not_leader", "draining", "starting"}  # this try did not happen


@dataclasses.dataclass
class Record:
    """One operation, whatever number of tries it took."""

    client: str
    kind: str  # read, put, cas
    key: str
    value: str = None
    if_rev: int = None
    expected: str = None
    invoked: float = 0.0
    returned: float = None
    outcome: str = "open"  # read, committed, conflict; open; failed: it never happened; or a reason
    rev: int = 0  # of what was read; the epoch of what was written
    index: int = 0
    repeat: bool = False
    tries: list = dataclasses.field(default_factory=list)


def ask(node, method, target, body=None, timeout_s=3):
    """(status, value), or (None, was it sent?)."""
    connection = UnixConnection(node.dir / "control.sock")
    connection.timeout = timeout_s
    with contextlib.closing(connection):
        try:
            connection.connect()
        except OSError:
            return None, False
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None, True


class History:
    """All records, and what was seen last of each key: (rev, value)."""

    def __init__(self):
        self.lock, self.records, self.known = threading.Lock(), [], {}

    def add(self, record):
        with self.lock:
            self.records.append(record)
            if record.outcome in ("read", "committed"):
                rev, _ = self.known.get(record.key, (0, None))
                if record.rev >= rev:
                    self.known[record.key] = (record.rev, record.value)

    def last(self, key):
        with self.lock:
            return self.known.get(key, (0, None))


class Client(threading.Thread):
    def __init__(self, name, admin, nodes, history, seed):
        super().__init__(daemon=True, name=name)
        self.admin, self.nodes, self.history = admin, nodes, history
        self.rng = random.Random(f"{seed} {name}")
        self.count, self.ending, self.problem = 0, threading.Event(), None

    def run(self):
        try:
            while not self.ending.wait(self.rng.expovariate(1 / THINK_S)):
                self.step(self.rng.choice(KEYS), self.rng.random())
            for key in KEYS:  # what was left open is decided by the next command's number
                self.step(key, 1.0)
        except BaseException as problem:
            self.problem = problem
            raise

    def step(self, key, dice):
        self.count += 1
        self.history.add(self.read(key) if dice < 0.5 else self.write(key, dice < 0.9))

    def read(self, key, patience_s=None):
        """Of a read that fails nothing is to be learnt."""
        record = Record(self.name, "read", key, invoked=time.monotonic())
        node = self.rng.choice(self.nodes)
        status, answer = ask(node, "GET", f"/mesh/v1/registry/setting/{key}?consistent=1",
                             timeout_s=patience_s or self.rng.choice(CALL_S))
        record.returned = time.monotonic()
        record.tries.append(f"{node.name}: {status}")
        code = (answer.get("error") or {}).get("code") if isinstance(answer, dict) else None
        if status == 200:
            record.outcome, record.value, record.rev = "read", answer["value"], answer["rev"]
        elif status == 404 and code == "not_found":
            record.outcome = "read"
        else:
            record.outcome = "failed"
        return record

    def write(self, key, is_compared):
        value = f"{self.name}-{self.count} " + "x" * self.rng.choice((0, 40, 220))
        record = Record(self.name, "put", key, value)
        if is_compared:
            record.kind = "cas"
            record.if_rev, record.expected = self.history.last(key)
        command = self.admin.sign(setting(key, value, record.if_rev))
        patience_s = self.rng.choice((0, 2, 10, 60))
        record.invoked = time.monotonic()
        may_have = False
        while True:
            outcome = self.attempt(record, command)
            may_have |= outcome == "open"
            late = time.monotonic() > record.invoked + patience_s
            if outcome not in ("open", "failed") or late:
                break
            time.sleep(0.1)
        if outcome in ("open", "failed"):
            outcome = "open" if may_have else "failed"
        else:
            record.returned = time.monotonic()
        record.outcome = outcome
        return record

    def attempt(self, record, command):
        node = self.rng.choice(self.nodes)
        status, answer = ask(node, "POST", "/mesh/v1/commands", command, self.rng.choice(CALL_S))
        record.tries.append(f"{node.name}: {status} {answer}")
        if status is None:
            return "open" if answer else "failed"
        if status == 429:
            return "failed"
        if status != 200 or answer["outcome"] == "unknown":
            return "open"
        record.index, record.repeat = answer["index"] or 0, answer["repeat"]
        if answer["outcome"] == "committed":
            record.rev = answer["epoch"]
            return "committed"
        return "failed" if answer["reason"] in NEVER else answer["reason"]


def client_with_key(number, nodes, history, seed):
    """With an administrator's key of its own, made at the first node: numbers of commands rise by
    author."""
    name, home = f"c{number}", nodes[0].dir
    certificate = (home / "node.cert").read_text().splitlines()[1]
    raw = base64.urlsafe_b64decode(certificate + "=" * (-len(certificate) % 4))
    root = base64.urlsafe_b64encode(raw[:32]).decode().rstrip("=")
    key = home.parent / f"{name}.key"
    public = run_cli("key", "new", key, f"--root={root}").strip()
    # A key may begin with "-".
    run_cli("admin", "add", "--dir", home, "--role", "operator", "--", name, public)
    return Client(name, Admin(key), nodes, history, seed)


class Watcher(threading.Thread):
    """All changes, {epoch: [(index, author, event, kind, name), …]}, from one node after another.
    What is told twice must be the same twice."""

    def __init__(self, name, nodes, seed):
        super().__init__(daemon=True, name=name)
        self.nodes, self.rng = nodes, random.Random(f"{seed} {name}")
        self.changes, self.last, self.problems = {}, 0, []
        self.ending, self.resumed, self.compacted = threading.Event(), 0, 0

    def run(self):
        while not self.ending.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.follow(self.rng.choice(self.nodes), self.rng.uniform(2, 20))
            self.resumed += 1
            self.ending.wait(0.1)

    def follow(self, node, for_s):
        since = max(0, self.last - 1)  # the last one may have broken off in the middle
        until, again = time.monotonic() + for_s, {}
        connection = UnixConnection(node.dir / "control.sock")
        connection.timeout = 2
        with contextlib.closing(connection):
            connection.request("GET", f"/mesh/v1/watch?from={since}")
            answer = connection.getresponse()
            while time.monotonic() < until and not self.ending.is_set():
                line = answer.readline()
                if not line:
                    break
                change = json.loads(line)
                if change["event"] == "compacted":
                    self.compacted += 1
                    break
                self.take(change, again, node)

    def take(self, change, again, node):
        epoch = change["epoch"]
        row = tuple(change[field] for field in ("index", "author", "event", "kind", "name"))
        rows = again.setdefault(epoch, [])
        rows.append(row)
        before = self.changes.get(epoch, [])
        if rows != before[:len(rows)] and before != rows[:len(before)]:
            self.problems.append(f"{node.name} tells of epoch {epoch} {rows}, before it {before}")
        if epoch < self.last - 1 or epoch < max(again):
            self.problems.append(f"{node.name} tells of epoch {epoch} after {self.last}")
        if epoch > self.last + 1:
            self.problems.append(f"{node.name} tells of epoch {epoch} right after {self.last}")
        if len(rows) > len(before):
            self.changes[epoch] = rows
        self.last = max(self.last, epoch)


class Work:
    """Clients and two watchers at the same nodes, from `start` to `end`."""

    def __init__(self, nodes, client_count, seed):
        self.history, self.final = History(), []
        self.clients = [client_with_key(number, nodes, self.history, seed)
                        for number in range(client_count)]
        self.watchers = [Watcher(f"watcher-{n}", nodes, seed) for n in (1, 2)]

    def threads(self):
        return [*self.watchers, *self.clients]

    def start(self):
        for thread in self.threads():
            thread.start()

    def end_clients(self):
        self.stop(self.clients)
        for client in self.clients:
            client.join(120)
            assert not client.is_alive(), f"{client.name} does not end"

    def look_back(self, epoch):
        """What the keys have at the end, once all is settled at this epoch."""
        self.final = [self.clients[0].read(key, 20) for key in KEYS]
        for record in self.final:
            assert record.outcome == "read", f"the last read of {record.key}: {record.tries}"
            self.history.add(record)
        for watcher in self.watchers:
            eventually(lambda: watcher.last >= epoch, f"{watcher.name} to catch up", 60)
        self.stop(self.watchers)
        for watcher in self.watchers:
            watcher.join(30)

    @staticmethod
    def stop(threads):
        for thread in threads:
            thread.ending.set()
