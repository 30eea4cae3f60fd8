"""Real nodes and engines as processes, for the end-to-end tests and the demo's relatives: made with
`init`, `invite` and `join`, started, killed, paused, asked and stopped. Whoever closes a mesh also
learns what went wrong in it: an exit status, a sanitizer's finding, descriptors left open.

Everything lives in one temporary folder and on loopback; children die with their parent."""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from runner import environment, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAPEVINE = environment("GRAPEVINE", str(ROOT / "build/dev/grapevine"))
READY_S = 30
EXIT_S = 30
FINDINGS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|"
                      r"CHECK failed|check failed|Assertion|forbidden move")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
_libc = ctypes.CDLL(None)


def die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port():
    """A port below those that the kernel hands out, so that nobody takes it in the meantime."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.closing(socket.socket()) as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Process:
    """A child that prints one line when it serves."""

    def __init__(self, name, folder):
        self.name, self.folder, self.child = name, pathlib.Path(folder), None
        self.log_path = self.folder / f"{name}.log"

    def spawn(self, command, ready, env=(), timeout_s=READY_S):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                          stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                                          env={**SANITIZERS, **os.environ, **dict(env)})
        line = self.read_line(timeout_s)
        match = re.fullmatch(ready, line)
        assert match, f"{self.name} did not become ready, it said {line!r}\n{self.tail()}"
        return match

    def read_line(self, timeout_s):
        deadline, line = time.monotonic() + timeout_s, b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                break
            byte = os.read(self.child.stdout.fileno(), 1)
            if not byte:
                break
            line += byte
        return line.decode().rstrip("\n")

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines=25):
        return "\n".join(f"    {self.name}| {line}" for line in self.log().splitlines()[-lines:])

    def kill(self):
        """-9, as a power cut would."""
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)

    def terminate(self, timeout_s=EXIT_S):
        """SIGTERM; the exit status."""
        self.child.send_signal(signal.SIGCONT)
        self.child.terminate()
        try:
            code = self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            code = f"none within {timeout_s} s of SIGTERM"
        self.child.stdout.close()
        return code


class Engine(Process):
    """tests/support/engine.py, and what it counted."""

    def __init__(self, name, folder, models, kind, options):
        super().__init__(name, folder)
        self.port = 0
        self.command = [sys.executable, str(ROOT / "tests/support/engine.py"), "--name", name,
                        "--models", models, "--kind", kind, *options]

    def start(self):
        # After a kill it comes back where it was.
        match = self.spawn([*self.command, "--port", str(self.port)], r"engine port=(\d+)")
        self.port = int(match[1])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            body = None if value is None else json.dumps(value)
            connection.request("GET" if value is None else "POST", path, body)
            return json.loads(connection.getresponse().read())

    def stats(self):
        return self.ask("/_stats")

    def script(self, **by_model):
        self.ask("/_script", by_model)

    def reset(self):
        self.ask("/_reset", {})

    def request(self, request_id):
        """What it knows of one finished request, or None."""
        found = [r for r in self.stats()["requests"] if r["id"] == request_id]
        return found[-1] if found else None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Node(Process):
    def __init__(self, name, folder, sets):
        super().__init__(name, folder)
        self.dir = self.folder / name
        self.sets = list(sets)
        self.http = self.mesh = None
        self.only_invites = False
        self.fds_at_start = None

    def start(self, *options, env=()):
        if self.only_invites:
            self.only_invites = False
            assert self.terminate() == 0, f"{self.name} did not stop\n{self.tail()}"
        command = [GRAPEVINE, "run", "--dir", str(self.dir)]
        for assignment in self.sets:
            command += ["--set", assignment]
        match = self.spawn([*command, *options],
                           r"ready http=(\S+):(\d+) mesh=(\S+) node=(\S+)", env)
        self.host, self.http, self.mesh = match[1], int(match[2]), match[3]
        assert match[4] == self.name, f"the ready line names {match[4]}, not {self.name}"

    def invite(self, *options):
        """A token. An invitation stands in the rules of the mesh, so a node has to run for it: it
        is started, until the test does so."""
        if not self.is_running():
            self.start()
            self.only_invites = True
        return self.cli("invite", *options).strip()

    def cli(self, *arguments, stdin=None, code=0, timeout_s=20):
        """Runs a command against this node's directory; its stdout. code None: (code, out, err)."""
        return run_cli(*arguments, "--dir", str(self.dir), stdin=stdin, code=code,
                       timeout_s=timeout_s)

    def json(self, *arguments):
        return json.loads(self.cli(*arguments, "-o", "json"))

    def control(self, path):
        """(status, value) of a GET on the control socket."""
        with contextlib.closing(UnixConnection(self.dir / "control.sock")) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body else None

    def status(self):
        return self.control("/mesh/v1/status")[1]

    def nodes(self):
        """{name: what this node knows of it}"""
        return {node["name"]: node for node in self.control("/mesh/v1/nodes")[1]["nodes"]}

    def model_nodes(self):
        """{model: names of the nodes that serve it}"""
        models = self.control("/mesh/v1/models")[1]["models"]
        return {m["name"]: {n for v in m["versions"] for n in v["nodes"]} for m in models}

    def connections(self):
        """How many descriptors are open, and how many of them are sockets."""
        fds = os.listdir(f"/proc/{self.pid}/fd")
        sockets = 0
        for fd in fds:
            with contextlib.suppress(OSError):
                sockets += os.readlink(f"/proc/{self.pid}/fd/{fd}").startswith("socket:")
        return len(fds), sockets

    def rss_kib(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])

    def is_settled(self):
        """Is everything given back? One connection to a backend and a probe may come and go."""
        if self.fds_at_start is None:
            return True
        return self.is_idle() and self.connections()[0] <= self.fds_at_start + 2

    def is_idle(self):
        """Has it no request at work? The one that asks counts itself."""
        return self.status()["inflight"] <= 1

    def findings(self):
        return [line for line in self.log().splitlines() if FINDINGS.search(line)]


