"""Nodes of a mesh: states from their logs, inventories and loads from their control sockets. Loads
are requests that never end, held open at a backend that never answers (engine.py)."""
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

from gossip.cluster import OBSERVERS, Cluster, Samples, drive
from gossip.room import CLIENT_PORT, ENGINE_PORT, GOSSIP_PORT, metered, now

ENGINE = pathlib.Path(__file__).with_name("engine.py")
LOAD_CHANGES = 4  # a second and node: so the value seen tells its age to a quarter of a second
CONTROL_IDLE_S = 20  # the node closes connections that are idle for a minute
LOAD_CYCLE = 32  # values before one comes again: eight seconds


class Control:
    """A node's control socket, kept open."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(path))
        self.data = bytearray()
        self.used_at = now()

    def ask(self, path):
        self.used_at = now()
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nhost: control\r\n\r\n".encode())

    def answer(self):
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        size = int(re.search(rb"content-length: *(\d+)", head, re.I).group(1))
        while len(self.data) < size:
            self.more()
        body, self.data = bytes(self.data[:size]), self.data[size:]
        return body

    def more(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the control socket was closed")
        self.data += data

    def get(self, path):
        self.ask(path)
        return self.answer()

    def close(self):
        self.sock.close()


class Grapevine(Cluster):
    name = "grapevine"
    line = re.compile(rb'"event":"peer_(joined|back|suspect|down|left)","peer":"n(\d+)"')
    states = {b"joined": "alive", b"back": "alive", b"suspect": "suspect", b"down": "down",
              b"left": "left"}

    def prepare(self):
        self.engine = None
        self.control = {}
        if self.served:
            self.serve()
        token = None
        for i in range(self.count):
            words = [self.bench.binary, "join", token] if i else [self.bench.binary, "init"]
            words += ["--dir", self.at(i), "--name", f"n{i:03d}",
                      "--http", f"{self.room.nodes_at}:{CLIENT_PORT + i}",
                      "--mesh", f"127.0.0.1:{GOSSIP_PORT + i}"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            if i == 0:
                token = self.invite()

    def invite(self):
        """Invitations stand in the rules: the first node runs while one is made."""
        node = subprocess.Popen([self.bench.binary, "run", "--dir", self.at(0),
                                 "--insecure-http"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        node.stdout.readline()  # ready
        done = subprocess.run([self.bench.binary, "invite", "--dir", self.at(0), "--uses", "1000"],
                              check=True, capture_output=True, text=True)
        node.terminate()
        node.wait()
        return done.stdout.strip()

    def at(self, i):
        return str(self.dir / f"n{i:03d}")

    def command(self, i):
        # Past twenty in a second, lines about members are of level debug.
        command = [self.bench.binary, "run", "--dir", self.at(i), "--insecure-http",
                   "--set", "log.format=json", "--set", "log.level=debug"]
        if self.served or (i == 0 and self.count > 1):
            url = f"http://{self.room.ours_at}:{ENGINE_PORT + i}"
            command += ["--set", "backends=[{name: e, url: '%s', concurrency: 4096}]" % url]
        return command

    def take(self, observer, line):
        found = self.line.search(line)
        if found:
            self.note(observer, int(found.group(2)), self.states[found.group(1)])
        elif b'"event":"ready"' in line:
            self.note(observer, observer, "alive")

    def ask(self, i):
        old = self.control.get(i)
        if old and now() - old.used_at > CONTROL_IDLE_S:
            self.control.pop(i).close()
        if i not in self.control:
            self.control[i] = Control(self.at(i) + "/control.sock")
        return self.control[i]

    def confirmed(self, i):
        rows = json.loads(self.ask(i).get("/mesh/v1/nodes"))["nodes"]
        return sum(row["state"] == "alive" for row in rows)

    def serve(self):
        count = self.count if self.served else 1
        self.engine = subprocess.Popen([sys.executable, str(ENGINE), self.room.ours_at,
                                        str(count)])
        self.helpers.append(self.engine)
        end = now() + 10
        while True:
            try:
                request(self.room.ours_at, ENGINE_PORT + count - 1, "").close()
                return
            except ConnectionRefusedError:
                if now() > end:
                    raise
                time.sleep(0.05)

    def event(self, number, _):
        """The engine of n000 serves another model: when each node knew, n000 itself being the
        first. The nodes are asked in turns, so a turn's length is in what is found."""
        if not self.engine:
            self.serve()
            self.watch.pump(5)
        name = f'"e{number}"'.encode()
        told = request(self.room.ours_at, ENGINE_PORT,
                       f"PUT /e{number} HTTP/1.1\r\nhost: e\r\n\r\n")
        told.recv(4096)
        told.close()
        owner = self.ask(0)
        end = now() + 20
        while name not in owner.get("/mesh/v1/models"):
            if now() > end:
                return None, []
            time.sleep(0.002)
        began = now()
        times, waiting = [began], set(range(1, self.count))
        while waiting and now() < end:
            for i in waiting:
                self.ask(i).ask("/mesh/v1/models")
            for i in sorted(waiting):
                if name in self.control[i].answer():
                    times.append(now())
                    waiting.discard(i)
            self.watch.pump(0.002)
        return began, times

    def end_events(self):
        """Nobody executes anything from here on; links that nobody wants are closed after a minute,
        and must not help to find the dead."""
        if self.engine and not self.served:
            self.engine.kill()
            self.engine.wait()
            self.watch.pump(75)

    def load(self, seconds, warm):
        samples = Samples()
        held = [[] for _ in range(self.count)]
        made = [{} for _ in range(self.count)]  # by value: when the node's load became that
        observers = self.bench.rng.sample(range(self.count), OBSERVERS)

        def change(i, turn):
            if turn % LOAD_CYCLE == 0:
                for sock in held[i]:
                    sock.close()
                held[i] = []
            else:
                body = json.dumps({"model": f"m{i}", "messages": []})
                held[i].append(request(
                    self.room.nodes_at, CLIENT_PORT + i,
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: n\r\n"
                    "content-type: application/json\r\n"
                    f"content-length: {len(body)}\r\n\r\n{body}"))
            made[i][len(held[i])] = now()

        def ask():
            for o in observers:
                for row in json.loads(self.ask(o).get("/mesh/v1/nodes"))["nodes"]:
                    value, subject = row["load"]["inflight"], int(row["name"][1:])
                    if value is not None and value in made[subject]:
                        age = now() - made[subject][value] - 0.5 / LOAD_CHANGES
                        samples.add(o, subject, value, max(0, age))
                        samples.stated.append((row["age_ms"] or 0) / 1000)

        drive(self, change, LOAD_CHANGES, ask, warm)
        result = metered(self, lambda: drive(self, change, LOAD_CHANGES, ask, seconds, samples))
        for sock in sum(held, []):
            sock.close()
        return result | samples.result(seconds)

    def stop(self):
        for c in self.control.values():
            c.close()
        super().stop()


def request(host, port, text):
    sock = socket.create_connection((host, port), 5)
    sock.sendall(text.encode())
    return sock
