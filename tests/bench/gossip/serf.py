"""serf agents: states from their logs, calls over their RPC (msgpack, as serf's documentation has
it), loads as tags."""
import contextlib
import re
import socket
import time

from gossip.cluster import OBSERVERS, Cluster, Samples, drive
from gossip.room import CLIENT_PORT, GOSSIP_PORT, metered, now


def pack(value):
    """The little of MessagePack that serf's RPC needs."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xce" + value.to_bytes(4, "big")
    if isinstance(value, dict):
        return bytes([0x80 + len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())
    raw = value.encode()
    return bytes([0xA0 + len(raw)]) + raw


class SerfCall:
    """One RPC connection to an agent: calls are counted as they are answered."""

    def __init__(self, cluster, index):
        self.sock = socket.create_connection((cluster.room.nodes_at, CLIENT_PORT + index), 5)
        self.data = bytearray()
        self.sequence = self.sent = self.answered = self.failed = 0
        self.watch = cluster.watch
        self.on_answer = None
        self.watch.add(self.sock, self.read)
        self.call("handshake", {"Version": 1})
        self.watch.pump(5, lambda: self.answered == 1)

    def call(self, command, body=None):
        self.sequence += 1
        self.sent += 1
        head = pack({"Command": command, "Seq": self.sequence})
        self.sock.sendall(head + (pack(body) if body is not None else b""))

    def read(self):
        with contextlib.suppress(BlockingIOError):
            self.data += self.sock.recv(1 << 18)
            if self.on_answer and not self.on_answer(self.data):
                return
            self.answered += self.data.count(b"\xa3Seq")
            self.failed += self.data.count(b"\xa5Error") - self.data.count(b"\xa5Error\xa0")
            self.data.clear()

    def close(self):
        self.watch.drop(self.sock)
        self.sock.close()


class Serf(Cluster):
    name = "serf"
    line = re.compile(rb"EventMember(Join|Failed|Leave|Reap): n(\d+)|(Suspect) n(\d+) has failed|"
                      rb"Received event: user-event: (\S+)")
    states = {b"Join": "alive", b"Failed": "down", b"Leave": "left", b"Reap": "left"}
    member = re.compile(rb"\xa4Name\xa4n(\d{3}).*?\xa1t\xad(\d{13})", re.S)

    def prepare(self):
        pass

    def command(self, i):
        command = ["serf", "agent", f"-node=n{i:03d}", f"-bind=127.0.0.1:{GOSSIP_PORT + i}",
                   f"-rpc-addr={self.room.nodes_at}:{CLIENT_PORT + i}", "-log-level=info"]
        if self.served:
            command += ["-tag", "t=0000000000000"]
        if i:
            command += [f"-retry-join=127.0.0.1:{GOSSIP_PORT}", "-retry-interval=1s"]
        return command

    def take(self, observer, line):
        found = self.line.search(line)
        if not found:
            return
        if found.group(5):
            self.heard.setdefault(found.group(5).decode(), {})[observer] = now()
        elif found.group(3):
            # The log does not tell when a suspicion ends, so it is counted and changes no state.
            if not {observer, int(found.group(4))} & self.excused:
                self.alarms.append((now(), observer, int(found.group(4)), "suspect"))
        else:
            self.note(observer, int(found.group(2)), self.states[found.group(1)])

    def confirmed(self, i):
        caller = SerfCall(self, i)
        statuses = []

        def on_answer(data):
            statuses[:] = [data.count(b"\xa6Status\xa5alive")]
            return data.count(b"DelegateCur") >= self.count

        caller.on_answer = on_answer
        caller.call("members")
        self.watch.pump(5, lambda: caller.answered == 2)
        caller.close()
        return statuses[0] if statuses else 0

    def end_events(self):
        pass

    def event(self, number, source):
        """One user event; when each node logged it, and when the first, its source, did."""
        name = f"e{number}"
        heard = self.heard.setdefault(name, {})
        caller = SerfCall(self, source)
        caller.call("event", {"Name": name, "Payload": "", "Coalesce": False})
        self.watch.pump(20, lambda: len(heard) == self.count)
        caller.close()
        if source not in heard:
            return None, []
        return heard[source], sorted(heard.values())

    def load(self, seconds, warm):
        callers = [SerfCall(self, i) for i in range(self.count)]
        samples = Samples()
        observers = {i: SerfCall(self, i)
                     for i in self.bench.rng.sample(range(self.count), OBSERVERS)}

        def on_answer(observer):
            def take(data):
                if data.count(b"DelegateCur") < self.count:
                    return False
                wall = time.time()
                for name, stamp in self.member.findall(data):
                    if int(stamp):
                        samples.add(observer, int(name), stamp, wall - int(stamp) / 1000)
                return True

            return take

        for i, caller in observers.items():
            caller.on_answer = on_answer(i)

        def change(i, _):
            if callers[i].answered == callers[i].sent:
                stamp = f"{int(time.time() * 1000):013d}"
                callers[i].call("tags", {"Tags": {"t": stamp}})

        def ask():
            for caller in observers.values():
                if not caller.data:
                    caller.call("members")

        drive(self, change, 1, ask, warm)
        before = sum(c.answered - c.failed for c in callers)
        result = metered(self, lambda: drive(self, change, 1, ask, seconds, samples))
        result["calls_per_s"] = (sum(c.answered - c.failed for c in callers) - before) / seconds
        for caller in [*callers, *observers.values()]:
            caller.close()
        return result | samples.result(seconds)
