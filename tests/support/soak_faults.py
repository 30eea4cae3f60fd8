"""What happens to the nodes of a soak: killed, stopped, wiped, cut off, all by a seeded generator
and in the main thread (a child dies with the thread that started it). Each fault is a generator
that begins it, yields how long it lasts, and ends it; two may overlap. Used by soak_world.py."""

import dataclasses
import shutil
import time

from soak_load import ask

RULES_FOLDERS = ("raft", "registry", "snapshots")


@dataclasses.dataclass
class Fault:
    kind: str
    victims: list
    began: float
    ended: float = None


class Cuts:
    """Who does not hear whom, as a firewall in the deaf one's namespace."""

    def __init__(self):
        self.deaf = []

    def begin(self, node, others):
        addresses = ", ".join(other.place.address for other in others)
        node.place.run("nft", "-f", "-", text=f"""table inet soak_cut {{
            chain input {{
                type filter hook input priority 0;
                ip saddr {{ {addresses} }} drop
            }}
        }}""")
        self.deaf.append(node)

    def between(self, some, others):
        for node in some:
            self.begin(node, others)
        for node in others:
            self.begin(node, some)

    def heal(self):
        while self.deaf:
            self.deaf.pop().place.run("nft", "delete", "table", "inet", "soak_cut")


class Nemesis:
    def __init__(self, nodes, voters, rng, has_networks, say):
        self.nodes, self.voters, self.rng, self.say = nodes, voters, rng, say
        self.has_networks, self.cuts = has_networks, Cuts()
        self.faults, self.paused = [], set()
        self.wiped = None  # (node, when): until it votes again nobody else is wiped
        self.readmitted_s = []

    # --- who is who

    def status(self, node):
        if not node.is_running() or node in self.paused:
            return None
        status, value = ask(node, "GET", "/mesh/v1/status", timeout_s=2)
        return value if status == 200 else None

    def leader(self):
        seen = [(node, s) for node in self.nodes if (s := self.status(node))]
        leading = [(s["rules"]["term"], node.name, node) for node, s in seen
                   if s["rules"]["role"] == "leader"]
        return max(leading)[2] if leading else None

    def victim(self, leader_share=0.6):
        leader = self.leader()
        if leader and self.rng.random() < leader_share:
            return leader, " leader"
        return self.rng.choice([n for n in self.nodes if n is not leader]), ""

    # --- faults

    def killed(self):
        node, who = self.victim()
        yield f"kill{who}", [node], self.rng.uniform(0.1, 4), node.kill
        node.start()

    def all_killed(self):
        def kill():
            for node in self.nodes:
                node.kill()

        yield "kill all", list(self.nodes), self.rng.uniform(0, 1), kill
        for node in self.rng.sample(self.nodes, len(self.nodes)):
            node.start()

    def restarted(self):
        node, who = self.victim()
        yield f"terminate{who}", [node], self.rng.uniform(0.1, 2), lambda: self.ends_well(node)
        node.start()

    def ends_well(self, node):
        code = node.terminate()
        assert code == 0, f"{node.name}: exit status {code}\n{node.tail(40)}"

    def stopped(self):
        node, who = self.victim()

        def stop():
            self.paused.add(node)
            node.pause()

        yield f"stop{who}", [node], self.rng.choice((0.3, 1.5, 4, 8)), stop
        node.resume()
        self.paused.discard(node)

    def wiped_disk(self):
        voting = [n for n in self.nodes if (s := self.status(n)) and
                  s["rules"]["role"] in ("voter", "leader")]
        node = self.rng.choice(voting) if voting else None
        if self.wiped or node is None:
            return
        self.wiped = (node, time.monotonic())

        def wipe():
            node.kill()
            for name in RULES_FOLDERS:
                shutil.rmtree(node.dir / "data" / name)

        yield "wipe", [node], self.rng.uniform(0, 2), wipe
        node.start()

    def cut_off(self):
        """One, or a minority with it, hears nobody else and is heard by nobody else."""
        node, who = self.victim()
        others = [n for n in self.nodes if n is not node]
        company = self.rng.sample(others, self.rng.choice((0, 0, (len(self.voters) - 1) // 2)))
        side = [node, *company]
        rest = [n for n in others if n not in company]
        yield (f"cut off{who}", side, self.rng.uniform(1, 9),
               lambda: self.cuts.between(side, rest))
        self.cuts.heal()

    def one_way(self):
        node, who = self.victim()
        others = [n for n in self.nodes if n is not node]

        def cut():
            if self.rng.random() < 0.5:
                self.cuts.begin(node, others)
            else:
                for other in others:
                    self.cuts.begin(other, [node])

        yield f"one way{who}", [node], self.rng.uniform(1, 7), cut
        self.cuts.heal()

    def pair_apart(self):
        """Two that others both hear do not hear each other."""
        node, who = self.victim(0.8)
        other = self.rng.choice([n for n in self.nodes if n is not node])
        yield (f"pair apart{who}", [node, other], self.rng.uniform(1, 7),
               lambda: self.cuts.between([node], [other]))
        self.cuts.heal()

    # --- the course of things

    def kinds(self):
        kinds = [(self.killed, 6), (self.stopped, 5), (self.restarted, 1), (self.all_killed, 1),
                 (self.wiped_disk, 3)]
        if self.has_networks:
            kinds += [(self.cut_off, 6), (self.one_way, 2), (self.pair_apart, 2)]
        return kinds

    def choose(self):
        kinds = self.kinds()
        return self.rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]

    def begin(self, make):
        """(the fault, its generator, its length), or None where it cannot be had now."""
        course = make()
        step = next(course, None)
        if step is None:
            return None
        kind, victims, length_s, act = step
        fault = Fault(kind, [node.name for node in victims], time.monotonic())
        self.faults.append(fault)
        self.say(f"{kind}: {' '.join(fault.victims)} for {length_s:.1f} s")
        act()
        return fault, course, length_s

    def end(self, begun):
        fault, course, _ = begun
        next(course, None)
        fault.ended = time.monotonic()

    def one(self):
        """A fault; sometimes a node is killed or stopped on top of it, and is still so when the
        network is whole again, or the other way round."""
        first = self.begin(self.choose())
        if first is None:
            return
        begun = [first]
        time.sleep(first[2] * 0.4)
        is_of_network = first[0].kind.startswith(("cut", "one way", "pair"))
        if is_of_network and self.rng.random() < 0.35:
            begun.append(self.begin(self.rng.choice((self.killed, self.stopped))))
            self.rng.shuffle(begun)
        time.sleep(first[2] * 0.6)
        self.end(begun[0])
        for later in begun[1:]:
            time.sleep(self.rng.uniform(0.5, 4))
            self.end(later)

    def look_at_wiped(self):
        if not self.wiped:
            return
        node, when = self.wiped
        status = self.status(node)
        if status and status["rules"]["role"] in ("voter", "leader"):
            self.readmitted_s.append(time.monotonic() - when)
            self.say(f"{node.name} votes again {self.readmitted_s[-1]:.1f} s after its disk "
                     "was wiped")
            self.wiped = None

    def run(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            calm_until = time.monotonic() + self.rng.choice((0.5, 2, 4))
            while time.monotonic() < calm_until:
                self.look_at_wiped()
                time.sleep(0.25)
            self.one()
