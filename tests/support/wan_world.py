"""What tests/e2e/test_gossip_wan.py watches its nodes by: processes inside namespaces, a steady
load of requests, stalls of this machine, and the logs of all, where a suspicion has a cause or is
a false alarm."""

import collections
import concurrent.futures
import contextlib
import datetime
import http.client
import json
import re
import threading
import time

import mesh
from mesh import Engine, Node, UnixConnection
from web import chat_body

MODEL = "m1"
STALL_S = 0.25  # this process slept so much longer than it meant to, and so may others
STALL_EXPLAINS_S = 6
EVENTS = {"peer_suspect", "peer_down", "peer_back", "peer_left", "peer_joined", "peer_forgotten"}
Event = collections.namedtuple("Event", "time observer kind subject by incarnation")


class Inside:
    """A process of support/mesh.py in a namespace."""

    place = None

    def spawn(self, command, ready, env=(), timeout_s=mesh.READY_S):
        return super().spawn(self.place.command(command), ready, env, timeout_s)


class NearEngine(Inside, Engine):
    pass


class FarNode(Inside, Node):
    @property
    def region(self):
        return self.name[0]

    def metrics(self):
        with contextlib.closing(UnixConnection(self.dir / "control.sock")) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found = re.findall(r"^grapevine_(\w+(?:\{[^}]*\})?) (\S+)$", text, re.M)
        return {name: float(value) for name, value in found}

    def events(self):
        """What it said about other nodes."""
        for line in self.log().splitlines():
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if value.get("event") in EVENTS:
                    when = datetime.datetime.fromisoformat(value["ts"]).timestamp()
                    kind = value["event"].removeprefix("peer_")
                    yield Event(when, self.name, kind, value["peer"], value["by"],
                                value["incarnation"])

    def lines_about(self, names, count=12):
        """The end of its log, as far as it is about these."""
        lines = [line for line in self.log().splitlines() if any(name in line for name in names)]
        return "\n".join(f"    {self.name}| {line}" for line in lines[-count:])


class Traffic:
    """Requests at a steady rate through the entries in turn, each on its own schedule; every fifth
    is a stream. A request fails when its answer is no good and had not begun."""

    def __init__(self, entries, rate):
        self.entries, self.rate, self.sent = entries, rate, 0
        self.failed, self.broken, self.executors = [], [], collections.Counter()
        self.slowest = 0.0
        self.ending = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(48)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        started = time.monotonic()
        while not self.ending.wait(max(0, started + self.sent / self.rate - time.monotonic())):
            self.pool.submit(self.one, self.sent)
            self.sent += 1

    def one(self, number):
        node = self.entries[number % len(self.entries)]
        is_stream, started, begun = number % 5 == 0, time.monotonic(), False
        script = {"text": f"n{number}x", "events": 6, "delay": 0.03, "wait": 0.02}
        body = json.dumps(chat_body(MODEL, stream=is_stream, engine=script))
        fields = {"x-request-id": f"r{number}", "Connection": "close"}
        connection = http.client.HTTPConnection("127.0.0.1", node.http, timeout=30)
        try:
            connection.sock = node.place.connect(node.http, 30)
            connection.request("POST", "/v1/chat/completions", body, fields)
            answer = connection.getresponse()
            begun = answer.status == 200
            text = answer.read().decode()
            is_good = begun and f"n{number}x" in text and (not is_stream or "[DONE]" in text)
            if is_good:
                self.executors[answer.headers["grapevine-node"]] += 1
                self.slowest = max(self.slowest, time.monotonic() - started)
            else:
                self.blame(number, node, begun, f"{answer.status} {text[-200:]}", started)
        except Exception as problem:  # noqa: BLE001 - counted, whatever it is
            self.blame(number, node, begun, repr(problem), started)
        finally:
            connection.close()

    def blame(self, number, node, begun, what, started):
        (self.broken if begun else self.failed).append(
            f"r{number} at {node.name}, {time.monotonic() - started:.1f} s after "
            f"{time.strftime('%H:%M:%S')}: {what}")

    def stop(self):
        self.ending.set()
        self.thread.join()
        self.pool.shutdown()


class Stalls:
    """Notices when this machine did not let a sleeper wake up."""

    def __init__(self):
        self.found, self.worst = [], 0.0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            before = time.monotonic()
            time.sleep(0.05)
            late = time.monotonic() - before - 0.05
            self.worst = max(self.worst, late)
            if late > STALL_S:
                self.found.append(time.time())

    def explain(self, when):
        return any(stall - 1 < when < stall + STALL_EXPLAINS_S for stall in self.found)


class Alarms:
    """Which suspicions and verdicts have a cause."""

    def __init__(self):
        self.causes, self.stalls = [], Stalls()

    def cause(self, kinds, is_meant):
        """From now on, until `end` is called, such events have one; is_meant(observer, subject)."""
        entry = [time.time() - 0.1, float("inf"), kinds, is_meant]
        self.causes.append(entry)

        def end(after_s):
            entry[1] = time.time() + after_s

        return end

    def has_cause(self, event):
        return any(since <= event.time <= until and event.kind in kinds
                   and is_meant(event.observer, event.subject)
                   for since, until, kinds, is_meant in self.causes)

    def false_ones(self, nodes):
        """(those without a cause, how many a stall of the machine explains). A stall explains that
        a node is suspected, never that it is held for down."""
        false, stalled = [], 0
        for node in nodes:
            for event in node.events():
                if event.kind not in ("suspect", "down") or self.has_cause(event):
                    continue
                if event.kind == "suspect" and self.stalls.explain(event.time):
                    stalled += 1
                else:
                    false.append(event)
        return sorted(false), stalled
