"""What the mesh owes its users while a part of it misbehaves: one of ten nodes, in one way after
the other; all engines at once; and versions that a policy keeps apart. Counted at the engines and
at the clients, who see nothing else.

GRAPEVINE_REQUESTS: how many each way of misbehaving is tried with (500)."""

import collections
import concurrent.futures
import http.client
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import equal, eventually, main, note, test
from web import chat

NODES = 10
REQUESTS = int(os.environ.get("GRAPEVINE_REQUESTS", "500"))
CLIENTS = 8
# Before the first octet of an answer: what breaks off later was begun, and is not tried again.
WAYS = {
    "errors": {"do": "500"},
    "closes": {"do": "close"},
    "resets": {"do": "reset"},
    "garbage": {"do": "garbage"},
    "hangs": {"do": "hang"},
    "slow": {"wait": 3},
    "busy": {"do": "429", "retry_after": 1},
}
SURE = """apiVersion: grapevine/v1
kind: RoutePolicy
metadata: {name: sure}
spec:
  match: request.model == 'm'
  strategy: availability-first
  limits: {attempts: 4, hedge_after: 300ms}
"""
SPLIT = """apiVersion: grapevine/v1
kind: RoutePolicy
metadata: {name: canary}
spec:
  match: request.model == 'm'
  split: [{version: v1, weight: 90}, {version: v2, weight: 10}]
  sticky: request.headers["x-session"]
"""


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.door = self.node("door", tier="edge")
        self.workers = []
        for i in range(NODES):
            engine = self.engine("m", name=f"engine-{i}")
            backend = 'backends=[{name: b, url: "%s", version: %s}]' % (
                engine.url, "v2" if i == NODES - 1 else "v1")
            self.workers.append(self.node(f"worker-{i}", tier=("edge", "regional", "cloud")[i % 3],
                                          backends=[engine.url], sets=[backend]))
        self.start()
        self.port = self.door.http
        eventually(lambda: len(self.door.model_nodes().get("m", ())) == NODES, "all who have it")

    def apply(self, text):
        self.door.cli("policy", "apply", "-f", "-", stdin=text)
        self.known_everywhere()

    def known_everywhere(self):
        epoch = self.door.status()["epoch"]
        for node in self.node_list:
            eventually(lambda n=node: n.status()["epoch"] >= epoch, "the rules are in force")

    def many(self, count, headers=lambda n: None):
        """Outcomes, and how long the slow ones took."""
        def one(n):
            began = time.monotonic()
            try:
                answer = chat(self.port, "m", headers(n), timeout_s=30, max_tokens=4)
                outcome = answer.status
            except (OSError, http.client.HTTPException) as error:
                outcome = type(error).__name__
            return outcome, time.monotonic() - began
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            done = list(pool.map(one, range(count)))
        times = sorted(seconds for _, seconds in done)
        return (collections.Counter(outcome for outcome, _ in done),
                times[len(times) * 99 // 100])


    def while_one_misbehaves(self, script):
        """The one that gets most; and how often it was asked meanwhile."""
        before = [engine.stats()["started"] for engine in self.engines]
        self.many(100)
        share = [e.stats()["started"] - b for e, b in zip(self.engines, before)]
        bad = self.engines[share.index(max(share))]
        bad.script(m=script)
        before = bad.stats()["started"]
        outcomes, p99_s = self.many(REQUESTS)
        asked = bad.stats()["started"] - before
        bad.reset()
        return outcomes, p99_s, asked


def misbehave(world, name, ways):
    """The share that failed."""
    failed = 0
    for way in ways:
        outcomes, p99_s, asked = world.while_one_misbehaves(WAYS[way])
        failed += REQUESTS - outcomes[200]
        others = {str(outcome): n for outcome, n in outcomes.items() if outcome != 200}
        note(f"{name}, one of {NODES} {way}, asked {asked} times: {outcomes[200]} of {REQUESTS} "
             f"answered {others or ''}, p99 {p99_s:.2f} s")
        assert asked > 0, f"{way}: nobody asked it, so this shows nothing"
    total = REQUESTS * len(ways)
    note(f"{name}: {100 * (1 - failed / total):.3f} % of {total}")
    return failed / total


@test(limit_s=200)
def more_than_999_of_1000_succeed_while_one_of_ten_misbehaves(world):
    world.apply(SURE)
    share = misbehave(world, "availability-first", WAYS)
    assert share < 0.001, f"{share:.4f} failed"


@test(limit_s=100)
def without_a_policy_what_fails_is_made_good_too(world):
    world.door.cli("policy", "rm", "sure")
    world.known_everywhere()
    share = misbehave(world, "no policy", ["errors", "closes", "resets", "garbage", "busy"])
    assert share < 0.001, f"{share:.4f} failed"


@test
def a_split_is_kept_and_a_key_sticks(world):
    world.door.cli("model", "put", "m")
    for version in ("v1", "v2"):
        world.door.cli("version", "put", f"m/{version}", "--stage", "production")
    world.apply(SPLIT)
    canary = world.engines[-1]
    before = canary.stats()["started"]
    outcomes, _ = world.many(1000, headers=lambda n: {"x-session": f"session-{n}"})
    equal(outcomes, {200: 1000}, "all answered")
    share = (canary.stats()["started"] - before) / 1000
    note(f"90/10 over 1000 sessions: {share:.3f} at the engine with v2")
    assert 0.05 < share < 0.15, share  # five standard deviations
    for n in range(60):
        nodes = {chat(world.port, "m", headers={"x-session": f"again-{n}"}).fields["grapevine-node"]
                 for _ in range(5)}
        assert nodes == {f"worker-{NODES - 1}"} or f"worker-{NODES - 1}" not in nodes, nodes
    world.door.cli("policy", "rm", "canary")


@test
def when_all_engines_fail_retries_stay_a_fraction(world):
    world.known_everywhere()
    time.sleep(11)  # the budget is a share of the last ten seconds' requests
    for engine in world.engines:
        engine.script(m={"do": "500"})
    count = 2000
    before = sum(engine.stats()["started"] for engine in world.engines)
    outcomes, _ = world.many(count)
    asked = sum(engine.stats()["started"] for engine in world.engines) - before
    for engine in world.engines:
        engine.reset()
    note(f"{count} requests, {dict(outcomes)}, the engines were asked {asked} times")
    assert set(outcomes) <= {500, 502, 503}, outcomes
    # A fifth, and three a second, by the node where they came in; the nodes behind it add nothing.
    assert asked <= 1.2 * count + 30 + CLIENTS, asked


if __name__ == "__main__":
    main(World)
