"""Where processes run and how they are watched: network namespaces, pipes, what the kernel counts.
Knows neither system."""
import contextlib
import ctypes
import os
import pathlib
import re
import selectors
import subprocess
import time

GOSSIP_PORT, CLIENT_PORT, ENGINE_PORT = 20000, 30000, 40000  # and upwards, one per node
CLONE_NEWNET = 0x40000000

now = time.monotonic
libc = ctypes.CDLL(None, use_errno=True)


class Room:
    """Two namespaces and a veth between them: the nodes' one, whose loopback carries what nodes say
    to each other and nothing else, and ours, from where they are asked and served."""

    def __init__(self, apart):
        self.apart = apart
        self.nodes_at = "10.99.0.1" if apart else "127.0.0.1"  # for clients
        self.ours_at = "10.99.0.2" if apart else "127.0.0.1"  # for backends
        self.inside = None
        if apart:
            self.ours = os.open("/proc/self/ns/net", os.O_RDONLY)
            self.check(libc.unshare(CLONE_NEWNET))
            self.inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            ours = f"/proc/{os.getpid()}/fd/{self.ours}"
            with self.enter():
                self.ip("link", "set", "lo", "up")
                self.ip("link", "add", "gv1", "type", "veth", "peer", "name", "gv0", "netns", ours)
                self.ip("addr", "add", self.nodes_at + "/24", "dev", "gv1")
                self.ip("link", "set", "gv1", "up")
            self.ip("link", "set", "lo", "up")
            self.ip("addr", "add", self.ours_at + "/24", "dev", "gv0")
            self.ip("link", "set", "gv0", "up")

    @staticmethod
    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    @contextlib.contextmanager
    def enter(self):
        """What is started here lives in the nodes' namespace."""
        if not self.apart:
            yield
            return
        self.check(libc.setns(self.inside, CLONE_NEWNET))
        try:
            yield
        finally:
            self.check(libc.setns(self.ours, CLONE_NEWNET))

    def sent(self):
        """IP bytes and packets sent over the nodes' loopback so far."""
        with self.enter():
            text = pathlib.Path("/proc/thread-self/net/dev").read_text()
        fields = re.search(r"lo:(.*)", text).group(1).split()
        return int(fields[8]) - 14 * int(fields[9]), int(fields[9])  # less the Ethernet headers


class Watch:
    """Calls back for whatever can be read, until told to stop."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def add(self, file, on_ready):
        os.set_blocking(file.fileno(), False)
        self.selector.register(file, selectors.EVENT_READ, on_ready)

    def drop(self, file):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(file)

    def pump(self, seconds, done=None):
        """True as soon as done(); False when the time is over."""
        end = now() + seconds
        while not (done and done()):
            left = end - now()
            if left <= 0:
                return False
            for key, _ in self.selector.select(min(left, 0.02)):
                key.data()
        return True


def cpu_ns(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
    return total


def memory_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return [int(re.search(rf"^{word}:\s+(\d+)", text, re.M).group(1)) for word in ("Rss", "Pss")]


def busy_ns():
    """CPU time of the whole machine."""
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * 10_000_000


def metered(cluster, work):
    """What the nodes sent and used meanwhile, per node; and what strangers used of the machine."""
    pids = cluster.pids()
    helpers = [p.pid for p in cluster.helpers] + [os.getpid()]
    sent, used, ours = cluster.room.sent(), cpu_ns(pids), cpu_ns(helpers)
    busy, began = busy_ns(), now()
    work()
    seconds = now() - began
    sent = [(b - a) / seconds / len(pids) for a, b in zip(sent, cluster.room.sent())]
    used_ns = cpu_ns(pids) - used
    foreign = busy_ns() - busy - used_ns - (cpu_ns(helpers) - ours)
    return {"bytes_per_s": sent[0], "packets_per_s": sent[1],
            "cpu_percent": used_ns / seconds / len(pids) / 1e7,
            "foreign_percent": max(0, foreign / seconds / os.cpu_count() / 1e7)}
