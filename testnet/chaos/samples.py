"""What a fleet costs while it runs: memory and descriptors of each node, once a second, and whether
this machine itself stood still. Used by run.py, judged by judge.py."""

import contextlib
import threading
import time

PERIOD_S = 1.0
STALL_S = 0.3


class Samples(threading.Thread):
    """rows: {at, node, pid, rss_kib, fds, sockets}; stalls: [(when, how long)]"""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.rows, self.stalls = nodes, [], []
        self.ending = threading.Event()

    def run(self):
        due = time.monotonic()
        while not self.ending.is_set():
            for node in self.nodes:
                self.look(node)
            due = max(due + PERIOD_S, time.monotonic())
            while (left := due - time.monotonic()) > 0 and not self.ending.is_set():
                before = time.monotonic()
                time.sleep(min(0.05, left))
                if (late := time.monotonic() - before - 0.05) > STALL_S:
                    self.stalls.append((time.time(), late))

    def look(self, node):
        with contextlib.suppress(OSError, TypeError, AttributeError):  # it is down, or just went
            pid = node.pid
            fds, sockets = node.connections()
            self.rows.append({"at": time.time(), "node": node.name, "pid": pid,
                              "rss_kib": node.rss_kib(), "fds": fds, "sockets": sockets})

    def end(self):
        self.ending.set()
        self.join(30)
