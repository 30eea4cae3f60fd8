"""Many processes of one system: their life, what each says about the others, alarms, and loads that
change. serf.py and grapevine.py fill in what differs."""
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from gossip.room import now

OBSERVERS = 5  # whose view of the others' loads is looked at


class Cluster:
    """Processes of one system, and what each of them said about the others."""

    def __init__(self, bench, count, served=False):
        self.bench, self.room, self.watch, self.count = bench, bench.room, bench.watch, count
        self.served = served  # one backend each
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=bench.dir))
        self.running = {}  # index: process
        self.seen = [{} for _ in range(count)]  # by observer: subject: (state, time)
        self.heard = {}  # name of an event: {observer: time}
        self.excused = set()  # killed or stopped: what they say, and what is said of them, is right
        self.alarms = []  # (time, observer, subject, "suspect" or "down") between healthy nodes
        self.helpers = []
        self.prepare()

    def start(self, spacing):
        for i in range(self.count):
            began = now()
            with self.room.enter():
                p = subprocess.Popen(self.command(i), stdin=subprocess.DEVNULL, cwd=self.dir,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.running[i] = p
            self.watch.add(p.stdout, self.reader(p.stdout, i))
            self.watch.pump(max(0, spacing - (now() - began)))

    def reader(self, file, observer):
        rest = bytearray()

        def read():
            try:
                data = os.read(file.fileno(), 65536)
            except BlockingIOError:
                return
            if not data:
                self.watch.drop(file)
                return
            rest.extend(data)
            *lines, last = rest.split(b"\n")
            rest[:] = last
            for line in lines:
                self.take(observer, line)

        return read

    def note(self, observer, subject, state):
        if subject >= self.count:
            return
        self.seen[observer][subject] = (state, now())
        if state != "alive" and not {observer, subject} & self.excused:
            self.alarms.append((now(), observer, subject, state))

    def all_see(self, observers, subjects, state):
        return all(self.seen[o].get(s, ("",))[0] == state for o in observers for s in subjects)

    def everybody_alive(self):
        return (all(len(s) == self.count for s in self.seen)
                and self.all_see(range(self.count), range(self.count), "alive"))

    def alarms_since(self, moment):
        """Verdicts and suspicions about healthy nodes by healthy ones."""
        late = [a for a in self.alarms if a[0] >= moment]
        return {"false_down": sum(a[3] == "down" for a in late),
                "false_suspect": sum(a[3] == "suspect" for a in late)}

    def pids(self):
        return [p.pid for p in self.running.values()]

    def signal(self, index, number):
        os.kill(self.running[index].pid, number)

    def kill(self, index):
        p = self.running.pop(index)
        p.kill()
        p.wait()
        self.watch.drop(p.stdout)
        p.stdout.close()

    def stop(self):
        for i in list(self.running):
            self.kill(i)
        for p in self.helpers:
            p.kill()
            p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Samples:
    """What observers knew of others' loads, and how old that was."""

    def __init__(self):
        self.open = False
        self.ages, self.stated, self.newest, self.seen = [], [], {}, 0

    def add(self, observer, subject, value, age):
        if observer == subject:
            return
        changed = self.newest.get((observer, subject)) != value
        self.newest[observer, subject] = value
        if self.open:
            self.ages.append(age)
            self.seen += changed

    def result(self, seconds):
        if not self.ages:
            return {"samples": 0}
        observed = len({pair[1] for pair in self.newest})
        others = len(self.newest) / OBSERVERS
        ages = sorted(self.ages)
        per_s = self.seen / OBSERVERS / seconds * observed / others
        found = {"samples": len(ages), "seen_per_s": per_s}
        for share in (50, 90, 99):
            found[f"age_p{share}_s"] = ages[len(ages) * share // 100]
        if self.stated:
            found["stated_p50_s"] = statistics.median(self.stated)
        return found


def drive(cluster, change, per_second, ask, seconds, samples=None):
    """Every node's load changes so often, in turns; observers are asked five times a second."""
    if samples:
        samples.open = True
    begin = now()
    total = int(seconds * per_second * cluster.count)
    for number in range(total):
        due = begin + number / per_second / cluster.count
        if number % max(1, per_second * cluster.count // 5) == 0:
            ask()
        cluster.watch.pump(max(0, due - now()))
        change(number % cluster.count, number // cluster.count)
    cluster.watch.pump(max(0, begin + seconds - now()))
    if samples:
        samples.open = False