def run_cli(*arguments, stdin=None, code=0, timeout_s=20, env=()):
    done = subprocess.run([GRAPEVINE, *map(str, arguments)], input=stdin, capture_output=True,
                          text=True, timeout=timeout_s,
                          env={**SANITIZERS, **os.environ, **dict(env)})
    if code is None:
        return done.returncode, done.stdout, done.stderr
    assert done.returncode == code, (f"grapevine {' '.join(map(str, arguments))}: exit status "
                                     f"{done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout


class Mesh:
    """The world of a test: engines, nodes, and what is expected of them at the end."""

    def __init__(self):
        assert os.access(GRAPEVINE, os.X_OK), f"no program {GRAPEVINE}: build it, or set GRAPEVINE"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="grapevine-e2e-"))
        self.engines, self.node_list = [], []

    # --- making

    def engine(self, models="m1", kind="openai", name=None, options=()):
        name = name or f"engine-{len(self.engines) + 1}"
        engine = Engine(name, self.folder, models, kind, options)
        engine.start()
        self.engines.append(engine)
        return engine

    def node(self, name, *, tier="edge", region="eu-west", backends=(), sets=(), advertise=None,
             invite=(), alone=False):
        """A node made by `init` (the first, or one that is to be alone) or `join`; not started."""
        node = Node(name, self.folder, sets)
        node.port = free_port()
        options = ["--dir", node.dir, "--name", name, "--tier", tier, "--region", region,
                   "--http", "127.0.0.1:0", "--mesh", f"127.0.0.1:{node.port}"]
        if advertise:
            options += ["--advertise", advertise]
        for url in backends:
            options += ["--backend", url]
        node.advertise = "none" if alone else advertise
        if alone or not self.node_list:
            run_cli("init", *options)
        else:
            run_cli("join", self.node_list[0].invite(*invite), *options)
        # Whom to dial is in the token, or learnt; here everybody is told of everybody.
        dialable = [] if alone else [f"127.0.0.1:{other.port}" for other in self.node_list
                                     if other.advertise != "none"]
        if dialable:
            node.sets.append(f"peers=[{', '.join(dialable)}]")
        self.node_list.append(node)
        return node

    def start(self):
        for node in self.node_list:
            node.start()
        self.wait_linked()
        self.mark()
        return self

    def mark(self):
        """What is open now is what may be open at the end."""
        for node in self.node_list:
            if node.is_running():
                node.fds_at_start = node.connections()[0]

    def wait_linked(self, nodes=None, timeout_s=20):
        """Until each of them sees each other alive, with the backends up."""
        nodes = nodes or [node for node in self.node_list if node.is_running()]
        names = {node.name for node in nodes}

        def linked():
            for node in nodes:
                seen = node.nodes()
                alive = {name for name, other in seen.items() if other["state"] == "alive"}
                if not names <= alive:
                    return False
                if any(seen[n]["backends"] is None for n in names):
                    return False  # linked, and not a word yet of what it serves
                if any(b["state"] != "up" for n in names for b in seen[n]["backends"]):
                    return False
            return True

        eventually(linked, f"links between {', '.join(sorted(names))}", timeout_s)

    # --- ending

    def show(self):
        for node in self.node_list:
            print(node.tail(12), flush=True)

    def close(self):
        """Stops everything; AssertionError with all that was wrong."""
        problems = []
        for node in self.node_list:
            problems += self.problems_of(node)
        for engine in self.engines:
            if engine.is_running():
                engine.terminate()
        if problems:
            print(f"    (kept: {self.folder})")
            raise AssertionError("\n".join(problems))
        self.forget()

    def forget(self):
        shutil.rmtree(self.folder)

    def problems_of(self, node):
        problems = []
        if node.child is not None and not node.is_running() and node.child.returncode != -9:
            problems.append(f"{node.name} ended by itself: {node.child.returncode}\n{node.tail()}")
        if node.is_running():
            try:
                node.resume()
                eventually(node.is_settled, "descriptors and requests given back", 15)
            except (AssertionError, OSError) as problem:
                fds = os.listdir(f"/proc/{node.pid}/fd") if node.is_running() else []
                problems.append(f"{node.name}: {problem}; {len(fds)} descriptors open, "
                                f"{node.fds_at_start} at the start")
            code = node.terminate()
            if code != 0:
                problems.append(f"{node.name}: exit status {code}\n{node.tail(40)}")
        for line in node.findings()[:5]:
            problems.append(f"{node.name}: {line}")
        return problems
