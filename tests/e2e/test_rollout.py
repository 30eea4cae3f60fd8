"""A version of a policy that breaks its guards is given up by the whole mesh, by nodes that have
seen nothing of it, too: once three others say so, and not before."""

import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import GRAPEVINE, Mesh
from runner import equal, eventually, main, note, test
from web import chat, get

SAMPLES = 5
ENGINE_S = 0.05  # over the guard, so whoever sees enough of it gives it up
FIRST = """apiVersion: grapevine/v1
kind: RoutePolicy
metadata: {name: p}
spec: {strategy: latency-first}
"""
SECOND = FIRST.replace("latency-first", "cost-optimized, rollout: {percent: 50, "
                       f"guard: {{p99: 10ms, samples: {SAMPLES}}}}}")


class World(Mesh):
    def __init__(self):
        super().__init__()
        engine = self.engine("m1")
        for i in range(5):
            self.node(f"n{i}", backends=[engine.url])
        self.start()
        self.witnesses, self.idle = self.node_list[:3], self.node_list[3:]
        eventually(lambda: all("m1" in node.model_nodes() for node in self.node_list), "the model")
        for text in (FIRST, SECOND):
            self.witnesses[0].cli("policy", "apply", "-f", "-", stdin=text)
        eventually(lambda: all(metric(node, "policies") == 2 for node in self.node_list),
                   "both versions everywhere")


def metric(node, name):
    for line in get(node.http, "/metrics").body.decode().splitlines():
        if line.startswith(f"grapevine_{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no grapevine_{name}")


def ask(node):
    equal(chat(node.http, engine={"wait": ENGINE_S}).status, 200, "an answer")


def has_given_up(node):
    return metric(node, "rollouts_withdrawn_total") == 1


def see_enough(node):
    for _ in range(40 * SAMPLES):
        ask(node)
        if has_given_up(node):
            return
    raise AssertionError(f"{node.name} keeps a version that breaks its guard")


def reasons(node):
    """Of what was withdrawn, by the event stream and by the log."""
    with subprocess.Popen([GRAPEVINE, "events", "--dir", node.dir, "-o", "json", "--last", "256"],
                          stdout=subprocess.PIPE, text=True) as tail:
        events = (json.loads(line) for line in tail.stdout)
        told = next(e for e in events if e["event"] == "policy_withdrawn")
        tail.terminate()
    logged = [line for line in node.log().splitlines() if "policy_withdrawn" in line]
    equal((told["policy"], len(logged)), ("p", 1), "what was withdrawn")
    assert told["reason"] in logged[0], logged
    return told["reason"]


@test
def two_that_gave_it_up_do_not_decide_for_others(world):
    for node in world.witnesses[:2]:
        see_enough(node)
    time.sleep(5)
    assert not any(has_given_up(node) for node in world.idle + world.witnesses[2:])


@test
def three_do_and_each_says_why(world):
    began = time.monotonic()
    see_enough(world.witnesses[2])
    eventually(lambda: all(has_given_up(node) for node in world.idle), "the idle gave it up", 20)
    note(f"given up everywhere after {time.monotonic() - began:.1f} s")
    equal([reasons(node) for node in world.node_list], ["p99"] * 3 + ["witnesses"] * 2, "why")


@test
def the_older_version_decides_then(world):
    for node in world.node_list:
        for _ in range(10):
            ask(node)
        equal(metric(node, "rollouts_withdrawn_total"), 1, node.name)


if __name__ == "__main__":
    main(World)
